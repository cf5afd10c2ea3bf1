"""Messages as the demo model server speaks it: request -> conversation, answer -> bytes."""

from collections.abc import Iterator
from typing import Any

from tracer.demo.conversation import Answer, Conversation, Executed
from tracer.demo.wire import (
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


def read(body: dict[str, Any]) -> Conversation:
    """The conversation a request body holds; raises BadRequest."""
    require(body, "model", str)
    require(body, "max_tokens", int)
    turns = [
        (message.get("role"), _blocks(message.get("content"))) for message in messages_of(body)
    ]
    blocks = [block for _, turn in turns for block in turn]
    results = {
        str(block.get("tool_use_id")): _result(block)
        for block in blocks
        if block.get("type") == "tool_result"
    }
    choice = body.get("tool_choice")
    barred = isinstance(choice, dict) and choice.get("type") == "none"
    tools = () if barred else body.get("tools") or ()
    return Conversation(
        system=_text(_blocks(body.get("system"))),
        users=tuple(text for role, turn in turns if role == "user" and (text := _text(turn))),
        executed=tuple(
            Executed(
                str(block.get("name")),
                as_object(block.get("input", {})),
                results.get(str(block.get("id")), {"error": "no result"}),
            )
            for block in blocks
            if block.get("type") == "tool_use"
        ),
        tools={str(tool.get("name")): tool.get("input_schema") or {} for tool in tools},
    )


def whole(body: dict[str, Any], digest: str, answer: Answer) -> dict[str, Any]:
    """The reply to a request that asked for JSON."""
    text = [{"type": "text", "text": answer.text}] if answer.text or not answer.calls else []
    calls = [
        {
            "type": "tool_use",
            "id": identifier("toolu_", digest, at),
            "name": call.name,
            "input": call.arguments,
        }
        for at, call in enumerate(answer.calls)
    ]
    return {
        "id": identifier("msg_", digest),
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": text + calls,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": _usage(body, answer),
    }


def events(body: dict[str, Any], digest: str, answer: Answer) -> Iterator[str]:
    """The same reply as named server-sent events, ended by `message_stop`."""
    message = whole(body, digest, answer)
    usage = message["usage"]
    start = {**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    yield _event("message_start", message=start)
    yield _event("ping")
    for at, block in enumerate(message["content"]):
        if block["type"] == "text":
            empty, key, pieces = {**block, "text": ""}, "text", text_pieces(block["text"])
        else:
            empty, key, pieces = (
                {**block, "input": {}},
                "partial_json",
                argument_pieces(block["input"]),
            )
        yield _event("content_block_start", index=at, content_block=empty)
        kind = "text_delta" if key == "text" else "input_json_delta"
        for piece in pieces:
            yield _event("content_block_delta", index=at, delta={"type": kind, key: piece})
        yield _event("content_block_stop", index=at)
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=ended, usage={"output_tokens": usage["output_tokens"]})
    yield _event("message_stop")


def failure(kind: str, message: str) -> dict[str, Any]:
    """The error body, e.g. kind `invalid_request_error`."""
    return {"type": "error", "error": {"type": kind, "message": message}}


def _event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {compact({'type': kind, **fields})}\n\n"


def _usage(body: dict[str, Any], answer: Answer) -> dict[str, int]:
    """Token counts; this API reports cached tokens beside `input_tokens`, not within them.

    Tools and system prompt are cached where the request marks anything with `cache_control`: the
    first request of a conversation writes them, later ones read them.
    """
    fixed = tokens(body.get("tools") or "") + tokens(body.get("system") or "")
    marked = "cache_control" in compact(body)
    later = bool(seen_before(body["messages"]))
    total = fixed + tokens(body["messages"])
    return {
        "input_tokens": total - (fixed if marked else 0),
        "cache_creation_input_tokens": fixed if marked and not later else 0,
        "cache_read_input_tokens": fixed if marked and later else 0,
        "output_tokens": answer_tokens(answer),
    }


def _result(block: dict[str, Any]) -> dict[str, Any]:
    content = block.get("content")
    result = as_object(content if isinstance(content, str) else _text(_blocks(content)))
    return {"error": result.get("value")} if block.get("is_error") and "value" in result else result


def _blocks(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content or () if isinstance(block, dict)]


def _text(blocks: list[dict[str, Any]]) -> str:
    return "".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")


WIRE = Wire(read, whole, events, failure)
