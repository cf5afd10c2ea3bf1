"""What is no step: traffic that can't be captured, telemetry, and what services for keys say."""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import websockets.asyncio.client
import websockets.sync.client
import websockets.sync.server

import tracer
from tests.support.agents import Bench, said
from tests.support.processes import unpacked
from tests.support.replies import odd_server
from tests.support.servers import OddServer
from tracer.capture.http.telemetry import is_telemetry
from tracer.core.records import NOT_CAPTURED
from tracer.errors import CannotReplayError
from tracer.providers.base import HttpRequest


@pytest.fixture
def server() -> Iterator[OddServer]:
    with odd_server() as running:
        yield running


@pytest.fixture
def echo() -> Iterator[str]:
    """A WebSocket server that says everything again."""

    def answer(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    with websockets.sync.server.serve(answer, "127.0.0.1", 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        port = serving.socket.getsockname()[1]
        yield f"ws://127.0.0.1:{port}"
        serving.shutdown()
        thread.join()


def ask(server: OddServer, question: str) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": question}]}
    reply = requests.post(f"{server.url}/v1/chat/completions", json=body, timeout=5)
    return str(reply.json()["choices"][0]["message"]["content"])


def test_a_websocket_marks_the_run_and_stops_a_replay_not_a_fork_before_it(
    bench: Bench, server: OddServer, echo: str
) -> None:
    server.odd = lambda exchange: exchange.say("go")

    @tracer.agent
    def agent() -> list[Any]:
        first = ask(server, "open it?")
        with websockets.sync.client.connect(echo) as connection:
            connection.send(first)
            heard = connection.recv()
        return [heard, ask(server, f"heard {heard!r}")]

    assert agent() == ["go", "go"]
    assert bench.run().warnings == (f"{NOT_CAPTURED}a WebSocket to 127.0.0.1, after step 2",)
    with pytest.raises(CannotReplayError, match=r"a WebSocket to .* was not captured"):
        bench.replay(agent)
    with pytest.raises(CannotReplayError, match="past step 2"):
        bench.fork(agent, said("no"), model_call=2)
    run = bench.run().id
    forked = bench.fork(agent, said("stay"), run=run, model_call=1)
    assert forked.result == ["stay", "go"]
    assert len(forked.run.warnings) == 1


def test_a_websocket_of_the_asyncio_client_is_noted(bench: Bench, echo: str) -> None:
    @tracer.agent
    async def agent() -> Any:
        async with websockets.asyncio.client.connect(echo) as connection:
            await connection.send("x")
            return await connection.recv()

    assert asyncio.run(agent()) == "x"
    assert bench.run().warnings == (f"{NOT_CAPTURED}a WebSocket to 127.0.0.1, after step 1",)


def test_a_websocket_opened_only_now_stops_a_replay(
    bench: Bench, server: OddServer, echo: str
) -> None:
    opening = [False]

    @tracer.agent
    def agent() -> str:
        if opening[0]:
            with websockets.sync.client.connect(echo) as connection:
                connection.send("x")
        return requests.get(f"{server.url}/a", timeout=5).text

    agent()
    opening[0] = True
    code, message = bench.replay(agent).verdict()
    assert code != 0 and message is not None


def test_a_websocket_inside_a_tool_is_answered_with_the_tool(bench: Bench, echo: str) -> None:
    @tracer.tool
    def look(effect: str) -> str:
        with websockets.sync.client.connect(echo) as connection:
            connection.send("found it")
            return str(connection.recv())

    local = tracer.tool(effect="local")(look.__wrapped__)  # type: ignore[attr-defined]

    @tracer.agent
    def agent(again: bool) -> str:
        return local("local") if again else look("external")

    assert agent(False) == "found it"
    (warning,) = bench.run().warnings
    assert warning.endswith("after step 2, inside step 2")
    assert bench.replay(agent).verdict() == (0, None)
    assert agent(True) == "found it"
    with pytest.raises(CannotReplayError, match="past step 2"):
        bench.replay(agent)


def test_a_body_sent_by_hand_is_noted(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> bytes:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
        connection.putrequest("PUT", "/a")
        connection.putheader("content-length", "4")
        connection.endheaders()
        connection.send(b"sent")
        try:
            return connection.getresponse().read()
        finally:
            connection.close()

    assert b"sent" in agent()
    (warning,) = bench.run().warnings
    assert warning.startswith(f"{NOT_CAPTURED}an exchange whose body http.client's `send` sent")
    with pytest.raises(CannotReplayError):
        bench.replay(agent)


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/v1/traces", {"content-type": "application/x-protobuf"}, b"\x0a\x00"),
        ("/v1/metrics", {"content-type": "application/json"}, b'{"resourceMetrics": []}'),
        ("/v1/traces/ingest", {"OpenAI-Beta": "traces=v1"}, b'{"data": []}'),
        ("/runs/batch", {"user-agent": "langsmith-py/0.4"}, b'{"post": []}'),
        ("/api/public/ingestion", {"x_langfuse_sdk_name": "python"}, b'{"batch": []}'),
        ("/api/4507/envelope/", {"X-Sentry-Auth": "Sentry sentry_version=7"}, b"{}"),
        ("/v0.5/traces", {"Datadog-Meta-Lang": "python"}, b"\x90"),
    ],
)
def test_telemetry_is_no_step_and_does_not_leave_in_a_replay(
    bench: Bench, server: OddServer, path: str, headers: dict[str, str], body: bytes
) -> None:
    stop = threading.Event()

    def export() -> None:
        while not stop.is_set():
            requests.post(server.url + path, data=body, headers=headers, timeout=5)
            time.sleep(0.01)

    @tracer.agent
    def agent() -> str:
        exporter = threading.Thread(target=export)
        exporter.start()
        try:
            return str(requests.get(f"{server.url}/a", timeout=5).json()["path"])
        finally:
            stop.set()
            exporter.join()

    assert agent() == "/a"
    assert [step.name.rsplit("/", 1)[1] for step in bench.steps("http")] == ["a"]
    assert any(asked.path == path for asked in server.asked)
    stop.clear()
    reached = server.count
    assert bench.replay(agent).verdict() == (0, None)
    assert server.count == reached


def test_what_looks_like_telemetry_and_is_not_is_a_step(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> None:
        requests.post(f"{server.url}/runs", json={"assistant": 1}, timeout=5)
        requests.get(f"{server.url}/v1/traces", timeout=5)
        requests.post(f"{server.url}/v1/logs", json={"line": "x", "resource": 1}, timeout=5)
        requests.post(f"{server.url}/api/7/store/", json={"order": "lamp"}, timeout=5)
        requests.post(f"{server.url}/v0.1/stats", json={"visits": 3}, timeout=5)
        requests.post(f"{server.url}/api/public/ingestion", json={"file": "x"}, timeout=5)
        requests.post(f"{server.url}/v1/traces/ingest", json={"data": []}, timeout=5)

    agent()
    assert len(bench.steps("http")) == 7


def test_keys_given_out_by_a_service_are_not_stored(bench: Bench, server: OddServer) -> None:
    secrets = [f"very-secret-{n}-0123456789abcdef" for n in range(6)]
    answers = {
        "/token": json.dumps({"access_token": secrets[0], "expires_in": 3600}).encode(),
        "/role": json.dumps(
            {"AccessKeyId": "AKIA0123456789", "SecretAccessKey": secrets[1], "Token": secrets[2]}
        ).encode(),
        "/sts": f"<SecretAccessKey>{secrets[3]}</SecretAccessKey>".encode(),
        "/latest/api/token": secrets[4].encode(),
    }
    server.odd = lambda exchange: exchange.reply(answers.get(exchange.asked.path, b"{}"))

    @tracer.agent
    def agent() -> str:
        form = {"grant_type": "refresh_token", "client_secret": secrets[5]}
        token = requests.post(f"{server.url}/token", data=form, timeout=5).json()["access_token"]
        for path in ("/role", "/sts"):
            requests.get(server.url + path, timeout=5)
        requests.put(f"{server.url}/latest/api/token", timeout=5)
        key = {"authorization": f"Bearer {token}"}
        return requests.get(f"{server.url}/a", headers=key, timeout=5).text

    assert agent() == "{}"
    stored = unpacked(bench.database)
    for secret in secrets:
        assert secret.encode() not in stored
    assert bench.replay(agent).verdict() == (0, None)


def test_a_stub_answers_a_request(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: (
        exchange.say("go") if exchange.asked.path.endswith("completions") else exchange.reply({})
    )

    @tracer.agent
    def agent() -> Any:
        first = ask(server, "which?")
        return requests.post(f"{server.url}/pay", json={"to": first}, timeout=5).json()

    agent()
    forked = bench.fork(agent, said("other"), model_call=1, tools={"http": 'stub:{"paid": 1}'})
    assert forked.result == {"paid": 1}
    assert [asked.path for asked in server.asked if asked.path == "/pay"] == ["/pay"]


def test_a_key_that_was_answered_from_the_recording_is_never_sent(
    bench: Bench, server: OddServer
) -> None:
    def odd(exchange: Any) -> None:
        if exchange.asked.path == "/token":
            exchange.reply({"access_token": "very-secret-token-0123456789"})
        else:
            exchange.say("fine")

    server.odd = odd

    @tracer.agent
    def agent() -> str:
        form = {"grant_type": "client_credentials"}
        given = requests.post(f"{server.url}/token", data=form, timeout=5).json()
        head = {"authorization": f"Bearer {given['access_token']}"}
        said_last = "x"
        for _ in range(2):
            body = {"model": "m", "messages": [{"role": "user", "content": said_last}]}
            url = f"{server.url}/v1/chat/completions"
            reply = requests.post(url, json=body, headers=head, timeout=5).json()
            said_last = str(reply["choices"][0]["message"]["content"])
        return said_last

    assert agent() == "fine"
    reached = server.count
    assert bench.replay(agent).verdict() == (0, None)
    run = bench.runs()[-1].id
    forked = bench.fork(agent, said("else"), run=run, model_call=1)
    code, message = forked.verdict()
    assert code != 0 and message is not None and "key" in message
    assert server.count == reached


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("https://us.i.posthog.com/batch/", True),
        ("https://us.posthog.com/api/projects/1/query/", False),
        ("https://api.smith.langchain.com/runs/multipart", True),
        ("https://api.smith.langchain.com/commits/team/prompt/latest", False),
        ("https://agents.example/threads/1/runs", False),
        ("https://agents.example/runs", False),
        ("https://o1.ingest.sentry.io/api/77/envelope/", False),  # without its client's mark
        ("https://analytics.example/report", False),
        ("http://127.0.0.1:8126/v0.5/traces", False),
    ],
)
def test_only_what_is_known_to_be_telemetry_is_left_out(url: str, is_one: bool) -> None:
    assert is_telemetry(HttpRequest("POST", url, (), b"{}")) == is_one
    assert not is_telemetry(HttpRequest("GET", url, (), b""))
