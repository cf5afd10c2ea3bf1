"""Code that asks for something else stops at the first difference, named precisely."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import tracer
from tests.support.agents import Bench, Replayed, said
from tests.support.servers import Numbered
from tracer.demo.model_server import ModelServer

PROMPT = "You are the support agent of a lamp shop. " * 60


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(latency=False, brain=Numbered()) as running:
        yield running


class Lab:
    """An agent of five model calls and a tool whose code the test changes between executions."""

    def __init__(self, server: ModelServer) -> None:
        self.url = f"{server.url}/v1/chat/completions"
        self.sent: list[str] = []
        self.change: dict[Any, Any] = {}

    def ask(self, messages: list[dict[str, Any]], **more: Any) -> str:
        body = {"model": "gpt-4o-mini", "messages": messages, **more}
        reply = httpx.post(self.url, json=body, verify=False)
        return str(reply.json()["choices"][0]["message"]["content"])

    def agent(self) -> Callable[[], Any]:
        change = self.change

        @tracer.tool(name=change.get("tool", "send"))
        def send(to: str, count: int) -> str:
            self.sent.append(to)
            return f"sent {count}"

        @tracer.agent
        def five_calls() -> list[str]:
            history = [{"role": "system", "content": change.get("system", PROMPT)}]
            order = change.get("order", [1, 2, 3, 4, 5])
            for n in order:
                history.append({"role": "user", "content": change.get(n, f"question {n}")})
                more = change.get("more", {}) if n == 3 else {}
                text = self.ask(history, **more)
                history.append({"role": "assistant", "content": text})
                if n == 2:
                    send(change.get("to", "dana"), change.get("count", 1))
            return [message["content"] for message in history[2::2]]

        return five_calls


@pytest.fixture
def lab(bench: Bench, server: ModelServer) -> Lab:
    made = Lab(server)
    made.agent()()
    assert server.request_count == 5 and made.sent == ["dana"]
    return made


def replayed(bench: Bench, lab: Lab, server: ModelServer, **change: Any) -> Replayed:
    """Replay with changed code; whatever it asks, nothing is sent and no tool runs."""
    edits: dict[Any, Any] = {int(k[1:]) if k[0] == "q" else k: v for k, v in change.items()}
    lab.change = edits
    came = bench.replay(lab.agent())
    assert server.request_count == 5 and lab.sent == ["dana"]
    return came


def test_unchanged_code_replays(bench: Bench, lab: Lab, server: ModelServer) -> None:
    came = replayed(bench, lab, server)
    assert came.verdict() == (0, None)
    assert came.result == [f"question {n} #{n}" for n in range(1, 6)]
    assert came.run.divergences == () and came.run.status == "ok"
    assert came.run.parent_run == bench.run().id and came.run.fork is None


def test_a_prompt_changed_at_call_three_is_found_there(
    bench: Bench, lab: Lab, server: ModelServer
) -> None:
    came = replayed(bench, lab, server, q3="question three")
    recorded = bench.steps("model")[2]
    code, message = came.verdict()
    assert code == 3
    assert message == (
        f"step {recorded.n} (model chat gpt-4o-mini) asks for something else than recorded: "
        'messages[5].parts[0].content was "question 3", is "question three"'
    )
    (found,) = came.came.divergences
    assert (found["n"], found["step"], found["kind"]) == (
        recorded.n, recorded.id, "changed_request",
    )  # fmt: skip
    assert found["diff"] == [
        {"path": "messages[5].parts[0].content", "old": "question 3", "new": "question three"}
    ]
    assert came.run.status == "stopped"
    assert came.run.divergences[0]["n"] == recorded.n
    assert came.sources("model") == ["recorded"] * 2
    assert found["callsite"].startswith(__file__)


def test_a_change_late_in_a_long_prompt_is_shown(
    bench: Bench, lab: Lab, server: ModelServer
) -> None:
    came = replayed(bench, lab, server, system=PROMPT + "Be brief.")
    code, message = came.verdict()
    assert code == 3 and message is not None
    assert "messages[0].parts[0].content" in message and "Be brief." in message
    assert len(message) < 700
    assert came.came.divergences[0]["diff"][0]["new"].endswith("Be brief.")


@pytest.mark.parametrize(
    ("change", "kind", "n", "says"),
    [
        ({"order": [1, 2, 4, 5]}, "changed_request", 5, '"question 3", is "question 4"'),
        ({"order": [1, 2, 3, 4]}, "missing_step", 7, "was recorded, but the code did not ask"),
        ({"order": [1, 2, 3, 9, 4, 5]}, "changed_request", 6, '"question 4", is "question 9"'),
        ({"order": [1, 2, 3, 4, 5, 6]}, "extra_step", 7, "that the recording does not have"),
        ({"order": [1, 3, 2, 4, 5]}, "changed_request", 3, '"question 2", is "question 3"'),
        ({"to": "carl"}, "changed_request", 4, 'to was "dana", is "carl"'),
        ({"count": 2}, "changed_request", 4, "count was 1, is 2"),
        ({"count": 1.0}, "changed_request", 4, "written otherwise (as 1 and 1.0 are)"),
        ({"tool": "mail"}, "changed_request", 4, "has send, the code now calls mail"),
        ({"more": {"model": "gpt-5"}}, "changed_request", 5, 'model was "gpt-4o-mini"'),
        ({"more": {"temperature": 0.5}}, "changed_request", 5, "temperature is new: 0.5"),
        ({"more": {"tools": [{"type": "function", "function": {"name": "x"}}]}},
         "changed_request", 5, "tools[0] is new"),
    ],
)  # fmt: skip
def test_what_changed_is_named(
    bench: Bench,
    lab: Lab,
    server: ModelServer,
    change: dict[str, Any],
    kind: str,
    n: int,
    says: str,
) -> None:
    came = replayed(bench, lab, server, **change)
    code, message = came.verdict()
    assert code == 3 and message is not None
    first = came.came.divergences[0]
    assert (first["kind"], first["n"]) == (kind, n)
    assert says in message


def test_who_asks_is_no_part_of_the_question(bench: Bench, lab: Lab, server: ModelServer) -> None:
    """Fields that name the caller, other headers, another host: the same question."""
    came = replayed(bench, lab, server, more={"user": "someone", "metadata": {"trace": "x"}})
    assert came.verdict() == (0, None)


def test_a_fork_that_diverges_before_its_step_stops_too(
    bench: Bench, lab: Lab, server: ModelServer
) -> None:
    edits: dict[Any, Any] = {2: "question two"}
    lab.change = edits
    came = bench.fork(lab.agent(), said("x"), model_call=4)
    assert came.came.exit_code == 3 and came.came.divergences[0]["n"] == 3
    assert server.request_count == 5 and lab.sent == ["dana"]


@pytest.mark.parametrize("catch", [Exception, BaseException])
def test_an_agent_that_catches_everything_is_stopped_all_the_same(
    bench: Bench, lab: Lab, server: ModelServer, catch: type[BaseException]
) -> None:
    prompt = ["poll"]
    loops: list[int] = []

    @tracer.tool
    def pay(n: int) -> None:
        lab.sent.append(f"paid {n}")

    @tracer.agent
    def stubborn() -> None:
        for n in range(6):
            try:
                loops.append(n)
                lab.ask([{"role": "user", "content": prompt[0]}])
                pay(n)
            except catch:
                continue

    stubborn()
    paid = [*lab.sent]
    loops.clear()
    prompt[0] = "changed"
    came = bench.replay(stubborn)
    assert came.verdict()[0] == 3
    assert server.request_count == 11 and lab.sent == paid
    if catch is Exception:
        assert loops == [0]


def test_nothing_is_served_after_a_divergence_that_was_caught(
    bench: Bench, lab: Lab, server: ModelServer
) -> None:
    prompt = ["question"]

    @tracer.tool
    def pay(amount: int) -> str:
        return f"paid {amount}"

    @tracer.agent
    def agent() -> str:
        try:
            lab.ask([{"role": "user", "content": prompt[0]}])
        except BaseException:
            pass
        return pay(5)

    agent()
    prompt[0] = "changed"
    came = bench.replay(agent)
    assert came.verdict()[0] == 3
    assert (came.result, came.sources("model", "tool")) == (None, [])


def test_the_same_question_with_different_answers(bench: Bench, server: ModelServer) -> None:
    lab = Lab(server)

    @tracer.tool(effect="read")
    def poll(order: int) -> int:
        lab.sent.append("poll")
        return len(lab.sent)

    @tracer.agent
    def polling() -> list[Any]:
        return [(lab.ask([{"role": "user", "content": "ready?"}]), poll(5)) for _ in range(4)]

    result = polling()
    assert result == [(f"ready? #{n}", n) for n in range(1, 5)]
    came = bench.replay(polling)
    assert (came.verdict(), came.result) == ((0, None), result)
    assert server.request_count == 4 and len(lab.sent) == 4


def test_a_recorded_error_the_agent_caught_is_raised_and_caught_again(
    bench: Bench, server: ModelServer
) -> None:
    @tracer.tool
    def pay(amount: float) -> str:
        raise PermissionError(13, "over the limit", "ledger")

    lab = Lab(server)

    @tracer.agent
    def agent() -> str:
        try:
            return pay(480.0)
        except PermissionError as error:
            assert error.errno == 13
            return lab.ask([{"role": "user", "content": f"it said {error}"}])

    result = agent()
    came = bench.replay(agent)
    assert (came.verdict(), came.result) == ((0, None), result)
    assert server.request_count == 1


def test_an_agent_that_failed_fails_again_and_that_is_no_divergence(
    bench: Bench, server: ModelServer
) -> None:
    lab = Lab(server)

    @tracer.agent
    def agent() -> None:
        raise RuntimeError(lab.ask([{"role": "user", "content": "why?"}]))

    with pytest.raises(RuntimeError, match="why"):
        agent()
    came = bench.replay(agent)
    assert came.verdict() == (0, "the agent failed as recorded: RuntimeError: why? #1")
    assert came.run.status == "error" and isinstance(came.came.error, RuntimeError)


def test_an_agent_that_fails_otherwise_says_so(bench: Bench, server: ModelServer) -> None:
    fail = [False]
    lab = Lab(server)

    @tracer.agent
    def agent() -> str:
        text = lab.ask([{"role": "user", "content": "x"}])
        if fail[0]:
            raise LookupError("new bug")
        return text

    agent()
    fail[0] = True
    assert bench.replay(agent).verdict() == (
        1,
        "the re-executed agent failed: LookupError: new bug",
    )


def test_another_result_from_the_same_answers_is_said(bench: Bench) -> None:
    extra = [0]

    @tracer.tool
    def look() -> int:
        return 1

    @tracer.agent
    def agent() -> int:
        return look() + extra[0]

    agent()
    extra[0] = 5
    code, message = bench.replay(agent).verdict()
    assert code == 0 and message is not None and "result differs" in message


def test_the_same_steps_in_parallel_branches_that_changed_places(
    bench: Bench, server: ModelServer
) -> None:
    """Answers follow the question when the place moved; that is reported, never silent."""
    swap = [False]
    lab = Lab(server)

    @tracer.agent
    async def agent() -> list[str]:
        async def one(name: str) -> str:
            return lab.ask([{"role": "user", "content": name}])

        async def other(name: str) -> str:
            lab.ask([{"role": "user", "content": "first"}])
            return lab.ask([{"role": "user", "content": name}])

        first, second = (other, one) if swap[0] else (one, other)
        return [*await asyncio.gather(first("a"), second("b"))]

    asyncio.run(agent())
    swap[0] = True
    came = bench.replay(agent)
    assert came.came.exit_code == 3
    assert server.request_count == 3
