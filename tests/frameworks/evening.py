"""The model server of the matrix: one planner behind the formats of all SDKs, and what it sent.

OpenAI's and Anthropic's bytes come from the demo's wire formats, Gemini's and Ollama's from
`tests.support.google_wire`, Bedrock's and Cohere's from `wire_aws_cohere`.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.frameworks import planner, wire_aws_cohere
from tests.support import google_wire
from tests.support.servers import Asked, Exchange, OddServer, whole
from tracer.demo import wire_anthropic, wire_openai
from tracer.demo.conversation import Answer, Conversation, Executed

BUSY = "busy hour"  # a question with these words is refused the first time
_SAY = re.compile(r"Say: (.+)")


@dataclass(frozen=True)
class Sent:
    """One reply: its status, and the token counts it carried (input with all that was cached)."""

    status: int
    input_tokens: int | None = None
    output_tokens: int | None = None


class Evening(OddServer):
    """Answers from `planner`; without tools on offer it says what it is asked to say.

    `sent` are the replies to model calls since `fresh`. Other requests get a 404.
    """

    def __init__(self) -> None:
        super().__init__(self._odd)
        self.sent: list[Sent] = []
        self._refused: set[str] = set()

    def fresh(self) -> None:
        """Forget what was sent: another program starts."""
        with self.lock:
            self.sent, self._refused = [], set()

    def _odd(self, exchange: Exchange) -> None:
        path = unquote(urlsplit(exchange.asked.path).path)
        speak = next((speak for sign, speak in _FORMATS.items() if sign in path), None)
        if speak is None or exchange.asked.method != "POST":
            exchange.reply({"error": {"message": f"no such call: {path}"}}, 404)
        elif self._refuses(exchange.asked):
            self._log(Sent(429))
            _refuse(exchange)
        else:
            speak(exchange, self._log)

    def _refuses(self, asked: Asked) -> bool:
        said = asked.body.decode()
        key = said[said.find(BUSY) - 20 :] if BUSY in said else ""
        with self.lock:
            first = bool(key) and key not in self._refused
            self._refused.add(key)
        return first

    def _log(self, sent: Sent) -> None:
        with self.lock:
            self.sent.append(sent)


Log = Callable[[Sent], None]


def _refuse(exchange: Exchange) -> None:
    said = {"message": "Too many requests", "type": "rate_limit_error", "code": 429}
    body = {"type": "error", "error": said, "message": said["message"]}
    # The SDKs of OpenAI's family wait as long as told; botocore goes by the error's type.
    told = {"retry-after-ms": "1", "x-amzn-errortype": "ThrottlingException"}
    exchange.reply(body, 429, told)


def answer(conversation: Conversation) -> Answer:
    """What the planner says, or what the question says that it shall."""
    said = _SAY.search(conversation.users[-1]) if conversation.users else None
    if said and not conversation.tools:
        return Answer(said[1])
    return planner.answer(conversation)


def _openai(exchange: Exchange, log: Log) -> None:
    said = answer(wire_openai.WIRE.read(exchange.asked.json))
    usage = whole(exchange.asked, said.text, *said.calls)["usage"]
    log(Sent(200, usage["prompt_tokens"], usage["completion_tokens"]))
    exchange.say(said.text, *said.calls)


def _anthropic(exchange: Exchange, log: Log) -> None:
    said = answer(wire_anthropic.WIRE.read(exchange.asked.json))
    usage = whole(exchange.asked, said.text, *said.calls)["usage"]
    spent = sum(count for name, count in usage.items() if "input" in name)
    log(Sent(200, spent, usage["output_tokens"]))
    exchange.say(said.text, *said.calls)


def _google(
    speak: Callable[..., None], usage: tuple[int, int], exchange: Exchange, log: Log
) -> None:
    log(Sent(200, *usage))
    tools = _offered(exchange.asked.json.get("tools") or [])

    def say(asking: google_wire.Asking) -> tuple[str, google_wire.Calls]:
        done = tuple(Executed("", {}, result) for result in asking.results)
        said = answer(Conversation("", tuple(asking.words), done, tools))
        return said.text, [(call.name, call.arguments) for call in said.calls]

    speak(exchange, say)


def _offered(tools: list[dict[str, Any]]) -> dict[str, Any]:
    """Names and schemas, of Gemini's declarations or Ollama's functions."""
    found = [f for tool in tools for f in tool.get("functionDeclarations") or [tool["function"]]]
    return {function["name"]: function.get("parameters") or {} for function in found}


def _bedrock(exchange: Exchange, log: Log) -> None:
    said = answer(wire_aws_cohere.read_converse(exchange.asked.json))
    value = wire_aws_cohere.converse(exchange.asked.body, said)
    log(Sent(200, value["usage"]["inputTokens"], value["usage"]["outputTokens"]))
    if exchange.asked.path.endswith("-stream"):
        _send(exchange, *wire_aws_cohere.converse_stream(value))
    else:
        exchange.reply(value)


def _invoke(exchange: Exchange, log: Log) -> None:
    asked = exchange.asked
    body = {"model": "claude", **asked.json}
    named = Asked(asked.method, "/v1/messages", asked.headers, json.dumps(body).encode())
    said = answer(wire_anthropic.WIRE.read(body))
    value = whole(named, said.text, *said.calls)
    usage = value["usage"]
    log(Sent(200, sum(n for name, n in usage.items() if "input" in name), usage["output_tokens"]))
    if asked.path.endswith("-stream"):
        _send(exchange, *wire_aws_cohere.invoke_stream(named, said))
    else:
        exchange.reply(value)


def _cohere(exchange: Exchange, log: Log) -> None:
    said = answer(wire_openai.WIRE.read(exchange.asked.json))
    value = wire_aws_cohere.cohere(exchange.asked.body, said)
    units = value["usage"]["billed_units"]
    log(Sent(200, units["input_tokens"], units["output_tokens"]))
    if exchange.asked.json.get("stream"):
        _send(exchange, *wire_aws_cohere.cohere_stream(value))
    else:
        exchange.reply(value)


def _send(exchange: Exchange, headers: dict[str, str], body: bytes) -> None:
    exchange.begin(headers=headers)
    for start in range(0, len(body), 997):  # edges inside frames and characters
        exchange.chunk(body[start : start + 997])
    exchange.finish()


_FORMATS: dict[str, Callable[[Exchange, Log], None]] = {
    "/chat/completions": _openai,
    "/v1/messages": _anthropic,
    "enerateContent": partial(_google, google_wire.gemini, (30, 12)),
    "/api/chat": partial(_google, google_wire.ollama, (21, 9)),
    "/converse": _bedrock,
    "/invoke": _invoke,
    "/v2/chat": _cohere,
}
