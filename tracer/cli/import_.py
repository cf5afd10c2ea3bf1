"""`tracer import`: reads what `tracer export` wrote."""

from pathlib import Path

import click

from tracer.cli.options import database, db_option, json_option
from tracer.cli.output import say, write_json
from tracer.cli.text import count
from tracer.errors import BadFileError
from tracer.interchange.bundle import Imported, read_bundle
from tracer.interchange.run_json import run_json
from tracer.store.reading import Store


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@db_option
def command(file: Path, as_json: bool) -> None:
    """Read the runs of FILE into the database.

    Nothing in the file is executed. To re-execute such a run, name your own copy of the program:
    tracer replay RUN --script 'agent.py ARGS'.
    """
    _refuse_otlp(file)
    done = read_bundle(file, database())
    with Store.open(database()) as store:
        if as_json:
            write_json([run_json(store, store.find_run(one.run_id), steps=False) for one in done])
        for one in done:
            if not as_json:
                click.echo(one.run_id)
            run = store.find_run(one.run_id)
            say(f"run {run.id[:8]} · {run.name} · {count(run.steps, 'step')} · {_how(one)}")


def _how(one: Imported) -> str:
    if one.already_here:
        return "already here"
    if one.was != one.run_id:
        return f"imported under a new id, because another run {one.was[:8]} is here"
    return "imported"


def _refuse_otlp(path: Path) -> None:
    try:
        with open(path, "rb") as file:
            start = file.read(64).lstrip()
    except OSError:
        return  # said by who reads it
    if start[:1] in (b"{", b"["):
        raise BadFileError(
            f"{path} is JSON: reading OTLP files is not there yet, only bundles that "
            "`tracer export` wrote"
        )
