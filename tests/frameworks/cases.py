"""The frameworks of the matrix: what to install, which agent to run, what it must show.

`light` ones coexist in one environment that `make test` builds too; the others have their own.
"""

from dataclasses import dataclass

from tests.frameworks.planner import COMMANDS

Wanted = tuple[str, dict[str, object], object]  # name, arguments, result (None: any)

_TOOLS: tuple[Wanted, ...] = (
    ("get_weather", {"city": "Berlin"}, "sunny in Berlin"),
    ("get_weather", {"city": "Paris"}, "sunny in Paris"),
    ("book_table", {"city": "Berlin", "people": 2}, {"ref": "T-7", "city": "Berlin", "people": 2}),
    ("cancel_table", {"ref": "T-7"}, None),
)
_SHELL: tuple[Wanted, ...] = tuple(("bash", {"command": command}, None) for command in COMMANDS)
TOOL_CALL: Wanted = ("get_weather", {"city": "Oslo"}, "sunny in Oslo")
COMMAND: Wanted = ("bash", {"command": "echo sunny in Oslo"}, None)


@dataclass(frozen=True)
class Case:
    """One agent. `agents` are the names of its agent steps, in order.

    `asks` says how its models ask for tools: by the API's tool calls, or in their text, where an
    execution has no id and a tool call can't be substituted. `answers` tells whether a model's
    text ends the run. `errors` is how a tool's exception shows: as the step's, or as its result.
    """

    name: str
    script: str
    packages: tuple[str, ...]
    distributions: tuple[str, ...]
    agents: tuple[str, ...]
    environment: str
    tools: tuple[Wanted, ...] = _TOOLS
    tool_call: Wanted = TOOL_CALL
    asks_in_text: bool = False
    text_ends: bool = True
    raises: bool = True


LIGHT = "light"
CASES = (
    Case(
        "LangGraph",
        "langgraph_agent.py",
        ("langgraph", "langchain", "langchain-openai"),
        ("langgraph", "langchain-core"),
        ("planner",),
        LIGHT,
    ),
    Case(
        "OpenAI Agents",
        "openai_agents_agent.py",
        ("openai-agents",),
        ("openai-agents",),
        ("planner", "booker"),
        LIGHT,
    ),
    Case(
        "pydantic-ai",
        "pydantic_ai_agent.py",
        ("pydantic-ai-slim[openai]",),
        ("pydantic-ai-slim",),
        ("planner",),
        LIGHT,
    ),
    Case(
        "smolagents",
        "smolagents_agent.py",
        ("smolagents[openai]",),
        ("smolagents",),
        ("planner",),
        LIGHT,
        text_ends=False,
    ),
    Case(
        "smolagents (code)",
        "smolagents_code_agent.py",
        ("smolagents[openai]",),
        ("smolagents",),
        ("planner",),
        LIGHT,
        asks_in_text=True,
        text_ends=False,
    ),
    Case("MCP", "mcp_agent.py", ("mcp", "openai"), ("mcp",), (), LIGHT, raises=False),
    Case(
        "LlamaIndex",
        "llama_index_agent.py",
        ("llama-index-core", "llama-index-llms-openai-like"),
        ("llama-index-core",),
        ("AgentWorkflow",),
        "llamaindex",
    ),
    Case(
        "Google ADK",
        "google_adk_agent.py",
        ("google-adk", "litellm", "mcp"),
        ("google-adk", "litellm"),
        ("planner", "booker"),
        "adk",
    ),
    Case(
        "Strands",
        "strands_agent.py",
        ("strands-agents[openai]",),
        ("strands-agents",),
        ("planner",),
        "strands",
    ),
    Case(
        "AutoGen",
        "autogen_agent.py",
        ("autogen-agentchat", "autogen-ext[openai]"),
        ("autogen-agentchat",),
        ("planner",),
        "autogen",
    ),
    Case("crewAI", "crewai_agent.py", ("crewai",), ("crewai",), ("planner",), "crewai"),
    Case(
        "DSPy",
        "dspy_agent.py",
        ("dspy",),
        ("dspy", "litellm"),
        ("ReAct",),
        "dspy",
        asks_in_text=True,
        text_ends=False,
    ),
    Case(
        "mini-swe-agent",
        "mini_swe_agent.py",
        ("mini-swe-agent", "mcp"),  # LiteLLM asks for mcp and doesn't say so
        ("mini-swe-agent", "litellm"),
        ("DefaultAgent",),
        "mini",
        tools=_SHELL,
        tool_call=COMMAND,
        text_ends=False,
        raises=False,
    ),
)
ENVIRONMENTS = {
    environment: tuple(
        dict.fromkeys(p for case in CASES if case.environment == environment for p in case.packages)
    )
    for environment in dict.fromkeys(case.environment for case in CASES)
}
