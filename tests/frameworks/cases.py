"""The rows of the matrix: which agent of which framework, SDK or client, and what it must show."""

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
LIGHT = "light"


@dataclass(frozen=True)
class Case:
    """One agent. `agents` are the names of its agent steps, in order.

    `asks_in_text`: its models ask for tools in their text, not by the API's tool calls, so an
    execution has no id and a tool call can't be substituted; `no_ids`: the API's calls have none.
    `text_ends` tells whether a model's text ends the loop; `raises` whether a tool's exception
    shows as the step's error, or in its result.
    """

    name: str
    script: str
    distributions: tuple[str, ...]  # the first one's version is the row's
    agents: tuple[str, ...] = ()
    environment: str = LIGHT  # one of `environments`
    args: tuple[str, ...] = ()
    folder: str = "agents"
    tools: tuple[Wanted, ...] = _TOOLS
    tool_call: Wanted = TOOL_CALL
    model_call: str = "1"  # the one that is offered the tools; a fork substitutes it
    free_calls: bool = False  # some models are asked outside any agent
    asks_in_text: bool = False
    told_in_text: bool = False  # tools' results too
    no_ids: bool = False
    text_ends: bool = True
    raises: bool = True


FRAMEWORKS = (
    Case("LangGraph", "langgraph_agent.py", ("langgraph", "langchain-core"), ("planner",)),
    Case(
        "LangChain (parallel)",
        "langchain_parallel_agent.py",
        ("langchain-core", "langgraph", "langchain-openai"),
        ("LangGraph", "planner"),
        model_call="4",
        free_calls=True,
    ),
    Case("OpenAI Agents", "openai_agents_agent.py", ("openai-agents",), ("planner", "booker")),
    Case("pydantic-ai", "pydantic_ai_agent.py", ("pydantic-ai-slim",), ("planner",)),
    Case(
        "smolagents",
        "smolagents_agent.py",
        ("smolagents",),
        ("planner",),
        told_in_text=True,
        text_ends=False,
    ),
    Case(
        "smolagents (code)",
        "smolagents_code_agent.py",
        ("smolagents",),
        ("planner",),
        asks_in_text=True,
        told_in_text=True,
        text_ends=False,
    ),
    Case("MCP", "mcp_agent.py", ("mcp",), (), "mcp", raises=False),
    Case(
        "LlamaIndex",
        "llama_index_agent.py",
        ("llama-index-core",),
        ("AgentWorkflow",),
        "llamaindex",
    ),
    Case(
        "Google ADK", "google_adk_agent.py", ("google-adk", "litellm"), ("planner", "booker"), "adk"
    ),
    Case("Strands", "strands_agent.py", ("strands-agents",), ("planner",), "strands"),
    Case("AutoGen", "autogen_agent.py", ("autogen-agentchat",), ("planner",), "autogen"),
    Case("crewAI", "crewai_agent.py", ("crewai",), ("planner",), "crewai"),
    Case(
        "DSPy",
        "dspy_agent.py",
        ("dspy", "litellm"),
        ("ReAct",),
        "dspy",
        asks_in_text=True,
        told_in_text=True,
        text_ends=False,
    ),
    Case(
        "mini-swe-agent",
        "mini_swe_agent.py",
        ("mini-swe-agent", "litellm"),
        ("DefaultAgent",),
        "mini",
        tools=_SHELL,
        tool_call=COMMAND,
        text_ends=False,
        raises=False,
    ),
)


def _sdk(
    name: str, script: str, *distributions: str, place: str = "sdks", no_ids: bool = False
) -> Case:
    return Case(name, script, distributions, (), place, folder="sdks", no_ids=no_ids)


def _client(name: str, place: str = "sdks") -> Case:
    return Case(name, "client_agent.py", (name,), (), place, (name,), folder="sdks")


SDKS = (
    _sdk("openai", "openai_agent.py", "openai", "httpx"),
    _sdk("anthropic", "anthropic_agent.py", "anthropic", "httpx"),
    _sdk(
        "google-genai",
        "google_genai_agent.py",
        *("google-genai", "httpx", "aiohttp"),
        place="google",
        no_ids=True,
    ),
    _sdk(
        "google-genai (no aiohttp)",
        "google_genai_httpx_agent.py",
        *("google-genai", "httpx"),
        place="google",
        no_ids=True,
    ),
    _sdk("mistralai", "mistral_agent.py", "mistralai", "httpx"),
    _sdk("cohere", "cohere_agent.py", "cohere", "httpx"),
    _sdk("groq", "groq_agent.py", "groq", "httpx"),
    _sdk("ollama", "ollama_agent.py", "ollama", "httpx", no_ids=True),
    _sdk("boto3 (Bedrock)", "bedrock_agent.py", "boto3", "urllib3"),
    _sdk("LiteLLM", "litellm_agent.py", "litellm", "openai", "aiohttp", place="litellm"),
    _client("httpx"),
    _client("httpx2", "httpx2"),
    _client("urllib3"),
    _client("requests"),
    _client("aiohttp"),
)
CASES = (*FRAMEWORKS, *SDKS)
