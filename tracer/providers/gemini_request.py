"""Gemini requests: what the model was asked, and what a substitute must know of it."""

import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote

from tracer.core.messages import Message
from tracer.providers.base import HttpRequest, ModelRequest
from tracer.providers.gemini_names import drop, get, many
from tracer.providers.gemini_parts import read_message, read_parts
from tracer.providers.gemini_schema import json_schema
from tracer.providers.hosts import path_of
from tracer.providers.jsontext import JsonObject, load_object
from tracer.providers.wire import make_part, text, unknown_part

Form = Literal["json", "sse", "array"]
_READ_APART = ("contents", "systemInstruction", "tools", "model")
_SSE = re.compile(r"[?&]\$?alt=sse\b")
_NUMBERED = re.compile(r"[?&](\$|%24)alt=[^&]*enum-encoding(=|%3D)int")
_OF_THEIR_OWN = ("tunedModels", "endpoints")  # collections whose name is part of a model's


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides the form of a built reply; `seed` makes ids that are new but not random.

    `numbered`: enums are numbers. `signs`: the history holds signed parts, so the model wants them.
    """

    model: str
    form: Form
    numbered: bool
    signs: bool
    seed: bytes


def action_of(path: str) -> str:
    """The method a path ends in ("generateContent"), "" without one."""
    _, colon, action = path.rstrip("/").replace("%3A", ":").rpartition(":")
    return action if colon else ""


def form_of(url: str) -> Form:
    """The form that a request to `url` is answered in; without `alt=sse` streams are arrays."""
    if action_of(path_of(url)) != "streamGenerateContent":
        return "json"
    return "sse" if _SSE.search(url) else "array"


def read_asked(request: HttpRequest) -> Asked:
    """The facts of a request that a built reply follows."""
    body = request.body
    return Asked(
        model=model_in(request.url) or "unknown",
        form=form_of(request.url),
        numbered=_NUMBERED.search(request.url) is not None,
        signs=b'"thoughtSignature"' in body or b'"thought_signature"' in body,
        seed=body,
    )


def read_request(request: HttpRequest) -> ModelRequest:
    """What the model was asked; see `Api.read_request`. The system instruction comes first."""
    body = load_object(request.body) or {}
    return ModelRequest(
        model=model_in(request.url) or _plain(text(body.get("model"))),
        stream=form_of(request.url) != "json",
        messages=[*_system(body), *map(read_message, many(body.get("contents")))],
        tools=[made for tool in many(body.get("tools")) for made in read_tool(tool)],
        parameters=drop(body, *_READ_APART),
    )


def _system(body: JsonObject) -> list[Message]:
    said = get(body, "systemInstruction")
    parts = read_parts(said.get("parts") if isinstance(said, dict) and "parts" in said else said)
    return [{"role": "system", "parts": parts}] if parts else []


def read_tool(tool: Any) -> list[dict[str, Any]]:
    """The OpenTelemetry tool definitions of one wire tool, which may declare many functions."""
    if not isinstance(tool, dict):
        return [unknown_part(tool)]
    functions = [_function(entry) for entry in many(get(tool, "functionDeclarations"))]
    built_in = drop(tool, "functionDeclarations")
    return functions + [{"type": name, "name": name, name: built_in[name]} for name in built_in]


def _function(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        return unknown_part(entry)
    extras = drop(entry, "name", "description", "parameters", "parametersJsonSchema", "type")
    named = {key: entry[key] for key in ("name", "description") if key in entry}
    schema = get(entry, "parametersJsonSchema")
    if schema is None:
        schema = json_schema(entry.get("parameters"))
    return make_part("function", {**extras, "parameters": schema}, **named)


def model_in(url: str) -> str | None:
    """The model that `url` names: `gemini-x`, or `tunedModels/x` and `endpoints/x`."""
    path = path_of(url).replace("%3A", ":")
    segments = path.rpartition(":")[0].split("/")
    name = unquote(segments[-1])
    is_own = len(segments) > 1 and segments[-2] in _OF_THEIR_OWN
    return text(f"{segments[-2]}/{name}" if is_own else name)


def _plain(model: str | None) -> str | None:
    return model.removeprefix("models/") if model else None
