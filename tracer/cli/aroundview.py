"""What happened around a step, or outside any, on the terminal: quiet where nothing did."""

from datetime import datetime
from typing import Any

from tracer.cli.output import CYAN, FAINT, block, line
from tracer.cli.text import count, cut
from tracer.core.records import JSON
from tracer.interchange.around import Around

_MOST = 4_000  # characters of one text; `--json` has all of it
_FIRST_LINES, _LAST_LINES = 30, 20
_MOST_LOGS = 40
_MOST_TOUCHED = 30
UNTOUCHED = (
    "nothing outside the process was seen to be touched; the effect is not declared, so a "
    "re-execution takes it for external"
)


def show_locals(around: Around) -> None:
    """The local variables beside a traceback, innermost frame last as there."""
    if not around.frames:
        return
    _heading("local variables")
    for frame in around.frames:
        line(f"  {frame['file']}:{frame['line']} in {frame['function']}", whole=True)
        for name, text in frame["values"]:
            block(_short(f"{name} = {text}", 600), "    ")
        if frame["left_out"]:
            line(f"    … {frame['left_out']:,} more", FAINT)


def show_around(around: Around, *, untouched: bool = False) -> None:
    """Output, log records and what was touched."""
    if around.printed:
        _heading("printed")
        block(_ends(printed_text(around)), "  ")
    if around.logs:
        _heading("logged")
        for record in around.logs[:_MOST_LOGS]:
            block(_short(_log_line(record), 600), "  ")
        _more(around.logs, _MOST_LOGS, "record")
    if around.touched or untouched:
        _heading("touched")
        for touch in around.touched[:_MOST_TOUCHED]:
            block(_touch_line(touch), "  ")
        _more(around.touched, _MOST_TOUCHED, "thing")
    if untouched:
        line(f"  {UNTOUCHED}", FAINT, whole=True)


def printed_text(around: Around) -> str:
    """Standard output and error in the order they were written."""
    parts = []
    for item in around.printed:
        left_out = item.get("left_out")
        parts.append(item["text"] if left_out is None else f"\n… {left_out:,} characters …\n")
    return "".join(parts).rstrip("\n")


def environment_lines(found: dict[str, JSON]) -> list[str]:
    """What a run ran in, in a few lines: commit, packages, variables."""
    lines = []
    commit = found.get("git")
    if isinstance(commit, dict) and isinstance(commit.get("commit"), str):
        words = commit["commit"][:12]
        branch = commit.get("branch")
        words += f" ({branch})" if isinstance(branch, str) else ""
        dirty = found.get("dirty")
        lines.append(f"commit {words}{', changed since' if dirty is True else ''}")
    packages = found.get("packages")
    if isinstance(packages, dict) and packages:
        named = ", ".join(f"{name} {version}" for name, version in list(packages.items())[:8])
        lines.append(f"with   {named}{' …' if len(packages) > 8 else ''}")
    variables = found.get("variables")
    if isinstance(variables, list) and variables:
        lines.append("reads  " + ", ".join(str(name) for name in variables[:12]))
    return lines


def _heading(words: str) -> None:
    line()
    line(words, CYAN)


def _log_line(record: dict[str, Any]) -> str:
    if "left_out" in record:
        return f"… {record['left_out']:,} characters of records …"
    at = record.get("at_ns")
    moment = _clock(at) if at is not None else ""
    text = f"{moment} {record['level']} {record['logger']}: {record['text']}".strip()
    return text + (f" ({record['error']})" if record.get("error") else "")


def _clock(ns: int) -> str:
    try:
        return f"{datetime.fromtimestamp(ns / 1e9).astimezone():%H:%M:%S}"
    except (ValueError, OverflowError, OSError):  # an imported time outside the calendar
        return ""


def _touch_line(touch: dict[str, Any]) -> str:
    if "left_out" in touch:
        return f"… {touch['left_out']:,} more"
    to = f" to {touch['to']}" if "to" in touch else ""
    times = f" ({touch['times']:,} times)" if touch["times"] > 1 else ""
    return _short(f"{touch['what']} {touch['name']}{to}{times}".replace("\n", "\\n"), 600)


def _more(items: list[dict[str, Any]], most: int, what: str) -> None:
    if len(items) > most:
        line(f"  … {count(len(items) - most, f'more {what}')}: --json shows all", FAINT)


def _ends(text: str) -> str:
    """The first and the last lines: how it began, and what was said before the end."""
    lines = text.split("\n")
    gap = len(lines) - _FIRST_LINES - _LAST_LINES
    if gap <= 1 and len(text) <= 2 * _MOST:
        return text
    if gap <= 1:
        said = f"… {len(text) - 2 * _MOST:,} more characters: --json shows all …"
        return f"{text[:_MOST]}\n{said}\n{text[-_MOST:]}"
    first, last = "\n".join(lines[:_FIRST_LINES]), "\n".join(lines[-_LAST_LINES:])
    said = f"… {gap:,} more lines: --json shows all …"
    return f"{_short(first, _MOST)}\n{said}\n{last[-_MOST:]}"


def _short(text: str, most: int) -> str:
    kept, left_out = cut(text, most)
    return f"{kept}…\n({left_out:,} more characters: --json shows all)" if left_out else kept
