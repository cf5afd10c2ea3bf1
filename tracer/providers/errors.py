"""Error replies as data: the provider's own type and message, whatever shape they come in."""

from typing import Any

from tracer.core.records import ErrorInfo
from tracer.providers.base import HttpReply
from tracer.providers.jsontext import as_dict, dumps, loads
from tracer.providers.wire import is_failure, text

_SHOWN = 500  # characters of a body that is no error object


def error_of(status: int, value: Any) -> ErrorInfo | None:
    """The error a JSON value tells of, None when it tells of none.

    Reads `{"error": {...} or "text"}`, and with an error status also `{"detail": ...}`,
    `{"message": ...}` and a list that holds such an object.
    """
    entry = as_dict(value[0] if isinstance(value, list) and value else value)
    error = entry.get("error")
    if isinstance(error, dict) and error:
        kind = _kind(error, status)
        return ErrorInfo(kind, text(error.get("message")) or dumps(error))
    if isinstance(error, str) and error:
        return ErrorInfo(text(entry.get("code"), entry.get("type")) or _by_status(status), error)
    if not is_failure(status):
        return None
    said = entry.get("message") or entry.get("detail")
    message = said if isinstance(said, str) else dumps(said if said else value)[:_SHOWN]
    return ErrorInfo(text(entry.get("type"), entry.get("code")) or _by_status(status), message)


def error_of_reply(reply: HttpReply) -> ErrorInfo | None:
    """The error of a reply that is no event stream, or whose status is one of failure."""
    if reply.failure and reply.status == 0:
        return ErrorInfo(reply.failure, "no reply was received")
    try:
        value = loads(reply.body)
    except ValueError:
        shown = reply.body[:_SHOWN].decode("utf-8", errors="replace")
        if is_failure(reply.status):
            return ErrorInfo(_by_status(reply.status), shown)
        return invalid_json(shown)
    return error_of(reply.status, value)


def invalid_json(shown: str) -> ErrorInfo:
    """The error of a body or event that should be JSON; `shown` = how it begins."""
    return ErrorInfo("invalid_json", f"not a JSON object: {shown[:_SHOWN]!r}")


def _kind(error: dict[str, Any], status: int) -> str:
    said = text(error.get("type"), error.get("code"), error.get("status"))
    return said or _by_status(error.get("code") if isinstance(error.get("code"), int) else status)


def _by_status(status: Any) -> str:
    return f"http_{status}"
