"""The ledger: one JSON line for each side effect of a sample agent, so that repetition is visible.

The file is `$TRACER_DEMO_LEDGER`, else `demo_ledger.jsonl` in the working directory.
"""

import json
import os
from pathlib import Path
from typing import Any


def path() -> Path:
    """Where the ledger is."""
    return Path(os.environ.get("TRACER_DEMO_LEDGER") or "demo_ledger.jsonl")


def append(action: str, **facts: Any) -> None:
    """Add one line, `{"action": ..., **facts}`; safe from several threads and processes."""
    line = json.dumps({"action": action, **facts}, ensure_ascii=False) + "\n"
    # Unbuffered append: one write call a line, which the system doesn't interleave with others.
    with open(path(), "ab", buffering=0) as file:
        file.write(line.encode())


def read() -> list[dict[str, Any]]:
    """The lines so far, oldest first; none when there is no file."""
    if not path().exists():
        return []
    return [json.loads(line) for line in path().read_text(encoding="utf-8").splitlines()]
