"""`tracer replay`: the agent's code again, every answer from the recording."""

from dataclasses import replace

import click

from tracer.cli.options import (
    db_option,
    entry_options,
    json_option,
    open_store,
    script_words,
    writes_options,
)
from tracer.cli.reexecute import ignore_option, reexecute
from tracer.cli.replay_all import replay_all
from tracer.errors import UsageError
from tracer.reexecution.session import ReplaySpec


@click.command("replay")
@click.argument("run", required=False)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Replay every run of the database; with a folder in RUN's place, every bundle in it.",
)
@click.option(
    "--break-at",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop before step N, in pdb, in the program's own frame.",
)
@entry_options
@writes_options
@ignore_option
@json_option
@db_option
def command(
    run: str | None,
    every: bool,
    break_at: int | None,
    script: str | None,
    entry: str | None,
    keep_writes: str | None,
    allow_writes: tuple[str, ...],
    ignore: tuple[str, ...],
    as_json: bool,
) -> int:
    """Re-execute RUN with every model and tool answer served from the recording.

    Needs no key and no network; files it writes outside any step are held back. Exit code 0: as
    recorded (also when it failed as recorded); 1: the agent failed in another way; 3: the code
    asked for something else; 4: it tried to do something that is not recorded; 125: it can't be
    re-executed here. With --all: the code of the worst, in the order 3, 1, 4, 125.
    """
    spec = ReplaySpec(
        "",
        script=script_words(script),
        function=entry,
        keep_writes=keep_writes,
        allow_writes=allow_writes,
        ignore=ignore,
        break_at=break_at,
    )
    if break_at is not None and (every or as_json):
        raise UsageError(
            "--break-at needs somebody at the program's own terminal: leave out --all and --json"
        )
    if every:
        return replay_all(run, spec, as_json)
    if run is None:
        raise UsageError("name the run to replay: an id, the beginning of one, `last`; or --all")
    with open_store() as store:
        found = store.find_run(run)
    return reexecute(replace(spec, run_id=found.id), as_json)
