"""What both wire formats of the model server share: token counts, ids, stream pieces, delays."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tracer.demo.conversation import Answer, Conversation

# Ids and `created` never come from a clock, so that two executions send byte-identical requests.
CREATED = 1_767_225_600  # 2026-01-01T00:00:00Z
ARGUMENT_PIECE = 12  # characters of a tool call's arguments a stream event carries


class BadRequest(Exception):
    """The request body breaks the wire format; the message says where."""


@dataclass(frozen=True, slots=True)
class Wire:
    """One wire format: how to read a request and how to say an answer, whole or as a stream.

    `events` yields complete server-sent events, blank line included; `failure` is the error body
    for (kind, message).
    """

    read: Callable[[dict[str, Any]], Conversation]
    whole: Callable[[dict[str, Any], str, Answer], dict[str, Any]]
    events: Callable[[dict[str, Any], str, Answer], Iterator[str]]
    failure: Callable[[str, str], dict[str, Any]]


def compact(value: Any) -> str:
    """JSON without blanks, as models write their tool arguments."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def tokens(value: Any) -> int:
    """A plausible token count: a quarter of the characters of a text or of a value's JSON."""
    return math.ceil(len(value if isinstance(value, str) else compact(value)) / 4)


def answer_tokens(answer: Answer) -> int:
    """Output tokens of an answer, at least 1."""
    spent = tokens(answer.text)
    for call in answer.calls:
        spent += 7 + tokens(call.name) + tokens(call.arguments)
    return max(1, spent)


def seen_before(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The head of the history that an earlier request of this conversation already sent."""
    last = max((i for i, m in enumerate(messages) if m.get("role") == "assistant"), default=0)
    return messages[:last]


def identifier(prefix: str, digest: str, *parts: object) -> str:
    """An id made from the request's digest, e.g. `call_5f0c…`; equal requests get equal ids."""
    text = "/".join((digest, *map(str, parts)))
    return prefix + hashlib.sha256(text.encode()).hexdigest()[:24]


def text_pieces(text: str) -> list[str]:
    """A text cut before each word; joined they are the text again."""
    return re.findall(r"\s*\S+(?:\s+$)?", text) or ([text] if text else [])


def argument_pieces(arguments: dict[str, Any]) -> list[str]:
    """The JSON of a tool call's arguments cut into short pieces, at any character."""
    whole = compact(arguments)
    return [whole[at : at + ARGUMENT_PIECE] for at in range(0, len(whole), ARGUMENT_PIECE)]


def as_object(text: Any) -> dict[str, Any]:
    """A tool result or an argument string as a JSON object (`{"value": ...}` if it isn't one)."""
    value = text
    if isinstance(text, str):
        try:
            value = json.loads(text)
        except ValueError:
            value = text
    return value if isinstance(value, dict) else {"value": value}


def require(body: dict[str, Any], key: str, kind: type) -> Any:
    """`body[key]`; raises BadRequest when it is missing or of another type."""
    value = body.get(key)
    if not isinstance(value, kind):
        raise BadRequest(f"'{key}' must be a JSON {kind.__name__}, found {value!r:.80}")
    return value


def messages_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The request's messages; raises BadRequest unless they are a non-empty list of objects."""
    messages = require(body, "messages", list)
    if not messages or not all(isinstance(message, dict) for message in messages):
        raise BadRequest("'messages' must be a list of at least one object")
    return [dict(message) for message in messages]
