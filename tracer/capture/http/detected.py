"""Traffic that is seen but not captured: WebSockets, gRPC, clients with sockets of their own.

A recording is marked, so that it is never taken for whole; a re-execution that may not reach the
network is stopped, also where no Python socket would be seen.
"""

import functools
import re
from types import ModuleType
from typing import Any

from tracer.capture import scope as scopes
from tracer.capture.guard import report
from tracer.core.records import NOT_CAPTURED

_MOST = 20  # places named one by one
_INSIDE = ", inside step "
_SERVED = re.compile(r"(^|/)(tool|step|model)\d+(/|$)")
_TELEMETRY = "/opentelemetry.proto.collector."
_CALLS = ("__call__", "with_call", "future")
_Where = Any  # from the method's own arguments: the host, None for what is to be left alone


def not_captured(what: str, where: str) -> None:
    """Something is about to be exchanged that no step holds: mark the run under way.

    Raises what ends the re-execution where this run is one and answers come from its recording.
    """
    scope = scopes.current()
    if scope is None:
        return
    run = scope.run
    begins = f"{NOT_CAPTURED}{what} to {where}, "
    if run.is_offline:
        raise run.cannot(f"{what} to {where} was not captured, so nothing can answer it")
    said = [warning for warning in run.warnings if warning.startswith(begins)]
    inside = ""
    if _SERVED.search(scope.path) and len(said) < _MOST:
        # In a step that is answered whole nothing is missing; whoever reads this decides.
        inside = f"{_INSIDE}{scope.step_n}"
    if not any(warning.endswith(inside) if inside else _INSIDE not in warning for warning in said):
        run.warnings.append(f"{begins}after step {run.steps_begun}{inside}")


def patch_library(library: ModuleType) -> None:
    """Watch one of the modules named in `MODULES`."""
    MODULES[library.__name__](library)


def mark(holder: Any, name: str, what: str, where: _Where, *, asynchronous: bool = False) -> None:
    """Say so whenever a method is called; `where` is given its arguments."""
    original = getattr(holder, name, None)
    if original is None:
        return

    def say(*args: Any, **kwargs: Any) -> None:
        if scopes.current() is None:
            return
        try:
            host = where(*args, **kwargs)
        except Exception as error:
            report(f"noting {what}", error)
            host = "a server"
        if host is not None:
            not_captured(what, host)

    if asynchronous:

        @functools.wraps(original)
        async def noted_later(*args: Any, **kwargs: Any) -> Any:
            say(*args, **kwargs)
            return await original(*args, **kwargs)

        setattr(holder, name, noted_later)
        return

    @functools.wraps(original)
    def noted(*args: Any, **kwargs: Any) -> Any:
        say(*args, **kwargs)
        return original(*args, **kwargs)

    setattr(holder, name, noted)


def _websockets(library: Any) -> None:
    """The protocol under the asyncio, threading and trio clients."""
    for name in ("ClientProtocol", "ClientConnection"):  # its name before 11
        protocol = getattr(library, name, None)
        if protocol is not None:
            mark(protocol, "connect", "a WebSocket", lambda self: _uri(self).host)
            return


def _uri(protocol: Any) -> Any:
    return getattr(protocol, "uri", None) or protocol.wsuri


def _legacy_websockets(library: Any) -> None:
    mark(
        library.WebSocketClientProtocol,
        "handshake",
        "a WebSocket",
        lambda self, wsuri, *args, **kwargs: wsuri.host,
        asynchronous=True,
    )


def _websocket_client(library: Any) -> None:
    mark(
        library.WebSocket,
        "connect",
        "a WebSocket",
        lambda self, url, **kwargs: url.split("//", 1)[-1].split("/", 1)[0],
    )


def _grpc(library: Any) -> None:
    for name, holder in list(vars(library).items()):
        if name.endswith("MultiCallable") and isinstance(holder, type):
            for call in _CALLS:
                if call in vars(holder):
                    mark(holder, call, "a gRPC call", _target)


def _target(call: Any, *args: Any, **kwargs: Any) -> str | None:
    method = call._method
    path = method.decode("utf-8", "replace") if isinstance(method, bytes) else str(method)
    if path.startswith(_TELEMETRY):
        return None  # the program's own traces, no work of its agent
    target = getattr(call, "_target", None) or call._channel.target
    target = target() if callable(target) else target
    return target.decode("utf-8", "replace") if isinstance(target, bytes) else str(target)


def _curl(library: Any) -> None:
    mark(library.Curl, "perform", "an exchange by curl", lambda self, *args, **kwargs: "a server")


# curl and gRPC open their sockets themselves, where nothing else would notice.
MODULES = {
    "websockets.client": _websockets,
    "websockets.legacy.client": _legacy_websockets,
    "websocket._core": _websocket_client,
    "grpc._channel": _grpc,
    "grpc.aio._channel": _grpc,
    "curl_cffi.curl": _curl,
}
