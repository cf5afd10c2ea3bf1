"""One agent through everything: plain, recorded, replayed, forked twice.

Every agent file plays the same evening against the same model (`planner.py`), so what must be in
the record is known: two weathers, a booking, a cancellation that fails (`cases.py`).
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.frameworks import checks
from tests.frameworks.bench import Bench, Done
from tests.frameworks.cases import Case


@dataclass
class Findings:
    """What came out; True is good, a sentence says what is not."""

    versions: dict[str, str] = field(default_factory=dict)
    same: bool | str = "not run"  # output, requests and side effects as without tracer
    models: bool | str = "not run"  # a step a request, those refused as errors
    usage: bool | str = "not run"  # as the server sent it
    messages: bool | str = "not run"  # of each call, with what the tools gave
    tools: bool | str = "not run"  # how many; names, arguments, results
    errors: bool | str = "not run"  # a tool's exception
    ids: bool | str = "not run"  # of the model's tool calls
    parents: bool | str = "not run"  # no step stands under one that is not there
    agents: bool | str = "not run"  # names, and what they enclose
    replay: bool | str = "not run"
    fork_text: bool | str = "not run"
    fork_tool: bool | str = "not run"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def examine(made: Bench, case: Case) -> Findings:
    """Play the evening and look at everything it left."""
    found = Findings()
    alone = made.alone()
    if alone.code != 0:
        found.same = f"the agent itself fails: {alone.err[-600:]}"
        return found
    if alone.booked != 1:
        found.same = f"the agent itself booked {alone.booked} times"
        return found
    record(made, case, alone, found)
    found.replay = _replay(made, alone)
    found.fork_text = _fork_text(made, case)
    found.fork_tool = _fork_tool(made, case)
    return found


def record(made: Bench, case: Case, alone: Done, found: Findings) -> None:
    """The recording's part, beside the program `alone`."""
    recorded = made.recorded()
    found.same = _same(alone, recorded)
    seen = made.read()
    tools = checks.of_evening(seen, case)
    found.models = checks.models(seen, recorded.sent)
    found.usage = checks.usage(seen, recorded.sent)
    found.messages = checks.messages(seen, recorded.heard, case)
    found.tools = checks.tools(tools, seen, case)
    found.errors = checks.errors(tools, seen, case)
    found.ids = checks.ids(tools, seen, case)
    found.parents = checks.parents(seen)
    found.agents = checks.agents(seen, tools, case)


def _same(alone: Done, recorded: Done) -> bool | str:
    if recorded.code != alone.code:
        return f"exit {recorded.code}: {recorded.err[-600:]}"
    if recorded.out != alone.out:
        return f"said {recorded.out!r}, without tracer {alone.out!r}"
    if sorted(map(str, recorded.sent)) != sorted(map(str, alone.sent)):
        return f"was sent {recorded.sent}, without tracer {alone.sent}"
    if recorded.booked != alone.booked:
        return f"booked {recorded.booked} times, without tracer {alone.booked}"
    if "internal fault" in recorded.err:
        return recorded.err[-600:]
    return True


def _replay(made: Bench, alone: Done) -> bool | str:
    done = made.tracer("replay", "last")
    if done.code != 0:
        return f"exit {done.code}: {done.err[-600:]}"
    if done.out != alone.out:
        return f"said {done.out!r}, recorded {alone.out!r}"
    if done.requests or done.booked:
        return f"{done.requests} requests, {done.booked} bookings"
    notes = [line for line in done.err.splitlines() if line.startswith("tracer:")]
    # Frameworks write caches and databases of their own: said, and no fault of the replay.
    return (
        " ".join(note for note in notes if "held back what the program wrote" not in note) or True
    )


def _fork_text(made: Bench, case: Case) -> bool | str:
    done = made.tracer(
        *("fork", "last", "--model-call", case.model_call, "--text", "Stay at home."),
        *("--tool", "*=live"),
    )
    seen = made.read(None)
    if "substituted" not in {step.source for step in seen.steps}:
        return f"exit {done.code}: {done.err[-600:]}"
    if not case.text_ends:  # what its framework makes of such text is its own affair
        return True
    if done.code != 0:
        return f"exit {done.code}: {done.err[-600:]}"
    return True if "Stay at home." in done.out else f"said {done.out!r}"


def _fork_tool(made: Bench, case: Case) -> bool | str:
    """The model asks for another call; where it asks in text, the first tool gives otherwise."""
    name, given, result = case.tool_call
    if case.asks_in_text:
        step = checks.of_evening(made.read(), case)[0]
        done = made.tracer(
            *("fork", "last", "--step", str(step.n), "--result", '"foggy in Berlin"'),
            *("--tool", "*=live"),
        )
        seen = made.read(None)
        came = [seen.values[f"{s.id} output"] for s in seen.steps if s.source == "substituted"]
        return True if came == ["foggy in Berlin"] and done.code == 0 else done.err[-600:]
    done = made.tracer(
        *("fork", "last", "--model-call", case.model_call, "--tool-call", name, json.dumps(given)),
        *("--tool", "*=live"),
    )
    seen = made.read(None)
    if done.code != 0:
        return f"exit {done.code}: {done.err[-600:]}"
    for step in seen.kind("tool"):
        if seen.values[f"{step.id} input"] == given:
            came = seen.values[f"{step.id} output"]
            return True if checks.is_result(came, result) else f"the tool gave {came!r}"
    return "the tool did not run"
