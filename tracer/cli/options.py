"""Options that several commands share, and what they mean."""

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tracer.capture import config
from tracer.errors import UsageError
from tracer.store.reading import Store

C = TypeVar("C", bound=Callable[..., Any])


def db_option(command: C) -> C:
    """`--db PATH`, which every command has."""
    return click.option(
        "--db",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="PATH",
        help="The database to use.",
        callback=_remember,
        expose_value=False,
        is_eager=True,
    )(command)


def _remember(ctx: click.Context, option: click.Parameter, value: Path | None) -> None:
    if value is None:
        return
    path = value.expanduser().absolute()
    config.init(db=path)
    # The processes that a program starts find it by the variable.
    os.environ["TRACER_DB"] = str(path)


def database() -> Path:
    """The database this command works on."""
    return config.database_path()


def open_store() -> Store:
    """The database for reading. Raises StoreError when there is none yet, or it can't be read."""
    return Store.open(database())


def json_option(command: C) -> C:
    """`--json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
    )(command)


def entry_options(command: C) -> C:
    """`--script` and `--entry`: the program to re-execute in place of the recorded one."""
    command = click.option(
        "--entry",
        metavar="MODULE:FUNCTION",
        help="Your own copy of the agent: MODULE:FUNCTION or FILE.py:FUNCTION.",
    )(command)
    return click.option(
        "--script",
        metavar="'PATH [ARGS]'",
        help="Your own copy of the program, with its arguments, as one quoted string.",
    )(command)


def writes_options(command: C) -> C:
    """`--keep-writes` and `--allow-writes`: what becomes of files written outside any step."""
    command = click.option(
        "--allow-writes",
        multiple=True,
        metavar="PATH",
        help="A file or folder that the program may change while answers are served.",
    )(command)
    return click.option(
        "--keep-writes",
        metavar="DIR",
        help="Copy there what the program wrote outside any step; else it is thrown away.",
    )(command)


def script_words(script: str | None) -> tuple[str, ...] | None:
    """`--script` as path and arguments. Raises UsageError for an open quote or nothing."""
    if script is None:
        return None
    try:
        words = tuple(shlex.split(script))
    except ValueError as error:
        raise UsageError(f"--script {script}: {error}; quote it as a shell would") from None
    if not words:
        raise UsageError("--script is empty: name the program to re-execute")
    return words


def parse_json(text: str, option: str) -> Any:
    """JSON given on the command line. Raises UsageError that shows how it would be right."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{option}: {text[:80]} is not JSON ({error}); write text in double quotes and put "
            "single quotes around it all, as in '{\"total\": 24.5}'"
        ) from None
