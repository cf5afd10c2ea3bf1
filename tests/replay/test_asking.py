"""Questions of a fork: breakpoints and the policy `ask`, answered while the agent waits."""

import asyncio
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

import tracer
from tests.support.agents import Bench, Replayed, called, said
from tracer.core.questions import Question
from tracer.demo.conversation import Answer, Call, Conversation
from tracer.demo.model_server import ModelServer
from tracer.errors import ToolBlocked, UsageError
from tracer.providers.editing import Edit
from tracer.reexecution.resolution import Resolution, answer_question, watch_questions
from tracer.reexecution.substitute import Substitute
from tracer.store.reading import Store

Answerer = Callable[[Question], Resolution]


def brain(conversation: Conversation) -> Answer:
    """Pays what it was asked to, then says so."""
    if conversation.executed:
        return Answer(f"Paid {conversation.executed[-1].result['value']}.")
    return Answer("", (Call("pay", {"amount": 5}),))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=brain) as running:
        yield running


class Watcher:
    """Answers what a run of a database asks, from another thread, with one answer after another."""

    def __init__(self, bench: Bench, *answers: Resolution | Answerer) -> None:
        self.database = bench.database
        self.answers = list(answers)
        self.asked: list[Question] = []
        self.faults: list[BaseException] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        store = Store(self.database)
        while not self._over.is_set():
            time.sleep(0.02)
            newest = store.runs(limit=1)[0]
            for question in store.questions(newest.id, "open"):
                if question.id in [one.id for one in self.asked]:
                    continue
                self.asked.append(question)
                try:
                    given = self.answers.pop(0)
                    resolution = given if isinstance(given, Resolution) else given(question)
                    answer_question(self.database, question, resolution)
                except BaseException as fault:
                    self.faults.append(fault)
        store.close()

    @contextmanager
    def there(self) -> Iterator["Watcher"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._over.set()
            self._thread.join(20)
        assert self.faults == []

    @property
    def names(self) -> list[str]:
        return [f"{one.kind} {one.name}" for one in self.asked]


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "pay",
        "parameters": {"type": "object", "properties": {"amount": {"type": "number"}}},
    },
}


@dataclasses.dataclass
class Receipt:
    amount: int
    note: str = ""


class Shop:
    """An agent that pays; what it did, and what its model was sent."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.did: list[Any] = []

    async def ask(self, client: httpx.AsyncClient, messages: list[Any]) -> dict[str, Any]:
        body = {"model": "m", "messages": messages, "tools": [TOOL]}
        reply = await client.post(f"{self.url}/v1/chat/completions", json=body)
        message: dict[str, Any] = reply.json()["choices"][0]["message"]
        return message

    def agent(self) -> Callable[[], str]:
        @tracer.tool
        async def pay(amount: int, receipt: Receipt | None = None) -> Receipt:
            self.did.append((amount, receipt))
            return Receipt(amount, "paid")

        async def go() -> str:
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.01)
                    ticks += 1

            ticking = asyncio.create_task(tick())
            history: list[Any] = [{"role": "user", "content": "Pay 5."}]
            try:
                async with httpx.AsyncClient(verify=False) as client:
                    for _ in range(4):
                        message = await self.ask(client, history)
                        history.append(message)
                        for asked in message.get("tool_calls") or ():
                            given = json.loads(asked["function"]["arguments"])
                            result = await pay(**given)
                            content = f"{result.amount} {result.note}"
                            history.append(
                                {"role": "tool", "tool_call_id": asked["id"], "content": content}
                            )
                        if not message.get("tool_calls"):
                            return str(message["content"])
                return "no end"
            finally:
                ticking.cancel()
                self.ticks = ticks

        @tracer.agent
        def agent() -> str:
            return asyncio.run(go())

        return agent


def forked(bench: Bench, shop: Shop, *answers: Resolution | Answerer, **more: Any) -> Any:
    """A fork whose model asks for another payment; the questions are answered like this."""
    shop.did.clear()
    run = next(run.id for run in bench.runs() if run.parent_run is None)
    more = {"wait_minutes": 0.5, "model_call": 1} | more
    with Watcher(bench, *answers).there() as watcher:
        came = bench.fork(shop.agent(), called("pay", amount=7), run=run, **more)
    return came, watcher


GO = Resolution("continue", "page")


def after(seconds: float) -> Answerer:
    """Go on, but not at once."""

    def answer(question: Question) -> Resolution:
        time.sleep(seconds)
        return GO

    return answer


def result_of(value: Any) -> Resolution:
    return Resolution("answer", "page", substitute=Substitute("result", result=value))


def detail(came: Replayed, kind: Any) -> list[Any]:
    return [step.detail.get("asked") for step in came.steps if step.kind == kind]


def test_a_tool_that_asks_is_answered(bench: Bench, server: ModelServer) -> None:
    """One agent, each answer in turn."""
    shop = Shop(server.url)
    assert shop.agent()() == "Paid 5 paid."
    came, watcher = forked(bench, shop, after(0.5))
    assert (came.verdict(), came.result, shop.did) == ((0, None), "Paid 7 paid.", [(7, None)])
    (asked,) = watcher.asked
    assert (asked.kind, asked.name, asked.about["asked"]) == ("tool", "pay", {"amount": 7})
    assert asked.why == ["it may change the world"] and asked.about["goes"] == "live"
    assert asked.about["schema"] == TOOL["function"]["parameters"]
    assert shop.ticks > 20, "the event loop went on"
    (told,) = detail(came, "tool")
    assert (told["did"], told["by"]) == ("continued", "page") and told["waited_ms"] >= 400
    assert came.sources("tool") == ["live"]

    came, _ = forked(bench, shop, Resolution("continue", "page", {"amount": 3}))
    assert (came.verdict(), shop.did) == ((0, None), [(3, None)])
    (told,) = detail(came, "tool")
    assert (told["did"], told["changes"]) == ("edited", [["amount", "7", "3"]])
    with bench.store as store:
        step = next(step for step in came.steps if step.kind == "tool")
        assert b'"amount":3' in (store.value(step, "input") or b"").replace(b" ", b"")
    # The code asks with 7 again, and what is recorded for that is what came of 3.
    again = bench.replay(shop.agent(), came.run.id)
    assert (again.verdict(), again.result) == ((0, None), came.result)

    came, _ = forked(bench, shop, result_of({"amount": 1, "note": "by hand"}))
    assert (came.verdict(), came.result, shop.did) == ((0, None), "Paid 1 by hand.", [])
    assert came.sources("tool") == ["substituted"]
    assert detail(came, "tool")[0]["did"] == "answered"

    broken = Resolution("answer", "p", substitute=Substitute("error", error="KeyError: no money"))
    came, _ = forked(bench, shop, broken)
    assert isinstance(came.came.error, KeyError) and shop.did == []
    came, _ = forked(bench, shop, Resolution("block", "p"))
    assert isinstance(came.came.error, ToolBlocked) and came.came.exit_code == 4
    assert "tool pay was blocked by hand" in came.run.warnings
    came, _ = forked(bench, shop, Resolution("stop", "p"))
    code, message = came.verdict()
    assert (code, message) == (4, "the run was stopped by hand, before tool pay")
    assert came.run.status == "stopped" and shop.did == []


def test_nobody_answers(bench: Bench, server: ModelServer) -> None:
    shop = Shop(server.url)
    shop.agent()()
    run = bench.run().id
    began = time.monotonic()
    came = bench.fork(
        shop.agent(), called("pay", amount=7), run=run, model_call=1, wait_minutes=0.02
    )
    code, message = came.verdict()
    assert code == 4 and message is not None and shop.did == [(5, None)]
    assert "nobody answered within 0.02 minutes" in message and "--tool pay=live" in message
    assert time.monotonic() - began < 20
    with bench.store as store:
        (asked,) = store.questions(came.run.id)
        assert asked.state == "given_up"
        assert not answer_question(bench.database, asked, GO), "too late"

    # Who watches keeps it open, longer than it would be.
    def late(question: Question) -> Resolution:
        for _ in range(6):
            time.sleep(0.5)
            watch_questions(bench.database, question.run_id)
        return GO

    came, _ = forked(bench, shop, late, wait_minutes=0.02)
    assert (came.verdict(), shop.did) == ((0, None), [(7, None)])


def test_an_answer_that_cannot_be_is_asked_for_again(bench: Bench, server: ModelServer) -> None:
    shop = Shop(server.url)
    shop.agent()()
    nowhere = Resolution("continue", "page", {"amount": 7, "sum": 3})
    came, watcher = forked(bench, shop, nowhere, GO)
    assert came.verdict() == (0, None)
    assert "no parameter 'sum'" in watcher.asked[1].about["problem"]
    (asked, _) = watcher.asked
    for wrong in (
        Resolution("answer"),
        Resolution("continue", edit=Edit(model="x")),
        Resolution("answer", substitute=Substitute("text", text="x")),
        Resolution("continue", "page", {"amount": "[redacted:abc]"}),
    ):
        with pytest.raises(UsageError):
            answer_question(bench.database, asked, wrong)


def test_breakpoints_stop_behind_the_fork(bench: Bench, server: ModelServer) -> None:
    shop = Shop(server.url)
    shop.agent()()
    came, watcher = forked(bench, shop, GO, GO, breaks=("any",), tools={"pay": "live"})
    assert (came.verdict(), shop.did) == ((0, None), [(7, None)])
    assert watcher.names == ["tool pay", "model chat"]
    messages = watcher.asked[1].about["asked"]["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool"]
    assert watcher.asked[1].about["asked"]["tools"][0]["name"] == "pay"
    assert watcher.asked[1].why == ["breakpoint any"]

    # Also where the recorded answer would be given: the same payment as before.
    run = next(run.id for run in bench.runs() if run.parent_run is None)
    for breaks, names in (
        (("tool:p*",), ["tool pay"]),
        (("model",), ["model chat"]),
        (("tool:send_*", "cost>9"), []),
        (("text:5 PAID",), ["model chat"]),
    ):
        with Watcher(bench, GO, GO).there() as watcher:
            came = bench.fork(
                shop.agent(), called("pay", amount=5), run=run, model_call=1, breaks=breaks
            )
        assert (came.verdict(), watcher.names) == ((0, None), names), breaks
        assert all(one.about["goes"] == "recorded" for one in watcher.asked)
        assert set(came.sources("tool", "model")) <= {"recorded", "substituted"}

    speech = Resolution("answer", "page", substitute=Substitute("text", text="By hand."))
    came, _ = forked(bench, shop, speech, breaks=("model",), tools={"pay": "live"})
    assert (came.verdict(), came.result) == ((0, None), "By hand.")
    assert came.sources("model") == ["substituted", "substituted"]

    before = server.request_count
    edit = Resolution("continue", "page", edit=Edit(model="other", system="Be kind."))
    came, _ = forked(bench, shop, edit, breaks=("model",), tools={"pay": "live"})
    assert came.verdict() == (0, None) and server.request_count == before + 1
    last = [step for step in came.steps if step.kind == "model"][-1]
    assert last.model == "other" and last.source == "live"
    with bench.store as store:
        sent = store.request(last)
    assert sent is not None and b"Be kind." in sent.body

    came, watcher = forked(bench, shop, GO, after="ask", tools={"pay": "live"})
    assert watcher.asked[0].why == ["--after ask"] and came.verdict() == (0, None)
    call = Resolution(
        "answer", "p", substitute=Substitute("tool_call", tool_name="pay", arguments={"amount": 2})
    )
    came, watcher = forked(bench, shop, call, GO, after="ask", tools={"pay": "live"})
    assert (came.verdict(), shop.did) == ((0, None), [(7, None), (2, None)])


def test_waiting_uses_up_no_minutes(bench: Bench, server: ModelServer) -> None:
    shop = Shop(server.url)
    shop.agent()()

    came, _ = forked(bench, shop, after(2.5), max_minutes=0.03)
    assert (came.verdict(), shop.did) == ((0, None), [(7, None)])


def test_a_cancelled_step_leaves_no_question_open(bench: Bench) -> None:
    @tracer.tool
    async def send(text: str) -> str:
        return text

    @tracer.step
    def look() -> str:
        return "a"

    @tracer.agent
    async def agent() -> str:
        if look() == "a":
            return "as recorded"
        try:
            return await asyncio.wait_for(send("b"), 0.7)
        except TimeoutError:
            return "too late"

    asyncio.run(agent())
    step = bench.step("step").n
    with Watcher(bench, after(2)).there():
        came = bench.fork(agent, Substitute("result", result="b"), step=step, wait_minutes=0.5)
    assert (came.verdict(), came.result) == ((0, None), "too late")
    with bench.store as store:
        assert [one.state for one in store.questions(came.run.id)] == ["given_up"]


def test_secrets_are_not_shown(bench: Bench) -> None:
    key = "sk-ant-api03-" + "b" * 40

    @tracer.tool(redact=("pin",))
    def charge(pin: str, note: str) -> str:
        seen.append((pin, note))
        return "ok"

    @tracer.step
    def look() -> int:
        return 1

    @tracer.agent
    def agent() -> str:
        return charge("90210-77", f"with {key}") if look() == 2 else "nothing"

    seen: list[tuple[str, str]] = []
    agent()
    step = bench.step("step").n

    def edit(question: Question) -> Resolution:
        shown = question.about["asked"]
        assert "90210" not in str(shown) and key not in str(shown)
        return Resolution("continue", "page", {**shown, "note": "plainly"})

    came = None
    with Watcher(bench, edit).there():
        came = bench.fork(agent, Substitute("result", result=2), step=step, wait_minutes=0.5)
    assert (came.verdict(), seen) == ((0, None), [("90210-77", "plainly")])


@pytest.mark.parametrize(
    "text",
    ["", "tools", "tool:", "text: ", "cost", "cost>", "cost>x", "tokens>-1", "cost>nan", "cost<1"],
)
def test_a_breakpoint_that_is_none(bench: Bench, server: ModelServer, text: str) -> None:
    shop = Shop(server.url)
    shop.agent()()
    with pytest.raises(UsageError, match="--break"):
        bench.fork(shop.agent(), said("x"), model_call=1, breaks=(text,))
