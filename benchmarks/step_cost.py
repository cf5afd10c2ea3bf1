"""What a recorded step costs the agent, against an OpenTelemetry span with the same payload."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import tracer
from benchmarks import agents
from benchmarks.payloads import Script
from benchmarks.rows import Row, Target, compared
from tracer.capture import decorators, runtime

Form = Literal["function", "http"]
FORMS: tuple[tuple[Form, str], ...] = (
    ("function", "@tracer.model function"),
    ("http", "model over httpx2"),
)
# Steps of a conversation, and rounds: the short ones are the noisier.
SIZES = ((10, 60), (100, 15), (1000, 5))
QUICK_SIZES = ((4, 2), (8, 2), (12, 2))
AGAINST = "a span of opentelemetry-sdk with the same payload as JSON attributes"


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one conversation, in microseconds a step.

    `thread`: CPU of the agent's thread. `process`: CPU of all threads, until what was recorded is
    written and what was exported is gone. `wall`: time the agent took.
    """

    thread: float
    process: float
    wall: float

    def __sub__(self, other: "Cost") -> "Cost":
        return Cost(
            self.thread - other.thread, self.process - other.process, self.wall - other.wall
        )


class Arms:
    """The three ways a conversation is held, ready to be measured again and again."""

    def __init__(self, form: Form, steps: int) -> None:
        self.form = form
        self.script = Script(steps)
        self.steps = 2 * self.script.turns
        self.spans = agents.Spans()

    def _ask(self) -> agents.Model:
        if self.form == "function":
            return agents.model_function(self.script)
        return agents.model_over_http(self.script, agents.mock_client(self.script))

    def bare(self) -> Cost:
        """Neither recorded nor traced."""
        search = agents.tool_function(self.script)
        return self._measure(self._ask(), search, nullcontext(), lambda: None)

    def recorded(self) -> Cost:
        """As a run of tracer's: the function decorated, or the client left as it is."""
        ask = self._ask()
        if self.form == "function":
            ask = decorators.model(ask)
        search = tracer.tool(agents.tool_function(self.script))
        return self._measure(ask, search, tracer.run("benchmark"), runtime.flush)

    def traced(self) -> Cost:
        """With a span around each call."""
        ask = self.spans.around_model(self._ask())
        search = self.spans.around_tool(agents.tool_function(self.script))
        return self._measure(ask, search, self.spans.run(), self.spans.provider.force_flush)

    def _measure(
        self,
        ask: agents.Model,
        search: agents.Tool,
        around: AbstractContextManager[Any],
        settle: Callable[[], object],
    ) -> Cost:
        gc.collect()
        with around:
            process, wall, thread = time.process_time(), time.perf_counter(), time.thread_time()
            agents.converse(self.script, ask, search)
            thread = time.thread_time() - thread
            wall = time.perf_counter() - wall
        settle()
        process = time.process_time() - process
        return Cost(*(seconds / self.steps * 1e6 for seconds in (thread, process, wall)))

    def rounds(self, count: int) -> Iterator[tuple[Cost, Cost]]:
        """What recording and tracing add, `count` times; which goes first changes each round."""
        arms = [self.bare, self.recorded, self.traced]
        for arm in arms:
            arm()  # imports, patches, the database, caches
        for number in range(count):
            turned = arms[number % 3 :] + arms[: number % 3]
            cost = {arm.__name__: arm() for arm in turned}
            yield cost["recorded"] - cost["bare"], cost["traced"] - cost["bare"]
        self.spans.provider.shutdown()


def measure(*, quick: bool) -> Iterator[Row]:
    """Rows of every form and size; the database is the one of TRACER_DB."""
    for form, label in FORMS:
        for steps, rounds in QUICK_SIZES if quick else SIZES:
            costs = list(Arms(form, steps).rounds(rounds))
            aim = 0.5 if steps >= 1000 else None
            for what, name, target in (
                ("thread", "CPU of the agent's thread", Target("ratio", 1.0, aim)),
                ("process", "CPU of the whole process", None),
                ("wall", "time", None),
            ):
                pairs = [(getattr(ours, what), getattr(other, what)) for ours, other in costs]
                yield compared(f"{label}, {steps} steps: {name}", "µs/step", pairs, AGAINST, target)
