"""Exceptions as data and back: class, text, and the arguments that make the same one again.

An agent may look at more than the text (`error.errno`, `error.code`), so arguments and attributes
are kept where they are data. Only classes that this process has loaded are ever raised.
"""

import builtins
import os
import sys
import traceback
from typing import Any

from tracer.capture.rebuild import build
from tracer.capture.tracebacks import frames_of
from tracer.capture.values import decode, encode
from tracer.core.records import JSON, ErrorInfo
from tracer.errors import ReplayedError

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep
_MAX_TRACEBACK = 20_000
_MAX_STATE = 100_000  # bytes; what is larger than this stays out
_ENDINGS = (SystemExit, KeyboardInterrupt)  # the only others that a tool may be said to raise
_MAIN_AGAIN = "__mp_main__"  # the main file imported under another name is the main file


def is_cancel(error: BaseException) -> bool:
    """Whether an exception is a cancellation, of asyncio or trio."""
    # Where asyncio was never loaded, none of its exceptions can come; loading it takes 50 ms.
    asyncio = sys.modules.get("asyncio.exceptions")
    if asyncio is not None and isinstance(error, asyncio.CancelledError):
        return True
    return type(error).__name__ == "Cancelled"


def without_us(error: BaseException) -> None:
    """Take our frames off the top of a traceback; a bare `raise` then adds none.

    Agents and frameworks put tracebacks into prompts: they must read as they do without tracer.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN):
        trace = trace.tb_next
    if trace is not None:  # else it is all ours: raised by us, on purpose
        error.__traceback__ = trace


def error_info(error: BaseException) -> ErrorInfo:
    """An exception as data; its traceback keeps its end when it is too long."""
    kind = type(error)
    module = "__main__" if kind.__module__ == _MAIN_AGAIN else kind.__module__
    name = kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}"
    try:
        message = str(error)
    except Exception:  # a broken __str__ is the agent's business
        message = "<no message>"
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:
        text = ""
    return ErrorInfo(name, message, text[-_MAX_TRACEBACK:])


def error_frames(error: BaseException) -> dict[str, JSON]:
    """Where it was raised, for a step's detail: `{"frames": [...]}` or nothing."""
    frames = frames_of(error, _OWN)
    return {"frames": frames} if frames else {}


def error_state(error: BaseException) -> dict[str, JSON]:
    """What it takes beyond class and text to make it again: `{"raised": tagged JSON}` or nothing.

    As pickle would: the arguments its class is called with, then its attributes.
    """
    try:
        reduced: Any = error.__reduce__()
        if not isinstance(reduced, tuple) or reduced[0] is not type(error):
            return {}
        attributes = reduced[2] if len(reduced) > 2 else None
        data, fidelity = encode([list(reduced[1]), attributes or {}])
    except Exception:  # the user's own class
        return {}
    if fidelity == "opaque" or len(data) > _MAX_STATE:
        return {}
    return {"raised": data.decode("utf-8", "surrogatepass")}


def make_exception(error: ErrorInfo, detail: dict[str, JSON] | None = None) -> BaseException:
    """A recorded exception to raise; `detail` holds what `error_state` gave.

    A file can't make anything be imported here; unknown classes become ReplayedError.
    """
    cls = _loaded_class(error.type)
    if cls is None:
        return ReplayedError(error.type, error.message)
    arguments, attributes = _stored_state(detail or {})
    for given in ([] if arguments is None else [arguments]) + [[error.message]]:
        made = _made(cls, given, attributes)
        if made is not None and _text(made) == error.message:
            return made
    # A class whose constructor wants something else: made without calling it.
    made = _unmade(cls, error.message, attributes)
    return made if made is not None else ReplayedError(error.type, error.message)


def _loaded_class(name: str) -> type[BaseException] | None:
    """The exception class of a dotted name, found in modules that are loaded."""
    parts = name.split(".")
    holder: Any = builtins if len(parts) == 1 else None
    rest = parts
    for end in range(len(parts) - 1, 0, -1):
        holder = sys.modules.get(".".join(parts[:end]))
        if holder is not None:
            rest = parts[end:]
            break
    for part in rest:
        # Not getattr: a module's own __getattr__ could import something.
        holder = None if holder is None else vars(holder).get(part)
        if not isinstance(holder, type):
            return None
    return holder if issubclass(holder, Exception) or holder in _ENDINGS else None


def _stored_state(detail: dict[str, JSON]) -> tuple[list[Any] | None, dict[str, Any]]:
    raised = detail.get("raised")
    if not isinstance(raised, str):
        return None, {}
    try:
        arguments, attributes = build(decode(raised.encode("utf-8", "surrogatepass")), None)
        return list(arguments), dict(attributes)
    except (ValueError, TypeError):
        return None, {}


def _made(
    cls: type[BaseException], given: list[Any], attributes: dict[str, Any]
) -> BaseException | None:
    try:
        made = cls(*given)
        vars(made).update(attributes)
        return made
    except Exception:  # a constructor that wants something else
        return None


def _unmade(
    cls: type[BaseException], text: str, attributes: dict[str, Any]
) -> BaseException | None:
    try:
        made = cls.__new__(cls, text)
        made.args = (text,)
        vars(made).update(attributes)
    except Exception:  # classes made in C may refuse
        return None
    return made if _text(made) == text else None


def _text(error: BaseException) -> str | None:
    try:
        return str(error)
    except Exception:  # made without its constructor, it may lack what its text needs
        return None
