"""The server's socket answers at once."""

import asyncio
import contextlib
import socket

from tracer_ui.app import _listen


async def _without_delay(listener: socket.socket) -> bool:
    """Whether a connection accepted by asyncio sends what it has at once."""
    found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        found.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    server = await asyncio.start_server(accepted, sock=listener)
    async with server:
        _, writer = await asyncio.open_connection(*listener.getsockname())
        answer = await found
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return bool(answer)


def test_small_pages_are_not_held_back() -> None:
    assert asyncio.run(_without_delay(_listen(0)))
