"""The run page of a long run: how fast, how many bytes, how many nodes in a real browser."""

import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

from benchmarks.payloads import TOOLS, passage
from benchmarks.processes import helper
from benchmarks.rows import Row, Target, compared
from tests.support.browser import MISSING, chromium_path
from tests.support.run_builder import RunBuilder, call, result, text
from tracer.store.writing import StoreWriter

LONG, SHORT = 10_000, 42
QUICK_LONG, QUICK_SHORT = 500, 42
ROUNDS = 5
QUICK_ROUNDS = 1
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_HISTORY = 40  # messages an agent of ten thousand steps keeps
_COUNT = """() => {
  const nodes = document.createNodeIterator(document.documentElement, NodeFilter.SHOW_ELEMENT);
  let count = 0;
  while (nodes.nextNode()) count += 1;
  return count;
}"""


def measure(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Rows of the page in the middle of a long run, against the page of a short one."""
    long, short = (QUICK_LONG, QUICK_SHORT) if quick else (LONG, SHORT)
    database = folder / "pages.db"
    *paths, other = _record(database, (long, short, short - 1))
    cold, again, size = [], [], []
    for number in range(QUICK_ROUNDS if quick else ROUNDS):
        with helper("pages_server", str(database)) as address:
            site = _Site(address)
            with closing(site.connection):
                site.get(other)  # imports and templates
                # The first look at each: nothing of either is remembered yet.
                turned = paths if number % 2 else paths[::-1]
                first = {path: site.get(path) for path in turned}
                second = {path: site.get(path) for path in turned}
        cold.append((first[paths[0]][0], first[paths[1]][0]))
        again.append((second[paths[0]][0], second[paths[1]][0]))
        size.append((first[paths[0]][1], first[paths[1]][1]))
    against = f"run page of {short} steps"
    name = f"run page of {long:,} steps"
    yield compared(f"{name}: first response", "ms", cold, against, Target("value", 100))
    yield compared(f"{name}: next response", "ms", again, against)
    yield compared(f"{name}: HTML", "kB", size, against, Target("value", 150))
    with helper("pages_server", str(database)) as address:
        _Site(address).connection.close()  # by then the server listens
        nodes = _elements(address, paths)
    yield compared(f"{name}: elements", "nodes", [nodes], against, Target("value", 2500))


class _Site:
    """One browser's worth of requests: a connection that is kept, and the key as a cookie."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self.connection = HTTPConnection(parts.hostname, parts.port, timeout=60)
        self._connect()
        self.connection.request("GET", f"/?{parts.query}")
        response = self.connection.getresponse()
        response.read()
        self.cookie = (response.getheader("set-cookie") or "").split(";")[0]

    def _connect(self) -> None:
        """The address is printed a moment before the server listens."""
        give_up = time.monotonic() + 20
        while True:
            try:
                self.connection.connect()
                return
            except ConnectionRefusedError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.05)

    def get(self, path: str) -> tuple[float, float]:
        """Milliseconds to the last byte and kilobytes of a page."""
        began = time.perf_counter()
        self.connection.request("GET", path, headers={"cookie": self.cookie})
        response = self.connection.getresponse()
        body = response.read()
        took = time.perf_counter() - began
        if response.status != 200:
            raise RuntimeError(f"GET {path} answered {response.status}")
        return took * 1e3, len(body) / 1000


def _elements(address: str, paths: list[str]) -> tuple[float, float]:
    """Elements of each page once it is loaded."""
    chromium = chromium_path()
    if chromium is None:
        raise RuntimeError(MISSING)
    parts = urlsplit(address)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        counts: list[float] = []
        for path in paths:
            page.goto(f"http://{parts.netloc}{path}", wait_until="load")
            page.wait_for_timeout(500)  # for what a page fetches by itself
            counts.append(float(page.evaluate(_COUNT)))
        browser.close()
    return counts[0], counts[1]


def _record(database: Path, sizes: tuple[int, ...]) -> list[str]:
    """Write a run of each size; the addresses of their middle steps."""
    writer = StoreWriter(database)
    try:
        return [f"/runs/{_run(writer, steps)}/steps/{steps // 2}" for steps in sizes]
    finally:
        writer.close()


def _run(writer: StoreWriter, steps: int) -> str:
    """A run of model calls and tool executions in turn, with a history that slides."""
    run = RunBuilder(writer, f"{steps} steps", "benchmark", asked={"steps": steps})
    tools = [tool["function"] for tool in TOOLS]
    history = [text("system", "You keep the notes."), text("user", "Go through all of them.")]
    writer.begin()
    for turn in range(steps // 2):
        arguments = {"query": passage(10_000_000 + turn, 60), "limit": 5}
        said = call("search_notes", f"call_{turn}", arguments, passage(2 * turn, 300))
        found = passage(2 * turn + 1, 300)
        run.model(history, said, tools=tools)
        run.tool("search_notes", arguments, found, effect="read")
        history = [*history[-_HISTORY:], said, result(f"call_{turn}", found)]
    writer.commit()
    return run.end("ok", "done")
