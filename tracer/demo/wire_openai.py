"""Chat Completions as the demo model server speaks it: request -> conversation, answer -> bytes."""

from collections.abc import Iterator
from typing import Any

from tracer.demo.conversation import Answer, Conversation, Executed
from tracer.demo.wire import (
    CREATED,
    BadRequest,
    Wire,
    answer_tokens,
    argument_pieces,
    as_object,
    compact,
    identifier,
    messages_of,
    require,
    seen_before,
    text_pieces,
    tokens,
)

CACHE_UNIT = 128  # this API counts cached prompt tokens in units of 128


def read(body: dict[str, Any]) -> Conversation:
    """The conversation a request body holds; raises BadRequest."""
    require(body, "model", str)
    messages = messages_of(body)
    if body.get("n") not in (None, 1):
        raise BadRequest("'n' must be 1")
    results = {
        str(message.get("tool_call_id")): as_object(_text(message.get("content")))
        for message in messages
        if message.get("role") == "tool"
    }
    executed = []
    for message in messages:
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            result = results.get(str(call.get("id")), {"error": "no result"})
            arguments = as_object(function.get("arguments", "{}"))
            executed.append(Executed(str(function.get("name")), arguments, result))
    tools = {}
    if body.get("tool_choice") != "none":
        for tool in body.get("tools") or ():
            function = tool.get("function") or {}
            tools[str(function.get("name"))] = function.get("parameters") or {}
    said = [(message.get("role"), _text(message.get("content"))) for message in messages]
    return Conversation(
        system="\n".join(text for role, text in said if role in ("system", "developer")),
        users=tuple(text for role, text in said if role == "user"),
        executed=tuple(executed),
        tools=tools,
    )


def whole(body: dict[str, Any], digest: str, answer: Answer) -> dict[str, Any]:
    """The reply to a request that asked for JSON."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None, "refusal": None}
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": identifier("call_", digest, at),
                "type": "function",
                "function": {"name": call.name, "arguments": compact(call.arguments)},
            }
            for at, call in enumerate(answer.calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
    return {
        **_head(body, digest, "chat.completion"),
        "choices": [choice],
        "usage": _usage(body, answer),
    }


def events(body: dict[str, Any], digest: str, answer: Answer) -> Iterator[str]:
    """The same reply as server-sent events, ended by `data: [DONE]`."""
    options = body.get("stream_options")
    usage_wanted = isinstance(options, dict) and bool(options.get("include_usage"))
    head = _head(body, digest, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        usage = {"usage": None} if usage_wanted else {}
        return f"data: {compact({**head, 'choices': [choice], **usage})}\n\n"

    yield chunk({"role": "assistant", "content": "" if answer.text else None})
    for piece in text_pieces(answer.text):
        yield chunk({"content": piece})
    for at, call in enumerate(answer.calls):
        start = {"name": call.name, "arguments": ""}
        named = {"index": at, "id": identifier("call_", digest, at), "type": "function"}
        yield chunk({"tool_calls": [{**named, "function": start}]})
        for piece in argument_pieces(call.arguments):
            yield chunk({"tool_calls": [{"index": at, "function": {"arguments": piece}}]})
    yield chunk({}, _finish(answer))
    if usage_wanted:
        yield f"data: {compact({**head, 'choices': [], 'usage': _usage(body, answer)})}\n\n"
    yield "data: [DONE]\n\n"


def failure(kind: str, message: str) -> dict[str, Any]:
    """The error body, e.g. kind `invalid_request_error`."""
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _head(body: dict[str, Any], digest: str, kind: str) -> dict[str, Any]:
    return {
        "id": identifier("chatcmpl-", digest),
        "object": kind,
        "created": CREATED,
        "model": body["model"],
    }


def _finish(answer: Answer) -> str:
    return "tool_calls" if answer.calls else "stop"


def _usage(body: dict[str, Any], answer: Answer) -> dict[str, Any]:
    prompt = tokens(body.get("tools") or "") + tokens(body["messages"])
    head = seen_before(body["messages"])
    known = tokens(body.get("tools") or "") + tokens(head) if head else 0
    spent = answer_tokens(answer)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": spent,
        "total_tokens": prompt + spent,
        "prompt_tokens_details": {"cached_tokens": known // CACHE_UNIT * CACHE_UNIT},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


WIRE = Wire(read, whole, events, failure)
