"""The run page of a long run: how fast, how many bytes, how many nodes in a real browser."""

import statistics
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page, sync_playwright

from benchmarks.payloads import TOOLS, passage
from benchmarks.processes import helper
from benchmarks.rows import Row, Target, compared
from benchmarks.visits import Site
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
_STEPS = 9
_PAINT = "performance.getEntriesByName('first-contentful-paint')"
_NEXT = """() => new Promise((done) => {
  const began = performance.now();
  const watch = new MutationObserver(() => {
    if (document.querySelector('#step').dataset.n !== before) {
      watch.disconnect();
      requestAnimationFrame(() => done(performance.now() - began));
    }
  });
  const before = document.querySelector('#step').dataset.n;
  watch.observe(document.querySelector('#detail'), {childList: true, subtree: true});
  document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'j', bubbles: true}));
})"""
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
            site = Site(address)
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
        Site(address).connection.close()  # by then the server listens
        seen = _seen(address, paths, rounds=QUICK_ROUNDS if quick else ROUNDS)
    yield compared(f"{name}: elements", "nodes", [seen["nodes"][0]], against, Target("value", 1500))
    yield compared(f"{name}: first paint", "ms", seen["paint"], against, Target("value", 300))
    yield compared(f"{name}: key to next step", "ms", seen["key"], against, Target("value", 50))


Pairs = list[tuple[float, float]]


def _seen(address: str, paths: list[str], *, rounds: int) -> dict[str, Pairs]:
    """What a browser shows of each page: elements once it is loaded, milliseconds until it
    paints, and from a key to the next step."""
    chromium = chromium_path()
    if chromium is None:
        raise RuntimeError(MISSING)
    origin = f"http://{urlsplit(address).netloc}"
    seen: dict[str, Pairs] = {"nodes": [], "paint": [], "key": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        for _ in range(rounds):
            looks = [_look(page, origin + path) for path in paths]
            for key, pairs in seen.items():
                pairs.append((looks[0][key], looks[1][key]))
        browser.close()
    return seen


def _look(page: Page, url: str) -> dict[str, float]:
    page.goto(url, wait_until="load")
    page.wait_for_function(f"() => {_PAINT}.length")
    paint = float(page.evaluate(f"{_PAINT}[0].startTime"))
    page.wait_for_timeout(500)  # for what a page fetches by itself
    nodes = float(page.evaluate(_COUNT))
    key = statistics.median(float(page.evaluate(_NEXT)) for _ in range(_STEPS))
    return {"nodes": nodes, "paint": paint, "key": key}


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
