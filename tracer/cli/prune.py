"""`tracer prune`: deletes runs by name, age, count or size, and gives the disk space back."""

import re
import sys
import time

import click

from tracer.cli.options import database, db_option, json_option, open_store
from tracer.cli.output import say, write_json
from tracer.cli.text import count, size
from tracer.errors import UsageError
from tracer.store.pruning import Pruned, prune

_AGE = re.compile(r"(\d{1,6})\s*([mhdw])\Z")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SIZE = re.compile(r"(\d{1,9})\s*(kB|MB|GB|B)?\Z", re.IGNORECASE)
_BYTES = {"b": 1, "kb": 1000, "mb": 10**6, "gb": 10**9}


@click.command("prune")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--older-than", metavar="AGE", help="Runs that started so long ago: 30d, 12h, 2w.")
@click.option("--keep", type=click.IntRange(min=0), metavar="N", help="All but the N newest runs.")
@click.option("--max-size", metavar="SIZE", help="The oldest, until the file is as small: 500MB.")
@click.option("--trash", is_flag=True, help="What was deleted in the web UI's list.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
@db_option
def command(
    runs: tuple[str, ...],
    older_than: str | None,
    keep: int | None,
    max_size: str | None,
    trash: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Delete runs: the RUNs named, and those an option picks. A running run stays, and a pinned
    one unless it is named. Age, count and size take what lies in the trash first.

    There is no way back; export what may be wanted again.
    """
    before_ns = None if older_than is None else time.time_ns() - seconds(older_than) * 10**9
    most = None if max_size is None else amount(max_size)
    if not (runs or trash) and before_ns is None and keep is None and most is None:
        raise UsageError(
            "say what to delete: RUN ids, --older-than 30d, --keep 100, --max-size 1GB, --trash"
        )
    with open_store() as store:
        ids = [store.find_run(run).id for run in runs]
    if not yes:
        _ask()
    done = prune(database(), ids, keep=keep, before_ns=before_ns, max_bytes=most, trash=trash)
    if as_json:
        write_json(
            {
                "deleted": list(done.runs),
                "bytes_before": done.bytes_before,
                "bytes_after": done.bytes_after,
            }
        )
    _say(done)


def seconds(age: str) -> int:
    """Seconds of `30d`, `12h`, `45m`, `2w`. Raises UsageError."""
    found = _AGE.match(age.strip())
    if found is None:
        raise UsageError(f"--older-than {age}: write a number and m, h, d or w, as in 30d")
    return int(found[1]) * _SECONDS[found[2]]


def amount(text: str) -> int:
    """Bytes of `500MB`, `2 GB`, `1000`. Raises UsageError."""
    found = _SIZE.match(text.strip())
    if found is None:
        raise UsageError(f"--max-size {text}: write a number and kB, MB or GB, as in 500MB")
    return int(found[1]) * _BYTES[(found[2] or "B").lower()]


def _ask() -> None:
    if not sys.stdin.isatty():
        raise UsageError("nobody is there to ask: --yes deletes without asking")
    click.confirm(f"Delete runs from {database()} for good?", abort=True, err=True)


def _say(done: Pruned) -> None:
    freed, left = max(0, done.bytes_before - done.bytes_after), done.bytes_after
    say(f"deleted {count(len(done.runs), 'run')}, freed {size(freed)}: {size(left)} left")
