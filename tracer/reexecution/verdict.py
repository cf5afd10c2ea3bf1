"""What a re-execution came to: its exit code and one sentence for a person."""

from collections.abc import Callable
from dataclasses import dataclass

from tracer.core.records import ErrorInfo, Run
from tracer.errors import (
    EXIT_AGENT_FAILED,
    EXIT_CANNOT,
    EXIT_DIVERGED,
    EXIT_DONE,
    EXIT_POLICY,
    DivergenceStop,
    PolicyStop,
    SetupStop,
    ToolBlocked,
)
from tracer.reexecution.handler import Answerer


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of a re-execution of `parent`; the rest tells of its own run."""

    handler: Answerer
    parent: Run
    error: ErrorInfo | None
    begun: bool
    ended: bool

    def of(self, output_differs: Callable[[], bool]) -> tuple[int, str | None]:
        """Exit code and message, by what weighs most."""
        stop = self.handler.stopped
        if isinstance(stop, SetupStop) or (stop is not None and not self.begun):
            return EXIT_CANNOT, str(stop)
        if isinstance(stop, DivergenceStop):
            return EXIT_DIVERGED, str(stop)
        if isinstance(stop, PolicyStop):
            return EXIT_POLICY, str(stop)
        if not self.ended:
            return EXIT_CANNOT, (
                "the program ended without starting the recorded run: check that it still calls "
                f"{self.parent.name}"
            )
        error, found = self.error, self.handler.divergences
        if error is not None and self._could_not_start(error):
            failed = f"{error.type}: {error.message}"
            return (
                EXIT_CANNOT,
                f"the program can't run here ({failed}): install what it needs, or mend it",
            )
        if found:
            return EXIT_DIVERGED, found[0].message
        if error is not None:
            return self._agent_failed(error)
        if self.handler.rules.fork is None and output_differs():
            return EXIT_DONE, (
                "every step was asked for as recorded, but the agent's result differs: its own "
                "code changed, or it depends on something that is not a step"
            )
        return EXIT_DONE, None

    def _could_not_start(self, error: ErrorInfo) -> bool:
        """Whether a module is missing, or the code can't even be read."""
        if self._failed_so_before(error):
            return False
        if error.type in ("ImportError", "ModuleNotFoundError"):
            return True
        return error.type in ("SyntaxError", "IndentationError", "TabError") and (
            not self.handler.tape.any_used
        )

    def _agent_failed(self, error: ErrorInfo) -> tuple[int, str]:
        said = f"{error.type}: {error.message}"
        if error.type == f"{ToolBlocked.__module__}.{ToolBlocked.__qualname__}":
            return EXIT_POLICY, said
        if self.handler.rules.fork is None and self._failed_so_before(error):
            # A replay that ends as the recording did has done what it promised.
            return EXIT_DONE, f"the agent failed as recorded: {said}"
        return EXIT_AGENT_FAILED, f"the re-executed agent failed: {said}"

    def _failed_so_before(self, error: ErrorInfo) -> bool:
        before = self.parent.error
        message = self.handler.secrets.text(error.message, "error")
        return before is not None and (before.type, before.message) == (error.type, message)
