"""Substitutes reach the real SDKs in whatever form the code asks: whole, streamed, both APIs."""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest
from httpx2 import AsyncClient as QuickAsync  # without certificates to load
from httpx2 import Client as Quick

import tracer
from tests.support.agents import Bench, called, said
from tests.support.servers import Exchange, OddServer
from tracer import Substitute
from tracer.demo.conversation import Call
from tracer.errors import UsageError

SCHEMA = {"type": "object", "properties": {"order": {"type": "integer"}}, "required": ["order"]}
CHAT_TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": SCHEMA}}
    for name in ("look", "refund")
]
CLAUDE_TOOLS: Any = [{"name": name, "input_schema": SCHEMA} for name in ("look", "refund")]
Turn = tuple[str, list[tuple[str, str, Any]]]  # text; (id, tool, arguments) of each call


@pytest.fixture
def server() -> Iterator[OddServer]:
    """Says "Let me look.", calls `look` once, and after its result "Done."."""

    def odd(exchange: Exchange) -> None:
        history = json.dumps(exchange.asked.json["messages"])
        if "tool_result" in history or '"role": "tool"' in history:
            exchange.say("Done.")
        else:
            exchange.say("Let me look.", Call("look", {"order": 5}))

    with OddServer(odd) as running:
        yield running


def _chat_turn(message: Any) -> Turn:
    calls = [
        (call.id, call.function.name, json.loads(call.function.arguments))
        for call in message.tool_calls or ()
    ]
    return message.content or "", calls


def _claude_turn(message: Any) -> Turn:
    text = "".join(block.text for block in message.content if block.type == "text")
    calls = [(b.id, b.name, b.input) for b in message.content if b.type == "tool_use"]
    return text, calls


class Speaker:
    """One way of asking a model: `ask` gives a turn and appends it to the history."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.history: list[Any] = [{"role": "user", "content": "Where is order 5?"}]

    def chat(self) -> openai.OpenAI:
        return openai.OpenAI(
            base_url=f"{self.url}/v1", api_key="k", max_retries=0, http_client=Quick(verify=False)
        )

    def claude(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(
            base_url=self.url, api_key="k", max_retries=0, http_client=Quick(verify=False)
        )

    def answer(self, call_id: str, result: str) -> None:
        self.history.append({"role": "tool", "tool_call_id": call_id, "content": result})


class Chat(Speaker):
    def ask(self) -> Turn:
        with self.chat() as client:
            reply = client.chat.completions.create(
                model="gpt-4o-mini", messages=self.history, tools=CHAT_TOOLS
            )
        self.history.append(reply.choices[0].message)
        return _chat_turn(reply.choices[0].message)


class ChatStream(Speaker):
    """Puts the deltas together by hand, as agents without the helper do."""

    def ask(self) -> Turn:
        text, calls = "", dict[int, dict[str, str]]()
        with self.chat() as client:
            stream = client.chat.completions.create(
                model="gpt-4o-mini", messages=self.history, tools=CHAT_TOOLS, stream=True
            )
            for chunk in stream:
                for choice in chunk.choices:
                    text += choice.delta.content or ""
                    for part in choice.delta.tool_calls or ():
                        function = part.function
                        assert function is not None
                        call = calls.setdefault(part.index, {"id": "", "name": "", "args": ""})
                        call["id"] += part.id or ""
                        call["name"] += function.name or ""
                        call["args"] += function.arguments or ""
        made = [
            {"id": c["id"], "type": "function",
             "function": {"name": c["name"], "arguments": c["args"]}}
            for c in calls.values()
        ]  # fmt: skip
        message = {"role": "assistant", "content": text} | ({"tool_calls": made} if made else {})
        self.history.append(message)
        return text, [(c["id"], c["name"], json.loads(c["args"])) for c in calls.values()]


class ChatHelper(Speaker):
    def ask(self) -> Turn:
        with (
            self.chat() as client,
            client.chat.completions.stream(
                model="gpt-4o-mini", messages=self.history, tools=CHAT_TOOLS
            ) as stream,
        ):
            message = stream.get_final_completion().choices[0].message
        kept = message.model_dump(exclude_none=True)
        for call in kept.get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
        self.history.append({k: v for k, v in kept.items() if k != "parsed"})
        return _chat_turn(message)


class AsyncChat(Speaker):
    def ask(self) -> Turn:
        async def ask() -> Any:
            async with openai.AsyncOpenAI(
                base_url=f"{self.url}/v1", api_key="k", http_client=QuickAsync(verify=False)
            ) as client:
                return await client.chat.completions.create(
                    model="gpt-4o-mini", messages=self.history, tools=CHAT_TOOLS
                )

        message = asyncio.run(ask()).choices[0].message
        self.history.append(message)
        return _chat_turn(message)


class _Claude(Speaker):
    def answer(self, call_id: str, result: str) -> None:
        block = {"type": "tool_result", "tool_use_id": call_id, "content": result}
        self.history.append({"role": "user", "content": [block]})

    def keep(self, message: Any) -> Turn:
        self.history.append({"role": "assistant", "content": message.content})
        return _claude_turn(message)


class Claude(_Claude):
    def ask(self) -> Turn:
        with self.claude() as client:
            return self.keep(
                client.messages.create(
                    model="claude-haiku-4-5", max_tokens=99, messages=self.history,
                    tools=CLAUDE_TOOLS,
                )
            )  # fmt: skip


class ClaudeStream(_Claude):
    def ask(self) -> Turn:
        with (
            self.claude() as client,
            client.messages.stream(
                model="claude-haiku-4-5", max_tokens=99, messages=self.history, tools=CLAUDE_TOOLS
            ) as stream,
        ):
            texts = "".join(stream.text_stream)
            message = stream.get_final_message()
        turn = self.keep(message)
        assert texts == turn[0]
        return turn


class AsyncClaude(_Claude):
    def ask(self) -> Turn:
        async def ask() -> Any:
            async with (
                anthropic.AsyncAnthropic(
                    base_url=self.url, api_key="k", http_client=QuickAsync(verify=False)
                ) as client,
                client.messages.stream(
                    model="claude-haiku-4-5", max_tokens=99, messages=self.history,
                    tools=CLAUDE_TOOLS,
                ) as stream,
            ):  # fmt: skip
                return await stream.get_final_message()

        return self.keep(asyncio.run(ask()))


SPEAKERS = [Chat, ChatStream, ChatHelper, AsyncChat, Claude, ClaudeStream, AsyncClaude]
by_speaker = pytest.mark.parametrize("speaker", SPEAKERS, ids=lambda s: s.__name__)


def make(server: OddServer, speaker: type[Any], done: list[Any]) -> Callable[[], Any]:
    """An agent that asks, uses the tools it is told to, and asks again until told nothing."""

    @tracer.tool(effect="read")
    def look(order: int) -> str:
        done.append(("look", order))
        return f"order {order} is on its way"

    @tracer.tool(effect="read")
    def refund(order: int) -> str:
        done.append(("refund", order))
        return f"order {order} refunded"

    @tracer.agent
    def agent() -> list[Any]:
        talk = speaker(server.url)
        tools = {"look": look, "refund": refund}
        turns = []
        for _ in range(4):
            text, calls = talk.ask()
            turns.append((text, [(name, given) for _, name, given in calls]))
            if not calls:
                break
            for call_id, name, given in calls:
                talk.answer(call_id, tools[name](**given))
        return turns

    return agent


@by_speaker
def test_a_tool_call_becomes_a_text_another_call_other_arguments_and_back(
    bench: Bench, server: OddServer, speaker: type[Any]
) -> None:
    done: list[Any] = []
    agent = make(server, speaker, done)
    first = ("Let me look.", [("look", {"order": 5})])
    assert agent() == [first, ("Done.", [])]
    recorded = bench.run()
    assert (server.count, done) == (2, [("look", 5)])
    done.clear()

    came = bench.fork(agent, said("It is lost."), model_call=1, run=recorded.id)
    assert (came.verdict(), came.result) == ((0, None), [("It is lost.", [])])
    assert (server.count, done) == (2, [])

    came = bench.fork(agent, called("refund", order=7), model_call=1, run=recorded.id)
    assert (came.verdict(), server.count) == ((0, None), 3)
    assert came.result == [("Let me look.", [("refund", {"order": 7})]), ("Done.", [])]
    assert done == [("refund", 7)]
    assert came.sources("model", "tool") == ["substituted", "live", "live"]
    done.clear()

    came = bench.fork(agent, called("look", order=6), model_call=1, run=recorded.id)
    assert came.result == [("Let me look.", [("look", {"order": 6})]), ("Done.", [])]
    assert (done, server.count) == ([("look", 6)], 4)
    done.clear()

    # And the other way: the last answer, a text, becomes a call.
    came = bench.fork(agent, called("refund", order=5), model_call=2, run=recorded.id)
    assert came.verdict() == (0, None)
    assert came.result == [first, ("Done.", [("refund", {"order": 5})]), ("Done.", [])]
    assert came.sources("model", "tool") == [
        "recorded", "recorded", "substituted", "live", "live",
    ]  # fmt: skip
    assert (done, server.count) == ([("refund", 5)], 5)
    assert bench.run(recorded.id) == recorded


@by_speaker
def test_the_same_answer_again_is_the_same_run_and_asks_nobody(
    bench: Bench, server: OddServer, speaker: type[Any]
) -> None:
    done: list[Any] = []
    agent = make(server, speaker, done)
    result = agent()
    run = bench.run().id
    for model_call, same in ((1, called("look", order=5)), (2, said("Done."))):
        came = bench.fork(agent, same, model_call=model_call, run=run, after="recorded")
        assert (came.verdict(), came.result) == ((0, None), result)
        assert came.sources("model").count("substituted") == 1
        assert "live" not in came.sources("model", "tool", "http")
        live = bench.fork(agent, same, model_call=model_call, run=run, after="live")
        assert (live.verdict(), live.result) == ((0, None), result)
    assert (server.count, done) == (2, [("look", 5)])


def test_a_different_answer_with_after_recorded_stops_where_it_would_go_live(
    bench: Bench, server: OddServer
) -> None:
    agent = make(server, Chat, [])
    agent()
    came = bench.fork(agent, called("look", order=6), model_call=1, after="recorded")
    code, message = came.verdict()
    assert code == 4 and message is not None
    assert "may not run live: --after recorded" in message
    assert server.count == 2


FAILURES: list[tuple[str, Any, Any, str]] = [
    ("rate_limit", openai.RateLimitError, anthropic.RateLimitError, "429"),
    ("server_error", openai.InternalServerError, anthropic.InternalServerError, "500"),
    ("timeout", openai.APITimeoutError, anthropic.APITimeoutError, ""),
    ("connection_reset", openai.APIConnectionError, anthropic.APIConnectionError, ""),
]


@pytest.mark.parametrize(("kind", "of_openai", "of_anthropic", "alias"), FAILURES)
@pytest.mark.parametrize("speaker", [Chat, ChatStream, Claude, ClaudeStream])
def test_a_failure_is_raised_by_the_sdk_as_a_real_one(
    bench: Bench,
    server: OddServer,
    speaker: type[Any],
    kind: str,
    of_openai: type[Exception],
    of_anthropic: type[Exception],
    alias: str,
) -> None:
    agent = make(server, speaker, [])
    agent()
    expected = of_anthropic if issubclass(speaker, _Claude) else of_openai
    for word in filter(None, (kind, alias)):
        came = bench.fork(agent, Substitute("error", error=word), model_call=2)
        assert type(came.came.error) is expected
        assert came.came.exit_code == 1
        assert came.steps[-1].source == "substituted" and came.steps[-1].status == "error"
    assert server.count == 2


@pytest.mark.parametrize("speaker", [ChatStream, ClaudeStream, Chat, Claude])
def test_a_stream_that_is_cut_and_json_that_is_none(
    bench: Bench, server: OddServer, speaker: type[Any]
) -> None:
    agent = make(server, speaker, [])
    agent()
    for kind in ("cut_stream", "invalid_json"):
        came = bench.fork(agent, Substitute("error", error=kind), model_call=1)
        assert came.came.error is not None, kind
        assert came.came.exit_code == 1
    assert server.count == 2


def test_responses_in_either_notation(bench: Bench, server: OddServer) -> None:
    agent = make(server, ClaudeStream, [])
    agent()
    own = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-haiku-4-5",
        "content": [{"type": "text", "text": "Own form."}], "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    otel = {
        "role": "assistant",
        "parts": [
            {"type": "text", "content": "Two at once."},
            {"type": "tool_call", "name": "look", "arguments": {"order": 1}},
            {"type": "tool_call", "name": "refund", "arguments": {"order": 2}},
        ],
    }
    came = bench.fork(agent, Substitute("response", response=own), model_call=1)
    assert (came.verdict(), came.result) == ((0, None), [("Own form.", [])])
    came = bench.fork(agent, Substitute("response", response=otel), model_call=1)
    assert came.verdict() == (0, None)
    assert came.result[0] == ("Two at once.", [("look", {"order": 1}), ("refund", {"order": 2})])


def test_a_tools_result_or_failure(bench: Bench, server: OddServer) -> None:
    done: list[Any] = []
    agent = make(server, Chat, done)
    agent()
    tool = bench.step("tool")
    came = bench.fork(agent, Substitute("result", result="order 5 burnt"), step=tool.n)
    assert came.verdict() == (0, None) and done == [("look", 5)]
    assert server.asked[-1].json["messages"][-1]["content"] == "order 5 burnt"
    assert came.sources("model", "tool") == ["recorded", "substituted", "live"]
    came = bench.fork(agent, Substitute("error", error="timeout"), step=tool.n)
    assert came.came.exit_code == 1 and isinstance(came.came.error, RuntimeError)


def test_what_makes_no_sense_is_refused_before_anything_runs(
    bench: Bench, server: OddServer
) -> None:
    agent = make(server, Chat, [])
    agent()
    tool, model, whole = bench.step("tool"), bench.steps("model")[0], bench.step("agent")
    for substitute, step, says in [
        (said("x"), tool.n, "is no model call: give its result"),
        (Substitute("result", result=1), model.n, "is a model call: give --text"),
        (said("x"), whole.n, "fork at a model call, a tool or a step"),
        (Substitute("error", error="explosion"), model.n, "use one of rate_limit"),
    ]:
        with pytest.raises(UsageError, match=says):
            bench.fork(agent, substitute, step=step)
    with pytest.raises(tracer.errors.NotFoundError, match="has 2 model calls"):
        bench.fork(agent, said("x"), model_call=3)
    assert len(bench.runs()) == 1


def test_an_unknown_tool_and_bad_arguments_are_warnings(bench: Bench, server: OddServer) -> None:
    make(server, Chat, [])()
    with bench.store as store:
        for substitute, says in [
            (called("explode"), "the model was offered no tool named explode"),
            (called("look", order="five"), "look: order: 'five' is not of type 'integer'"),
            (called("look"), "'order' is a required property"),
        ]:
            spec = tracer.ReplaySpec(
                bench.run().id, model_call=1, substitute=substitute, script=(__file__,)
            )
            planned = tracer.plan(store, spec)
            assert any(says in warning for warning in planned.warnings), planned.warnings
