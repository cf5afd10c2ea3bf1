"""A folder, the evening's server and a Python of some environment: programs run there."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.frameworks import planner
from tests.frameworks.cases import Case
from tests.frameworks.evening import Evening, Sent
from tracer.capture.values import plain
from tracer.core.records import Step
from tracer.demo.model_server import KEY
from tracer.providers import api_named
from tracer.store.reading import Store

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
TIMEOUT = 300


@dataclass
class Done:
    """How a process ended, what the model was asked meanwhile, and how often the tool booked."""

    code: int
    out: str
    err: str
    requests: int
    sent: list[Sent]
    heard: str  # all the requests' bodies
    booked: int


@dataclass
class Recorded:
    """A run as it lies in the store. `values` by "<step id> input" or "output"."""

    steps: list[Step] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    asked: set[str | None] = field(default_factory=set)  # ids of the tool calls that the model made
    # By step id, the messages of a model call: what it was asked, what it said.
    messages: dict[str, tuple[list[Any], list[Any]]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def kind(self, kind: str) -> list[Step]:
        """The steps of a kind, in order of start."""
        return [step for step in self.steps if step.kind == kind]


class Bench:
    """Runs one case's program, with tracer and without."""

    def __init__(self, python: Path, case: Case, folder: Path, server: Evening) -> None:
        self.python, self.folder, self.server = python, folder, server
        self.program = (str(HERE / case.folder / case.script), *case.args)
        self.database = folder / "traces.db"
        self.ledger = folder / "ledger"

    def go(self, *words: str, env: dict[str, str] | None = None) -> Done:
        """Run the environment's Python."""
        self.server.fresh()
        before, booked = self.server.count, self._booked()
        url = self.server.url + "/v1"
        done = subprocess.run(
            [str(self.python), *words],
            env={
                **{k: v for k, v in os.environ.items() if not k.startswith(("TRACER_", "OTEL_"))},
                "PYTHONPATH": str(ROOT),
                "OPENAI_BASE_URL": url,
                "OPENAI_API_BASE": url,
                "OPENAI_API_KEY": KEY,
                "ANTHROPIC_BASE_URL": self.server.url,
                "ANTHROPIC_API_KEY": KEY,
                "GROQ_BASE_URL": self.server.url,
                "GROQ_API_KEY": KEY,
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
        came = self.server.asked[before:]
        heard = "\n".join(asked.body.decode() for asked in came)
        sent, more = list(self.server.sent), self._booked() - booked
        return Done(done.returncode, done.stdout, done.stderr, len(came), sent, heard, more)

    def alone(self, **env: str) -> Done:
        """The program as it is."""
        return self.go(*self.program, env=env)

    def recorded(self, **env: str) -> Done:
        """The same under `tracer run`."""
        return self.go("-m", "tracer", "run", *self.program, env=env)

    def tracer(self, *words: str) -> Done:
        """The command, as a user of that environment types it."""
        return self.go("-m", "tracer", *words)

    def _booked(self) -> int:
        return len(self.ledger.read_text().splitlines()) if self.ledger.exists() else 0

    def read(self, ref: str | None = "last") -> Recorded:
        """A run; `last` is the newest that is no re-execution, None the newest of all."""
        with Store.open(self.database) as store:
            run = store.runs()[0] if ref is None else store.find_run(ref)
            seen = Recorded(store.steps(run.id), warnings=run.warnings)
            for step in seen.steps:
                for which in ("input", "output"):
                    data = store.value(step, which)
                    seen.values[f"{step.id} {which}"] = None if data is None else plain(data)
                request = store.request(step)
                if step.kind != "model" or step.api is None or request is None:
                    continue
                said = planner.loaded(store.output_messages(step))
                asked = list(api_named(step.api).read_request(request).messages)
                seen.messages[step.id] = (asked, said)
                parts = [part for message in said for part in message["parts"]]
                seen.asked |= {p.get("id") for p in parts if p["type"] == "tool_call"}
        return seen


@contextmanager
def bench(python: Path, case: Case, folder: Path) -> Iterator[Bench]:
    """A bench with a server of its own."""
    with Evening() as server:
        yield Bench(python, case, folder, server)
