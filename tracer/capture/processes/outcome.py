"""What came of a process: its exit status and what it was sent and wrote, with the order of it.

An entry of the log is a piece of output: `[stream, length, stdin, cues, after]`. It came when
`stdin` bytes had been sent, when the program had done `cues` things to the process (looked in vain
whether it has ended, sent a signal), and after the point `after` of the run's sequence. Length 0
is the stream's end. A replay gives each piece when the same has happened again.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tracer.core.records import JSON

MAX_KEPT = 16 << 20  # bytes of all streams of a process
MAX_ENTRIES = 4000
OUTPUTS = ("stdout", "stderr")


class Entry(NamedTuple):
    """One piece of output, or with length 0 the end of a stream (see the module)."""

    stream: str
    length: int
    stdin: int
    cues: int
    after: int


class Log:
    """Collects what a process is sent and writes. Thread-safe."""

    def __init__(self) -> None:
        self.data: dict[str, bytearray] = {}
        self.entries: list[Entry] = []
        self.cut = False
        self.cues = 0
        self._sent = 0
        self._kept = 0
        self._lock = threading.Lock()

    def watch(self, stream: str) -> None:
        """A stream that is recorded, also when nothing comes."""
        self.data.setdefault(stream, bytearray())

    def cue(self) -> None:
        """The program did something to the process."""
        with self._lock:
            self.cues += 1

    def sent(self, data: bytes) -> None:
        """The process was sent something."""
        with self._lock:
            self._sent += len(data)
            self._keep("stdin", data)

    def wrote(self, stream: str, data: bytes, after: int) -> None:
        """The process wrote something; nothing = it closed that stream."""
        with self._lock:
            kept = self._keep(stream, data)
            if data and not kept:
                return
            entry = Entry(stream, kept, self._sent, self.cues, after)
            last = self.entries[-1] if self.entries else None
            same = last is not None and last.length > 0 and last.stream == stream
            if (
                last is not None
                and kept
                and same
                and (last[2:] == entry[2:] or len(self.entries) >= MAX_ENTRIES)
            ):
                self.entries[-1] = last._replace(length=last.length + kept)
            else:
                self.entries.append(entry)

    def now(self, after: int) -> list[int]:
        """What must have happened for what happens now."""
        with self._lock:
            return [self._sent, self.cues, after]

    def _keep(self, stream: str, data: bytes) -> int:
        room = max(0, MAX_KEPT - self._kept)
        kept = data[:room]
        self.cut = self.cut or len(kept) < len(data)
        self._kept += len(kept)
        self.data.setdefault(stream, bytearray()).extend(kept)
        return len(kept)

    def value(self, returncode: int | None) -> dict[str, Any]:
        """The outcome as a value people read and forks replace."""
        with self._lock:
            made: dict[str, Any] = {"returncode": returncode}
            made.update({stream: _readable(bytes(data)) for stream, data in self.data.items()})
            return made

    def detail(self, ended: list[int] | None) -> dict[str, JSON]:
        """The order of it, for the step's detail; `ended` is `now` when the exit was seen."""
        with self._lock:
            return {"log": [list(entry) for entry in self.entries], "exit": ended}


def _readable(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


@dataclass(slots=True)
class Outcome:
    """A recorded or substituted outcome, to be played. `ended` None: whenever it is its turn."""

    returncode: int | None
    data: dict[str, bytes]
    entries: list[Entry]
    ended: Entry | None
    seconds: float = 0.0
    stdin: bytes | None = None
    status: int = field(default=0)


def read_outcome(value: Any, detail: Mapping[str, JSON]) -> Outcome:
    """The outcome of a stored value and its step's detail. Raises ValueError."""
    if isinstance(value, str | bytes):
        value = {"returncode": 0, "stdout": value}
    if not isinstance(value, dict):
        raise ValueError('write the outcome of a process as {"returncode": 0, "stdout": "text"}')
    code = value.get("returncode", 0)
    if not (code is None or (type(code) is int and -65 < code < 256)):
        raise ValueError(f"returncode {code!r} is no exit status")
    data = {stream: _bytes(value.get(stream)) for stream in OUTPUTS}
    stdin = value.get("stdin")
    made = Outcome(code, data, [], None, stdin=None if stdin is None else _bytes(stdin))
    made.entries, made.ended = _order(data, detail)
    return made


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray):
        return bytes(value)
    return b"" if value is None else str(value).encode("utf-8", "surrogateescape")


def _order(data: dict[str, bytes], detail: Mapping[str, JSON]) -> tuple[list[Entry], Entry | None]:
    """The recorded order where it fits what is there (a secret that was removed shifts it)."""
    try:
        entries = [Entry(str(one[0]), *map(int, one[1:5])) for one in detail.get("log") or ()]
        lengths = {s: sum(e.length for e in entries if e.stream == s) for s in OUTPUTS}
        given = detail.get("exit")
        ended = None if given is None else Entry("exit", 0, *map(int, given[:3]))
    except (TypeError, ValueError, IndexError):
        entries, lengths, ended = [], {}, None
    if all(e.length >= 0 for e in entries) and lengths == {s: len(data[s]) for s in OUTPUTS}:
        return entries, ended
    last = entries[-1] if entries else Entry("", 0, 0, 0, 0)
    whole = [Entry(s, len(data[s]), *last[2:]) for s in OUTPUTS if data[s]]
    return whole, ended
