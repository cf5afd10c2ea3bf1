"""What the readers of all formats share: a reply's meaning on its way to a `ModelReply`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from tracer.core.messages import Message
from tracer.core.records import ErrorInfo, Usage
from tracer.providers.base import HttpReply, ModelReply
from tracer.providers.errors import error_of_reply
from tracer.providers.jsontext import JsonObject, load_object
from tracer.providers.wire import is_failure, reasons_of

ReadError = Callable[[HttpReply], ErrorInfo | None]


@dataclass(frozen=True, slots=True)
class Reading:
    """A reply's meaning. `value` has the shape of a JSON reply, `{}` when nothing was read.

    `complete` and `first_content_offset` as in `ModelReply`.
    """

    value: JsonObject
    error: ErrorInfo | None
    complete: bool
    first_content_offset: int | None = None

    @property
    def is_broken(self) -> bool:
        """Whether this is no whole answer."""
        return not self.complete or self.error is not None


R = TypeVar("R", bound=Reading)


def read_json(
    reply: HttpReply,
    is_answer: Callable[[JsonObject], bool],
    lacks: str,
    read_error: ReadError = error_of_reply,
) -> Reading:
    """The meaning of a JSON reply; one that is no answer and no error has no `lacks`."""
    value = load_object(reply.body)
    error = read_error(reply)
    if error is None and not is_answer(value or {}):
        error = ErrorInfo("invalid_reply", f"the reply has no {lacks}")
    return Reading(value or {}, error, value is not None or reply.failure is None)


def settled(reading: R, reply: HttpReply, read_error: ReadError = error_of_reply) -> R:
    """The meaning with what only the reply around the body tells: its status, a broken end."""
    error = reading.error
    if error is None and is_failure(reply.status):
        error = read_error(reply)
    return replace(reading, error=error, complete=reading.complete and reply.failure is None)


def model_reply(
    reading: Reading,
    messages: list[Message],
    usage: Usage | None,
    model: str | None,
    response_id: str | None,
) -> ModelReply:
    """What the model answered; the finish reasons are those of the messages."""
    return ModelReply(
        messages=messages,
        usage=usage,
        finish_reasons=reasons_of(messages),
        model=model,
        response_id=response_id,
        error=reading.error,
        complete=reading.complete,
        first_content_offset=reading.first_content_offset,
    )
