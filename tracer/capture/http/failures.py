"""Failures of connections as exceptions again: the recorded class where it fits the client, else
what it means in the client at hand (a recording may come from another client, or be injected)."""

import re
from typing import Any, Literal

from tracer.capture.exceptions import make_exception
from tracer.core.records import ErrorInfo
from tracer.errors import ReplayedError

Kind = Literal["timeout", "connect_timeout", "connect", "cut", "reset"]

_ERRNO = re.compile(r"\[Errno (-?\d+)\] (.*)", re.S)
_MORE = re.compile(r", (\d+) more expected\)")
# The last part of a class name -> what happened. Names of httpx, urllib3, aiohttp, http.client.
_KINDS: dict[str, Kind] = {
    "ReadTimeout": "timeout",
    "WriteTimeout": "timeout",
    "ReadTimeoutError": "timeout",
    "SocketTimeoutError": "timeout",
    "ServerTimeoutError": "timeout",
    "TimeoutError": "timeout",
    "PoolTimeout": "connect_timeout",
    "ConnectTimeout": "connect_timeout",
    "ConnectTimeoutError": "connect_timeout",
    "ConnectionTimeoutError": "connect_timeout",
    "ConnectError": "connect",
    "ConnectionRefusedError": "connect",
    "NewConnectionError": "connect",
    "NameResolutionError": "connect",
    "gaierror": "connect",
    "ClientConnectorError": "connect",
    "ClientConnectorDNSError": "connect",
    "RemoteProtocolError": "cut",
    "IncompleteRead": "cut",
    "ProtocolError": "cut",
    "InvalidChunkLength": "cut",
    "ClientPayloadError": "cut",
    "RemoteDisconnected": "cut",
    "ServerDisconnectedError": "cut",
}
_HTTPX: dict[Kind, str] = {
    "timeout": "ReadTimeout",
    "connect_timeout": "ConnectTimeout",
    "connect": "ConnectError",
    "cut": "RemoteProtocolError",
    "reset": "ReadError",
}
RESET = (104, "Connection reset by peer")
REFUSED = (111, "Connection refused")


def last_name(failure: dict[str, Any]) -> str:
    """A recorded failure's class without its module."""
    return str(failure["type"]).rsplit(".", 1)[-1]


def kind_of(failure: dict[str, Any]) -> Kind:
    """What happened to the connection."""
    return _KINDS.get(last_name(failure), "reset")


def httpx_name(failure: dict[str, Any]) -> str:
    """The name of httpx's exception for a failure."""
    module, dot, _ = str(failure["type"]).partition(".")
    # A bare name is an injected failure's, which are httpx's own names.
    return last_name(failure) if not dot or "httpx" in module else _HTTPX[kind_of(failure)]


def expected_more(failure: dict[str, Any]) -> int:
    """How many bytes of the chunk at hand never came, as far as known."""
    found = _MORE.search(str(failure.get("message")))
    return int(found[1]) if found else 0


def recorded_error(failure: dict[str, Any]) -> BaseException | None:
    """The recorded exception, where its class is loaded; OSErrors with their number."""
    message = str(failure["message"])
    if str(failure["type"]).startswith("ssl."):
        return tls_error(message)
    made = make_exception(ErrorInfo(str(failure["type"]), message))
    if isinstance(made, ReplayedError):
        return None
    numbered = _ERRNO.fullmatch(message)
    if numbered is not None and isinstance(made, OSError):
        try:
            return type(made)(int(numbered[1]), numbered[2])
        except Exception:  # a class of its own kind: its text must do
            return made
    return made


def tls_error(message: str) -> OSError:
    """What the ssl module raises; of its classes the two that clients tell apart."""
    import ssl  # a heavy module, only needed where TLS failed

    unverified = "CERTIFICATE_VERIFY_FAILED" in message
    return (ssl.SSLCertVerificationError if unverified else ssl.SSLError)(1, message)


def socket_error(failure: dict[str, Any]) -> BaseException:
    """The exception a socket raises for a failure: what clients on plain sockets make theirs of."""
    if "." not in str(failure["type"]) or str(failure["type"]).startswith(("socket.", "ssl.")):
        made = recorded_error(failure)
        if made is not None:
            return made
    kind = kind_of(failure)
    if kind in ("timeout", "connect_timeout"):
        return TimeoutError("timed out")
    if kind == "connect":
        return ConnectionRefusedError(*REFUSED)
    return ConnectionResetError(*RESET)
