"""Plain readings of Bedrock's and Cohere's replies, without any code of tracer's and its care."""

import base64
import json
import struct
from typing import Any

from .corpus import Exchange, Facts

# Vendor's word -> OpenTelemetry's, as their documentations explain them.
_REASONS = {
    "end_turn": "stop", "stop_sequence": "stop", "stop": "stop", "COMPLETE": "stop",
    "FINISH": "stop", "max_tokens": "length", "length": "length", "MAX_TOKENS": "length",
    "LENGTH": "length", "tool_use": "tool_call", "TOOL_CALL": "tool_call",
    "tool_calls": "tool_call", "guardrail_intervened": "content_filter", None: None,
}  # fmt: skip
_SPELLED = {"generation", "outputText", "text", "completion"}


def payloads(body: bytes) -> list[tuple[str, Any]]:
    """Event type and JSON payload of each frame of an event stream that is known to be whole."""
    found, start = [], 0
    while start < len(body):
        total, head = struct.unpack(">II", body[start : start + 8])
        names = body[start + 12 : start + 12 + head]
        kind = names[names.index(b":event-type") + 14 :]
        name = kind[: next(i for i, c in enumerate(kind) if not chr(c).isalpha())].decode()
        found.append((name, json.loads(body[start + 12 + head : start + total - 4])))
        start += total
    assert start == len(body)
    return found


def is_frames(exchange: Exchange) -> bool:
    """Whether the reply is an event stream; two recordings lost the header that says so."""
    return exchange.reply.body[:1] == b"\0"


def facts(exchange: Exchange) -> Facts:
    """What the model said in the first choice."""
    body = exchange.reply.body
    if exchange.api == "cohere.chat":
        said = _cohere_events(body) if body.startswith(b"event:") else _cohere(json.loads(body))
    elif exchange.api == "bedrock.converse":
        said = _converse_events(payloads(body)) if is_frames(exchange) else _converse(body)
    elif is_frames(exchange):
        chunks = [json.loads(base64.b64decode(p["bytes"])) for _, p in payloads(body)]
        said = _chunks(chunks)
    else:
        said = _invoked(json.loads(body))
    said.finish = _REASONS[said.finish]
    return said


def _converse(body: bytes) -> Facts:
    value = json.loads(body)
    return _blocks(value["output"]["message"]["content"], value["stopReason"])


def _blocks(content: list[Any], stop: str) -> Facts:
    said = Facts(finish=stop)
    for block in content:
        cited = block.get("citationsContent", {}).get("content", [])
        said.text += block.get("text", "") + "".join(item["text"] for item in cited)
        reasoning = block.get("reasoningContent", {}).get("reasoningText", {})
        said.reasoning += reasoning.get("text", "")
        use = block.get("toolUse")
        if use and use.get("type") != "server_tool_use":
            said.calls.append([use["toolUseId"], use["name"], use["input"]])
    return said


def _converse_events(events: list[tuple[str, Any]]) -> Facts:
    said, calls = Facts(), dict[int, list[Any]]()
    for kind, event in events:
        at = event.get("contentBlockIndex", -1)
        use = event.get("start", {}).get("toolUse")
        if use and use.get("type") != "server_tool_use":
            calls[at] = [use["toolUseId"], use["name"], ""]
        delta = event.get("delta", {})
        said.text += delta.get("text", "")
        said.reasoning += delta.get("reasoningContent", {}).get("text", "")
        if at in calls:
            calls[at][2] += delta.get("toolUse", {}).get("input", "")
        if kind == "messageStop":
            said.finish = event["stopReason"]
    said.calls = [[i, name, json.loads(raw or "{}")] for i, name, raw in calls.values()]
    return said


def _invoked(value: dict[str, Any]) -> Facts:
    if "output" in value:
        return _blocks(value["output"]["message"]["content"], value["stopReason"])
    if "content" in value:
        texts = [b["text"] for b in value["content"] if b["type"] == "text"]
        uses = [b for b in value["content"] if b["type"] == "tool_use"]
        calls = [[b["id"], b["name"], b["input"]] for b in uses]
        return Facts("".join(texts), calls=calls, finish=value["stop_reason"])
    lists = ("results", "outputs", "generations", "choices")
    item = next((value[key][0] for key in lists if key in value), value)
    if "message" in item and isinstance(item["message"], dict):
        return Facts(item["message"]["content"], finish=item["finish_reason"])
    reason = ("completionReason", "stop_reason", "finish_reason")
    text = next(item[key] for key in _SPELLED if key in item)
    return Facts(text, finish=next((item[key] for key in reason if item.get(key)), None))


def _chunks(chunks: list[dict[str, Any]]) -> Facts:
    if "messageStart" in chunks[0]:
        return _converse_events([next(iter(chunk.items())) for chunk in chunks])
    if chunks[0].get("type") != "message_start":
        texts = [_invoked(chunk).text for chunk in chunks if _SPELLED & chunk.keys()]
        last = chunks[-1]
        reasons = (last.get("completionReason"), last.get("stop_reason"), last.get("finish_reason"))
        return Facts("".join(texts), finish=next(filter(None, reasons), None))
    said, calls, is_call = Facts(), list[list[Any]](), False
    for event in chunks:
        if event["type"] == "content_block_start":
            block = event["content_block"]
            is_call = block["type"] == "tool_use"
            calls += [[block["id"], block["name"], ""]] if is_call else []
        delta = event.get("delta", {})
        said.text += delta.get("text", "")
        said.reasoning += delta.get("thinking", "")
        if is_call and "partial_json" in delta:
            calls[-1][2] += delta["partial_json"]
        said.finish = delta.get("stop_reason") or said.finish
    said.calls = [[i, name, json.loads(raw or "{}")] for i, name, raw in calls]
    return said


def _cohere(value: dict[str, Any]) -> Facts:
    message = value["message"]
    items = message.get("content") or []
    return Facts(
        text="".join(item.get("text", "") for item in items),
        reasoning=message.get("tool_plan", "") + "".join(i.get("thinking", "") for i in items),
        calls=[
            [call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])]
            for call in message.get("tool_calls") or []
        ],
        finish=value["finish_reason"],
    )


def _cohere_events(body: bytes) -> Facts:
    said = Facts()
    for line in body.decode().splitlines():
        if not line.startswith("data: {"):
            continue
        event = json.loads(line[6:])
        message = event.get("delta", {}).get("message", {})
        content, call = message.get("content"), message.get("tool_calls")
        said.reasoning += message.get("tool_plan", "")
        said.text += content.get("text", "") if isinstance(content, dict) else ""
        if isinstance(call, dict):
            said.calls += [[call["id"], call["function"]["name"], call["function"]["arguments"]]]
        if event["type"] == "message-end":
            said.finish = event["delta"]["finish_reason"]
    return said


def counts(exchange: Exchange) -> tuple[int | None, int | None]:
    """Input and output tokens: inputs with what was cached, for Cohere the billed ones."""
    body = exchange.reply.body
    if is_frames(exchange) and exchange.api == "bedrock.converse":
        usage = next(payload["usage"] for kind, payload in payloads(body) if kind == "metadata")
    elif is_frames(exchange):
        chunks = [json.loads(base64.b64decode(p["bytes"])) for _, p in payloads(body)]
        if chunks[0].get("type") == "message_start":
            usage = chunks[0]["message"]["usage"] | chunks[-2]["usage"]
            return usage["input_tokens"], usage["output_tokens"]
        metrics = chunks[-1].get("amazon-bedrock-invocationMetrics", {})
        return metrics.get("inputTokenCount"), metrics.get("outputTokenCount")
    elif exchange.api == "cohere.chat":
        found = body[body.rindex(b'"billed_units":') + len(b'"billed_units":') :]
        usage = json.JSONDecoder().raw_decode(found.decode().strip())[0]
    else:
        usage = json.loads(body).get("usage") or {}
    spelled = ("inputTokens", "input_tokens", "prompt_tokens")
    given = next((usage[key] for key in spelled if key in usage), None)
    cached = ("cacheReadInputTokens", "cacheWriteInputTokens", "cache_read_input_tokens",
              "cache_creation_input_tokens")  # fmt: skip
    extra = sum(usage.get(key) or 0 for key in cached)
    written = ("outputTokens", "output_tokens", "completion_tokens")
    produced = next((usage[key] for key in written if key in usage), None)
    return (None if given is None else given + extra), produced


def unwrapped(body: bytes) -> list[Any]:
    """The JSON values of an event stream, those inside `chunk` events taken out."""
    return [
        json.loads(base64.b64decode(payload["bytes"])) if kind == "chunk" else payload
        for kind, payload in payloads(body)
    ]
