"""A real HTTP server on this machine that answers with built replies, broken ones too."""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tracer.providers.base import HttpReply, HttpRequest

Answer = Callable[[HttpRequest], HttpReply]


class LocalServer(ThreadingHTTPServer):
    """Answers every POST with `answer`; `requests` are those received."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Answer | None = None
        self.requests: list[HttpRequest] = []
        self.stopping = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients break connections here on purpose; anything else fails their test anyway."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def asked(self, position: int = -1) -> dict[str, object]:
        """The JSON body of a request received."""
        value: dict[str, object] = json.loads(self.requests[position].body)
        return value


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LocalServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        url = self.server.url + self.path
        request = HttpRequest("POST", url, list(self.headers.items()), body)
        self.server.requests.append(request)
        assert self.server.answer is not None
        self._send(self.server.answer(request))

    def _send(self, reply: HttpReply) -> None:
        if reply.failure == "timeout":
            self.server.stopping.wait(30)
        if reply.status == 0:
            # Zero linger makes the close a reset, as when the other side is gone.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for start in range(0, len(reply.body), 997):  # edges inside events and characters
            piece = reply.body[start : start + 997]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if reply.failure == "cut_stream":
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def finish(self) -> None:
        try:
            super().finish()
        except (OSError, ValueError):
            return  # the connection was broken on purpose

    def log_message(self, format: str, *args: object) -> None:
        """Tests read the outcome, not a log."""


@contextmanager
def serving() -> Iterator[LocalServer]:
    """A running server."""
    server = LocalServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
