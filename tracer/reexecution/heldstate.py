"""Conversations that the provider holds: where a fork must not go on, because what is held there
is the recorded conversation and not the forked one.

A request may name the answer before it, a conversation or a single item instead of sending its
history. After a substitute the provider's copy is another one, and its answer would be to a
conversation that this run never had. Such a request is refused before it leaves.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from tracer.capture.boundary import Answer, Call, HttpAnswer
from tracer.core.records import Step
from tracer.providers import api_named
from tracer.providers.base import Api, HeldState, HttpReply, HttpRequest
from tracer.providers.jsontext import canonical
from tracer.reexecution.answers import Answers
from tracer.store.reading import Store

_IDS = ("id", "item_id")
_LEAST = 8  # characters of an id that is looked for inside other text


class HeldStates:
    """What the provider holds otherwise than this re-execution has it. The caller holds a lock."""

    def __init__(self, steps: Sequence[Step], answers: Answers, fork: Step | None) -> None:
        self._steps = steps
        self._answers = answers
        self._fork = fork
        self._unreal: set[str] = set()
        self._grown: set[str] | None = None

    def substituted(self, step: Step, call: Call, answer: Answer) -> None:
        """An answer was given instead of the recorded one; an equal one changes nothing."""
        if step.api is None or call.request is None:
            return
        _, recorded = self._answers.exchange(step)
        if recorded is not None:
            self._given(call, answer, recorded)

    def given(self, call: Call, answer: Answer) -> None:
        """An answer was given that the provider never gave: it holds nothing of it."""
        self._given(call, answer, None)

    def _given(self, call: Call, answer: Answer, recorded: HttpReply | None) -> None:
        if call.api is None or call.request is None or not isinstance(answer, HttpAnswer):
            return
        if answer.failure is not None:
            return  # what broke on the way here is held there whole
        body = b"".join(answer.chunks)
        given = call.api.read_reply(call.request, HttpReply(answer.status, answer.headers, body))
        if not given.messages:
            return
        said = [] if recorded is None else call.api.read_reply(call.request, recorded).messages
        known = [canonical(part) for message in said for part in message["parts"]]
        parts = [part for message in given.messages for part in message["parts"]]
        if recorded is not None and list(map(canonical, parts)) == known:
            return
        if given.response_id:
            self._unreal.add(given.response_id)
        changed = [part for part in parts if canonical(part) not in set(known)]
        self._unreal.update(name for part in changed for name in _ids_in(part))
        held = call.api.server_state(call.request)
        self._unreal.update(state.id for state in held if state.grows)

    def refusal(self, call: Call, *, live: bool) -> str | None:
        """Why a call after the fork can't be answered truthfully, None if it can.

        `live`: by the provider; else by the recorded answer to the same request.
        """
        if self._fork is None or call.request is None:
            return None
        if call.api is None:
            return self._refused_http(call.request) if live else None
        for state in call.api.server_state(call.request):
            if state.id in self._unreal or (live and state.id in self._held()):
                return self._sentence(f"the {call.kind} call {call.name}", state)
        return None

    def _refused_http(self, request: HttpRequest) -> str | None:
        """A request of no known format that names such a conversation (to fetch it, say)."""
        text = request.url.encode() + b" " + request.body
        for name in sorted(self._unreal | self._held()):
            if len(name) >= _LEAST and name.encode() in text:
                path = request.url.split("?", 1)[0]
                return self._sentence(f"{request.method} {path}", HeldState("id", name))
        return None

    def _sentence(self, who: str, state: HeldState) -> str:
        assert self._fork is not None
        return (
            f"{who} leaves its history to the provider ({state.field} {state.id}), which holds "
            f"what was recorded from step {self._fork.n} on and not this fork, so nothing was "
            "sent: let the agent send its history in the request, and fork that recording"
        )

    def _held(self) -> set[str]:
        """Conversations to which the recording itself added turns at the fork or after it, and
        what a recording that is a fork itself never got from the provider."""
        if self._grown is None:
            self._grown = set()
            for step in self._steps:
                is_later = self._fork is not None and step.start_seq >= self._fork.start_seq
                if is_later or step.source == "substituted":
                    self._grown.update(self._names_of(step))
        return self._grown

    def _names_of(self, step: Step) -> Iterator[str]:
        if step.source == "substituted" and isinstance(step.detail.get("response_id"), str):
            yield step.detail["response_id"]
        api = _api_of(step)
        request = None if api is None else self._answers.exchange(step)[0]
        if api is not None and request is not None:
            yield from (state.id for state in api.server_state(request) if state.grows)


def held_warnings(store: Store, steps: Sequence[Step], fork: Step) -> list[str]:
    """Says which recorded call a fork can't get past, because it names what will differ."""
    later = [step for step in steps if step.start_seq >= fork.start_seq]
    changed = {str(step.detail.get("response_id")) for step in later}
    for step in later:
        api, request = _api_of(step), None
        if api is not None and step.id != fork.id:
            request = store.request(step)
        if api is None or request is None:
            continue
        for state in api.server_state(request):
            if state.grows or state.id in changed:
                what = (
                    f"step {step.n} ({step.name}) leaves its history to the provider "
                    f"({state.field}), which holds the recorded one: a fork whose answer differs "
                    "stops before such a call"
                )
                return [what]
    return []


def _api_of(step: Step) -> Api | None:
    try:
        return api_named(step.api or "")
    except KeyError:  # a function, or a format that only another version knows
        return None


def _ids_in(part: dict[str, Any]) -> Iterator[str]:
    """The names by which a later request may refer to a part."""
    for holder in (part, part.get("message"), part.get("server_tool_call")):
        if isinstance(holder, dict):
            yield from (holder[key] for key in _IDS if isinstance(holder.get(key), str))
