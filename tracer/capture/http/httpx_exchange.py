"""One exchange of httpx or httpx2: its request as data, its response as that library's own."""

from typing import Any

from tracer.capture.boundary import CancelledAnswer, HttpAnswer
from tracer.capture.http.bodies import Heard
from tracer.capture.http.exchange import (
    Exchange,
    Sending,
    as_sent,
    open_step,
    open_step_async,
    reason_headers,
    reason_of,
    served_headers,
    usual_reason,
)
from tracer.capture.http.failures import httpx_name
from tracer.capture.http.streams import live_stream, served_stream
from tracer.providers.base import HttpRequest


def _pairs(headers: Any) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw)


def _asked(request: Any) -> HttpRequest:
    """A request whose body has been read, as data."""
    return HttpRequest(request.method, str(request.url), _pairs(request.headers), request.content)


class _HttpxExchange(Exchange):
    """What sync and async exchanges share."""

    def __init__(self, library: Any, request: Any, step: Any) -> None:
        super().__init__(step)
        self.library = library
        self.request = request

    @classmethod
    def _of(cls, library: Any, request: Any, asked: HttpRequest, step: Any) -> Any:
        """The exchange of a step, whose request may be another one than was asked for."""
        if step is None:
            return None
        given = step.call.request
        if given is not None and given is not asked:
            request = library.Request(
                given.method,
                given.url,
                headers=list(given.headers),
                content=given.body,
                extensions=request.extensions,
            )
        return cls(library, request, step)

    def served(self) -> Any:
        """The library's own response, made from the recorded or substituted answer."""
        answer = self.answer
        assert isinstance(answer, HttpAnswer)
        if answer.failure is not None and answer.status == 0:
            self.failed(None, answer.failure)
            raise self.failure(answer.failure)
        self.arrived()
        answer = as_sent(answer)
        extensions: dict[str, Any] = {"http_version": b"HTTP/1.1"}
        reason = reason_of(answer)
        if reason != usual_reason(answer.status):
            extensions["reason_phrase"] = reason.encode("latin-1", "replace")
        return self.library.Response(
            answer.status,
            headers=served_headers(answer, self.request.method),
            stream=served_stream(self.library, self, answer),
            extensions=extensions,
        )

    def failure(self, recorded: dict[str, Any]) -> BaseException:
        """The issuing library's exception of the recorded name, or of what it means here."""
        cls = getattr(self.library, httpx_name(recorded), None)
        if not (isinstance(cls, type) and issubclass(cls, self.library.RequestError)):
            cls = self.library.TransportError
        error: BaseException = cls(str(recorded["message"]))
        return error

    def received(self, response: Any) -> Any:
        """The response arrived: its stream is watched from here on."""
        self.arrived()
        headers = _pairs(response.headers)
        if response.extensions.get("http_version") == b"HTTP/1.1":  # later ones have no phrase
            headers += reason_headers(response.status_code, response.reason_phrase)
        if hasattr(response, "_content"):
            # Made with its content (mock transports) or read already: nobody will read its stream.
            headers = tuple(pair for pair in headers if pair[0].lower() != "content-encoding")
            heard = Heard(self, response.status_code, headers)
            heard.seen(response.content)
            heard.end(True)
        else:
            heard = Heard(self, response.status_code, headers)
            response.stream = live_stream(self.library, heard, response.stream)
        return response


class SyncExchange(_HttpxExchange):
    """A synchronous exchange."""

    @classmethod
    def open(cls, library: Any, request: Any) -> "SyncExchange | None":
        """Begin a step for a request; None outside any run."""
        request.read()
        asked = _asked(request)
        step = open_step(asked, editable=True)
        exchange: SyncExchange | None = cls._of(library, request, asked, step)
        return exchange

    def run(self, send: Any) -> Any:
        """The response: given, or sent for."""
        try:
            if self.answer is not None:
                self.step.run.wait(self.step.decision)
            else:
                with Sending(self):
                    response = send(self.request)
        except BaseException as error:
            self.failed(error)
            raise
        return self.received(response) if self.answer is None else self.served()


class AsyncExchange(_HttpxExchange):
    """The same, awaited."""

    @classmethod
    async def open(cls, library: Any, request: Any) -> "AsyncExchange | None":
        """Begin a step for a request; None outside any run."""
        await request.aread()
        asked = _asked(request)
        step = await open_step_async(asked, editable=True)
        exchange: AsyncExchange | None = cls._of(library, request, asked, step)
        return exchange

    async def run(self, send: Any) -> Any:
        """The response: given, or sent for."""
        try:
            if self.answer is not None:
                await self.step.run.wait_async(self.step.decision)
                if isinstance(self.answer, CancelledAnswer):
                    await self.step.run.hang(self.step.decision)
            else:
                with Sending(self):
                    response = await send(self.request)
        except BaseException as error:
            self.failed(error)
            raise
        return self.received(response) if self.answer is None else self.served()
