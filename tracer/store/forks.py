"""Around `os.fork`: no SQLite connection may cross it, or two processes believe they hold the
same locks. Whoever keeps a connection open registers here; it is closed before and reopened after.
"""

import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """Something that holds a connection and must be told of `os.fork`."""

    def before_fork(self) -> None:
        """Close what must not be shared and keep it closed until the next call."""

    def after_fork(self, *, child: bool) -> None: ...


_aware: weakref.WeakSet[ForkAware] = weakref.WeakSet()
_stopped: list[ForkAware] = []


def register(owner: ForkAware) -> None:
    """Have `owner` told of every fork of this process, for as long as it lives."""
    _aware.add(owner)


def _before() -> None:
    _stopped[:] = list(_aware)
    for owner in _stopped:
        owner.before_fork()


def _after(child: bool) -> None:
    for owner in _stopped:
        owner.after_fork(child=child)
    _stopped.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before,
        after_in_parent=lambda: _after(False),
        after_in_child=lambda: _after(True),
    )
