"""Bodies of httpx and httpx2: stream classes that hear or give them.

Stream classes must belong to the library that reads them (clients assert it), so they are made
once for each library.
"""

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tracer.capture.boundary import HttpAnswer
from tracer.capture.http.bodies import Given, Heard


def live_stream(library: Any, heard: Heard, inner: Any) -> Any:
    """A stream that passes the response's body through and records it."""
    return _classes(library)[0](heard, inner)


def served_stream(library: Any, exchange: Any, answer: HttpAnswer) -> Any:
    """A stream that gives a recorded body."""
    return _classes(library)[1](exchange, answer)


class _Live:
    """Passes a body through, chunk by chunk; sync and async."""

    def __init__(self, heard: Heard, inner: Any) -> None:
        self._heard = heard
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        heard = self._heard
        try:
            for chunk in self._inner:
                heard.seen(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            heard.end(False, error)
            raise
        heard.end(True)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        heard = self._heard
        try:
            async for chunk in self._inner:
                heard.seen(chunk)
                yield chunk
            await heard.turn()
        except GeneratorExit:
            raise
        except BaseException as error:
            heard.end(False, error)
            raise
        heard.end(True)

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._heard.end(False)

    async def aclose(self) -> None:
        try:
            await self._inner.aclose()
            await self._heard.turn(leaving=True)
        finally:
            self._heard.end(False)

    def __del__(self) -> None:
        self._heard.end(False)


class _Served:
    """Gives a recorded body, chunk by chunk; sync and async."""

    def __init__(self, exchange: Any, answer: HttpAnswer) -> None:
        self._exchange = exchange
        self._given = Given(exchange, answer)

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._given.take()) is not None:
            yield chunk
        self._raise(self._given.finish())

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := self._given.take()) is not None:
            yield chunk
        self._raise(await self._given.finish_async())

    def _raise(self, failure: dict[str, Any] | None) -> None:
        if failure is not None:
            raise self._exchange.failure(failure)

    def close(self) -> None:
        self._given.leave()

    async def aclose(self) -> None:
        await self._given.leave_async()

    def __del__(self) -> None:
        self._given.left()


@functools.cache
def _classes(library: Any) -> tuple[type, type]:
    """The two stream classes as this library's own."""
    bases = (library.SyncByteStream, library.AsyncByteStream)
    return type("LiveStream", (_Live, *bases), {}), type("ServedStream", (_Served, *bases), {})
