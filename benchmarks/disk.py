"""Bytes on disk a step: does a long conversation cost more of them than a short one?"""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import tracer
from benchmarks import agents
from benchmarks.payloads import MODEL, TOOLS, Script, opening
from benchmarks.rows import Row, Target, compared
from tracer.capture import config, decorators, runtime

SIZES = (100, 1000)
QUICK_SIZES = (10, 40)


def measure(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Rows: growth of what tracer stores, of whole requests stored call by call, and the two
    against each other. Files are written into `folder`.
    """
    short, long = QUICK_SIZES if quick else SIZES
    stored = {steps: _recorded(folder / f"recorded-{steps}.db", steps) for steps in (short, long)}
    naive = {steps: _naive(folder / f"naive-{steps}.db", steps) for steps in (short, long)}
    unit = "bytes/step"
    yield compared(
        f"database at {long:,} steps",
        unit,
        [(stored[long] / long, stored[short] / short)],
        f"at {short:,} steps",
        Target("ratio", 1.1),
    )
    yield compared(
        f"whole requests, zlib, at {long:,} steps",
        unit,
        [(naive[long] / long, naive[short] / short)],
        f"at {short:,} steps",
    )
    yield compared(
        f"database instead of whole requests, at {long:,} steps",
        unit,
        [(stored[long] / long, naive[long] / long)],
        "whole requests, zlib",
    )


def _recorded(path: Path, steps: int) -> int:
    """Size of the database of one recorded conversation over HTTP."""
    script = Script(steps)
    config.init(db=path)
    with tracer.run("benchmark"):
        ask = agents.model_over_http(script, agents.mock_client(script))
        agents.converse(script, ask, decorators.tool(agents.tool_function(script)))
    runtime.flush()
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("pragma wal_checkpoint(truncate)")
    return path.stat().st_size


def _naive(path: Path, steps: int) -> int:
    """Size of a database with a row a step that holds all that was sent, each packed by itself."""
    script = Script(steps)
    messages = opening()
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("create table step (id integer primary key, asked blob, said blob)")
        put = "insert into step (asked, said) values (?, ?)"
        for turn in range(script.turns):
            body = {"model": MODEL, "messages": messages, "tools": TOOLS}
            packed = zlib.compress(json.dumps(body).encode(), 1)
            conn.execute(put, (packed, zlib.compress(script.wire[turn], 1)))
            said = script.said[turn]
            call = said["tool_calls"][0]
            arguments = call["function"]["arguments"].encode()
            conn.execute(put, (arguments, zlib.compress(script.found[turn].encode(), 1)))
            found = {"role": "tool", "tool_call_id": call["id"], "content": script.found[turn]}
            messages += [said, found]
        conn.commit()
    return path.stat().st_size
