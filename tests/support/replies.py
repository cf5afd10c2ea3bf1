"""Replies of every shape, by path: what clients are asked to cope with, over a real socket."""

import functools
import gzip
import json
import time
import xmlrpc.client
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import brotli
import zstandard

from tests.support.servers import Exchange, OddServer

WORDS = "grün " * 400
EVENTS = [f"data: {n} ü\n\n".encode() for n in range(5)]
_CODINGS: dict[str, Any] = {
    "gzip": functools.partial(
        gzip.compress, mtime=0
    ),  # two answers are equal whenever they are made
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def odd(exchange: Exchange) -> None:
    """Answer by the path that was asked."""
    path = exchange.asked.path.split("?")[0].strip("/").replace("-", "_")
    _REPLIES.get(path, _echo)(exchange)


@contextmanager
def odd_server() -> Iterator[OddServer]:
    """A server that answers by path."""
    with OddServer(odd) as server:
        yield server


def _echo(exchange: Exchange) -> None:
    body = exchange.asked.body
    shown = len(body) if b"form-data" in body else body.decode("latin-1")
    exchange.reply({"path": exchange.asked.path, "method": exchange.asked.method, "body": shown})


def _coded(coding: str) -> Any:
    def reply(exchange: Exchange) -> None:
        data = _CODINGS[coding](json.dumps({"words": WORDS}, ensure_ascii=False).encode())
        exchange.begin(200, {"content-type": "application/json", "content-encoding": coding})
        for start in range(0, len(data), 7):
            exchange.chunk(data[start : start + 7])
        exchange.finish()

    return reply


def _stream(exchange: Exchange) -> None:
    exchange.begin()
    for event in EVENTS:
        exchange.chunk(event)
        time.sleep(0.01)
    exchange.finish()


def _split(exchange: Exchange) -> None:
    exchange.begin(200, {"content-type": "text/plain; charset=utf-8"})
    for byte in WORDS[:40].encode():
        exchange.chunk(bytes([byte]))
    exchange.finish()


def _cut_length(exchange: Exchange) -> None:
    exchange.begin(length=1000)
    exchange._handler.wfile.write(b"only this")
    exchange.hang_up()


def _cut_chunk(exchange: Exchange) -> None:
    exchange.begin()
    exchange.chunk(EVENTS[0])
    exchange._handler.wfile.write(b"40\r\nonly this")
    exchange.hang_up()


def _cut_between(exchange: Exchange) -> None:
    exchange.begin()
    exchange.chunk(EVENTS[0])
    exchange.hang_up()


def _reset_later(exchange: Exchange) -> None:
    exchange.begin()
    exchange.chunk(EVENTS[0])
    time.sleep(0.05)
    exchange.reset()


def _until_close(exchange: Exchange) -> None:
    exchange._handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")
    exchange.hang_up()


def _own_reason(exchange: Exchange) -> None:
    exchange._handler.wfile.write(b"HTTP/1.1 429 Slow down now\r\nContent-Length: 2\r\n\r\n{}")


def _stuck(exchange: Exchange) -> None:
    exchange.begin()
    exchange.chunk(EVENTS[0])
    time.sleep(0.5)
    exchange.finish()


def _procedure(exchange: Exchange) -> None:
    given, _ = xmlrpc.client.loads(exchange.asked.body)
    reply = xmlrpc.client.dumps((sum(map(int, map(str, given))),), methodresponse=True)
    exchange.reply(reply.encode(), 200, {"content-type": "text/xml"})


def _slow(exchange: Exchange) -> None:
    time.sleep(0.8)
    exchange.reply({})


_REPLIES: dict[str, Any] = {
    **{coding: _coded(coding) for coding in _CODINGS},
    "stream": _stream,
    "split": _split,
    "cut_length": _cut_length,
    "cut_chunk": _cut_chunk,
    "cut_between": _cut_between,
    "reset": lambda exchange: exchange.reset(),
    "reset_later": _reset_later,
    "until_close": _until_close,
    "own_reason": _own_reason,
    "slow": _slow,
    "rpc": _procedure,
    "stuck": _stuck,
    "empty": lambda exchange: exchange.begin(204, {"x-empty": "yes"}, 0),
    "old": lambda exchange: exchange.reply({"at": "old"}, 302, {"location": "/new"}),
    "missing": lambda exchange: exchange.reply({"error": "none"}, 404),
    "lies": lambda exchange: exchange.reply(b"not gzip", 200, {"content-encoding": "gzip"}),
    "cookie": lambda exchange: exchange.reply({}, 200, {"set-cookie": "taste=sweet-and-sour"}),
}


def told(call: Any) -> Any:
    """What a call gives, or class and text of what it raises; addresses in memory left out."""
    try:
        return call()
    except Exception as error:
        return _named(error)


async def told_later(call: Any) -> Any:
    """The same, awaited."""
    try:
        return await call
    except Exception as error:
        return _named(error)


def _named(error: Exception) -> tuple[str, str]:
    text = str(error)
    while " object at 0x" in text:
        head, _, tail = text.partition(" object at 0x")
        text = head + tail.lstrip("0123456789abcdef")
    return f"{type(error).__module__}.{type(error).__qualname__}", text
