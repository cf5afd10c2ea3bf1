"""What varies by itself between two executions: dates, ids, the order of the same things. Pure.

A rule says what is to be ignored when a question is compared with the recorded one: one of the
`NAMES`; a place (`messages[0].parts[0].content`, `[*]` for any item) with what lies below it, after
a dot where it is called like one of the names (`.date`); or `/regular expression/`, whose matches
count as equal.
"""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tracer.core.diff import Change
from tracer.errors import UsageError

_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
_DAY = r"\b(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\b\.?,?"
_CLOCK = (
    r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]\.?m\.?)?(?:\s?(?:z|utc|gmt|[+-]\d{2}:?\d{2}))?"
)
_DATE = re.compile(
    rf"\d{{4}}-\d{{2}}-\d{{2}}(?:[t ]{_CLOCK})?"
    rf"|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}"
    rf"|\d{{1,2}}\.?(?:st|nd|rd|th)? {_MONTH},? \d{{4}}"
    rf"|{_MONTH} +\d{{1,2}} +{_CLOCK} +\d{{4}}"
    rf"|{_MONTH} +\d{{1,2}}(?:st|nd|rd|th)?(?:,? +\d{{4}})?"
    rf"|{_DAY}|{_CLOCK}"
    r"|\b1[0-9]{9}(?:\.\d+|\d{3}|\d{6}|\d{9})?\b",  # seconds, ms, µs or ns since 1970
    re.I,
)
_UUID = re.compile(r"\b[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\b", re.I)
_ID = re.compile(r"\b(?=[\w-]*\d)(?=[\w-]*[A-Za-z])[\w-]{8,}\b")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)*(?:e[+-]?\d+)?", re.I)
_WORD = re.compile(r"\w+|[^\w\s]")

# Name: its pattern, and what it is called in a sentence. The narrowest first.
NAMES = {
    "date": (_DATE, "a date or time"),
    "uuid": (_UUID, "a random id (uuid)"),
    "id": (_ID, "an id"),
    "number": (_NUMBER, "a number"),
}


def likely_cause(change: Change) -> tuple[str, str] | None:
    """What makes two values differ, where that can be told from them: a name (of `NAMES`, or
    "order") and its words."""
    if change.added or change.removed:
        return None
    old, new = change.old, change.new
    if isinstance(old, str) and isinstance(new, str):
        for name, (pattern, words) in NAMES.items():
            if _without(pattern, old) == _without(pattern, new):
                return name, words
        same = Counter(_WORD.findall(old)) == Counter(_WORD.findall(new))
        return ("order", "the order of the same things") if same else None
    if _is_number(old) and _is_number(new):
        return "number", NAMES["number"][1]
    return None


def _without(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub("\0", text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def rule_for(path: str) -> str:
    """The rule that ignores a place and what lies below it; "" is all there is."""
    return f".{path}" if path in NAMES or not path else path


@dataclass(frozen=True, slots=True)
class Ignore:
    """One rule, as the user wrote it (`text`)."""

    text: str
    place: re.Pattern[str] | None = None
    pattern: re.Pattern[str] | None = None

    @classmethod
    def parse(cls, text: str) -> "Ignore":
        """Raises UsageError for a regular expression that is none, and for nothing."""
        if text in NAMES:
            return cls(text, pattern=NAMES[text][0])
        if len(text) > 2 and text.startswith("/") and text.endswith("/"):
            try:
                return cls(text, pattern=re.compile(text[1:-1]))
            except re.error as error:
                raise UsageError(f"--ignore {text}: {error}; mend the expression") from None
        if not text.strip():
            raise UsageError(f"--ignore is empty: give {', '.join(NAMES)}, a place or /…/")
        place = re.escape(text.strip().removeprefix(".")).replace(r"\[\*\]", r"\[\d+\]")
        below = r"(?:[.\[].*)?" if place else ".*"
        return cls(text, place=re.compile(place + below, re.S))

    def settles(self, change: Change) -> bool:
        """Whether the change is one that this rule ignores."""
        if self.place is not None:
            return self.place.fullmatch(change.path) is not None
        old, new = change.old, change.new
        if self.pattern is None or change.added or change.removed:
            return False
        if _is_number(old) and _is_number(new):
            old, new = str(old), str(new)
        if not (isinstance(old, str) and isinstance(new, str)):
            return False
        return _without(self.pattern, old) == _without(self.pattern, new)
