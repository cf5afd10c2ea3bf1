"""A model server that speaks Responses and embeddings, and holds conversations as providers do.

It looks for the weather in Bergen and Oslo, one call a turn, then says where to go, from what its
own copy of the conversation holds. Written from the format's documentation, without tracer's code.
"""

import json
import threading
from typing import Any

from tests.support.servers import Exchange, OddServer

CITIES = ("Bergen", "Oslo")


class ResponsesServer(OddServer):
    """`held` are the histories by response id and by conversation, as lists of items."""

    def __init__(self) -> None:
        super().__init__(self._answer_one)
        self.held: dict[str, list[dict[str, Any]]] = {}
        self._turn = threading.Lock()

    def _answer_one(self, exchange: Exchange) -> None:
        path = exchange.asked.path
        if path == "/v1/embeddings":
            exchange.reply(_embedded(exchange.asked.json))
        elif path == "/v1/conversations":
            name = f"conv_{exchange.number:032x}"
            self.held[name] = []
            exchange.reply({"id": name, "object": "conversation", "created_at": 1, "metadata": {}})
        elif path == "/v1/responses":
            with self._turn:
                self._respond(exchange)
        else:
            name = path.rpartition("/")[2]
            items = self.held.get(name)
            exchange.reply(_response(name, items or []), 404 if items is None else 200)

    def _respond(self, exchange: Exchange) -> None:
        asked = exchange.asked.json
        talk = asked.get("conversation")
        before = talk or asked.get("previous_response_id")
        if before is not None and before not in self.held:
            error = {"message": f"{before} not found", "type": "invalid_request_error"}
            exchange.reply({"error": error}, 404)
            return
        given = asked["input"]
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        history = [*self.held.get(before or "", []), *items]
        output = _said(history, exchange.number)
        name = f"resp_{exchange.number:032x}"
        self.held[name] = [*history, *output]
        if talk:
            self.held[talk] = self.held[name]
        value = _response(name, output)
        if not asked.get("stream"):
            exchange.reply(value)
            return
        exchange.begin()
        for number, event in enumerate(_events(value)):
            data = json.dumps({**event, "sequence_number": number})
            exchange.chunk(f"event: {event['type']}\ndata: {data}\n\n".encode())
        exchange.finish()


def _said(history: list[dict[str, Any]], number: int) -> list[dict[str, Any]]:
    told = [json.loads(i["output"]) for i in history if i.get("type") == "function_call_output"]
    seen = {entry["city"] for entry in told}
    reasoning = {
        "id": f"rs_{number}", "type": "reasoning", "summary": [],
        "encrypted_content": f"gAAA-{number}-secret==",
    }  # fmt: skip
    missing = [city for city in CITIES if city not in seen]
    if missing and len(seen) < len(CITIES):
        call = {
            "id": f"fc_{number}", "type": "function_call", "status": "completed",
            "call_id": f"call_{number}", "name": "weather",
            "arguments": json.dumps({"city": missing[0]}, indent=1),
        }  # fmt: skip
        return [reasoning, call]
    dry = [entry["city"] for entry in told if entry["sky"] == "clear"]
    text = f"Go to {dry[0]}." if dry else "Stay at home."
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]
    message = {"id": f"msg_{number}", "type": "message", "role": "assistant", "status": "completed"}
    return [reasoning, {**message, "content": content}]


def _response(name: str, output: list[dict[str, Any]]) -> dict[str, Any]:
    details = {"cached_tokens": 4, "cache_write_tokens": 0}
    return {
        "id": name, "object": "response", "created_at": 1_790_000_000, "status": "completed",
        "error": None, "incomplete_details": None, "model": "gpt-5-mini", "output": output,
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "usage": {
            "input_tokens": 30, "input_tokens_details": details, "output_tokens": 12,
            "output_tokens_details": {"reasoning_tokens": 5}, "total_tokens": 42,
        },
    }  # fmt: skip


def _events(value: dict[str, Any]) -> list[dict[str, Any]]:
    opening = {**value, "status": "in_progress", "output": [], "usage": None}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": opening}]
    for index, item in enumerate(value["output"]):
        here = {"output_index": index, "item_id": item["id"]}
        added = {**item, "content": []} if item["type"] == "message" else item
        added = {**added, "arguments": ""} if item["type"] == "function_call" else added
        told = {"type": "response.output_item.added", "output_index": index, "item": added}
        events.append(told)
        if item["type"] == "function_call":
            stem = "response.function_call_arguments"
            events.append({"type": f"{stem}.delta", **here, "delta": item["arguments"]})
            events.append({"type": f"{stem}.done", **here, "arguments": item["arguments"]})
        elif item["type"] == "message":
            [entry] = item["content"]
            here["content_index"] = 0
            empty = {**entry, "text": ""}
            events.append({"type": "response.content_part.added", **here, "part": empty})
            for word in entry["text"].split(" "):
                text = word if word == entry["text"].split(" ")[0] else f" {word}"
                delta = {"type": "response.output_text.delta", **here, "delta": text}
                events.append({**delta, "logprobs": []})
            done = {"type": "response.output_text.done", **here, "text": entry["text"]}
            events.append({**done, "logprobs": []})
            events.append({"type": "response.content_part.done", **here, "part": entry})
        events.append({**told, "type": "response.output_item.done", "item": item})
    return [*events, {"type": "response.completed", "response": value}]


def _embedded(asked: dict[str, Any]) -> dict[str, Any]:
    texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": [float(len(text)), 0.5]}
            for index, text in enumerate(texts)
        ],
        "model": asked["model"],
        "usage": {"prompt_tokens": 6, "total_tokens": 6},
    }
