"""Recording: decorators, HTTP clients, concurrency, OpenTelemetry. Owns the step boundary.

The rule of this layer: tracer never breaks, slows or changes the agent it watches. Its own faults
are logged once (`guard.py`) and swallowed; the agent's exceptions pass untouched.
"""
