"""What the wire formats share: parts, ids made from content, headers of a built reply.

Nothing here raises on hostile input.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeGuard

from tracer.core.messages import Message, Part
from tracer.providers.base import Headers, HttpReply
from tracer.providers.jsontext import JsonObject, as_list, canonical, dumps

JSON_TYPE = "application/json"
STREAM_TYPE = "text/event-stream; charset=utf-8"
_OK, _FIRST_NO_ANSWER, _FIRST_FAILURE = 200, 300, 400
_MAX_COUNT = 2**63 - 1  # what a database column holds
_BLANK = re.compile(rb"[\s\xef\xbb\xbf]*")

# Framing of the old body, or advice that only fitted the old status.
_STALE_HEADERS = frozenset(
    {
        "content-encoding",
        "content-length",
        "content-type",
        "transfer-encoding",
        "connection",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "x-amzn-errortype",
    }
)


def count(*values: Any) -> int | None:
    """The first of `values` that is a count of tokens, else None."""
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT:
            return value
    return None


def text(*values: Any) -> str | None:
    """The first of `values` that is text and not empty, else None."""
    return next((value for value in values if isinstance(value, str) and value), None)


def without(source: JsonObject, *keys: str) -> JsonObject:
    """A copy of `source` that lacks `keys`."""
    return {key: value for key, value in source.items() if key not in keys}


def make_part(kind: str, extras: JsonObject, **fields: Any) -> Part:
    """A part of type `kind` with `fields`, and with what else the provider said (`extras`)."""
    rest = {
        key: value
        for key, value in extras.items()
        if value is not None and key not in fields and key != "type"
    }
    return {"type": kind, **fields, **rest}


def parts_of(message: Message) -> list[Part]:
    """The parts of a message that may come from a person: everything that is no part is skipped."""
    return [part for part in as_list(message.get("parts")) if isinstance(part, dict)]


def content_of(part: Part) -> str:
    """The text a `text`, `reasoning` or `refusal` part holds."""
    content = part.get("content", "")
    return content if isinstance(content, str) else dumps(content)


def unknown_part(value: Any) -> Part:
    """A part that stands for a value of no known shape, kept whole."""
    if isinstance(value, dict) and isinstance(value.get("type"), str):
        return value
    return {"type": "unknown", "value": value}


def made_id(prefix: str, *seeds: bytes | str | int) -> str:
    """An id of 24 hex digits behind `prefix`, the same for the same `seeds`."""
    digest = hashlib.sha256()
    for seed in seeds:
        data = seed if isinstance(seed, bytes) else str(seed).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return prefix + digest.hexdigest()[:24]


def pieces(content: str) -> Iterator[str]:
    """`content` cut as a streaming model would: some words a piece, at most about 200 pieces."""
    size = max(24, len(content) // 200 + 1)
    return (content[start : start + size] for start in range(0, len(content), size))


def kept_headers(recorded: HttpReply | None, content_type: str) -> list[tuple[str, str]]:
    """The recorded headers that still hold for a built body, after its own content type."""
    kept = recorded.headers if recorded else ()
    return [
        ("content-type", content_type),
        *((name, value) for name, value in kept if name.lower() not in _STALE_HEADERS),
    ]


def is_stream(reply: HttpReply) -> bool:
    """Whether the reply is an event stream: by how the body begins, else by its content type."""
    blank = _BLANK.match(reply.body)
    start = blank.end() if blank else 0  # some gateways keep JSON callers waiting with blank lines
    if reply.body.startswith((b"{", b"["), start):
        return False
    if reply.body.startswith((b"data:", b"event:", b":", b"id:", b"retry:"), start):
        return True
    return header(reply.headers, "content-type").startswith("text/event-stream")


def is_answer(reply: HttpReply | None) -> TypeGuard[HttpReply]:
    """Whether there is a reply, and its status says that it answers."""
    return reply is not None and _OK <= reply.status < _FIRST_NO_ANSWER


def is_failure(status: int) -> bool:
    """Whether a status says that the request failed."""
    return status >= _FIRST_FAILURE


def header(headers: Headers, name: str) -> str:
    """The first header called `name` (in small letters), "" when there is none."""
    return next((value for key, value in headers if key.lower() == name), "")


def reasons_of(messages: Sequence[Message]) -> list[str]:
    """The finish reason of each message, "unknown" where the provider gave none."""
    return [str(message.get("finish_reason") or "unknown") for message in messages]


def rebuild(
    parts: list[Part],
    old: list[Any],
    read: Callable[[Any], Part],
    write: Callable[[Part, Any, int], JsonObject],
) -> list[Any]:
    """The wire items for `parts`: the recorded item where it says the same, else `write`'s.

    `write` is given the part, the recorded item of the same id (None without one) and its place.
    """
    left: dict[str, list[Any]] = {}
    twins: dict[str, Any] = {}
    for item in old:
        was = read(item)
        left.setdefault(canonical(was), []).append(item)
        twins.setdefault(str(was.get("id")), item)
    items: list[Any] = []
    for place, part in enumerate(parts):
        same = left.get(canonical(part))
        twin = twins.get(part["id"]) if text(part.get("id")) else None
        items.append(same.pop(0) if same else write(part, twin, place))
    return items
