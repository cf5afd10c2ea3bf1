"""Columns that add rows up: of runs and of steps alike. `NTH` stands in the query inside."""

# `nth` counts what has ended from the quickest on: the middle one is the median. Tokens are added
# as floats, because those of a hostile file may be too large together for SQLite's integers.
SUMS = (
    "count(*), total(status in ('error', 'interrupted')), sum(cost_usd), sum(input_tokens * 1.0),"
    " sum(output_tokens * 1.0), max(case when nth = (ended + 1) / 2 then ns end),"
    " max(case when nth = (ended * 95 + 99) / 100 then ns end)"
)
NTH = (
    "row_number() over (partition by {by} order by ns is null, ns) as nth,"
    " count(ns) over (partition by {by}) as ended"
)


def whole(count: float | None) -> int | None:
    """A sum as a count."""
    return None if count is None else int(count)


def ms(ns: float | None) -> float | None:
    """Milliseconds of nanoseconds."""
    return None if ns is None else ns / 10**6
