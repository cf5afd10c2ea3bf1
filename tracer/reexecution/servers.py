"""Which server is asked: the one of the recording, and none without a key of its own."""

from collections.abc import Callable
from urllib.parse import urlsplit

from tracer.capture.boundary import Call
from tracer.core.marks import REDACTED
from tracer.core.records import Step
from tracer.errors import ReplayStop, SetupStop
from tracer.reexecution.answers import Answers
from tracer.reexecution.divergence import Divergence

DUMMY_KEY = "tracer-replay-has-no-key"


class Servers:
    """Ports on this machine are no part of a question, because they vary; but two servers there
    must not be taken for each other."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._now: dict[str | None, str] = {}
        self._recorded: dict[str, str | None] = {}

    def another(self, call: Call, step: Step) -> Divergence | None:
        """The divergence, when a request goes to another server than the recorded one did."""
        if call.kind != "http" or call.request is None:
            return None
        recorded, now = self._answers.server(step), urlsplit(call.request.url).netloc
        known = self._now.setdefault(recorded, now), self._recorded.setdefault(now, recorded)
        if known == (now, recorded):
            return None
        what = f"step {step.n} ({step.kind} {step.name}) asks another server than before: {now}"
        return Divergence("changed_request", what, step.n, step.id)


def refuse_dummy_key(call: Call, stop: Callable[[ReplayStop], ReplayStop]) -> None:
    """No request leaves with what stands in for a missing API key, or for one that was recorded."""
    if call.request is None:
        return
    keys = [value for name, value in call.request.headers if name.lower() != "cookie"]
    if any(
        word in place for place in (call.request.url, *keys) for word in (DUMMY_KEY, REDACTED[:-1])
    ):
        raise stop(
            SetupStop(
                "the live part needs an API key and the environment has none: set OPENAI_API_KEY, "
                "ANTHROPIC_API_KEY or what your provider uses, and fork again"
            )
        )
