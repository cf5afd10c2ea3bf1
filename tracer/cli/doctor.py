"""`tracer doctor`: what is captured here, where it goes, and what is wrong."""

import platform
import sys

import click

from tracer.cli.doctor_checks import Package, Report, examine, formats, installed
from tracer.cli.options import database, db_option, json_option
from tracer.cli.output import BOLD, FAINT, GREEN, YELLOW, Cell, line, table, write_json
from tracer.cli.text import count, size


@click.command("doctor")
@json_option
@db_option
def command(as_json: bool) -> None:
    """Say which SDKs, HTTP clients and frameworks are found and captured, and what is wrong."""
    report = examine(database())
    if as_json:
        write_json(report.as_json())
    else:
        _show(report)


def _show(report: Report) -> None:
    line(f"tracer {installed('tracer-debugger')} · Python {platform.python_version()}", BOLD)
    line(f"  {sys.executable}", FAINT)
    if report.size is None:
        about = "not there yet: the first run makes it"
    elif report.runs is None:
        about = size(report.size)
    else:
        about = f"{count(report.runs, 'run')}, {size(report.size)}"
    line(f"database {report.database}", BOLD)
    line(f"  {about}")
    line("read as model calls", BOLD)
    line(f"  {', '.join(formats())}")
    line("found here", BOLD)
    if not report.packages:
        line("  no SDK, HTTP client or framework that calls models", YELLOW)
    table(
        [
            [
                _mark(package),
                Cell(package.name),
                Cell(package.version, FAINT),
                Cell(package.sort, FAINT),
                Cell(_said(package)),
            ]
            for package in report.packages
        ]
    )
    line("problems" if report.problems else "no problems", BOLD)
    for problem in report.problems:
        line(f"  {problem}", YELLOW)


def _said(package: Package) -> str:
    if package.oldest is not None:
        return f"older than {package.oldest}, the oldest tried; {package.why}"
    return package.why


def _mark(package: Package) -> Cell:
    if not (package.captured and package.replayable):
        return Cell("  –", YELLOW)
    return Cell("  ?", YELLOW) if package.oldest is not None else Cell("  ✓", GREEN)
