"""Ids of runs and steps, as OpenTelemetry has them."""

import os
import random

# A generator of its own: drawing ids from the global one would change the agent's random numbers.
_ids = random.Random(os.urandom(16))
os.register_at_fork(after_in_child=lambda: _ids.seed(os.urandom(16)))


def new_run_id() -> str:
    """32 hex digits, an OpenTelemetry trace id."""
    return f"{_ids.getrandbits(128) | 1:032x}"


def new_step_id() -> str:
    """16 hex digits, an OpenTelemetry span id."""
    return f"{_ids.getrandbits(64) | 1:016x}"
