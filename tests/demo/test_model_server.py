"""The model server over bare sockets: framing, errors, counts, delays, starting and stopping."""

import asyncio
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.demo.clients import (
    ASKED,
    chat,
    post,
    said_by_openai,
)
from tracer.demo import brain
from tracer.demo.conversation import Answer, Conversation
from tracer.demo.model_server import FIRST_TOKEN, ModelServer


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False) as running:
        yield running


def test_the_frames_of_both_streams(server: ModelServer) -> None:
    asked = {"model": "m", "messages": ASKED, "stream": True, "max_tokens": 9}
    status, kind, body = post(server, "/v1/chat/completions", json.dumps(asked).encode())
    assert (status, kind) == (200, "text/event-stream; charset=utf-8")
    frames = body.decode().split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    assert all(frame.startswith("data: {") and "\n" not in frame for frame in frames[:-2])

    _, _, body = post(server, "/v1/messages", json.dumps(asked).encode())
    lines = [frame.split("\n") for frame in body.decode().split("\n\n")[:-1]]
    names = [first.removeprefix("event: ") for first, _ in lines]
    assert names == [json.loads(second.removeprefix("data: "))["type"] for _, second in lines]
    deltas = names.count("content_block_delta")
    assert names == [
        "message_start",
        "ping",
        "content_block_start",
        *["content_block_delta"] * deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert deltas > 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/embeddings", b"{}", 404),
        ("/v1/messages/count_tokens", b"{}", 404),
        ("/v1/chat/completions", b"{", 400),
        ("/v1/chat/completions", b"[]", 400),
        ("/v1/chat/completions", b"\xff", 400),
        ("/v1/chat/completions", b'{"model": "m"}', 400),
        ("/v1/chat/completions", b'{"model": "m", "messages": []}', 400),
        ("/v1/chat/completions", b'{"model": "m", "messages": [{"tool_calls": 3}]}', 400),
        ("/v1/chat/completions", b'{"model": "m", "messages": [{}], "n": 2}', 400),
        ("/v1/messages", b'{"model": "m", "messages": [{}]}', 400),
        ("/v1/messages", b'{"model": "m", "messages": [{}], "max_tokens": 1, "tools": [1]}', 400),
    ],
)
def test_bad_requests_get_a_json_error(
    server: ModelServer, path: str, body: bytes, status: int
) -> None:
    found, kind, content = post(server, path, body)
    assert (found, kind) == (status, "application/json")
    error = json.loads(content)
    assert error["error"]["message"]
    assert (error.get("type") == "error") == path.startswith("/v1/messages")


def test_a_body_of_unknown_or_enormous_length_is_refused(server: ModelServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=5)
    connection.request("POST", "/v1/messages", iter([b"{}"]), {"Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 411
    connection.close()
    connection.putrequest("POST", "/v1/messages")
    connection.putheader("Content-Length", "99999999999")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_a_failing_brain_is_a_server_error_that_is_not_retried() -> None:
    def broken(conversation: Conversation) -> Answer:
        raise KeyError("price")

    with ModelServer(latency=False, brain=broken) as server:
        with pytest.raises(openai.InternalServerError, match="KeyError: 'price'"):
            chat(server).chat.completions.create(model="m", messages=ASKED)
        assert server.request_count == 1


def test_get_requests_counts_posts_only(server: ModelServer) -> None:
    def count() -> object:
        with urllib.request.urlopen(f"{server.url}/requests", timeout=5) as reply:
            return json.load(reply)

    assert count() == {"count": 0}
    chat(server).chat.completions.create(model="m", messages=ASKED)
    assert count() == {"count": 1}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{server.url}/elsewhere", timeout=5)
    assert server.request_count == 1


def test_equal_requests_get_equal_bytes_and_others_other_ids(server: ModelServer) -> None:
    def ask(text: str) -> bytes:
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        return post(server, "/v1/chat/completions", json.dumps(body).encode())[2]

    assert ask("one") == ask("one")
    assert json.loads(ask("one"))["id"] != json.loads(ask("two"))["id"]


def test_the_first_token_takes_its_time_and_chunks_follow() -> None:
    with ModelServer() as server, chat(server) as client:
        began = time.perf_counter()
        stream = client.chat.completions.create(model="m", messages=ASKED, stream=True)
        next(stream)
        first = time.perf_counter() - began
        rest = len(list(stream))
        whole = time.perf_counter() - began
    assert first >= FIRST_TOKEN[0]
    assert whole - first >= 0.009 * (rest - 1)


def test_requests_are_served_at_the_same_time() -> None:
    both_inside = threading.Barrier(2, timeout=5)

    def meet(conversation: Conversation) -> Answer:
        both_inside.wait()
        return Answer("met")

    async def ask(server: ModelServer) -> list[ChatCompletion]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
            create = client.chat.completions.create
            asked = (create(model="m", messages=ASKED), create(model="m", messages=ASKED))
            return list(await asyncio.gather(*asked))

    with ModelServer(latency=False, brain=meet) as server:
        replies = asyncio.run(ask(server))
    assert [reply.choices[0].message.content for reply in replies] == ["met", "met"]


def test_stop_frees_the_port_and_ends_idle_connections() -> None:
    before = set(threading.enumerate())  # other tests' servers may be ending still

    def serving() -> bool:
        mine = set(threading.enumerate()) - before
        return any("process_request_thread" in thread.name for thread in mine)

    server = ModelServer(latency=False).start()
    with chat(server) as client:
        client.chat.completions.create(model="m", messages=ASKED)
        port = int(server.url.rpartition(":")[2])
        assert serving()
        server.stop()
    with pytest.raises(RuntimeError, match="isn't running"):
        _ = server.url
    deadline = time.monotonic() + 5
    while serving():
        assert time.monotonic() < deadline, "a connection is still being served"
        time.sleep(0.01)
    with ModelServer(port, latency=False) as again:
        assert again.url.endswith(f":{port}")
        assert again.request_count == 0


def test_it_starts_where_every_lookup_of_a_name_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*name: object) -> None:
        raise PermissionError(name)

    for lookup in ("getfqdn", "gethostbyaddr", "gethostbyname", "getaddrinfo"):
        monkeypatch.setattr(socket, lookup, refuse)
    with ModelServer(latency=False) as server:
        assert server.url.startswith("http://127.0.0.1:")


def test_it_runs_as_a_program_until_ctrl_c() -> None:
    command = [sys.executable, "-m", "tracer.demo.model_server", "--port", "0", "--no-latency"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        base_url = program.stdout.readline().split()[1].removeprefix("OPENAI_BASE_URL=")
        client = openai.OpenAI(base_url=base_url, api_key="none")
        reply = client.chat.completions.create(model="m", messages=ASKED)
        assert said_by_openai(reply) == brain.answer(
            Conversation("", (ASKED[0]["content"],), (), {})
        )
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=5) == 0
