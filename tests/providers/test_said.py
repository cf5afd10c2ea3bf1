"""Answers put together from the recorded one."""

from tracer.providers import said_text, said_tool_call

from .replies import MESSAGE_JSON, MESSAGES, messages_request, tool_call

RECORDED = MESSAGES.read_reply(messages_request(), MESSAGE_JSON).messages[0]
REASONING = RECORDED["parts"][:2]


def test_text_keeps_the_signed_reasoning() -> None:
    said = said_text(RECORDED, "No.")
    assert said["parts"] == [*REASONING, {"type": "text", "content": "No."}]
    assert "finish_reason" not in said
    assert said_text(None, "No.")["parts"] == [{"type": "text", "content": "No."}]


def test_the_same_tool_keeps_its_id() -> None:
    said = said_tool_call(RECORDED, "weather", {"city": "Rome"})
    assert said["parts"] == [*REASONING, tool_call("weather", {"city": "Rome"}, "toolu_a")]


def test_another_tool_has_no_id_yet() -> None:
    said = said_tool_call(RECORDED, "refund", {"order": 1})
    assert said["parts"] == [*REASONING, tool_call("refund", {"order": 1})]
    assert said_tool_call(None, "refund", {})["parts"] == [tool_call("refund", {})]
