"""What a step is answered with in a re-execution, and the document of a model function's call."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tracer.capture.values import Encoded
from tracer.core.records import JSON, ErrorInfo


@dataclass(frozen=True, slots=True)
class ValueAnswer:
    """A function's result as tagged JSON; of a generator, the list of what it yielded.

    `form` is the recorded step's detail (`generator`, `returned`, `sent`, `abandoned`,
    `awaitable`). After its items a generator raises `error` or, where it was cancelled, `hangs`.
    `differs` is told (and raises) when it is used in another way than recorded.
    """

    data: bytes
    form: Mapping[str, JSON] = field(default_factory=dict)
    error: ErrorInfo | None = None
    hangs: bool = False
    differs: Callable[[str], None] | None = None


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """The recorded exception is raised again; `detail` is the recorded step's."""

    error: ErrorInfo
    detail: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A reply: content-decoded chunks, then `failure` (`{"type", "message"}`) if there is one.

    `complete` False: the recorded agent stopped reading here; `needs_more` is called (and raises)
    when the re-executed one reads on. `hangs`: it was cancelled there, and hangs until it is again.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    chunks: tuple[bytes, ...]
    complete: bool = True
    failure: dict[str, JSON] | None = None
    needs_more: Callable[[], None] | None = None
    hangs: bool = False


@dataclass(frozen=True, slots=True)
class CancelledAnswer:
    """The recorded step was cancelled: it hangs until it is again. `detail` is that step's."""

    detail: Mapping[str, JSON] = field(default_factory=dict)


Answer = ValueAnswer | ErrorAnswer | HttpAnswer | CancelledAnswer


class Document:
    """A conversation as a JSON document `{"messages": [...], other arguments}`, put together when
    its bytes are first needed: usually on the writer's thread. `copies` are exact copies of the
    arguments, by name, where there are any; they must not be changed.
    """

    __slots__ = ("_joined", "_messages", "_others", "copies")

    def __init__(
        self, messages: list[Encoded], others: dict[str, Encoded], copies: dict[str, Any]
    ) -> None:
        self._messages = messages
        self._others = others
        self.copies = copies
        self._joined: bytes | None = None

    @classmethod
    def of(cls, data: bytes) -> "Document":
        """A document that is known already."""
        document = cls([], {}, {})
        document._joined = data
        return document

    def __bytes__(self) -> bytes:
        if self._joined is None:
            pieces = [b'{"messages":[', b",".join([made.data for made in self._messages]), b"]"]
            for key, made in self._others.items():
                pieces += [b",", json.dumps(key).encode(), b":", made.data]
            self._joined = b"".join([*pieces, b"}"])
        return self._joined
