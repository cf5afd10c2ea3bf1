"""Store records out of a bundle's JSON, checked field by field. The other half of `record_json`."""

from collections.abc import Sequence
from typing import Any, Protocol, cast, get_args

from tracer.core.chain import ROOT, SplitBody, rest_hash
from tracer.core.records import (
    Effect,
    ErrorInfo,
    Fidelity,
    NotedKind,
    RunStatus,
    Slot,
    Source,
    StepKind,
    StepStatus,
    Usage,
)
from tracer.interchange.reading_json import Fields
from tracer.store.writes import (
    Conversation,
    Noted,
    Reply,
    Request,
    RunEnd,
    RunStart,
    StepEnd,
    StepStart,
    Value,
)


class Payloads(Protocol):
    """Payloads of a bundle by reference."""

    def payload(self, name: str) -> bytes:
        """Bytes a program sent or received, whatever they are."""

    def value(self, name: str) -> bytes:
        """A payload of ours: JSON of bounded depth."""


def read_run_start(fields: Fields, run_id: str, parent_run: str | None, get: Payloads) -> RunStart:
    """The start of an imported run, under the id the importer chose."""
    return RunStart(
        run_id=run_id,
        name=fields.text("name"),
        started_ns=fields.integer("started_ns"),
        input=_value(fields.text_or_none("input"), get),
        entry=fields.object("entry"),
        pid=None,
        environment=fields.object("environment"),
        parent_run=parent_run,
        fork=None if fields.any("fork") is None else fields.object("fork"),
        origin="imported",
        listed=fields.text_or_none("listed"),
    )


def read_run_end(fields: Fields, run_id: str, get: Payloads) -> RunEnd:
    """The end of an imported run."""
    return RunEnd(
        run_id=run_id,
        status=cast(RunStatus, fields.word("status", get_args(RunStatus))),
        ended_ns=fields.integer("ended_ns"),
        output=_value(fields.text_or_none("output"), get),
        error=_error(fields.fields_or_none("error")),
        divergences=tuple(Fields(d, "divergences").as_dict() for d in fields.list("divergences")),
        warnings=tuple(str(warning) for warning in fields.list("warnings")),
    )


def read_step_start(
    fields: Fields, run_id: str, get: Payloads, links: Sequence[bytes]
) -> StepStart:
    """The start of a step. `links` are exact hashes by number in the bundle."""
    kind = cast(StepKind, fields.word("kind", get_args(StepKind)))
    slot = fields.list("slot")
    if len(slot) != 2 or not isinstance(slot[0], str) or type(slot[1]) is not int:
        raise fields.damaged("slot is not [path, ordinal]")
    effect = fields.any("effect")
    return StepStart(
        run_id=run_id,
        n=fields.integer("n", least=1),
        id=fields.text("id"),
        parent=fields.text_or_none("parent"),
        kind=kind,
        name=fields.text("name"),
        source=cast(Source, fields.word("source", get_args(Source))),
        started_ns=fields.integer("started_ns"),
        start_seq=fields.integer("start_seq"),
        slot=Slot(slot[0], kind, slot[1] & 0x7FFFFFFF),
        input=_given(fields.fields_or_none("input"), get, links),
        fingerprint=fields.text_or_none("fingerprint"),
        summary=fields.text("summary"),
        effect=None if effect is None else cast(Effect, fields.word("effect", get_args(Effect))),
        api=fields.text_or_none("api"),
        model=fields.text_or_none("model"),
        provider=fields.text_or_none("provider"),
        matched_step=fields.text_or_none("matched_step"),
        callsite=fields.text_or_none("callsite"),
        search_text=fields.text("search_text"),
        detail=fields.object("detail"),
    )


def read_step_end(fields: Fields, run_id: str, get: Payloads) -> StepEnd:
    """The end of a step."""
    fidelity = fields.any("fidelity")
    messages = fields.text_or_none("messages")
    return StepEnd(
        run_id=run_id,
        n=fields.integer("n", least=1),
        status=cast(StepStatus, fields.word("status", get_args(StepStatus))),
        ended_ns=fields.integer("ended_ns"),
        end_seq=fields.integer("end_seq"),
        output=_came(fields.fields_or_none("output"), get),
        output_messages=None if messages is None else get.value(messages),
        error=_error(fields.fields_or_none("error")),
        usage=_usage(fields.fields_or_none("usage")),
        cost_usd=fields.number_or_none("cost_usd"),
        ttft_ms=fields.number_or_none("ttft_ms"),
        model=fields.text_or_none("model"),
        fidelity=(
            None
            if fidelity is None
            else cast(Fidelity, fields.word("fidelity", get_args(Fidelity)))
        ),
        diverged=fields.flag("diverged"),
        summary=fields.text_or_none("summary"),
        search_text=fields.text("search_text"),
        detail=fields.object("detail"),
    )


def read_noted(piece: Any, section: Fields, run_id: str, get: Payloads) -> Noted:
    """A piece of what happened around a step: `[number of the step, kind, payload]`."""
    match piece:
        case [int(n), str(kind), str(name)] if kind in get_args(NotedKind) and 0 <= n < 2**53:
            return Noted(run_id, int(n), cast(NotedKind, kind), get.value(name))
    raise section.damaged("what happened around a step is not [number, kind, payload]")


def _value(name: str | None, get: Payloads) -> Value | None:
    return None if name is None else Value(get.value(name))


def _given(
    fields: Fields | None, get: Payloads, links: Sequence[bytes]
) -> Value | Request | Conversation | None:
    if fields is None:
        return None
    kind = fields.word("kind", ("value", "conversation", "request"))
    if kind == "value":
        return Value(get.value(fields.text("data")))
    body = _body(fields.fields("body"), get, links)
    if kind == "conversation":
        return Conversation(body)
    return Request(fields.text("method"), fields.text("url"), fields.pairs("headers"), body)


def _body(fields: Fields, get: Payloads, links: Sequence[bytes]) -> SplitBody:
    head, tail = get.payload(fields.text("head")), get.payload(fields.text("tail"))
    number = fields.integer_or_none("link")
    if number is not None and number >= len(links):
        raise fields.damaged("the last message is not there")
    base = ROOT if number is None else links[number]
    # The store finds the chain by its end; how long it is and what it means stands there.
    return SplitBody(head, base, 0, (), tail, base, ROOT, rest_hash(head + tail))


def _came(fields: Fields | None, get: Payloads) -> Value | Reply | None:
    if fields is None:
        return None
    if fields.word("kind", ("value", "reply")) == "value":
        return Value(get.value(fields.text("data")))
    data = get.payload(fields.text("data"))
    lengths, times = fields.list("chunks"), fields.list("times_us")
    if not all(type(n) is int and 0 <= n < 2**53 for n in [*lengths, *times]):
        raise fields.damaged("chunk lengths are no numbers")
    if sum(lengths) != len(data) or len(times) != len(lengths):
        raise fields.damaged("chunks don't add up")
    chunks: list[bytes] = []
    at = 0
    for length in lengths:
        chunks.append(data[at : at + length])
        at += length
    return Reply(
        status=fields.integer("status"),
        headers=fields.pairs("headers"),
        chunks=tuple(chunks),
        times_us=tuple(times),
        complete=fields.flag("complete"),
        failure=_failure(fields),
    )


_WORDS = ("at", "strerror", "reason")
_NUMBERS = ("errno", "status")


def _failure(fields: Fields) -> dict[str, Any] | None:
    failure = fields.fields_or_none("failure")
    if failure is None:
        return None
    known: dict[str, Any] = {"type": failure.text("type"), "message": failure.text("message")}
    # What some clients' exceptions are made from besides.
    given = failure.as_dict()
    known |= {key: given[key] for key in _WORDS if isinstance(given.get(key), str)}
    return known | {key: given[key] for key in _NUMBERS if isinstance(given.get(key), int)}


def _error(fields: Fields | None) -> ErrorInfo | None:
    if fields is None:
        return None
    return ErrorInfo(fields.text("type"), fields.text("message"), fields.text_or_none("traceback"))


def _usage(fields: Fields | None) -> Usage | None:
    if fields is None:
        return None
    return Usage(
        fields.integer_or_none("input_tokens"),
        fields.integer_or_none("output_tokens"),
        fields.integer_or_none("cached_input_tokens"),
        fields.integer_or_none("reasoning_tokens"),
        fields.integer_or_none("cache_write_tokens"),
    )
