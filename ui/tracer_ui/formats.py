"""How numbers, times and sizes are written. Pure; one rule each, used by every template."""

from datetime import UTC, datetime

DASH = "–"
_KB = 1000


def duration(ms: float | None) -> str:
    """Milliseconds as `820 ms`, `2.28 s`, `3 m 04 s` or `2 h 05 m`; a dash when unknown."""
    if ms is None:
        return DASH
    sign, ms = ("−", -ms) if ms < 0 else ("", ms)
    if ms < 1:
        return f"{sign}<1 ms"
    if ms < 999.5:
        return f"{sign}{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 9.995:
        return f"{sign}{seconds:.2f} s"
    if seconds < 59.95:
        return f"{sign}{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{sign}{minutes} m {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours} h {minutes:02d} m"


def cost(usd: float | None) -> str:
    """US dollars: cents from $1 up, two significant digits below; a dash when unknown."""
    if usd is None:
        return DASH
    sign, usd = ("−", -usd) if usd < 0 else ("", usd)
    if usd == 0:
        return "$0"
    if usd >= 0.995:
        return f"{sign}${usd:,.2f}"
    digits = 2
    while digits < 12 and round(usd, digits) < 10 ** (1 - digits):
        digits += 1
    return f"{sign}${usd:.{digits}f}"


def number(value: int | None) -> str:
    """An integer with thousands separators; a dash when unknown."""
    return DASH if value is None else f"{value:,}"


def size(count: int) -> str:
    """A number of bytes or characters: `512 B`, `10 kB`, `2.4 MB`."""
    if count < _KB:
        return f"{count} B"
    value, unit = count / _KB, "kB"
    if value >= _KB - 0.5:
        value, unit = value / _KB, "MB"
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 step`, `42 steps`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def unquoted(text: str) -> str:
    """JSON text as a person reads it in a list: a plain string without its quotes."""
    plain = text[1:-1]
    is_string = len(text) > 2 and text[0] == text[-1] == '"'
    return plain if is_string and "\\" not in plain and plain.strip() == plain else text


def iso(ns: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 in UTC, for `<time datetime>`."""
    return _moment(ns).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(ns: int) -> str:
    """The local time of day with milliseconds, as `10:00:02.280`."""
    return _moment(ns).astimezone().strftime("%H:%M:%S.%f")[:-3]


def moment(ns: int) -> str:
    """The local date and time, as `21 Sep 2026, 10:00:02`."""
    return _moment(ns).astimezone().strftime("%d %b %Y, %H:%M:%S")


def when(ns: int, now_ns: int) -> str:
    """When a run started, as a list says it: the time today, else the date and the time."""
    then = _moment(ns).astimezone()
    now = _moment(now_ns).astimezone()
    if then.date() == now.date():
        return then.strftime("%H:%M:%S")
    if then.year == now.year:
        return then.strftime("%d %b %H:%M")
    return then.strftime("%Y-%m-%d")


def stretch(start_ns: int, end_ns: int) -> str:
    """A part of a chart by where it begins: an hour, a day, a month, a year."""
    days = (end_ns - start_ns) / 86_400e9
    if days < 0.9:
        pattern = "%d %b %H:%M"
    else:
        pattern = "%d %b" if days < 8 else "%b %Y" if days < 40 else "%Y"
    return _moment(start_ns).astimezone().strftime(pattern)


def minute(ns: int) -> str:
    """The local date and time as filters have them: `2026-09-21T10:00`."""
    return _moment(ns).astimezone().strftime("%Y-%m-%dT%H:%M")


def _moment(ns: int) -> datetime:
    # A hostile bundle may carry any integer; a clock that shows the epoch beats an error page.
    try:
        return datetime.fromtimestamp(ns / 1e9, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, tz=UTC)


def difference(a: float | None, b: float | None) -> float | None:
    """`b - a` when both are known."""
    return None if a is None or b is None else b - a


def signed(text: str, value: float | None) -> str:
    """Put a plus before the text of a positive difference."""
    return f"+{text}" if value is not None and value > 0 else text
