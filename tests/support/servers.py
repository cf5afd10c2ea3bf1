"""HTTP servers on this machine that behave oddly on purpose: real sockets, a thread a connection.

`OddServer` hands each request to a function that decides, piece by piece, what goes over the wire.
Bodies come from the demo's wire formats, so that the SDKs read them like a provider's.
"""

import gzip
import hashlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from tracer.demo import wire_anthropic, wire_openai
from tracer.demo.conversation import Answer, Call, Conversation
from tracer.demo.model_server import _HttpServer

Odd = Callable[["Exchange"], None]


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Exchange:
    """One request, and the means to answer it. `number` counts requests from 1."""

    def __init__(self, handler: "_Handler", asked: Asked, number: int) -> None:
        self.asked = asked
        self.number = number
        self._handler = handler

    def reply(
        self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """A whole JSON reply."""
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.begin(status, {"content-type": "application/json", **(headers or {})}, len(data))
        self._handler.wfile.write(data)

    def say(self, text: str = "", *calls: Call, model: str | None = None) -> None:
        """The chat reply this request asks for, whole or as a stream, in its own API."""
        if not self.asked.body:
            self.reply({"ok": True})
            return
        if not self.asked.json.get("stream"):
            self.reply(whole(self.asked, text, *calls, model=model))
            return
        self.begin()
        for piece in events(self.asked, text, *calls):
            self.chunk(piece)
        self.finish()

    def begin(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        """Status line and headers; without a length the body comes in chunks."""
        self._handler.send_response(status)
        for name, value in (headers or {"content-type": "text/event-stream"}).items():
            self._handler.send_header(name, value)
        self._handler.send_header("x-request-id", f"req_{self.number}")
        if length is None:
            self._handler.send_header("transfer-encoding", "chunked")
        else:
            self._handler.send_header("content-length", str(length))
        self._handler.end_headers()

    def chunk(self, data: bytes) -> None:
        """One chunk, as one write."""
        self._handler.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def finish(self) -> None:
        self._handler.wfile.write(b"0\r\n\r\n")

    def hang_up(self) -> None:
        """Close without the end that was announced."""
        self._handler.close_connection = True
        with suppress(OSError):
            self._handler.connection.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End the connection with a reset, as when the other side is gone."""
        self._handler.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._handler.connection.close()


class OddServer:
    """Answers every request by calling `odd(exchange)`; a context manager."""

    def __init__(self, odd: Odd = lambda exchange: exchange.say("fine")) -> None:
        self.odd = odd
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self._http: _HttpServer | None = None

    @property
    def url(self) -> str:
        assert self._http is not None
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def count(self) -> int:
        return len(self.asked)

    def __enter__(self) -> Self:
        self._http = _HttpServer(0, lambda _: Answer(""), False, lambda _: None)
        self._http.RequestHandlerClass = type("Handler", (_Handler,), {"odd_server": self})
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._http is not None
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    odd_server: OddServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, self.path, headers, body)
        with self.odd_server.lock:
            self.odd_server.asked.append(asked)
            number = len(self.odd_server.asked)
        try:
            self.odd_server.odd(Exchange(self, asked, number))
        except (ConnectionError, ValueError):  # the client hung up; the file is closed then
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = _answer

    def finish(self) -> None:
        with suppress(OSError, ValueError):  # the answer closed it already
            super().finish()


def _wire(asked: Asked) -> Any:
    return wire_anthropic.WIRE if asked.path.endswith("/messages") else wire_openai.WIRE


def whole(asked: Asked, text: str, *calls: Call, model: str | None = None) -> dict[str, Any]:
    """The JSON body that says `text` and asks for `calls`, in the API that was asked."""
    digest = hashlib.sha256(asked.body).hexdigest()
    body: dict[str, Any] = _wire(asked).whole(asked.json, digest, Answer(text, calls))
    return body if model is None else {**body, "model": model}


def events(asked: Asked, text: str, *calls: Call) -> list[bytes]:
    """The same as server-sent events."""
    digest = hashlib.sha256(asked.body).hexdigest()
    body = {"stream_options": {"include_usage": True}, **asked.json}
    return [e.encode() for e in _wire(asked).events(body, digest, Answer(text, calls))]


def zipped(value: Any) -> tuple[bytes, dict[str, str]]:
    """A JSON body in gzip, and the header that says so."""
    return gzip.compress(json.dumps(value).encode(), mtime=0), {"content-encoding": "gzip"}


class Numbered:
    """A brain whose every answer differs, also to equal questions: "<last user words> #7".

    `jitter` seconds, spread by the question's order, keep concurrent answers out of order.
    """

    def __init__(self, jitter: Iterator[float] | None = None) -> None:
        self._count = 0
        self._lock = threading.Lock()
        self._jitter = jitter

    def __call__(self, conversation: Conversation) -> Answer:
        with self._lock:
            self._count += 1
            number = self._count
            pause = next(self._jitter, 0.0) if self._jitter is not None else 0.0
        time.sleep(pause)
        said = conversation.users[-1] if conversation.users else ""
        return Answer(f"{said} #{number}")
