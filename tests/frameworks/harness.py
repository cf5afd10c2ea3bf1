"""One agent of one framework through everything: plain, recorded, replayed, forked twice.

Every agent file plays the same evening against the same model (`planner.py`), so what must be in
the record is known: two weathers, a booking, a cancellation that fails (`cases.py`).
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.frameworks import planner
from tests.frameworks.cases import Case
from tracer.capture.values import plain
from tracer.core.records import Step
from tracer.demo.model_server import KEY, ModelServer
from tracer.store.reading import Store

ROOT = Path(__file__).parents[2]
AGENTS = Path(__file__).parent / "agents"
TIMEOUT = 120


@dataclass
class Findings:
    """What came out; True is good, a sentence says what is not."""

    versions: dict[str, str] = field(default_factory=dict)
    same: bool | str = "not run"  # output and requests as without tracer
    models: bool | str = "not run"
    tools: bool | str = "not run"  # names, arguments, results
    errors: bool | str = "not run"  # a tool's exception
    ids: bool | str = "not run"  # of the model's tool calls
    agents: bool | str = "not run"  # names, and what they enclose
    replay: bool | str = "not run"
    fork_text: bool | str = "not run"
    fork_tool: bool | str = "not run"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Done:
    """How a process ended, and how many requests the model got meanwhile."""

    code: int
    out: str
    err: str
    requests: int


class Bench:
    """A folder, a model server and a Python that has the framework."""

    def __init__(self, python: Path, script: Path, folder: Path, server: ModelServer) -> None:
        self.python, self.script, self.folder, self.server = python, script, folder, server
        self.database = folder / "traces.db"
        self.ledger = folder / "ledger"

    def go(self, *words: str, env: dict[str, str] | None = None) -> Done:
        """Run the framework's Python."""
        before = self.server.request_count
        url = self.server.url + "/v1"
        done = subprocess.run(
            [str(self.python), *words],
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("TRACER_", "OTEL_"))},
                "PYTHONPATH": str(ROOT),
                "OPENAI_BASE_URL": url,
                "OPENAI_API_BASE": url,
                "OPENAI_API_KEY": KEY,
                "MODEL_SERVER": self.server.url,
                "TRACER_DB": str(self.database),
                "LEDGER": str(self.ledger),
                # LiteLLM would fetch prices from the network at every start.
                "LITELLM_LOCAL_MODEL_COST_MAP": "True",
                **(env or {}),
            },
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr, self.server.request_count - before)

    def tracer(self, *words: str) -> Done:
        """The command, as a user of the framework's environment types it."""
        return self.go("-m", "tracer", *words)

    def booked(self) -> int:
        """How often the booking tool has really run."""
        return len(self.ledger.read_text().splitlines()) if self.ledger.exists() else 0

    def newest_recorded(self) -> tuple[list[Step], dict[str, Any], set[str]]:
        """The same of the newest run that is no re-execution."""
        return self.newest("last")

    def newest(self, ref: str | None = None) -> tuple[list[Step], dict[str, Any], set[str]]:
        """Steps of the newest run, their inputs and outputs by step id, ids of tool calls."""
        with Store.open(self.database) as store:
            run = store.runs()[0] if ref is None else store.find_run(ref)
            steps = store.steps(run.id)
            values = {}
            asked: set[str] = set()
            for step in steps:
                for which in ("input", "output"):
                    data = store.value(step, which)
                    values[f"{step.id} {which}"] = None if data is None else plain(data)
                said = store.output_messages(step)
                for message in planner.loaded(said):
                    asked |= {p["id"] for p in message["parts"] if p.get("type") == "tool_call"}
        return steps, values, asked


@contextmanager
def bench(python: Path, script: str, folder: Path) -> Iterator[Bench]:
    """A bench whose model answers from `planner`."""
    with ModelServer(latency=False, brain=planner.answer) as server:
        yield Bench(python, AGENTS / script, folder, server)


def examine(made: Bench, case: Case) -> Findings:
    """Play the evening and look at everything it left."""
    found = Findings()
    alone = made.go(str(made.script))
    if alone.code != 0:
        found.same = f"the agent itself fails: {alone.err[-600:]}"
        return found
    booked = made.booked()
    recorded = made.tracer("run", str(made.script))
    found.same = _same(alone, recorded)
    if made.booked() != 2 * booked:
        found.same = "the tool did not run as often as without tracer"
    steps, values, asked = made.newest()
    tools = _of_evening(steps, case)
    found.models = _models(steps, alone.requests)
    found.tools = _tools(tools, values, case)
    found.errors = _errors(tools, values, case)
    found.ids = _ids(tools, asked, case)
    found.agents = _agents(steps, tools, case)
    found.replay = _replay(made, alone)
    found.fork_text = _fork_text(made, case)
    found.fork_tool = _fork_tool(made, case)
    return found


def _same(alone: Done, recorded: Done) -> bool | str:
    if recorded.code != alone.code:
        return f"exit {recorded.code}: {recorded.err[-600:]}"
    if recorded.out != alone.out:
        return f"said {recorded.out!r}, without tracer {alone.out!r}"
    if recorded.requests != alone.requests:
        return f"{recorded.requests} requests, without tracer {alone.requests}"
    if "internal fault" in recorded.err:
        return recorded.err[-600:]
    return True


def _models(steps: list[Step], requests: int) -> bool | str:
    calls = [step for step in steps if step.kind == "model"]
    if len(calls) != requests:
        return f"{len(calls)} model calls for {requests} requests"
    bad = [step.n for step in calls if step.status != "ok"]
    return f"steps {bad} are not ok" if bad else True


def _of_evening(steps: list[Step], case: Case) -> list[Step]:
    """The executions that the agent was made for, without a framework's own tools."""
    names = tuple({name for name, _, _ in case.tools})
    found = [step for step in steps if step.kind == "tool" and step.name.endswith(names)]
    return found[: len(case.tools)] if case.tools[0][0] == "bash" else found


def _tools(seen: list[Step], values: dict[str, Any], case: Case) -> bool | str:
    if len(seen) != len(case.tools):
        return f"{len(seen)} tool steps: {[step.summary for step in seen]}"
    left = list(case.tools)
    for step in seen:
        given, came = values[f"{step.id} input"], values[f"{step.id} output"]
        match = next((w for w in left if step.name.endswith(w[0]) and given == w[1]), None)
        if match is None:
            return f"{step.name} was given {given}"
        left.remove(match)
        if not _is_result(came, match[2]):
            return f"{step.name} gave {came!r}, not {match[2]!r}"
    return True


def _is_result(came: Any, wanted: Any) -> bool:
    """An MCP server's result holds its text in parts, and the data beside it."""
    if wanted is None or came == wanted:
        return True
    if not isinstance(came, dict) or "content" not in came:
        return False
    return wanted in (came["content"][0].get("text"), came.get("structured_content"))


def _errors(seen: list[Step], values: dict[str, Any], case: Case) -> bool | str:
    step = seen[-1] if seen else None
    if step is None:
        return "no such step"
    if not case.raises:
        said = str(values[f"{step.id} output"])
        return True if planner.REFUSED in said else f"it gave {said}"
    if step.status == "error" and step.error and planner.REFUSED in step.error.message:
        return True
    return f"{step.status}: {values[f'{step.id} output']!r}"


def _ids(seen: list[Step], asked: set[str], case: Case) -> bool | str:
    given = [step.detail.get("tool_call_id") for step in seen]
    if case.asks_in_text:
        return True if given == [None] * len(given) else f"ids from nowhere: {given}"
    for step, call_id in zip(seen, given, strict=True):
        if call_id not in asked:
            return f"{step.name} has {call_id!r}, the model gave {sorted(asked)}"
    return True if len(set(given)) == len(given) else f"an id twice: {given}"


def _agents(steps: list[Step], tools: list[Step], case: Case) -> bool | str:
    seen = tuple(step.name for step in steps if step.kind == "agent")
    if seen != case.agents:
        return f"agents seen: {seen}"
    if not case.agents:
        return True
    by_id = {step.id: step for step in steps}
    for step in steps:
        if step.kind not in ("tool", "model"):
            continue
        above = by_id.get(step.parent or "")
        if above is None or above.kind != "agent":
            return f"step {step.n} ({step.name}) is in no agent"
    for step in tools:
        above = by_id[step.parent or ""]
        wanted = case.agents[0] if step.name.endswith("get_weather") else case.agents[-1]
        if above.name != wanted:
            return f"{step.name} is in {above.name}, not in {wanted}"
    return True


def _replay(made: Bench, alone: Done) -> bool | str:
    before = made.booked()
    done = made.tracer("replay", "last")
    if done.code != 0:
        return f"exit {done.code}: {done.err[-600:]}"
    if done.out != alone.out:
        return f"said {done.out!r}, recorded {alone.out!r}"
    if done.requests or made.booked() != before:
        return f"{done.requests} requests, {made.booked() - before} bookings"
    notes = [line for line in done.err.splitlines() if line.startswith("tracer:")]
    return " ".join(notes) or True


def _fork_text(made: Bench, case: Case) -> bool | str:
    done = made.tracer(
        *("fork", "last", "--model-call", "1", "--text", "Stay at home."),
        *("--tool", "*=live"),
    )
    steps, _, _ = made.newest()
    if "substituted" not in {step.source for step in steps}:
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
        recorded, _, _ = made.newest_recorded()
        step = _of_evening(recorded, case)[0]
        done = made.tracer(
            *("fork", "last", "--step", str(step.n), "--result", '"foggy in Berlin"'),
            *("--tool", "*=live"),
        )
        forked, values, _ = made.newest()
        came = [values[f"{s.id} output"] for s in forked if s.source == "substituted"]
        return True if came == ["foggy in Berlin"] and done.code == 0 else done.err[-600:]
    done = made.tracer(
        *("fork", "last", "--model-call", "1", "--tool-call", name, json.dumps(given)),
        *("--tool", "*=live"),
    )
    steps, values, _ = made.newest()
    if done.code != 0:
        return f"exit {done.code}: {done.err[-600:]}"
    for step in steps:
        if step.kind == "tool" and values[f"{step.id} input"] == given:
            came = values[f"{step.id} output"]
            return True if _is_result(came, result) else f"the tool gave {came!r}"
    return "the tool did not run"
