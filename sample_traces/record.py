"""Records the sample traces again: `make samples`. No key and no network; about ten seconds.

Each bundle is what `tracer export` writes of a run of one of the sample agents in `tracer/demo`,
which start their own local model server.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tracer.demo.samples import SUPPORT, SUPPORT_STREAM, TEAM, Sample

HERE = Path(__file__).resolve().parent


def tracer(folder: Path, *words: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run the command in a folder with its own database and ledger; its standard output."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_KEY")}
    environment |= {
        "TRACER_DB": str(folder / "traces.db"),
        "TRACER_DEMO_LEDGER": str(folder / "ledger.jsonl"),
        "PYTHONHASHSEED": "0",
        "TRACER_QUIET": "1",
    }
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tracer", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in codes:
        raise SystemExit(f"tracer {' '.join(words)}: exit {done.returncode}")
    return done.stdout


def record(folder: Path, sample: Sample, bundle: str) -> str:
    """Record one failing run and export it; its id."""
    tracer(folder, "run", str(sample.script), codes=(1,))
    run = str(json.loads(tracer(folder, "show", "last", "--json"))["id"])
    tracer(folder, "export", run, "-o", str(HERE / bundle))
    return run


def main() -> None:
    """Record all of them, over the ones that are there."""
    for old in HERE.glob("*.tracer"):
        old.unlink()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        failed = record(folder, SUPPORT, "refund-failed.tracer")
        fix = [SUPPORT.right.name, json.dumps(SUPPORT.right.arguments)]
        made = tracer(
            folder,
            "fork",
            failed,
            "--model-call",
            str(SUPPORT.blamed_call),
            "--tool-call",
            *fix,
            "--tool",
            "*=live",
            "--json",
        )
        fixed = json.loads(made)["id"]
        tracer(folder, "export", fixed, "-o", str(HERE / "refund-fixed.tracer"))
        record(folder, SUPPORT_STREAM, "refund-streaming.tracer")
        record(folder, TEAM, "team-exception.tracer")
    for path in sorted(HERE.glob("*.tracer")):
        print(f"{path.name}  {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
