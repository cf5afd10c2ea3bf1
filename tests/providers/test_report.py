"""The report over recorded exchanges counts what is read, and says what is not."""

import base64
import gzip
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tracer.providers import api_named
from tracer.providers.base import HttpReply, HttpRequest

from .bedrock_replies import CONVERSE_EVENTS, converse_request, frames
from .corpus import Exchange
from .replies import CHAT_JSON, CHAT_STREAM, MESSAGE_STREAM, chat_request, json_reply
from .replies import messages_request as asked_messages
from .report import not_read, printed, report

ROOT = Path(__file__).parents[2]


def _exchange(request: HttpRequest, reply: HttpReply, endpoint: str = "e") -> Exchange:
    return Exchange("x", "p", endpoint, None, False, request, reply)


def test_each_kind_of_exchange_is_counted() -> None:
    unknown = HttpRequest("POST", "https://h/telepathy", [], b"{}")
    odd = json_reply({"choices": [], "odd": 1})
    found = [
        _exchange(chat_request(), CHAT_JSON),
        _exchange(chat_request(True), CHAT_STREAM),
        _exchange(asked_messages(True), MESSAGE_STREAM),
        _exchange(converse_request(True), frames(*CONVERSE_EVENTS)),
        _exchange(chat_request(), json_reply({"error": {"type": "x", "message": "y"}}, 400)),
        _exchange(chat_request(), json_reply({"error": {"type": "x", "message": "y"}})),
        _exchange(chat_request(True), replace(CHAT_STREAM, body=CHAT_STREAM.body[:300])),
        _exchange(chat_request(), replace(CHAT_JSON, body=b"")),
        _exchange(unknown, odd),
        _exchange(replace(unknown, body=b""), odd, "other"),
    ]
    lines = report(iter(found))
    line = lines["p", "e"]
    assert (line.exchanges, line.recognised, line.answered) == (9, 8, 8)
    assert (line.read, line.rebuilt) == (4, 4)
    assert line.reasons == {
        "error: x": 1, "no end": 1, "the recording lost the reply": 1, "no format for it": 1,
    }  # fmt: skip
    assert lines["p", "other"].reasons == {"the recording lost the request": 1}
    table = printed(lines).splitlines()
    assert table[-1].split() == ["all", "10", "8", "9", "4", "4"]
    assert table[1].startswith("p         e ")


def test_what_a_reader_drops_is_noticed() -> None:
    read = api_named("openai.chat").read_reply(chat_request(), CHAT_JSON)
    assert not_read(read, CHAT_JSON) is None
    parts = read.messages[0]["parts"]
    poorer = replace(read, messages=[{**read.messages[0], "parts": parts[:1]}])
    assert not_read(poorer, CHAT_JSON) == "lost: arguments"


def test_the_table_is_printed(tmp_path: Path) -> None:
    def coded(body: bytes) -> dict[str, Any]:
        return {"headers": [], "body_b64": base64.b64encode(body).decode(), "stored_encoding": "-"}

    request, reply = chat_request(), CHAT_JSON
    entry = {
        "id": "1", "provider": "someone", "endpoint": "chat.completions", "framing": "json",
        "method": "POST", "url": request.url, "request": coded(request.body), "status": 200,
        "response": coded(reply.body),
    }  # fmt: skip
    with gzip.open(tmp_path / "exchanges.jsonl.gz", "wt") as file:
        file.write(json.dumps(entry) + "\n")
    command = [sys.executable, "-m", "tests.providers.report"]
    env = {**os.environ, "TRACER_CORPUS": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    head, line, total = done.stdout.splitlines()
    assert head.split()[:3] == ["provider", "endpoint", "exchanges"]
    assert line.split() == ["someone", "chat.completions", "1", "1", "1", "1", "1"]
    assert total.split() == ["all", "1", "1", "1", "1", "1"]
    env["TRACER_CORPUS"] = str(tmp_path / "nowhere")
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no recorded exchanges" in done.stderr
