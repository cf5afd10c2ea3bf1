"""What tools and requests may do in a re-execution, before and after the fork."""

import dataclasses
import gc
import json
import os
import platform
import posix
import socket
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import openai
import pytest

import tracer
from tests.support.agents import Bench, called, said
from tests.support.servers import Numbered, OddServer
from tracer import Substitute
from tracer.demo.conversation import Answer, Call, Conversation
from tracer.demo.model_server import ModelServer
from tracer.errors import ToolBlocked, UsageError


def brain(conversation: Conversation) -> Answer:
    """Pays what it was asked to, once."""
    if conversation.executed:
        return Answer(f"Paid {conversation.executed[-1].result}.")
    return Answer("", (Call("pay", {"amount": 5}),))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=brain) as running:
        yield running


@dataclass
class Shop:
    """Tools of every effect, and what they did."""

    url: str
    did: list[str]
    effect: str = "external"

    def ask(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        tools = [{"type": "function", "function": {"name": "pay", "parameters": {}}}]
        body = {"model": "m", "messages": messages, "tools": tools}
        reply = httpx.post(f"{self.url}/v1/chat/completions", json=body, verify=False)
        message: dict[str, Any] = reply.json()["choices"][0]["message"]
        return message

    def agent(self) -> Callable[[], str]:
        decorator: Any = tracer.tool

        @decorator(effect=self.effect)  # type: ignore[untyped-decorator]
        def pay(amount: int) -> str:
            self.did.append(f"pay {amount}")
            return f"paid {amount}"

        @tracer.agent
        def agent() -> str:
            history: list[dict[str, Any]] = [{"role": "user", "content": "Pay 5."}]
            for _ in range(3):
                message = self.ask(history)
                history.append(message)
                for call in message.get("tool_calls") or ():
                    given = json.loads(call["function"]["arguments"])
                    result = pay(**given)
                    history.append({"role": "tool", "tool_call_id": call["id"], "content": result})
                if not message.get("tool_calls"):
                    return str(message["content"])
            return "no end"

        return agent


@pytest.fixture
def shop(server: ModelServer) -> Shop:
    return Shop(server.url, [])


def _fork(bench: Bench, shop: Shop, amount: int, **more: Any) -> Any:
    shop.did.clear()
    run = bench.run().id
    return bench.fork(shop.agent(), called("pay", amount=amount), model_call=1, run=run, **more)


def test_an_external_tool_with_the_same_arguments_is_not_repeated(
    bench: Bench, shop: Shop, server: ModelServer
) -> None:
    shop.agent()()
    assert (shop.did, server.request_count) == (["pay 5"], 2)
    came = _fork(bench, shop, 5)
    assert (came.verdict(), shop.did) == ((0, None), [])
    assert came.sources("tool") == ["recorded"]
    came = _fork(bench, shop, 5, tools={"pay": "live"})
    assert (came.verdict(), shop.did) == ((0, None), ["pay 5"])


def test_an_external_tool_with_new_arguments_asks_and_headless_that_is_no(
    bench: Bench, shop: Shop, server: ModelServer
) -> None:
    shop.agent()()
    came = _fork(bench, shop, 7)
    code, message = came.verdict()
    assert (code, shop.did) == (4, [])
    assert message is not None and "--tool pay=live" in message and "stub:JSON" in message
    assert came.run.status == "stopped"
    for policy in ("ask", "recorded"):
        came = _fork(bench, shop, 7, tools={"pay": policy})
        assert (came.came.exit_code, shop.did) == (4, [])
    assert server.request_count == 2


def test_live_block_and_stub(bench: Bench, shop: Shop, server: ModelServer) -> None:
    shop.agent()()
    came = _fork(bench, shop, 7, tools={"pay": "live"})
    assert (came.verdict(), shop.did) == ((0, None), ["pay 7"])
    assert came.sources("tool") == ["live"]
    came = _fork(bench, shop, 7, tools={"*": 'stub:"pretended"'})
    assert (came.verdict(), shop.did) == ((0, None), [])
    assert came.result == "Paid {'value': 'pretended'}."
    assert came.sources("tool") == ["stubbed"]
    assert [step.diverged for step in came.steps if step.kind == "tool"] == [True]
    came = _fork(bench, shop, 7, tools={"pay": "block"})
    assert came.came.exit_code == 4 and isinstance(came.came.error, ToolBlocked)
    assert shop.did == []
    came = _fork(bench, shop, 5, tools={"pay": "block"})
    assert came.came.exit_code == 4, "block means also the recorded one"
    assert shop.did == []
    for bad in ("stub:{", "sometimes", ""):
        with pytest.raises(UsageError):
            _fork(bench, shop, 7, tools={"pay": bad})


@pytest.mark.parametrize(
    ("effect", "same", "other"), [("read", [], ["pay 7"]), ("local", ["pay 5"], ["pay 7"])]
)
def test_tools_that_only_look_or_change_only_memory_run(
    bench: Bench, shop: Shop, effect: str, same: list[str], other: list[str]
) -> None:
    shop.effect = effect
    shop.agent()()
    assert _fork(bench, shop, 5).verdict() == (0, None)
    assert shop.did == same
    assert _fork(bench, shop, 7).verdict() == (0, None)
    assert shop.did == other


def test_a_local_tool_runs_again_in_a_replay_with_its_inner_steps_served(
    bench: Bench, server: ModelServer
) -> None:
    cart: list[str] = []
    did: list[str] = []

    @tracer.tool
    def price(item: str) -> int:
        did.append(item)
        return len(item)

    @tracer.tool(effect="local")
    def add(item: str) -> int:
        cart.append(f"{item} {price(item)}")
        return len(cart)

    @tracer.agent
    def agent() -> list[str]:
        cart.clear()
        add("lamp"), add("table")
        return [*cart]

    result = agent()
    did.clear()
    came = bench.replay(agent)
    assert (came.verdict(), came.result, did) == ((0, None), result, [])
    assert came.sources("tool") == ["live", "recorded"] * 2


def test_a_tool_that_holds_the_fork_is_entered_again_with_its_inner_steps_served(
    bench: Bench, server: ModelServer
) -> None:
    did: list[str] = []
    shop = Shop(server.url, did)

    @tracer.tool
    def send(text: str) -> str:
        did.append(f"send {text}")
        return text

    @tracer.tool
    def research(topic: str) -> str:
        did.append(f"research {topic}")
        send("before")
        first = shop.ask([{"role": "user", "content": f"first {topic}"}])
        second = shop.ask([{"role": "user", "content": f"second {first['role']}"}])
        return f"{first.get('content')} {second.get('content')}"

    @tracer.agent
    def agent() -> str:
        send("opening")
        return research("lamps") + research("tables")

    agent()
    did.clear()
    came = bench.fork(agent, said("Instead."), model_call=2, after="recorded")
    assert came.verdict() == (0, None)
    assert did == ["research lamps"], "only the enclosing tool's own code runs"
    assert came.result == "None Instead.None None"
    tools = [(s.name, s.source) for s in came.steps if s.kind == "tool"]
    assert tools == [
        ("send", "recorded"), ("research", "live"), ("send", "recorded"), ("research", "recorded"),
    ]  # fmt: skip


def test_the_limit_of_live_calls_holds(bench: Bench, server: ModelServer) -> None:
    shop = Shop(server.url, [])

    @tracer.agent
    def agent() -> list[str]:
        texts = [str(shop.ask([{"role": "user", "content": "start"}]).get("content"))]
        for n in range(6):
            texts.append(str(shop.ask([{"role": "user", "content": texts[-1] + str(n)}])))
        return texts

    agent()
    before = server.request_count
    came = bench.fork(agent, said("Another way."), model_call=1, max_live_calls=3)
    code, message = came.verdict()
    assert code == 4 and message is not None and "limit of 3 live calls" in message
    assert server.request_count == before + 3


def test_without_a_key_the_live_part_can_not_start(
    bench: Bench, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real-0123456789")

    @tracer.agent
    def agent() -> list[str | None]:
        client = openai.OpenAI(base_url=f"{server.url}/v1")
        texts: list[str | None] = ["go"]
        for _ in range(2):
            reply = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": texts[-1] or ""}]
            )
            texts.append(reply.choices[0].message.content)
        return texts

    agent()
    monkeypatch.delenv("OPENAI_API_KEY")
    assert bench.replay(agent).verdict() == (0, None)
    assert bench.fork(agent, said("x"), model_call=2).verdict() == (0, None)
    came = bench.fork(agent, said("x"), model_call=1)
    code, message = came.verdict()
    assert code == 125 and message is not None and "OPENAI_API_KEY" in message
    assert server.request_count == 2


def _socket(url: str) -> bytes:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(b"GET /requests HTTP/1.0\r\n\r\n")
        with raw.makefile("rb") as file:
            return file.read()


def _thread(url: str) -> bytes:
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(_socket(url)))
    thread.start()
    thread.join()
    return found[0]


@pytest.mark.parametrize("reach", [_socket, _thread], ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_socket_nobody_recorded_is_refused(
    bench: Bench, server: ModelServer, reach: Callable[[str], bytes]
) -> None:
    shop = Shop(server.url, [])

    @tracer.agent
    def agent() -> str:
        shop.ask([{"role": "user", "content": "a"}])
        reach(server.url)
        shop.ask([{"role": "user", "content": "b"}])
        return "end"

    agent()
    for came in (
        bench.replay(agent),
        bench.fork(agent, said("x"), model_call=2),
        bench.fork(agent, said("x"), model_call=1, after="recorded"),
    ):
        code, message = came.verdict()
        assert code == 4 and message is not None
        assert "attempted a connection to 127.0.0.1" in message
        assert f"{__file__}:" in message and "@tracer.tool" in message
    assert server.request_count == 2
    # Behind the fork of a live one, code runs for real.
    assert bench.fork(agent, said("x"), model_call=1).verdict() == (0, None)
    # And the switch is off again.
    assert b"count" in _socket(server.url)
    gc.collect()  # nobody closes the sockets that were refused


def _by_spawn() -> None:
    os.waitpid(os.posix_spawnp("true", ["true", "now"], dict(os.environ)), 0)


def _by_the_builtin() -> None:
    posix.system("true now")


@pytest.mark.parametrize("reach", [_by_spawn, _by_the_builtin])
def test_a_process_nobody_recorded_is_refused(
    bench: Bench, server: ModelServer, reach: Callable[[], None]
) -> None:
    shop = Shop(server.url, [])

    @tracer.agent
    def agent() -> str:
        platform.platform(), uuid.getnode()
        shop.ask([{"role": "user", "content": "a"}])
        reach()
        return "end"

    agent()
    code, message = bench.replay(agent).verdict()
    assert code == 4 and message is not None
    assert "to start the process `true now`" in message and f"{__file__}:" in message
    assert bench.fork(agent, said("x"), model_call=1).result == "end"
    reach()


def test_two_servers_on_this_machine_are_not_taken_for_each_other(bench: Bench) -> None:
    """Their ports may be others in a re-execution, but each stays the one it was."""

    def answering(name: str) -> OddServer:
        return OddServer(lambda exchange: exchange.reply({"server": name}))

    def make(one: str, two: str) -> Callable[[], list[str]]:
        @tracer.agent
        def agent() -> list[str]:
            return [
                httpx.post(f"{url}/run", json={"do": "it"}).json()["server"]
                for url in (one, two, one)
            ]

        return agent

    with answering("one") as one, answering("two") as two:
        assert make(one.url, two.url)() == ["one", "two", "one"]
        moved = bench.replay(make("http://127.0.0.1:7001", "http://localhost:7002"))
        assert (moved.verdict(), moved.result) == ((0, None), ["one", "two", "one"])
        swapped = bench.replay(make(two.url, one.url))
        assert (swapped.verdict(), swapped.result) == ((0, None), ["one", "two", "one"])
        for wrong in (make(one.url, one.url), make(two.url, two.url)):
            code, message = bench.replay(wrong).verdict()
            assert code == 3 and message is not None and "another server" in message
        assert (one.count, two.count) == (2, 1)


def test_after_live_the_same_question_is_reused_and_another_is_asked(
    bench: Bench,
) -> None:
    with ModelServer(latency=False, brain=Numbered()) as server:
        shop = Shop(server.url, [])

        @tracer.agent
        def agent() -> list[str]:
            first = str(shop.ask([{"role": "user", "content": "first"}])["content"])
            same = str(shop.ask([{"role": "user", "content": "always the same"}])["content"])
            other = str(shop.ask([{"role": "user", "content": f"about {first}"}])["content"])
            return [first, same, other]

        result = agent()
        came = bench.fork(agent, said("New."), model_call=1)
        assert came.verdict() == (0, None)
        assert came.result == ["New.", result[1], "about New. #4"]
        assert came.sources("model") == ["substituted", "recorded", "live"]
        assert server.request_count == 4


def test_a_live_fork_can_be_forked_and_replayed_itself(bench: Bench) -> None:
    with ModelServer(latency=False, brain=Numbered()) as server:
        shop = Shop(server.url, [])

        @tracer.agent
        def agent() -> list[str]:
            texts = ["go"]
            for _ in range(3):
                texts.append(str(shop.ask([{"role": "user", "content": texts[-1]}])["content"]))
            return texts

        agent()
        first = bench.fork(agent, said("One."), model_call=1)
        assert first.result == ["go", "One.", "One. #4", "One. #4 #5"]
        second = bench.fork(agent, said("Two."), model_call=2, run=first.run.id)
        assert second.result == ["go", "One.", "Two.", "Two. #6"]
        assert second.run.parent_run == first.run.id
        again = bench.replay(agent, second.run.id)
        assert (again.verdict(), again.result) == ((0, None), second.result)
        assert server.request_count == 6


def test_models_behind_functions_are_answered_and_substituted(bench: Bench) -> None:
    asked: list[Any] = []

    @tracer.model
    def text_model(messages: list[dict[str, str]]) -> str:
        asked.append(messages)
        return f"answer {len(asked)}"

    @tracer.model
    def chat_model(messages: list[dict[str, str]]) -> dict[str, Any]:
        asked.append(messages)
        return {"role": "assistant", "content": f"answer {len(asked)}"}

    @tracer.agent
    def agent() -> list[Any]:
        one = text_model([{"role": "user", "content": "a"}])
        two = chat_model([{"role": "user", "content": one}])
        return [one, two]

    assert agent() == ["answer 1", {"role": "assistant", "content": "answer 2"}]
    came = bench.replay(agent)
    assert (came.verdict(), len(asked)) == ((0, None), 2)
    came = bench.fork(agent, said("Else."), model_call=2)
    assert came.result == ["answer 1", {"role": "assistant", "content": "Else."}]
    came = bench.fork(agent, said("Else."), model_call=1)
    assert came.result == ["Else.", {"role": "assistant", "content": "answer 3"}]
    own = Substitute("response", response={"role": "assistant", "content": "own"})
    came = bench.fork(agent, own, model_call=2)
    assert came.result[1] == {"role": "assistant", "content": "own"}
    with bench.store as store:
        document = store.conversation(bench.steps("model")[0])
    assert document == b'{"messages":[{"role":"user","content":"a"}]}'


def test_opaque_results_are_refused_before_anything_runs(bench: Bench) -> None:
    did: list[str] = []

    @tracer.tool
    def cursor() -> Any:
        did.append("cursor")
        return object()

    @tracer.agent
    def agent() -> str:
        did.append("agent")
        cursor()
        return "end"

    agent()
    did.clear()
    with pytest.raises(tracer.errors.CannotReplayError, match="declare effect='local'"):
        bench.replay(agent)
    assert did == [] and len(bench.runs()) == 1


def test_a_result_the_code_can_no_longer_make_ends_the_replay_with_the_reason(
    bench: Bench,
) -> None:
    @dataclasses.dataclass
    class Order:
        number: int

    def make(annotation: Any) -> Callable[[], int]:
        def look() -> Any:
            return Order(5)

        look.__annotations__ = {"return": annotation}
        tool = tracer.tool(look)

        @tracer.agent
        def agent() -> int:
            try:
                return int(tool().number)
            except Exception:
                return -1

        return agent

    assert make(Order)() == 5
    came = bench.replay(make(dict))
    code, message = came.verdict()
    assert code == 125 and message is not None
    assert "look can't be given back" in message and "Order" in message
