"""A run's steps as a tree one can walk: depths, and where each stepping command leads. Pure.

Steps are numbered by start, so a parent always has a smaller number than what is inside it; what
a hostile file says otherwise is read as a step without a parent.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, Protocol

MAX_SHOWN_DEPTH = 12


class Placed(Protocol):
    """What is read of a step: a whole one, or what `Store.places` gives."""

    @property
    def n(self) -> int: ...
    @property
    def id(self) -> str: ...
    @property
    def parent(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def source(self) -> str: ...


class Node(NamedTuple):
    """What walking needs of a step. `parent` is its number, 0 at the top; `depth` starts at 0."""

    n: int
    parent: int
    depth: int
    kind: str
    status: str
    name: str
    source: str
    agent: int  # number of the agent step it belongs to, 0 for none


class _Stand(NamedTuple):
    """Where a step stands, which never changes."""

    parent: int
    depth: int
    agent: int


class Outline:
    """All steps of a run, in order; grows with a run under way.

    Where a step stands is worked out when it is looked at: a page shows a hundred of ten thousand.
    """

    def __init__(self, steps: Iterable[Placed] = ()) -> None:
        self._steps: dict[int, Placed] = {}
        self._numbers: dict[str, int] = {}
        self._order: list[int] = []
        self._stands: dict[int, _Stand] = {}
        self._failing_parents: set[int] = set()
        self.extend(steps)

    def extend(self, steps: Iterable[Placed]) -> None:
        """Add steps; a number already known is replaced (a step that has ended meanwhile)."""
        added = list(steps)
        self._numbers.update({step.id: step.n for step in added})
        self._failing_parents.update(self._above(s) for s in added if s.status == "error")
        self._steps.update({step.n: step for step in added})
        self._order = list(self._steps)

    def _above(self, step: Placed) -> int:
        n = 0 if step.parent is None else self._numbers.get(step.parent, 0)
        return n if n < step.n else 0

    def _stand(self, n: int) -> _Stand:
        inside = []
        stand = self._stands.get(n)
        while stand is None:
            inside.append(n)
            n = self._above(self._steps[n])
            stand = self._stands.get(n) if n else _Stand(0, -1, 0)
        for m in reversed(inside):
            agent = n if n and self._steps[n].kind == "agent" else stand.agent
            stand = self._stands[m] = _Stand(n, stand.depth + 1, agent)
            n = m
        return stand

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, n: int) -> Node:
        step, stand = self._steps[n], self._stand(n)
        return Node(
            n=n,
            parent=stand.parent,
            depth=stand.depth,
            kind=step.kind,
            status=step.status,
            name=step.name,
            source=step.source,
            agent=stand.agent,
        )

    def __contains__(self, n: int) -> bool:
        return n in self._steps

    def __iter__(self) -> Iterator[Placed]:
        return iter(list(self._steps.values()))  # another page may add steps meanwhile

    @property
    def last(self) -> int:
        """The highest number, 0 for a run without steps."""
        return self._order[-1] if self._order else 0

    @property
    def first(self) -> int:
        """The lowest number, 0 for a run without steps."""
        return self._order[0] if self._order else 0

    def is_error(self, step: "Placed | Node") -> bool:
        """A failure where it happened: containers only inherit what failed inside them."""
        return step.status == "error" and step.n not in self._failing_parents

    def errors(self) -> list[int]:
        """Where something failed, in order."""
        return [step.n for step in self if self.is_error(step)]

    def running(self) -> list[int]:
        """Steps that have not ended."""
        return [step.n for step in self if step.status == "running"]

    def of_kind(self, kind: str) -> list[int]:
        """The steps of a kind."""
        return [step.n for step in self if step.kind == kind]

    def agent_name(self, n: int) -> str:
        """Name of the agent a step belongs to, "" for none."""
        agent = self._stand(n).agent
        return self._steps[agent].name if agent else ""

    def go(self, command: str, n: int) -> int | None:
        """Where a stepping command leads from step `n`; None = the recording ends there."""
        move = _MOVES.get(command)
        return None if move is None or n not in self._steps else move(self, self[n])

    def _after(self, n: int) -> Iterator[Placed]:
        return (self._steps[m] for m in islice(self._order, self._position(n) + 1, None))

    def _before(self, n: int) -> Iterator[Placed]:
        return (self._steps[m] for m in reversed(self._order[: self._position(n)]))

    def _position(self, n: int) -> int:
        # Numbers run from 1 without gaps, save in a damaged file.
        guess = n - 1
        if guess < len(self._order) and self._order[guess] == n:
            return guess
        return self._order.index(n)

    def same_conversation(self, node: Node) -> Callable[[Placed], bool]:
        """Whether a step is a model call of the same agent."""
        return lambda other: other.kind == "model" and self._stand(other.n).agent == node.agent


def _first(steps: Iterable[Placed], wanted: Callable[[Placed], bool]) -> int | None:
    return next((step.n for step in steps if wanted(step)), None)


def _over(outline: Outline, here: Node) -> int | None:
    return _first(outline._after(here.n), lambda step: outline._stand(step.n).depth <= here.depth)


def _back_over(outline: Outline, here: Node) -> int | None:
    return _first(outline._before(here.n), lambda step: outline._stand(step.n).depth <= here.depth)


def _into(outline: Outline, here: Node) -> int | None:
    return _first(outline._after(here.n), lambda step: outline._stand(step.n).parent == here.n)


_MOVES: dict[str, Callable[[Outline, Node], int | None]] = {
    "next": lambda o, h: _first(o._after(h.n), lambda _: True),
    "previous": lambda o, h: _first(o._before(h.n), lambda _: True),
    "over": _over,
    "back-over": _back_over,
    "out": lambda o, h: h.parent or None,
    "into": _into,
    "first-error": lambda o, h: _first(o, o.is_error),
    "next-error": lambda o, h: _first(o._after(h.n), o.is_error),
    "previous-error": lambda o, h: _first(o._before(h.n), o.is_error),
    "next-model": lambda o, h: _first(o._after(h.n), o.same_conversation(h)),
    "previous-model": lambda o, h: _first(o._before(h.n), o.same_conversation(h)),
    "first-note": lambda o, h: _first(o, lambda step: step.kind == "note"),
    "next-note": lambda o, h: _first(o._after(h.n), lambda step: step.kind == "note"),
    "first": lambda o, h: o.first or None,
    "last": lambda o, h: o.last or None,
}
MOVES = frozenset(_MOVES)
