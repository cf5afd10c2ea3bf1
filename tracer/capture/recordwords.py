"""Where a record of the store holds what the agent said: its texts, payloads left out."""

import dataclasses
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from tracer.core.chain import SplitBody
from tracer.core.records import Slot
from tracer.store.writes import Reply, Value

# Fields of a record that tracer made itself, or of what was clean already.
_OURS = frozenset(
    (
        *("run_id", "id", "parent", "kind", "status", "source", "slot", "fingerprint"),
        *("matched_step", "callsite", "effect", "api", "search_text", "output_messages"),
    )
)


def is_record(value: Any) -> bool:
    """Whether a value is a record of the store, and no payload."""
    is_payload = isinstance(value, SplitBody | Reply | Slot | Value)
    return dataclasses.is_dataclass(value) and not is_payload


def fields_of(value: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a record that hold what the agent said, by name."""
    for name in _names(value.__class__):
        yield name, getattr(value, name)


@lru_cache(maxsize=100)
def _names(record: Any) -> tuple[str, ...]:
    """The fields of a record that hold what the agent said."""
    names = (field.name for field in dataclasses.fields(record))
    return tuple(name for name in names if name not in _OURS)


def words_of(value: Any) -> Iterator[str]:
    """The texts of a record."""
    if isinstance(value, str):
        yield value
    elif value is None or isinstance(value, int | float | bytes):
        return
    elif isinstance(value, dict):
        for item in value.values():
            yield from words_of(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from words_of(item)
    elif is_record(value):
        for _, item in fields_of(value):
            yield from words_of(item)
