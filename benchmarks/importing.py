"""What `import tracer` costs a program that starts."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.rows import Row, Target, compared

ROUNDS = 15
QUICK_ROUNDS = 2
BARE = "pass"
AGAINST = "python -c pass"
MORE = Target("more", 100)
# The names of `tracer` are loaded when they are first used: the second row is what an agent pays.
PROGRAMS = (
    ("import tracer: CPU", "import tracer", MORE),
    ("import tracer and its decorators: CPU", "import tracer; tracer.agent, tracer.tool", MORE),
)


def measure(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Rows of milliseconds of CPU, against an interpreter that does nothing."""
    # As it is installed, with compiled modules; elsewhere than in the source tree.
    surroundings = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / "pycache")}
    surroundings.pop("PYTHONDONTWRITEBYTECODE", None)
    programs = [BARE] + [program for _, program, _ in PROGRAMS]
    for program in programs:
        _start(program, surroundings)  # compiles what has to be
    times: dict[str, list[float]] = {program: [] for program in programs}
    for number in range(QUICK_ROUNDS if quick else ROUNDS):
        turn = number % len(programs)
        for program in programs[turn:] + programs[:turn]:
            times[program].append(_start(program, surroundings))
    for name, program, target in PROGRAMS:
        pairs = list(zip(times[program], times[BARE], strict=True))
        yield compared(name, "ms", pairs, AGAINST, target)


def _start(program: str, surroundings: dict[str, str]) -> float:
    """Milliseconds of CPU of an interpreter from start to end; on a quiet machine also its time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], check=True, env=surroundings)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3
