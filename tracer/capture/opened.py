"""Begins steps that somebody may first be asked about: blocking, or while the event loop goes on.

What begins a step is a generator (`Opening`): it hands out what is pending and takes the decision.
Here it is driven to its end.
"""

from typing import TypeVar

from tracer.capture.calls import Opening

T = TypeVar("T")


def opened(opening: Opening[T]) -> T:
    """What an opening comes to; blocks while somebody is asked."""
    try:
        pending = next(opening)
        while True:
            pending = opening.send(pending.settle())
    except StopIteration as done:
        made: T = done.value
        return made


async def opened_async(opening: Opening[T]) -> T:
    """The same; the event loop goes on meanwhile."""
    try:
        pending = next(opening)
        while True:
            pending = opening.send(await pending.settle_async())
    except StopIteration as done:
        made: T = done.value
        return made
