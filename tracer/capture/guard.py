"""Tracer's own faults: logged once each, never raised into the agent."""

import functools
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from tracer.errors import ReplayStop

P = ParamSpec("P")
T = TypeVar("T")

_seen: set[str] = set()


def report(where: str, error: BaseException) -> None:
    """Log a fault of ours once for each place and type; the first one also on standard error."""
    key = f"{where}:{type(error).__name__}"
    if key in _seen:
        return
    first = not any(":" in other for other in _seen)
    _seen.add(key)
    _log("fault in %s: %s", where, error, error=error)
    if first:
        text = f"tracer: internal fault in {where} ({type(error).__name__}: {error}); "
        print(text + "the program goes on, this recording may lack a part", file=sys.stderr)


def announce(key: str, sentence: str) -> None:
    """Say once what the user has to mend."""
    if key in _seen:
        return
    _seen.add(key)
    _log("%s", sentence)
    print(sentence, file=sys.stderr)


def _log(words: str, *given: object, error: BaseException | None = None) -> None:
    import logging  # most programs never need it for us

    logger = logging.getLogger("tracer")
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())
    logger.warning(words, *given, exc_info=error)


def swallow(default: Any) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorator: a fault inside gives `default`. Control flow of a re-execution passes through."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return function(*args, **kwargs)
            except (ReplayStop, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                report(function.__qualname__, error)
                return cast(T, default)

        return guarded

    return decorate
