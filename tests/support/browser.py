"""Which Chromium the browser tests drive, and what is said where there is none."""

import os
import shutil

MISSING = "no Chromium found: apt-get install chromium, or set TRACER_CHROMIUM=/path/to/chromium"


def chromium_path() -> str | None:
    """`$TRACER_CHROMIUM`, else the system's; None where there is none."""
    named = os.environ.get("TRACER_CHROMIUM")
    names = [named] if named else ["chromium", "chromium-browser", "google-chrome"]
    return next((path for name in names if (path := shutil.which(name))), None)


def why_left_out() -> str | None:
    """The reason to leave browser tests out here; None where they run (or must fail)."""
    if os.environ.get("CI"):
        return None  # CI runs them all: without a browser they fail
    if os.environ.get("TRACER_NO_BROWSER") == "1":
        return "TRACER_NO_BROWSER=1"
    return None if chromium_path() else MISSING
