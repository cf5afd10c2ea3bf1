"""Calls an agent again to its end, whatever its form; and asks whoever sits at the terminal."""

import asyncio
import inspect
import sys
from collections.abc import Callable
from typing import Any

from tracer.capture.boundary import Call


def ask_on_terminal() -> Callable[[Call], bool]:
    """Asks the person at the terminal whether a step may run for real."""

    def ask(step: Call) -> bool:
        given = (step.input or b"").decode("utf-8", "replace")[:2000]
        print(
            f"\n{step.kind} {step.name} {given}\nrun it for real? [y/N] ", end="", file=sys.stderr
        )
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    return ask


def call(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call an agent to its end, whatever its form; gives its result (None for generators)."""
    result = function(*args, **kwargs)
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    if inspect.isasyncgen(result):
        asyncio.run(_exhaust(result))
        return None
    if inspect.isgenerator(result):
        for _ in result:
            pass
        return None
    return result


async def _exhaust(stream: Any) -> None:
    async for _ in stream:
        pass
