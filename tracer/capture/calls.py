"""A step about to happen, and what a handler says of it: do it, or answer it?

`StepHandler` is the port of the step boundary: capture declares it, a re-execution implements it.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tracer.capture.answers import Answer, Document
from tracer.capture.values import Encoded
from tracer.core.records import JSON, Effect, Slot, Source, StepKind
from tracer.providers.base import Api, HttpRequest


@dataclass(slots=True)
class Call:
    """A step about to happen, as a handler sees it."""

    kind: StepKind
    name: str
    slot: Slot
    effect: Effect | None = None
    given: Encoded | None = None  # the arguments (functions)
    document: Document | None = None  # model functions: the conversation
    request: HttpRequest | None = None
    api: Api | None = None
    callsite: str | None = None
    detail: dict[str, JSON] = field(default_factory=dict)  # what is known beyond that
    repeated: bool = False  # a tool with this idempotency key has succeeded in this run
    retry: int = 0  # how often the same request failed before, from the same place
    # Functions: be called with these arguments otherwise, and without those named; ValueError says
    # why not. `edited` is then what they are called with.
    edit: "Callable[[dict[str, Any], list[str]], None] | None" = None
    edited: tuple[tuple[Any, ...], dict[str, Any]] | None = None
    editable: bool = False  # requests: the client sends what `request` holds in the end

    @property
    def input(self) -> bytes | None:
        """Tagged JSON of the arguments (functions)."""
        return None if self.given is None else self.given.data

    @property
    def copies(self) -> dict[str, Any]:
        """Exact copies of the arguments, by name, where there are any. Not to be changed."""
        if self.document is not None:
            return self.document.copies
        return self.given.tree if self.given is not None and self.given.plain else {}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a handler says of a call. `answer` None: do it for real.

    `ticket` is the handler's own. `fingerprint` is set when the handler computed it. `pending`:
    nothing is decided yet, somebody is to be asked.
    """

    answer: Answer | None = None
    source: Source = "live"
    matched_step: str | None = None
    diverged: bool = False
    fingerprint: str | None = None
    ticket: Any = None
    detail: dict[str, JSON] = field(default_factory=dict)
    pending: "Pending | None" = None


LIVE = Decision()


class Pending(Protocol):
    """A decision that somebody has to make. May raise as `StepHandler.decide` may."""

    def settle(self) -> Decision:
        """Wait for it, blocking."""
        ...

    async def settle_async(self) -> Decision:
        """Wait for it while the event loop goes on."""
        ...


T = TypeVar("T")
# What begins a step: hands out what is pending, takes the decision. So that it is written once,
# whether its caller can await or not.
Opening = Generator[Pending, Decision, T]


class StepHandler(Protocol):
    """Do it, or answer it? Called for every step of a run that is a re-execution.

    `decide` may raise a ReplayStop. `wait`/`wait_async` hold an answer back until the recorded
    order allows it to be seen; `point` is "reply" (before it is given) or "end" (stream read).
    """

    def decide(self, call: Call) -> Decision: ...

    def wait(self, decision: Decision, point: str) -> None: ...

    async def wait_async(self, decision: Decision, point: str) -> None: ...

    async def hang(self, decision: Decision) -> None:
        """Return never: the recorded step was cancelled here, as this one will be."""

    def let_go(self, decision: Decision) -> None:
        """An answer was closed before its end, as it was in the recording."""

    def cannot(self, sentence: str) -> BaseException:
        """End the re-execution because an answer can't be given; the exception to raise."""

    def is_offline(self) -> bool:
        """Whether answers come from the recording alone, so that nothing may leave."""

    def reached(self, decision: Decision, sequence: int) -> bool:
        """Whether all that was recorded up to this place in the sequence has happened again."""

    def check(self) -> None:
        """Raise the ReplayStop that already ended this re-execution, if one did."""
