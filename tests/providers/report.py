"""What of the recorded exchanges is read: `python -m tests.providers.report`.

One line a provider and endpoint: exchanges, those recognised as a model call, those the provider
answered, those read without loss, those built again in both forms, and what is not read and why.
Works through the registry, so a format added there is counted without a word here.
"""

import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tracer.providers import recognise
from tracer.providers.base import Api, HttpReply, HttpRequest, ModelReply
from tracer.providers.jsontext import same_json

from .corpus import FILE, Exchange, exchanges
from .plain_bedrock import unwrapped

# Where replies and their events hold what the model said; beside it they echo the request.
_SAID = frozenset(
    """
    choices content output candidates message messages generation results outputs generations
    completion text response delta contentBlock content_block output_text part item arguments
    messageStart contentBlockStart contentBlockDelta start
    """.split()  # noqa: SIM905 - a list of them would take a page
)
_TOLD = frozenset(
    """
    text content thinking reasoning reasoning_content refusal arguments partial_json input name
    generation outputText completion tool_plan signature thoughtSignature delta redactedContent
    """.split()  # noqa: SIM905
)
# Echoes, framing and sources under the same names.
_ECHOES = frozenset(
    {"groundingMetadata", "instructions", "tools", "metadata", "model", "usage", "annotations", "p"}
)
_FORMS = (
    ("/converse", "/converse-stream"),
    ("/invoke", "/invoke-with-response-stream"),
    (":generateContent", ":streamGenerateContent?alt=sse"),
    (":rawPredict", ":streamRawPredict"),
)
_CODED = re.compile(r"\\u([0-9a-fA-F]{4})")
_ESCAPE = re.compile(r"\\[ntrbf]")


@dataclass
class Line:
    """The counts of one provider and endpoint."""

    exchanges: int = 0
    recognised: int = 0
    answered: int = 0
    read: int = 0
    rebuilt: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def report(found: Iterator[Exchange]) -> dict[tuple[str, str], Line]:
    """The lines of the report."""
    lines: defaultdict[tuple[str, str], Line] = defaultdict(Line)
    for exchange in found:
        _count(lines[exchange.provider, exchange.endpoint], exchange)
    return dict(lines)


def _count(line: Line, exchange: Exchange) -> None:
    request, reply = exchange.request, exchange.reply
    line.exchanges += 1
    is_answered = reply.status == 200
    line.answered += is_answered
    api = recognise(request.method, request.url, request.body)
    if api is None:
        missing = "no format for it" if request.body else "the recording lost the request"
        line.reasons[missing] += is_answered
        return
    line.recognised += 1
    if not is_answered:
        return
    read = api.read_reply(request, reply)
    why = not_read(read, reply)
    if why:
        line.reasons[why] += 1
        return
    line.read += 1
    if is_rebuilt(api, request, reply, read):
        line.rebuilt += 1
    else:
        line.reasons["read, but built otherwise"] += 1


def not_read(read: ModelReply, reply: HttpReply) -> str | None:
    """Why a reply was not read without loss, None where it was."""
    if not reply.body:
        return "the recording lost the reply"
    if read.error:
        return f"error: {read.error.type}"
    if not read.complete:
        return "no end"
    known = _letters(json.dumps(read.messages, ensure_ascii=False))
    pieces: defaultdict[str, list[str]] = defaultdict(list)
    for key, value in _told(_values(reply.body)):
        pieces[key].append(value)
    lost = [key for key, said in pieces.items() if not _is_in(said, known)]
    return f"lost: {', '.join(sorted(lost)[:3])}" if lost else None


def _is_in(pieces: list[str], known: str) -> bool:
    """Whether all that was said under one key is there, as a whole or in its pieces.

    An escape inside the JSON text of a tool call may be cut between two pieces.
    """
    return _letters("".join(pieces)) in known or all(_letters(piece) in known for piece in pieces)


def is_rebuilt(api: Api, request: HttpRequest, reply: HttpReply, read: ModelReply) -> bool:
    """Whether the first choice, built again in each form this API has, reads the same."""
    for asked in _both_forms(api, request):
        for said in read.messages[:1]:
            built = api.build_reply(asked, reply, said)
            again = api.read_reply(asked, built)
            if again.error or not again.complete or not same_json(again.messages[:1], [said]):
                return False
    return True


def _both_forms(api: Api, request: HttpRequest) -> list[HttpRequest]:
    """The request, and the same for the other form where there is one."""
    others = [
        replace(request, url=url.partition("?")[0].removesuffix(old.partition("?")[0]) + new)
        for pair in _FORMS
        for url in (request.url,)
        for old, new in (pair, pair[::-1])
        if url.partition("?")[0].endswith(old.partition("?")[0])
    ]
    try:
        body = json.loads(request.body)
    except ValueError:
        body = None
    if isinstance(body, dict):
        flipped = {**body, "stream": not api.wants_stream(request)}
        others.append(replace(request, body=json.dumps(flipped).encode()))
    wants = api.wants_stream(request)
    return [request, *[other for other in others if api.wants_stream(other) != wants][:1]]


def _values(body: bytes) -> list[Any]:
    """The JSON values of a body in any framing, read without any code of tracer's."""
    if body[:1] == b"\0":
        return unwrapped(body)
    text = body.decode("utf-8", "replace")
    try:
        return [json.loads(text)]
    except ValueError:
        lines = [line.removeprefix("data:").strip() for line in text.splitlines()]
        return [json.loads(line) for line in lines if line.startswith("{") and _is_json(line)]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _told(values: list[Any]) -> Iterator[tuple[str, str]]:
    for value in values:
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                said = {key: child for key, child in entry.items() if key in _SAID}
                yield from _texts(said, "")


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, child in value.items():
            # In Responses an object called `text` holds the format that was asked for.
            if name not in _ECHOES and not (name == "text" and isinstance(child, dict)):
                yield from _texts(child, name)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child, key)
    elif isinstance(value, str) and key in _TOLD:
        yield key, value


def _letters(text: str) -> str:
    """Letters and digits alone, so that spaces and escapes inside JSON text make no difference."""
    text = _CODED.sub(lambda match: chr(int(match.group(1), 16)), text)
    text = _ESCAPE.sub("", text)
    return "".join(filter(str.isalnum, text))


def printed(lines: dict[tuple[str, str], Line]) -> str:
    """The table, largest lines first, with totals."""
    total = Line()
    names = ("exchanges", "recognised", "answered", "read", "rebuilt")
    rows: list[tuple[str, ...]] = [("provider", "endpoint", *names, "not read")]
    for (provider, endpoint), line in sorted(lines.items(), key=lambda item: -item[1].exchanges):
        for name in names:
            setattr(total, name, getattr(total, name) + getattr(line, name))
        counts = tuple(str(getattr(line, name)) for name in names)
        reasons = "; ".join(f"{count} {why}" for why, count in line.reasons.most_common() if count)
        rows.append((provider, endpoint, *counts, reasons))
    rows.append(("all", "", *(str(getattr(total, name)) for name in names), ""))
    widths = [max(len(row[i]) for row in rows) for i in range(7)]
    out = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        out.append("  ".join([*cells, row[7]]).rstrip())
    return "\n".join(out)


if __name__ == "__main__":
    if not FILE.exists():
        sys.exit(f"no recorded exchanges at {FILE}; TRACER_CORPUS names another folder")
    print(printed(report(exchanges())))
