"""HTTP/1.1 read and written: what is heard is what was sent, whatever pieces it is read in."""

import http.client
import io
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.capture.encoding import DECODED, decode_chunks, encode_chunks
from tracer.capture.http.failures import httpx_name, recorded_error, socket_error
from tracer.capture.http.uploads import snapshot
from tracer.capture.http.wire import Framing

CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=8)


def framed(chunks: list[bytes]) -> bytes:
    return b"".join(f"{len(c):x}\r\n".encode() + c + b"\r\n" for c in chunks) + b"0\r\n\r\n"


@given(CHUNKS, st.integers(1, 60))
def test_chunks_are_found_whatever_pieces_they_are_read_in(chunks: list[bytes], size: int) -> None:
    framing = Framing(chunked=True, length=None)
    wire, found = framed(chunks), list[bytes]()
    for start in range(0, len(wire), size):
        found += framing.feed(wire[start : start + size])
    assert found == chunks
    assert framing.done and framing.missing(b"") is None


@given(CHUNKS.filter(bool), st.data())
def test_a_cut_is_no_end(chunks: list[bytes], data: st.DataObject) -> None:
    wire = framed(chunks)[: -len(b"0\r\n\r\n")]
    cut = data.draw(st.integers(0, len(wire)))
    framing = Framing(chunked=True, length=None)
    found = framing.feed(wire[:cut])
    rest = framing.rest()
    assert b"".join(chunks).startswith(b"".join(found) + rest)
    assert not framing.done
    failure = framing.missing(rest)
    assert failure is not None and failure["type"] == "http.client.IncompleteRead"


@given(st.binary(max_size=200), st.integers(1, 50))
def test_a_length_ends_a_body(body: bytes, size: int) -> None:
    framing = Framing(chunked=False, length=len(body))
    found = [p for n in range(0, len(body), size) for p in framing.feed(body[n : n + size])]
    assert b"".join(found) == body
    assert framing.done


@given(CHUNKS, st.sampled_from(["gzip", "deflate", "br", "zstd"]))
def test_a_coding_taken_off_is_put_on_again(chunks: list[bytes], coding: str) -> None:
    sent = encode_chunks(chunks, coding, whole=True)
    given_headers = (("Content-Encoding", coding), ("Content-Length", "7"))
    found, headers = decode_chunks(sent, given_headers)
    assert found == chunks, "each is readable when it has come"
    assert (DECODED, coding) in headers


def test_a_coding_nobody_asked_for_is_kept() -> None:
    sent = encode_chunks([b"words"], "gzip", whole=True)
    headers = (("content-encoding", "gzip"),)
    found, kept = decode_chunks(sent, headers, (("accept-encoding", "br;q=1.0, identity"),))
    assert (found, kept) == (sent, headers)


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (None, b""),
        (b"bytes", b"bytes"),
        (bytearray(b"array"), b"array"),
        ("wörter", "wörter".encode()),
        (io.BytesIO(b"file"), b"file"),
        (io.StringIO("text"), b"text"),
        ([b"a", b"b"], b"ab"),
        (iter([b"a", "b"]), b"ab"),
        (object(), b""),
    ],
)  # fmt: skip
def test_a_body_is_looked_at_and_sent_all_the_same(body: Any, content: bytes) -> None:
    seen, sent = snapshot(body)
    assert seen == content
    again, _ = snapshot(sent)
    assert again == content


def test_a_file_is_put_back_to_where_it_stood() -> None:
    file = io.BytesIO(b"0123456789")
    file.read(4)
    assert snapshot(file) == (b"456789", file)
    assert file.tell() == 4


def test_a_pipe_is_sent_from_memory() -> None:
    ours, theirs = socket.socketpair()
    theirs.sendall(b"piped")
    theirs.close()
    with ours, ours.makefile("rb") as pipe:
        content, body = snapshot(pipe)
    assert (content, body.read()) == (b"piped", b"piped")


@pytest.mark.parametrize(
    ("kind", "message", "raw", "httpx"),
    [
        ("ReadTimeout", "timed out (injected)", TimeoutError, "ReadTimeout"),
        ("httpx.ConnectError", "no", ConnectionRefusedError, "ConnectError"),
        ("TimeoutError", "timed out", TimeoutError, "ReadTimeout"),
        ("ConnectionResetError", "[Errno 104] Reset", ConnectionResetError, "ReadError"),
        ("socket.gaierror", "[Errno -2] unknown", socket.gaierror, "ConnectError"),
        ("urllib3.exceptions.ReadTimeoutError", "x", TimeoutError, "ReadTimeout"),
        ("aiohttp.client_exceptions.ClientPayloadError", "x", ConnectionResetError,
         "RemoteProtocolError"),
        ("no.such.Class", "x", ConnectionResetError, "ReadError"),
    ],
)  # fmt: skip
def test_a_failure_means_the_same_in_another_client(
    kind: str, message: str, raw: type, httpx: str
) -> None:
    failure = {"type": kind, "message": message}
    assert type(socket_error(failure)) is raw
    if "." in kind:
        assert httpx_name(failure) == httpx


def test_an_error_with_a_number_has_it_again() -> None:
    made = recorded_error({"type": "ConnectionResetError", "message": "[Errno 104] Reset by peer"})
    assert isinstance(made, ConnectionResetError)
    assert (made.errno, made.strerror) == (104, "Reset by peer")
    gone = {"type": "http.client.RemoteDisconnected", "message": "closed"}
    assert isinstance(recorded_error(gone), http.client.RemoteDisconnected)
