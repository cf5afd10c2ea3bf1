"""What happened around a step, put together from its pieces; whatever a file claims, of the shapes
below. What is none of them is left out.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from tracer.core.records import AROUND, JSON, Run, Step
from tracer.store.reading import Store

OUTSIDE = 0  # the number that stands for what no step encloses
_STREAMS = ("out", "err")


@dataclass(slots=True)
class Around:
    """`printed`: `{stream, text}` in order, `{left_out}` for characters that were not kept.
    `logs`: `{at_ns, level, logger, text, where}`, with `error` and `trace` of an exception.
    `touched`: `{what, name, times}`, with `to` of what was renamed. `frames`: `{file, line,
    function, values, left_out}`, values pairs of name and text. `environment`: of a run.
    """

    printed: list[dict[str, Any]] = field(default_factory=list)
    logs: list[dict[str, Any]] = field(default_factory=list)
    touched: list[dict[str, Any]] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    environment: dict[str, JSON] = field(default_factory=dict)
    _known: dict[tuple[str, str, str | None], dict[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, JSON]:
        """The keys a step has in JSON; times are left as nanoseconds since the epoch."""
        return {
            "printed": self.printed,
            "logs": self.logs,
            "touched": self.touched,
            "locals": [
                frame | {"values": dict(map(tuple, frame["values"]))} for frame in self.frames
            ],
        }


def around(store: Store, run_id: str, n: int) -> Around:
    """What happened around step `n` of a run (`OUTSIDE`: outside any step)."""
    found = Around()
    for kind, data in store.around(run_id, n):
        piece = _parsed(data)
        if kind == "environment":
            found.environment |= piece if isinstance(piece, dict) else {}
            continue
        for item in piece if isinstance(piece, list) else ():
            _put(found, kind, item)
    return found


def environment(store: Store, run: Run) -> dict[str, JSON]:
    """What a run ran in: what was known at its start, and what at its end."""
    late = around(store, run.id, OUTSIDE).environment
    return run.environment | late


def is_untouched(store: Store, run: Run, step: Step) -> bool:
    """Whether a tool whose effect nobody declared was seen to touch nothing outside the process,
    itself or through what it called. A hint: libraries in C are not looked into."""
    if step.kind != "tool" or step.effect is not None or step.source != "live":
        return False
    if run.environment.get(AROUND) is not True or step.ended_ns is None:
        return False
    touching = store.steps_around(run.id, "touched")
    inside = {step.id}
    if step.n in touching:
        return False
    for place in store.places(run.id, first=step.n + 1):
        if place.parent not in inside:
            continue
        inside.add(place.id)
        if place.n in touching or place.kind in ("http", "model"):
            return False
        if place.kind == "tool" and store.step(run.id, place.n).effect == "external":
            return False
    return True


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None


def _put(found: Around, kind: str, item: Any) -> None:
    if isinstance(item, dict) and _is_count(item.get("left_out")) and len(item) == 1:
        _leave_out(found, kind, item["left_out"])
        return
    match kind, item:
        case "printed", [str(stream), str(text)] if stream in _STREAMS:
            last = found.printed[-1] if found.printed else {}
            if last.get("stream") == stream:
                last["text"] += text
            else:
                found.printed.append({"stream": stream, "text": text})
        case "logs", {"text": str(), "level": str(), "logger": str()}:
            found.logs.append(_log(item))
        case "touched", {"what": str(what), "name": str(name)}:
            _touch(found, what, name, item)
        case "locals", {"file": str(), "function": str(), "values": list()}:
            found.frames.append(_frame(item))
        case _:
            pass


def _leave_out(found: Around, kind: str, count: int) -> None:
    if kind == "touched":  # counted in each piece; of no place among the others
        if found.touched and "left_out" in found.touched[-1]:
            count += found.touched.pop()["left_out"]
        found.touched.append({"left_out": count})
    elif kind in ("printed", "logs"):
        getattr(found, kind).append({"left_out": count})


def _log(item: dict[str, Any]) -> dict[str, Any]:
    kept = {name: item[name] for name in ("text", "level", "logger")}
    at = item.get("at_ns")
    kept |= {"at_ns": at if _is_count(at) else None}
    kept |= {name: item[name] for name in ("where", "error") if isinstance(item.get(name), str)}
    trace = item.get("trace")
    if isinstance(trace, list):
        kept["trace"] = [line for line in trace if isinstance(line, str)]
    return kept


def _touch(found: Around, what: str, name: str, item: dict[str, Any]) -> None:
    times = item.get("times")
    count = times if _is_count(times) else 1
    to = item["to"] if isinstance(item.get("to"), str) else None
    known = found._known.get((what, name, to))
    if known is not None:
        known["times"] += count
        return
    kept = {"what": what, "name": name, "times": count} | ({} if to is None else {"to": to})
    found._known[what, name, to] = kept
    at = len(found.touched)
    if at and "left_out" in found.touched[-1]:
        at -= 1
    found.touched.insert(at, kept)


def _frame(item: dict[str, Any]) -> dict[str, Any]:
    line, left_out = item.get("line"), item.get("left_out")
    return {
        "file": item["file"],
        "line": line if _is_count(line) else 0,
        "function": item["function"],
        "values": [
            [pair[0], pair[1]]
            for pair in item["values"]
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(x, str) for x in pair)
        ],
        "left_out": left_out if _is_count(left_out) else 0,
    }


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63
