"""One HTTP exchange of an httpx-like client: asked, answered or sent, and recorded as a step."""

import time
from typing import Any

from tracer import providers
from tracer.capture import scope as scopes
from tracer.capture.boundary import Call, CancelledAnswer, HttpAnswer, OpenStep
from tracer.capture.callsite import callsite
from tracer.capture.exceptions import error_info, is_cancel
from tracer.capture.guard import report
from tracer.capture.http.streams import live_stream, served_stream
from tracer.capture.recorder import RawReply
from tracer.errors import ReplayStop
from tracer.providers.base import HttpRequest

_READS = ("GET", "HEAD", "OPTIONS")
_DROPPED = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})


def _make_call(request: Any, scope: scopes.Scope) -> Call:
    """What this request asks. Its body must have been read."""
    pairs = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
    )
    asked = HttpRequest(request.method, str(request.url), pairs, request.content)
    api = providers.recognise(asked.method, asked.url, asked.body)
    call = Call(
        "http" if api is None else "model", "", scope.take_slot("http" if api is None else "model")
    )
    if api is None:
        call.effect = "read" if asked.method in _READS else "external"
    call.name = f"{asked.method} {request.url.path}" if api is None else "chat"
    call.request = asked
    call.api = api
    call.callsite = callsite()
    return call


class _Base:
    """What sync and async exchanges share."""

    def __init__(self, library: Any, request: Any, step: OpenStep) -> None:
        self.library = library
        self.request = request
        self.step = step
        self.sent_ns = time.perf_counter_ns()
        self.reply_seq: int | None = None

    @classmethod
    def _open(cls, library: Any, request: Any) -> Any:
        scope = scopes.current()
        if scope is None:
            return None
        scope.run.check()
        try:
            call = _make_call(request, scope)
        except Exception as error:
            report("reading a request", error)
            return None
        decision = scope.run.decide(call)
        return cls(library, request, scope.run.begin(scope, call, decision))

    @property
    def answer(self) -> Any:
        return self.step.decision.answer

    def served(self) -> Any:
        """The library's own response, made from the recorded or substituted answer."""
        answer = self.answer
        assert isinstance(answer, HttpAnswer)
        if answer.failure is not None and answer.status == 0:
            self.failed(None, answer.failure)
            raise self.failure(answer.failure)
        headers = [(n, v) for n, v in answer.headers if n.lower() not in _DROPPED]
        # What could not be decoded is given back as it came, with the header that says so.
        headers += [(n, v) for n, v in answer.headers if n.lower() == "content-encoding"]
        self.reply_seq = self.step.run.next_seq()
        return self.library.Response(
            answer.status,
            headers=headers,
            stream=served_stream(self, answer),
            extensions={"http_version": b"HTTP/1.1"},
        )

    def failure(self, recorded: dict[str, Any]) -> BaseException:
        """The issuing library's exception of the recorded name."""
        name = str(recorded["type"]).rsplit(".", 1)[-1]
        cls = getattr(self.library, name, None)
        if not (isinstance(cls, type) and issubclass(cls, self.library.RequestError)):
            cls = self.library.TransportError
        error: BaseException = cls(str(recorded["message"]))
        return error

    def received(self, response: Any) -> Any:
        """The response arrived: its stream is watched from here on."""
        self.reply_seq = self.step.run.next_seq()
        if hasattr(response, "_content"):
            # Made with its content (mock transports) or read already: nobody will read its stream.
            self._received_whole(response)
        else:
            response.stream = live_stream(self, response)
        return response

    def _received_whole(self, response: Any) -> None:
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in response.headers.raw
            if name.lower() != b"content-encoding"
        )
        times = [self.elapsed_us()]
        self.ended(RawReply(response.status_code, headers, [response.content], times, True))

    def failed(self, error: BaseException | None, failure: dict[str, Any] | None = None) -> None:
        """No response came. Called once, before the exception goes on to the agent."""
        if failure is None and error is not None:
            info = error_info(error)
            failure = {"type": info.type, "message": info.message}
        self.ended(RawReply(0, (), [], [], False, failure), error)

    def ended(self, reply: RawReply, error: BaseException | None = None) -> None:
        """Record the end. Faults of ours stop here."""
        try:
            status = "ok"
            if reply.failure is not None:
                status = "error"
            if error is not None and is_cancel(error):
                status = "cancelled"
            detail = {} if self.reply_seq is None else {"reply_seq": self.reply_seq}
            info = error_info(error) if error is not None else None
            self.step.end(status, reply=reply, error=info, detail=detail)
        except ReplayStop:
            raise
        except Exception as fault:
            report("recording a reply", fault)

    def cut(self, given: list[bytes], error: BaseException) -> None:
        """A served body was cancelled, or the re-execution stopped, after these chunks."""
        answer = self.answer
        info = error_info(error)
        failure = {"type": info.type, "message": info.message}
        times = [0] * len(given)
        self.ended(RawReply(answer.status, answer.headers, given, times, False, failure), error)

    def elapsed_us(self) -> int:
        return (time.perf_counter_ns() - self.sent_ns) // 1000


class Exchange(_Base):
    """A synchronous exchange."""

    @classmethod
    def open(cls, library: Any, request: Any) -> "Exchange | None":
        """Begin a step for a request; None outside any run."""
        request.read()
        exchange: Exchange | None = cls._open(library, request)
        return exchange

    def run(self, send: Any) -> Any:
        if self.answer is not None:
            try:
                self.step.run.wait(self.step.decision)
            except BaseException as error:
                self.failed(error)
                raise
            return self.served()
        # What the client starts meanwhile (a task, a resolver thread) is the exchange's own: an
        # exchange that is answered has none, so it must not count among the agent's.
        before = scopes.set_current(self.step.scope)
        try:
            response = send(self.request)
        except BaseException as error:
            self.failed(error)
            raise
        finally:
            scopes.set_current(before)
        return self.received(response)


class AsyncExchange(_Base):
    """The same, awaited."""

    @classmethod
    async def open(cls, library: Any, request: Any) -> "AsyncExchange | None":
        """Begin a step for a request; None outside any run."""
        await request.aread()
        exchange: AsyncExchange | None = cls._open(library, request)
        return exchange

    async def run(self, send: Any) -> Any:
        if self.answer is not None:
            try:
                await self.step.run.wait_async(self.step.decision)
                if isinstance(self.answer, CancelledAnswer):
                    await self.step.run.hang(self.step.decision)
            except BaseException as error:
                self.failed(error)
                raise
            return self.served()
        before = scopes.set_current(self.step.scope)  # as in `Exchange`
        try:
            response = await send(self.request)
        except BaseException as error:
            self.failed(error)
            raise
        finally:
            scopes.set_current(before)
        return self.received(response)
