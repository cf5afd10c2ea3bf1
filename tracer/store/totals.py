"""What a run adds up from its steps. One model call inside another is the same call seen twice:
the outer one counts, and its usage does too, unless only the inner one knows it.
"""

import re
import sqlite3

from tracer.core.records import Usage

_INSIDE_MODEL = re.compile(r"(?:^|/)model\d+(?=/|$)")

_STARTED = (
    "update run set steps = steps + 1, model_calls = model_calls + ?,"
    " tool_calls = tool_calls + ?, last_step_ns = max(coalesce(last_step_ns, 0), ?)"
    " where key = ?"
)
_ENDED = "update run set last_step_ns = max(coalesce(last_step_ns, 0), ?) where key = ?"

_SUMMED = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "cache_write_tokens",
)


def of(usage: Usage) -> tuple[int | None, ...]:
    """The counts in the order of the columns and of `Usage`'s fields."""
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.reasoning_tokens,
        usage.cache_write_tokens,
    )


def columns(usage: Usage | None) -> tuple[int | None, ...]:
    """Token counts in the order of the columns."""
    return (None,) * len(_SUMMED) if usage is None else of(usage)


def started(conn: sqlite3.Connection, run: int, kind: str, path: str, now_ns: int) -> None:
    """Count a step that starts."""
    asks = kind == "model" and _INSIDE_MODEL.search(path) is None
    conn.execute(_STARTED, (asks, kind == "tool", now_ns, run))


def ended(conn: sqlite3.Connection, run: int, now_ns: int) -> None:
    """Note when a run's last step ended."""
    conn.execute(_ENDED, (now_ns, run))


def count_call(conn: sqlite3.Connection, run: int, key: int, path: str, inner_path: str) -> None:
    """Add a model call's usage and cost to its run, unless a call around it already did.

    `path` is the scope the call stands in, `inner_path` the one it opens.
    """
    if any(_is_counted(conn, run, *around) for around in _calls_around(path)):
        return
    # Everything below the path sorts between "path/" and "path0" ("0" follows "/").
    inner = conn.execute(
        "select key from step where run = ? and counted and (path = ? or path > ? and path < ?)",
        (run, inner_path, inner_path + "/", inner_path + "0"),
    ).fetchall()
    for (inner_key,) in inner:
        _add(conn, inner_key, -1)
        conn.execute("update step set counted = 0 where key = ?", (inner_key,))
    conn.execute("update step set counted = 1 where key = ?", (key,))
    _add(conn, key, 1)


def set_cost(conn: sqlite3.Connection, key: int, cost_usd: float) -> None:
    """Replace the cost of a counted call."""
    _add(conn, key, -1)
    conn.execute("update step set cost_usd = ? where key = ?", (cost_usd, key))
    _add(conn, key, 1)


_ADD = (
    "update run set "
    + "".join(
        f"{column} = case when s.{column} is null then run.{column}"
        f" else coalesce(run.{column}, 0) + ?2 * s.{column} end, "
        for column in _SUMMED
    )
    # Rounded, because adding and taking away floats leaves dust.
    + "cost_usd = case when s.cost_usd is null then run.cost_usd"
    " else round(coalesce(run.cost_usd, 0) + ?2 * s.cost_usd, 12) end,"
    " unpriced = unpriced + ?2 * (s.cost_usd is null)"
    " from step as s where s.key = ?1 and run.key = s.run"
)


def _add(conn: sqlite3.Connection, key: int, sign: int) -> None:
    conn.execute(_ADD, (key, sign))


def _calls_around(path: str) -> list[tuple[str, int]]:
    """`(scope, ordinal)` of each model call a scope lies in, from its path alone."""
    around = []
    for match in _INSIDE_MODEL.finditer(path):
        segment = match.group().lstrip("/")
        around.append((path[: match.start()], int(segment.removeprefix("model"))))
    return around


def _is_counted(conn: sqlite3.Connection, run: int, path: str, ordinal: int) -> bool:
    row = conn.execute(
        "select counted from step where run = ? and path = ? and kind = 'model'"
        " and ordinal = ? and counted",
        (run, path, ordinal),
    ).fetchone()
    return row is not None
