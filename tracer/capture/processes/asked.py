"""What the start of a process asks: whose it is, its name, its arguments as data."""

import os
import shlex
import subprocess
import sys
from typing import Any

from tracer.capture.callsite import is_own_file, is_user_file
from tracer.capture.processes.streams import text_of_file
from tracer.capture.processes.temporary import without_names

# Modules that start processes to look at the system they run on.
_CURIOUS = ("/platform.py", "/uuid.py", "/ctypes/util.py", "/distro/distro.py", "/webbrowser.py")
_LAYERS = ("/subprocess.py", "/os.py")


def is_probing(frame: Any) -> bool:
    """Whether the code around a frame only looks at the system, or is being imported: nothing
    that the program does."""
    while frame is not None and not is_user_file(frame.f_code.co_filename):
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib") or name.endswith(_CURIOUS):
            return True
        frame = frame.f_back
    return False


def is_the_programs(frame: Any) -> bool:
    """Whether the program, or a library on its behalf, starts a process here."""
    caller = frame
    while caller is not None and _is_layer(caller.f_code.co_filename):
        caller = caller.f_back
    if caller is not None and is_own_file(caller.f_code.co_filename):
        return False
    return not is_probing(frame)


def _is_layer(name: str) -> bool:
    here = os.path.dirname(__file__)
    return name.endswith(_LAYERS) or "/asyncio/" in name or name.startswith(here)


def given_to_run(frame: Any) -> bytes | str | None:
    """The `input` of `subprocess.run`, which Popen itself is not told of; None without one."""
    code = subprocess.run.__code__
    for _ in range(4):
        if frame is None:
            return None
        if frame.f_code is code:
            given = frame.f_locals.get("input")
            if isinstance(given, bytes | bytearray | memoryview):
                return bytes(given)
            return given if isinstance(given, str) else None
        frame = frame.f_back
    return None


def command_of(args: tuple[Any, ...]) -> str:
    """The command in the arguments of an audit event that tells of a process."""
    lists = (given for given in args if isinstance(given, list | tuple) and given)
    texts = (given for given in args if isinstance(given, str | bytes | os.PathLike))
    return " ".join(words_of(next(lists, None) or next(texts, "")))


def words_of(args: Any, executable: Any = None) -> list[str]:
    """The command as a list of text. Raises TypeError for what is no command."""
    if isinstance(args, str | bytes | os.PathLike):
        words = [os.fsdecode(args)]
    else:
        words = [os.fsdecode(word) for word in args]
    if executable is not None:
        words[:1] = [os.fsdecode(executable)]
    return words


def name_of(words: list[str], *, shell: bool) -> str:
    """What the step is called: "subprocess git"."""
    first = words[0] if words else ""
    if shell:
        first = _first_command(first)
    name = os.path.basename(first.rstrip("/")) or "shell"
    if os.path.realpath(first) == os.path.realpath(sys.executable) or _is_python(name):
        name = "python"
    return f"subprocess {name[:60]}"


def _first_command(line: str) -> str:
    """The program a shell line begins with, past assignments."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        words = line.split()
    for word in words:
        if not word.isidentifier() and "=" in word and word.split("=", 1)[0].isidentifier():
            continue
        return word if all(c.isalnum() or c in "-_./+" for c in word) else "shell"
    return "shell"


def _is_python(name: str) -> bool:
    return name.startswith("python") and name[6:].replace(".", "0").isdecimal()


def asked_of(
    words: list[str], *, shell: bool, cwd: Any, stdin: Any, given: bytes | str | None
) -> dict[str, Any]:
    """The input of the step: what distinguishes this process from another. `words` is not empty."""
    words = [without_names(word) for word in words]
    if words[0] == sys.executable and not shell:
        words[0] = "python"  # where it is installed differs between machines
    asked: dict[str, Any] = {"command": words[0]} if shell and len(words) == 1 else {"argv": words}
    if shell and "argv" in asked:
        asked["shell"] = True
    if cwd is not None:
        asked["cwd"] = without_names(os.fsdecode(cwd))
    if given is None and stdin is not None and stdin not in (subprocess.PIPE, subprocess.DEVNULL):
        given = text_of_file(stdin if isinstance(stdin, int) else stdin.fileno())
    if given is not None:
        asked["stdin"] = without_names(given) if isinstance(given, str) else given
    return asked
