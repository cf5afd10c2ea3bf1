"""`tracer run`: any Python program, with capture on."""

import sys

import click

from tracer.capture import config
from tracer.cli.options import db_option
from tracer.errors import UsageError
from tracer.store.trees import workspace_folder

_WITH_VALUE = ("--tool", "--workspace", "--db")


class RunCommand(click.Command):
    """Options end where the program begins: what follows its name is the program's own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, end_options(args))


def end_options(args: list[str]) -> list[str]:
    """The arguments with `--` put where Python too would stop reading options."""
    at = 0
    while at < len(args) and args[at].startswith("-") and args[at] not in ("-", "--"):
        if args[at].startswith("-m"):
            end = at + (2 if args[at] == "-m" else 1)
            return [*args[:end], "--", *args[end:]]
        at += 2 if args[at] in _WITH_VALUE else 1
    return [*args[:at], "--", *args[at:]] if args[at : at + 1] != ["--"] else args


@click.command("run", cls=RunCommand)
@click.option("-m", "module", metavar="MODULE", help="Run a module, as `python -m` does.")
@click.option(
    "--per-agent", is_flag=True, help="Each outermost decorated call is a run of its own."
)
@click.option("--no-discover", is_flag=True, help="Don't look for undecorated tools.")
@click.option(
    "--tool",
    "tools",
    multiple=True,
    metavar="MODULE:NAME",
    help="Record this function as a tool; NAME alone is one of the program's own file.",
)
@click.option(
    "--workspace",
    metavar="PATH",
    help="Keep the states of this folder (by git, beside the database), so that a re-execution "
    "sees its files as they were.",
)
@db_option
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [ARGS]...")
def command(
    module: str | None,
    per_agent: bool,
    no_discover: bool,
    tools: tuple[str, ...],
    workspace: str | None,
    words: tuple[str, ...],
) -> None:
    """Run a Python program, no code changed, and record it.

    The program's output, exit status and signals are its own. One line on standard error says
    what was recorded; TRACER_QUIET=1 silences it.
    """
    _check_options(tools, per_agent, workspace)
    if module is None and not words:
        raise UsageError("name a program: tracer run SCRIPT [ARGS], or tracer run -m MODULE [ARGS]")
    # Loaded here, so that an error in the options above is said at once.
    from tracer.reexecution.program import run_program

    target = module if module is not None else words[0]
    arguments = list(words if module is not None else words[1:])
    if not config.get().enabled:
        click.echo("tracer: TRACER_DISABLED is set, nothing is recorded", err=True)
    status = run_program(
        target,
        arguments,
        as_module=module is not None,
        per_agent=per_agent,
        discover=not no_discover,
        tools=[name if ":" in name else f"__main__:{name}" for name in tools],
        workspace=workspace,
    )
    sys.exit(status)


def _check_options(tools: tuple[str, ...], per_agent: bool, workspace: str | None) -> None:
    for name in tools:
        module, colon, path = name.rpartition(":")
        names = [*(module.split(".") if colon else []), *path.split(".")]
        if not all(word.isidentifier() for word in names):
            raise UsageError(f"--tool {name!r} names no function: write MODULE:NAME")
    if tools and per_agent:
        raise UsageError(
            "--tool goes with one run for the whole program, not with --per-agent: decorate the "
            "function with @tracer.tool"
        )
    if workspace is None:
        return
    workspace_folder(workspace)
    if per_agent:
        raise UsageError(
            "--workspace goes with one run for the whole program, not with --per-agent: give it to "
            "@tracer.agent(workspace=...)"
        )
