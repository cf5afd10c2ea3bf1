"""A real server over the sample runs and a real Chromium that watches what pages do."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.runs import build_sample_store

expect.set_options(timeout=20_000)  # two browsers share a machine that does other work too
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PROGRAM = (
    "import sys, pathlib; from tracer_ui.app import serve; "
    "serve(database=pathlib.Path(sys.argv[1]), port=int(sys.argv[2]), open_browser=False, "
    "announce=lambda url: print(url, flush=True))"
)
# Collected in every page before anything of it runs.
WATCH = (
    "window.violations = []; document.addEventListener('securitypolicyviolation', "
    "e => window.violations.push(e.violatedDirective + ' ' + e.blockedURI));"
)


class Server:
    """A server process; `url` opens it, `base` is its address without the key."""

    def __init__(self, database: Path, port: int = 0) -> None:
        self.windows: list[Watched] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(database), str(port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.base = self.url.partition("/?")[0]
        self.port = int(self.base.rpartition(":")[2])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def running_server(database: Path, port: int = 0) -> Iterator[Server]:
    server = Server(database, port)
    try:
        yield server
        for watched in server.windows:
            watched.check()
    finally:
        # Before the server: pages that are still loading would miss it.
        for watched in server.windows:
            watched.close()
        server.stop()


class Watched:
    """A browser window that is logged in; notes everything a page must not do."""

    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.context = context
        self.server = server
        self.faults: list[str] = []
        self.is_closed = False
        server.windows.append(self)
        context.add_init_script(WATCH)
        context.on("request", self._on_request)
        context.on("page", self._watch)
        self.page: Page = context.new_page()
        self.page.goto(server.url)

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        page.on("console", self._on_console)
        page.on("dialog", self._on_dialog)

    def _on_console(self, message: Any) -> None:
        # A status that the page asked for (404, 422) is no fault; the browser logs it all the same.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(f"console: {message.text}")

    def _on_dialog(self, dialog: Any) -> None:
        if dialog.type != "beforeunload":
            self.faults.append(f"dialog: {dialog.message}")
        dialog.accept()

    def _on_request(self, request: Any) -> None:
        if not request.url.startswith((self.server.base + "/", "data:")):
            self.faults.append(f"foreign request: {request.url}")

    def open(self, path: str) -> Page:
        """Go to a path of the server."""
        self.page.goto(self.server.base + path)
        return self.page

    def close(self) -> None:
        """Close the window; once."""
        if not self.is_closed:
            self.is_closed = True
            self.context.close()

    def check(self) -> None:
        """Fail for anything noted so far, in any page."""
        if self.is_closed:
            return
        for page in self.context.pages:
            found = page.evaluate("window.violations || []")
            self.faults += [f"policy: {violation}" for violation in found]
        assert self.faults == []


Open = Callable[..., Watched]


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A database of its own: a run in it stays under way as long as these tests run."""
    path = tmp_path_factory.mktemp("browser") / "traces.db"
    return path, build_sample_store(path)


@pytest.fixture(scope="session")
def server(samples: tuple[Path, dict[str, str]]) -> Iterator[Server]:
    with running_server(samples[0]) as started:
        yield started


@pytest.fixture(scope="session")
def ids(samples: tuple[Path, dict[str, str]]) -> dict[str, str]:
    return samples[1]


@pytest.fixture
def window(browser: Browser, server: Server) -> Iterator[Open]:
    """Opens browser windows (options as of `new_context`); checks all of them at the end."""
    opened: list[Watched] = []

    def open_window(at: Server = server, **options: Any) -> Watched:
        options.setdefault("viewport", {"width": 1440, "height": 900})
        watched = Watched(browser.new_context(**options), at)
        opened.append(watched)
        return watched

    yield open_window
    try:
        for watched in opened:
            watched.check()
    finally:
        for watched in opened:
            watched.close()
