"""Sees the program's log records, whatever handlers it has, and touches none of them.

`Logger.filter` is where a record has passed the logger's own level and filters and no handler has
seen it yet. It has returned before a handler runs, so no frame of ours is in what those print.
"""

import logging
import time
from types import TracebackType
from typing import Any

from tracer.capture import redact
from tracer.capture import scope as scopes
from tracer.capture.around.shown import exception_text, filled
from tracer.capture.guard import report
from tracer.core.records import JSON

_MOST_CHARS = 2_000  # of one message
_MOST_FRAMES = 20
_OWN = "tracer"
_original = logging.Logger.filter


def start() -> None:
    """See records from now on."""
    logging.Logger.filter = _filter  # type: ignore[method-assign, assignment]


def stop() -> None:
    """See none any more."""
    if logging.Logger.filter is _filter:
        # Inherited, as it was.
        del logging.Logger.filter


def _filter(self: logging.Logger, record: logging.LogRecord) -> Any:
    try:
        passed: Any = _original(self, record)
    except BaseException as error:
        if error.__traceback__ is not None:
            error.__traceback__ = error.__traceback__.tb_next
        raise
    if passed:
        _see(passed if isinstance(passed, logging.LogRecord) else record)
    return passed


def _see(record: logging.LogRecord) -> None:
    try:
        if record.name == _OWN:
            return
        scope = scopes.current()
        if scope is None:
            return
        kept = _kept(record)
        scope.gathered.log(kept, 150 + len(kept["text"]) + 100 * len(kept.get("trace", ())))
    except Exception as error:
        report("seeing a log record", error)


def _kept(record: logging.LogRecord) -> dict[str, JSON]:
    text = filled(record.msg, record.args)
    kept: dict[str, JSON] = {
        "at_ns": int(record.created * 1e9) or time.time_ns(),
        "level": str(record.levelname),
        "logger": str(record.name),
        "text": _bounded(text),
        "where": f"{record.filename}:{record.lineno}",
    }
    failed = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if isinstance(failed, BaseException):
        kept["error"] = _bounded(exception_text(failed))
        trace = _trace(failed.__traceback__)
        if trace:
            kept["trace"] = trace
    return kept


def _trace(trace: TracebackType | None) -> list[JSON]:
    """`file:line in function` of the innermost frames: no line of source is read for it."""
    frames: list[JSON] = []
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename}:{trace.tb_lineno} in {code.co_qualname}")
        trace = trace.tb_next
    return frames[-_MOST_FRAMES:]


def _bounded(text: str) -> str:
    if len(text) <= _MOST_CHARS:
        return text
    clean = redact.without_secrets_at(text, _MOST_CHARS)
    return f"{clean[:_MOST_CHARS]}… ({len(text) - _MOST_CHARS:,} more characters)"
