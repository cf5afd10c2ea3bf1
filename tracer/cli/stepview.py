"""One step on the terminal: what it was given, what came of it, what it cost."""

import json
from typing import Any

from tracer.cli.aroundview import show_around, show_locals
from tracer.cli.ls import when
from tracer.cli.output import BOLD, CYAN, FAINT, block, line
from tracer.cli.text import count, cut, duration, money
from tracer.core.messages import Part
from tracer.core.questions import decided_changes, decided_words
from tracer.core.records import Run, Step
from tracer.interchange.around import around, is_untouched
from tracer.interchange.files import changed_files, file_patch
from tracer.interchange.history import news
from tracer.interchange.run_json import asked, step_input, step_output
from tracer.store.reading import Store

_MOST = 4_000  # characters of one text; `--json` has all of it


def show_step(store: Store, run: Run, step: Step) -> None:
    """Everything about one step; of a conversation only what this call added."""
    line(f"step {step.n} · {step.kind} · {step.name}", BOLD)
    line("  " + " · ".join(part for part in _facts(step) if part), FAINT)
    if step.kind == "model" and asked(store, step) is not None:
        _show_question(store, run, step)
        _show_answer(store, step)
    else:
        _show_value("given", step_input(store, step))
        _show_value("came", step_output(store, step))
    if step.error is not None:
        _heading("error")
        block(_short(f"{step.error.type}: {step.error.message}"), "  ")
        if step.error.traceback:
            block(_short(step.error.traceback.rstrip("\n")), "  ")
    if words := decided_words(step.detail.get("asked")):
        _heading("asked somebody")
        line(f"  {words}", whole=True)
        for place, before, after in decided_changes(step.detail.get("asked")):
            line(f"  {place}: {before or '–'} → {after or '–'}", whole=True)
    _show_files(store, step)
    beside = around(store, run.id, step.n)
    show_locals(beside)
    show_around(beside, untouched=is_untouched(store, run, step))


def _show_files(store: Store, step: Step) -> None:
    files = changed_files(step)
    if not files:
        return
    _heading("files")
    for word, path in files:
        line(f"  {word} {path}", whole=True)
    patch = file_patch(store, step)
    if patch:
        block(_short(patch.rstrip("\n")), "    ")


def _facts(step: Step) -> list[str]:
    usage = step.usage
    tokens = ""
    if usage is not None:
        tokens = f"{usage.input_tokens or 0:,} tokens in, {usage.output_tokens or 0:,} out"
        if usage.cached_input_tokens:
            tokens += f" ({usage.cached_input_tokens:,} cached)"
    return [
        step.status,
        when(step.started_ns),
        duration(step.duration_ms),
        "" if step.ttft_ms is None else f"first token after {duration(step.ttft_ms)}",
        step.source,
        "diverged" if step.diverged else "",
        step.provider or "",
        step.model if step.model and step.model not in step.name else "",
        tokens,
        money(step.cost_usd),
        step.effect or "",
        f"result {step.fidelity}" if step.fidelity not in (None, "exact") else "",
        step.callsite or "",
    ]


def _heading(words: str) -> None:
    line()
    line(words, CYAN)


def _show_question(store: Store, run: Run, step: Step) -> None:
    new = news(store, store.steps(run.id, last=step.n), step)
    offered = step.detail.get("tools_offered")
    if isinstance(offered, list) and offered:
        _heading("tools offered")
        line("  " + ", ".join(str(name) for name in offered))
    if new.since is None:
        _heading("asked")
    else:
        same = count(new.shared, "message")
        _heading(f"asked: {same} as at step {new.since}, and new")
    held = step.detail.get("held")
    if isinstance(held, list) and held:
        line(f"  (the provider holds what came before: {', '.join(map(str, held))})")
    _show_messages(new.messages)


def _show_answer(store: Store, step: Step) -> None:
    output = step_output(store, step)
    if output is None:
        return
    _heading("answered")
    if isinstance(output, list):
        _show_messages(output)
    else:
        _show_value("", output)


def _show_messages(messages: list[Any]) -> None:
    # Of an imported run they may be anything.
    for message in messages:
        if not isinstance(message, dict):
            continue
        reason = message.get("finish_reason")
        line(f"  {message.get('role')}" + (f" ({reason})" if reason else ""), BOLD)
        for part in message.get("parts", ()):
            if isinstance(part, dict):
                block(_short(_part_text(part)), "    ")


def _part_text(part: Part) -> str:
    kind = part.get("type")
    if kind == "text":
        return str(part.get("content", ""))
    if kind == "reasoning":
        return f"(reasoning) {part.get('content', '')}"
    if kind in ("refusal", "embeddings"):
        return f"({kind}) {part.get('content', '')}"
    if kind == "tool_call":
        return f"→ {part.get('name')} {_pretty(part.get('arguments'))}"
    if kind == "tool_call_response":
        return f"⇒ {_pretty(part.get('response'))}"
    return _pretty(part)


def _show_value(label: str, value: Any) -> None:
    if value is None:
        return
    if label:
        _heading(label)
    block(_short(_pretty(value)), "  ")


def _pretty(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, indent=2)
    except RecursionError:
        return "(nested too deep to be shown here)"


def _short(text: str) -> str:
    kept, left_out = cut(text, _MOST)
    if not left_out:
        return kept
    return f"{kept}…\n({left_out:,} more characters: --json shows all)"
