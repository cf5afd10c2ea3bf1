"""HTTP clients, recorded at their transport: httpx2 and httpx, sync and async, whole replies."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest

import tracer
from tests.support.agents import Bench
from tests.support.processes import ROOT
from tests.support.servers import Exchange, OddServer, whole, zipped
from tracer.demo.conversation import Call

ASKED: Any = [{"role": "user", "content": "Where is my lamp?"}]
LIBRARIES = pytest.mark.parametrize("library", [httpx, httpx2], ids=lambda m: m.__name__)


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer() as running:
        yield running


def chat(server: OddServer, **more: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-test-0123456789", **more)


def claude(server: OddServer, **more: Any) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="sk-ant-0123456789", **more)


def test_an_openai_call_is_a_model_step_with_all_that_is_known_of_it(
    bench: Bench, server: OddServer
) -> None:
    server.odd = lambda exchange: exchange.say("Here.", Call("look", {"order": 5}))

    @tracer.agent
    def agent() -> Any:
        tools: Any = [{"type": "function", "function": {"name": "look", "parameters": {}}}]
        return chat(server).chat.completions.create(
            model="gpt-4o-mini", messages=ASKED * 40, tools=tools
        )

    reply = agent()
    step = bench.step("model")
    usage = reply.usage
    assert step.usage is not None and usage is not None
    assert (step.name, step.model, step.provider, step.api) == (
        "chat gpt-4o-mini", "gpt-4o-mini", "openai", "openai.chat",
    )  # fmt: skip
    assert (step.usage.input_tokens, step.usage.output_tokens) == (
        usage.prompt_tokens,
        usage.completion_tokens,
    )
    assert step.detail["finish_reasons"] == ["tool_call"]
    assert step.detail["request_id"] == "req_1"
    assert step.detail["response_id"] == reply.id
    assert step.detail["http_status"] == 200
    assert step.detail["tools_offered"] == ["look"]
    assert step.cost_usd is not None and step.cost_usd > 0
    assert step.callsite is not None and step.callsite.startswith(f"{__file__}:")
    with bench.store as store:
        request, recorded = store.request(step), store.reply(step)
        said = json.loads(store.output_messages(step) or b"[]")
    assert request is not None and request.body == server.asked[0].body
    assert recorded is not None and recorded.complete
    (message,) = said
    assert [part["type"] for part in message["parts"]] == ["text", "tool_call"]
    run = bench.run()
    assert (run.model_calls, run.cost_usd) == (1, step.cost_usd)


def test_an_anthropic_call_too_with_its_cached_tokens(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        body = whole(exchange.asked, "Here.")
        body["usage"] |= {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 7}
        exchange.reply(body)

    server.odd = odd

    @tracer.agent
    def agent() -> Any:
        return claude(server).messages.create(
            model="claude-haiku-4-5", max_tokens=10, messages=ASKED
        )

    reply = agent()
    step = bench.step("model")
    assert step.usage is not None
    assert (step.provider, step.api, step.model) == (
        "anthropic", "anthropic.messages", "claude-haiku-4-5",
    )  # fmt: skip
    assert step.usage.cached_input_tokens == 100
    assert step.usage.cache_write_tokens == 7
    # OpenTelemetry's count includes what was cached.
    assert step.usage.input_tokens == reply.usage.input_tokens + 107
    assert step.cost_usd is not None


def test_the_price_of_an_unknown_model_is_unknown_never_nothing(
    bench: Bench, server: OddServer
) -> None:
    server.odd = lambda exchange: exchange.say("x", model="house-model-7b")

    @tracer.agent
    def agent() -> None:
        chat(server).chat.completions.create(model="house-model-7b", messages=ASKED)

    agent()
    assert bench.step("model").cost_usd is None
    assert bench.run().cost_usd is None


@LIBRARIES
def test_both_libraries_sync_and_async_get_their_own_classes_back(
    bench: Bench, server: OddServer, library: Any
) -> None:
    body = {"model": "m", "messages": ASKED}

    @tracer.agent
    def agent() -> Any:
        with library.Client() as client:
            reply = client.post(f"{server.url}/v1/chat/completions", json=body)
        return reply, asyncio.run(later())

    async def later() -> Any:
        async with library.AsyncClient() as client:
            return await client.post(f"{server.url}/v1/chat/completions", json=body)

    recorded = agent()
    server.odd = lambda exchange: exchange.reset()
    replayed = bench.replay(agent)
    assert (replayed.verdict(), server.count) == ((0, None), 2)
    for before, after in zip(recorded, replayed.result, strict=True):
        assert type(after) is library.Response
        assert after.json() == before.json()
        assert after.status_code == 200 and after.headers["x-request-id"]
        assert after.request.url == before.request.url
        assert after.elapsed.total_seconds() >= 0
        assert after.is_closed


def test_one_process_with_both_libraries_keeps_them_apart(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> list[str]:
        first = chat(server).chat.completions.create(model="m", messages=ASKED)
        second = httpx.post(
            f"{server.url}/v1/chat/completions", json={"model": "m", "messages": ASKED}
        )
        third = claude(server).messages.create(model="m", max_tokens=5, messages=ASKED)
        block = third.content[0]
        assert block.type == "text"
        return [
            first.choices[0].message.content or "",
            second.json()["choices"][0]["message"]["content"],
            block.text,
        ]

    assert agent() == ["fine"] * 3
    assert [step.api for step in bench.steps("model")] == [
        "openai.chat", "openai.chat", "anthropic.messages",
    ]  # fmt: skip
    assert bench.replay(agent).result == ["fine"] * 3
    assert server.count == 3


def test_clients_made_before_the_run_are_watched_too(bench: Bench, server: OddServer) -> None:
    early, earlier = chat(server), httpx.Client()

    @tracer.agent
    def agent() -> None:
        early.chat.completions.create(model="m", messages=ASKED)
        earlier.get(f"{server.url}/plain")

    agent()
    assert [step.kind for step in bench.steps()] == ["agent", "model", "http"]
    earlier.close()


def test_other_requests_are_http_steps(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: exchange.reply({"n": exchange.number}, 200 + exchange.number)

    @tracer.agent
    def agent() -> list[int]:
        get = httpx.get(f"{server.url}/orders?id=5&key=very-secret-key")
        post = httpx.post(f"{server.url}/pay", json={"amount": 3})
        return [get.status_code, post.status_code]

    assert agent() == [201, 202]
    first, second = bench.steps("http")
    assert (first.name, first.effect, first.status) == (
        f"GET {server.url}/orders", "read", "ok",
    )  # fmt: skip
    assert (second.effect, second.detail["http_status"]) == ("external", 202)
    with bench.store as store:
        request = store.request(first)
    assert request is not None and "very-secret" not in request.url
    replayed = bench.replay(agent)
    assert (replayed.result, server.count) == ([201, 202], 2)


def test_a_base_url_of_a_proxy_is_known_by_its_path(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> None:
        openai.OpenAI(
            base_url=f"{server.url}/gateway/openai/deployments/x", api_key="none-of-them"
        ).chat.completions.create(model="m", messages=ASKED, extra_query={"api-version": "2026"})

    agent()
    assert bench.step("model").api == "openai.chat"


def test_a_refusal_and_its_repetition_are_two_steps(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        if exchange.number == 1:
            error = {"error": {"message": "slow down", "type": "rate_limit", "code": None}}
            exchange.reply(error, 429, {"retry-after-ms": "10"})
        else:
            exchange.say("fine")

    server.odd = odd

    @tracer.agent
    def agent() -> str | None:
        reply = chat(server).chat.completions.create(model="gpt-4o-mini", messages=ASKED)
        return reply.choices[0].message.content

    assert agent() == "fine"
    refused, repeated = bench.steps("model")
    assert (refused.status, refused.detail["http_status"]) == ("error", 429)
    assert refused.error is not None and "slow down" in refused.error.message
    assert (repeated.status, repeated.detail["retry"]) == ("ok", 1)
    assert "retry" not in refused.detail
    assert refused.cost_usd is None
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result, server.count) == ((0, None), "fine", 2)


def test_a_provider_that_is_down_raises_what_it_raised(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: exchange.reply(b"<html>oops", 500, {"content-type": "text/html"})
    seen: list[tuple[type, int, str]] = []

    @tracer.agent
    def agent() -> None:
        try:
            chat(server, max_retries=0).chat.completions.create(model="m", messages=ASKED)
        except openai.APIStatusError as error:
            seen.append((type(error), error.status_code, error.response.text))

    agent()
    assert bench.step("model").status == "error"
    assert bench.replay(agent).verdict() == (0, None)
    assert seen == [(openai.InternalServerError, 500, "<html>oops")] * 2
    assert server.count == 1


@pytest.mark.parametrize("how", ["reset", "hang_up", "slow", "refused"])
def test_failures_of_the_connection_are_raised_again(
    bench: Bench, server: OddServer, how: str
) -> None:
    def odd(exchange: Exchange) -> None:
        if how == "slow":
            server.lock.acquire(timeout=1.5)
        elif how == "hang_up":
            exchange.begin(length=1000)
            exchange.hang_up()
        else:
            exchange.reset()

    server.odd = odd
    url = "http://127.0.0.1:9" if how == "refused" else server.url
    seen: list[tuple[str, str]] = []

    @tracer.agent
    def agent() -> None:
        for library in (httpx, httpx2):
            try:
                library.post(
                    f"{url}/v1/chat/completions",
                    json={"model": "m", "messages": ASKED},
                    timeout=0.3 if how == "slow" else 5,
                )
            except library.TransportError as error:
                seen.append((type(error).__name__, str(error)))
        try:
            openai.OpenAI(
                base_url=f"{url}/v1",
                api_key="k",
                max_retries=0,
                timeout=0.3 if how == "slow" else 5,
            ).chat.completions.create(model="m", messages=ASKED)
        except openai.APIConnectionError as error:
            seen.append((type(error).__name__, str(error)))

    server.lock.acquire()
    server.lock.release()
    agent()
    steps = bench.steps("model")
    assert [step.status for step in steps] == ["error"] * 3
    assert len(seen) == 3 and {name for name, _ in seen[:2]} == {
        {"reset": "ReadError", "hang_up": "RemoteProtocolError", "slow": "ReadTimeout",
         "refused": "ConnectError"}[how]
    }  # fmt: skip
    before = server.count
    assert bench.replay(agent).verdict() == (0, None)
    assert seen[:3] == seen[3:] and server.count == before


def test_zipped_bodies_are_stored_unzipped(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        data, header = zipped(whole(exchange.asked, "grün " * 500))
        exchange.begin(200, {"content-type": "application/json", **header})
        for start in range(0, len(data), 7):  # edges anywhere, also inside characters
            exchange.chunk(data[start : start + 7])
        exchange.finish()

    server.odd = odd

    @tracer.agent
    def agent() -> str | None:
        reply = chat(server).chat.completions.create(model="m", messages=ASKED)
        return reply.choices[0].message.content

    text = agent()
    assert text == "grün " * 500
    with bench.store as store:
        recorded = store.reply(bench.step("model"))
    assert recorded is not None
    assert json.loads(b"".join(recorded.chunks))["choices"][0]["message"]["content"] == text
    assert "content-encoding" not in dict(recorded.headers)
    assert bench.replay(agent).result == text


def test_a_body_that_lies_about_its_encoding_reaches_the_agent_as_without_tracer(
    bench: Bench, server: OddServer
) -> None:
    server.odd = lambda exchange: exchange.reply(b"not gzip", 200, {"content-encoding": "gzip"})
    seen: list[str] = []

    @tracer.agent
    def agent() -> None:
        try:
            httpx.get(f"{server.url}/x")
        except httpx.DecodingError as error:
            seen.append(str(error))

    agent()
    assert len(seen) == 1
    assert bench.replay(agent).verdict() == (0, None)
    assert seen[0] == seen[1]


def test_redirects_and_auth_hops_are_steps_of_their_own(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        if exchange.asked.path == "/old":
            exchange.reply({}, 307, {"location": "/v1/chat/completions"})
        else:
            exchange.say("moved")

    server.odd = odd

    @tracer.agent
    def agent() -> Any:
        reply = httpx.post(
            f"{server.url}/old", json={"model": "m", "messages": ASKED}, follow_redirects=True
        )
        return [len(reply.history), reply.json()["choices"][0]["message"]["content"]]

    assert agent() == [1, "moved"]
    assert [step.kind for step in bench.steps()[1:]] == ["http", "model"]
    assert bench.replay(agent).result == [1, "moved"]


@LIBRARIES
def test_custom_and_mock_transports_are_watched_once(bench: Bench, library: Any) -> None:
    asked: list[str] = []

    class Layered(library.BaseTransport):  # type: ignore[misc]
        """A transport over another, as caches and retriers are."""

        def __init__(self, inner: Any) -> None:
            self.inner = library.Client(transport=inner)

        def handle_request(self, request: Any) -> Any:
            return self.inner.send(
                self.inner.build_request(request.method, request.url, content=request.content)
            )

    def answer(request: Any) -> Any:
        asked.append(str(request.url))
        return library.Response(200, json={"path": request.url.path})

    @tracer.agent
    def agent() -> list[str]:
        mock = library.MockTransport(answer)
        found = []
        for transport in (mock, Layered(mock)):
            with library.Client(transport=transport) as client:
                found.append(client.get("http://nowhere.example/a").json()["path"])
        with library.Client(mounts={"http://b.example": mock}) as client:
            found.append(client.get("http://b.example/b").json()["path"])
        return found

    assert agent() == ["/a", "/a", "/b"]
    assert len(bench.steps("http")) == 3 and len(asked) == 3
    assert bench.replay(agent).result == ["/a", "/a", "/b"]
    assert len(asked) == 3


def test_uploads_and_generators_as_bodies_arrive_whole(bench: Bench, server: OddServer) -> None:
    server.odd = lambda exchange: exchange.reply({"got": len(exchange.asked.body)})

    def pieces() -> Iterator[bytes]:
        yield b"abc"
        yield b"def"

    @tracer.agent
    def agent() -> list[int]:
        with httpx.Client() as client:
            first = client.post(
                f"{server.url}/up", content=pieces(), headers={"content-length": "6"}
            )
            second = client.post(f"{server.url}/up", files={"f": ("n.txt", b"data")})
        return [first.json()["got"], second.json()["got"]]

    counts = agent()
    assert counts[0] == 6
    assert next(asked.body for asked in server.asked) == b"abcdef"
    # The boundary is random: it does not count as another request.
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result) == ((0, None), counts)


def test_outside_a_run_nothing_is_recorded(bench: Bench, server: OddServer) -> None:
    @tracer.agent
    def agent() -> None:
        httpx.get(f"{server.url}/inside")

    agent()
    httpx.get(f"{server.url}/outside")
    with httpx.Client() as client:
        assert type(client._transport_for_url(httpx.URL(server.url))).__name__ == "HTTPTransport"
    assert len(bench.runs()) == 1 and len(bench.steps("http")) == 1


ALIASED = """
import sys
order = sys.argv[2]
import httpx2
if order == "before":
    httpx2.alias_httpx()
import tracer

@tracer.agent
def agent():
    import httpx
    import openai
    assert httpx.Client is httpx2.Client
    httpx.get(sys.argv[1] + "/plain")
    openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="k").chat.completions.create(
        model="m", messages=[{"role": "user", "content": "x"}])

if order == "after":
    agent_before = tracer.agent
    httpx2.alias_httpx()
agent()
"""


@pytest.mark.parametrize("order", ["before", "after"])
def test_one_library_under_two_names_is_recorded_once(
    bench: Bench, server: OddServer, order: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ALIASED, server.url, order],
        env={"PYTHONPATH": str(ROOT), "TRACER_DB": str(bench.database)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [step.kind for step in bench.steps()] == ["agent", "http", "model"]
