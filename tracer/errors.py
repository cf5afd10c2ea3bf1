"""Exceptions of tracer: one base, one sentence each. Imports nothing.

Controlled errors (`TracerError`) are shown to a person as one sentence with the remedy and end a
command with `exit_code`; they never print a traceback. Control-flow exceptions of a re-execution
derive from `BaseException`, so that an agent's `except Exception` around a tool can't swallow them.
"""

EXIT_DONE = 0
EXIT_AGENT_FAILED = 1
EXIT_USAGE = 2
EXIT_DIVERGED = 3
EXIT_POLICY = 4
EXIT_NOT_FOUND = 6
EXIT_CANNOT = 125


class TracerError(Exception):
    """Base of every controlled error; `str(error)` is one sentence that ends with the remedy."""

    exit_code = EXIT_USAGE


class UsageError(TracerError):
    """The command or call was made with arguments that make no sense together."""


class StoreError(TracerError):
    """The database can't be used: corrupt, foreign, newer than this tracer, locked or read-only."""


class BadFileError(TracerError):
    """A file given as input (bundle, response, substitute) is broken or over a limit."""


class NotFoundError(TracerError):
    """No such run or step, or a prefix that fits more than one run."""

    exit_code = EXIT_NOT_FOUND


class CannotReplayError(TracerError):
    """The run can't be re-executed here; the message says why and what would make it so."""

    exit_code = EXIT_CANNOT


class ToolBlocked(TracerError):
    """Raised inside a re-executed agent in place of a tool that policy forbids to run live."""

    exit_code = EXIT_POLICY


class ReplayedError(Exception):
    """Stands for a recorded exception whose class isn't loaded in this process.

    `type_name` is the dotted name of the recorded class.
    """

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(message)
        self.type_name = type_name

    def __str__(self) -> str:
        return f"{self.type_name}: {self.args[0]}"


class ReplayStop(BaseException):
    """Ends a re-execution at once; a `BaseException`, so the agent can't mistake it for its own."""


class DivergenceStop(ReplayStop):
    """The re-executed code asked for something the recording has no answer to."""


class PolicyStop(ReplayStop):
    """A step may not run live under the policy chosen (limit reached, socket opened offline)."""


class SetupStop(ReplayStop):
    """Something the live part needs is missing (an API key); the message says what."""
