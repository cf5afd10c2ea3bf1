"""Which processes are Python, and how tracer gets loaded in those of `tracer run`.

A folder of ours goes first on their PYTHONPATH. Its `sitecustomize` takes it off again, runs the
program's own, and loads tracer only when a library that tracer watches is imported.
"""

import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from tracer.capture import http

SITE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "site")
WATCHED = "TRACER_WATCHED"  # the libraries whose import loads tracer
_PYTHON = re.compile(r"(^|/)(python|pypy)(3[0-9.]*)?$")
_SAID = re.compile(r"\b(python|pypy|pytest|uv)[0-9.]*\b|\.py\b")  # in a shell's line
_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "env", "timeout", "nice"})


def is_python(given: Mapping[str, Any]) -> bool:
    """Whether the arguments of `Popen` start a Python program, as far as can be seen."""
    command = given["args"]
    single = isinstance(command, str | bytes | os.PathLike)
    words = [os.fsdecode(command)] if single else [os.fsdecode(word) for word in command]
    if not words:
        return False
    first = os.fsdecode(given.get("executable") or words[0])
    if given.get("shell") or os.path.basename(first) in _SHELLS:
        return any(_SAID.search(word) for word in words)
    return bool(_PYTHON.search(first)) or first == sys.executable or _is_script(first)


def _is_script(name: str) -> bool:
    """Whether a program is a script that names Python as its interpreter."""
    import shutil  # with what it loads, 5 ms that most programs need not pay

    path = shutil.which(name)
    if path is None:
        return False
    try:
        with open(path, "rb") as file:
            start = file.read(200)
    except OSError:
        return False
    return start.startswith(b"#!") and b"python" in start.split(b"\n", 1)[0]


def loading_tracer(environment: Mapping[str, str] | None) -> dict[str, str]:
    """What makes a Python process load tracer when it needs it."""
    before = (os.environ if environment is None else environment).get("PYTHONPATH")
    path = SITE if not before else SITE + os.pathsep + before
    return {"PYTHONPATH": path, WATCHED: ",".join(http.LIBRARIES)}
