"""Whether the process that records a run still lives. Reads `/proc` where there is one."""

import os
import platform
import time
from functools import lru_cache
from pathlib import Path

from tracer.core.records import JSON

# A run of a machine we can't look into counts as interrupted after a day of silence.
SILENCE_NS = 24 * 3600 * 10**9


def process_mark(pid: int) -> dict[str, JSON]:
    """What tells this process from any other: host, boot, pid namespace, start time (ticks), and
    of the program in it where its stack begins: `exec` puts another program into a process.

    Missing keys = the system does not say.
    """
    mark: dict[str, JSON] = {"pid": pid, **_place()}
    fields = _fields(pid)
    if fields is not None:
        mark["start"] = int(fields[19])
        mark["stack"] = int(fields[25])
    return mark


def is_alive(mark: dict[str, JSON]) -> bool | None:
    """Whether the marked process runs; None when it can't be seen from here."""
    here = _place()
    if mark.get("host") != here.get("host"):
        return None
    if mark.get("boot") != here.get("boot"):
        return False
    if mark.get("namespace") != here.get("namespace"):
        return None
    pid = mark.get("pid")
    if not isinstance(pid, int) or not 0 < pid < 1 << 31:
        return None
    if "start" not in mark:
        return _exists(pid)
    fields = _fields(pid)
    if fields is None or int(fields[19]) != mark["start"]:
        return False
    stack, recorded = int(fields[25]), mark.get("stack")
    # It says 0 of processes that we may not look into.
    return not (stack and recorded and stack != recorded)


def still_running(origin: str, mark: dict[str, JSON] | None, last_sign_ns: int) -> bool:
    """Whether a run without an end is under way: its process lives, or may and was heard of.

    `last_sign_ns` is when its last step started or ended.
    """
    if origin != "local":
        return False
    alive = None if mark is None else is_alive(mark)
    return time.time_ns() - last_sign_ns < SILENCE_NS if alive is None else alive


@lru_cache(maxsize=1)
def _place_of(pid: int) -> dict[str, JSON]:
    place: dict[str, JSON] = {"host": platform.node()}
    try:
        place["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        place["namespace"] = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        pass
    return place


def _place() -> dict[str, JSON]:
    return _place_of(os.getpid())  # by pid, because a forked child may have moved


def _fields(pid: int) -> list[bytes] | None:
    """What the system says of a process, from its state on (proc(5), fields 3 to 52); None when
    there is no such live process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    # The name in parentheses may hold anything, spaces and parentheses too.
    fields = stat[stat.rfind(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else fields


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it exists and belongs to someone else
    return True
