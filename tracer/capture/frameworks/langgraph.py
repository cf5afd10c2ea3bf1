"""LangGraph: a compiled graph is an agent; one called inside a node of another, a sub-agent."""

from types import ModuleType
from typing import Any

from tracer.capture.frameworks.seam import Agent, shown, watch


def patch(module: ModuleType) -> None:
    """Watch the four ways to run a graph; `invoke` runs `stream`, which is the same run."""
    for name in ("invoke", "ainvoke", "stream", "astream"):
        watch(module.Pregel, name, _describe)


def _describe(self: Any, input: Any = None, *args: Any, **kwargs: Any) -> Agent:
    return Agent(str(self.name), {"input": _state(input)}, self, _outcome)


def _outcome(state: Any) -> Any:
    """The last message of a conversation; of other graphs the state, of a stream its last item."""
    messages = state.get("messages") if isinstance(state, dict) else None
    if isinstance(messages, list) and messages:
        return _message(messages[-1])
    return _state(state)


def _state(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("messages"), list):
        return {**shown(value), "messages": [_message(m) for m in value["messages"]]}
    return shown(value)


def _message(message: Any) -> Any:
    """What a message says; the ids that LangGraph makes up differ from run to run."""
    content = getattr(message, "content", None)
    return shown(message) if content is None else shown(content)
