"""Failures of aiohttp as data, and as its own exceptions again."""

from typing import Any

from tracer.capture.http.exchange import failure_of
from tracer.capture.http.failures import REFUSED, RESET, kind_of, last_name, recorded_error
from tracer.core.records import JSON

_SILENT = "Timeout on reading data from socket"


def failure_of_aiohttp(error: BaseException) -> dict[str, JSON]:
    """An exception with what it takes to make it again."""
    failure = failure_of(error)
    for name in ("errno", "strerror", "status"):
        value = getattr(error, name, None)
        if isinstance(value, int | str):
            failure[name] = value
    if "status" in failure:
        failure["reason"] = str(getattr(error, "message", ""))
    return failure


def make_error(library: Any, request: Any, failure: dict[str, Any]) -> BaseException:
    """The exception for a failure of a request; `library` is aiohttp."""
    cls = getattr(library, last_name(failure), None)
    ours = isinstance(cls, type) and str(failure["type"]).startswith("aiohttp.")
    try:
        if ours and issubclass(cls, library.ClientConnectorError):  # type: ignore[arg-type]
            cause = OSError(failure.get("errno"), failure.get("strerror"))
            return cls(request.connection_key, cause)  # type: ignore[misc, no-any-return]
        if ours and issubclass(cls, library.ClientResponseError):  # type: ignore[arg-type]
            about = {"status": failure.get("status"), "message": failure.get("reason", "")}
            return cls(request.request_info, (), **about)  # type: ignore[misc, no-any-return]
    except Exception:  # made by another version: what it means must do
        return _by_kind(library, request, failure)
    known = ours or "." not in str(failure["type"])
    error = recorded_error(failure) if known else None
    return error if error is not None else _by_kind(library, request, failure)


def _by_kind(library: Any, request: Any, failure: dict[str, Any]) -> BaseException:
    kind = kind_of(failure)
    error: BaseException
    if kind == "connect":
        error = library.ClientConnectorError(request.connection_key, OSError(*REFUSED))
    elif kind in ("timeout", "connect_timeout"):
        error = getattr(library, "SocketTimeoutError", library.ServerTimeoutError)(_SILENT)
    elif kind == "cut":
        error = library.ServerDisconnectedError()
    else:
        error = library.ClientOSError(*RESET)
    return error


def make_body_error(library: Any, request: Any, failure: dict[str, Any]) -> BaseException:
    """The exception for a failure in the middle of a body."""
    if kind_of(failure) == "cut" and not str(failure["type"]).startswith("aiohttp."):
        message = f"Response payload is not completed: {failure['message']}"
        cut: BaseException = library.ClientPayloadError(message)
        return cut
    return make_error(library, request, failure)
