"""Bodies of aiohttp: its stream readers heard while the agent reads, or fed from a recording.

A reader becomes one of ours by its class alone, so that its state stays where aiohttp's parser
and protocol expect it.
"""

import asyncio
from typing import Any

from tracer.capture.boundary import HttpAnswer
from tracer.capture.http.bodies import Given, Heard
from tracer.capture.http.exchange import reason_of, served_headers

_READING = ("read", "readany", "readchunk", "readexactly", "readuntil", "readline")


class Readers:
    """The two reader classes of one aiohttp, and what belongs to the readers made theirs."""

    def __init__(self, base: Any) -> None:
        self._base = base
        self._heard: dict[int, Heard] = {}
        self._depth: set[int] = set()
        self._served: dict[int, ServedBody] = {}
        self._live_class = self._make_live()
        self._served_class = self._make_served()

    def hear(self, reader: Any, heard: Heard) -> bool:
        """Listen to what is read; False where there is nothing to read, or no way to listen."""
        if type(reader) is not self._base:
            return False
        if reader.at_eof():
            heard.end(True)
            return True
        self._heard[id(reader)] = heard
        reader.__class__ = self._live_class
        return True

    def serve(self, reader: Any, body: "ServedBody") -> None:
        """Let a reader be fed by a recorded body."""
        if type(reader) is self._base:
            body.reader = reader
            self._served[id(reader)] = body
            reader.__class__ = self._served_class

    def left(self, reader: Any) -> None:
        """Nobody reads on."""
        heard = self._heard.pop(id(reader), None)
        if heard is not None:
            heard.end(False)
        body = self._served.get(id(reader))
        if body is not None:
            body.given.left()

    def forgotten(self, reader: Any) -> None:
        """The reader itself is gone."""
        self.left(reader)
        self._served.pop(id(reader), None)

    async def _read(self, reader: Any, reading: Any) -> Any:
        key = id(reader)
        heard = self._heard.get(key)
        if heard is None or key in self._depth:  # one way of reading calls another
            return await reading
        self._depth.add(key)
        try:
            data = await reading
            if reader.at_eof():
                await heard.turn()
        except BaseException as error:
            self._heard.pop(key, None)
            heard.end(False, error)
            raise
        finally:
            self._depth.discard(key)
        self._got(reader, heard, data[0] if isinstance(data, tuple) else data)
        return data

    def _got(self, reader: Any, heard: Heard, data: bytes) -> None:
        if data:
            heard.seen(data)
        if reader.at_eof():
            self._heard.pop(id(reader), None)
            heard.end(True)

    def _make_live(self) -> type:
        readers, base = self, self._base

        def reading(name: str) -> Any:
            inherited = getattr(base, name)

            async def read(self: Any, *args: Any, **kwargs: Any) -> Any:
                return await readers._read(self, inherited(self, *args, **kwargs))

            return read

        def read_nowait(self: Any, n: int = -1) -> bytes:
            data: bytes = base.read_nowait(self, n)
            heard = readers._heard.get(id(self))
            if heard is not None:
                readers._got(self, heard, data)
            return data

        methods = {name: reading(name) for name in _READING}
        return self._subclass({**methods, "read_nowait": read_nowait})

    def _make_served(self) -> type:
        readers = self

        async def wait(self: Any, name: str) -> None:
            await readers._served[id(self)].feed()

        async def wait_eof(self: Any) -> None:
            while not self.is_eof():
                await readers._served[id(self)].feed()

        return self._subclass({"_wait": wait, "wait_eof": wait_eof})

    def _subclass(self, members: dict[str, Any]) -> type:
        readers = self

        def forget(self: Any) -> None:
            readers.forgotten(self)

        # No slots of its own: the layout must be the base's, or an object can't change into it.
        members |= {"__slots__": (), "__del__": forget, "__module__": self._base.__module__}
        return type(self._base.__name__, (self._base,), members)


class ServedBody:
    """A recorded answer on its way through aiohttp's parser."""

    def __init__(self, exchange: Any, answer: HttpAnswer, protocol: Any) -> None:
        self.given = Given(exchange, answer)
        self.reader: Any = None
        self._exchange = exchange
        self._answer = answer
        self._protocol = protocol
        method = exchange.request.method.upper()
        self._headers = served_headers(answer, method)
        bodyless = method == "HEAD" or answer.status in (204, 304)
        known = any(name.lower() == "content-length" for name, _ in self._headers)
        self._chunked = not (bodyless or known)
        self._empty = bodyless or (known and not answer.chunks)

    async def begin(self) -> None:
        """Give the head; of a body without content also its end."""
        if self._chunked:
            self._headers.append(("Transfer-Encoding", "chunked"))
        answer = self._answer
        lines = [f"HTTP/1.1 {answer.status} {reason_of(answer)}"]
        lines += [f"{name}: {value}" for name, value in self._headers]
        head = "\r\n".join(line.replace("\r", " ").replace("\n", " ") for line in lines)
        # The recorded agent waited, not this one: no clock for a silent server.
        self._protocol._read_timeout = None
        if self._empty and answer.complete and answer.failure is None:
            await self.given.finish_async()
        self._protocol.data_received(head.encode("utf-8", "surrogateescape") + b"\r\n\r\n")

    async def feed(self) -> None:
        """Give the next chunk, or the end; raises the recorded failure."""
        chunk = self.given.take()
        while chunk == b"":
            chunk = self.given.take()
        if chunk is None:
            await self._end()
            return
        answer = self._answer
        whole = answer.complete and answer.failure is None
        if not self._chunked and whole and self.given.is_all():
            await self.given.finish_async()
        self._protocol.data_received(self._framed(chunk))
        await asyncio.sleep(0)  # as a socket would: others run between two chunks

    def _framed(self, chunk: bytes) -> bytes:
        if not self._chunked:
            return chunk
        return f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n"

    async def _end(self) -> None:
        failure = await self.given.finish_async()
        if failure is not None:
            error = self._exchange.body_error(failure)
            self.reader.set_exception(error)
            raise error
        if self._chunked:
            self._protocol.data_received(b"0\r\n\r\n")
        if not self.reader.is_eof():
            self.reader.feed_eof()


def served_connection(library: Any, connector: Any, request: Any) -> Any:
    """A connection of aiohttp's own class that leads nowhere."""
    protocol = connector._factory()
    protocol.connection_made(_Transport())
    loop = asyncio.get_running_loop()
    nowhere = _Nowhere(connector)
    return library.connector.Connection(nowhere, request.connection_key, protocol, loop)


class _Nowhere:
    """Takes back a connection that never was; else as the connector."""

    def __init__(self, connector: Any) -> None:
        self._connector = connector

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        protocol.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)


class _Transport(asyncio.Transport):
    """Takes the request, which is known already."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = False

    def write(self, data: Any) -> None:
        """The request."""

    def writelines(self, list_of_data: Any) -> None:
        """The request."""

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def close(self) -> None:
        """There is no socket."""
        self._closing = True

    abort = close

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """Nothing comes by itself."""
