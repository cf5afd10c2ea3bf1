"""Functions that carry a scope into the thread or callback that runs them; and the pool of threads
of multiprocessing, whose items are numbered where they are handed over.
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tracer.capture import scope as scopes


class ScopedCall:
    """A function that runs with a scope held by the thread that runs it."""

    __slots__ = ("function", "scope")

    def __init__(self, scope: scopes.Scope, function: Callable[..., Any]) -> None:
        self.scope = scope
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        before = scopes.hold(self.scope)
        try:
            return self.function(*args, **kwargs)
        finally:
            scopes.hold(before)
            self.scope.run.ends.went_on()


def patch(module: Any) -> None:
    """Number the work given to `ThreadPool`."""
    pool = module.ThreadPool
    for name in ("apply_async", "imap", "imap_unordered", "_map_async"):
        setattr(pool, name, _numbering(getattr(pool, name), module.starmapstar))


def _numbering(original: Any, star: Any) -> Any:
    @functools.wraps(original)
    def method(self: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
        scope = scopes.current()
        if scope is None:
            return original(self, func, *args, **kwargs)
        above = scope.for_task()
        if original.__name__ == "apply_async":
            return original(self, ScopedCall(above, func), *args, **kwargs)
        starred = original.__name__ == "_map_async" and (args[1:2] or [kwargs.get("mapper")])[0]
        items = args[0] if args else kwargs.pop("iterable")
        numbered: Any = _numbered(above, items)
        if hasattr(items, "__len__"):
            numbered = list(numbered)
        run = _starred if starred is star else _paired
        return original(self, functools.partial(run, func), numbered, *args[1:], **kwargs)

    return method


def _numbered(above: scopes.Scope, items: Iterable[Any]) -> Iterator[tuple[scopes.Scope, Any]]:
    for item in items:
        yield above.for_task(), item


def _paired(function: Any, pair: tuple[scopes.Scope, Any]) -> Any:
    scope, item = pair
    return ScopedCall(scope, function)(item)


def _starred(function: Any, scope: scopes.Scope, item: Any) -> Any:
    return ScopedCall(scope, function)(*item)
