"""A run's steps as a tree one can walk: depths, and where each stepping command leads. Pure.

Steps are numbered by start, so a parent always has a smaller number than what is inside it; what
a hostile file says otherwise is read as a step without a parent.
"""

from collections.abc import Callable, Iterable, Iterator
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


class Outline:
    """All steps of a run, in order. Grows with a run under way: `extend`, then `refresh`."""

    def __init__(self, steps: Iterable[Placed] = ()) -> None:
        self._nodes: dict[int, Node] = {}
        self._numbers: dict[str, int] = {}
        self._order: list[int] = []
        self._failing_parents: set[int] = set()
        self.extend(steps)

    def extend(self, steps: Iterable[Placed]) -> None:
        """Add steps; a number already known is replaced (a step that has ended meanwhile)."""
        for step in steps:
            known = step.n in self._nodes
            self._numbers[step.id] = step.n
            parent = self._nodes.get(self._numbers.get(step.parent or "", 0))
            if parent is not None and parent.n >= step.n:
                parent = None
            agent = 0 if parent is None else parent.n if parent.kind == "agent" else parent.agent
            depth = 0 if parent is None else parent.depth + 1
            self._nodes[step.n] = Node(
                n=step.n,
                parent=parent.n if parent else 0,
                depth=depth,
                kind=step.kind,
                status=step.status,
                name=step.name,
                source=step.source,
                agent=agent,
            )
            if step.status == "error" and parent is not None:
                self._failing_parents.add(parent.n)
            if not known:
                self._order.append(step.n)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, n: int) -> Node:
        return self._nodes[n]

    def __contains__(self, n: int) -> bool:
        return n in self._nodes

    def __iter__(self) -> Iterator[Node]:
        return (self._nodes[n] for n in self._order)

    @property
    def last(self) -> int:
        """The highest number, 0 for a run without steps."""
        return self._order[-1] if self._order else 0

    @property
    def first(self) -> int:
        """The lowest number, 0 for a run without steps."""
        return self._order[0] if self._order else 0

    def is_error(self, node: Node) -> bool:
        """A failure where it happened: containers only inherit what failed inside them."""
        return node.status == "error" and node.n not in self._failing_parents

    def errors(self) -> list[int]:
        """Where something failed, in order."""
        return [node.n for node in self if self.is_error(node)]

    def running(self) -> list[int]:
        """Steps that have not ended."""
        return [node.n for node in self if node.status == "running"]

    def agent_name(self, n: int) -> str:
        """Name of the agent a step belongs to, "" for none."""
        agent = self._nodes[n].agent
        return self._nodes[agent].name if agent else ""

    def go(self, command: str, n: int) -> int | None:
        """Where a stepping command leads from step `n`; None = the recording ends there."""
        move = _MOVES.get(command)
        return None if move is None or n not in self._nodes else move(self, self._nodes[n])

    def _after(self, n: int) -> Iterator[Node]:
        start = self._position(n) + 1
        return (self._nodes[m] for m in self._order[start:])

    def _before(self, n: int) -> Iterator[Node]:
        return (self._nodes[m] for m in reversed(self._order[: self._position(n)]))

    def _position(self, n: int) -> int:
        # Numbers run from 1 without gaps, save in a damaged file.
        guess = n - 1
        if guess < len(self._order) and self._order[guess] == n:
            return guess
        return self._order.index(n)

    def same_conversation(self, node: Node) -> Callable[[Node], bool]:
        """Whether a step is a model call of the same agent."""
        return lambda other: other.kind == "model" and other.agent == node.agent


def _first(nodes: Iterable[Node], wanted: Callable[[Node], bool]) -> int | None:
    return next((node.n for node in nodes if wanted(node)), None)


def _over(outline: Outline, here: Node) -> int | None:
    return _first(outline._after(here.n), lambda node: node.depth <= here.depth)


def _back_over(outline: Outline, here: Node) -> int | None:
    return _first(outline._before(here.n), lambda node: node.depth <= here.depth)


def _into(outline: Outline, here: Node) -> int | None:
    return _first(outline._after(here.n), lambda node: node.parent == here.n)


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
    "first-note": lambda o, h: _first(o, lambda node: node.kind == "note"),
    "next-note": lambda o, h: _first(o._after(h.n), lambda node: node.kind == "note"),
    "first": lambda o, h: o.first or None,
    "last": lambda o, h: o.last or None,
}
MOVES = frozenset(_MOVES)
