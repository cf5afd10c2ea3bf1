"""What a step's payloads mean, read on the writer's thread: names, summaries, usage, answers."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

from tracer import providers
from tracer.capture.boundary import Call
from tracer.capture.offers import FUNCTION_API
from tracer.capture.values import plain
from tracer.core.chain import SplitBody
from tracer.core.messages import Message
from tracer.core.records import JSON, ErrorInfo, Usage
from tracer.core.summary import (
    call_summary,
    clip,
    error_summary,
    reply_summary,
    searchable,
    value_summary,
)
from tracer.providers.base import HttpReply, HttpRequest
from tracer.providers.hosts import provider_name
from tracer.store.writes import Reply, StepEnd, Value

_SEARCHED = 20_000


@dataclass(slots=True)
class StartReading:
    """What the start of a step tells; kept until its end."""

    name: str
    summary: str = ""
    search_text: str = ""
    model: str | None = None
    provider: str | None = None
    detail: dict[str, JSON] = field(default_factory=dict)


def read_start(call: Call, body: SplitBody | None) -> StartReading:
    """Name, summary and model of a step that starts."""
    if call.request is not None and body is not None:
        if call.api is not None:
            return _read_model_request(call, call.request, body)
        reading = _read_http_request(call.request)
        return replace(reading, detail={"retry": call.retry}) if call.retry else reading
    if body is not None:
        reading = _read_conversation(call, body)
        return replace(reading, name=call.name)
    arguments = None if call.input is None else plain(call.input)
    summary = _note_or_call(call, arguments)
    text = "" if arguments is None else json.dumps(arguments, ensure_ascii=False, default=str)
    return StartReading(call.name, summary, f"{call.name} {text}"[:_SEARCHED])


def _note_or_call(call: Call, arguments: Any) -> str:
    if call.kind == "note":
        return clip(call.name, 240)
    return call_summary(call.name, arguments)


def _read_http_request(request: HttpRequest) -> StartReading:
    # The query may hold secrets, and is long; the name says where, the raw request the rest.
    path = request.url.split("?", 1)[0]
    return StartReading(f"{request.method} {path}", f"{request.method} {path}", path)


def _read_model_request(call: Call, request: HttpRequest, body: SplitBody) -> StartReading:
    assert call.api is not None
    added = b"".join(link.data for link in body.new).lstrip(b", \t\r\n")
    # Only what this request adds is parsed: the document with just its new messages.
    document = body.head + added + body.tail
    added_request = HttpRequest(request.method, request.url, request.headers, document)
    asked = call.api.read_request(added_request)
    # Without a list to split (a text, say), everything asked is in what was read.
    count = body.count or sum(message["role"] != "system" for message in asked.messages)
    detail: dict[str, JSON] = {"stream": asked.stream, "messages": count}
    if asked.tools:
        detail["tools_offered"] = [str(tool.get("name")) for tool in asked.tools]
    held = [state.field for state in call.api.server_state(added_request)]
    if held:
        detail["held"] = list(dict.fromkeys(held))
    retry = next((v for n, v in request.headers if n.lower() == "x-stainless-retry-count"), "0")
    if retry.isdigit() and int(retry):
        detail["retry"] = int(retry)
    elif call.retry:
        detail["retry"] = call.retry
    return StartReading(
        f"{call.api.operation} {asked.model}" if asked.model else call.api.operation,
        _last_words(asked.messages),
        searchable(asked.messages),
        asked.model,
        provider_name(call.api, request.url),
        detail,
    )


def _read_conversation(call: Call, body: SplitBody) -> StartReading:
    added = b"".join(link.data for link in body.new).lstrip(b", \t\r\n")
    request = HttpRequest("POST", "", (), body.head + added + body.tail)
    asked = providers.api_named(FUNCTION_API).read_request(request)
    detail: dict[str, JSON] = {"function": True, "messages": body.count}
    if asked.tools:
        detail["tools_offered"] = [str(tool.get("name")) for tool in asked.tools]
    return StartReading(
        call.name,
        _last_words(asked.messages),
        searchable(asked.messages),
        asked.model,
        None,
        detail,
    )


def _last_words(messages: list[Message]) -> str:
    return reply_summary(messages[-1:]) if messages else ""


def read_reply(record: StepEnd, call: Call, reply: Reply, started: StartReading) -> StepEnd:
    """The end of an HTTP exchange with what its reply says."""
    detail = record.detail | {"http_status": reply.status}
    headers = {name.lower(): value for name, value in reply.headers}
    request_id = headers.get("x-request-id") or headers.get("request-id")
    if request_id:
        detail["request_id"] = request_id
    record = replace(record, detail=detail)
    if reply.failure is not None:
        error = ErrorInfo(str(reply.failure["type"]), str(reply.failure["message"]))
        error = record.error or error
        record = replace(record, error=error, summary=error_summary(error.type, error.message))
    if call.api is None or call.request is None:
        return _http_end(record, reply, started)
    body = b"".join(reply.chunks)
    said = call.api.read_reply(call.request, HttpReply(reply.status, reply.headers, body))
    record = _with_model_reply(record, reply, said.messages, said.usage, said.model)
    detail = dict(record.detail)
    if said.finish_reasons:
        detail["finish_reasons"] = said.finish_reasons
    if said.response_id:
        detail["response_id"] = said.response_id
    if reply.status and not said.complete:
        detail["cut"] = True
    error_found = record.error or said.error
    if error_found is not None:
        record = replace(
            record,
            status="error" if record.status == "ok" else record.status,
            error=error_found,
            summary=error_summary(error_found.type, error_found.message),
        )
    ttft = _time_to(reply, said.first_content_offset)
    return replace(record, detail=detail, ttft_ms=ttft)


def _with_model_reply(
    record: StepEnd, reply: Reply, messages: list[Message], usage: Usage | None, model: str | None
) -> StepEnd:
    if not messages:
        return replace(record, usage=usage, model=model)
    return replace(
        record,
        output_messages=json.dumps(messages, ensure_ascii=False).encode("utf-8", "surrogatepass"),
        usage=usage,
        model=model,
        summary=reply_summary(messages),
        search_text=searchable(messages),
    )


def _http_end(record: StepEnd, reply: Reply, started: StartReading) -> StepEnd:
    if reply.failure is not None:
        return record
    status = record.status
    error = record.error
    if reply.status >= 400 and error is None:
        status = "error" if status == "ok" else status
        error = ErrorInfo("HTTPStatus", str(reply.status))
    return replace(
        record, status=status, error=error, summary=f"{started.summary} ⇒ {reply.status}"
    )


def _time_to(reply: Reply, offset: int | None) -> float | None:
    """Milliseconds from the request to the chunk that holds body byte `offset`."""
    if offset is None:
        return None
    seen = 0
    for chunk, time_us in zip(reply.chunks, reply.times_us, strict=True):
        seen += len(chunk)
        if seen >= offset:
            return time_us / 1000
    return None


def read_function_end(record: StepEnd, call: Call, started: StartReading) -> StepEnd:
    """The end of a decorated function: summary of its result or error, and what a model said."""
    if record.error is not None:
        error = error_summary(record.error.type, record.error.message)
        return replace(record, summary=clip(f"{started.summary} {error}", 240))
    if not isinstance(record.output, Value):
        return record
    result = plain(record.output.data)
    if call.kind == "model":
        return _model_function_end(record, result)
    if call.kind == "note":
        return record
    text = json.dumps(result, ensure_ascii=False, default=str)[:_SEARCHED]
    summary = clip(f"{started.summary} ⇒ {value_summary(result, 100)}", 240)
    return replace(record, summary=summary, search_text=text)


def _model_function_end(record: StepEnd, result: Any) -> StepEnd:
    messages, usage, model = read_function_result(result)
    end = _with_model_reply(record, None, messages, usage, model)  # type: ignore[arg-type]
    return replace(end, detail=record.detail | {"function": True})


def read_function_result(result: Any) -> tuple[list[Message], Usage | None, str | None]:
    """What a model function answered: text, a message dict, or a provider's whole reply."""
    if isinstance(result, list) and all(isinstance(item, str) for item in result):
        result = "".join(result)  # a generator of text pieces
    if isinstance(result, dict) and "choices" not in result and "role" in result:
        result = {"choices": [{"index": 0, "message": result}]}
    if isinstance(result, dict) and isinstance(result.get("choices"), list):
        body = json.dumps(result, ensure_ascii=False, default=str).encode()
        request = HttpRequest("POST", "", (), b"{}")
        reply = HttpReply(200, (("content-type", "application/json"),), body)
        said = providers.api_named(FUNCTION_API).read_reply(request, reply)
        return said.messages, said.usage, said.model
    text = (
        result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=str)
    )
    return [{"role": "assistant", "parts": [{"type": "text", "content": text}]}], None, None
