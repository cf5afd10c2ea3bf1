"""Failures of aiohttp as data, and as its own exceptions again."""

import copy
import re
from typing import Any

from tracer.capture.http.exchange import failure_of
from tracer.capture.http.failures import (
    REFUSED,
    RESET,
    kind_of,
    last_name,
    recorded_error,
    tls_error,
)
from tracer.core.records import JSON

_PLACE = re.compile(r"Cannot connect to host (?P<host>.+?):(?P<port>\d+) ssl:")
_SILENT = "Timeout on reading data from socket"


def failure_of_aiohttp(error: BaseException) -> dict[str, JSON]:
    """An exception with what it takes to make it again."""
    failure = failure_of(error)
    for name in ("errno", "strerror", "status"):
        value = getattr(error, name, None)
        if isinstance(value, int | str):
            failure[name] = value
    unverified = getattr(error, "certificate_error", None)
    if isinstance(unverified, BaseException) and unverified.args:
        failure["strerror"] = str(unverified.args[-1])
    if "status" in failure:
        failure["reason"] = str(getattr(error, "message", ""))
    return failure


def make_error(library: Any, request: Any, failure: dict[str, Any]) -> BaseException:
    """The exception for a failure of a request; `library` is aiohttp."""
    ours = str(failure["type"]).startswith("aiohttp.")
    cls: Any = getattr(library, last_name(failure), None) if ours else None
    if isinstance(cls, type):
        try:
            made = _own(library, cls, request, failure)
        except Exception:  # recorded with another version: what it means must do
            return _by_kind(library, request, failure)
        if made is not None:
            return made
    known = ours or "." not in str(failure["type"])
    error = recorded_error(failure) if known else None
    return error if error is not None else _by_kind(library, request, failure)


def _own(library: Any, cls: Any, request: Any, failure: dict[str, Any]) -> BaseException | None:
    """One of the classes that are made from more than a text; None for the others."""
    made: BaseException | None = None
    if issubclass(cls, library.ClientConnectorCertificateError):
        made = cls(request.connection_key, tls_error(str(failure.get("strerror"))))
    elif issubclass(cls, library.ClientConnectorError):
        cause = OSError(failure.get("errno"), failure.get("strerror"))
        made = cls(_place_of(request, failure), cause)
    elif issubclass(cls, library.ClientResponseError):
        about = {"status": failure.get("status"), "message": failure.get("reason", "")}
        made = cls(request.request_info, (), **about)
    return made


def _place_of(request: Any, failure: dict[str, Any]) -> Any:
    """Where no connection could be made: to the request's host, or to a proxy."""
    key = request.connection_key
    found = _PLACE.match(str(failure["message"]))
    if found is None or (found["host"], int(found["port"])) == (key.host, key.port):
        return key
    if hasattr(key, "_replace"):
        return key._replace(host=found["host"], port=int(found["port"]))
    made = copy.copy(key)  # before 3.11 a frozen class
    object.__setattr__(made, "host", found["host"])
    object.__setattr__(made, "port", int(found["port"]))
    return made


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
