"""Which frameworks' inside is watched, and where: one row a seam, patched when its module loads.

A seam that does not find what it patches changes nothing and is kept in `changed`: the runs of this
process carry a warning, and `tracer doctor` says so. The patches themselves are in
`tracer.capture.frameworks`, one file a framework, loaded only when the framework is.
"""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from tracer.capture.callsite import is_user_file
from tracer.capture.guard import report
from tracer.capture.imports import when_loaded

_PATCHES = "tracer.capture.frameworks"


@dataclass(frozen=True, slots=True)
class Seam:
    """One place in a framework. `targets` are dotted names in `module` that must be there;
    `patch` names the function of `tracer.capture.frameworks` ("file:function") that is given the
    loaded module."""

    distribution: str
    module: str
    targets: tuple[str, ...]
    patch: str
    what: str  # what is recorded through it, as doctor says it


SEAMS = (
    Seam(
        "langchain-core",
        "langchain_core.tools.base",
        ("BaseTool.run", "BaseTool.arun"),
        "langchain:patch",
        "tools",
    ),
    Seam(
        "langgraph",
        "langgraph.pregel.main",
        ("Pregel.invoke", "Pregel.ainvoke", "Pregel.stream", "Pregel.astream"),
        "langgraph:patch",
        "graphs as agents",
    ),
    Seam(
        "openai-agents",
        "agents.tool",
        ("FunctionTool.__post_init__",),
        "openai_agents:patch_tools",
        "tools",
    ),
    Seam(
        "openai-agents", "agents.handoffs", ("Handoff",), "openai_agents:patch_handoffs", "handoffs"
    ),
    Seam(
        "openai-agents",
        "agents.run",
        ("AgentRunner.run", "start_streaming", "run_single_turn"),
        "openai_agents:patch_runs",
        "agents",
    ),
    Seam(
        "pydantic-ai-slim",
        "pydantic_ai._function_schema",
        ("FunctionSchema.call",),
        "pydantic_ai:patch_tools",
        "tools",
    ),
    Seam(
        "pydantic-ai-slim",
        "pydantic_ai.agent",
        ("Agent.iter",),
        "pydantic_ai:patch_agents",
        "agents",
    ),
    Seam("smolagents", "smolagents.tools", ("Tool.__call__",), "smolagents:patch_tools", "tools"),
    Seam(
        "smolagents",
        "smolagents.agents",
        ("MultiStepAgent._run_stream", "ToolCallingAgent.process_tool_calls"),
        "smolagents:patch_agents",
        "agents",
    ),
    Seam(
        "google-adk",
        "google.adk.tools.base_tool",
        ("BaseTool.run_async",),
        "google_adk:patch_tools",
        "tools",
    ),
    Seam(
        "google-adk",
        "google.adk.agents.base_agent",
        ("BaseAgent.run_async",),
        "google_adk:patch_agents",
        "agents",
    ),
    Seam(
        "llama-index-core",
        "llama_index.core.tools.function_tool",
        ("FunctionTool.call", "FunctionTool.acall"),
        "llama_index:patch_tools",
        "tools",
    ),
    Seam(
        "llama-index-core",
        "llama_index.core.agent.workflow.base_agent",
        ("BaseWorkflowAgent.run",),
        "llama_index:patch_agents",
        "agents",
    ),
    Seam(
        "llama-index-core",
        "llama_index.core.agent.workflow.multi_agent_workflow",
        ("AgentWorkflow.run",),
        "llama_index:patch_workflows",
        "agents",
    ),
    Seam(
        "strands-agents",
        "strands.tools.decorator",
        ("DecoratedFunctionTool.stream",),
        "strands:patch_tools",
        "tools",
    ),
    Seam(
        "strands-agents",
        "strands.agent.agent",
        ("Agent.stream_async",),
        "strands:patch_agents",
        "agents",
    ),
    Seam(
        "autogen-core",
        "autogen_core.tools._base",
        ("BaseTool.run_json",),
        "autogen:patch_tools",
        "tools",
    ),
    Seam(
        "autogen-agentchat",
        "autogen_agentchat.agents._base_chat_agent",
        ("BaseChatAgent.on_messages_stream",),
        "autogen:patch_agents",
        "agents",
    ),
    Seam(
        "crewai",
        "crewai.tools.base_tool",
        ("BaseTool.run", "BaseTool._run"),
        "crewai:patch_tools",
        "tools",
    ),
    Seam("crewai", "crewai.agent.core", ("Agent.execute_task",), "crewai:patch_agents", "agents"),
    Seam(
        "dspy",
        "dspy.adapters.types.tool",
        ("Tool.__call__", "Tool.acall"),
        "dspy:patch_tools",
        "tools",
    ),
    Seam(
        "dspy",
        "dspy.predict.react",
        ("ReAct.forward", "ReAct.aforward"),
        "dspy:patch_agents",
        "agents",
    ),
    Seam(
        "mini-swe-agent",
        "minisweagent.environments.local",
        ("LocalEnvironment.execute",),
        "mini_swe_agent:patch_environments",
        "commands",
    ),
    Seam(
        "mini-swe-agent",
        "minisweagent.environments.docker",
        ("DockerEnvironment.execute",),
        "mini_swe_agent:patch_environments",
        "commands",
    ),
    Seam(
        "mini-swe-agent",
        "minisweagent.agents.default",
        ("DefaultAgent.run",),
        "mini_swe_agent:patch_agents",
        "agents",
    ),
    Seam("mcp", "mcp.client.session", ("ClientSession.call_tool",), "mcp:patch", "tools"),
)

changed: dict[str, str] = {}  # distribution -> a sentence, for what this process has loaded
_done: set[tuple[str, str]] = set()
_watching = False


def install() -> None:
    """Patch the frameworks that are loaded, and those that will be, when they are."""
    global _watching
    if not _watching:
        _watching = True
        when_loaded(dict.fromkeys(seam.module for seam in SEAMS), _patch)


def _patch(module: ModuleType) -> None:
    for seam in SEAMS:
        if seam.module != module.__name__ or (seam.module, seam.patch) in _done:
            continue
        _done.add((seam.module, seam.patch))
        missing = [name for name in seam.targets if not _has(module, name)]
        if missing and is_user_file(getattr(module, "__file__", None) or "<none>"):
            continue  # a module of the user's own that has the same name
        if missing:
            changed[seam.distribution] = said_changed(seam, missing)
            continue
        file, _, function = seam.patch.partition(":")
        try:
            getattr(import_module(f"{_PATCHES}.{file}"), function)(module)
        except Exception as error:
            report(f"patching {seam.module}", error)
            changed[seam.distribution] = said_changed(seam, list(seam.targets))


def _has(module: Any, dotted: str) -> bool:
    found = module
    for part in dotted.split("."):
        found = getattr(found, part, None)
    return found is not None


def said_changed(seam: Seam, missing: list[str]) -> str:
    """That a seam does not fit the version of its framework that is here."""
    return (
        f"this version of {seam.distribution} has no {seam.module}.{missing[0]}: its {seam.what} "
        "are not recorded as steps; decorate them"
    )
