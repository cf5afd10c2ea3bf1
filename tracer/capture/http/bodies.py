"""Response bodies, whatever client reads them: heard while they pass, or given from a recording.

The step ends when the body has been read, when the reader closes it early (OpenAI's client does,
at `[DONE]`), breaks, or is forgotten.
"""

import sys
from typing import Any

from tracer.capture.boundary import HttpAnswer
from tracer.capture.exceptions import error_info
from tracer.capture.http.exchange import Exchange, failure_of
from tracer.capture.recorder import RawReply

Headers = tuple[tuple[str, str], ...]


class Heard:
    """What passed so far of a live body; ends the step once."""

    def __init__(self, exchange: Exchange, status: int, headers: Headers) -> None:
        self.exchange = exchange
        self.status = status
        self.headers = headers
        self.chunks: list[bytes] = []
        self.times: list[int] = []
        exchange.step.run.bodies.add(self)

    async def turn(self, *, leaving: bool = False) -> None:
        """Awaited before an end on an event loop; `leaving`: the body is being closed."""
        run = self.exchange.step.run
        if not self.exchange.step.ended:
            await (run.loop_ends.mine_unless_leaving() if leaving else run.loop_ends.mine())

    def left(self) -> None:
        """Nobody reads on."""
        self.end(False)

    def seen(self, chunk: bytes) -> None:
        """A piece of the body reached the agent."""
        self.chunks.append(chunk)
        self.times.append(self.exchange.elapsed_us())

    def end(
        self,
        complete: bool,
        error: BaseException | None = None,
        failure: dict[str, Any] | None = None,
    ) -> None:
        """Nothing more comes: read to its end, left early, or broken."""
        if self.exchange.step.ended:
            return
        if error is not None and failure is None:
            failure = failure_of(error)
        reply = RawReply(self.status, self.headers, self.chunks, self.times, complete, failure)
        self.exchange.ended(reply, error)


class Given:
    """A recorded body on its way to the agent; ends the step once."""

    def __init__(self, exchange: Exchange, answer: HttpAnswer) -> None:
        self.exchange = exchange
        self.answer = answer
        self._run, self._decision = exchange.step.run, exchange.step.decision
        self._given: list[bytes] = []
        self._run.bodies.add(self)

    def take(self) -> bytes | None:
        """The next chunk; None after the last."""
        if self.is_all():
            return None
        chunk = self.answer.chunks[len(self._given)]
        self._given.append(chunk)
        return chunk

    def ending(self) -> dict[str, Any] | None:
        """The failure that follows the chunk just taken, if it was the last and one does."""
        return self.answer.failure if self.is_all() else None

    def is_all(self) -> bool:
        """Whether every chunk was taken."""
        return len(self._given) == len(self.answer.chunks)

    def finish(self) -> dict[str, Any] | None:
        """The reader wants more than the chunks: the failure to raise, None at the end.

        Raises what ends the re-execution where the recorded agent had stopped reading.
        """
        self._run.wait(self._decision, "end")
        return self._over()

    async def finish_async(self) -> dict[str, Any] | None:
        """The same, awaited; hangs where the recorded agent was cancelled."""
        try:
            if self.answer.hangs:
                await self._run.hang(self._decision)
            await self._run.wait_async(self._decision, "end")
        except BaseException as error:
            self._cut(error)
            raise
        return self._over()

    def _over(self) -> dict[str, Any] | None:
        answer = self.answer
        if answer.failure is not None:
            self._end(False, answer.failure)
            return answer.failure
        if not answer.complete and answer.needs_more is not None:
            answer.needs_more()
        self._end(True)
        return None

    def _end(self, complete: bool, failure: Any = None) -> None:
        self.exchange.ended(self._reply(complete, failure))

    def _reply(self, complete: bool, failure: Any) -> RawReply:
        given = self._given
        headers, status = self.answer.headers, self.answer.status
        return RawReply(status, headers, given, [0] * len(given), complete, failure)

    def _cut(self, error: BaseException) -> None:
        info = error_info(error)
        failure = {"type": info.type, "message": info.message}
        self.exchange.ended(self._reply(False, failure), error)

    def leave(self) -> None:
        """The reader closes it: where the recorded one did, when the recorded order allows it."""
        try:
            if self._leaves_as_recorded():
                self._run.wait(self._decision, "end")
        finally:
            self.left()

    async def leave_async(self) -> None:
        """The same, awaited."""
        try:
            if self._leaves_as_recorded():
                await self._run.wait_async(self._decision, "end")
        finally:
            self.left()

    def _leaves_as_recorded(self) -> bool:
        answer = self.answer
        stopped_here = not (answer.complete or answer.hangs or answer.failure) and self.is_all()
        # An exception that goes by was not in the recording, or comes in no recorded order.
        return stopped_here and not self.exchange.step.ended and sys.exc_info()[0] is None

    def left(self) -> None:
        """The reader closed it, or forgot it."""
        if not self.exchange.step.ended:
            self._run.let_go(self._decision)
            self._end(False)
