"""What is noted around one step while it is under way, and its way to the recorder.

A step gathers for itself; once it has ended, what still comes (from its threads) goes to what
encloses it. Written in pieces: when a step inside starts, when a second has passed, at the end.
"""

from time import monotonic
from typing import TYPE_CHECKING, Any

from tracer.capture.bounded import Bounded, Text
from tracer.core.records import JSON, NotedKind

if TYPE_CHECKING:
    from tracer.capture.boundary import ActiveRun

FIRST_CHARS, LAST_CHARS = 32_000, 16_000  # of printed text
FIRST_LOGS, LAST_LOGS = 48_000, 24_000  # characters of log records
MOST_TOUCHED = 100
_SECONDS = 1.0  # that text may wait to be written

Touch = tuple[str, str, str]  # what was done, to what, and where to (of a rename)


class Gathered:
    """Around the step `n` of a run (0: outside any step). `wire` says that the step is an
    exchange, whose own connection is no news."""

    __slots__ = (
        "_above", "_closed", "_due", "_known", "_run", "hosts", "logs", "lost", "n", "printed",
        "quiet", "touched", "wire",
    )  # fmt: skip

    def __init__(
        self, run: "ActiveRun", n: int, above: "Gathered | None" = None, *, wire: bool = False
    ) -> None:
        self._run = run
        self.n = n
        self.wire = wire
        self.quiet = False  # what is printed here is heard elsewhere
        self._above = above
        self._closed = False
        self._due = 0.0
        self._known: set[Touch] = set()
        self.printed: Text | None = None
        self.logs: Bounded[dict[str, JSON]] | None = None
        self.touched: dict[Touch, int] | None = None
        self.hosts: dict[int, set[str]] | None = None  # names that were looked up, by port
        self.lost = 0  # touches beyond those that are kept

    def again(self) -> "Gathered":
        """A fresh one for the same step, of what another process notes."""
        return Gathered(self._run, self.n, self._above)

    def _open(self) -> "Gathered":
        """This one, or what encloses it once the step has ended."""
        here = self
        while here._closed and here._above is not None:
            here = here._above
        return here

    def write(self, stream: str, text: str) -> None:
        """Note text that was written to a stream ("out", "err")."""
        here = self._open()
        if here.quiet:
            return
        if here.printed is None:
            here.printed = Text(FIRST_CHARS, LAST_CHARS)
        here.printed.write(stream, text)
        here._noted()

    def log(self, record: dict[str, JSON], size: int) -> None:
        """Note a log record of about so many characters."""
        here = self._open()
        if here.logs is None:
            here.logs = Bounded(FIRST_LOGS, LAST_LOGS)
        here.logs.add(record, size)
        here._noted()

    def touch(self, what: str, name: str, to: str = "") -> None:
        """Note what was touched outside the process."""
        here = self._open()
        if here.touched is None:
            here.touched = {}
        key = (what, name, to)
        if key not in here._known:
            if len(here._known) >= MOST_TOUCHED:
                here.lost += 1
                return
            here._known.add(key)
        here.touched[key] = here.touched.get(key, 0) + 1
        # Not written now: what is heard of is only about to be done, maybe to our own database.
        self._run.unwritten[id(here)] = here

    def _noted(self) -> None:
        self._run.unwritten[id(self)] = self
        now = monotonic()
        if not self._due:
            self._due = now + _SECONDS
        elif now > self._due:
            self.flush(wait=True)

    def flush(self, *, rest: bool = False, wait: bool = False) -> None:
        """Hand over what may be written by now; with `rest` all of it. `wait`: until it is
        written, so that nothing is under way when the program goes on."""
        self._due = 0.0
        if self.printed is not None:
            self._put("printed", _texts(self.printed, rest), wait)
        if self.logs is not None:
            self._put("logs", _records(self.logs, rest), wait)
        if self.touched:
            taken, self.touched = self.touched, {}
            lost, self.lost = self.lost, 0
            self._put("touched", _touches(taken, lost), wait)
        if rest:
            self._run.unwritten.pop(id(self), None)

    def raised(self, frames: list[JSON]) -> None:
        """Note the local variables of the user's frames that an exception passed."""
        self._put("locals", frames)

    def found(self, environment: dict[str, JSON]) -> None:
        """Note what the run ran in, as far as it is known at its end."""
        self._run.recorder.noted(self._run, self.n, "environment", environment, False)

    def close(self) -> None:
        """The step ends: all of it is written."""
        self._closed = self._above is not None
        self.flush(rest=True)

    def _put(self, kind: NotedKind, items: list[Any], wait: bool = False) -> None:
        if items:
            self._run.recorder.noted(self._run, self.n, kind, items, wait)


def _texts(kept: Text, rest: bool) -> list[JSON]:
    """Pairs of stream and text, those of one stream in a row as one; a number is a gap."""
    texts: list[Any] = list(kept.take_beginning())
    if rest:
        lost, end = kept.take_end()
        texts += ([lost] if lost else []) + end
    joined: list[Any] = []
    for item in texts:
        if joined and isinstance(item, tuple) and joined[-1][0] == item[0]:
            joined[-1][1].append(item[1])
        else:
            joined.append((item[0], [item[1]]) if isinstance(item, tuple) else ("", [str(item)]))
    return [
        {"left_out": int(parts[0])} if not stream else [stream, "".join(parts)]
        for stream, parts in joined
    ]


def _records(kept: Bounded[dict[str, JSON]], rest: bool) -> list[JSON]:
    records: list[JSON] = list(kept.take_beginning())
    if rest:
        lost, end = kept.take_end()
        records += ([{"left_out": lost}] if lost else []) + end
    return records


def _touches(touched: dict[Touch, int], lost: int) -> list[JSON]:
    found: list[JSON] = [
        {"what": what, "name": name, "times": times} | ({"to": to} if to else {})
        for (what, name, to), times in touched.items()
    ]
    return [*found, {"left_out": lost}] if lost else found
