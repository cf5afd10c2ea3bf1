"""The command group, and the one place where an error becomes a sentence and an exit code."""

import os
import sys
import tempfile
import traceback
from importlib import import_module
from typing import Any

import click

from tracer.cli.text import printable
from tracer.errors import EXIT_USAGE, TracerError

# Name -> module and the line that help shows; in the order of a first day with tracer.
COMMANDS = {
    "demo": ("demo", "Record the failing sample agent and open the web UI on it."),
    "run": ("run", "Run a Python program with capture on."),
    "ls": ("ls", "List recorded runs, newest first."),
    "show": ("show", "Show one run and its steps, or one step whole."),
    "ui": ("ui", "Open the web UI."),
    "replay": ("replay", "Re-execute a run, everything answered from the recording."),
    "calibrate": ("calibrate", "Say what of a run varies by itself."),
    "fork": ("fork", "Re-execute a run with another answer at one step."),
    "diff": ("diff", "Compare two runs step by step."),
    "export": ("export", "Write a run into one file, to attach to a bug."),
    "import": ("import_", "Read such a file."),
    "prune": ("prune", "Delete runs by age, count or size."),
    "doctor": ("doctor", "Say what is captured here, and what is wrong."),
}
EXIT_INTERNAL = 70  # a fault of tracer itself; sysexits.h calls it EX_SOFTWARE
EXIT_INTERRUPTED = 130


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"tracer.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="RUN is an id, the beginning of one, `last` or `last-failed`. "
    "The database is --db, else $TRACER_DB, else .tracer/traces.db of the project.",
)
@click.version_option(package_name="tracer-debugger", prog_name="tracer")
def group() -> None:
    """Records what an AI agent does, and re-executes it with another answer at any step."""


def run_command(argv: list[str]) -> int:
    """Run one command; its exit code. Errors are already said, on standard error."""
    try:
        code: Any = group.main(args=argv, prog_name="tracer", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except TracerError as error:
        return _say(str(error), error.exit_code)
    except click.ClickException as error:
        return _say(_usage(error), EXIT_USAGE)
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has seen enough; nothing may be written to it at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _internal(error)


def _say(sentence: str, code: int) -> int:
    # What was recorded may stand in the sentence, so it is made harmless too.
    click.echo(f"tracer: {printable(sentence)}", err=True)
    return code


def _usage(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "tracer"
    return f"{message[:1].lower()}{message[1:]}: see `{path} --help`"


def _internal(error: Exception) -> int:
    """One line for a fault of ours; the traceback goes where it can be attached to a report."""
    text = "".join(traceback.format_exception(error))
    if os.environ.get("TRACER_DEBUG", "") not in ("", "0"):
        click.echo(text, err=True, nl=False)
        return EXIT_INTERNAL
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="tracer-error-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        where = f"the traceback is in {file.name}"
    except OSError:
        where = "TRACER_DEBUG=1 prints the traceback"
    first = " ".join(str(error).split())[:200]
    return _say(f"internal error ({type(error).__name__}: {first}); {where}", EXIT_INTERNAL)
