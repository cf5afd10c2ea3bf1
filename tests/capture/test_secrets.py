"""Keys, cookies and passwords never reach the disk, wherever a program lets them slip."""

import base64
import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

import tracer
from tests.support.agents import Bench
from tests.support.processes import Desk, unpacked
from tests.support.servers import Exchange, OddServer
from tracer.capture import redact
from tracer.core.marks import REDACTED
from tracer.providers import eventstream
from tracer.store.reading import Store

KEY = "sk-proj-Zx81hQp0TeStKeyAbCdEf0123456789"
COOKIE = "8f14e45fceea167a5a36dedd4bea2543"
PASSWORD = "correct-horse-battery"
ASKED: Any = [{"role": "user", "content": "x"}]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[OddServer]:
    monkeypatch.setattr(redact, "_known", {})
    with OddServer() as running:
        yield running


def stored(bench: Bench) -> bytes:
    """The files as they are, and everything in them unpacked."""
    with bench.store as store:
        store.runs()
    files = b"".join(path.read_bytes() for path in bench.database.parent.glob("traces.db*"))
    connection = sqlite3.connect(bench.database)
    connection.execute("pragma wal_checkpoint(passive)")
    connection.close()
    return files + bench.database.read_bytes() + unpacked(bench.database)


def leaks(found: bytes, *secrets: str) -> list[bytes]:
    """What surrounds each secret found."""
    places = [found.find(secret.encode()) for secret in secrets]
    return [found[max(0, at - 80) : at + 60] for at in places if at >= 0]


def test_a_key_in_headers_errors_and_tracebacks(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        said = f"Incorrect API key provided: {KEY}. You can find it at your account."
        error = {"error": {"message": said, "type": "invalid_request_error", "code": "bad_key"}}
        exchange.reply(error, 401, {"set-cookie": f"session={COOKIE}; Path=/; HttpOnly"})

    server.odd = odd

    @tracer.tool
    def look(key: str) -> None:
        raise ValueError(f"can't use {key}")

    @tracer.agent
    def agent() -> None:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0)
        try:
            client.chat.completions.create(model="m", messages=ASKED)
        except openai.AuthenticationError as error:
            tracer.note(f"refused: {error}", key=KEY)
            tracer.step(lambda said: said)(str(error))
        try:
            look(KEY)
        except ValueError:
            pass
        raise RuntimeError(f"no luck with {KEY}")

    with pytest.raises(RuntimeError, match="no luck"):
        agent()
    assert leaks(stored(bench), KEY, COOKIE) == []
    assert "HttpOnly" not in redact._known


def test_keys_and_passwords_in_urls(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: exchange.reply({}, 404)
    address = server.url.replace("http://", f"http://ana:{PASSWORD}@")
    seen: list[str] = []

    @tracer.agent
    def agent() -> None:
        reply = httpx.get(f"{address}/v1?api-version=7&key={KEY}&sig={COOKIE}")
        try:
            reply.raise_for_status()
        except httpx.HTTPStatusError as error:
            seen.append(str(error))
            raise

    with pytest.raises(httpx.HTTPStatusError):
        agent()
    assert KEY in seen[0]
    assert leaks(stored(bench), KEY, COOKIE, PASSWORD) == []
    assert b"api-version=7" in stored(bench)


def test_a_key_given_to_a_tool_before_any_request(
    bench: Bench, server: OddServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    @tracer.tool
    def connect(url: str, key: str) -> dict[str, str]:
        return {"url": url, "key": key}

    @tracer.agent
    def agent(key: str) -> str:
        connected = connect(server.url, key)
        reply = openai.OpenAI(base_url=f"{server.url}/v1").chat.completions.create(
            model="m", messages=[{"role": "user", "content": f"my key is {connected['key']}"}]
        )
        return f"{key} {reply.choices[0].message.content}"

    assert agent(KEY) == f"{KEY} fine"
    assert leaks(stored(bench), KEY) == []
    # Without the key, with another, or with the same: the recording holds no key to compare.
    for key in ("", "sk-another-key-0123456789", KEY):
        monkeypatch.setenv("OPENAI_API_KEY", key)
        replayed = bench.replay(agent)
        assert replayed.verdict() == (0, None)
        assert replayed.result == f"{REDACTED} fine"
    assert leaks(stored(bench), KEY) == []


def test_a_key_in_a_streamed_answer_split_by_chunks(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        exchange.begin(200, {"content-type": "text/plain"})
        words = f"your key was {KEY}, was it?".encode()
        for start in range(0, len(words), 6):
            exchange.chunk(words[start : start + 6])
        exchange.finish()

    server.odd = odd

    @tracer.agent
    def agent() -> str:
        return httpx.get(f"{server.url}/who", headers={"x-api-key": KEY}).text

    text = agent()
    assert KEY in text
    assert leaks(stored(bench), KEY) == []
    assert bench.replay(agent).result == "your key was [redacted], was it?"


def test_a_key_in_an_event_stream(bench: Bench, server: OddServer) -> None:
    """Frames stay readable for a client that checks them, base64 hides nothing."""
    key = "sk-frames-0123456789abcdef"
    said = f"Your key is {key}.".encode()
    body = eventstream.emit([
        ("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"' + said + b'"}}'),
        ("chunk", b'{"bytes":"' + base64.b64encode(said) + b'"}'),
        ("messageStop", b'{"stopReason":"end_turn"}'),
    ])  # fmt: skip

    def answer(exchange: Exchange) -> None:
        exchange.begin(200, {"content-type": eventstream.CONTENT_TYPE})
        for start in range(0, len(body), 11):
            exchange.chunk(body[start : start + 11])
        exchange.finish()

    server.odd = answer

    @tracer.agent
    def agent() -> int:
        url = f"{server.url}/model/m/converse-stream"
        reply = httpx.post(url, json={"messages": []}, headers={"x-api-key": key})
        assert key.encode() in reply.content  # the agent sees what came
        return len(reply.content)

    agent()
    found = stored(bench)
    assert not leaks(found, key, base64.b64encode(said).decode())
    with Store.open(bench.database) as store:
        step = next(step for step in store.steps(store.find_run("last").id) if step.kind == "model")
        reply = store.reply(step)
    assert reply is not None
    frames = eventstream.parse(b"".join(reply.chunks)).frames
    assert [frame.sound for frame in frames] == [True] * 3
    assert b"Your key is [redacted]." in frames[0].payload
    assert base64.b64decode(json.loads(frames[1].payload)["bytes"]) == b"Your key is [redacted]."


def test_counts_are_no_secrets() -> None:
    name = "X-Amzn-Bedrock-Input-Token-Count"
    assert redact.headers([(name, "12"), ("x-token", "abc")]) == (
        (name, "12"), ("x-token", REDACTED),
    )  # fmt: skip


def test_ordinary_words_stay(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: exchange.reply(
        {"text": "HttpOnly SameSite=Strict sixteen-characters"},
        headers={
            "set-cookie": "a=b; Path=/; HttpOnly; SameSite=Strict",
            "x-ratelimit-tokens": "16",
        },
    )

    @tracer.agent
    def agent() -> str:
        return httpx.get(f"{server.url}/x", headers={"x-token": "abc"}).text

    text = agent()
    assert bench.replay(agent).result == text


def test_a_whole_program_leaks_nothing(desk: Desk, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        exchange.reply({"error": {"message": f"no such key {KEY}"}}, 401)

    server.odd = odd
    script = desk.write(
        "agent.py",
        """
print(httpx.post(BASE + "/chat/completions", json=body("x"), headers=KEY).text)
raise SystemExit("key " + os.environ["OPENAI_API_KEY"])
""",
    )
    env = {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": KEY}
    done = desk.record(script, "--key", KEY, env=env)
    assert done.code == 1 and KEY in done.out and KEY in done.err
    found = desk.everything_stored()
    assert b"no such key" in found and leaks(found, KEY) == []
