"""Gold files: what a command or page really printed once, and must print again.

`make gold` accepts what is printed now; look at the difference git shows before committing it.
"""

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path

GOLD = Path(__file__).parent / "gold"
Scrub = tuple[str, str]  # pattern, and what stands for every match in the gold file


def scrubbed(text: str, scrubs: Sequence[Scrub] = ()) -> str:
    """The text with what may differ replaced, and without spaces at line ends."""
    for pattern, stand_in in scrubs:
        text = re.sub(pattern, stand_in, text)
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def check_gold(name: str, text: str, scrubs: Sequence[Scrub] = ()) -> None:
    """Compare with `tests/gold/<name>`; fails with the difference and how to accept it."""
    path = GOLD / name
    found = scrubbed(text, scrubs)
    if os.environ.get("TRACER_GOLD") == "accept":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found, encoding="utf-8")
        return
    expected = path.read_text(encoding="utf-8") if path.exists() else ""
    if found != expected:
        difference = difflib.unified_diff(
            expected.splitlines(), found.splitlines(), f"gold/{name}", "now", lineterm=""
        )
        shown = "\n".join(difference)
        raise AssertionError(f"{name} is not as it was (`make gold` accepts it):\n{shown}")
