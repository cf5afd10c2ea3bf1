"""The `tracer` command: finds its subcommands when they are used, and ends them with one sentence.

`tracer run` must start fast and load little, so each command's module is imported only when that
command is called.
"""

import os
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from tracer import __version__
from tracer.errors import EXIT_USAGE, TracerError

COMMANDS = {
    "run": ("tracer.cli.run", "run any Python program with capture on"),
    "ls": ("tracer.cli.ls", "list the runs, newest first"),
    "show": ("tracer.cli.show", "show a run and its steps"),
    "replay": ("tracer.cli.replay", "re-execute a run, everything answered from the recording"),
    "fork": ("tracer.cli.fork", "re-execute a run from a step with another answer"),
    "diff": ("tracer.cli.diff", "compare two runs step by step"),
    "export": ("tracer.cli.export", "write a run to one file"),
    "import": ("tracer.cli.import_", "read a run from a file"),
    "ui": ("tracer.cli.ui", "open the web UI"),
    "demo": ("tracer.cli.demo", "record the failing sample agent and open it"),
    "doctor": ("tracer.cli.doctor", "what is captured here, and problems"),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = import_module(COMMANDS[name][0]).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=True
)
@click.version_option(__version__, prog_name="tracer")
def cli() -> None:
    """Record an AI agent, see why it failed, put in the right answer, run it on from there."""


def main(args: list[str] | None = None) -> None:
    """Run the command line; controlled errors end it with one sentence and their exit code."""
    try:
        result = cli.main(args, prog_name="tracer", standalone_mode=False)
    except TracerError as error:
        fail(str(error), error.exit_code)
    except click.exceptions.Abort:
        fail("stopped", 130)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except BrokenPipeError:
        # The reader (head, less) has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:
        _internal(error)
    sys.exit(result if isinstance(result, int) else 0)


def fail(sentence: str, code: int) -> Any:
    """Say one sentence on standard error and leave."""
    print(f"tracer: {sentence}", file=sys.stderr)
    sys.exit(code)


def _internal(error: Exception) -> None:
    if os.environ.get("TRACER_DEBUG", "") not in ("", "0"):
        traceback.print_exc()
    said = f"internal error, {type(error).__name__}: {error}"
    fail(f"{said} (TRACER_DEBUG=1 shows where; please report it)", EXIT_USAGE)
