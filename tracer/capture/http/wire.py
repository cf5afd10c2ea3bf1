"""HTTP/1.1 as http.client reads it from a file: heard on its way, or written from a recording.

Everything above (http.client's responses, urllib3's, requests', botocore's) reads from here with
its own code in both cases, so decoding, retries, redirects and errors are its own.
"""

import io
from typing import Any

from tracer.capture.boundary import HttpAnswer
from tracer.capture.http.bodies import Given, Heard
from tracer.capture.http.exchange import reason_of, served_headers
from tracer.capture.http.failures import expected_more, kind_of, socket_error


class Framing:
    """Finds the body in the bytes of a response after its headers, and where it ends."""

    def __init__(self, *, chunked: bool, length: int | None) -> None:
        self._chunked = chunked
        self._left = length  # bytes still to come; of a chunk, where chunked
        self._line = b""  # of a chunk's size, until it is whole
        self._pieces: list[bytes] = []  # of a chunk, until it is whole
        self._skip = 0  # the line end behind a chunk
        self.done = not chunked and length == 0

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of body in some bytes."""
        if not self._chunked:
            if self._left is not None:
                self._left -= len(data)
                self.done = self._left <= 0
            return [data] if data else []
        found: list[bytes] = []
        while data and not self.done:
            if self._skip:
                gone = min(self._skip, len(data))
                self._skip -= gone
                data = data[gone:]
            elif self._left is None:
                data = self._size(data)
            else:
                piece, data = data[: self._left], data[self._left :]
                self._pieces.append(piece)
                self._left -= len(piece)
                if not self._left:
                    found.append(self.rest())
                    self._left, self._skip = None, 2
        return found

    def _size(self, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\n")
        self._line += head
        if not end:
            return b""
        try:
            self._left = int(self._line.split(b";", 1)[0], 16)
        except ValueError:  # no chunk: the reader says so
            self._left = 0
        self._line = b""
        self.done = self._left == 0
        return rest

    def rest(self) -> bytes:
        """What came of a chunk that did not come whole."""
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def missing(self, got: bytes) -> dict[str, Any] | None:
        """The failure that an end here is; None where the end of the connection ends the body."""
        if self.done or (not self._chunked and self._left is None):
            return None
        more = f", {self._left} more expected" if self._left else ""
        message = f"IncompleteRead({len(got)} bytes read{more})"
        return {"type": "http.client.IncompleteRead", "message": message}


class HeardFile:
    """The file under an http.client response, heard while it is read."""

    def __init__(self, inner: Any, heard: Heard, framing: Framing) -> None:
        self._inner = inner
        self._heard = heard
        self._framing = framing
        if framing.done:
            heard.end(True)

    def read(self, *args: Any) -> Any:
        """As io.BufferedReader."""
        wanted = args[0] if args and args[0] is not None else -1
        return self._passed(self._inner.read, args, wanted)

    def read1(self, *args: Any) -> Any:
        """As io.BufferedReader."""
        return self._passed(self._inner.read1, args, 0 if args and args[0] == 0 else 1)

    def readline(self, *args: Any) -> Any:
        """As io.BufferedReader."""
        return self._passed(self._inner.readline, args, 1)

    def readinto(self, buffer: Any) -> Any:
        """As io.BufferedReader."""
        with memoryview(buffer) as view, view.cast("B") as flat:
            data = self._passed(self._into, (flat,), min(len(flat), 1))
        return len(data)

    def _into(self, view: memoryview) -> bytes:
        count = self._inner.readinto(view)
        return bytes(view[:count])

    def _passed(self, read: Any, args: Any, wanted: int) -> Any:
        """`wanted`: fewer bytes than this mean that the connection has ended; -1: all of them."""
        try:
            data = read(*args)
        except BaseException as error:
            self._heard.end(False, error)
            raise
        for piece in self._framing.feed(data or b""):
            self._heard.seen(piece)
        if self._framing.done:
            self._heard.end(True)
        elif wanted < 0 or len(data or b"") < wanted:
            self._ended_early()
        return data

    def _ended_early(self) -> None:
        rest = self._framing.rest()
        if rest:
            self._heard.seen(rest)
        failure = self._framing.missing(rest)
        self._heard.end(failure is None, failure=failure)

    def close(self) -> None:
        """The reader is done with it."""
        try:
            self._inner.close()
        finally:
            self._left()

    def _left(self) -> None:
        if self._heard.exchange.step.ended:
            return
        rest = self._framing.rest()
        if rest:
            self._heard.seen(rest)
        self._heard.end(False)

    def __del__(self) -> None:
        self._left()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __iter__(self) -> Any:
        return iter(self.readline, b"")


class AnswerFile(io.RawIOBase):
    """The bytes of a response made from an answer, one chunk a read."""

    def __init__(self, given: Given, answer: HttpAnswer, method: str) -> None:
        super().__init__()
        self._given = given
        self._answer = answer
        self._bodyless = method.upper() == "HEAD" or answer.status in (204, 304)
        headers = served_headers(answer, method)
        known = any(name.lower() == "content-length" for name, _ in headers)
        self._chunked = not (self._bodyless or known)
        if self._chunked:
            headers.append(("transfer-encoding", "chunked"))
        lines = [f"HTTP/1.1 {answer.status} {reason_of(answer)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        text = "\r\n".join(_one_line(line) for line in lines) + "\r\n\r\n"
        self._ready = text.encode("latin-1", "replace")
        self._over = False
        if self._bodyless or not (self._chunked or answer.chunks):
            self._end_whole()

    def readable(self) -> bool:
        """As io.RawIOBase."""
        return True

    def readinto(self, buffer: Any) -> int:
        """As io.RawIOBase. Raises the recorded failure where it came."""
        while not self._ready and not self._over:
            self._ready = self._next()
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _next(self) -> bytes:
        chunk = self._given.take()
        if chunk is None:
            self._over = True
            return self._end()
        if not self._chunked:
            if self._given.is_all():
                self._end_whole()
            return chunk
        if not chunk:
            return b""
        failure = self._given.ending()
        more = 0 if failure is None else expected_more(failure)
        return f"{len(chunk) + more:x}\r\n".encode() + chunk + (b"" if more else b"\r\n")

    def _end_whole(self) -> None:
        """The last bytes of a known length: nobody asks whether there are more."""
        answer = self._answer
        if answer.complete and answer.failure is None:
            self._over = True
            self._given.finish()

    def _end(self) -> bytes:
        failure = self._given.finish()
        if failure is None:
            return b"0\r\n\r\n" if self._chunked else b""
        if kind_of(failure) == "cut":
            return b""  # the reader finds out by itself that something is missing
        raise socket_error(failure)

    def close(self) -> None:
        """As io.RawIOBase."""
        if not self.closed:
            self._given.left()
        super().close()


def _one_line(line: str) -> str:
    return line.replace("\r", " ").replace("\n", " ")


class AnswerSocket:
    """Stands in for a connection: takes the request, and reads as the answer."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file = file

    def sendall(self, data: Any, *args: Any) -> None:
        """The request is known already."""

    def makefile(self, *args: Any, **kwargs: Any) -> Any:
        """The response."""
        return io.BufferedReader(self._file)

    def settimeout(self, value: Any) -> None:
        """Nothing is waited for here."""

    def gettimeout(self) -> None:
        """No timeout."""

    def setsockopt(self, *args: Any) -> None:
        """There is no socket."""

    def shutdown(self, how: int) -> None:
        """There is no socket."""

    def close(self) -> None:
        """The file is closed by its reader."""


class BrokenFile(io.RawIOBase):
    """Where a response should be read and none came."""

    def __init__(self, failure: dict[str, Any]) -> None:
        super().__init__()
        self._failure = failure

    def readable(self) -> bool:
        """As io.RawIOBase."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises the recorded failure; gives the end where the other side hung up."""
        if kind_of(self._failure) == "cut":
            return 0
        raise socket_error(self._failure)
