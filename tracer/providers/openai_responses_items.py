"""Items of the Responses format to parts of OpenTelemetry messages.

An item is a message, reasoning, a call, a result. A part keeps what else its item said, so that
the item can be built again; what all content of one message item shares (id, phase) stands in each
of its parts under `message`.
"""

from typing import Any

from tracer.core.messages import Part
from tracer.providers import media
from tracer.providers.jsontext import JsonObject, as_dict, as_list, parse_arguments
from tracer.providers.wire import make_part, text, unknown_part, without

# Calls of built-in tools that the agent itself does: type -> name, key of what is asked.
CLIENT_CALLS = {
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "apply_patch_call": ("apply_patch", "operation"),
    "tool_search_call": ("tool_search", "arguments"),
    "computer_call": ("computer", "action"),
}
# Calls that the provider does itself: type -> name.
_SERVER_CALLS = {
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_interpreter",
    "image_generation_call": "image_generation",
    "mcp_call": "mcp",
    "tool_search_call": "tool_search",
    "shell_call": "shell",
    "program": "program",
}
# Results: type -> key of the result.
RESULTS = {
    "function_call_output": "output",
    "custom_tool_call_output": "output",
    "computer_call_output": "output",
    "local_shell_call_output": "output",
    "shell_call_output": "output",
    "apply_patch_call_output": "output",
    "tool_search_output": "tools",
}
_EMPTY_LISTS = ("annotations", "logprobs")  # say nothing when empty
PARAGRAPH = "\n\n"


def type_of(item: JsonObject) -> str:
    """The type of an item; messages and references may leave it out."""
    kind = text(item.get("type"))
    if kind is not None:
        return kind
    if "role" in item or "content" in item:
        return "message"
    return "item_reference" if text(item.get("id")) else "unknown"


def is_result(item: JsonObject) -> bool:
    """Whether an item is what a tool of the agent's gave."""
    return type_of(item) in RESULTS and item.get("execution") != "server"


def item_parts(item: Any) -> list[Part]:
    """The parts of one item; a message has one for each of its contents, others have one."""
    if not isinstance(item, dict):
        return [unknown_part(item)]
    kind = type_of(item)
    if kind == "message":
        return _message(item)
    if kind == "reasoning":
        return [_reasoning(item)]
    if kind in ("function_call", "custom_tool_call"):
        return [_call(item, kind)]
    if is_result(item):
        return [_result(item, kind)]
    if kind in CLIENT_CALLS and not _is_done_by_provider(item):
        return [_client_call(item, kind)]
    if kind in _SERVER_CALLS:
        return [_server_call(item, kind)]
    return [{**item, "type": kind}]


def _is_done_by_provider(item: JsonObject) -> bool:
    where = as_dict(item.get("environment")).get("type")
    return item.get("execution") == "server" or where == "container_reference"


def _said(item: JsonObject, *keys: str) -> JsonObject:
    """What else an item says; that it is complete goes without saying."""
    rest = without(item, "type", *keys)
    return without(rest, "status") if rest.get("status") == "completed" else rest


def _message(item: JsonObject) -> list[Part]:
    shared = {k: v for k, v in _said(item, "role", "content").items() if v is not None}
    content = item.get("content")
    entries = content if isinstance(content, list) else [content]
    parts = [read_content(entry) for entry in entries if entry is not None and entry != ""]
    return [{**part, "message": shared} for part in parts] if shared else parts


def read_content(entry: Any) -> Part:
    """One entry of a message's content; what has no known shape is kept whole."""
    if isinstance(entry, str):
        return {"type": "text", "content": entry}
    if not isinstance(entry, dict):
        return unknown_part(entry)
    read = _READERS.get(str(entry.get("type")))
    part = read(entry) if read else None
    return unknown_part(entry) if part is None else part


def _text(entry: JsonObject) -> Part | None:
    said = entry.get("text")
    if not isinstance(said, str):
        return None
    empty = [key for key in _EMPTY_LISTS if entry.get(key) == []]
    return make_part("text", without(entry, "text", *empty), content=said)


def _refusal(entry: JsonObject) -> Part | None:
    said = entry.get("refusal")
    if not isinstance(said, str):
        return None
    return make_part("refusal", without(entry, "refusal"), content=said)


def _image(entry: JsonObject) -> Part | None:
    extras = without(entry, "image_url", "file_id")
    if text(entry.get("image_url")):
        return media.from_url(entry["image_url"], "image", extras)
    return media.from_file_id(entry.get("file_id"), "image", extras)


def _file(entry: JsonObject) -> Part | None:
    extras = without(entry, "file_data", "file_url", "file_id")
    link = text(entry.get("file_data"), entry.get("file_url"))
    if link is None:
        return media.from_file_id(entry.get("file_id"), "document", extras)
    if link == entry.get("file_data") and not link.startswith("data:"):
        return media.blob("application/octet-stream", link, "document", extras)
    return media.from_url(link, "document", extras)


def _audio(entry: JsonObject) -> Part | None:
    sound = as_dict(entry.get("input_audio"))
    data, form = sound.get("data"), sound.get("format")
    if not isinstance(data, str) or not isinstance(form, str):
        return None
    return media.blob(f"audio/{form}", data, "audio", without(entry, "input_audio"))


_READERS = {
    "text": _text,
    "input_text": _text,
    "output_text": _text,
    "refusal": _refusal,
    "input_image": _image,
    "computer_screenshot": _image,
    "input_file": _file,
    "input_audio": _audio,
}


def _reasoning(item: JsonObject) -> Part:
    """`content` holds the summaries and the text; the lists too where one text can't tell them."""
    texts = as_list(item.get("content")) or None
    lists = {"summary": as_list(item.get("summary")), "reasoning_text": texts}
    joined = reasoning_content(lists)
    plain = [{"type": "summary_text", "text": joined}] if joined else []
    told = {} if lists["summary"] == plain and texts is None else lists
    extras = _said(item, "summary", "content", "reasoning_text")
    return make_part("reasoning", {**extras, **told}, content=joined)


def reasoning_content(lists: JsonObject) -> str:
    """The text of a reasoning item's lists, `summary` and `reasoning_text`."""
    entries = [*as_list(lists.get("summary")), *as_list(lists.get("reasoning_text"))]
    texts = (text(as_dict(entry).get("text")) for entry in entries)
    return PARAGRAPH.join(said for said in texts if said)


def _identity(item: JsonObject) -> JsonObject:
    found = {"id": text(item.get("call_id")), "item_id": text(item.get("id"))}
    return {key: value for key, value in found.items() if value}


def _call(item: JsonObject, kind: str) -> Part:
    name = text(item.get("name")) or ""
    extras = _said(item, "id", "call_id", "name", "arguments", "input", "tool_type", "item_id")
    if kind == "custom_tool_call":
        extras["tool_type"] = "custom"
        said = item.get("input", "")
    else:
        said = parse_arguments(item.get("arguments", ""))
    return make_part("tool_call", extras, **_identity(item), name=name, arguments=said)


def _client_call(item: JsonObject, kind: str) -> Part:
    name, key = CLIENT_CALLS[kind]
    if key not in item and "actions" in item:
        key = "actions"  # newer computer calls ask for several things at once
    extras = {**_said(item, "id", "call_id", "name", key, "item_id"), "tool_type": kind}
    return make_part("tool_call", extras, **_identity(item), name=name, arguments=item.get(key))


def _result(item: JsonObject, kind: str) -> Part:
    key = RESULTS[kind]
    extras = _said(item, "id", "call_id", key, "item_id", "tool_type", "response")
    if kind != "function_call_output":
        extras["tool_type"] = kind
    identity = _identity(item)
    if kind == "local_shell_call_output" and "id" not in identity and "item_id" in identity:
        identity["id"] = identity.pop("item_id")  # its `id` is the call's
    return make_part("tool_call_response", extras, **identity, response=item.get(key))


def _server_call(item: JsonObject, kind: str) -> Part:
    name = text(item.get("name")) if kind == "mcp_call" else None
    identity = {"id": item["id"]} if text(item.get("id")) else {}
    name = name or _SERVER_CALLS[kind]
    return {"type": "server_tool_call", **identity, "name": name, "server_tool_call": item}
