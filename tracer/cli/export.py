"""`tracer export`: one file to attach to a bug."""

from pathlib import Path

import click

from tracer.cli.options import db_option, open_store
from tracer.cli.output import say
from tracer.cli.text import count, size
from tracer.errors import UsageError
from tracer.interchange.bundle import Exported, export_bundle

_LATER = ("html", "markdown", "otlp", "pytest")


@click.command("export")
@click.argument("run")
@click.option(
    "-o",
    "--output",
    "path",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The file to write.",
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(["bundle", *_LATER]),
    default="bundle",
    show_default=True,
    help="Only bundle is there yet.",
)
@click.option("--no-redact", is_flag=True, help="Keep what looks like a secret.")
@db_option
def command(run: str, path: Path, kind: str, no_redact: bool) -> None:
    """Write RUN, and what it was forked from, into one file for `tracer import`.

    What looks like a key or password is removed first; what was found is said.
    """
    if kind in _LATER:
        raise UsageError(
            f"--format {kind} is not there yet: leave it out to write a bundle, which "
            "`tracer import` and `tracer ui` show to whoever gets it"
        )
    with open_store() as store:
        _say(export_bundle(store, run, path, redact=not no_redact))


def _say(done: Exported) -> None:
    runs = f"run {done.runs[0][:8]}"
    if len(done.runs) > 1:
        runs += f" and {count(len(done.runs) - 1, 'run')} it was forked from"
    say(f"wrote {done.path}: {runs}, {size(done.size)}")
    if not done.secrets:
        say("nothing in it looks like a secret; look at it before you send it all the same")
        return
    found = ", ".join(f"{number} × {kind}" for kind, number in sorted(done.secrets.items()))
    if done.redacted:
        say(f"removed: {found} (--no-redact keeps them)")
    else:
        say(f"kept, as --no-redact says: {found}")
