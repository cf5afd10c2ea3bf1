"""Stepping: where each command leads, checked against the rules on trees of every shape."""

from hypothesis import given
from hypothesis import strategies as st

from tracer.core.records import Slot, Step, StepKind, StepStatus
from tracer_ui.outline import MOVES, Outline


def step(
    n: int,
    kind: StepKind = "tool",
    parent: int = 0,
    status: StepStatus = "ok",
    name: str = "t",
) -> Step:
    return Step(
        run_id="r",
        n=n,
        id=f"id{n}",
        parent=f"id{parent}" if parent else None,
        kind=kind,
        name=name,
        status=status,
        source="live",
        started_ns=n,
        ended_ns=n + 1,
        start_seq=n,
        end_seq=n,
        slot=Slot("", kind, n),
        fingerprint=None,
        summary="",
    )


#  1 agent
#    2 model   3 tool(4 model inside)   5 note
#    6 agent(7 model  8 tool ✕)
#  9 model
STEPS = [
    step(1, "agent", name="boss"),
    step(2, "model", 1),
    step(3, "tool", 1),
    step(4, "model", 3),
    step(5, "note", 1),
    step(6, "agent", 1, "error", name="helper"),
    step(7, "model", 6),
    step(8, "tool", 6, "error"),
    step(9, "model"),
]
OUTLINE = Outline(STEPS)


def test_every_command_leads_where_the_rules_say() -> None:
    expected: dict[str, dict[int, int | None]] = {
        "next": {1: 2, 8: 9, 9: None},
        "previous": {1: None, 2: 1, 9: 8},
        "over": {1: 9, 3: 5, 6: 9, 4: 5, 7: 8, 8: 9, 9: None},
        "back-over": {9: 1, 6: 5, 5: 3, 8: 7, 1: None},
        "out": {8: 6, 6: 1, 4: 3, 1: None, 9: None},
        "into": {1: 2, 3: 4, 6: 7, 2: None, 9: None},
        "next-error": {1: 8, 8: None, 9: None},
        "previous-error": {9: 8, 8: None},
        "first-error": {9: 8, 1: 8},
        "next-model": {2: 4, 4: None, 7: None, 1: 9, 9: None},
        "previous-model": {4: 2, 2: None, 9: None, 5: 4},
        "first-note": {9: 5},
        "next-note": {1: 5, 5: None},
        "first": {9: 1},
        "last": {1: 9},
    }
    assert set(expected) == set(MOVES)
    for command, moves in expected.items():
        for start, target in moves.items():
            assert OUTLINE.go(command, start) == target, (command, start)


def test_a_container_only_inherits_the_error_inside_it() -> None:
    assert OUTLINE.errors() == [8]
    assert not OUTLINE.is_error(OUTLINE[6])


def test_names_of_agents() -> None:
    assert [OUTLINE.agent_name(n) for n in (1, 2, 4, 8, 9)] == ["", "boss", "boss", "helper", ""]


def test_a_step_that_ended_replaces_itself() -> None:
    outline = Outline([step(1, "agent"), step(2, "tool", 1, "running")])
    assert outline.running() == [2]
    outline.extend([step(2, "tool", 1), step(3, "tool", 1)])
    assert outline.running() == []
    assert [known.n for known in outline] == [1, 2, 3]


def test_an_unknown_command_or_step_leads_nowhere() -> None:
    assert OUTLINE.go("fly", 1) is None
    assert OUTLINE.go("next", 77) is None
    assert Outline().go("first", 1) is None


def test_a_parent_that_does_not_come_before_is_no_parent() -> None:
    outline = Outline([step(1, parent=2), step(2, parent=2), step(5, parent=1)])
    assert [outline[known.n].depth for known in outline] == [0, 0, 1]
    assert outline.go("next", 2) == 5  # a gap in the numbers


@st.composite
def trees(draw: st.DrawFn) -> Outline:
    count = draw(st.integers(1, 40))
    kinds: list[StepKind] = ["agent", "model", "tool", "note", "http", "step"]
    ends: list[StepStatus] = ["ok", "error"]
    return Outline(
        step(
            n,
            draw(st.sampled_from(kinds)),
            draw(st.integers(0, n - 1)),
            draw(st.sampled_from(ends)),
        )
        for n in range(1, count + 1)
    )


@given(trees(), st.data())
def test_stepping_holds_its_promises(outline: Outline, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, len(outline)))
    here = outline[n]
    over, out, into = (outline.go(c, n) for c in ("over", "out", "into"))
    assert outline.go("next", n) == (n + 1 if n < len(outline) else None)
    assert over is None or (over > n and outline[over].depth <= here.depth)
    if over is not None:
        assert all(outline[m].depth > here.depth for m in range(n + 1, over))
    assert out is None or outline[out].depth == here.depth - 1
    assert into is None or outline[into].parent == n
    for command in MOVES:
        target = outline.go(command, n)
        assert target is None or target in outline
