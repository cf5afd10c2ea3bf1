"""Rows of `question`: what a re-execution asks whoever watches, and the answers."""

import json
import sqlite3
import time
from typing import Any

from tracer.core.questions import Question
from tracer.core.records import JSON
from tracer.store import blobs, runs

_COLUMNS = "run.id, question.id, kind, question.name, asked_ns, about, state, answer, seen_ns"
_FROM = "from question join run on question.run = run.key"


def add(conn: sqlite3.Connection, asked: Question) -> None:
    """Insert an open question. Raises NotFoundError when its run's start was never written."""
    conn.execute(
        "insert into question (run, id, kind, name, about, asked_ns, seen_ns, state)"
        " values (?, ?, ?, ?, ?, ?, ?, 'open')",
        (
            runs.key_of(conn, asked.run_id),
            asked.id,
            asked.kind,
            asked.name,
            blobs.put_json(conn, asked.about),
            asked.asked_ns,
            asked.asked_ns,
        ),
    )


def end(conn: sqlite3.Connection, question_id: str, answer: dict[str, JSON] | None) -> bool:
    """Answer an open question (None: it was given up); False where another was first."""
    done = conn.execute(
        "update question set state = ?, answer = ?, ended_ns = ? where id = ? and state = 'open'",
        (
            "given_up" if answer is None else "answered",
            None if answer is None else blobs.dump(answer),
            time.time_ns(),
            question_id,
        ),
    )
    return done.rowcount == 1


def taken(conn: sqlite3.Connection, question_id: str, answer: dict[str, JSON]) -> None:
    """The process has the answer; from here on only this is kept of it."""
    conn.execute("update question set answer = ? where id = ?", (blobs.dump(answer), question_id))


def seen(conn: sqlite3.Connection, run_id: str) -> None:
    """Somebody is there to answer the open questions of a run."""
    conn.execute(
        "update question set seen_ns = ? where state = 'open'"
        " and run = (select key from run where id = ?)",
        (time.time_ns(), run_id),
    )


def of_run(conn: sqlite3.Connection, run_id: str, state: str | None) -> list[Question]:
    """The questions of a run (in one state), oldest first."""
    rows = conn.execute(
        f"select {_COLUMNS} {_FROM} where run.id = ? and state = coalesce(?, state)"
        " order by question.key",
        (run_id, state),
    )
    return [_question(conn, row) for row in rows.fetchall()]


def one(conn: sqlite3.Connection, question_id: str) -> Question | None:
    """A question by its id."""
    row = conn.execute(
        f"select {_COLUMNS} {_FROM} where question.id = ?", (question_id,)
    ).fetchone()
    return None if row is None else _question(conn, row)


def state(conn: sqlite3.Connection, question_id: str) -> tuple[str, int, int] | None:
    """State, when somebody was last there, and when it was asked: what is looked at again and
    again while it waits."""
    row = conn.execute(
        "select state, seen_ns, asked_ns from question where id = ?", (question_id,)
    ).fetchone()
    return None if row is None else (str(row[0]), int(row[1]), int(row[2]))


def _question(conn: sqlite3.Connection, row: tuple[Any, ...]) -> Question:
    run_id, question_id, kind, name, asked_ns, about, its_state, answer, seen_ns = row
    return Question(
        run_id,
        question_id,
        kind,
        name,
        asked_ns,
        _object(blobs.get(conn, about)) or {},
        its_state,
        _object(answer),
        seen_ns,
    )


def _object(data: bytes | str | None) -> dict[str, JSON] | None:
    found = None if data is None else json.loads(data)
    return found if isinstance(found, dict) else None
