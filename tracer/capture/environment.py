"""What a run ran in: how to start it again, versions, process. Collected once a run, cheaply."""

import hashlib
import os
import platform
import re
import sys
from pathlib import Path
from typing import Any

from tracer.capture import hashseed
from tracer.core.records import JSON

# Which of these were set is recorded, never their values.
KEY_VARIABLES = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "MISTRAL_API_KEY",
    "CO_API_KEY",
    "GROQ_API_KEY",
    "OPENROUTER_API_KEY",
    "DEEPSEEK_API_KEY",
    "XAI_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "OLLAMA_API_KEY",
)
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(?:/[A-Za-z0-9_+-]{1,30}){0,3}")
_SAMPLES = str(Path(__file__).resolve().parents[1] / "demo")


def environment() -> dict[str, JSON]:
    """Python, platform, argv, cwd and process, for the run's record."""
    wished = os.environ.get("TRACER_REDACT")
    return {
        "python": platform.python_version(),
        "platform": sys.platform,
        "executable": sys.executable,
        "argv": list(sys.orig_argv),
        "cwd": _cwd(),
        "host": platform.node(),
        "hashseed": hashseed.known(),
        "timezone": timezone(),
        "keys": [name for name in KEY_VARIABLES if os.environ.get(name)],
        **({"redact": wished} if wished else {}),
    }


def timezone() -> str | None:
    """The local time zone by name, where the system says it by name."""
    given = os.environ.get("TZ")
    if given:
        return proper_timezone(given)
    try:
        link = os.readlink("/etc/localtime")
    except OSError:  # none, or a copy
        return None
    return proper_timezone(link.partition("zoneinfo/")[2])


def proper_timezone(name: object) -> str | None:
    """A zone's name; None for what isn't one, or names a file elsewhere."""
    return name if isinstance(name, str) and _ZONE.fullmatch(name) else None


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:  # the folder was removed under the program
        return ""


def script_entry(
    path: str, arguments: list[str], *, as_module: bool, whole: bool
) -> dict[str, JSON]:
    """Entry of a program: run again as `__main__` with the same arguments.

    `whole` True: the program is the run (`tracer run`). False: the run is the first decorated
    call in it.
    """
    return _sample_of(path) | {
        "kind": "module" if as_module else "script",
        "path": path if as_module else os.path.abspath(path),
        "argv": arguments,
        "cwd": _cwd(),
        "executable": sys.executable,
        "whole": whole,
        "source": None if as_module else source_hash(path),
        **hashseed.entry(),
        **({"terminal": True} if _is_terminal() else {}),
    }


def _is_terminal() -> bool:
    """Whether the program reads its standard input from one."""
    try:
        return os.isatty(0)
    except OSError:
        return False


def function_entry(
    function: Any, storable: bool, ordinal: int, *, has_setup: bool = False
) -> dict[str, JSON]:
    """Entry of a decorated call: the function is imported and called with the run's input.

    Methods, closures, notebook cells and calls whose arguments can't be stored are started
    through their whole program instead, where there is one and this was its first run. With
    `has_setup` the function's own setup makes the object of a method.
    """
    module = sys.modules.get(function.__module__)
    file = getattr(module, "__file__", None)
    reason = _why_not_importable(function, file, storable, has_setup)
    if reason is None and file is not None:
        name = _module_name(module, function.__module__)
        return _sample_of(file) | {
            "kind": "function",
            "module": name,
            "qualname": function.__qualname__,
            "file": os.path.abspath(file),
            "root": _import_root(name, file),
            "source": source_hash(file),
            "cwd": _cwd(),
            "argv": sys.argv[1:],
            "executable": sys.executable,
            **hashseed.entry(),
        }
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main is not None and os.path.isfile(main) and ordinal == 0 and not _is_tool(main):
        entry = script_entry(main, sys.argv[1:], as_module=False, whole=False)
        return entry | {"because": reason, **_named(function)}
    return {"kind": "none", "reason": reason, "cwd": _cwd(), **_named(function)}


def _module_name(module: Any, name: str) -> str:
    """The name a module is imported by: of a package's module run with `-m`, its real one."""
    spec = getattr(module, "__spec__", None)
    if name == "__main__" and spec is not None and "." in spec.name:
        return str(spec.name)
    return name


def source_hash(path: str) -> str | None:
    """Hash of a program's file, to tell later whether it changed; None when it can't be read."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def _named(function: Any) -> dict[str, JSON]:
    """The name an in-process fork finds the function by."""
    return {"module": function.__module__, "qualname": function.__qualname__}


def _sample_of(path: str) -> dict[str, JSON]:
    """Marks runs of the sample agents that come with tracer: they can be started anywhere."""
    folder, name = os.path.split(os.path.abspath(path))
    return {"sample": name.removesuffix(".py")} if folder == _SAMPLES else {}


def _is_tool(main: str) -> bool:
    # Under pytest, ipython and the like the main program isn't the user's.
    return "site-packages" in main or os.path.basename(main) in ("pytest", "ipython", "jupyter")


def _why_not_importable(
    function: Any, file: str | None, storable: bool, has_setup: bool
) -> str | None:
    if "tracer_reason" in vars(function):
        return str(vars(function)["tracer_reason"])
    name = function.__qualname__
    if "<locals>" in name:
        return f"{name} is defined inside a function: move it to module level"
    if "." in name and not has_setup:
        return (
            f"{name} is a method: its object can't be made again from the recording (unless "
            "@tracer.agent(setup=…) gives it)"
        )
    if file is None or not os.path.isfile(file):
        return f"{name} was defined in no file (a notebook or prompt)"
    if not storable:
        return (
            f"an argument of {name} could not be stored: pass data instead of objects, or let "
            "@tracer.agent(setup=…) make it"
        )
    return None


def _import_root(module: str, file: str) -> str:
    """The folder that must be on sys.path for `module` to be importable by name."""
    folder = Path(file).absolute().parent
    if module == "__main__":
        return str(folder)
    depth = module.count(".") + (os.path.basename(file) == "__init__.py")
    for _ in range(depth):
        folder = folder.parent
    return str(folder)
