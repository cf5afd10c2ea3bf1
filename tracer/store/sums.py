"""How rows are added up, of runs and of steps alike."""

from collections.abc import Iterable

# Tokens are added as floats: those of a hostile file may be too many for SQLite's integers.
SUMS = (
    "count(*), total(status in ('error', 'interrupted')), sum(cost_usd), sum(input_tokens * 1.0),"
    " sum(output_tokens * 1.0)"
)
Middle = tuple[float | None, float | None]  # median and 95th percentile, in milliseconds

UNKNOWN: Middle = (None, None)


def middles(rows: Iterable[tuple[str | None, int | None]]) -> dict[str | None, Middle]:
    """The median and the 95th percentile of each group's times (ns).

    Sorted here, because SQLite would sort whole rows.
    """
    groups: dict[str | None, list[int]] = {}
    for group, ns in rows:
        if ns is not None:
            groups.setdefault(group, []).append(ns)
    return {group: middle(sorted(times)) for group, times in groups.items()}


def middle(times: list[int]) -> Middle:
    """The same of one group's times, which are sorted."""
    count = len(times)
    if not count:
        return UNKNOWN
    return times[(count - 1) // 2] / 10**6, times[(count * 95 - 1) // 100] / 10**6


def whole(count: float | None) -> int | None:
    """A sum as a count."""
    return None if count is None else int(count)


def ms(ns: float | None) -> float | None:
    """Milliseconds of nanoseconds."""
    return None if ns is None else ns / 10**6
