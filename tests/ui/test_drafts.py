"""The fork editor's form: nothing typed is lost, types are kept, and what it asks for is right."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_ui.drafts import (
    CallDraft,
    Draft,
    call_arguments,
    call_fields,
    draft_call,
    edited,
    first_draft,
    read_form,
    recorded_answer,
    recorded_result,
)
from tracer_ui.forking import forked
from tracer_ui.schemaforms import BadField, fields_for, read_field

SCHEMA = {
    "type": "object",
    "properties": {
        "customer": {"type": "string", "description": "Who."},
        "limit": {"type": "integer"},
        "price": {"type": "number"},
        "urgent": {"type": "boolean"},
        "status": {"type": "string", "enum": ["any", "paid"]},
        "filter": {"type": "object"},
    },
    "required": ["customer"],
}
TOOLS = [{"name": "list_orders", "parameters": SCHEMA}, {"name": "ping", "parameters": {}}]
ARGUMENTS = {"customer": "CUS-1", "limit": 5, "price": 2.5, "urgent": False, "status": "any"}
ANSWER = {
    "role": "assistant",
    "parts": [
        {"type": "reasoning", "content": "hm", "signature": "sig"},
        {"type": "text", "content": "Let me look."},
        {"type": "tool_call", "id": "call_1", "name": "list_orders", "arguments": ARGUMENTS},
    ],
}
RECORDED = recorded_answer(ANSWER, TOOLS)


def posted(draft: Draft) -> dict[str, str]:
    """The form as a browser would send it back."""
    form = {
        "mode": draft.mode,
        "text": draft.text.replace("\n", "\r\n"),
        "calls": str(len(draft.calls)),
        "failure": draft.failure,
        "result": draft.result,
        "after": draft.after,
    }
    for index, call in enumerate(draft.calls):
        form |= {
            f"call.{index}.name": call.name,
            f"call.{index}.id": call.id,
            f"call.{index}.json": call.json,
            f"call.{index}.as": "json" if call.as_json else "form",
        }
        for name, (widget, value) in call.values.items():
            form |= {f"call.{index}.k.{name}": widget, f"call.{index}.f.{name}": value}
    return form


def change(draft: Draft, **fields: str) -> Draft:
    form = posted(draft)
    return read_form(form | {key.replace("__", "."): value for key, value in fields.items()})


def test_the_form_opens_with_the_recording_and_means_no_change() -> None:
    draft = read_form(posted(first_draft(RECORDED)))
    assert draft.text == "Let me look."
    result = forked(draft, RECORDED)
    assert result.unchanged
    assert not result.problems
    assert result.substitute is not None
    assert result.substitute.kind == "tool_call"
    assert result.substitute.arguments == ARGUMENTS


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from([*SCHEMA["properties"], "extra", "odd name"])


def survives(text: Any) -> bool:
    """A form sends line ends as CR LF; a lone carriage return can't come back from one."""
    return "\r" not in repr(text).replace("\\r", "\r")


@given(st.dictionaries(NAMES, JSON.filter(survives), max_size=8))
def test_arguments_of_any_type_survive_the_form(arguments: dict[str, Any]) -> None:
    call = draft_call("list_orders", "c", arguments, SCHEMA, as_json=False)
    back = read_form(posted(Draft("say", calls=(call,)))).calls[0]
    found = call_arguments(back, SCHEMA)
    given = arguments if "customer" in arguments else {**arguments, "customer": ""}
    assert json.dumps(found, sort_keys=True) == json.dumps(given, sort_keys=True)


@given(st.dictionaries(NAMES, JSON.filter(survives), max_size=8))
def test_switching_to_json_and_back_keeps_the_arguments(arguments: dict[str, Any]) -> None:
    call = draft_call("list_orders", "c", {"customer": "x", **arguments}, SCHEMA, as_json=False)
    draft = Draft("say", calls=(call,))
    there = edited(draft, RECORDED, "json.0")
    assert there.calls[0].as_json
    back = edited(there, RECORDED, "form.0")
    assert call_arguments(back.calls[0], SCHEMA) == {"customer": "x", **arguments}


def test_fields_follow_the_schema() -> None:
    fields = {f.name: f for f in fields_for(SCHEMA, ARGUMENTS, ARGUMENTS) or ()}
    widgets = {name: field.widget for name, field in fields.items()}
    assert widgets == {
        "customer": "text",
        "limit": "number",
        "price": "number",
        "urgent": "boolean",
        "status": "choice",
        "filter": "json",
    }
    assert fields["customer"].required
    assert fields["customer"].hint == "Who."
    assert fields["status"].choices == ('"any"', '"paid"')
    assert fields["filter"].value == ""


def test_a_value_of_another_type_than_the_schema_says_stays_what_it_is() -> None:
    fields = {
        f.name: f
        for f in fields_for(SCHEMA, {"customer": 5, "limit": "many", "status": "odd"}, {}) or ()
    }
    assert [fields[n].widget for n in ("customer", "limit", "status")] == ["json"] * 3
    assert fields["customer"].value == "5"


@pytest.mark.parametrize("schema", [None, {}, {"properties": None}, {"properties": []}, "x", 5])
def test_without_properties_there_is_only_the_json_box(schema: Any) -> None:
    call = draft_call("ping", "", {"a": 1}, schema, as_json=False)
    assert call.as_json
    assert call_arguments(call, schema) == {"a": 1}
    assert call_fields(call, RECORDED) is None


def test_numbers_are_numbers_and_anything_else_stays_text() -> None:
    assert read_field("number", " 5 ") == 5
    assert read_field("number", "2.50") == 2.5
    assert read_field("number", "1e3") == 1000.0
    assert read_field("number", "many") == "many"
    assert read_field("number", "inf") == "inf"
    assert read_field("text", "5") == "5"
    assert read_field("boolean", "true") is True
    with pytest.raises(BadField, match="not JSON"):
        read_field("json", "{")


def test_an_edited_argument_is_shown_with_what_it_was() -> None:
    draft = change(first_draft(RECORDED), call__0__f__customer="CUS-2")
    fields = {f.name: f for f in call_fields(draft.calls[0], RECORDED) or ()}
    assert fields["customer"].was == "CUS-1"
    assert fields["limit"].was == ""
    result = forked(draft, RECORDED)
    (only,) = result.changes
    assert only.path == "calls[0].arguments.customer"
    assert result.substitute is not None
    assert result.substitute.arguments["customer"] == "CUS-2"


def test_only_the_text_changed_gives_a_whole_answer_with_everything_kept() -> None:
    result = forked(change(first_draft(RECORDED), text="No."), RECORDED)
    assert result.substitute is not None
    assert result.substitute.kind == "response"
    parts = result.substitute.response["parts"]
    assert [part["type"] for part in parts] == ["reasoning", "text", "tool_call"]
    assert parts[0]["signature"] == "sig"
    assert parts[2]["id"] == "call_1"
    assert result.substitute.response["finish_reason"] == "tool_call"


def test_removing_the_calls_leaves_text() -> None:
    result = forked(edited(first_draft(RECORDED), RECORDED, "remove.0"), RECORDED)
    assert result.substitute is not None
    assert (result.substitute.kind, result.substitute.text) == ("text", "Let me look.")
    assert len(result.changes) == 1


def test_two_calls_make_a_whole_answer() -> None:
    draft = edited(first_draft(RECORDED), RECORDED, "add")
    result = forked(draft, RECORDED)
    assert result.substitute is not None
    calls = [p for p in result.substitute.response["parts"] if p["type"] == "tool_call"]
    assert [call["name"] for call in calls] == ["list_orders", "list_orders"]
    assert "id" not in calls[1]


def test_the_same_tool_name_is_needed_to_edit_in_place() -> None:
    draft = Draft("say", text="Let me look.", calls=(CallDraft("ping", as_json=True, json="{}"),))
    result = forked(draft, RECORDED)
    assert result.substitute is not None
    assert result.substitute.kind == "response"


def test_schema_problems_name_the_field_and_forbid_nothing() -> None:
    draft = change(first_draft(RECORDED), call__0__f__limit="many")
    result = forked(draft, RECORDED)
    (problem,) = result.problems
    assert problem.field == "call.0.f.limit"
    assert not problem.blocks
    assert result.substitute is not None
    assert result.substitute.arguments["limit"] == "many"


def test_an_unknown_tool_is_a_problem_that_forbids_nothing() -> None:
    draft = Draft("say", calls=(CallDraft("fly", as_json=True, json='{"to": "moon"}'),))
    result = forked(draft, RECORDED)
    assert [problem.blocks for problem in result.problems] == [False]
    assert result.substitute is not None


@pytest.mark.parametrize(
    ("draft", "field"),
    [
        (Draft("say", calls=(CallDraft("ping", as_json=True, json="{"),)), "call.0.json"),
        (Draft("say", calls=(CallDraft("", as_json=True),)), "call.0.name"),
        (Draft("say", policies={"send": "live"}, confirmed={"send": "Send"}), "confirm.send"),
        (Draft("say", policies={"send": "stub"}, stubs={"send": "{"}), "stub.send"),
        (Draft("say", max_live="many"), "max_live"),
        (Draft("say", program="agent.py 'x"), "program"),
    ],
)
def test_what_cannot_run_is_blocked_at_its_field(draft: Draft, field: str) -> None:
    result = forked(draft, RECORDED)
    assert result.blocked
    assert result.substitute is None
    assert [problem.field for problem in result.problems] == [field]


def test_a_live_tool_needs_its_name_typed() -> None:
    draft = Draft("say", policies={"send": "live"}, confirmed={"send": " send "})
    assert not forked(draft, RECORDED).blocked


def test_a_failure_instead_of_an_answer() -> None:
    result = forked(Draft("error", failure="timeout"), RECORDED)
    assert result.substitute is not None
    assert (result.substitute.kind, result.substitute.error) == ("error", "timeout")


def test_tool_results() -> None:
    recorded = recorded_result({"total": 480.0, "items": [1, 2]})
    draft = first_draft(recorded)
    assert forked(draft, recorded).unchanged
    result = forked(Draft("result", result='{"total": 24.0, "items": [1, 2]}'), recorded)
    assert result.substitute is not None
    assert result.substitute.result == {"total": 24.0, "items": [1, 2]}
    assert [view.path for view in result.changes] == ["total"]
    broken = forked(Draft("result", result="text"), recorded)
    assert broken.blocked
    assert "double quotes" in broken.problems[0].message


@given(st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=12))
def test_any_form_can_be_read(form: dict[str, str]) -> None:
    forked(read_form(form), RECORDED)
    forked(read_form(form | {"mode": "result"}), recorded_result(None))


@pytest.mark.parametrize(
    "do", ["", "add", "remove.9", "remove.x", "json.0", "form.0", "tool.0", "fly.0", "json.-1"]
)
def test_buttons_that_fit_nothing_do_nothing_bad(do: str) -> None:
    edited(Draft("say"), RECORDED, do)


def test_no_more_calls_than_a_page_can_hold() -> None:
    draft = read_form({"calls": "9999"})
    assert len(draft.calls) == 40
    assert len(edited(draft, RECORDED, "add").calls) == 40
