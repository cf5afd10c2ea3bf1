"""What `tracer doctor` looks at: packages and whether they are captured, the database, problems."""

import os
import platform
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Literal

from tracer.capture import ambient, config
from tracer.cli import doctor_seams
from tracer.cli.support import OLDEST
from tracer.cli.ui import GROUP
from tracer.core.records import JSON
from tracer.errors import StoreError
from tracer.providers import APIS
from tracer.store.failures import NoDatabase
from tracer.store.reading import Store

Sort = Literal["client", "sdk", "framework"]
_PLAIN = "recorded, but as plain HTTP: its format is not known yet"
_BELOW = "what it asks through openai or anthropic is recorded"
_EVERY = "every request of every client, replayed in its own classes"
_URLLIB3 = "every request, through urllib3"
_NOTED = "not recorded: a run that uses it says so, and is not replayed past it"
_GRPC = "speaks gRPC, which is not recorded: a run that uses it says so; choose its REST transport"
_INSIDE = "a model in this process, which sends no request: decorate its caller with @tracer.model"

_STANDARD = "every request, also of urllib.request"
# Distribution -> sort, captured, why. Tests hold it against what capture really patches.
KNOWN: dict[str, tuple[Sort, bool, str]] = {
    "httpx": ("client", True, _EVERY),
    "httpx2": ("client", True, _EVERY),
    "urllib3": ("client", True, "every attempt of every pool, replayed by its own code"),
    "requests": ("client", True, _URLLIB3),
    "botocore": ("client", True, _URLLIB3),
    "aiohttp": ("client", True, _EVERY),
    "websockets": ("client", False, _NOTED),
    "websocket-client": ("client", False, _NOTED),
    "grpcio": ("client", False, _NOTED),
    "curl-cffi": ("client", False, _NOTED),
    "openai": (
        "sdk",
        True,
        "chat completions, responses and embeddings as model calls, others as plain HTTP",
    ),
    "anthropic": ("sdk", True, "messages as model calls"),
    "google-genai": ("sdk", True, "content and embeddings as model calls, others as plain HTTP"),
    "mistralai": ("sdk", True, "chat completions and embeddings as model calls"),
    "cohere": ("sdk", True, "chat (v2) as model calls, others as plain HTTP"),
    "groq": ("sdk", True, "chat completions as model calls"),
    "ollama": ("sdk", True, "chat, generate and embed as model calls"),
    "together": ("sdk", True, "chat completions as model calls"),
    "boto3": ("sdk", True, "Bedrock's converse and invoke as model calls, others as plain HTTP"),
    "huggingface-hub": ("sdk", True, "chat completions as model calls, others as plain HTTP"),
    "google-cloud-aiplatform": ("sdk", False, _GRPC),
    "google-generativeai": ("sdk", False, _GRPC),
    "xai-sdk": ("sdk", False, _NOTED),
    "llama-cpp-python": ("sdk", False, _INSIDE),
    "mlx-lm": ("sdk", False, _INSIDE),
    "transformers": ("sdk", False, _INSIDE),
    "vllm": ("sdk", False, _INSIDE),
    "litellm": ("framework", True, "what it asks is recorded, as its client's"),
    "langchain-anthropic": ("framework", True, _BELOW),
    "langchain-openai": ("framework", True, _BELOW),
}


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package that calls models, or that others call them with."""

    name: str
    version: str
    sort: Sort
    captured: bool
    why: str  # what of it is recorded, or why nothing is

    @property
    def replayable(self) -> bool:
        """Whether a recording answers it: what is captured is; `why` names what of it is not."""
        return self.captured

    @property
    def oldest(self) -> str | None:
        """The oldest version tracer is tried with, where this one is older."""
        oldest = OLDEST.get(self.name)
        is_older = oldest is not None and _numbers(self.version) < _numbers(oldest)
        return oldest if is_older else None


@dataclass(frozen=True, slots=True)
class Report:
    """Everything doctor found. `problems` are sentences with the remedy."""

    packages: tuple[Package, ...]
    database: Path
    size: int | None  # bytes, None = no database yet
    runs: int | None
    problems: tuple[str, ...]

    def as_json(self) -> dict[str, JSON]:
        """The report for programs."""
        return {
            "tracer": installed("tracer-debugger"),
            "python": platform.python_version(),
            "executable": sys.executable,
            "database": {
                "path": str(self.database),
                "exists": self.size is not None,
                "size_bytes": self.size,
                "runs": self.runs,
            },
            "formats": formats(),
            "packages": [
                {
                    "name": package.name,
                    "version": package.version,
                    "kind": package.sort,
                    "captured": package.captured,
                    "replayable": package.replayable,
                    "older_than_tried": package.oldest,
                    "why": package.why,
                }
                for package in self.packages
            ],
            "problems": list(self.problems),
        }


def examine(database: Path) -> Report:
    """Look at everything; nothing is changed or imported."""
    size, runs, problems = _look_at(database)
    packages = [
        Package(name, found, *KNOWN[name])
        for name in KNOWN
        if (found := installed(name)) is not None
    ]
    packages.append(Package("http.client", platform.python_version(), "client", True, _STANDARD))
    packages += [
        Package(name, found, "framework", *doctor_seams.watched(name))
        for name in doctor_seams.NAMES
        if (found := installed(name)) is not None
    ]
    problems += _too_old(packages) + _surroundings()
    return Report(tuple(packages), database, size, runs, tuple(problems))


def _too_old(packages: list[Package]) -> list[str]:
    return [
        f"{package.name} {package.version} is older than any that tracer is tried with: what it "
        f"does may go unrecorded; {package.oldest} or newer is tried"
        for package in packages
        if package.oldest is not None
    ]


def _numbers(version_text: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version_text)
    return tuple(map(int, found[0].split("."))) if found else ()


def installed(name: str) -> str | None:
    """The version of a distribution, None where it isn't installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def formats() -> list[str]:
    """Names of the wire formats that are read as model calls."""
    return [api.name for api in APIS]


def _look_at(database: Path) -> tuple[int | None, int | None, list[str]]:
    """Size, number of runs and what is wrong with the database."""
    problems = _unwritable(database)
    try:
        with Store.open(database) as store:
            return store.size_bytes(), store.count_runs(), problems
    except NoDatabase:
        return None, None, problems
    except StoreError as error:
        return database.stat().st_size if database.is_file() else None, None, [str(error)]


def _unwritable(database: Path) -> list[str]:
    if database.exists():
        checked = [database, database.parent]  # beside the file stands its write-ahead log
    else:
        checked = [next(folder for folder in database.parents if folder.exists())]
    return [
        f"{path} can't be written: nothing is recorded; change its rights, or choose another "
        "place with TRACER_DB"
        for path in checked
        if not os.access(path, os.W_OK)
    ][:1]


def _surroundings() -> list[str]:
    problems: list[str] = []
    shadow = Path.cwd() / "tracer.py"
    if shadow.exists():
        problems.append(
            f"{shadow} has the name of this package, so programs started here import it instead: "
            "rename it"
        )
    settings = config.get()
    if not settings.enabled:
        problems.append("TRACER_DISABLED is set: nothing is recorded; unset it")
    if "http" not in settings.capture:
        problems.append("TRACER_CAPTURE leaves out http: no model call is recorded; add it")
    if not ambient.works():
        problems.append(
            "this Python is not CPython with its global lock, so the clock and random values are "
            "not recorded: a replay reads others"
        )
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        problems.append(
            "OTEL_SDK_DISABLED is set: no spans are sent to others; what tracer records does not "
            "depend on it"
        )
    if not list(entry_points(group=GROUP)):
        problems.append("the web UI is not installed: install tracer-debugger again")
    return problems
