"""The substitute: what is given at the fork step instead of the recorded answer.

Described by the user in the words of `Substitute`, turned into what the model said (an
OpenTelemetry message), and into bytes only for the request at hand, when it is made.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from tracer.core.messages import Message, Part
from tracer.core.records import ErrorInfo
from tracer.errors import UsageError
from tracer.providers import api_named
from tracer.providers.base import Api, FailureKind, HttpReply, HttpRequest
from tracer.providers.editing import Edit
from tracer.providers.wire import JSON_TYPE, kept_headers

Kind = Literal["text", "tool_call", "response", "error", "result", "again"]
_CLASS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
FAILURES: dict[str, FailureKind] = {
    "rate_limit": "rate_limit",
    "429": "rate_limit",
    "server_error": "server_error",
    "500": "server_error",
    "timeout": "timeout",
    "connection_reset": "connection_reset",
    "reset": "connection_reset",
    "cut_stream": "cut_stream",
    "invalid_json": "invalid_json",
}


@dataclass(frozen=True, slots=True)
class Substitute:
    """One answer to give instead. `kind` says which of the other fields counts; "again" asks the
    model anew, with what `edit` says otherwise."""

    kind: Kind
    text: str | None = None
    tool_name: str | None = None
    arguments: Any = None
    response: Any = None
    error: str | None = None
    result: Any = None
    edit: Edit = field(default_factory=Edit)

    def as_json(self) -> dict[str, Any]:
        values = {
            "kind": self.kind,
            "text": self.text,
            "tool_name": self.tool_name,
            "arguments": self.arguments,
            "response": self.response,
            "error": self.error,
            "result": self.result,
            "edit": self.edit.as_json(),
        }
        needed = {
            "text": ("text",),
            "tool_call": ("tool_name", "arguments"),
            "response": ("response",),
            "error": ("error",),
            "result": ("result",),
            "again": ("edit",),
        }[self.kind]
        return {key: value for key, value in values.items() if key == "kind" or key in needed}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Substitute":
        edit = data.get("edit")
        return cls(**data if edit is None else {**data, "edit": Edit(**edit)})


def failure_kind(word: str) -> FailureKind:
    """The failure a word names. Raises UsageError with the words there are."""
    kind = FAILURES.get(word.lower().replace("-", "_"))
    if kind is None:
        raise UsageError(f"--error {word}: use one of {', '.join(FAILURES)}")
    return kind


def named_error(text: str) -> ErrorInfo:
    """The exception that a text names for a function: one of the failures, or "Type: message"."""
    kind = FAILURES.get(text.lower().replace("-", "_"))
    if kind is not None:
        return ErrorInfo("RuntimeError", f"{kind} (injected)")
    name, sign, message = text.partition(":")
    name = name.strip()
    if not (sign and _CLASS.fullmatch(name)):
        name, message = "RuntimeError", text
    return ErrorInfo(name, message.strip())


def said_instead(substitute: Substitute, recorded: list[Message]) -> Message | None:
    """What the model says instead, as a message; None for failures and raw provider replies.

    Reasoning of the recorded answer is kept as it is: providers check its signature.
    """
    first: Message = recorded[0] if recorded else {"role": "assistant", "parts": []}
    reasoning = [p for p in first.get("parts", ()) if p.get("type") == "reasoning"]
    if substitute.kind == "text":
        parts = [*reasoning, {"type": "text", "content": substitute.text or ""}]
        return {"role": "assistant", "parts": parts, "finish_reason": "stop"}
    if substitute.kind == "tool_call":
        return _with_call(substitute, first)
    if substitute.kind == "response" and is_message(substitute.response):
        return cast(Message, substitute.response)
    return None


def is_message(value: Any) -> bool:
    """Whether a JSON value is an OpenTelemetry message."""
    return isinstance(value, dict) and isinstance(value.get("parts"), list)


def _with_call(substitute: Substitute, recorded: Message) -> Message:
    """The recorded answer with its tool calls replaced by one; what was said beside it stays."""
    others = [p for p in recorded.get("parts", ()) if p.get("type") != "tool_call"]
    calls = [p for p in recorded.get("parts", ()) if p.get("type") == "tool_call"]
    call: Part = {"type": "tool_call", "name": str(substitute.tool_name)}
    same = next((c for c in calls if c.get("name") == substitute.tool_name), None)
    # The id the agent saw is kept where the call is the same one with other arguments.
    if same is not None:
        call = dict(same)
    call["arguments"] = substitute.arguments
    return {"role": "assistant", "parts": [*others, call], "finish_reason": "tool_call"}


def wire_reply(
    substitute: Substitute,
    api_name: str,
    request: HttpRequest,
    recorded: HttpReply | None,
    recorded_messages: list[Message],
) -> HttpReply:
    """The reply to the request at hand in which the model gives the substitute."""
    api = api_named(api_name)
    if substitute.kind == "error":
        return api.build_failure(request, recorded, failure_kind(substitute.error or ""))
    said = said_instead(substitute, recorded_messages)
    if api.operation != "chat":
        return _own_body(substitute, recorded)
    if said is None:
        said = _from_provider_body(substitute, request, api)
    return api.build_reply(request, recorded, said)


def _own_body(substitute: Substitute, recorded: HttpReply | None) -> HttpReply:
    """The body given, for answers that no message can say (vectors)."""
    headers = kept_headers(recorded, JSON_TYPE)
    return HttpReply(200, headers, json.dumps(substitute.response).encode())


def _from_provider_body(substitute: Substitute, request: HttpRequest, api: Api) -> Message:
    """A provider's own JSON body, read into a message so that it can take the asked form."""
    body = json.dumps(substitute.response).encode()
    headers = (("content-type", "application/json"),)
    reply = api.read_reply(request, HttpReply(200, headers, body))
    if not reply.messages:
        raise UsageError(
            f"the response is neither an OpenTelemetry message ({{'role', 'parts'}}) nor a reply "
            f"of {api.name}: give one of the two"
        )
    return reply.messages[0]


def function_result(substitute: Substitute, recorded: Any) -> Any:
    """What a model function returns instead, in the shape its recorded result had.

    Text stays text; a chat message or completion is edited in place. Raises UsageError for
    shapes that aren't known: give the whole result with --result.
    """
    if substitute.kind == "result":
        return substitute.result
    if substitute.kind == "response" and not is_message(substitute.response):
        return substitute.response
    if isinstance(recorded, str) and substitute.kind == "text":
        return substitute.text
    pieces = isinstance(recorded, list) and all(isinstance(r, str) for r in recorded)
    if pieces and substitute.kind == "text":
        return [substitute.text]
    edited = _chat_shape(substitute, recorded)
    if edited is None:
        raise UsageError(
            "this model function's result has a shape of its own: give the whole result with "
            "--result JSON"
        )
    return edited


def _chat_shape(substitute: Substitute, recorded: Any) -> Any:
    """The recorded chat message or completion with the substitute in it; None if it is neither."""
    if not isinstance(recorded, dict):
        return None
    whole = isinstance(recorded.get("choices"), list)
    if not whole and "role" not in recorded:
        return None
    body = recorded if whole else {"choices": [{"index": 0, "message": recorded}]}
    api = api_named("openai.chat")
    request = HttpRequest("POST", "", (), b'{"messages":[]}')
    headers = (("content-type", "application/json"),)
    reply = HttpReply(200, headers, json.dumps(body).encode())
    messages = api.read_reply(request, reply).messages
    said = said_instead(substitute, messages)
    if said is None:
        return None
    made = json.loads(api.build_reply(request, reply, said).body)
    return made if whole else made["choices"][0]["message"]
