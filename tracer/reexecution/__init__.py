"""Re-execution: answers steps from a recording, forks, explains divergence.

The only layer that runs user code. It implements capture's port `StepHandler`.
"""
