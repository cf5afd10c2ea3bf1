"""A model server on 127.0.0.1 for the sample agents: real HTTP, JSON and SSE, no dependency.

Speaks `POST /v1/chat/completions` and `POST /v1/messages`; `GET /requests` tells how many POST
requests came. Run it by hand with `python -m tracer.demo.model_server --port 8099`.
"""

import argparse
import hashlib
import json
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from tracer.demo import brain, wire_anthropic, wire_openai
from tracer.demo.conversation import Brain
from tracer.demo.wire import BadRequest, Wire, identifier

WIRES: dict[str, Wire] = {
    "/v1/chat/completions": wire_openai.WIRE,
    "/v1/messages": wire_anthropic.WIRE,
}
KEY = "local-demo-key"  # the SDKs want one; the server doesn't look
MAX_BODY = 16 * 1024 * 1024
FIRST_TOKEN = (0.040, 0.080)  # seconds until the answer starts; the request's digest picks
PER_CHUNK = 0.010  # seconds between two stream events


class ModelServer:
    """The server in a thread of this process; also a context manager.

    `brain` maps a conversation to an answer (tests wrap the default to correct one answer);
    `latency=False` answers at once; `on_request` is given the bytes of each request for an
    answer. `start` binds the port: 0 picks a free one.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        latency: bool = True,
        brain: Brain = brain.answer,
        on_request: Callable[[bytes], None] = lambda body: None,
    ) -> None:
        self._wanted_port, self._latency = port, latency
        self._brain, self._on_request = brain, on_request
        self._http: _HttpServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """The base URL without `/v1`, like `http://127.0.0.1:8099`."""
        if self._http is None:
            raise RuntimeError("the model server isn't running: call start() first")
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def request_count(self) -> int:
        """How many POST requests came, good or bad."""
        return self._http.count if self._http else 0

    def start(self) -> Self:
        """Bind and serve from a daemon thread."""
        self._http = _HttpServer(self._wanted_port, self._brain, self._latency, self._on_request)
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="demo-models", daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving and close the port and every open connection."""
        if self._http is None or self._thread is None:
            return
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()
        self._http = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, port: int, brain: Brain, latency: bool, on_request: Callable[[bytes], None]
    ) -> None:
        self.brain, self.latency, self.on_request, self.count = brain, latency, on_request, 0
        self._lock = threading.Lock()
        self._open: set[socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer.server_bind looks the host's name up: slow on some machines, and refused
        # where a re-execution keeps the process off the network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def counted(self) -> None:
        with self._lock:
            self.count += 1

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake the handler threads that wait on idle keep-alive connections, so that they end."""
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            try:
                connection.shutdown(SHUT_RDWR)
            except OSError:
                continue  # its client was faster

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that hangs up mid-stream is everyday life; anything else is a bug worth seeing.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _HttpServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: standard error belongs to the agent."""

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/requests":
            self._send_json(200, {"count": self.server.count})
        else:
            self._fail(404, "not_found_error", f"no such page: GET {self.path}")

    def do_POST(self) -> None:
        self.server.counted()
        raw = self._read_body()
        if raw is None:
            return
        wire = WIRES.get(urlsplit(self.path).path)
        if wire is None:
            known = " and ".join(WIRES)
            self._fail(404, "not_found_error", f"no such call: POST {self.path}; there are {known}")
            return
        try:
            body = json.loads(raw)
            if not isinstance(body, dict):
                raise BadRequest("the body must be a JSON object")
            conversation = wire.read(body)
        except (BadRequest, ValueError, AttributeError, TypeError) as error:
            self._fail(400, "invalid_request_error", f"bad request: {error}")
            return
        digest = hashlib.sha256(raw).hexdigest()
        try:
            self.server.on_request(raw)
            answer = self.server.brain(conversation)
        except Exception as error:
            self._fail(500, "api_error", f"the demo model failed: {type(error).__name__}: {error}")
            return
        self._wait_for_first_token(digest)
        if body.get("stream"):
            self._send_events(digest, wire.events(body, digest, answer))
        else:
            self._send_json(200, wire.whole(body, digest, answer), digest)

    def _read_body(self) -> bytes | None:
        """The body; None when it can't be read, after the error has been sent."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True  # what follows on it can't be told apart from the body
            self._fail(
                411 if not length.isdecimal() else 413,
                "invalid_request_error",
                f"Content-Length must be a number up to {MAX_BODY}",
            )
            return None
        return self.rfile.read(int(length))

    def _wait_for_first_token(self, digest: str) -> None:
        if self.server.latency:
            low, high = FIRST_TOKEN
            time.sleep(low + (high - low) * int(digest[:4], 16) / 0xFFFF)

    def _send_events(self, digest: str, events: Iterator[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("x-request-id", identifier("req_", digest))
        self.end_headers()
        for event in events:
            data = event.encode()
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            if self.server.latency:
                time.sleep(PER_CHUNK)
        self.wfile.write(b"0\r\n\r\n")

    def _send_json(self, status: int, body: dict[str, Any], digest: str = "") -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if digest:
            self.send_header("x-request-id", identifier("req_", digest))
        if status != HTTPStatus.OK:
            # The same request would fail again, so the SDKs needn't try.
            self.send_header("x-should-retry", "false")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _fail(self, status: int, kind: str, message: str) -> None:
        anthropic = urlsplit(self.path).path.startswith("/v1/messages")
        wire = wire_anthropic.WIRE if anthropic else wire_openai.WIRE
        self._send_json(status, wire.failure(kind, message))


def main(arguments: list[str] | None = None) -> int:
    """Serve until Ctrl-C; prints the environment variables that send the SDKs here."""
    parser = argparse.ArgumentParser(prog="python -m tracer.demo.model_server")
    parser.add_argument("--port", type=int, default=8099, help="0 picks a free port")
    parser.add_argument("--no-latency", action="store_true", help="answer at once")
    options = parser.parse_args(arguments)
    with ModelServer(options.port, latency=not options.no_latency) as server:
        print(f"export OPENAI_BASE_URL={server.url}/v1 OPENAI_API_KEY={KEY}")
        print(f"export ANTHROPIC_BASE_URL={server.url} ANTHROPIC_API_KEY={KEY}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
