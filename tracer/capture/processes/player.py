"""A recorded process, played: what it wrote comes again, and it ends as it ended.

A stand-in takes the place of the process: a shell that reads one word and leaves as told. So pid,
signals, waiting and process groups are the system's own; nothing the program named is started.
This thread does the rest: it takes what the program sends and compares it, gives each recorded
piece of output when its turn has come, and tells the stand-in when to leave.
"""

import _thread
import contextlib
import os
import select
import signal
import threading
import time
import weakref
from typing import Protocol

from tracer.capture.processes.outcome import Entry, Outcome

_IN, _OUT = select.POLLIN, select.POLLOUT
_CHUNK = 1 << 16
_LOOK_MS = 3  # while something is awaited that can't wake us
_REST_MS = 250
_PATIENCE = 2.0  # seconds beyond what the recording took, for what the program must do first
_HELD = 0.05  # seconds that whoever looks waits for what comes in its turn
_SHELL = "/bin/sh"
_IGNORED = [n for n in ("HUP", "INT", "QUIT", "USR1", "USR2", "PIPE", "TERM") if
            hasattr(signal, f"SIG{n}")]  # fmt: skip

starting = threading.local()  # `.now` is set while a stand-in starts
_players: "weakref.WeakSet[Player]" = weakref.WeakSet()


def command_for(returncode: int | None) -> list[str]:
    """The stand-in's command: leaves as its standard input says, or when that is closed; of
    signals it feels only the one its original died of."""
    felt = -returncode if returncode is not None and returncode < 0 else 0
    ignored = [name for name in _IGNORED if getattr(signal, f"SIG{name}") != felt]
    script = (
        f"ulimit -c 0; trap '' {' '.join(ignored)}; echo ready; read how which; "
        "case $how in die) trap - $which; kill -$which $$;; leave) exit $which;; esac"
    )
    return [_SHELL, "-c", script]


class Part(Protocol):
    """What a player needs of the run it plays in."""

    def reached(self, sequence: int) -> bool:
        """Whether everything recorded up to there has happened again."""

    def stopped(self) -> bool:
        """Whether the re-execution has ended."""

    def differs(self, how: str) -> None:
        """End it: the program uses the process in another way."""


class Player:
    """Plays one outcome. Descriptors are ours and closed here; `ends` hears of the end."""

    def __init__(
        self,
        outcome: Outcome,
        part: Part,
        stdin: int,
        sinks: dict[str, int],
        control: int,
        life: int,
        *,
        compared: bool,
    ) -> None:
        self.outcome = outcome
        self.cues = 0
        self.ready = threading.Event()  # the stand-in ignores what it is to ignore
        self.gone = threading.Event()  # the stand-in is dead
        self._part = part
        self._stdin = stdin
        self._sinks = sinks
        self._control = control
        self._life = life
        self._expected = (outcome.stdin if outcome.stdin is not None else b"") if compared else None
        self._received = 0
        self._given = 0
        self._places = dict.fromkeys(outcome.data, 0)
        self._pending = b""
        self._ordered = False
        self._stuck_since = self._held_since = 0.0
        self._blocked = threading.Event()  # waits for the program
        self._waking = threading.Lock()
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        for sink in sinks.values():
            os.set_blocking(sink, False)
        _players.add(self)

    def start(self) -> None:
        """Begin playing. Raises RuntimeError when no thread can be had."""
        _thread.start_new_thread(self._run, ())

    def cue(self) -> None:
        """The program did something to the process that its original waited for."""
        self.cues += 1
        self._blocked.clear()
        self._rouse(b".")

    def look(self) -> bool:
        """Let everything happen that may by now; whether the process has ended."""
        give_up = time.monotonic() + 1.0
        while time.monotonic() < give_up and not self.gone.is_set():
            if self._blocked.wait(0.001) and not self.gone.wait(0.001):
                break
        return self.gone.is_set()

    def stop(self) -> None:
        """End it whatever was recorded."""
        self._rouse(b"!")

    def _rouse(self, word: bytes) -> None:
        with self._waking, contextlib.suppress(OSError):
            if self._waker >= 0:
                os.write(self._waker, word)

    def _run(self) -> None:
        try:
            while not self.gone.is_set():
                self._turn()
        except BaseException:  # told by `differs`, or a descriptor was closed by the program
            self._order("die 9")
            self._wait_for_death()
        finally:
            self._close()
            self.ready.set()
            self.gone.set()
            self._blocked.set()

    def _wait_for_death(self) -> None:
        poller = select.poll()
        poller.register(self._life, _IN)
        poller.poll(2000)

    def _turn(self) -> None:
        waiting = self._advance()
        if waiting is None:
            return
        poller = select.poll()
        poller.register(self._life, _IN)
        poller.register(self._wake, _IN)
        if self._stdin >= 0:
            poller.register(self._stdin, _IN)
        for name, sink in self._sinks.items():
            poller.register(sink, _OUT if self._pending and name == self._stream else 0)
        for descriptor, events in poller.poll(waiting):
            self._handle(descriptor, events)
        if self._part.stopped():
            raise RuntimeError("the re-execution has ended")

    def _handle(self, descriptor: int, events: int) -> None:
        if descriptor == self._life:
            if os.read(self._life, 64):
                self.ready.set()
            else:
                self.gone.set()
        elif descriptor == self._wake:
            if b"!" in os.read(self._wake, 512):
                raise RuntimeError("stopped")
        elif descriptor == self._stdin:
            self._take()
        else:
            name = next((name for name, sink in self._sinks.items() if sink == descriptor), None)
            if name is None:
                return
            if events & ~_OUT:
                self._end_stream(name)
            else:
                self._write(name)

    def _take(self) -> None:
        data = os.read(self._stdin, _CHUNK)
        if not data:
            os.close(self._stdin)
            self._stdin = -1
            return
        if self._expected is not None:
            at = self._received
            if self._expected[at : at + len(data)] != data:
                self._part.differs("is sent something else by the program")
        self._received += len(data)

    @property
    def _stream(self) -> str:
        return self.outcome.entries[self._given].stream

    def _advance(self) -> int | None:
        """Do the next thing if it may be done; else milliseconds to wait."""
        if self._pending or not self.ready.is_set():
            return _REST_MS
        entries = self.outcome.entries
        entry = entries[self._given] if self._given < len(entries) else self._exit()
        if entry is None:
            self._blocked.set()
            return _REST_MS
        rest = self._missing(entry)
        if rest is not None:
            return rest
        self._stuck_since = 0.0
        self._blocked.clear()
        if entry.stream == "exit":
            self._leave()
        elif entry.length == 0:
            self._end_stream(entry.stream)
            self._given += 1
        else:
            at = self._places[entry.stream]
            self._pending = self.outcome.data[entry.stream][at : at + entry.length]
            self._places[entry.stream] = at + entry.length
            self._write(entry.stream)
        return None

    def _exit(self) -> Entry | None:
        if self._ordered or self.outcome.returncode is None:
            return None
        return self.outcome.ended or Entry("exit", 0, 0, 0, 0)

    def _missing(self, entry: Entry) -> int | None:
        """Milliseconds until it is worth looking again; None = nothing is missing."""
        if self._received < entry.stdin and self._expected is not None and self._stdin >= 0:
            self._blocked.set()
            return _REST_MS
        if self.cues < entry.cues:
            self._blocked.set()
            now = time.monotonic()
            self._stuck_since = self._stuck_since or now
            if now > self._stuck_since + 1.5 * self.outcome.seconds + _PATIENCE:
                self._part.differs("is waited for, where the program looked at it or ended it")
            return _REST_MS
        if self._part.reached(entry.after):
            self._held_since = 0.0
            return None
        now = time.monotonic()
        self._held_since = self._held_since or now
        if now > self._held_since + _HELD:
            self._blocked.set()
        return _LOOK_MS

    def _write(self, name: str) -> None:
        sink = self._sinks.get(name)
        if sink is not None:
            try:
                count = os.write(sink, self._pending)
            except BlockingIOError:
                return
            except OSError:
                self._end_stream(name)
                count = len(self._pending)
            self._pending = self._pending[count:]
        else:
            self._pending = b""  # the program has closed it, or never had it
        if not self._pending:
            self._given += 1

    def _end_stream(self, name: str) -> None:
        sink = self._sinks.pop(name, None)
        if sink is not None:
            os.close(sink)
        if self._pending and name == self._stream:
            self._pending = b""
            self._given += 1

    def _leave(self) -> None:
        for name in list(self._sinks):
            self._end_stream(name)
        code = self.outcome.returncode
        assert code is not None
        self._order(f"die {-code}" if code < 0 else f"leave {code}")

    def _order(self, what: str) -> None:
        if not self._ordered:
            self._ordered = True
            with contextlib.suppress(OSError):
                os.write(self._control, what.encode() + b"\n")

    def let_go(self) -> None:
        """In a forked child: these descriptors are the parent's."""
        self._waking = threading.Lock()
        self._close()

    def _close(self) -> None:
        for name in list(self._sinks):
            self._end_stream(name)
        for descriptor in (self._stdin, self._control, self._life, self._wake):
            if descriptor >= 0:
                with contextlib.suppress(OSError):
                    os.close(descriptor)
        with self._waking:
            waker, self._waker = self._waker, -1
        os.close(waker)


def _after_fork_in_child() -> None:
    for player in list(_players):
        with contextlib.suppress(OSError):
            player.let_go()
    _players.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
