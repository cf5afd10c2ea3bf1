"""urllib3 1.26 and 2: each attempt of a connection pool is an exchange.

So requests, botocore and google-auth are covered, each redirect and each of urllib3's own
retries is a step, and retries, decoding and errors are always made by urllib3 itself. Served
answers are read by it from a connection that is none. `_make_request` is a private method, there
in all versions so far; without it a run says that it lacks what was asked.
"""

import functools
import inspect
from types import ModuleType
from typing import Any

from tracer.capture.http.bodies import Heard
from tracer.capture.http.connections import UNDER_WAY, WireExchange, make_request
from tracer.capture.http.detected import mark, not_captured
from tracer.capture.http.exchange import Passing, Sending, failure_of, is_watched, open_step
from tracer.capture.http.failures import recorded_error, socket_error, tls_error
from tracer.capture.http.uploads import snapshot

_PROXY = "_tracer_proxy"  # on a connection: the tunnel through its proxy is still to be made


def patch_library(library: ModuleType) -> None:
    """Watch the pools of urllib3; `library` is its module `connectionpool`."""
    pool: Any = library.HTTPConnectionPool
    if not hasattr(pool, "_make_request"):
        mark(pool, "urlopen", "an exchange by this urllib3", lambda self, *a, **k: self.host)
        return
    original, prepare = pool._make_request, library.HTTPSConnectionPool._prepare_proxy
    names = list(inspect.signature(original).parameters)[4:]
    plain = library.HTTPConnection

    @functools.wraps(original)
    def attempt(self: Any, conn: Any, method: str, url: str, *args: Any, **more: Any) -> Any:
        more.update(zip(names, args, strict=False))
        exchange = None
        if is_watched():
            content, body = snapshot(more.get("body"))
            if body is not None:
                more["body"] = body
            exchange = _open(self, method, url, more.get("headers"), content)
        if exchange is None:
            with Passing():
                _make_tunnel(self, conn, prepare)
                return original(self, conn, method, url, **more)
        if exchange.answer is not None:
            connection = plain(self.host, self.port)
            return exchange.serve(
                self, connection, functools.partial(original, self, connection, method, url, **more)
            )

        def send() -> Any:
            _make_tunnel(self, conn, prepare)
            return original(self, conn, method, url, **more)

        return exchange.send(conn, send)

    @functools.wraps(prepare)
    def prepare_proxy(self: Any, conn: Any) -> None:
        if is_watched():
            vars(conn)[_PROXY] = True  # made as part of the exchange, or not at all
        else:
            prepare(self, conn)

    pool._make_request = attempt
    library.HTTPSConnectionPool._prepare_proxy = prepare_proxy


def _open(pool: Any, method: str, url: str, headers: Any, content: bytes) -> "_Attempt | None":
    asked = make_request(method, pool.scheme, pool.host, pool.port, url, headers, content)
    step = open_step(asked)
    return None if step is None else _Attempt(step)


def _make_tunnel(pool: Any, conn: Any, prepare: Any) -> None:
    if vars(conn).pop(_PROXY, False):
        try:
            prepare(pool, conn)
        except OSError as error:
            # As urllib3 2 does around it.
            pool._raise_timeout(err=error, url=pool.proxy.url, timeout_value=conn.timeout)
            raise


class _Attempt(WireExchange):
    """One attempt of a pool."""

    def send(self, conn: Any, send: Any) -> Any:
        """Ask for real."""
        vars(conn)[UNDER_WAY] = self
        try:
            with Sending(self):
                response = send()
        except BaseException as error:
            self.failed(error, failure_of(error) | {"at": "request"})
            raise
        finally:
            vars(conn).pop(UNDER_WAY, None)
        if self.heard is None:
            self._unheard(response)
        return response

    def response(self, connection: Any, get: Any) -> Any:
        """Called from http.client's `getresponse`."""
        try:
            response = get()
        except BaseException as error:
            self.failed(error)
            raise
        self.received(response)
        return response

    def _unheard(self, response: Any) -> None:
        """A connection class of another make (HTTP/2, a test's stand-in)."""
        self.arrived()
        request = self.step.call.request
        host = request.url.split("/")[2] if request is not None else ""
        not_captured(f"the answer over {type(response).__name__}", host)
        Heard(self, int(response.status), ()).end(False)

    def serve(self, pool: Any, connection: Any, read: Any) -> Any:
        """The recorded answer, read by urllib3."""
        answer = self.answer
        try:
            self.step.run.wait(self.step.decision)
        except BaseException as error:
            self.failed(error)
            raise
        failure = answer.failure
        if answer.status == 0 and failure is not None:
            self._raise_own(pool, connection, failure)
        connection.sock = self.socket()
        # The warning about certificates that are not verified is for those who asked for that.
        connection.is_verified = str(getattr(pool, "cert_reqs", None)) not in ("CERT_NONE", "0")
        with Sending(self):
            return read()

    def _raise_own(self, pool: Any, connection: Any, failure: dict[str, Any]) -> None:
        """Raise what never came as far as a response."""
        error = None
        if str(failure["type"]).startswith("urllib3."):
            error = recorded_error(failure)
            if error is not None and type(error).__name__ == "SSLError":
                error = type(error)(tls_error(str(failure["message"])))  # it wraps the ssl module's
            for name, value in (("pool", pool), ("conn", connection), ("url", None)):
                if error is not None and name not in vars(error):
                    vars(error)[name] = value
        elif failure.get("at") == "request":
            error = socket_error(failure)
        if error is not None:
            self.failed(None, failure)
            raise error
