"""`tracer demo`: the failing sample agent, recorded here and opened in the web UI."""

from importlib.util import find_spec

import click

from tracer.cli.options import database, db_option
from tracer.errors import EXIT_AGENT_FAILED, EXIT_DONE, UsageError


@click.command("demo")
@click.option("--check", is_flag=True, help="Record, fork and compare without a UI; exit 0 or 1.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=4700,
    show_default=True,
    help="Port of the web UI on 127.0.0.1; 0 picks a free one.",
)
@click.option("--no-browser", is_flag=True, help="Don't open a browser.")
@db_option
def command(check: bool, port: int, no_browser: bool) -> int:
    """Record a support agent that refunds too much, and open the web UI on the run.

    Needs no key: the agent starts a small model server on this machine, also when it is forked.
    --check does it all in a temporary folder.
    """
    missing = [name for name in ("openai", "anthropic") if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the sample agents need {' and '.join(missing)}: pip install 'tracer-debugger[demo]'"
        )
    # Loaded here, so that --help and the sentence above need none of the demo's parts.
    from tracer.cli.demo_check import check_demo
    from tracer.cli.demo_show import show_demo

    if check:
        return EXIT_DONE if check_demo() else EXIT_AGENT_FAILED
    show_demo(database(), port=port, open_browser=not no_browser)
    return EXIT_DONE
