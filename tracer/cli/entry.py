"""The `tracer` command: what has to happen before the commands and what they need are imported."""

import sys

from tracer.capture import hashseed


def main() -> None:
    """Run the command that the words of the command line name, and end with its exit code."""
    if sys.argv[1:2] == ["run"]:
        hashseed.start_again()  # a process that is given up loads nothing more
    from tracer.cli.main import run_command  # loads click

    sys.exit(run_command(sys.argv[1:]))
