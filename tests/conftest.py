"""Fixtures of all rooms, and what the summary says of tests that were left out."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.browser import MISSING, chromium_path, why_left_out
from tests.support.runs import build_sample_store
from tracer.capture import config

# Rooms whose tests start programs, or take long otherwise.
COSTLY = ("torture", "replay", "demo", "capture", "sample_traces", "cli", "benchmarks", "providers")
LEFT_OUT = pytest.StashKey[int]()

# How long an example takes depends on what else the machine does; hangs are pytest-timeout's.
settings.register_profile("tracer", deadline=None)
settings.load_profile("tracer")


@pytest.fixture(autouse=True)
def _own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the developer's database, colours, quietness or width of terminal."""
    shown = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
    for name in ("TRACER_DB", "TRACER_QUIET", "TRACER_DEBUG", "TRACER_REDACT", *shown):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRACER_DB", str(tmp_path / "traces.db"))
    # Read anew from the variables, and what a test sets ends with it.
    monkeypatch.setattr(config, "_config", None)


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A database of sample runs, read only: its path, and run ids by name."""
    path = tmp_path_factory.mktemp("samples") / "traces.db"
    return path, build_sample_store(path)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's executable; fails, never skips, where there is none."""
    path = chromium_path()
    if path is None:
        pytest.fail(MISSING)
    return path


def _rank(item: pytest.Item) -> int:
    rooms = item.path.parent.parts
    return next((n for n, room in enumerate(COSTLY) if room in rooms), len(COSTLY))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Costly rooms come first; browser tests come last, or are left out where there is a reason to.

    First, so that no process is left alone with them at the end. Last, because the browser's driver
    keeps an event loop in the main thread until the session ends, in which no other test could
    start one.
    """
    items.sort(key=_rank)
    browser = [item for item in items if item.get_closest_marker("browser") is not None]
    if not browser:
        return
    others = [item for item in items if item.get_closest_marker("browser") is None]
    if why_left_out() is None:
        items[:] = others + browser
        return
    config.stash[LEFT_OUT] = len(browser)
    config.hook.pytest_deselected(items=browser)
    items[:] = others


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what was not tested."""
    count = config.stash.get(LEFT_OUT, 0)
    if count:
        terminalreporter.section("NOT TESTED: browser", red=True, bold=True)
        terminalreporter.line(f"{count} browser tests were left out: {why_left_out()}")
