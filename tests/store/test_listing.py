"""The list of runs: each filter against a database in which one can count, orders, pages."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_runquery import terms
from tests.store.build import (
    SECOND,
    model_start,
    patient,
    run_end,
    run_id,
    run_start,
    step_end,
    step_start,
    used,
)
from tests.store.test_reading import numbers
from tracer.core.records import ErrorInfo
from tracer.core.runquery import ORDERS, RunOrder, RunQuery, Term, parse
from tracer.store import filtering
from tracer.store.labels import Labels
from tracer.store.migrations import MIGRATIONS
from tracer.store.pruning import prune
from tracer.store.reading import Store
from tracer.store.writes import Value
from tracer.store.writing import StoreWriter

SCHEMA = ";\n".join(sql for statements in MIGRATIONS.values() for sql in statements)
DAY = 86_400 * SECOND
BEGAN = 1_790_000_000 * SECOND  # 2026-09-21T14:13:20Z


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def filled(path: Path, writer: StoreWriter) -> Store:
    """Seven runs, a day apart from each other; see the table below."""
    refused = ErrorInfo("shop.RefundRefused", "not today")
    tools = ["lookup", "refund", "Refund", "lookup", "lookup", "re%fund", "x"]
    models = ["gpt-4.1", "gpt-4.1-mini", "claude-5", None, "gpt-4.1", None, None]
    states = ["ok", "error", "ok", "interrupted", "stopped", "ok", ""]
    for n in range(1, 8):
        more: dict[int, dict[str, Any]] = {
            3: {"parent_run": run_id(1), "fork": {"step": 1}},
            4: {"parent_run": run_id(2)},
            5: {"origin": "imported"},
            7: {"pid": os.getpid()},
        }
        start = BEGAN + n * DAY
        name = "nightly triage" if n == 6 else f"Agent {n % 2}"
        asked = Value(b'"lamp number %d"' % n)
        writer.start_run(run_start(n, started_ns=start, name=name, input=asked, **more.get(n, {})))
        writer.start_step(step_start(1, n, name=tools[n - 1], search_text=f"100% of {n}_x"))
        failed = {"status": "error", "error": refused} if n in (1, 2) else {}
        writer.end_step(step_end(1, n, **failed))
        if models[n - 1]:
            writer.start_step(model_start(2, n, model="alias", provider="openai"))
            cost = None if n == 3 else n / 10
            end = step_end(2, n, model=models[n - 1], usage=used(1000 * n), cost_usd=cost)
            writer.end_step(end)
        if n == 5:
            writer.start_step(step_start(3, n, kind="note", name="a thought"))
        if states[n - 1]:
            diverged = ({"n": 1, "kind": "order"},) if n == 4 else ()
            error = refused if n == 2 else None
            end_ns = start + n * 10 * SECOND
            writer.end_run(
                run_end(n, status=states[n - 1], ended_ns=end_ns, error=error, divergences=diverged)
            )
    labels = Labels(path)
    labels.pin([run_id(2), run_id(6)], pinned=True)
    labels.tag([run_id(1), run_id(2)], ["to-fix"])
    labels.tag([run_id(6)], ["Slow"])
    labels.note(run_id(6), "ask Ana about 50%_off")
    return Store.open(path)


QUERIES = [
    ("", [7, 6, 5, 4, 3, 2, 1]),
    ("status:ok", [6, 3, 1]),
    ("-status:ok", [7, 5, 4, 2]),
    ("status:failed", [4, 2]),
    ("status:error,stopped", [5, 2]),
    ("status:running", [7]),
    ("-status:running,ok", [5, 4, 2]),
    ("tool:lookup", [5, 4, 1]),
    ("tool:refund", [3, 2]),  # in any case
    ("-tool:lookup", [7, 6, 3, 2]),
    ("tool:re*", [6, 3, 2]),
    ("tool:re%fund", [6]),  # nothing but the star means something
    ("tool:re?und", []),
    ("tool:[rl]*", []),
    ("tool:lookup,x", [7, 5, 4, 1]),
    ("model:gpt*", [5, 2, 1]),
    ("model:gpt-4.1", [5, 1]),
    ("model:alias", [5, 3, 2, 1]),  # what was asked for as well as what answered
    ("provider:openai", [5, 3, 2, 1]),
    ("agent:x", []),
    ("name:agent*", [7, 5, 4, 3, 2, 1]),
    ('name:"Nightly Triage"', [6]),
    ("name:nightly", []),  # the whole name, unless a star says otherwise
    ("tag:to-fix", [2, 1]),
    ("tag:slow", [6]),
    ("-tag:*", [7, 5, 4, 3]),
    ("id:2", [2]),
    (f"id:{run_id(3)[:9]}*,{run_id(4)}", [4, 3]),
    ("cost:>0.1", [5, 2]),
    ("cost:0.1", [1]),
    ("cost:0.1..0.2", [2, 1]),
    ("cost:<100", [5, 2, 1]),  # an unknown cost is not less than anything
    ("-cost:>0.1", [7, 6, 4, 3, 1]),
    ("tokens:>=2001 tokens:<5k", [3, 2]),
    ("duration:>40s", [6, 5]),
    ("duration:10s..20000ms", [2, 1]),
    ("steps:>1", [5, 3, 2, 1]),
    ("has:error", [2, 1]),  # also one that was recovered
    ("has:note", [6, 5]),  # the program's and a person's
    ("-has:note", [7, 4, 3, 2, 1]),
    ("has:fork", [2, 1]),
    ("has:divergence", [4]),
    ("has:tag", [6, 2, 1]),
    ("has:tag,divergence", [6, 4, 2, 1]),
    ("is:original", [7, 6, 5, 2, 1]),
    ("is:fork", [3]),
    ("is:replay", [4]),
    ("is:fork,replay", [4, 3]),
    ("-is:fork", [7, 6, 5, 4, 2, 1]),
    ("is:imported", [5]),
    ("is:pinned", [6, 2]),
    ("is:deleted", []),
    ("after:2026-09-27", [7, 6]),
    ("before:2026-09-23", [1]),
    ("after:2026-09-24T14:13:20 before:2026-09-25T16:13:20+02:00", [3]),
    ("lamp", [7, 6, 5, 4, 3, 2, 1]),
    ("lamp -status:ok", [7, 5, 4, 2]),
    ('"lamp number 3"', [3]),
    ('"number lamp"', []),
    ("RefundRefused", [2]),
    ("-refundrefused has:error", [1]),
    ("ana", [6]),  # in a note
    ("0%_o", [6]),
    ("5%off", []),
    ("50_", []),
    ("tool:lookup model:gpt* -status:stopped", [1]),
]


@pytest.mark.usefixtures("utc")
def test_each_filter(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether few rows fit or, as `_FEW` says then, many: the answer is the same."""
    for few in (filtering._FEW, 0):
        monkeypatch.setattr(filtering, "_FEW", few)
        for text, expected in QUERIES:
            assert numbers(filled, query=text) == expected, (text, few)
            assert filled.count_runs(parse(text)) == len(expected), (text, few)


def test_times_ago(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracer.store.listing.time.time_ns", lambda: BEGAN + 8 * DAY)
    assert numbers(filled, query="after:2d") == [7, 6]
    assert numbers(filled, query="before:1w") == []
    assert numbers(filled, query="after:yesterday") == [7]
    assert numbers(filled, query="after:today") == []


def test_orders(filled: Store) -> None:
    assert numbers(filled, order="cost")[:3] == [5, 2, 1]
    assert numbers(filled, order="tokens")[:4] == [5, 3, 2, 1]
    assert numbers(filled, order="duration") == [6, 5, 4, 3, 2, 1, 7]
    assert numbers(filled, order="steps", query="steps:>1") == [5, 3, 2, 1]
    for by in ORDERS:
        down = numbers(filled, order=by)
        assert numbers(filled, order=RunOrder(by, up=True)) == down[::-1]


@pytest.mark.parametrize("text", ["", "-status:error", "tool:*", "lamp", "cost:<9"])
def test_pages_in_every_order(filled: Store, text: str) -> None:
    for by in ORDERS:
        for order in (RunOrder(by), RunOrder(by, up=True)):
            whole = filled.runs(query=text, order=order)
            seen, before = [], None
            while page := filled.runs(query=text, order=order, limit=2, before=before):
                seen += page
                before = page[-1].id
            assert seen == whole


def test_counting(filled: Store) -> None:
    assert filled.count_runs(most=3) == 3
    assert filled.count_runs(after=run_id(5)) == 2
    assert filled.count_runs(parse("status:running"), after=run_id(6)) == 1


@patient
@given(found=st.lists(terms(), max_size=4).map(tuple))
def test_any_query_is_answered(found: tuple[Term, ...]) -> None:
    with closing(sqlite3.connect(":memory:")) as conn:
        conn.create_function("run_status_now", 3, lambda *_: "running")
        conn.executescript(SCHEMA)
        made = filtering.conditions(conn, RunQuery(found), now_ns=BEGAN)
        conn.execute(f"select 1 from run where {made.where}", made.parameters).fetchall()


def test_families(filled: Store, writer: StoreWriter) -> None:
    writer.start_run(run_start(8, started_ns=BEGAN + 9 * DAY, parent_run=run_id(3)))
    found = filled.families(map(run_id, range(1, 10)))
    assert set(found) == {run_id(n) for n in (1, 2, 3, 4, 8)}
    family = found[run_id(3)]
    assert family.members == ((run_id(1), 0), (run_id(3), 1), (run_id(8), 2))
    assert (family.root, family.newest) == (run_id(1), run_id(8))
    assert found[run_id(2)].members == ((run_id(2), 0), (run_id(4), 1))


def test_a_family_in_a_circle_ends(writer: StoreWriter, store: Store) -> None:
    """Only a hostile file has one."""
    for n, parent in ((1, 3), (2, 1), (3, 2)):
        writer.start_run(run_start(n, parent_run=run_id(parent)))
    found = store.families([run_id(2)])
    members = dict(found[run_id(2)].members)
    assert set(members) == set(map(run_id, (1, 2, 3)))
    assert sorted(members.values()) == [0, 1, 2]


def test_what_is_deleted_is_gone_from_lists_and_can_come_back(filled: Store, path: Path) -> None:
    labels = Labels(path)
    count, when = labels.delete([run_id(2), run_id(3), run_id(7), "f" * 32])
    assert count == 2  # one is under way, one isn't there
    assert filled.thrown_away(when) == 2
    assert numbers(filled) == [7, 6, 5, 4, 1]
    assert numbers(filled, query="is:deleted") == [3, 2]
    assert numbers(filled, query="is:deleted tag:to-fix") == [2]
    assert numbers(filled, search="lamp", failed=True) == [4]
    assert filled.forks_of(run_id(1)) == []
    assert filled.families([run_id(1)]) == {}
    assert filled.families([run_id(4)])[run_id(4)].members == ((run_id(4), 0),)
    assert filled.find_run(run_id(2)).id == run_id(2)  # who has its address still sees it
    assert labels.restore(deleted_ns=when) == 2
    assert labels.restore([run_id(1)]) == 1  # was not there
    assert numbers(filled) == [7, 6, 5, 4, 3, 2, 1]


def test_last_is_never_in_the_trash(writer: StoreWriter, store: Store, path: Path) -> None:
    for n in (1, 2):
        writer.start_run(run_start(n))
        writer.end_run(run_end(n, status="error"))
    Labels(path).delete([run_id(2)])
    assert store.find_run("last").id == run_id(1)
    assert store.find_run("last-failed").id == run_id(1)


def test_pruning_spares_pins_and_takes_the_trash(filled: Store, path: Path) -> None:
    Labels(path).delete([run_id(1)])
    assert set(prune(path, trash=True).runs) == {run_id(1)}
    Labels(path).delete([run_id(5)])
    assert set(prune(path, keep=2).runs) == {run_id(5), run_id(4), run_id(3)}
    assert numbers(filled) == [7, 6, 2]
    assert prune(path, max_bytes=1).runs == ()
    assert prune(path, [run_id(2)]).runs == (run_id(2),)
    with closing(sqlite3.connect(path)) as conn:
        for table, column in (("facet", "run"), ("label", "run"), ("step", "run")):
            rows = conn.execute(f"select distinct {column} from {table}")
            assert {n for (n,) in rows} <= {6, 7}, table
