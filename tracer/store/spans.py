"""How a stretch of time is divided for a chart: whole hours, days, weeks, months or years here."""

from datetime import UTC, date, datetime, timedelta

_SECOND = 10**9
_HOUR, _DAY = 3600, 86_400
_LATEST = 4_000_000_000  # seconds: in 2096; a hostile file may hold any time
# The parts, by how many seconds at most are divided so.
_FINE = ((2 * _HOUR, 300), (2 * _DAY, _HOUR))
_COARSE = ((61 * _DAY, "day"), (60 * 7 * _DAY, "week"), (60 * 30 * _DAY, "month"))
_DAYS = {"day": 1, "week": 7, "month": 32, "year": 367}


def edges(first_ns: int, last_ns: int) -> list[int]:
    """Where the parts begin, and where the last one ends; both times lie within."""
    first, last = (max(0, min(ns // _SECOND, _LATEST)) for ns in (first_ns, last_ns))
    for most, step in _FINE:
        if last - first <= most:
            begin = first - first % step
            return [at * _SECOND for at in range(begin, last + step + 1, step)]
    unit = next((unit for most, unit in _COARSE if last - first <= most), "year")
    day = _begin(datetime.fromtimestamp(first, UTC).astimezone().date(), unit)
    found = [_ns(day)]
    while found[-1] <= last * _SECOND:
        day = _begin(day + timedelta(days=_DAYS[unit]), unit)
        found.append(_ns(day))
    return found


def _begin(day: date, unit: str) -> date:
    match unit:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)
        case _:
            return day


def _ns(day: date) -> int:
    return round(datetime(day.year, day.month, day.day).astimezone().timestamp()) * _SECOND
