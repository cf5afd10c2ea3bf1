"""http.client, and what stands on it: responses are heard, and answered, at their file.

`request` opens the exchange of a program that uses http.client or urllib.request; urllib3 opens
its own and leaves it on the connection. Both end in `getresponse`, where the response's file is
replaced. A body sent by hand, with `send`, is not captured: the run says so.
"""

import functools
from types import MappingProxyType, ModuleType
from typing import Any

from tracer.capture.http.bodies import Given, Heard
from tracer.capture.http.detected import not_captured
from tracer.capture.http.exchange import (
    Exchange,
    Passing,
    Sending,
    as_sent,
    failure_of,
    is_watched,
    open_step,
    reason_headers,
)
from tracer.capture.http.failures import socket_error
from tracer.capture.http.uploads import snapshot
from tracer.capture.http.wire import AnswerFile, AnswerSocket, BrokenFile, Framing, HeardFile
from tracer.providers.base import HttpRequest

UNDER_WAY = "_tracer_exchange"  # on a connection: what its next response belongs to
_REQUESTING = "_tracer_requesting"
_NONE: Any = MappingProxyType({})
_PORTS = {"http": 80, "https": 443}


class WireExchange(Exchange):
    """An exchange over an http.client connection."""

    heard: Heard | None = None

    def received(self, response: Any) -> None:
        """An http.client response whose headers were read; its body is heard from here on."""
        self.arrived()
        pairs = tuple((str(name), str(value)) for name, value in response.headers.items())
        pairs += reason_headers(response.status, response.reason)
        self.heard = Heard(self, response.status, pairs)
        chunked = bool(response.chunked) and response.length != 0
        framing = Framing(chunked=chunked, length=response.length)
        response.fp = HeardFile(response.fp, self.heard, framing)

    def socket(self) -> AnswerSocket:
        """A connection that answers as recorded. May raise what ends the re-execution."""
        answer, request = self.answer, self.step.call.request
        assert request is not None
        failure = answer.failure
        if answer.status == 0 and failure is not None:
            self.failed(None, failure)
            return AnswerSocket(BrokenFile(failure))
        self.arrived()
        answer = as_sent(answer)
        return AnswerSocket(AnswerFile(Given(self, answer), answer, request.method))


def make_request(
    method: str, scheme: str, host: str, port: int | None, target: str, headers: Any, body: bytes
) -> HttpRequest:
    """A request as data; `target` is a path, or a whole URL as proxies are asked."""
    url = target
    if "://" not in target.split("?", 1)[0]:
        place = f"[{host}]" if ":" in host and not host.startswith("[") else host
        if port is not None and port != _PORTS.get(scheme):
            place = f"{place}:{port}"
        url = f"{scheme}://{place}{target}"
    return HttpRequest(method, url, header_pairs(headers), body)


def header_pairs(headers: Any) -> tuple[tuple[str, str], ...]:
    """Headers given as any mapping or as pairs."""
    items = headers.items() if hasattr(headers, "items") else headers or ()
    return tuple((_text(name), _text(value)) for name, value in items)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def patch_library(library: ModuleType) -> None:
    """Watch the connections of http.client."""
    connection: Any = library.HTTPConnection
    _patch_request(connection)
    _patch_getresponse(connection)
    _patch_endheaders(connection)


def _patch_request(connection: Any) -> None:
    original = connection.request

    @functools.wraps(original)
    def request(
        self: Any, method: str, url: str, body: Any = None, headers: Any = _NONE, **more: Any
    ) -> None:
        if not is_watched():
            original(self, method, url, body, headers, **more)
            return
        content, body = snapshot(body)
        _ask(
            self,
            (method, url, headers, content),
            functools.partial(original, self, method, url, body, headers, **more),
        )

    connection.request = request


def _patch_endheaders(connection: Any) -> None:
    original = connection.endheaders

    @functools.wraps(original)
    def endheaders(self: Any, message_body: Any = None, **more: Any) -> None:
        """Of a request put together by hand: with `putrequest`, as xmlrpc.client does it."""
        if _REQUESTING in vars(self) or not self._buffer or not is_watched():
            original(self, message_body, **more)
            return
        method, url, headers = _head(self._buffer)
        if message_body is None and _has_body(headers):
            not_captured("an exchange whose body http.client's `send` sent by hand", self.host)
            original(self, **more)
            return
        content, body = snapshot(message_body)
        asked = (method, url, headers, content)
        _ask(self, asked, functools.partial(original, self, body, **more))

    connection.endheaders = endheaders


def _head(lines: list[bytes]) -> tuple[str, str, list[tuple[str, str]]]:
    """Method, target and headers of a request that is about to be sent."""
    method, url = [*lines[0].decode("latin-1").split(" "), "", ""][:2]
    pairs = (line.decode("latin-1").partition(":") for line in lines[1:])
    return method, url, [(name, value.strip()) for name, _, value in pairs]


def _has_body(headers: list[tuple[str, str]]) -> bool:
    found = {name.lower(): value for name, value in headers}
    return "transfer-encoding" in found or found.get("content-length", "0") != "0"


def _ask(connection: Any, asked: tuple[str, str, Any, bytes], send: Any) -> None:
    """Send a request as an exchange, or have it answered."""
    method, url, headers, content = asked
    host, port = connection.host, connection.port
    scheme = "https" if connection.default_port == _PORTS["https"] else "http"
    if getattr(connection, "_tunnel_host", None):
        host, port = connection._tunnel_host, connection._tunnel_port
    step = open_step(make_request(method, scheme, host, port, url, headers, content))
    if step is None:
        with Passing():
            send()
        return
    _PlainExchange(step).request(connection, send)


class _PlainExchange(WireExchange):
    """An exchange of http.client itself: asked in `request`, answered in `getresponse`."""

    def request(self, connection: Any, send: Any) -> None:
        """Send it, or have it answered."""
        answer = self.answer
        try:
            if answer is None:
                with Sending(self):
                    _requesting(connection, send)
            else:
                self.step.run.wait(self.step.decision)
                self._answered(connection, send)
        except BaseException as error:
            self.failed(error, failure_of(error) | {"at": "request"})
            raise
        vars(connection)[UNDER_WAY] = self

    def _answered(self, connection: Any, send: Any) -> None:
        failure = self.answer.failure
        if self.answer.status == 0 and failure is not None and failure.get("at") == "request":
            raise socket_error(failure)
        self._kept = connection.sock
        connection.sock = self.socket()
        with Sending(self):
            _requesting(connection, send)

    def response(self, connection: Any, get: Any) -> Any:
        """The response to it."""
        if self.answer is not None:
            try:
                return get()
            finally:
                connection.sock = self._kept
        try:
            response = get()
        except BaseException as error:
            self.failed(error)
            raise
        self.received(response)
        return response


def _requesting(connection: Any, send: Any) -> None:
    vars(connection)[_REQUESTING] = True
    try:
        send()
    finally:
        del vars(connection)[_REQUESTING]


def _patch_getresponse(connection: Any) -> None:
    original = connection.getresponse

    @functools.wraps(original)
    def getresponse(self: Any, *args: Any, **kwargs: Any) -> Any:
        # urllib3 1.26 asks with an argument of Python 2 first, which is refused.
        exchange = None if args or kwargs else vars(self).pop(UNDER_WAY, None)
        if exchange is None:
            return original(self, *args, **kwargs)
        return exchange.response(self, functools.partial(original, self))

    connection.getresponse = getresponse
