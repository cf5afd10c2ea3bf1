"""A model call as the detail pane shows it: answer, what its request added, what it could call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracer_ui.api import ModelRequest, Step, Store, asked, said
from tracer_ui.blocks import Room
from tracer_ui.delta import delta, is_echo
from tracer_ui.jsonlines import JsonBlock, clip, json_block
from tracer_ui.messages import MessageView, message_views, parts_of
from tracer_ui.outline import Outline

_CANDIDATES = 8  # earlier model calls looked at for the longest shared history


@dataclass(frozen=True, slots=True)
class ToolOffered:
    """A tool the model could have called."""

    name: str
    description: str
    called: bool


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model call: its answer, what its request added, what it could call.

    `fresh` follow `earlier` unchanged messages of the call at step `previous`; those with an
    index in `echoes` only hand an answer back. `gone` messages of that call were dropped. `held`
    names the fields by which the request leaves the messages before it to the provider.
    """

    answer: tuple[MessageView, ...]
    known: bool
    fresh: tuple[MessageView, ...]
    echoes: frozenset[int]
    left_out: int
    earlier: int
    gone: int
    previous: int | None
    history: tuple[MessageView, ...]
    tools: tuple[ToolOffered, ...]
    parameters: JsonBlock | None
    ran: Mapping[str, int]
    held: str = ""


def model_view(store: Store, step: Step, outline: Outline, room: Room, history: bool) -> ModelView:
    """A model call; `history` includes the messages that an earlier request had too."""
    answer = said(store, step)
    views = message_views(answer, room, "out")
    request = asked(store, step)
    called = {part.get("name") for message in answer for part in parts_of(message)}
    ran = _ran(outline, step.n)
    if request is None:
        return ModelView(views, False, (), frozenset(), 0, 0, 0, None, (), (), None, ran)
    held = step.detail.get("held")
    fields = ", ".join(map(str, held[:4])) if isinstance(held, list) else ""
    # What the provider holds is not sent again, so against an earlier request all would be gone.
    previous, before = (None, None) if fields else _previous(store, step, outline)
    change = delta(before.messages if before else (), request.messages)
    answers = said(store, previous) if previous else []
    fresh = message_views(request.messages, room, "in", chosen=change.new)
    echoes = frozenset(i for i in change.new if is_echo(request.messages[i], answers))
    kept = change.kept if history else ()
    shown = message_views(request.messages, room, "in", chosen=kept)
    return ModelView(
        answer=views,
        known=True,
        fresh=fresh,
        echoes=echoes,
        left_out=len(change.new) - len(fresh),
        earlier=len(change.kept),
        gone=change.gone,
        previous=previous.n if previous else None,
        history=shown,
        tools=_tools(request, called),
        parameters=json_block(request.parameters, 60) if request.parameters else None,
        ran=ran,
        held=clip(fields, 100),
    )


def _previous(
    store: Store, step: Step, outline: Outline
) -> tuple[Step | None, ModelRequest | None]:
    """The earlier call of the same agent that shares the longest history.

    The one just before may belong to another conversation: agents call models in parallel.
    """
    best: Step | None = None
    most = -1
    n: int | None = step.n
    for _ in range(_CANDIDATES):
        n = outline.go("previous-model", n) if n is not None else None
        if n is None:
            break
        candidate = store.step(step.run_id, n)
        shared = store.shared_messages(candidate, step)
        if shared > most:
            best, most = candidate, shared
    return best, None if best is None else asked(store, best)


def _tools(request: ModelRequest, called: set[Any]) -> tuple[ToolOffered, ...]:
    return tuple(
        ToolOffered(
            clip(str(tool.get("name") or tool.get("type") or "?"), 120),
            clip(" ".join(str(tool.get("description") or "").split()), 200),
            tool.get("name") in called,
        )
        for tool in request.tools[:100]
    )


def _ran(outline: Outline, n: int) -> dict[str, int]:
    """Tool name -> the step that executed it, for the calls of the answer at step `n`."""
    found: dict[str, int] = {}
    end = outline.go("next-model", n) or outline.last + 1
    here = outline[n]
    m = outline.go("next", n)
    while m is not None and m < end and m < n + 200:
        node = outline[m]
        if node.kind == "tool" and node.agent == here.agent:
            found.setdefault(node.name, m)
        m = outline.go("next", m)
    return found


def asked_for(model: ModelView | None) -> list[str]:
    """Names of the tools an answer asks for, each once."""
    answers = model.answer if model is not None else ()
    named = [p.call.name for answer in answers for p in answer.parts if p.call is not None]
    return list(dict.fromkeys(named))
