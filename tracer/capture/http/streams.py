"""Response bodies: teed chunk by chunk as they arrive, or served from a recording.

Stream classes must belong to the library that reads them (clients assert it), so they are made
once for each library. The step ends when the body has been read, when the reader closes it
early (OpenAI's client does, at `[DONE]`), breaks, or is forgotten.
"""

import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any

from tracer.capture.boundary import HttpAnswer
from tracer.capture.recorder import RawReply


def live_stream(exchange: Any, response: Any) -> Any:
    """A stream that passes the response's body through and records it."""
    return _classes(exchange.library)[0](exchange, response)


def served_stream(exchange: Any, answer: HttpAnswer) -> Any:
    """A stream that gives a recorded body."""
    return _classes(exchange.library)[1](exchange, answer)


class _Tee:
    """What passed so far; ends the step once."""

    def __init__(self, exchange: Any, response: Any) -> None:
        self.exchange = exchange
        self.inner = response.stream
        self.status = response.status_code
        self.headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in response.headers.raw
        )
        self.chunks: list[bytes] = []
        self.times: list[int] = []

    def seen(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.times.append(self.exchange.elapsed_us())

    def end(self, complete: bool, error: BaseException | None = None) -> None:
        failure = None
        if error is not None:
            kind = type(error)
            failure = {"type": f"{kind.__module__}.{kind.__qualname__}", "message": str(error)}
        reply = RawReply(self.status, self.headers, self.chunks, self.times, complete, failure)
        self.exchange.ended(reply, error)


class _Live:
    """Passes a body through, chunk by chunk; sync and async."""

    def __init__(self, exchange: Any, response: Any) -> None:
        self._tee = _Tee(exchange, response)

    def __iter__(self) -> Iterator[bytes]:
        tee = self._tee
        try:
            for chunk in tee.inner:
                tee.seen(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            tee.end(False, error)
            raise
        tee.end(True)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        tee = self._tee
        try:
            async for chunk in tee.inner:
                tee.seen(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            tee.end(False, error)
            raise
        tee.end(True)

    def close(self) -> None:
        try:
            self._tee.inner.close()
        finally:
            self._tee.end(False)

    async def aclose(self) -> None:
        try:
            await self._tee.inner.aclose()
        finally:
            self._tee.end(False)

    def __del__(self) -> None:
        if not self._tee.exchange.step.ended:
            self._tee.end(False)


class _Served:
    """Gives a recorded body, chunk by chunk; sync and async."""

    def __init__(self, exchange: Any, answer: HttpAnswer) -> None:
        self._exchange = exchange
        self._answer = answer
        self._run, self._decision = exchange.step.run, exchange.step.decision
        self._given: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._answer.chunks:
            self._given.append(chunk)
            yield chunk
        self._run.wait(self._decision, "end")
        self._finish()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._answer.chunks:
            self._given.append(chunk)
            yield chunk
        try:
            if self._answer.hangs:
                await self._run.hang(self._decision)
            await self._run.wait_async(self._decision, "end")
        except BaseException as error:
            self._exchange.cut(self._given, error)
            raise
        self._finish()

    def _finish(self) -> None:
        answer = self._answer
        if answer.failure is not None:
            error = self._exchange.failure(answer.failure)
            self._end(False, answer.failure)
            raise error
        if not answer.complete and answer.needs_more is not None:
            answer.needs_more()
        self._end(True)

    def _end(self, complete: bool, failure: Any = None) -> None:
        given = self._given
        times = [0] * len(given)
        headers, status = self._answer.headers, self._answer.status
        self._exchange.ended(RawReply(status, headers, given, times, complete, failure))

    def close(self) -> None:
        self._let_go()

    async def aclose(self) -> None:
        self._let_go()

    def _let_go(self) -> None:
        if not self._exchange.step.ended:
            self._run.let_go(self._decision)
            self._end(False)

    def __del__(self) -> None:
        self._let_go()


@functools.cache
def _classes(library: Any) -> tuple[type, type]:
    """The two stream classes as this library's own."""
    bases = (library.SyncByteStream, library.AsyncByteStream)
    return type("LiveStream", (_Live, *bases), {}), type("ServedStream", (_Served, *bases), {})
