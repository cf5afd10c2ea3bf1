"""Hears what the program writes to standard output and error, and leaves the streams as they are.

`sys.stdout` stays the object it is: an attribute `write` on it (and on its buffer) hides the
method of its class, which is what `print` and everybody else look up. Of layers that call each
other the outermost is heard: what a text stream passes down to its buffer is not heard again.
What is written to the descriptors by other means (`os.write`, C code, child processes) is not.
"""

import codecs
import contextlib
import functools
import io
import sys
import threading
from collections.abc import Callable
from typing import Any

from tracer.capture import scope as scopes
from tracer.capture.guard import report

_NAMES = {"out": ("stdout", "__stdout__"), "err": ("stderr", "__stderr__")}


class _Hearing(threading.local):
    """Per thread: whether a layer above is writing, so that those below are not heard."""

    below = False


_hearing = _Hearing()
# By the object's id: itself (or the id is another's one day), the attribute, what was put there.
_heard: dict[int, list[tuple[Any, str, Any]]] = {}


def start() -> None:
    """Hear the streams there are now."""
    for stream, names in _NAMES.items():
        for name in names:
            hear(stream, getattr(sys, name, None))


def look() -> None:
    """Hear a text stream that the program has meanwhile put over a buffer that is heard."""
    for stream, (name, _) in _NAMES.items():
        now = getattr(sys, name, None)
        if id(now) in _heard or type(now) is not io.TextIOWrapper or now.closed:
            continue
        if id(now.buffer) in _heard:
            hear(stream, now)


def stop() -> None:
    """Leave the streams as they were found."""
    for patches in list(_heard.values()):
        for owner, name, wrapper in patches:
            # Else somebody has put his own over it, or the object is gone to pieces.
            with contextlib.suppress(AttributeError, TypeError, ValueError):
                if vars(owner).get(name) is wrapper:
                    delattr(owner, name)
    _heard.clear()


def hear(stream: str, file: Any) -> None:
    """Hear what is written to a file object; one that can't be told so is left alone."""
    if file is None or id(file) in _heard:
        return
    try:
        _hear_at(file, "write", _writer(file.write, functools.partial(_text, stream)))
        if isinstance(file, io.TextIOBase):
            _hear_at(file, "flush", _below(file.flush))
        buffer = getattr(file, "buffer", None)
        if isinstance(buffer, io.BufferedIOBase | io.RawIOBase) and id(buffer) not in _heard:
            _hear_at(buffer, "write", _writer(buffer.write, _decoding(stream)))
    except (AttributeError, TypeError, ValueError):
        pass  # no room for an attribute, or a closed file


def _hear_at(owner: Any, name: str, wrapper: Any) -> None:
    setattr(owner, name, wrapper)
    _heard.setdefault(id(owner), []).append((owner, name, wrapper))


def _decoding(stream: str) -> Callable[[Any], None]:
    """Hears bytes as the text that they are likely to be."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def hear_bytes(data: Any) -> None:
        _text(stream, decoder.decode(bytes(data)))

    return hear_bytes


def _writer(original: Callable[[Any], Any], hear_it: Callable[[Any], None]) -> Callable[..., Any]:
    hearing = _hearing

    def write(text: Any, /) -> Any:
        if hearing.below:
            return original(text)
        hearing.below = True
        try:
            written = original(text)
        except BaseException as error:
            # The program's traceback has no frame of ours; a bare `raise` adds none.
            if error.__traceback__ is not None:
                error.__traceback__ = error.__traceback__.tb_next
            raise
        finally:
            hearing.below = False
        if text:
            hear_it(text)
        return written

    return write


def _below(original: Callable[[], Any]) -> Callable[[], Any]:
    """A flush hands on what was heard already."""
    hearing = _hearing

    def flush() -> Any:
        before, hearing.below = hearing.below, True
        try:
            return original()
        except BaseException as error:
            if error.__traceback__ is not None:
                error.__traceback__ = error.__traceback__.tb_next
            raise
        finally:
            hearing.below = before

    return flush


def _text(stream: str, text: Any) -> None:
    try:
        if not isinstance(text, str):
            return
        scope = scopes.current()
        if scope is not None and (stream == "out" or not _is_ours()):
            scope.gathered.write(stream, text)
    except Exception as error:
        report("hearing the program's output", error)


def _is_ours() -> bool:
    """Whether tracer itself says something, which it does on standard error alone."""
    frame: Any = sys._getframe(2)
    while frame is not None and frame.f_globals.get("__name__") == __name__:
        frame = frame.f_back
    name = "" if frame is None else str(frame.f_globals.get("__name__", ""))
    return name.startswith("tracer.") and not name.startswith("tracer.demo")
