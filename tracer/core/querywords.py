"""Amounts and times as a person writes them in a filter. Pure."""

import re
from datetime import datetime

# Field of the filter language: how its amounts are written.
AMOUNTS = {
    "cost": "dollars, as in cost:>0.1 or cost:0.1..0.5",
    "tokens": "a number, as in tokens:>5000, tokens:>5k or tokens:1k..5k",
    "duration": "a number with ms, s, m or h, as in duration:>10s or duration:1m..5m",
    "steps": "a number, as in steps:>20 or steps:5..10",
}
MOMENTS = ("after", "before")

_NUMBER = r"(\d{1,15}(?:\.\d{0,12})?|\.\d{1,12})"
_PLAIN = re.compile(rf"\$?{_NUMBER}([kKM]?)\Z", re.ASCII)
_TIME = re.compile(rf"{_NUMBER}(ms|s|m|min|h|d)?\Z", re.ASCII)
_SCALE = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6}
_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGE = re.compile(r"(\d{1,5})(m|min|h|d|w)\Z", re.ASCII)
_AGE_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ISO = re.compile(
    r"\d{4}-\d\d-\d\d(?:[Tt]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d\d:\d\d)?)?\Z", re.ASCII
)
DAYS = {"today": 0, "yesterday": 1}
_YEARS = range(1971, 2262)  # what nanoseconds in 64 bits can tell, in every zone


def amount(field: str, text: str) -> float | None:
    """Dollars, tokens, milliseconds or steps; None when the text is no such amount."""
    if field == "duration":
        found = _TIME.match(text)
        return None if found is None else float(found[1]) * _MILLISECONDS[found[2] or "s"]
    found = _PLAIN.match(text)
    if found is None or (text.startswith("$") and field != "cost"):
        return None
    return float(found[1]) * _SCALE[found[2]]


def check_moment(text: str) -> bool:
    """Whether `moment` can tell what is meant."""
    return age_seconds(text) is not None or text.lower() in DAYS or iso(text) is not None


def age_seconds(text: str) -> int | None:
    """Seconds of `7d`, `12h`, `90m`, `2w`; None for anything else."""
    found = _AGE.match(text)
    return None if found is None else int(found[1]) * _AGE_SECONDS[found[2]]


def iso(text: str) -> datetime | None:
    """`2026-11-01` or `2026-11-01T14:30`, without a zone in that of the reader."""
    if _ISO.match(text) is None:
        return None
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return found if found.year in _YEARS else None
