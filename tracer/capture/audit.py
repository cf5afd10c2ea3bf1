"""The one audit hook of this process. It can't be removed, so it looks at two switches.

Python calls it for every import, open and connection, on whatever thread.
"""

import socket
import sys
from collections.abc import Callable
from typing import Any

Hear = Callable[[str, tuple[Any, ...]], None]

_refuser: Hear | None = None
_ledger: Hear | None = None
_heard: frozenset[str] = frozenset()
_installed = False


def set_refuser(hear: Hear | None) -> None:
    """Ask this first, of every event; it may raise. None: no longer."""
    global _refuser
    _refuser = hear
    _install()


def set_ledger(hear: Hear | None, events: frozenset[str] = frozenset()) -> None:
    """Tell this of the events named. None: no longer."""
    global _ledger, _heard
    _ledger, _heard = hear, events
    if hear is not None:
        _install()


def _install() -> None:
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if _refuser is not None:
        _refuser(event, args)
    if event in _heard and _ledger is not None:
        _ledger(event, args)


def is_address(host: str) -> bool:
    """Whether a host is written as an address, which needs no look-up."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
