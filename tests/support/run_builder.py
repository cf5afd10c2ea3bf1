"""Writes runs into a store as a recorder would, with times in whole steps of 250 ms."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.support import openai_wire
from tracer.capture.values import encode
from tracer.core.chain import BodySplitter
from tracer.core.fingerprint import canonical_document, fingerprint
from tracer.core.messages import Message
from tracer.core.records import (
    AROUND,
    Effect,
    ErrorInfo,
    NotedKind,
    RunStatus,
    Slot,
    Source,
    StepKind,
    Usage,
)
from tracer.core.summary import (
    call_summary,
    clip,
    error_summary,
    reply_summary,
    searchable,
    value_summary,
)
from tracer.store.writes import Noted, Reply, Request, RunEnd, RunStart, StepEnd, StepStart, Value
from tracer.store.writing import StoreWriter

EPOCH_NS = 1_790_000_000 * 10**9  # 2026-09-21T14:13:20Z
TICK_NS = 250_000_000


def run_id(name: str) -> str:
    """A run id that is the same in every build."""
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def step_id(run: str, n: int) -> str:
    """The id of a run's step `n`."""
    return hashlib.blake2b(f"{run}/{n}".encode(), digest_size=8).hexdigest()


def text(role: str, content: str) -> Message:
    """A message of one text part."""
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def call(name: str, call_id: str, arguments: Any, words: str = "") -> Message:
    """An assistant message that asks for one tool execution."""
    parts = [{"type": "text", "content": words}] if words else []
    wanted = {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}
    return {"role": "assistant", "parts": [*parts, wanted]}


def result(call_id: str, response: Any) -> Message:
    """The tool message that answers a call."""
    return {
        "role": "tool",
        "parts": [{"type": "tool_call_response", "id": call_id, "response": response}],
    }


class RunBuilder:
    """Builds one run, step by step; `end` closes it. Numbers, slots and times follow by order."""

    def __init__(
        self,
        writer: StoreWriter,
        key: str,
        name: str,
        *,
        asked: Any = None,
        minute: int = 0,
        parent_run: str | None = None,
        fork: dict[str, Any] | None = None,
        pid: int | None = 4711,
        around: bool = False,
    ) -> None:
        self.id = run_id(key)
        self.entry: dict[str, Any] = {
            "kind": "function",
            "module": "support_agent",
            "qualname": name,
            "file": "/home/ana/shop/support_agent.py",
            "root": "/home/ana/shop",
            "cwd": "/home/ana/shop",
            "argv": [],
            "executable": "/home/ana/shop/.venv/bin/python",
            "hashseed": None,
        }
        self._writer = writer
        self._splitter = BodySplitter()
        self._now = EPOCH_NS + minute * 60 * 10**9
        self._n = 0
        self._seq = 0
        self._ordinals: dict[tuple[str, str], int] = {}
        self._enclosing: list[tuple[str, str]] = []  # (step id, path inside it)
        writer.start_run(
            RunStart(
                run_id=self.id,
                name=name,
                started_ns=self._now,
                input=Value(encode(asked)[0]) if asked is not None else None,
                entry=self.entry,
                pid=pid,
                environment={
                    "python": "3.12.4",
                    "platform": "linux",
                    "cwd": "/home/ana/shop",
                    **({AROUND: True} if around else {}),
                },
                parent_run=parent_run,
                fork=fork,
            )
        )

    def _tick(self) -> int:
        self._now += TICK_NS
        return self._now

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def _start(self, kind: StepKind, name: str, summary: str, **more: Any) -> StepStart:
        self._n += 1
        parent, path = self._enclosing[-1] if self._enclosing else (None, "")
        ordinal = self._ordinals.get((path, kind), 0) + 1
        self._ordinals[path, kind] = ordinal
        given: Value | Request | None = more.pop("input", None)
        asked = b"" if given is None else _asked(given)
        start = StepStart(
            run_id=self.id,
            n=self._n,
            id=step_id(self.id, self._n),
            parent=parent,
            kind=kind,
            name=name,
            source=more.pop("source", "live"),
            started_ns=self._tick(),
            start_seq=self._next_seq(),
            slot=Slot(path, kind, ordinal),
            input=given,
            fingerprint=fingerprint(kind, name, asked),
            summary=summary,
            **more,
        )
        self._writer.start_step(start)
        return start

    def _end(self, start: StepStart, **what: Any) -> None:
        error: ErrorInfo | None = what.get("error")
        self._writer.end_step(
            StepEnd(
                run_id=self.id,
                n=start.n,
                status=what.pop("status", "error" if error else "ok"),
                ended_ns=self._tick(),
                end_seq=self._next_seq(),
                output=what.pop("output", None),
                **what,
            )
        )

    def model(
        self,
        history: list[Message],
        said: Message | None,
        *,
        tools: list[dict[str, Any]] | None = None,
        usage: Usage | None = None,
        model: str = "gpt-4.1-mini",
        stream: bool = False,
        source: Source = "live",
        matched: str | None = None,
        cost: float | None = 0.0021,
        raw_reply: bytes | None = None,
    ) -> StepStart:
        """One OpenAI Chat call; `said` None leaves it running."""
        used = usage or Usage(120 + 40 * len(history), 25, 0, None)
        body = self._splitter.split(
            openai_wire.request_body(history, tools or [], model), ("messages",)
        )
        start = self._start(
            "model",
            f"chat {model}",
            reply_summary(history[-1:]),
            input=Request("POST", openai_wire.URL, openai_wire.REQUEST_HEADERS, body),
            api="openai.chat",
            model=model,
            provider="openai",
            source=source,
            matched_step=matched,
            callsite="support_agent.py:41 answer",
            search_text=searchable(history[-1:]),
            detail={
                "stream": stream,
                "messages": len(history),
                "tools_offered": [tool["name"] for tool in tools or []],
            },
        )
        if said is None:
            return start
        chunks = (
            openai_wire.reply_events(said, used, model, start.n)
            if stream
            else [raw_reply or openai_wire.reply_body(said, used, model, start.n)]
        )
        spread = tuple(90_000 + 9_000 * at for at in range(len(chunks)))
        self._end(
            start,
            output=Reply(200, openai_wire.REPLY_HEADERS, tuple(chunks), spread, True),
            output_messages=encode([{"finish_reason": "stop", **said}])[0],
            usage=used if source == "live" else None,
            cost_usd=cost if source == "live" else None,
            ttft_ms=90.0 if stream else None,
            model=f"{model}-2025-04-14",
            summary=reply_summary([said]),
            search_text=searchable([said]),
            detail={"http_status": 200, "response_id": f"chatcmpl-{start.n:04d}"},
        )
        return start

    def tool(
        self,
        name: str,
        arguments: dict[str, Any],
        output: Any = None,
        *,
        error: ErrorInfo | None = None,
        effect: Effect = "external",
        source: Source = "live",
        matched: str | None = None,
        running: bool = False,
    ) -> StepStart:
        """One tool execution; `running` leaves it without an end."""
        summary = call_summary(name, arguments)
        data, _ = encode(arguments)
        start = self._start(
            "tool", name, summary, input=Value(data), effect=effect, source=source,
            matched_step=matched, search_text=summary,
        )  # fmt: skip
        if not running:
            self._finish(start, output, error)
        return start

    def _finish(self, start: StepStart, output: Any, error: ErrorInfo | None) -> None:
        if error is not None:
            summary = f"{start.summary} {error_summary(error.type, error.message)}"
            self._end(start, error=error, summary=summary)
            return
        data, fidelity = encode(output)
        summary = clip(f"{start.summary} ⇒ {value_summary(output, 100)}", 240)
        self._end(start, output=Value(data), fidelity=fidelity, summary=summary)

    def note(self, words: str, **values: Any) -> None:
        """A remark of the program."""
        values_given = Value(encode(values)[0])
        start = self._start("note", words, clip(words, 240), input=values_given)
        self._end(start)

    def noted(self, n: int, kind: NotedKind, what: Any) -> None:
        """What happened around step `n`; 0: outside any step."""
        self._writer.add_noted(Noted(self.id, n, kind, json.dumps(what).encode()))

    @contextmanager
    def agent(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        output: Any = None,
        error: ErrorInfo | None = None,
    ) -> Iterator[StepStart]:
        """An agent; steps made inside the block are its children."""
        start = self._start(
            "agent", name, call_summary(name, arguments), input=Value(encode(arguments)[0])
        )
        self._enclosing.append((start.id, start.slot.child_path()))
        yield start
        self._enclosing.pop()
        self._finish(start, output, error)

    def enter(self, name: str, arguments: dict[str, Any]) -> None:
        """An agent that is never left: its run stays open or was interrupted."""
        self.agent(name, arguments).__enter__()

    def end(
        self, status: RunStatus, output: Any = None, error: ErrorInfo | None = None, **more: Any
    ) -> str:
        """Close the run; returns its id."""
        value = None if output is None else Value(encode(output)[0])
        end = RunEnd(self.id, status, self._tick(), value, error)
        self._writer.end_run(replace(end, **more))
        return self.id


def _asked(given: Value | Request) -> bytes:
    if isinstance(given, Value):
        return canonical_document(given.data)
    return given.body.canonical + (given.body.rest_canonical or b"")
