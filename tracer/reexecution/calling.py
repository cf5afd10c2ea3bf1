"""Calls an agent again to its end, whatever its form."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any


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
