"""Answers made from the store: what a recorded step gave, a substitute, a stub. And the questions,
as JSON, for the divergence report."""

import json
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from tracer.capture.boundary import (
    Answer,
    Call,
    CancelledAnswer,
    ErrorAnswer,
    HttpAnswer,
    ValueAnswer,
)
from tracer.capture.offers import FUNCTION_API
from tracer.capture.values import encode, plain
from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Step
from tracer.errors import SetupStop
from tracer.providers import api_named, model_in_path
from tracer.providers.base import FailureKind, HttpReply, HttpRequest
from tracer.reexecution.substitute import (
    Substitute,
    failure_kind,
    function_result,
    named_error,
    wire_reply,
)
from tracer.store.reading import Store

_STATUSES = {"rate_limit": 429, "server_error": 500}
# How the two network failures are raised: names that both httpx and httpx2 have.
_FAILURES = {
    "timeout": ("ReadTimeout", "timed out (injected)"),
    "connection_reset": ("ReadError", "connection reset (injected)"),
    "cut_stream": ("RemoteProtocolError", "the connection broke in mid-stream (injected)"),
}


class Answers:
    """Reads one run's answers from its store. The caller holds the handler's lock."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def recorded(self, step: Step, differs: Callable[[str], None]) -> Answer:
        """What a step gave when it was recorded; `differs` is told of another use of it."""
        if step.status in ("running", "interrupted"):
            raise SetupStop(
                f"step {step.n} ({step.name}) was still open when the recording ended, so there is "
                "no answer to give: fork at it or at an earlier step"
            )
        cancelled = step.status == "cancelled"
        reply = self._store.reply(step)
        if reply is not None and (reply.status or not cancelled):
            return HttpAnswer(
                reply.status,
                reply.headers,
                reply.chunks,
                reply.complete,
                None if cancelled else reply.failure,
                lambda: differs("is read on past the point where the recorded agent stopped"),
                hangs=cancelled,
            )
        generator = bool(step.detail.get("generator"))
        if cancelled and not generator:
            return CancelledAnswer(step.detail)
        if step.error is not None and not generator:
            return ErrorAnswer(step.error, step.detail)
        data = self._store.value(step, "output")
        if data is None or step.fidelity == "opaque":
            raise SetupStop(opaque_reason(step))
        error = None if cancelled else step.error
        return ValueAnswer(data, step.detail, error, cancelled, differs)

    def substituted(self, step: Step, call: Call, substitute: Substitute) -> Answer:
        """The substitute, in the form this call asks for."""
        if call.request is not None:
            if substitute.kind == "result":
                return _http_result(substitute.result)
            recorded = self._http_reply(step)
            if step.api is None:
                return _http_answer(_plain_failure(failure_kind(substitute.error or ""), recorded))
            messages = self._said(step)
            made = wire_reply(substitute, step.api, call.request, recorded, messages)
            return _http_answer(made)
        if substitute.kind == "error":
            kind = failure_kind(substitute.error or "")
            return ErrorAnswer(ErrorInfo("RuntimeError", f"{kind} (injected)"))
        data = self._store.value(step, "output")
        given = None if data is None else plain(data)
        result = substitute.result
        if step.kind == "model":
            result = function_result(substitute, given)
        return ValueAnswer(_like(data, result), _form(step))

    def in_place(self, call: Call, substitute: Substitute, like: Step | None) -> Answer:
        """What somebody answers to a call that was not recorded; given in the form that `like`,
        another call of it, was."""
        if call.request is not None:
            if substitute.kind == "result":
                return _http_result(substitute.result)
            if call.api is None:
                return _http_answer(_plain_failure(failure_kind(substitute.error or ""), None))
            return _http_answer(wire_reply(substitute, call.api.name, call.request, None, []))
        if substitute.kind == "error":
            error = named_error(substitute.error or "")
            if error.type != "KeyError":
                return ErrorAnswer(error)
            # What it was made with is not what it shows, which is quoted.
            raised = json.dumps([[error.message], {}])
            return ErrorAnswer(replace(error, message=repr(error.message)), {"raised": raised})
        data = None if like is None else self._store.value(like, "output")
        result = substitute.result
        if call.kind == "model":
            given = "" if data is None and substitute.kind == "text" else None
            result = function_result(substitute, given if data is None else plain(data))
        return ValueAnswer(_like(data, result), {} if like is None else _form(like))

    def stub(self, value: Any, like: Step | None, *, as_reply: bool) -> Answer:
        """A fixed result for a tool, given as `like`, another call of it, was; or for a request."""
        if as_reply:
            return _http_result(value)
        return ValueAnswer(encode(value)[0], {} if like is None else _form(like))

    def _said(self, step: Step) -> list[Message]:
        data = self._store.output_messages(step)
        return [] if data is None else list(json.loads(data))

    def _http_reply(self, step: Step) -> HttpReply | None:
        reply = self._store.reply(step)
        if reply is None or reply.status == 0:
            return None
        return HttpReply(reply.status, reply.headers, b"".join(reply.chunks))

    def exchange(self, step: Step) -> tuple[HttpRequest | None, HttpReply | None]:
        """Request and reply of a recorded step, as far as it has them."""
        return self._store.request(step), self._http_reply(step)

    def server(self, step: Step) -> str | None:
        """Host and port that a recorded request went to."""
        request = self._store.request(step)
        return None if request is None else urlsplit(request.url).netloc

    def stored(self, step: Step) -> bytes | None:
        """What a recorded step asked, as it is stored."""
        request = self._store.request(step)
        if request is not None:
            return request.body
        return self._store.conversation(step) or self._store.value(step, "input")

    def asked(self, step: Step) -> Any:
        """What a recorded step asked, as JSON."""
        request = self._store.request(step)
        if request is not None:
            return _readable(step.api, request)
        document = self._store.conversation(step)
        if document is not None:
            return json.loads(document)
        data = self._store.value(step, "input")
        return None if data is None else plain(data)

    def asking_function(self, call: Call) -> Any:
        """What a model function is asked, read as a request is."""
        assert call.document is not None
        return _readable(FUNCTION_API, HttpRequest("POST", "", (), bytes(call.document)))

    def asking(self, call: Call) -> Any:
        """What a call asks, in the same form."""
        if call.request is not None:
            return _readable(call.api.name if call.api is not None else None, call.request)
        if call.document is not None:
            return json.loads(bytes(call.document))
        return None if call.input is None else plain(call.input)


def _readable(api: str | None, request: HttpRequest) -> Any:
    if api is None:
        body: Any = request.body.decode("utf-8", "replace")
        try:
            body = json.loads(request.body)
        except ValueError:
            pass
        return {"method": request.method, "url": request.url, "body": body}
    asked = api_named(api).read_request(request)
    named = model_in_path(request.url)
    return {
        "messages": asked.messages,
        "model": asked.model,
        "stream": asked.stream,
        "tools": asked.tools,
        "parameters": asked.parameters,
        **({"path": named} if named else {}),
    }


def _http_answer(made: HttpReply) -> HttpAnswer:
    failure = None
    if made.failure is not None:
        name, message = _FAILURES[made.failure]
        failure = {"type": name, "message": message}
    chunks = (made.body,) if made.body else ()
    return HttpAnswer(made.status, tuple(made.headers), chunks, failure=failure)


def _plain_failure(kind: FailureKind, recorded: HttpReply | None) -> HttpReply:
    """A request that asks no model, failing."""
    if kind in ("timeout", "connection_reset"):
        return HttpReply(0, (), b"", kind)
    if kind in _STATUSES:
        status = HTTPStatus(_STATUSES[kind])
        return HttpReply(status, (("content-type", "text/plain"),), status.phrase.encode())
    whole = recorded or HttpReply(200, (("content-type", "application/json"),), b"{}")
    half = whole.body[: len(whole.body) // 2]
    if kind == "cut_stream":
        return HttpReply(whole.status, whole.headers, half, "cut_stream")
    return HttpReply(whole.status, whole.headers, half)


def _http_result(value: Any) -> HttpAnswer:
    body = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    return HttpAnswer(200, (("content-type", "application/json"),), (body,))


def _form(step: Step) -> dict[str, Any]:
    """How a function gives its results: to be awaited, or one by one."""
    kept = ("generator", "awaitable", "returned")
    return {key: step.detail[key] for key in kept if step.detail.get(key)}


def _like(recorded: bytes | None, result: Any) -> bytes:
    """A result given as JSON, in the recorded result's class when both are objects.

    So that a tool that returns a dataclass still returns one: the fields are edited, the tag kept.
    """
    data = encode(result)[0]
    if recorded is None:
        return data
    tree = json.loads(recorded)
    if isinstance(tree, dict) and tree.get("$t") == "object" and isinstance(result, dict):
        tree["v"] = {**tree["v"], **json.loads(data)}
        if "s" in tree:
            tree["s"] = sorted({*tree["s"], *result})
        return json.dumps(tree, ensure_ascii=False).encode()
    return data


def opaque_reason(step: Step) -> str:
    """Why a step's result can't be given back, and what would change that."""
    why = step.detail.get("why_not")
    if step.detail.get("process") and isinstance(why, str):
        return (
            f"step {step.n} ({step.name}) {why}, so it can't be answered from the recording: "
            "start it inside a function decorated with @tracer.tool"
        )
    if step.detail.get("redacted_number"):
        return (
            f"step {step.n} ({step.kind} {step.name}) returned a number that was redacted, so it "
            "can't be answered from the recording: return it as text, or declare effect='local' to "
            "run it again"
        )
    return (
        f"step {step.n} ({step.kind} {step.name}) returned something that could not be stored, so "
        f"it can't be answered from the recording: let {step.name} return data (dict, list, "
        "dataclass with a return annotation), or declare effect='local' to run it again"
    )
