"""The schemas of Gemini's function declarations as JSON Schema.

Google's own form writes types in capitals (or as numbers), `nullable` beside the type, and whole
numbers as text; everything else is spelled as in JSON Schema.
"""

from typing import Any

from tracer.providers.gemini_names import drop, get
from tracer.providers.jsontext import JsonObject

# In the order of Google's numbers, from 1.
_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_COUNTS = (
    *("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),
    *("minimum", "maximum"),
)
_RENAMED = ("anyOf", "prefixItems", "additionalProperties", *_COUNTS)


def json_schema(schema: Any) -> Any:
    """The JSON Schema that says what `schema` does; what is no schema comes back as it is."""
    if not isinstance(schema, dict):
        return schema
    made = drop(schema, "type", "nullable", *_RENAMED)
    kind = _type(schema.get("type"))
    if kind is not None:
        made["type"] = [kind, "null"] if schema.get("nullable") is True else kind
    for name in _RENAMED:
        value = get(schema, name)
        if value is not None:
            made[name] = _number(value) if name in _COUNTS else _inside(value)
    if isinstance(schema.get("properties"), dict):
        made["properties"] = {k: json_schema(v) for k, v in schema["properties"].items()}
    if "items" in schema:
        made["items"] = _inside(schema["items"])
    return _with_null(made, schema)


def _with_null(made: JsonObject, schema: JsonObject) -> JsonObject:
    """`nullable` where it can't be said beside the type."""
    if schema.get("nullable") is not True:
        return made
    if isinstance(made.get("anyOf"), list) and "type" not in made:
        made["anyOf"] = [*made["anyOf"], {"type": "null"}]
    if isinstance(made.get("enum"), list) and None not in made["enum"]:
        made["enum"] = [*made["enum"], None]
    return made


def _inside(value: Any) -> Any:
    return [json_schema(item) for item in value] if isinstance(value, list) else json_schema(value)


def _type(value: Any) -> Any:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return _TYPES[value - 1] if 1 <= value <= len(_TYPES) else None
    if not isinstance(value, str):
        return value
    return None if value == "TYPE_UNSPECIFIED" else value.lower()


def _number(value: Any) -> Any:
    try:
        return int(value) if isinstance(value, str) else value
    except ValueError:
        return value
