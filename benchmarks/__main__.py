"""`python -m benchmarks`: measures, prints the table, writes it as JSON."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.rows import Row
from benchmarks.table import as_json, as_text

GROUPS = ("step", "disk", "stream", "page", "list", "import")


def _measurement(group: str, folder: Path, quick: bool) -> Iterator[Row]:
    """Rows of one group; its module is loaded only when it is asked for."""
    # What one group imports must not weigh on another's numbers.
    if group == "step":
        from benchmarks import step_cost

        return step_cost.measure(quick=quick)
    if group == "disk":
        from benchmarks import disk

        return disk.measure(folder, quick=quick)
    if group == "stream":
        from benchmarks import streaming

        return streaming.measure(quick=quick)
    if group == "page":
        from benchmarks import pages

        return pages.measure(folder, quick=quick)
    if group == "list":
        from benchmarks import run_list

        return run_list.measure(folder, quick=quick)
    from benchmarks import importing

    return importing.measure(folder, quick=quick)


def measure_all(
    groups: list[str], *, quick: bool, progress: Callable[[str], None]
) -> list[tuple[str, Row]]:
    """The rows of the groups, each with the name of its group."""
    found: list[tuple[str, Row]] = []
    with tempfile.TemporaryDirectory(prefix="tracer-bench-") as name:
        folder = Path(name)
        os.environ["TRACER_DB"] = str(folder / "traces.db")
        for group in groups:
            progress(f"measuring {group} …")
            for row in _measurement(group, folder, quick):
                progress(f"  {row.name}: {row.ratio:.2f}x")
                found.append((group, row))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Measure and report; 0 also when a target is missed, which the table says."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--json", type=Path, default=ROOT / "benchmarks" / "out" / "bench.json")
    parser.add_argument("--quick", action="store_true", help="every row, but no number to trust")
    options = parser.parse_args(arguments)
    unknown = [group for group in options.groups if group not in GROUPS]
    if unknown:
        parser.error(f"there is no group {unknown[0]!r}; there are {', '.join(GROUPS)}")
    rows = measure_all(
        options.groups or list(GROUPS),
        quick=options.quick,
        progress=lambda line: print(line, file=sys.stderr, flush=True),
    )
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(as_json(rows, quick=options.quick))
    print(as_text(rows, quick=options.quick))
    return 0


if __name__ == "__main__":
    sys.exit(main())
