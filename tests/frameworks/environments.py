"""The environments of the matrix under `.matrix`: what is installed in each, old and new.

Those of an age `oldest` pin what `tracer.cli.support` names, and beside it what fits that.
"""

import subprocess
import sys
from pathlib import Path
from typing import Literal

from tracer.cli.support import OLDEST

Age = Literal["oldest", "newest"]
AGES: tuple[Age, ...] = ("oldest", "newest")
ROOT = Path(__file__).parents[2]
PLACE = ROOT / ".matrix"
PACKAGES: dict[str, tuple[str, ...]] = {
    "light": (
        *("langgraph", "langchain", "langchain-core", "langchain-openai", "openai-agents"),
        *("pydantic-ai-slim[openai]", "smolagents[openai]"),
    ),
    "mcp": ("mcp", "openai"),  # its 2.0 is newer than what old agents fit
    "llamaindex": ("llama-index-core", "llama-index-llms-openai-like"),
    "adk": ("google-adk", "litellm", "mcp"),
    "strands": ("strands-agents[openai]",),
    "autogen": ("autogen-agentchat", "autogen-ext[openai]"),
    "crewai": ("crewai",),
    "dspy": ("dspy",),
    "mini": ("mini-swe-agent", "mcp"),  # LiteLLM asks for mcp and doesn't say so
    "litellm": ("litellm", "mcp", "aiohttp"),
    "sdks": (
        *("openai", "anthropic", "mistralai", "cohere", "groq", "ollama", "boto3"),
        *("httpx", "requests", "urllib3", "aiohttp"),
    ),
    "google": ("google-genai", "aiohttp"),
    "httpx2": ("httpx2",),
    "spans": (
        *("openai", "pydantic-ai-slim[openai]", "openinference-instrumentation-openai"),
        "opentelemetry-instrumentation-genai-openai",
    ),
}
# In old environments, what else must be of that time, because those versions break on today's.
_OF_THAT_TIME: dict[str, tuple[str, ...]] = {
    "light": (
        *("langchain==1.0.0", "langchain-openai==1.0.0"),
        *("pydantic==2.12.4", "openai==2.30.0", "opentelemetry-sdk==1.38.0"),
    ),
    "autogen": ("autogen-ext[openai]==0.7.1",),
    "mcp": ("openai",),
}
# Beside the row's own, and in any version.
_FREE = {"mcp": ("adk", "mini", "litellm"), "litellm": ("adk",), "aiohttp": ("litellm", "google")}


def packages(environment: str, age: Age) -> tuple[str, ...]:
    """What pip is given."""
    named = PACKAGES[environment]
    if age == "newest":
        return named
    also = _OF_THAT_TIME.get(environment, ())
    fixed = {_name(package) for package in also}
    pinned = [_pinned(package, environment) for package in named if _name(package) not in fixed]
    return (*pinned, *also)


def _pinned(package: str, environment: str) -> str:
    version = OLDEST.get(_name(package))
    free = version is None or environment in _FREE.get(_name(package), ())
    return package if free else f"{package}=={version}"


def _name(package: str) -> str:
    return package.partition("=")[0].partition("[")[0]


def python_of(environment: str, age: Age = "newest") -> Path:
    """The interpreter of an environment; made first, where it is missing or out of date.

    Raises CalledProcessError with pip's own words on standard error.
    """
    folder = PLACE / (environment if age == "newest" else f"{environment}-oldest")
    wanted = "\n".join(packages(environment, age))
    stamp = folder / "packages"
    if not stamp.exists() or stamp.read_text() != wanted:
        run(sys.executable, "-m", "venv", "--clear", str(folder))
        python = str(folder / "bin" / "python")
        install = (python, "-m", "pip", "install", "-qq", "--no-compile")
        run(*install, "--upgrade", "pip")  # the one of venv takes minutes to choose versions
        run(*install, *packages(environment, age), "--editable", str(ROOT))
        stamp.write_text(wanted)
    return folder / "bin" / "python"


_VERSIONS = (
    "import sys; from importlib.metadata import distribution as d, PackageNotFoundError\n"
    "for name in sys.argv[1:]:\n"
    "  try: print(name, d(name).version)\n"
    "  except PackageNotFoundError: pass"
)


def versions(python: Path, *distributions: str) -> dict[str, str]:
    """Of those that an environment has."""
    told = run(str(python), "-c", _VERSIONS, *distributions)
    return dict(line.split() for line in told.splitlines())


def run(*words: str) -> str:
    """What a command printed; raises CalledProcessError."""
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
