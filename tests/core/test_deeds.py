"""What a re-execution did for real, told from its steps."""

from dataclasses import replace

from tests.replay.test_tape_gate import step
from tracer.core.deeds import deeds
from tracer.core.records import Slot

MODEL = replace(step(1, Slot("", "model", 1), "b2:a"), source="live", cost_usd=0.004)
TOOL = replace(step(2, Slot("", "tool", 1), "b2:b"), source="live", name="send_email", effect=None)


def test_what_was_answered_is_no_deed() -> None:
    steps = [replace(MODEL, source="recorded"), replace(TOOL, source="stubbed")]
    assert deeds(steps).words() == "nothing"
    looked = replace(TOOL, effect="read")
    again = replace(TOOL, detail={"reentered": True})
    assert deeds([looked, again]).words() == "nothing"


def test_what_was_done_is_named_and_counted() -> None:
    found = deeds([MODEL, replace(MODEL, cost_usd=None), TOOL, TOOL])
    assert found.words() == "2 model calls ($0.004), send_email 2×"
    assert found.as_json() == {"model_calls": 2, "cost_usd": 0.004, "done": {"send_email": 2}}
