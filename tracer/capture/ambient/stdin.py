"""Standard input: what the program reads of it is kept, and in a re-execution given again.

A program under `tracer run` reads through a raw stream of ours, whatever it reads by: `input`,
lines, the buffer. On a terminal `input` reads past every stream, for the sake of line editing;
there, and in programs that `python` started, the line it gives is kept. Reads of the descriptor
itself (`os.read(0)`, prompt_toolkit, getpass) are not seen.
"""

import builtins
import io
import os
import sys
from collections.abc import Callable
from typing import Any

from tracer.capture import scope as scopes
from tracer.capture.ambient.swap import Builtin, stand_in_for
from tracer.capture.callsite import is_own_file
from tracer.capture.draws import Draws, DrawSource
from tracer.capture.guard import report

# What is kept begins with one of these: a line that `input` gave, its end of file, bytes read.
LINE, END, RAW = b"l", b"e", b"r"
# Modules that ask a developer, not the program's user.
_DEBUGGERS = ("/pdb.py", "/cmd.py", "/bdb.py", "/code.py")
_real: dict[str, Any] = {}


def switch() -> Builtin:
    """The function `input`, to be switched. Raises Unswitchable."""
    function: Any = builtins.input
    made = Builtin(function, stand_in_for(builtins, _input))
    _real["input"] = made.real
    return made


def _input(_: Any, *args: Any, **kwargs: Any) -> Any:
    real = _real["input"]
    draws = None if kwargs or _asks_a_developer() else _draws()
    if draws is None:
        return real(*args)
    if draws.source is not None:
        return _given(draws, draws.source, real, args)
    if isinstance(_raw_of(sys.stdin), Watched) and not _is_past_streams():
        return real(*args)  # it comes through the stream
    try:
        line = real(*args)
    except EOFError:
        draws.input(END)
        raise
    draws.input(LINE + line.encode("utf-8", "surrogatepass"))
    return line


def _given(
    draws: Draws, source: DrawSource, real: Callable[..., str], args: tuple[Any, ...]
) -> str:
    found = source.next_input(LINE + END)
    if found is not None:
        draws.input(found)
    elif not isinstance(_raw_of(sys.stdin), Served):
        if not source.is_offline():
            return real(*args)
        found = source.next_input() or END
    _say(args)
    if found is None:
        line = sys.stdin.readline()
        found = LINE + line.removesuffix("\n").encode("utf-8", "surrogatepass") if line else END
    if found[:1] == LINE:
        return str(found[1:], "utf-8", "surrogatepass")
    raise EOFError("EOF when reading a line")


def _is_past_streams() -> bool:
    """Whether `input` reads the terminal itself, as CPython decides it."""
    try:
        both = sys.stdin.fileno() == 0 and sys.stdout.fileno() == 1
        return both and os.isatty(0) and os.isatty(1)
    except (OSError, ValueError, AttributeError):
        return False


def _say(args: tuple[Any, ...]) -> None:
    if args and sys.stdout is not None:
        sys.stdout.write(str(args[0]))
        sys.stdout.flush()


def _asks_a_developer() -> bool:
    frame: Any = sys._getframe(2)
    if is_own_file(frame.f_code.co_filename):
        return True
    for _ in range(4):
        if frame is None or frame.f_code.co_filename.endswith(_DEBUGGERS):
            return frame is not None
        frame = frame.f_back
    return False


def _draws() -> Draws | None:
    try:
        run = scopes.innermost_run()
        return None if run is None else run.draws
    except Exception as error:
        report("reading standard input", error)
        return None


def _raw_of(stream: Any) -> Any:
    return getattr(getattr(stream, "buffer", None), "raw", None)


class Watched(io.RawIOBase):
    """Standard input, kept while it is read."""

    name = "<stdin>"
    mode = "rb"

    def __init__(self, inner: Any, draws: Draws) -> None:
        self._inner = inner
        self._draws = draws

    def readinto(self, into: Any) -> int | None:
        """As io.RawIOBase."""
        count: int | None = self._inner.readinto(into)
        if count is not None:
            self._draws.input(RAW + bytes(into[:count]))
        return count

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._inner.fileno())

    def isatty(self) -> bool:
        return bool(self._inner.isatty())


class Served(io.RawIOBase):
    """Recorded input; behind the fork point, when it is used up, the real one."""

    name = "<stdin>"
    mode = "rb"

    def __init__(self, inner: Any, draws: Draws, source: DrawSource, *, terminal: bool) -> None:
        self._inner = inner
        self._draws = draws
        self._source = source
        self._terminal = terminal
        self._rest = b""

    def readinto(self, into: Any) -> int | None:
        """As io.RawIOBase."""
        if not self._rest:
            found = self._source.next_input()
            if found is None:
                return 0 if self._source.is_offline() or self._inner is None else self._live(into)
            self._draws.input(found)
            self._rest = found[1:] + (b"\n" if found[:1] == LINE else b"")
        given, self._rest = self._rest[: len(into)], self._rest[len(into) :]
        into[: len(given)] = given
        return len(given)

    def _live(self, into: Any) -> int | None:
        count: int | None = self._inner.readinto(into)
        self._draws.input(RAW + bytes(into[: count or 0]))
        return count

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self._inner is None:
            raise io.UnsupportedOperation("fileno")
        return int(self._inner.fileno())

    def isatty(self) -> bool:
        return self._terminal


def put_in_place(draws: Draws | None, *, terminal: bool) -> Any:
    """Let the program read through a stream of ours: what to give `take_back`. `terminal`: whether
    the recorded program read from one."""
    real = sys.stdin
    try:
        raw = _raw_of(real)
        if draws is None or (draws.source is None and raw is None):
            return None
        ours: io.RawIOBase
        if draws.source is None:
            ours = Watched(raw, draws)
        else:
            ours = Served(raw, draws, draws.source, terminal=terminal)
        sys.stdin = _like(real, ours)
        return real, sys.stdin
    except Exception as error:
        report("watching standard input", error)
        return None


def _like(real: Any, raw: io.RawIOBase) -> io.TextIOWrapper:
    """A text stream over `raw`, made as the interpreter makes standard input."""
    made = io.TextIOWrapper(
        io.BufferedReader(raw),
        encoding=getattr(real, "encoding", None) or "utf-8",
        errors=getattr(real, "errors", None) or "strict",
        newline=None if os.name == "nt" else "\n",
        line_buffering=raw.isatty(),
    )
    vars(made)["mode"] = "r"
    return made


def take_back(placed: Any) -> None:
    """The program is over. Nothing it still holds reads any more."""
    if placed is not None and sys.stdin is placed[1]:
        sys.stdin = placed[0]
