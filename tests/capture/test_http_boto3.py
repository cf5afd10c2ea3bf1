"""boto3: what it asks, whole or as a binary event stream, through urllib3."""

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

import tracer
from tests.support.agents import Bench
from tests.support.servers import Exchange, OddServer

KEY = "very-secret-key-0123456789abcdef"
ASKED: Any = {
    "modelId": "anthropic.claude-3-haiku-20240307-v1:0",
    "messages": [{"role": "user", "content": [{"text": "Where is it?"}]}],
}


def event(kind: str, payload: dict[str, Any], *, sort: str = "event") -> bytes:
    """One message of AWS's event stream."""
    fields = {":message-type": sort, f":{sort}-type": kind, ":content-type": "application/json"}
    headers = b"".join(
        bytes([len(name)])
        + name.encode()
        + b"\x07"
        + struct.pack(">H", len(value))
        + value.encode()
        for name, value in fields.items()
    )
    data = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(data), len(headers))
    whole = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + data
    return whole + struct.pack(">I", zlib.crc32(whole))


def converse(exchange: Exchange) -> None:
    """A model that says the same, in either form."""
    usage = {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7}
    if not exchange.asked.path.endswith("-stream"):
        message = {"role": "assistant", "content": [{"text": "At the harbour."}]}
        exchange.reply({
            "output": {"message": message}, "stopReason": "end_turn", "usage": usage,
            "metrics": {"latencyMs": 1},
        })  # fmt: skip
        return
    exchange.begin(200, {"content-type": "application/vnd.amazon.eventstream"})
    exchange.chunk(event("messageStart", {"role": "assistant"}))
    for word in ("At ", "the ", "harbour."):
        delta = {"contentBlockIndex": 0, "delta": {"text": word}}
        data = event("contentBlockDelta", delta)
        exchange.chunk(data[:20])  # an edge within a message
        exchange.chunk(data[20:])
    exchange.chunk(event("contentBlockStop", {"contentBlockIndex": 0}))
    exchange.chunk(event("messageStop", {"stopReason": "end_turn"}))
    exchange.chunk(event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}))
    exchange.finish()


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(converse) as running:
        yield running


def client(server: OddServer, attempts: int = 1) -> Any:
    """A client of this server."""
    config = botocore.config.Config(retries={"total_max_attempts": attempts, "mode": "standard"})
    return boto3.client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=server.url, config=config,
        aws_access_key_id="AKIA0123456789ABCDEF", aws_secret_access_key=KEY,
    )  # fmt: skip


def test_a_whole_and_a_streamed_answer(bench: Bench, server: OddServer) -> None:
    def program() -> Any:
        bedrock = client(server)
        whole = bedrock.converse(**ASKED)
        streamed = bedrock.converse_stream(**ASKED)["stream"]
        return whole["output"], whole["usage"], list(streamed)

    agent = tracer.agent(program)
    without = program()
    assert agent() == without
    steps = [step for step in bench.steps() if step.kind in ("model", "http")]
    assert [(step.status, step.detail["http_status"]) for step in steps] == [("ok", 200)] * 2
    assert steps[0].name != steps[1].name or steps[0].kind == "model"
    reached = server.count
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result, server.count) == ((0, None), without, reached)


def test_refusals_are_asked_again_by_boto3_itself(bench: Bench, server: OddServer) -> None:
    def odd(exchange: Exchange) -> None:
        if exchange.number % 2:
            head = {"x-amzn-errortype": "ThrottlingException"}
            exchange.reply({"message": "slow down"}, 429, head)
        else:
            converse(exchange)

    server.odd = odd

    @tracer.agent
    def agent() -> Any:
        return client(server, attempts=2).converse(**ASKED)["output"]

    result = agent()
    first, second = [step for step in bench.steps() if step.kind in ("model", "http")]
    assert (first.status, second.status, second.detail["retry"]) == ("error", "ok", 1)
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result, server.count) == ((0, None), result, 2)


@pytest.mark.parametrize("how", ["refused", "reset", "cut", "exception"])
def test_failures_are_boto3s_own(bench: Bench, server: OddServer, how: str) -> None:
    def odd(exchange: Exchange) -> None:
        if how == "reset":
            exchange.reset()
            return
        exchange.begin(200, {"content-type": "application/vnd.amazon.eventstream"})
        exchange.chunk(event("messageStart", {"role": "assistant"}))
        if how == "exception":
            said = {"message": "too much"}
            exchange.chunk(event("throttlingException", said, sort="exception"))
            exchange.finish()
        else:
            exchange.hang_up()

    if how == "refused":
        server.odd = lambda exchange: exchange.reply({"message": "no such model"}, 400)
    else:
        server.odd = odd

    def program() -> Any:
        found: list[Any] = []
        try:
            for item in client(server).converse_stream(**ASKED)["stream"]:
                found.append(item)
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            found += [type(error).__name__, str(error)]
        except Exception as error:
            found += [type(error).__qualname__, str(error)]
        return found

    agent = tracer.agent(program)
    without = program()
    assert agent() == without
    reached = server.count
    replayed = bench.replay(agent)
    assert (replayed.verdict(), replayed.result, server.count) == ((0, None), without, reached)
