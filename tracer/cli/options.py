"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tracer.capture import config
from tracer.errors import StoreError
from tracer.store.reading import Store

F = TypeVar("F", bound=Callable[..., Any])

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


def _set_db(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        config.init(db=value)


db_option = click.option(
    "--db",
    metavar="PATH",
    expose_value=False,
    callback=_set_db,
    is_eager=True,
    help="The database; default: $TRACER_DB, else .tracer/traces.db of the project.",
)


def entry_options(function: F) -> F:
    """--script and --entry: the local program of an imported run."""
    function = click.option(
        "--entry",
        metavar="MODULE:FUNCTION",
        help="Your own copy of the agent: MODULE:FUNCTION or FILE.py:FUNCTION.",
    )(function)
    return click.option(
        "--script",
        metavar="'PATH [ARGS]'",
        help="Your own copy of the program, with arguments, as one quoted string.",
    )(function)


def open_store() -> Store:
    """The database for reading. Raises StoreError when there is none yet."""
    path: Path = config.database_path()
    if not path.exists():
        raise StoreError(
            f"nothing is recorded in {path} yet: run `tracer run your_agent.py`, or name another "
            "database with --db"
        )
    return Store.open(path)
