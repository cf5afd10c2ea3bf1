"""Which of the model's tool calls a tool execution does, where nobody said its id.

Most agents run exactly what the model asked for: the execution with the name and the arguments of
a call not executed yet is that call's. Looked up on the writer's thread, from what replies held.
"""

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from tracer.capture.values import plain
from tracer.core.messages import tool_calls_of
from tracer.core.records import JSON

_REMEMBERED = 64  # calls of one run that were not executed yet


class ToolCalls:
    """The tool calls asked for in each run under way."""

    def __init__(self) -> None:
        self._asked: dict[str, deque[tuple[str, Any, str]]] = {}

    def asked(self, run_id: str, messages: bytes) -> None:
        """A model said this: a JSON list of messages."""
        if b'"tool_call"' not in messages:
            return
        calls = self._asked.setdefault(run_id, deque(maxlen=_REMEMBERED))
        known = {call_id for _, _, call_id in calls}
        for message in json.loads(messages):
            for call in tool_calls_of(message):
                call_id = call.get("id")
                if isinstance(call_id, str) and call_id and call_id not in known:
                    calls.append((str(call.get("name")), call.get("arguments"), call_id))

    def executed(
        self, run_id: str, name: str, given: bytes | None, detail: Mapping[str, JSON]
    ) -> dict[str, JSON]:
        """The id of the call that an execution does, for its detail; `given` is the tagged JSON of
        its arguments. Nothing when it is not known."""
        calls = self._asked.get(run_id)
        if not calls:
            return {}
        told = detail.get("tool_call_id")
        arguments = None if given is None else plain(given)
        for call in calls:
            if call[2] == told or (told is None and call[:2] == (name, arguments)):
                calls.remove(call)
                return {"tool_call_id": call[2]}
        return {}

    def ended(self, run_id: str) -> None:
        """The run is over."""
        self._asked.pop(run_id, None)
