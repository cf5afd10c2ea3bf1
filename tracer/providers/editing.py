"""A request asked otherwise: another model, temperature or system prompt, all else as it was."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from tracer.providers.base import HttpRequest
from tracer.providers.gemini_names import named
from tracer.providers.jsontext import JsonObject

_MODEL_IN_PATH = re.compile(r"(/models/)([^/:?]+)(:)")
_LENGTHS = ("content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Edit:
    """What is asked otherwise; None: as it was."""

    model: str | None = None
    temperature: float | None = None
    system: str | None = None

    @property
    def is_empty(self) -> bool:
        return self == Edit()

    def as_json(self) -> JsonObject:
        """What is asked otherwise, by name."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def is_editable(api: str) -> bool:
    """Whether requests of a format can be asked otherwise: those whose sender signs them can't."""
    return api in _EDITORS


def edited(api: str, request: HttpRequest, edit: Edit) -> HttpRequest:
    """The request with the edit in it. Raises ValueError where its body is no JSON object, or its
    format can't be edited."""
    body = json.loads(request.body)
    if not isinstance(body, dict) or api not in _EDITORS:
        raise ValueError("it can't be read as a request of its format")
    _EDITORS[api](body, edit)
    url = request.url
    if edit.model is not None and api.startswith("gemini"):
        url = _MODEL_IN_PATH.sub(lambda m: m[1] + str(edit.model) + m[3], url, count=1)
    headers = tuple(pair for pair in request.headers if pair[0].lower() not in _LENGTHS)
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return replace(request, url=url, headers=headers, body=data)


def _chat(body: JsonObject, edit: Edit) -> None:
    """The system prompt is the first message."""
    _plain(body, edit)
    if edit.system is None:
        return
    messages = body.get("messages")
    kept = list(messages) if isinstance(messages, list) else []
    first: Any = kept[0] if kept else None
    if isinstance(first, dict) and first.get("role") in ("system", "developer"):
        kept[0] = {**first, "content": edit.system}
    else:
        kept.insert(0, {"role": "system", "content": edit.system})
    body["messages"] = kept


def _plain(body: JsonObject, edit: Edit) -> None:
    if edit.model is not None:
        body["model"] = edit.model
    if edit.temperature is not None:
        body["temperature"] = edit.temperature


def _with_key(key: str) -> Callable[[JsonObject, Edit], None]:
    """The system prompt is a text of its own."""

    def change(body: JsonObject, edit: Edit) -> None:
        _plain(body, edit)
        if edit.system is not None:
            body[key] = edit.system

    return change


def _gemini(body: JsonObject, edit: Edit) -> None:
    if edit.temperature is not None:
        key = named(body, "generationConfig")
        body[key] = {**(body.get(key) or {}), "temperature": edit.temperature}
    if edit.system is not None:
        body[named(body, "systemInstruction")] = {"parts": [{"text": edit.system}]}


def _ollama(inner: Callable[[JsonObject, Edit], None]) -> Callable[[JsonObject, Edit], None]:
    def change(body: JsonObject, edit: Edit) -> None:
        inner(body, replace(edit, temperature=None))
        if edit.temperature is not None:
            body["options"] = {**(body.get("options") or {}), "temperature": edit.temperature}

    return change


_EDITORS: dict[str, Callable[[JsonObject, Edit], None]] = {
    "openai.chat": _chat,
    "openai.responses": _with_key("instructions"),
    "anthropic.messages": _with_key("system"),
    "cohere.chat": _chat,
    "gemini.generate_content": _gemini,
    "ollama.chat": _ollama(_chat),
    "ollama.generate": _ollama(_with_key("system")),
}
