"""Tools nobody decorated: functions of the user's own code that a model is offered by name.

A request that offers the model a tool called `issue_refund` names a function. It is found and
watched in place, so that every reference already held in a dict, a list or a closure is watched
too. Two different functions of that name are reported and left alone.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType

from tracer.capture.boundary import ActiveRun, Call
from tracer.capture.discovery.search import described, function_named, functions_called
from tracer.capture.discovery.trampoline import Unwatchable, is_watched, watch
from tracer.capture.guard import report
from tracer.capture.imports import watch_imports
from tracer.capture.offers import tools_of
from tracer.core.records import JSON

_lock = threading.Lock()


def wish(*, discover: bool = True, tools: Sequence[str] = ()) -> dict[str, JSON]:
    """What a run's entry says of it. `discover`: watch functions that models are offered as
    tools; `tools`: "MODULE:NAME" of functions to watch in any case.
    """
    found: dict[str, JSON] = {"discover": discover}
    return found | {"tools": list(tools)} if tools else found


def start(run: ActiveRun, entry: Mapping[str, JSON]) -> None:
    """Look for undecorated tools as the entry says; in a re-execution, as its recording's did."""
    if run.template is not None:
        entry = run.template.entry
    tools = entry.get("tools")
    named = [str(name) for name in tools] if isinstance(tools, list) else []
    if entry.get("discover") or named:
        run.discovery = Discovery(named, discover=bool(entry.get("discover")))


class Discovery:
    """The tools found for one run. `named`: "MODULE:NAME" of functions the user named by hand;
    `discover`: look for the others by what models are offered.
    """

    def __init__(self, named: Iterable[str] = (), *, discover: bool = True) -> None:
        self._named = [name for name in named if ":" in name]
        self._discover = discover
        self._known: set[str] = set()
        for module in {name.partition(":")[0] for name in self._named} - {"__main__"}:
            watch_imports((module,), lambda _: self.resolve())

    def offered_by(self, call: Call) -> list[str]:
        """The names of the tools that a model call offers."""
        return tools_of(call) if self._discover else []

    def offered(self, names: Iterable[str]) -> list[str]:
        """Watch the functions of these names; warnings about those that can't be. Never raises."""
        new = [name for name in names if name not in self._known]
        if not new or not self._discover:
            return []
        self._known.update(new)
        warnings: list[str] = []
        with _lock:
            try:
                for name, found in functions_called(new).items():
                    warnings += _watch_found(name, found)
            except Exception as error:  # the user's own objects are looked at
                report("looking for tools", error)
        return warnings

    def resolve(self) -> None:
        """Watch the functions named by hand whose modules are loaded by now. Never raises."""
        if not self._named:
            return
        with _lock:
            self._named = [name for name in self._named if not _watch_by_hand(name)]

    @property
    def missing(self) -> bool:
        """Whether functions named by hand were not found yet."""
        return bool(self._named)

    def never_found(self) -> list[str]:
        """Warnings about functions named by hand that never came."""
        return [
            f"the tool {name} was not recorded, because there was no such function: check --tool"
            for name in self._named
        ]


def _watch_by_hand(name: str) -> bool:
    module, _, path = name.partition(":")
    function = function_named(module, path)
    if function is None:
        return False
    try:
        if not is_watched(function):
            watch(function, path.rpartition(".")[2])
    except Exception as error:
        report(f"watching the tool {name}", error)
    return True


def _watch_found(name: str, found: list[FunctionType]) -> list[str]:
    if len({function.__code__ for function in found}) > 1 and not any(map(is_watched, found)):
        places = " and ".join(sorted({described(function) for function in found}))
        why = f"two functions have its name ({places})"
        remedy = f"name the right one with tracer run --tool MODULE:{name}, or decorate it"
        return [f"the tool {name} was not recorded, because {why}: {remedy}"]
    for function in found:
        if not is_watched(function):
            _watch(function, name)
    return []


def _watch(function: FunctionType, name: str) -> None:
    try:
        watch(function, name)
    except Unwatchable as error:
        report(f"watching the tool {name}", error)
