"""What a run adds to a streamed call through the `openai` client, at the pace of a real model."""

import time
from collections.abc import Iterator

from openai import OpenAI

import tracer
from benchmarks.payloads import MODEL, TOOLS, opening
from benchmarks.processes import helper
from benchmarks.rows import Row, Target, compared

ROUNDS = 15
QUICK_ROUNDS = 1
AGAINST = "the same call outside any run"


def measure(*, quick: bool) -> Iterator[Row]:
    """Rows: the whole call, its first chunk, and the CPU of the thread that makes it."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    with helper("paced_server") as port:
        client = OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="local", max_retries=0)
        with client:
            pairs = [_round(client, number) for number in range(-1, rounds)][1:]
    for at, name, target in (
        (0, "whole call", Target("ratio", 1.03)),
        (1, "first chunk", None),
        (2, "CPU of the agent's thread", None),
    ):
        values = [(ours[at], other[at]) for ours, other in pairs]
        yield compared(f"streamed openai call: {name}", "ms", values, AGAINST, target)


def _round(client: OpenAI, number: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """One call in a run and one outside, in turned order."""
    if number % 2:
        other = _call(client)
        return _in_run(client), other
    return _in_run(client), _call(client)


def _in_run(client: OpenAI) -> tuple[float, ...]:
    with tracer.run("benchmark"):
        return _call(client)


def _call(client: OpenAI) -> tuple[float, ...]:
    """Milliseconds of a call, to its first chunk, and of CPU."""
    began, cpu = time.perf_counter(), time.thread_time()
    first = None
    stream = client.chat.completions.create(
        model=MODEL,
        messages=opening(),  # type: ignore[arg-type]
        tools=TOOLS,  # type: ignore[arg-type]
        stream=True,
    )
    for _ in stream:
        first = first or time.perf_counter() - began
    whole, cpu = time.perf_counter() - began, time.thread_time() - cpu
    assert first is not None
    return whole * 1e3, first * 1e3, cpu * 1e3
