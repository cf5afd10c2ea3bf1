"""aiohttp 3.9 and later: each connection a session asks for is an exchange.

So each redirect and each attempt is a step, and sessions, cookies, middlewares, traces and
`raise_for_status` stay aiohttp's own. A served answer comes over a connection that is none:
aiohttp's own protocol and parser read it.
"""

import asyncio
import functools
import sys
from types import ModuleType
from typing import Any

from tracer.capture.boundary import CancelledAnswer
from tracer.capture.http.aiohttp_bodies import Readers, ServedBody, served_connection
from tracer.capture.http.aiohttp_errors import failure_of_aiohttp, make_body_error, make_error
from tracer.capture.http.bodies import Heard
from tracer.capture.http.detected import mark, not_captured
from tracer.capture.http.exchange import (
    Exchange,
    Passing,
    Sending,
    as_sent,
    is_watched,
    open_step_async,
    reason_headers,
)
from tracer.providers.base import HttpRequest

_PACKED = "_tracer_packed"  # on a protocol: it gives bodies in the coding they come in
_UNDER_WAY = "_tracer_exchange"  # on a connection: what its next response belongs to


def patch_library(library: ModuleType) -> None:
    """Watch the sessions of aiohttp, through its connectors and responses."""
    if not _fits(library):
        what = f"an exchange by aiohttp {library.__version__}"
        mark(library.BaseConnector, "connect", what, lambda _, req, *a, **k: req.url.host)
        return
    readers = Readers(library.StreamReader)
    _patch_connect(library.BaseConnector, library, readers)
    _patch_start(library.ClientResponse)
    _patch_protocol(library.client_proto.ResponseHandler)
    for name in ("close", "release"):
        _patch_leaving(library.ClientResponse, name, readers)


def _fits(library: Any) -> bool:
    """Whether this version has what is built on here beyond its public names."""
    return (
        hasattr(library.StreamReader, "_wait")
        and hasattr(library.connector, "Connection")
        and hasattr(library.ClientResponse, "start")
        and hasattr(library.client_proto.ResponseHandler, "set_response_params")
        and "_factory" in library.BaseConnector.__init__.__code__.co_names
    )


def _patch_connect(connector: Any, library: Any, readers: Readers) -> None:
    original = connector.connect

    @functools.wraps(original)
    async def connect(self: Any, req: Any, *args: Any, **kwargs: Any) -> Any:
        go = functools.partial(original, self, req, *args, **kwargs)
        if not is_watched():
            return await go()
        if req.headers.get("upgrade", "").lower() == "websocket":
            not_captured("a WebSocket", req.url.host)
            return await go()
        content = await _snapshot(req, library)
        pairs = tuple((str(name), str(value)) for name, value in req.headers.items())
        step = await open_step_async(HttpRequest(req.method, str(req.url), pairs, content))
        if step is None:
            with Passing():
                return await go()
        return await _AiohttpExchange(step, req, library, readers).connect(self, go)

    connector.connect = connect


def _patch_start(response: Any) -> None:
    original = response.start

    @functools.wraps(original)
    async def start(self: Any, connection: Any) -> Any:
        exchange = vars(connection).pop(_UNDER_WAY, None)
        if exchange is None:
            return await original(self, connection)
        return await exchange.start(self, connection, functools.partial(original, self, connection))

    response.start = start


def _patch_protocol(protocol: Any) -> None:
    original = protocol.set_response_params

    @functools.wraps(original)
    def set_response_params(self: Any, **params: Any) -> None:
        vars(self)[_PACKED] = params.get("auto_decompress") is False
        original(self, **params)

    protocol.set_response_params = set_response_params


def _patch_leaving(response: Any, name: str, readers: Readers) -> None:
    original = getattr(response, name)

    @functools.wraps(original)
    def leave(self: Any, *args: Any) -> Any:
        try:
            return original(self, *args)
        finally:
            readers.left(self.content)

    setattr(response, name, leave)


async def _snapshot(req: Any, library: Any) -> bytes:
    """The request's body. What can be read only once is kept, and sent from memory."""
    body = req.body
    if isinstance(body, tuple):  # 3.9: bytes given as they are
        return b"".join(body)
    if not body or isinstance(body, bytes | bytearray):
        return bytes(body or b"")
    if hasattr(body, "as_bytes"):
        content: bytes = await body.as_bytes()
        return content
    collected = _Collector()
    await body.write(collected)
    content = bytes(collected.data)
    req.body = library.payload.BytesPayload(content)
    return content


async def _written(response: Any, protocol: Any) -> None:
    """Let the request be written first, as a server would: it may wait for permission."""
    if getattr(response, "_continue", None) is not None:
        protocol.data_received(b"HTTP/1.1 100 Continue\r\n\r\n")
        return
    writer = getattr(response, "_writer", None)
    if writer is not None:
        await asyncio.wait({writer}, timeout=1)


class _Collector:
    """Takes what a payload writes."""

    def __init__(self) -> None:
        self.data = bytearray()

    async def write(self, chunk: Any) -> None:
        self.data += chunk

    async def write_eof(self, chunk: bytes = b"") -> None:
        self.data += chunk

    async def drain(self) -> None:
        """Nothing waits here."""


class _AiohttpExchange(Exchange):
    """One request over one connection."""

    def __init__(self, step: Any, req: Any, library: Any, readers: Readers) -> None:
        super().__init__(step)
        self.request = req
        self.library = library
        self.readers = readers
        self.starting = False
        self.packed = False

    async def connect(self, connector: Any, go: Any) -> Any:
        """The connection to ask over, real or not."""
        try:
            if self.answer is None:
                with Sending(self):
                    connection = await go()
                connection.add_callback(self._dropped)
            else:
                connection = await self._answered(connector)
        except BaseException as error:
            self.failed(error, failure_of_aiohttp(error) | {"at": "request"})
            raise
        vars(connection)[_UNDER_WAY] = self
        return connection

    async def _answered(self, connector: Any) -> Any:
        await self.step.run.wait_async(self.step.decision)
        if isinstance(self.answer, CancelledAnswer):
            await self.step.run.hang(self.step.decision)
        failure = self.answer.failure
        if self.answer.status == 0 and failure is not None and failure.get("at") == "request":
            raise make_error(self.library, self.request, failure)
        return served_connection(self.library, connector, self.request)

    def body_error(self, failure: dict[str, Any]) -> BaseException:
        """The exception for a recorded failure in the middle of the body."""
        return make_body_error(self.library, self.request, failure)

    def _dropped(self) -> None:
        """The connection was let go; before its response was waited for, or long after."""
        if not self.starting:
            error = sys.exc_info()[1] or self.library.ClientConnectionError("Connection closed")
            self.failed(error, failure_of_aiohttp(error))

    async def start(self, response: Any, connection: Any, go: Any) -> Any:
        """Status and headers of the response."""
        self.starting = True
        self.packed = vars(connection.protocol).get(_PACKED, False)
        answer = None if self.answer is None else as_sent(self.answer)
        try:
            if answer is None:
                started = await go()
            else:
                if answer.status == 0 and answer.failure is not None:
                    raise make_error(self.library, self.request, answer.failure)
                self.arrived()
                body = ServedBody(self, answer, connection.protocol)
                await _written(response, connection.protocol)
                await body.begin()
                started = await go()
                self.readers.serve(response.content, body)
                return started
        except BaseException as error:
            self.failed(error, failure_of_aiohttp(error))
            raise
        self._received(response)
        return started

    def _received(self, response: Any) -> None:
        self.arrived()
        pairs = tuple((str(name), str(value)) for name, value in response.headers.items())
        content = response.content
        if not self.packed and "content-encoding" in response.headers:
            gone = ("content-encoding", "content-length")
            pairs = tuple(pair for pair in pairs if pair[0].lower() not in gone)
        heard = Heard(
            self, response.status, pairs + reason_headers(response.status, response.reason)
        )
        if not self.readers.hear(content, heard):
            if not content.is_eof():
                not_captured(f"the body in a {type(content).__name__}", response.url.host)
            heard.end(content.is_eof())
