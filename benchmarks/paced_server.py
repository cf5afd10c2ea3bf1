"""A model server in a process of its own that streams at the pace of a real model.

It keeps to a timetable that starts when the request has arrived, as a model does: a client that
is slow to read makes nothing later.
"""

import asyncio
import json
import sys
from typing import Any

from benchmarks.payloads import MODEL, passage

FIRST_TOKEN = 0.2  # seconds from the request to the first chunk
BETWEEN = 0.01  # seconds from chunk to chunk
CHUNKS = 60

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def _events() -> list[bytes]:
    words = passage(0).split()
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": words[0]}]
    deltas += [{"content": f" {word}"} for word in words[1 : CHUNKS - 1]]
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": MODEL}
    choices: list[dict[str, Any]] = [
        {"index": 0, "delta": delta, "finish_reason": None} for delta in deltas
    ]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    lines = [json.dumps({**head, "choices": [choice]}) for choice in choices]
    return [f"data: {line}\n\n".encode() for line in [*lines, "[DONE]"]]


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    events = _events()
    while head := await _read_head(reader):
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        await reader.readexactly(length)
        clock = asyncio.get_running_loop()
        due = clock.time() + FIRST_TOKEN
        await asyncio.sleep(FIRST_TOKEN)
        writer.write(_HEAD)
        for event in events:
            await asyncio.sleep(max(0.0, due - clock.time()))
            writer.write(b"%x\r\n%b\r\n" % (len(event), event))
            await writer.drain()
            due += BETWEEN
        writer.write(b"0\r\n\r\n")
        await writer.drain()
    writer.close()


async def _read_head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def main() -> None:
    """Serve on a free port of 127.0.0.1, which is printed, until standard input ends."""
    server = await asyncio.start_server(_converse, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The reader of our port holds the other end: when it is gone, nobody needs us.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
