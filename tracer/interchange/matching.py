"""Which steps of two runs belong together, from what they are and asked. Pure.

First what is equal (kind, enclosing agent, name, fingerprint), then by name inside the gaps, then
model calls of any model and notes of any text. Equal steps in another order are `moved`.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from tracer.core.alignment import gaps, matching_blocks
from tracer.core.records import Step

Key = Callable[[Step], Hashable]


@dataclass(frozen=True, slots=True)
class Match:
    """A row: a step of each run, or None where one has nothing. `moved`: at another place."""

    a: Step | None
    b: Step | None
    moved: bool = False


def match_steps(a: Sequence[Step], b: Sequence[Step]) -> list[Match]:
    """Rows in the order of `a`, with what only `b` has where it happened."""
    agents_a, agents_b = _agents(a), _agents(b)
    agent_of = {**agents_a, **agents_b}

    def named(step: Step) -> Hashable:
        return (step.kind, agent_of[step.run_id, step.id], step.name)

    def asked(step: Step) -> Hashable:
        # What is inside an agent call makes it the same one even when its arguments changed.
        return (named(step), step.fingerprint)

    def any_name(step: Step) -> Hashable:
        # Another model is still the same call, and a note is named by what it says.
        if step.kind in ("model", "note"):
            return (step.kind, agent_of[step.run_id, step.id])
        return (step.run_id, step.id)  # equal to nothing of the other run

    rows = _match(a, b, [asked, named, any_name])
    return _with_moved(rows, asked)


def _agents(steps: Sequence[Step]) -> dict[tuple[str, str], str]:
    """By step: the names of the agents around it, outermost first."""
    found: dict[tuple[str, str], str] = {}
    inside: dict[str, str] = {}  # step id -> names of the agents that hold its children
    for step in steps:
        around = inside.get(step.parent or "", "")
        found[step.run_id, step.id] = around
        inside[step.id] = f"{around}/{step.name}" if step.kind == "agent" else around
    return found


def _match(a: Sequence[Step], b: Sequence[Step], keys: Sequence[Key]) -> list[Match]:
    if not keys or not a or not b:
        return [Match(step, None) for step in a] + [Match(None, step) for step in b]
    key, *weaker = keys
    tokens_a, tokens_b = [key(step) for step in a], [key(step) for step in b]
    blocks = matching_blocks(tokens_a, tokens_b)
    rows: list[Match] = []
    for (in_a, in_b), block in zip(gaps(blocks, len(a), len(b)), [*blocks, None], strict=True):
        rows += _match([a[at] for at in in_a], [b[at] for at in in_b], weaker)
        if block is not None:
            for at in range(block.size):
                rows.append(Match(a[block.a_start + at], b[block.b_start + at]))
    return rows


def _with_moved(rows: list[Match], asked: Key) -> list[Match]:
    """Join rows that stand alone on both sides but asked the same: parallel branches race."""
    alone: defaultdict[Hashable, list[Step]] = defaultdict(list)
    for row in reversed(rows):
        if row.a is None and row.b is not None and row.b.fingerprint is not None:
            alone[asked(row.b)].append(row.b)
    joined: list[Match] = []
    taken: set[str] = set()
    for row in rows:
        lonely = row.a if row.b is None else None
        if lonely is not None and lonely.fingerprint is not None and alone.get(asked(lonely)):
            other = alone[asked(lonely)].pop()
            taken.add(other.id)
            joined.append(Match(lonely, other, moved=True))
        else:
            joined.append(row)
    return [row for row in joined if row.a is not None or row.b is None or row.b.id not in taken]
