"""What can be known before a re-execution starts: the step, the entry, the answers, the substitute.

Every refusal is one sentence that says why, and what would make it possible.
"""

import json
import os
import re
import shlex
from typing import Any

from tracer.capture.environment import source_hash
from tracer.core.messages import Message, tool_calls_of
from tracer.core.records import JSON, NOT_CAPTURED, Run, Step
from tracer.errors import CannotReplayError, NotFoundError, UsageError
from tracer.providers import api_named
from tracer.providers.editing import is_editable
from tracer.reexecution.answers import opaque_reason
from tracer.reexecution.signatures import signature_warnings
from tracer.reexecution.substitute import Substitute, failure_kind, is_message, said_instead
from tracer.reexecution.tape import is_inside
from tracer.store.reading import Store

_INSIDE_MODEL = re.compile(r"(^|/)model\d+(/|$)")
_UNCAPTURED = re.compile(
    re.escape(NOT_CAPTURED)
    + r"(?P<what>.*), after step (?P<step>[0-9]{1,9})(, inside step (?P<inside>[0-9]{1,9}))?",
    re.S,
)
_SERVED = ("tool", "model", "http", "step")


def fork_step(
    store: Store, run: Run, steps: list[Step], ref: str | int | None, model_call: int | None
) -> Step | None:
    """The step to fork at; None for a replay. Raises NotFoundError."""
    if ref is not None and model_call is not None:
        raise UsageError("give either --step or --model-call, not both")
    if model_call is not None:
        calls = model_calls(steps)
        if not 1 <= model_call <= len(calls):
            raise NotFoundError(
                f"run {run.id[:8]} has {len(calls)} model calls, there is no number {model_call}"
            )
        return calls[model_call - 1]
    return None if ref is None else store.step(run.id, ref)


def model_calls(steps: list[Step]) -> list[Step]:
    """The model calls, in order; a call inside another (a wrapper around HTTP) isn't counted."""
    return [s for s in steps if s.kind == "model" and not _INSIDE_MODEL.search(s.slot.path)]


def check_entry(run: Run, script: tuple[str, ...] | None, function: str | None) -> dict[str, JSON]:
    """How to start the program again. Raises CannotReplayError with what would make it possible."""
    if script is not None and function is not None:
        raise UsageError("give either --script or --entry, not both")
    recorded = run.entry
    if script is not None:
        return _script_entry(run, script)
    if function is not None:
        return _function_entry(run, function)
    if run.origin == "otlp":
        raise CannotReplayError(
            f"run {run.id[:8]} was imported from OpenTelemetry data, which has no raw exchanges: "
            "it can be looked at, not re-executed"
        )
    if run.origin == "imported":
        own = _own_sample(recorded)
        if own is not None:
            return own
        raise CannotReplayError(_imported_reason(run))
    return _local_entry(run, recorded)


def _local_entry(run: Run, recorded: dict[str, JSON]) -> dict[str, JSON]:
    kind = recorded.get("kind")
    if kind == "none" or kind is None:
        raise CannotReplayError(
            f"run {run.id[:8]} can't be started again: {recorded.get('reason')}; or record the "
            "whole program with `tracer run SCRIPT`, or name it with --script PATH"
        )
    place = recorded.get("path") if kind == "script" else recorded.get("file")
    if kind in ("script", "function") and not os.path.exists(str(place)):
        raise CannotReplayError(
            f"the program {place} is gone: put it back, or name it with --script PATH"
        )
    folder = recorded.get("cwd")
    if isinstance(folder, str) and folder and not os.path.isdir(folder):
        raise CannotReplayError(
            f"the folder {folder}, where the run was recorded, is gone: make it again, or name the "
            "program with --script PATH to run it here"
        )
    return recorded


def _imported_reason(run: Run) -> str:
    entry = run.entry
    name = os.path.basename(str(entry.get("path") or entry.get("file") or "agent.py"))
    arguments = (
        [str(word) for word in entry.get("argv") or []] if entry.get("kind") == "script" else []
    )
    example = shlex.join([name, *arguments])
    if entry.get("kind") == "function":
        option = f"--entry {name}:{entry.get('qualname')}"
    else:
        option = f"--script {shlex.quote(example)}"
    return (
        f"run {run.id[:8]} was imported, and what a file names is never run: name your own copy of "
        f"the program, for example {option}"
    )


def _own_sample(entry: dict[str, JSON]) -> dict[str, JSON] | None:
    """The entry of a sample agent that this tracer ships itself, found by name in our package."""
    sample = entry.get("sample")
    if not isinstance(sample, str) or not sample.isidentifier():
        return None
    from tracer import demo  # only where a run says that it is of one of the samples

    path = os.path.join(os.path.dirname(os.path.abspath(demo.__file__)), f"{sample}.py")
    if not os.path.isfile(path):
        return None
    given = entry.get("argv")
    words = [word for word in given if isinstance(word, str)] if isinstance(given, list) else []
    made: dict[str, JSON] = {"cwd": os.getcwd(), "hashseed": "0", "sample": sample, "argv": words}
    if entry.get("kind") == "function":
        name = entry.get("qualname")
        if not isinstance(name, str) or not name.isidentifier():
            return None
        here = {"kind": "function", "qualname": name, "file": path, "module": "__main__"}
        return made | here | {"root": os.path.dirname(path)}
    return made | {"kind": "script", "path": path, "whole": bool(entry.get("whole", True))}


def _script_entry(run: Run, script: tuple[str, ...]) -> dict[str, JSON]:
    if not script or not os.path.exists(script[0]):
        raise CannotReplayError(f"there is no file {script[0] if script else ''}: check --script")
    recorded = run.entry
    whole = bool(recorded.get("whole", False))
    return {
        "kind": "script",
        "path": os.path.abspath(script[0]),
        "argv": list(script[1:]),
        "cwd": os.getcwd(),
        "whole": whole,
        "hashseed": recorded.get("hashseed"),
    }


def _function_entry(run: Run, function: str) -> dict[str, JSON]:
    place, _, name = function.rpartition(":")
    if not place or not name:
        raise UsageError(f"--entry {function}: write MODULE:FUNCTION or FILE.py:FUNCTION")
    entry: dict[str, JSON] = {
        "kind": "function",
        "qualname": name,
        "cwd": os.getcwd(),
        "argv": [],
        "hashseed": run.entry.get("hashseed"),
    }
    if place.endswith(".py"):
        if not os.path.isfile(place):
            raise CannotReplayError(f"there is no file {place}: check --entry")
        file = os.path.abspath(place)
        return entry | {"module": "__main__", "file": file, "root": os.path.dirname(file)}
    return entry | {"module": place, "file": None, "root": os.getcwd()}


def changed_source(entry: dict[str, JSON]) -> list[str]:
    """Says when the program isn't the one recorded: the normal case while fixing a bug."""
    place, before = entry.get("path") or entry.get("file"), entry.get("source")
    if before is None or not isinstance(place, str) or source_hash(place) in (before, None):
        return []
    return [f"{os.path.basename(place)} has changed since the recording"]


def served_warnings(steps: list[Step], fork: Step | None) -> list[str]:
    """What is missing, or another class, when recorded steps are answered and don't run."""
    found: list[str] = []
    for step in steps:
        if fork is not None and (step.start_seq >= fork.start_seq or is_inside(fork, step)):
            continue
        if step.kind not in _SERVED or step.effect == "local" or _covered(step, steps, fork):
            continue
        places = step.detail.get("changed")
        if isinstance(places, list) and places:
            remedy = "declare effect='local'" if step.kind == "tool" else "return it instead"
            what = f"changed {', '.join(map(str, places[:3]))} in memory"
            found.append(
                f"step {step.n} ({step.kind} {step.name}) {what}; answered from the recording it "
                f"doesn't run, so that is missing: {remedy}"
            )
        if step.fidelity == "lossy":
            found.append(
                f"step {step.n} ({step.kind} {step.name}) returned an instance of a subclass, "
                "which comes back as its base class: return plain data or a dataclass"
            )
    return found


def check_answers(steps: list[Step], fork: Step | None) -> None:
    """Raise CannotReplayError for a step that must be served and can't be."""
    for step in steps:
        if fork is not None and (step.start_seq >= fork.start_seq or is_inside(fork, step)):
            continue
        if step.effect == "local" or step.kind not in _SERVED:
            continue
        still_open = step.status in ("running", "interrupted")
        if not (still_open or step.fidelity == "opaque") or _covered(step, steps, fork):
            continue
        if still_open:
            raise CannotReplayError(
                f"step {step.n} ({step.kind} {step.name}) was still open when the recording ended, "
                "so there is no answer to serve: fork at it or before it instead"
            )
        raise CannotReplayError(opaque_reason(step))


def check_captured(run: Run, steps: list[Step], fork: Step | None) -> None:
    """Raise CannotReplayError when the recording lacks something that would have to be served."""
    for said in run.warnings:
        found = _UNCAPTURED.fullmatch(said)
        if found is None or (fork is not None and fork.n <= int(found["step"])):
            continue
        inside = next((s for s in steps if str(s.n) == found["inside"]), None)
        if inside is not None and (_is_whole(inside, fork) or _covered(inside, steps, fork)):
            continue
        what, step = found["what"], found["step"]
        remedy = f"fork at step {step} or before" if int(step) else "it can only be looked at"
        raise CannotReplayError(
            f"run {run.id[:8]} can't be re-executed past step {step}: {what} was not captured, so "
            f"there is nothing to answer it with; {remedy}"
        )


def _is_whole(step: Step, fork: Step | None) -> bool:
    """Whether a step is answered as one, so that its own code doesn't run."""
    return (
        step.kind in ("tool", "step", "model")
        and step.effect != "local"
        and step.fidelity != "opaque"
        and step.status not in ("running", "interrupted")
        and (fork is None or not is_inside(fork, step))
    )


def _covered(step: Step, steps: list[Step], fork: Step | None) -> bool:
    """Whether a step lies inside one that is served whole."""
    return any(
        is_inside(step, other)
        for other in steps
        if other.kind in ("tool", "step", "model")
        and other.effect != "local"
        and other.status not in ("running", "interrupted")
        and (fork is None or not is_inside(fork, other))
    )


def check_substitute(
    store: Store, steps: list[Step], step: Step, substitute: Substitute, warnings: list[str]
) -> Message | None:
    """What the model will say, with warnings about it. Raises UsageError for what makes no sense.

    Unknown tools and arguments that break their schema are warnings: reproducing a bad answer is
    a use too.
    """
    if step.kind not in ("model", "tool", "http", "step"):
        raise UsageError(
            f"step {step.n} is a{'n' if step.kind == 'agent' else ''} {step.kind}: fork at a model "
            "call, a tool or a step"
        )
    if substitute.kind == "error":
        failure_kind(substitute.error or "")
        return None
    if substitute.kind == "again":
        _check_again(step, substitute)
        return None
    if step.kind != "model":
        if substitute.kind != "result":
            raise UsageError(f"step {step.n} is no model call: give its result with --result JSON")
        return None
    if substitute.kind == "result" and step.api is not None:
        raise UsageError(
            f"step {step.n} is a model call: give --text, --tool-call or --response instead"
        )
    operation = _operation(step)
    if operation != "chat":
        if substitute.kind != "response" or is_message(substitute.response):
            raise UsageError(
                f"step {step.n} is a call for {operation}: give the provider's whole JSON reply "
                "with --response FILE, or a failure with --error"
            )
        return None
    data = store.output_messages(step)
    recorded = [] if data is None else json.loads(data)
    said = said_instead(substitute, recorded)
    if said is not None:
        _check_calls(store, step, said, warnings)
        warnings += signature_warnings(said, recorded)
    return said


def _check_again(step: Step, substitute: Substitute) -> None:
    if step.kind != "model":
        raise UsageError(f"step {step.n} is no model call: only a model can be asked again")
    if not substitute.edit.is_empty and not is_editable(step.api or ""):
        raise UsageError(
            f"step {step.n} ({step.api or 'a function'}) can only be asked again as it was: its "
            "request is signed by its sender, or of no known format; leave out --model, "
            "--temperature and --system"
        )


def _operation(step: Step) -> str:
    try:
        return api_named(step.api).operation if step.api is not None else "chat"
    except KeyError:  # recorded by a tracer that knew more formats
        return "chat"


def _check_calls(store: Store, step: Step, said: Message, warnings: list[str]) -> None:
    request = store.request(step)
    if request is None or step.api is None:
        return
    offered = {t.get("name"): t for t in api_named(step.api).read_request(request).tools}
    for call in tool_calls_of(said):
        name = call.get("name")
        tool = offered.get(name)
        if tool is None:
            known = ", ".join(str(n) for n in offered) or "none"
            warnings.append(f"the model was offered no tool named {name} (offered: {known})")
            continue
        warnings += schema_problems(str(name), call.get("arguments"), tool.get("parameters"))


def schema_problems(name: str, arguments: Any, schema: Any) -> list[str]:
    """Where arguments break a tool's JSON schema, one sentence each."""
    if not isinstance(schema, dict):
        return []
    import jsonschema  # only where a substitute is checked, never in an agent's process

    try:
        validator = jsonschema.Draft202012Validator(
            schema, format_checker=jsonschema.FormatChecker()
        )
        found = sorted(validator.iter_errors(arguments), key=lambda e: list(map(str, e.path)))
    except (jsonschema.SchemaError, TypeError, RecursionError) as error:
        return [f"the schema of {name} can't be used: {str(error)[:120]}"]
    return [
        f"{name}: {'.'.join(map(str, e.path)) or 'arguments'}: {e.message[:200]}"
        for e in found[:10]
    ]
