"""Bedrock Converse and Cohere v2 as their servers write them, of an answer; from documentation."""

import hashlib
import json
from typing import Any

from tests.providers import bedrock_replies
from tests.support.servers import Asked, events
from tracer.demo.conversation import Answer, Conversation, Executed
from tracer.demo.wire import answer_tokens, identifier, tokens

Body = tuple[dict[str, str], bytes]  # headers, bytes


def read_converse(body: dict[str, Any]) -> Conversation:
    """The conversation of a Converse request."""
    results, uses = dict[str, Any](), list[dict[str, Any]]()
    users = list[str]()
    for message in body["messages"]:
        for block in message["content"]:
            if "toolResult" in block:
                given = block["toolResult"]
                results[given["toolUseId"]] = given["content"][0]["json"]
            elif "toolUse" in block:
                uses.append(block["toolUse"])
            elif message["role"] == "user":
                users.append(block["text"])
    done = [Executed(u["name"], u["input"], results.get(u["toolUseId"], {})) for u in uses]
    specs = [tool["toolSpec"] for tool in body.get("toolConfig", {}).get("tools", [])]
    tools = {spec["name"]: spec["inputSchema"]["json"] for spec in specs}
    return Conversation("", tuple(users), tuple(done), tools)


def converse(asked: bytes, said: Answer) -> dict[str, Any]:
    """The reply of Converse."""
    digest = hashlib.sha256(asked).hexdigest()
    content: list[dict[str, Any]] = [{"text": said.text}] if said.text else []
    for at, call in enumerate(said.calls):
        name = identifier("tooluse_", digest, at)
        content.append({"toolUse": {"toolUseId": name, "name": call.name, "input": call.arguments}})
    given, spent = tokens(asked.decode()), answer_tokens(said)
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use" if said.calls else "end_turn",
        "usage": {"inputTokens": given, "outputTokens": spent, "totalTokens": given + spent},
        "metrics": {"latencyMs": 12},
    }


def converse_stream(value: dict[str, Any]) -> Body:
    """The same as event-stream frames."""
    events: list[tuple[str, Any]] = [("messageStart", {"role": "assistant"})]
    for at, block in enumerate(value["output"]["message"]["content"]):
        here = {"contentBlockIndex": at}
        if "toolUse" in block:
            use = dict(block["toolUse"])
            delta = {"toolUse": {"input": json.dumps(use.pop("input"))}}
            events.append(("contentBlockStart", {**here, "start": {"toolUse": use}}))
            events.append(("contentBlockDelta", {**here, "delta": delta}))
        else:
            for piece in (block["text"][:3], block["text"][3:]):
                events.append(("contentBlockDelta", {**here, "delta": {"text": piece}}))
        events.append(("contentBlockStop", here))
    events.append(("messageStop", {"stopReason": value["stopReason"]}))
    events.append(("metadata", {key: value[key] for key in ("usage", "metrics")}))
    reply = bedrock_replies.frames(*events)
    return _framed(reply.body)


def invoke_stream(named: Asked, said: Answer) -> Body:
    """Anthropic's events in Bedrock's frames."""
    told = [event.split(b"data: ", 1)[1] for event in events(named, said.text, *said.calls)]
    return _framed(bedrock_replies.chunks(*map(json.loads, told)).body)


def _framed(body: bytes) -> Body:
    return {"content-type": "application/vnd.amazon.eventstream"}, body


def cohere(asked: bytes, said: Answer) -> dict[str, Any]:
    """The reply of Cohere's chat."""
    digest = hashlib.sha256(asked).hexdigest()
    message: dict[str, Any] = {"role": "assistant"}
    if said.text:
        message["content"] = [{"type": "text", "text": said.text}]
    if said.calls:
        message["tool_plan"] = "I look."
        message["tool_calls"] = [
            {
                "id": identifier("call_", digest, at),
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for at, call in enumerate(said.calls)
        ]
    counted = {"input_tokens": tokens(asked.decode()), "output_tokens": answer_tokens(said)}
    return {
        "id": identifier("c-", digest),
        "finish_reason": "TOOL_CALL" if said.calls else "COMPLETE",
        "message": message,
        "usage": {"billed_units": counted, "tokens": counted},
    }


def cohere_stream(value: dict[str, Any]) -> Body:
    """The same text as server-sent events."""
    start = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    told: list[dict[str, Any]] = [
        {"type": "message-start", "id": value["id"], "delta": {"message": start}}
    ]
    text = value["message"]["content"][0]["text"]
    empty = {"message": {"content": {"type": "text", "text": ""}}}
    told.append({"type": "content-start", "index": 0, "delta": empty})
    for piece in (text[:3], text[3:]):
        delta = {"message": {"content": {"text": piece}}}
        told.append({"type": "content-delta", "index": 0, "delta": delta})
    ended = {"finish_reason": value["finish_reason"], "usage": value["usage"]}
    told += [{"type": "content-end", "index": 0}, {"type": "message-end", "delta": ended}]
    reply = bedrock_replies.cohere_stream(*told)
    return dict(reply.headers), reply.body
