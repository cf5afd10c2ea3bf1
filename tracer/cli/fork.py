"""`tracer fork`: the agent's code again from one step, with another answer there."""

import json
from pathlib import Path
from typing import Any, Literal

import click

from tracer.cli.options import (
    db_option,
    entry_options,
    json_option,
    open_store,
    parse_json,
    script_words,
    writes_options,
)
from tracer.cli.reexecute import ignore_option, reexecute, split_tools
from tracer.errors import BadFileError, UsageError
from tracer.providers.editing import Edit
from tracer.reexecution import terminal
from tracer.reexecution.breaks import FORMS
from tracer.reexecution.session import WAIT_MINUTES, ReplaySpec
from tracer.reexecution.substitute import FAILURES, Substitute, failure_kind

MAX_RESPONSE_BYTES = 16 << 20


@click.command("fork")
@click.argument("run")
@click.option("--step", metavar="N", help="Number or id of the step whose answer changes.")
@click.option("--model-call", metavar="K", type=int, help="The Kth model call, counted from 1.")
@click.option("--text", metavar="S", help="The model answers this text, and calls no tool.")
@click.option(
    "--tool-call",
    metavar="NAME JSON",
    nargs=2,
    help="The model calls this tool with these arguments.",
)
@click.option(
    "--response",
    metavar="FILE",
    help="The model's whole answer: an OpenTelemetry message or the provider's JSON body.",
)
@click.option("--error", metavar="KIND", help=f"The call fails: {', '.join(FAILURES)}.")
@click.option("--result", metavar="JSON", help="The result of a tool or step.")
@click.option("--again", is_flag=True, help="Ask the model the same again, for real.")
@click.option("--model", metavar="NAME", help="With --again: ask this model instead.")
@click.option("--temperature", type=float, metavar="X", help="With --again: at this temperature.")
@click.option("--system", metavar="TEXT", help="With --again: with this system prompt.")
@click.option(
    "--after",
    type=click.Choice(["live", "recorded", "ask"]),
    default="live",
    show_default=True,
    help="Who answers model calls after the step when they differ from the recording.",
)
@click.option(
    "--tool",
    "tools",
    multiple=True,
    metavar="NAME=POLICY",
    help="recorded, ask, live, block or stub:JSON for a tool after the step; NAME may be *.",
)
@click.option(
    "--max-live-calls",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    metavar="N",
    help="Stop after so many calls for real.",
)
@click.option(
    "--max-tokens", type=click.IntRange(min=0), metavar="N", help="Stop after so many tokens."
)
@click.option(
    "--max-cost", type=click.FloatRange(min=0), metavar="USD", help="Stop after so many dollars."
)
@click.option(
    "--max-minutes",
    type=click.FloatRange(min=0),
    metavar="N",
    help="Stop after so many minutes behind the step.",
)
@click.option(
    "--break",
    "breaks",
    multiple=True,
    metavar="COND",
    help=f"Ask before a step behind this one where it is: {FORMS}. Bounds ask once.",
)
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    metavar="MINUTES",
    help="How long a question (--break, ask) waits while neither a terminal nor a page of "
    f"`tracer ui` is there to answer it; then it is a no.  [default: {WAIT_MINUTES:g} with "
    "--break, else 0]",
)
@click.option("--reason", metavar="TEXT", help="Why, kept with the new run.")
@entry_options
@writes_options
@ignore_option
@json_option
@db_option
def command(run: str, as_json: bool, **given: Any) -> int:
    """Re-execute RUN from a step with a substitute for its answer.

    What came before is served from the recording; what comes after is real. A tool that may
    change the world is never run for real without --tool NAME=live, or a yes: what `ask` and
    --break ask is shown at the terminal and on the run's page in `tracer ui`, and the first answer
    counts. With --json, `detail.asked` of a step says what was answered.
    """
    substitute = _substitute(given)
    if given["step"] is None and given["model_call"] is None:
        raise UsageError("name the step whose answer changes: --step N or --model-call K")
    step: str | None = given["step"]
    after: Literal["live", "recorded", "ask"] = given["after"]
    with open_store() as store:
        found = store.find_run(run)
    spec = ReplaySpec(
        found.id,
        int(step) if step is not None and step.isdecimal() and len(step) < 16 else step,
        given["model_call"],
        substitute,
        after,
        split_tools(given["tools"]),
        script_words(given["script"]),
        given["entry"],
        given["max_live_calls"],
        given["reason"],
        given["keep_writes"],
        given["allow_writes"],
        given["ignore"],
        max_tokens=given["max_tokens"],
        max_cost=given["max_cost"],
        max_minutes=given["max_minutes"],
        breaks=given["breaks"],
        wait_minutes=_patience(given["wait"]),
    )
    return reexecute(spec, as_json)


def _patience(minutes: float | None) -> float | None:
    """Where somebody is at the terminal to be asked, they are."""
    return WAIT_MINUTES if minutes is None and terminal.is_there() else minutes


def _substitute(given: dict[str, Any]) -> Substitute:
    """The one answer given. Raises UsageError for none or several."""
    names = ("text", "tool_call", "response", "error", "result", "again")
    chosen = [name for name in names if given[name] not in (None, (), False)]
    if len(chosen) != 1:
        raise UsageError(
            "give one answer: --text S, --tool-call NAME JSON, --response FILE, --error KIND, "
            "--result JSON or --again"
        )
    kind = chosen[0]
    edit = Edit(given["model"], given["temperature"], given["system"])
    if kind == "again":
        return Substitute("again", edit=edit)
    if not edit.is_empty:
        raise UsageError("--model, --temperature and --system change what --again asks: add it")
    if kind == "tool_call":
        name, arguments = given["tool_call"]
        parsed = parse_json(arguments, f"--tool-call {name}")
        if not isinstance(parsed, dict):
            raise UsageError(f"--tool-call {name}: the arguments must be a JSON object")
        return Substitute("tool_call", tool_name=name, arguments=parsed)
    if kind == "response":
        return Substitute("response", response=_read_response(given["response"]))
    if kind == "result":
        return Substitute("result", result=parse_json(given["result"], "--result"))
    if kind == "error":
        return Substitute("error", error=failure_kind(given["error"]))
    return Substitute("text", text=given["text"])


def _read_response(path: str) -> Any:
    file = Path(path)
    try:
        if file.stat().st_size > MAX_RESPONSE_BYTES:
            raise BadFileError(f"{path} is over 16 MB: a response is much smaller")
        found = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise BadFileError(f"{path} can't be read ({error.strerror}): check the path") from None
    except (ValueError, RecursionError) as error:
        raise BadFileError(f"{path} is not JSON ({error}): give one JSON document") from None
    if not isinstance(found, dict):
        raise BadFileError(f"{path} holds no JSON object: give a message or a provider's body")
    return found
