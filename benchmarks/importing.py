"""What `import tracer` costs a program that starts."""

import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.rows import Row, Target, compared

ROUNDS = 15
QUICK_ROUNDS = 2
BARE = "pass"
PROGRAMS = (
    ("import tracer", "import tracer"),
    ("import tracer and its decorators", "import tracer; tracer.agent, tracer.tool, tracer.note"),
)


def measure(*, quick: bool) -> Iterator[Row]:
    """Rows of milliseconds more than an interpreter that does nothing."""
    programs = [BARE] + [program for _, program in PROGRAMS]
    for program in programs:
        _start(program)  # compiles what has to be
    times: dict[str, list[float]] = {program: [] for program in programs}
    for number in range(QUICK_ROUNDS if quick else ROUNDS):
        turn = number % len(programs)
        for program in programs[turn:] + programs[:turn]:
            times[program].append(_start(program))
    for name, program in PROGRAMS:
        row = compared(
            name, "ms", list(zip(times[program], times[BARE], strict=True)), "python -c pass"
        )
        more = Row(
            f"{name}: more than bare Python",
            "ms",
            row.value - row.other,
            row.other,
            row.ratio,
            row.spread,
            row.rounds,
            row.against,
            Target("value", 100),
        )
        yield more


def _start(program: str) -> float:
    """Milliseconds of wall time until the interpreter has ended."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], check=True)
    return (time.perf_counter() - began) * 1e3
