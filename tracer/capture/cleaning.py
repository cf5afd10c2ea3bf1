"""The records of runs and steps without their secrets, with a note of what was taken out of which.

`redacted_input` and `redacted_output` in a step's detail count the marks in what it was given and
in what came of it: a re-execution is given the latter in place of what they stand for.
"""

import json
from dataclasses import replace
from typing import Any

from tracer.capture import secrets
from tracer.capture.boundary import Call, End, OpenStep
from tracer.capture.draws import INPUT
from tracer.capture.readings import StartReading, read_reply
from tracer.capture.redaction import EVERY, RESULT, Calls, functions, names_of
from tracer.capture.replies import cleaned, is_stream
from tracer.capture.secrets import Secrets
from tracer.core.draws import Drawn
from tracer.core.jsonspans import is_document
from tracer.core.messages import tool_calls_of
from tracer.core.records import JSON, ErrorInfo
from tracer.store.writes import Reply, RunEnd, RunStart, StepEnd, StepStart, Value


def run_start(start: RunStart) -> RunStart:
    """A run's start; what its agent was given is known as secret from here on."""
    known = secrets.of_run(start.run_id)
    if start.input is not None:
        given = known.value(start.input.data, "input", names_of(start.name))
        start = replace(start, input=Value(given))
    start = replace(
        start, entry=_argv(start.entry, known), environment=_argv(start.environment, known)
    )
    cleaned_start: RunStart = known.record(start)
    return cleaned_start


def _argv(about: dict[str, JSON], known: Secrets) -> dict[str, JSON]:
    words = about.get("argv")
    return about if not words else {**about, "argv": known.tree(words, "input")}


def run_end(end: RunEnd, name: str) -> RunEnd:
    """A run's end; its secrets are forgotten with it."""
    known = secrets.of_run(end.run_id)
    if end.output is not None:
        end = replace(end, output=Value(result(end.output.data, "output", name, known)))
    end = replace(end, error=_error(end.error, known))
    cleaned_end: RunEnd = known.record(end)
    secrets.forget(end.run_id)
    return cleaned_end


def step_start(start: StepStart, call: Call, kept: Call, known: Secrets) -> StepStart:
    """A step's start, made of the call `kept`, which is clean already."""
    detail = start.detail
    if kept is not call and (count := _marks(_given(kept))):
        detail = {**detail, "redacted_input": count}
    made: StepStart = known.record(replace(start, detail=known.tree(detail, "detail")))
    return made


def end(what: End, call: Call, known: Secrets) -> tuple[End, Value | None]:
    """What came of a step, but for its reply; and the value it gave."""
    value = None
    detail = what.detail and known.tree(_parts(what.detail, call.name, known), "detail")
    if what.value is not None:
        value = Value(result(what.value, "result", call.name, known))
        if count := _marks(value.data):
            detail = {**detail, "redacted_output": count}
        if value.data[:1] == b'"' != what.value[:1]:  # a number, that code can't take a mark for
            detail = {**detail, "redacted_number": True}
            what = replace(what, fidelity="opaque")
    return replace(what, error=_error(what.error, known), detail=detail), value


def _parts(detail: dict[str, JSON], name: str, known: Secrets) -> dict[str, JSON]:
    """A detail whose values are clean of what the function's decorator named: what a generator
    returned, what an exception was made with, what was written to a framework's state."""
    names = names_of(name)
    if not names:
        return detail
    clean = dict(detail)
    for key in ("returned", "raised", "state"):
        text = detail.get(key)
        if isinstance(text, str):
            data = text.encode("utf-8", "surrogatepass")
            made = (
                result(data, "result", name, known)
                if key == "returned"
                else (known.value(data, "detail", names))
            )
            clean[key] = made.decode("utf-8", "surrogatepass")
    return clean


def with_reply(record: StepEnd, reply: Reply, step: OpenStep, started: StartReading) -> StepEnd:
    """A step's end with its reply, and what that says; read again where it held secrets."""
    known = secrets.of_run(step.run.id)
    if reply.failure is not None:
        failure = known.record(known.tree(reply.failure, "error"))
        reply = replace(reply, failure=failure)
    read = read_reply(replace(record, output=reply), step.call, reply, started)
    said = read.output_messages or b""
    calls = _calls(said)
    spread = bool(calls) or known.holds(said) or (step.call.api is None and is_stream(reply))
    clean = cleaned(reply, known, calls, spread=spread)
    if clean is not reply:
        read = read_reply(replace(record, output=clean), step.call, clean, started)
        said = read.output_messages or b""
    count = _marks(b"".join(clean.chunks)) or _marks(said)
    return replace(read, detail={**read.detail, "redacted_output": count}) if count else read


def result(data: bytes, place: str, name: str, known: Secrets) -> bytes:
    """What a function of this name gave."""
    names = names_of(name)
    if RESULT in names and not is_document(data):
        return _whole(data, known)
    if RESULT in names:
        names = (EVERY,)
    shown = tuple(word.removeprefix(f"{RESULT}.") for word in names)
    return known.value(data, place, shown)


def _whole(data: bytes, known: Secrets) -> bytes:
    """A result that is one text or number: all of it is secret."""
    value = json.loads(data)
    if value is None or isinstance(value, bool):
        return data
    text = value if isinstance(value, str) else data.decode()
    if "[redacted" in text:
        return data
    known.remember(text)
    return json.dumps(known.mark(text)).encode()


def _calls(messages: bytes) -> Calls:
    """The tool calls in what a model said that have secret arguments."""
    known = functions()
    if not known or not any(name.encode() in messages for name in known):
        return ()
    found: list[tuple[Any, tuple[str, ...]]] = []
    for message in json.loads(messages):
        for call in tool_calls_of(message):
            names = known.get(str(call.get("name")))
            if names is not None:
                found.append((call.get("arguments"), names))
    return found


def _error(error: ErrorInfo | None, known: Secrets) -> ErrorInfo | None:
    if error is None:
        return None
    message = known.text(error.message, "error")
    traceback = None if error.traceback is None else known.text(error.traceback, "error")
    if (message, traceback) == (error.message, error.traceback):
        return error
    return replace(error, message=message, traceback=traceback)


def _given(call: Call) -> bytes:
    if call.request is not None:
        return call.request.body
    return bytes(call.document) if call.document is not None else call.input or b""


def _marks(data: bytes) -> int:
    return data.count(b"[redacted")


def draws(found: list[Drawn], known: Secrets) -> list[Drawn]:
    """What was drawn and read, without secrets in what was read of standard input."""
    return [one if one.path != INPUT else _without(one, known) for one in found]


def _without(one: Drawn, known: Secrets) -> Drawn:
    # The first byte of each says what it is.
    pieces = [value for value in one.values if isinstance(value, bytes)]
    cleaned = known.clean_pieces([piece[1:] for piece in pieces], "input")
    values = []
    places = []
    for piece, clean, place in zip(pieces, cleaned, one.places, strict=True):
        if clean or not piece[1:]:  # nothing at all is the end of the input
            values.append(piece[:1] + clean)
            places.append(place)
    return replace(one, values=tuple(values), places=tuple(places))
