"""What must not be stored is not, wherever it stands, and what is stored can still be read."""

import json
import re
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openai
import pytest

import tracer
from tests.support.agents import Bench
from tests.support.processes import Desk
from tests.support.secret_agent import PROGRAM, RULES, SECRETS, WORDS, said_by_model
from tests.support.servers import Exchange, OddServer
from tracer.capture import redaction, secrets
from tracer.errors import UsageError

CARD = "4111222233334444"


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that functions of one test made secret are none in the next."""
    monkeypatch.setattr(redaction, "_registry", redaction._Registry())


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer() as running:
        yield running


def everything(database: Path) -> bytes:
    """The files of a database as they are, and each value in them, unpacked."""
    found = [path.read_bytes() for path in database.parent.glob(f"{database.name}*")]
    connection = sqlite3.connect(database)
    tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    for (table,) in tables:
        if table.startswith("search"):
            continue  # an index of passages without their text
        for row in connection.execute(f'select * from "{table}"'):
            found += [_unpacked(value) for value in row]
    connection.close()
    return b"\n".join(found)


def _unpacked(value: Any) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode("utf-8", "surrogatepass")
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def leaks(found: bytes, words: dict[str, bytes]) -> dict[str, bytes]:
    """What surrounds each secret that is found, in one of the ways JSON may have written it."""
    at = {name: found.find(word) for name, word in words.items()}
    return {name: found[max(0, i - 90) : i + 60] for name, i in at.items() if i >= 0}


def chat_events(text: str, arguments: str, size: int = 3) -> list[Any]:
    """A streamed chat reply, a few letters an event."""
    pieces: list[Any] = [{"role": "assistant", "content": ""}]
    pieces += [{"content": text[at : at + size]} for at in range(0, len(text), size)]
    named = {"name": "charge", "arguments": ""}
    pieces.append({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": named}]})
    for at in range(0, len(arguments), size):
        part = {"arguments": arguments[at : at + size]}
        pieces.append({"tool_calls": [{"index": 0, "function": part}]})
    about = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return [
        {**about, "choices": [{"index": 0, "delta": piece, "finish_reason": None}]}
        for piece in pieces
    ]


def stream(exchange: Exchange, events: list[Any]) -> None:
    said = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    exchange.begin()
    body = said.encode()
    for at in range(0, len(body), 61):
        exchange.chunk(body[at : at + 61])
    exchange.finish()


def odd(exchange: Exchange) -> None:
    if not exchange.asked.body:
        exchange.reply({"token": SECRETS["jwt"], "you": exchange.asked.headers.get("x-trace")})
    elif exchange.asked.json.get("stream"):
        stream(exchange, chat_events(*said_by_model()))
    else:
        exchange.say(f"paid with {SECRETS['card']}, key {SECRETS['openai']}")


def test_a_program_full_of_secrets(desk: Desk, server: OddServer) -> None:
    server.odd = odd
    (desk.folder / "secrets.json").write_text(json.dumps(SECRETS))
    desk.write("rules.py", RULES, prelude=False)
    script = desk.write("agent.py", PROGRAM, prelude=False)
    desk.env |= {
        "BASE": server.url,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
        "PYTHONPATH": f"{desk.environment()['PYTHONPATH']}:{desk.folder}",
    }
    env = {"TRACER_REDACT": "rules:hide,ssn"}
    done = desk.record(script, "--token", SECRETS["github"], env=env)
    assert SECRETS["card"] in done.out and SECRETS["openai"] in done.out  # the agent sees them
    assert "tracer: " not in done.err
    stored = everything(desk.database)
    assert b"my badge is BADGE-#[redacted:" in stored
    assert leaks(stored, WORDS) == {}
    with desk.bench.store as store:
        tracer.export_bundle(store, "last", desk.folder / "run.tracer")
    with ZipFile(desk.folder / "run.tracer") as bundle:
        exported = b"".join(bundle.read(name) for name in bundle.namelist())
    assert b"BADGE-#" in exported and leaks(exported, WORDS) == {}
    key = (desk.folder / "traces.db.key").read_bytes()
    assert key not in exported and key not in stored.replace(key, b"", 1)
    before = server.count
    came = desk.replay(allow_writes=("spans",))
    assert (came.code, came.divergences, server.count) == (0, [], before), came.message
    assert "said paid with [redacted:" in came.out
    assert leaks(everything(desk.database), WORDS) == {}
    # A provider that the program sets gets spans of the runs that begin after that.
    assert desk.record(script, env=env, how="per-agent").code == 1
    spans = (desk.folder / "spans").read_bytes()
    assert b"BADGE-#" in spans and b"gen_ai.output.messages" in spans and b"KeyError" in spans
    assert leaks(spans, WORDS) == {}
    assert leaks(everything(desk.database), WORDS) == {}


def test_names_of_parameters_and_of_fields(bench: Bench) -> None:
    @tracer.tool(redact=("card_number", "customer.pin", "result"))
    def charge(card_number: str, customer: dict[str, Any], cvv: int) -> list[Any]:
        return ["a token", 12345, True, None, {"pin": "in a result"}]

    @tracer.agent(redact="question")
    def agent(question: str) -> str:
        charge(CARD, {"pin": 123, "card": {"pin": 99}, "PIN": [1, 2]}, 123)
        tracer.note(f"the question was {question}, the card {CARD}, the pin 123")
        return "fine"

    agent("where is my lamp?")
    stored = everything(bench.database)
    hidden = [b"where is my lamp", CARD.encode(), b"a token", b"12345,", b"in a result"]
    assert [word for word in hidden if word in stored] == []
    step = bench.step("tool")
    given = bench.value(step, "input")
    assert given["card_number"].startswith("[redacted:")
    assert given["customer"]["pin"].startswith("[redacted:")
    assert given["customer"]["card"]["pin"] == 99  # not the place that was named
    assert [str(item)[:10] for item in given["customer"]["PIN"]] == ["[redacted:"] * 2
    assert given["cvv"] == 123
    assert bench.value(step)[2:4] == [True, None]
    assert step.detail["redacted_input"] == 4
    assert "the pin 123" in bench.step("note").name  # too short to be looked for elsewhere


def test_a_field_of_that_name_anywhere(bench: Bench, server: OddServer) -> None:
    tracer.init(redact=("ssn", "Card_Number"))
    asked = json.dumps({"ssn": "one", "deep": [{"card_number": 4111222233334444, "x": 1.50}]})

    @tracer.agent
    def agent() -> str:
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key="k", max_retries=0)
        messages: Any = [{"role": "user", "content": asked}]
        client.chat.completions.create(model="m", messages=messages)
        messages.append({"role": "user", "content": f"and {CARD}"})
        return str(client.chat.completions.create(model="m", messages=messages).id)

    agent()
    stored = everything(bench.database)
    assert CARD.encode() not in stored and b'\\"one\\"' not in stored
    assert b'\\"x\\": 1.5' in stored
    assert bench.replay(agent).verdict() == (0, None)


def test_a_function_gets_each_text_and_where_it_is_from(bench: Bench) -> None:
    seen: list[tuple[str, str]] = []

    def hide(text: str, place: str) -> str:
        seen.append((text, place))
        return re.sub(r"Ana|Bob", "NAME", text)

    tracer.init(redact=hide)

    @tracer.tool
    def greet(who: str, number: int) -> str:
        return f"hello {who}"

    @tracer.agent
    def agent(who: str) -> str:
        tracer.note(f"greeting {who}")
        greet(who, 4111222233334444)
        raise ValueError(f"no {who}")

    with pytest.raises(ValueError, match="no Ana"):
        agent("Ana")
    stored = everything(bench.database)
    assert b"hello NAME[redacted:" in stored and b"no NAME[redacted:" in stored
    assert b"Ana" not in stored
    assert {place for _, place in seen} >= {"arguments", "result", "input", "note", "error"}
    assert (CARD, "arguments") in seen  # long numbers too
    assert ("hello Ana", "result") in seen


def test_a_function_that_fails_lets_nothing_through(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracer.capture.guard._seen", set[str]())

    def hide(text: str) -> Any:
        if "lamp" in text:
            raise ValueError(text)
        return None if "oven" in text else text

    tracer.init(redact=[hide])

    @tracer.tool
    def buy(what: str) -> str:
        return f"bought a {what}"

    @tracer.agent
    def agent() -> list[str]:
        return [buy("lamp"), buy("oven"), buy("chair")]

    assert agent() == ["bought a lamp", "bought a oven", "bought a chair"]
    stored = everything(bench.database)
    assert b"bought a chair" in stored
    assert b"bought a lamp" not in stored and b"oven" not in stored
    said = capsys.readouterr().err
    assert said.count("tracer: ") == 1 and "a lamp" not in said
    assert "tracer: the redact function raised ValueError; what it failed on is stored" in said


def test_a_function_that_can_not_be_loaded_lets_nothing_through(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tracer.capture.guard._seen", set[str]())
    monkeypatch.setenv("TRACER_REDACT", "no_such_module:hide")

    @tracer.agent
    def agent(question: str) -> str:
        return "an answer"

    assert agent("a question") == "an answer"
    stored = everything(bench.database)
    assert b"a question" not in stored and b"an answer" not in stored
    assert "ModuleNotFoundError" in capsys.readouterr().err


def test_off(bench: Bench) -> None:
    tracer.init(redact=False)

    @tracer.agent
    def agent(question: str) -> str:
        return question

    agent(SECRETS["github"])
    assert SECRETS["github"].encode() in everything(bench.database)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match="redact=3: give a function of a text, names of fields"):
        tracer.init(redact=3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="give names of parameters, or 'result'"):
        tracer.tool(redact=(3,))(lambda: None)  # type: ignore[arg-type]


def test_ordinary_data_keeps_its_bytes(bench: Bench) -> None:
    harmless = [
        b"2f1c8f0e-7a34-4a43-9f8e-0c7d9a1f4b6e b2:0123456789abcdef0123456789abcdef",
        b'{"image_url": "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"}',
        b"sk-learn task-oriented-dialogue-systems-in-practice; ask_user_for_input",
        b'{"usage": {"prompt_tokens": 123456789}, "next_page_token": "abcdef0123456789"}',
        b'{"password": {"type": "string"}, "required": ["password"]}',
        b"the [redacted:abcdefghijkl] of before",
        bytes(range(256)),
    ]
    known = secrets.Secrets()
    assert [known.clean(data, "reply") for data in harmless] == harmless
