"""What must be in a recorded evening; True where it is, else a sentence that says what is not."""

import json
from collections import Counter
from typing import Any

from tests.frameworks import planner
from tests.frameworks.bench import Recorded
from tests.frameworks.cases import Case
from tests.frameworks.evening import Sent
from tracer.core.records import Step

Said = bool | str
_SIGNS = ("sunny in Berlin", "sunny in Paris", "T-7", planner.REFUSED)


def models(seen: Recorded, sent: list[Sent]) -> Said:
    """A model step for each request, an error for each refusal."""
    calls = seen.kind("model")
    if len(calls) != len(sent):
        return f"{len(calls)} model calls for {len(sent)} requests"
    failed = [step.n for step in calls if step.status != "ok"]
    refused = sum(one.status >= 400 for one in sent)
    return True if len(failed) == refused else f"{refused} were refused, steps {failed} are not ok"


def usage(seen: Recorded, sent: list[Sent]) -> Said:
    """The token counts of the steps, as the server sent them; concurrent ones in any order."""
    counts = Counter(
        (step.usage.input_tokens, step.usage.output_tokens)
        for step in seen.kind("model")
        if step.usage is not None and step.status == "ok"
    )
    wanted = Counter((one.input_tokens, one.output_tokens) for one in sent if one.status < 400)
    return True if counts == wanted else f"recorded {counts - wanted}, sent {wanted - counts}"


def messages(seen: Recorded, heard: str, case: Case) -> Said:
    """Each call was asked something and said something; what the model was told of the tools'
    results (`heard`: the requests as they came) is in the messages."""
    told = list[str]()
    for step in seen.kind("model"):
        asked, said = seen.messages.get(step.id, ([], []))
        if not _parts(asked):
            return f"step {step.n} was asked nothing"
        if step.status == "ok" and not _parts(said):
            return f"step {step.n} said nothing"
        results = [p for p in _parts(asked) if p["type"] == "tool_call_response"]
        told += map(_text, _parts(asked) if case.told_in_text else results)
    wanted = [sign for sign in _SIGNS if sign in heard]
    missing = [sign for sign in wanted if not any(sign in text for text in told)]
    return f"no model was told {missing}" if missing else True


def _parts(told: list[Any]) -> list[Any]:
    return [part for message in told for part in message["parts"]]


def _text(part: Any) -> str:
    return json.dumps(part, ensure_ascii=False)


def of_evening(seen: Recorded, case: Case) -> list[Step]:
    """The executions that the agent was made for, without a framework's own tools."""
    names = tuple({name for name, _, _ in case.tools})
    found = [step for step in seen.kind("tool") if step.name.endswith(names)]
    return found[: len(case.tools)] if case.tools[0][0] == "bash" else found


def tools(found: list[Step], seen: Recorded, case: Case) -> Said:
    """Every execution once, with the model's arguments and the function's result."""
    if len(found) != len(case.tools):
        return f"{len(found)} tool steps: {[step.summary for step in found]}"
    left = list(case.tools)
    for step in found:
        given, came = seen.values[f"{step.id} input"], seen.values[f"{step.id} output"]
        match = next((w for w in left if step.name.endswith(w[0]) and given == w[1]), None)
        if match is None:
            return f"{step.name} was given {given}"
        left.remove(match)
        if not is_result(came, match[2]):
            return f"{step.name} gave {came!r}, not {match[2]!r}"
    return True


def is_result(came: Any, wanted: Any) -> bool:
    """An MCP server's result holds its text in parts, and the data beside it."""
    if wanted is None or came == wanted:
        return True
    if not isinstance(came, dict) or "content" not in came:
        return False
    structured = came.get("structured_content") or came.get("structuredContent")
    return wanted in (came["content"][0].get("text"), structured)


def errors(found: list[Step], seen: Recorded, case: Case) -> Said:
    """The cancellation failed."""
    step = found[-1] if found else None
    if step is None:
        return "no such step"
    if not case.raises:
        said = str(seen.values[f"{step.id} output"])
        return True if planner.REFUSED in said else f"it gave {said}"
    if step.status == "error" and step.error and planner.REFUSED in step.error.message:
        return True
    return f"{step.status}: {seen.values[f'{step.id} output']!r}"


def ids(found: list[Step], seen: Recorded, case: Case) -> Said:
    """Each execution knows the call it answers, where the API gives calls an id."""
    given = [step.detail.get("tool_call_id") for step in found]
    if case.asks_in_text or case.no_ids:
        return True if given == [None] * len(given) else f"ids from nowhere: {given}"
    for step, call_id in zip(found, given, strict=True):
        if call_id not in seen.asked:
            return f"{step.name} has {call_id!r}, the model gave {sorted(map(str, seen.asked))}"
    return True if len(set(given)) == len(given) else f"an id twice: {given}"


def parents(seen: Recorded) -> Said:
    """Every step's parent is there, and began before it."""
    at = {step.id: step.n for step in seen.steps}
    for step in seen.steps:
        if step.parent is not None and at.get(step.parent, step.n) >= step.n:
            return f"step {step.n} ({step.name}) stands under {step.parent}"
    return True


def agents(seen: Recorded, found: list[Step], case: Case) -> Said:
    """The agents by name, and every call and execution in the one it belongs to."""
    names = tuple(step.name for step in seen.kind("agent"))
    if names != case.agents:
        return f"agents seen: {names}"
    if not case.agents:
        return True
    by_id = {step.id: step for step in seen.steps}
    for step in seen.steps:
        if step.kind not in ("tool", "model"):
            continue
        above = by_id.get(step.parent or "")
        while above is not None and above.kind == "tool":  # a process that a tool starts
            above = by_id.get(above.parent or "")
        if above is None and case.free_calls and step.kind == "model":
            continue
        if above is None or above.kind != "agent":
            return f"step {step.n} ({step.name}) is in no agent"
    for step in found:
        above = by_id[step.parent or ""]
        is_first = step.name.endswith("get_weather") and not case.free_calls
        wanted = case.agents[0] if is_first else case.agents[-1]
        if above.name != wanted:
            return f"{step.name} is in {above.name}, not in {wanted}"
    return True
