"""One HTTP exchange, whatever client makes it: asked, answered or sent, and recorded as a step.

A client's own file turns its request into an `HttpRequest`, opens an exchange, and either sends
(`with Sending(exchange)`) or gives the answer in the client's own classes.
"""

import contextvars
import time
from dataclasses import replace
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tracer.capture import scope as scopes
from tracer.capture.boundary import Call, Decision, HttpAnswer, Opening, OpenStep
from tracer.capture.callsite import callsite
from tracer.capture.encoding import DECODED, encode_chunks
from tracer.capture.exceptions import error_info, is_cancel
from tracer.capture.guard import report
from tracer.capture.http.retries import Retries
from tracer.capture.http.telemetry import NOTED, is_telemetry
from tracer.capture.opened import opened, opened_async
from tracer.capture.recorder import RawReply
from tracer.core.records import JSON, Slot, StepKind
from tracer.errors import ReplayStop
from tracer.providers import recognise
from tracer.providers.base import Api, HttpRequest

READS = ("GET", "HEAD", "OPTIONS")
REASON = ":reason"  # beside the headers: a reason phrase that is not the status's usual one
_DROPPED = frozenset({"transfer-encoding", "connection"})


_sending: contextvars.ContextVar["Exchange | Passing | None"] = contextvars.ContextVar(
    "tracer_http", default=None
)


def is_watched() -> bool:
    """Whether a request made here and now is to be a step: in a run, and not below another."""
    above = _sending.get()
    # A task started while a request was sent keeps the variable when that is long over.
    return (above is None or not above.sending) and scopes.current() is not None


def open_step(asked: HttpRequest, *, editable: bool = False) -> OpenStep | None:
    """Begin a step for a request; None outside any run. Raises what ends a re-execution.

    `editable`: the client sends what the step's call then holds, which a handler may have edited.
    """
    return opened(_opening(asked, editable))


async def open_step_async(asked: HttpRequest, *, editable: bool = False) -> OpenStep | None:
    """The same on an event loop, which goes on while somebody is asked."""
    return await opened_async(_opening(asked, editable))


def _opening(asked: HttpRequest, editable: bool) -> Opening[OpenStep | None]:
    scope = scopes.current()
    if scope is None:
        return None
    scope.run.check()
    try:
        api = recognise(asked.method, asked.url, asked.body)
        if api is None and is_telemetry(asked):
            return _unrecorded(scope, asked)
        call = _make_call(asked, api, scope)
        call.editable = editable
    except Exception as error:
        report("reading a request", error)
        return None
    decision = yield from scope.run.decided(call)
    if call.request is not asked and not editable:
        raise scope.run.cannot(
            "this client's request can't be sent otherwise, only that of httpx and httpx2: ask "
            "again without --model, --temperature and --system"
        )
    return scope.run.begin(scope, call, decision)


def _unrecorded(scope: scopes.Scope, asked: HttpRequest) -> OpenStep | None:
    """A step that nobody hears of, to answer what may not leave; None where it may."""
    if not scope.run.is_offline:
        return None
    call, decision = Call("http", "", Slot("", "http", 0), request=asked), Decision(NOTED)
    return OpenStep(scope.run, 0, "", None, call, decision, time.time_ns(), 0, scope, ended=True)


def _make_call(asked: HttpRequest, api: Api | None, scope: scopes.Scope) -> Call:
    kind: StepKind = "http" if api is None else "model"
    call = Call(kind, "", scope.take_slot(kind))
    if api is None:
        call.effect = "read" if asked.method.upper() in READS else "external"
    call.name = f"{asked.method} {urlsplit(asked.url).path}" if api is None else "chat"
    call.request = asked
    call.api = api
    call.callsite = callsite()
    call.retry = Retries.of(scope.run).count(call)
    return call


class Exchange:
    """A step that is an exchange: takes its reply, or the lack of one."""

    def __init__(self, step: OpenStep) -> None:
        self.step = step
        self.sent_ns = time.perf_counter_ns()
        self.reply_seq: int | None = None
        self.sending = False

    @property
    def answer(self) -> Any:
        """What to give instead of asking; None: ask."""
        return self.step.decision.answer

    def arrived(self) -> None:
        """Status and headers are there."""
        self.reply_seq = self.step.run.next_seq()

    def failed(self, error: BaseException | None, failure: dict[str, JSON] | None = None) -> None:
        """No response came. Called before the exception goes on to the agent; once."""
        if failure is None and error is not None:
            failure = failure_of(error)
        self.ended(RawReply(0, (), [], [], False, failure), error)

    def ended(self, reply: RawReply, error: BaseException | None = None) -> None:
        """Record the end; later ones change nothing. Faults of ours stop here."""
        if self.step.ended:
            return
        try:
            status = "ok"
            if reply.failure is not None:
                status = "error"
            if error is not None and is_cancel(error):
                status = "cancelled"
            detail = {} if self.reply_seq is None else {"reply_seq": self.reply_seq}
            info = error_info(error) if error is not None else None
            Retries.of(self.step.run).ended(self.step.call, failed=_is_failure(reply))
            self.step.end(status, reply=reply, error=info, detail=detail)
        except ReplayStop:
            raise
        except Exception as fault:
            report("recording a reply", fault)

    def elapsed_us(self) -> int:
        """Microseconds since it was asked."""
        return (time.perf_counter_ns() - self.sent_ns) // 1000


def _is_failure(reply: RawReply) -> bool:
    return reply.failure is not None or reply.status >= 400


def failure_of(error: BaseException) -> dict[str, JSON]:
    """An exception as it is kept beside a reply."""
    info = error_info(error)
    return {"type": info.type, "message": info.message}


def served_headers(answer: Any, method: str) -> list[tuple[str, str]]:
    """The headers of an answer that hold for the body as it is given: decoded, in chunks.

    What could not be decoded is given back as it came, with the header that says so.
    """
    return [pair for pair in answer.headers if _is_served(pair, answer, method)]


def as_sent(answer: HttpAnswer) -> HttpAnswer:
    """An answer whose body is in the coding it came in, for clients that read it so."""
    coding = next((value for name, value in answer.headers if name == DECODED), None)
    if coding is None:
        return answer
    whole = answer.complete and answer.failure is None
    try:
        chunks = encode_chunks(answer.chunks, coding, whole=whole)
    except ImportError:  # recorded elsewhere: given decoded, as the headers say then
        return answer
    kept = tuple(pair for pair in answer.headers if pair[0] != DECODED)
    headers = (*kept, ("Content-Encoding", coding))
    return replace(answer, headers=headers, chunks=tuple(chunks))


def _is_served(pair: tuple[str, str], answer: Any, method: str) -> bool:
    name = pair[0].lower()
    if name == "content-length":
        return pair[1].isdigit() and _holds(int(pair[1]), answer, method)
    return name not in _DROPPED and not name.startswith(":")


def _holds(length: int, answer: Any, method: str) -> bool:
    given = sum(map(len, answer.chunks))
    whole = answer.complete and answer.failure is None
    return method.upper() == "HEAD" or length == given or (length > given and not whole)


def reason_headers(status: int, reason: str | None) -> tuple[tuple[str, str], ...]:
    """The reason phrase as a header to keep, where it is not the usual one."""
    return () if not reason or reason == usual_reason(status) else ((REASON, reason),)


def reason_of(answer: Any) -> str:
    """The reason phrase of an answer."""
    own = next((value for name, value in answer.headers if name == REASON), None)
    return usual_reason(answer.status) if own is None else own


def usual_reason(status: int) -> str:
    """The phrase that goes with a status; empty for unknown ones."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


class Passing:
    """While a request goes by that is to be no step. A context manager."""

    sending = False

    def __enter__(self) -> None:
        self.sending = True
        self._above = _sending.get()
        _sending.set(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sending = False
        _sending.set(self._above)


class Sending:
    """While a request is sent for real: what happens below belongs to its step, and no layer
    under it opens a step of its own. A context manager."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        self._exchange.sending = True
        # Plain values, not tokens: a coroutine may be closed in another context.
        self._above = _sending.get()
        _sending.set(self._exchange)
        step = self._exchange.step
        self._scope = scopes.set_current(step.scope)
        if step.span is not None:
            step.run.spans.attach(step)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exchange.sending = False
        _sending.set(self._above)
        scopes.set_current(self._scope)
        step = self._exchange.step
        if step.span is not None:
            step.run.spans.detach(step)
