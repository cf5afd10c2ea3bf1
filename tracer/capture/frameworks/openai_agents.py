"""OpenAI Agents SDK: function tools, handoffs, and the agents of a run.

A function tool is watched inside the handler that turns its exceptions into text for the model. A
run is a step named after its first agent; from a handoff on, the turns of the new agent stand in a
step of its own inside it.
"""

import contextvars
import functools
import inspect
import sys
import types
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tracer.capture.exceptions import without_us
from tracer.capture.frameworks.seam import (
    Agent,
    AgentFrame,
    Tool,
    before,
    open_agent,
    parsed,
    shown,
    watch,
    wrapped,
)
from tracer.capture.frameworks.state import State
from tracer.capture.guard import report

_IMPL = "_invoke_tool_impl"
_turns: contextvars.ContextVar["_Turns | None"] = contextvars.ContextVar("turns", default=None)


def patch_tools(module: ModuleType) -> None:
    """Watch function tools, from their making or their first call on."""
    tool = module.FunctionTool
    _after(tool, "__post_init__", _watch_tool)
    invoker = getattr(module, "_FailureHandlingFunctionToolInvoker", None)
    if invoker is not None:
        before(invoker, "__call__", _watch_invoker)


def _watch_invoker(invoker: Any, *args: Any, **kwargs: Any) -> None:
    _watch_impl(invoker, getattr(invoker, "_function_tool", None))


def _after(cls: Any, name: str, then: Callable[[Any], None]) -> None:
    """Do something when a method of an object has run."""
    original = getattr(cls, name)

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        try:
            then(self)
        except Exception as error:  # an object that can't be changed
            report(f"watching a {cls.__name__}", error)

    setattr(cls, name, method)


def _watch_tool(tool: Any) -> None:
    invoke = tool.on_invoke_tool
    if hasattr(invoke, _IMPL):
        _watch_impl(invoke, tool)
    elif inspect.ismethod(invoke):
        # Copies of the tool bind the method anew, which only works with a method.
        made = _watched(invoke.__func__, tool)
        tool.on_invoke_tool = types.MethodType(made, invoke.__self__)
    elif inspect.iscoroutinefunction(invoke):
        tool.on_invoke_tool = _watched(invoke, tool)


def _watch_impl(invoker: Any, tool: Any) -> None:
    setattr(invoker, _IMPL, _watched(getattr(invoker, _IMPL), tool))


def _watched(invoke: Callable[..., Any], tool: Any) -> Callable[..., Any]:
    function = _function_of(invoke, tool)

    def describe(*args: Any, **kwargs: Any) -> Tool:
        context, given = (*args, *kwargs.values())[-2:]
        name = str(getattr(context, "tool_name", None) or getattr(tool, "name", "tool"))
        call_id = getattr(context, "tool_call_id", None)
        state = State(context=getattr(context, "context", None))
        return Tool(name, parsed(given), function, call_id, returns=_outputs(), state=state)

    return wrapped(invoke, describe)


def _function_of(invoke: Callable[..., Any], tool: Any) -> Callable[..., Any] | None:
    """The user's function behind the SDK's own."""
    found = getattr(tool, "__wrapped__", None)
    cells = dict(
        zip(
            getattr(getattr(invoke, "__code__", None), "co_freevars", ()),
            getattr(invoke, "__closure__", None) or (),
            strict=False,
        )
    )
    if found is None and "the_func" in cells:
        found = cells["the_func"].cell_contents
    return found if callable(found) else None


def _outputs() -> tuple[type, ...]:
    tool = sys.modules.get("agents.tool")
    names = ("ToolOutputText", "ToolOutputImage", "ToolOutputFileContent")
    return tuple(getattr(tool, name) for name in names if hasattr(tool, name))


def patch_handoffs(module: ModuleType) -> None:
    """Watch handoffs: they change only the run's own memory, and so run again."""
    _after(module.Handoff, "__init__", _watch_handoff)


def _watch_handoff(handoff: Any) -> None:
    def describe(context: Any, given: Any = None, *args: Any, **kwargs: Any) -> Tool:
        return Tool(
            handoff.tool_name,
            parsed(given),
            effect="local",
            outcome=lambda agent: shown(getattr(agent, "name", None)),
        )

    handoff.on_invoke_handoff = wrapped(handoff.on_invoke_handoff, describe)


def patch_runs(module: Any) -> None:
    """Watch runs, plain and streamed, and their turns."""
    watch(module.AgentRunner, "run", _describe_run)
    watch(module, "start_streaming", _describe_stream)
    module.run_single_turn = _turn(module.run_single_turn)
    loop: Any = inspect.getmodule(inspect.unwrap(module.start_streaming))
    if loop is not None and hasattr(loop, "run_single_turn_streamed"):
        loop.run_single_turn_streamed = _turn(loop.run_single_turn_streamed)


def _describe_run(self: Any, starting_agent: Any, input: Any = None, **kwargs: Any) -> Agent:
    return _agent(starting_agent, input, lambda result: result.final_output)


def _describe_stream(*args: Any, **kwargs: Any) -> Agent:
    named = (
        dict(zip(("starting_input", "streamed_result", "starting_agent"), args, strict=False))
        | kwargs
    )
    result = named.get("streamed_result")
    return _agent(
        named["starting_agent"],
        named.get("starting_input"),
        lambda _: getattr(result, "final_output", None),
    )


def _agent(agent: Any, given: Any, outcome: Callable[[Any], Any]) -> Agent:
    turns = _Turns(agent)
    _turns.set(turns)
    items = [_item(item) for item in given] if isinstance(given, list) else given
    made = Agent(agent.name, {"input": items}, outcome=lambda result: turns.came(outcome(result)))
    made.ended = turns.end
    return made


def _item(item: Any) -> Any:
    """An input item; the ids the SDK makes up differ from run to run."""
    plain = shown(item)
    if isinstance(plain, dict):
        plain.pop("id", None)
    return plain


class _Turns:
    """The agents of one run, one after the other; each after the first is a step of its own."""

    def __init__(self, first: Any) -> None:
        self.name = str(first.name)
        self.frame: AgentFrame | None = None
        self.output: Any = None

    def came(self, output: Any) -> Any:
        """What the run came to, which its last agent said."""
        self.output = shown(output)
        return self.output

    def of(self, agent: Any) -> AgentFrame | None:
        """The step in which this agent's turn belongs; None: the run's."""
        name = str(getattr(agent, "name", self.name))
        if name != self.name:
            self.end()
            self.name = name
            self.frame = open_agent(Agent(name, {}))
        return self.frame

    def end(self) -> None:
        """The agent has handed over, or the run has ended."""
        frame, self.frame = self.frame, None
        if frame is not None:
            frame.finish(self.output)


def _turn(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def turn(*args: Any, **kwargs: Any) -> Any:
        frame = _frame_of(args, kwargs)
        if frame is None:
            return await original(*args, **kwargs)
        frame.enter()
        try:
            return await original(*args, **kwargs)
        except BaseException as error:
            without_us(error)
            raise
        finally:
            frame.leave()

    return turn


def _frame_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> AgentFrame | None:
    turns = _turns.get()
    if turns is None:
        return None
    try:
        given = [*args, *kwargs.values()]
        agents = (getattr(value, "public_agent", None) for value in given)
        agent = kwargs.get("agent") or next((a for a in agents if a is not None), None)
        return None if agent is None else turns.of(agent)
    except Exception as error:  # the framework's objects are looked at
        report("following a handoff", error)
        return None
