"""Payloads by address: the whole of what a page shows only the beginning of.

Addresses: `request`, `response` (head and body as text), `request-body`, `response-body`,
`input`, `output`, `tools`, and `in.3.0`, `out.0.1`: message and part of a model call.
"""

import json
from typing import Any

from tracer_ui.api import NotFoundError, Reply, Step, Store, asked, said, value
from tracer_ui.messages import part_value

_WHOLE = ("request", "response", "request-body", "response-body", "input", "output", "tools")


def part_bytes(store: Store, step: Step, part: str) -> bytes:
    """The payload, as UTF-8 text where it is text. Raises NotFoundError."""
    if part in ("request", "request-body"):
        return _request(store, step, part)
    if part in ("response", "response-body"):
        return _response(store, step, part)
    if part in ("input", "output"):
        return _text(value(store, step, part))
    if part == "tools":
        request = asked(store, step)
        return _text(request.tools if request is not None else None)
    return _text(_message_part(store, step, part))


def http_body(reply: Reply) -> bytes:
    """The body of a reply in one piece."""
    return b"".join(reply.chunks)


def _request(store: Store, step: Step, part: str) -> bytes:
    request = store.request(step)
    if request is None:
        raise _nothing(step, part)
    if part == "request-body":
        return request.body
    lines = [f"{request.method} {request.url}", *(f"{n}: {v}" for n, v in request.headers), "", ""]
    return "\n".join(lines).encode("utf-8", "replace") + request.body


def _response(store: Store, step: Step, part: str) -> bytes:
    reply = store.reply(step)
    if reply is None:
        raise _nothing(step, part)
    if part == "response-body":
        return http_body(reply)
    lines = [str(reply.status), *(f"{name}: {text}" for name, text in reply.headers), "", ""]
    return "\n".join(lines).encode("utf-8", "replace") + http_body(reply)


def _message_part(store: Store, step: Step, part: str) -> Any:
    place, _, numbers = part.partition(".")
    message, _, item = numbers.partition(".")
    if place not in ("in", "out") or not (_is_number(message) and _is_number(item)):
        raise NotFoundError(f"There is no payload {part!r}; there are {', '.join(_WHOLE)}.")
    request = asked(store, step) if place == "in" else None
    messages = said(store, step) if place == "out" else request.messages if request else []
    try:
        return part_value(messages, int(message), int(item))
    except LookupError:
        raise _nothing(step, part) from None


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 7


def _text(found: Any) -> bytes:
    if isinstance(found, str):
        return found.encode("utf-8", "replace")
    try:
        text = json.dumps(found, ensure_ascii=False, indent=2, default=repr)
    except (ValueError, RecursionError):
        text = "this value is nested too deeply to be written as JSON"
    return text.encode("utf-8", "replace")


def _nothing(step: Step, part: str) -> NotFoundError:
    return NotFoundError(f"Step {step.n} has no {part} in this recording.")
