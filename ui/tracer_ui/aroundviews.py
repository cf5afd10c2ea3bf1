"""What happened around a step as the page shows it: output, log records, touches, variables."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tracer_ui.api import Around, Run
from tracer_ui.blocks import Block, Room, text_block
from tracer_ui.formats import clock, plural
from tracer_ui.jsonlines import clip

_MOST_LOGS = 60
_MOST_TOUCHED = 40
_MOST_VALUES = 40
_MOST_PACKAGES = 60
_LEVELS = {"WARNING": "warn", "ERROR": "error", "CRITICAL": "error"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Text of one stream in a row; `stream` is "out", "err" or "" for what was not kept."""

    stream: str
    block: Block


@dataclass(frozen=True, slots=True)
class LogRow:
    """One log record; `tone` is "warn", "error" or ""."""

    at: str
    level: str
    tone: str
    logger: str
    text: str
    where: str
    error: str
    trace: str


@dataclass(frozen=True, slots=True)
class Variables:
    """The local variables of one frame."""

    place: str
    function: str
    values: tuple[tuple[str, str], ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class AroundView:
    """`brief` says in a line how much was written; `open` that all of it is short."""

    printed: tuple[Stretch, ...]
    logs: tuple[LogRow, ...]
    brief: str
    open: bool
    more_logs: int
    touched: tuple[tuple[str, str], ...]
    more_touched: int
    untouched: bool


def around_view(found: Around, room: Room, *, untouched: bool = False) -> AroundView | None:
    """None where nothing happened around the step."""
    if not (found.printed or found.logs or found.touched or untouched):
        return None
    chars = sum(len(item.get("text", "")) for item in found.printed)
    words = [plural(chars, "character")] if found.printed else []
    words += [plural(len(found.logs), "log record")] if found.logs else []
    return AroundView(
        printed=tuple(_stretches(found.printed, room)),
        logs=tuple(_log(item) for item in found.logs[:_MOST_LOGS]),
        brief=" · ".join(words),
        open=chars < 1_500 and len(found.logs) <= 8,
        more_logs=max(0, len(found.logs) - _MOST_LOGS),
        touched=tuple(_touch(item) for item in found.touched[:_MOST_TOUCHED]),
        more_touched=max(0, len(found.touched) - _MOST_TOUCHED),
        untouched=untouched,
    )


def variables_of(found: Around) -> tuple[Variables, ...]:
    """The frames' variables, innermost first: that one is looked at first."""
    return tuple(
        Variables(
            clip(f"{frame['file']}:{frame['line']}", 300),
            clip(frame["function"], 120),
            tuple((clip(n, 80), clip(text, 700)) for n, text in frame["values"][:_MOST_VALUES]),
            frame["left_out"] + max(0, len(frame["values"]) - _MOST_VALUES),
        )
        for frame in reversed(found.frames[-12:])
    )


def environment_facts(run: Run, found: Around) -> tuple[tuple[str, str], ...]:
    """What a run ran in: pairs of label and value, only what is known."""
    known: dict[str, Any] = run.environment | found.environment
    commit = known.get("git")
    packages = known.get("packages")
    facts = [
        ("python", known.get("python")),
        ("commit", _commit(commit, known.get("dirty")) if isinstance(commit, dict) else None),
        ("command", _words(known.get("argv"))),
        ("folder", known.get("cwd")),
        ("environment variables read", _words(known.get("variables"), ", ")),
        ("packages", _packages(packages) if isinstance(packages, dict) else None),
    ]
    return tuple((label, clip(str(shown), 4_000)) for label, shown in facts if shown)


def _stretches(printed: Iterable[dict[str, Any]], room: Room) -> Iterable[Stretch]:
    for item in printed:
        if "left_out" in item:
            words = f"{plural(item['left_out'], 'character')} not kept"
            yield Stretch("", text_block(words, room))
        elif room.full:
            yield Stretch("", text_block("the rest is in the JSON of this step", Room()))
            return
        else:
            yield Stretch(item["stream"], text_block(item["text"].rstrip("\n"), room))


def _log(item: dict[str, Any]) -> LogRow:
    if "left_out" in item:
        words = f"{plural(item['left_out'], 'character')} of records not kept"
        return LogRow("", "", "", "", words, "", "", "")
    at = item.get("at_ns")
    level = clip(item["level"], 20)
    return LogRow(
        "" if at is None else clock(at),
        level,
        _LEVELS.get(level, ""),
        clip(item["logger"], 80),
        clip(item["text"], 2_200),
        clip(item.get("where", ""), 120),
        clip(item.get("error", ""), 600),
        "\n".join(clip(line, 300) for line in item.get("trace", ())[-20:]),
    )


def _touch(item: dict[str, Any]) -> tuple[str, str]:
    if "left_out" in item:
        return "", f"{item['left_out']:,} more"
    to = f" → {item['to']}" if "to" in item else ""
    times = f" ({item['times']:,} times)" if item["times"] > 1 else ""
    return clip(item["what"], 20), clip(f"{item['name']}{to}", 600) + times


def _commit(commit: dict[str, Any], dirty: Any) -> str:
    branch = commit.get("branch")
    words = str(commit.get("commit"))[:12] + (f" on {branch}" if isinstance(branch, str) else "")
    if dirty is None:
        return words
    return words + (", with changes that are not committed" if dirty else ", nothing changed since")


def _packages(packages: dict[str, Any]) -> str:
    named = [f"{name} {version}" for name, version in list(packages.items())[:_MOST_PACKAGES]]
    more = len(packages) - len(named)
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _words(value: Any, between: str = " ") -> str:
    return between.join(map(str, value[:60])) if isinstance(value, list) else ""
