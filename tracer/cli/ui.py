"""`tracer ui`: the web UI, found by its entry point, so that nothing else ever loads it."""

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol

import click

from tracer.cli.options import database, db_option
from tracer.errors import UsageError

GROUP = "tracer.ui"


class Serve(Protocol):
    """What an entry point of the group gives: serves until it is stopped."""

    def __call__(
        self, *, database: Path, port: int, open_browser: bool, announce: Callable[[str], None]
    ) -> None: ...


@click.command("ui")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4700,
    show_default=True,
    help="Port on 127.0.0.1; 0 picks a free one.",
)
@click.option("--no-browser", is_flag=True, help="Don't open a browser.")
@db_option
def command(port: int, no_browser: bool) -> None:
    """Open the web UI on 127.0.0.1. Ctrl-C stops it."""
    serve_ui(database(), port=port, open_browser=not no_browser)


def serve_ui(path: Path, *, port: int, open_browser: bool) -> None:
    """Serve the UI on a database until it is stopped; says its address on standard output."""
    find_ui()(database=path, port=port, open_browser=open_browser, announce=_announce)


def find_ui() -> Serve:
    """The installed UI. Raises UsageError that says how to get one."""
    found = list(entry_points(group=GROUP))
    if not found:
        raise UsageError(
            "the web UI is not installed: install tracer-debugger again, with pip or from its "
            "source folder"
        )
    serve: Serve = found[0].load()
    return serve


def _announce(text: str) -> None:
    # At once, also into a pipe: programs wait for this line to know the address.
    click.echo(text)
