"""Tool executions find the model's calls they do."""

import json

from tracer.capture.toolcalls import ToolCalls


def _said(*calls: tuple[str, str, object]) -> bytes:
    parts = [{"type": "tool_call", "id": i, "name": n, "arguments": a} for i, n, a in calls]
    return json.dumps([{"role": "assistant", "parts": parts}]).encode()


def _executed(calls: ToolCalls, name: str, given: object, told: str | None = None) -> object:
    detail = {} if told is None else {"tool_call_id": told}
    return calls.executed("r", name, json.dumps(given).encode(), detail).get("tool_call_id")


def test_name_and_arguments_tell_the_call_once() -> None:
    calls = ToolCalls()
    calls.asked("r", _said(("a", "look", {"x": 1}), ("b", "look", {"x": 1}), ("c", "look", {})))
    calls.asked("r", _said(("a", "look", {"x": 1})))  # the same reply, seen by a wrapper too
    assert _executed(calls, "look", {"x": 2}) is None
    assert [_executed(calls, "look", {"x": 1}) for _ in range(3)] == ["a", "b", None]
    assert _executed(calls, "look", {}) == "c"


def test_an_id_that_is_told_wins_and_is_used_up() -> None:
    calls = ToolCalls()
    calls.asked("r", _said(("a", "look", {}), ("b", "look", {})))
    assert _executed(calls, "other", {"y": 1}, "a") == "a"
    assert _executed(calls, "look", {}, "unknown") is None
    assert _executed(calls, "look", {}) == "b"


def test_runs_are_apart_and_forgotten() -> None:
    calls = ToolCalls()
    calls.asked("other", _said(("a", "look", {})))
    assert _executed(calls, "look", {}) is None
    calls.ended("other")
    assert calls.executed("other", "look", b"{}", {}) == {}
    calls.asked("r", b'[{"role": "assistant", "parts": [{"type": "text", "content": "no"}]}]')
    assert _executed(calls, "look", {}) is None
