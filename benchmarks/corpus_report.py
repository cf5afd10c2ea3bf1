"""Prints what share of recorded exchanges with real providers tracer reads and builds.

Usage: python benchmarks/corpus_report.py

The recordings are looked for as `tests/providers/corpus.py` says. A reply counts as read when it
holds an answer without an error; as built when saying the same again, in JSON and as a stream, is
read as the same.
"""

import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

# Run as a script, only this folder is on the path; the helper lives with the tests.
sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.providers.corpus import FILE, Exchange, asking, exception_of, exchanges
from tracer.providers import api_named
from tracer.providers.jsontext import same_json

COLUMNS = ("exchanges", "streams", "read", "built json", "built stream", "exceptions")


def main() -> int:
    """Prints the tables; 1 when something that should be read or built was not."""
    if not FILE.exists():
        print(f"no recorded exchanges at {FILE}", file=sys.stderr)
        return 2
    rows: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    exceptions: Counter[str] = Counter()
    started = time.perf_counter()
    for exchange in exchanges():
        if exchange.api:
            reason = exception_of(exchange)
            exceptions.update([reason] if reason else [])
            rows[exchange.endpoint, exchange.provider].update(_outcome(exchange))
    _print_rows(rows)
    print("\nexceptions:")
    for reason, count in exceptions.most_common():
        print(f"  {count:5} {reason}")
    print(f"\n{time.perf_counter() - started:.1f} s")
    total = sum(rows.values(), Counter[str]())
    is_lossless = total["exchanges"] == total["read"] + total["exceptions"]
    are_built = total["read"] == total["built json"] == total["built stream"]
    return 0 if is_lossless and are_built else 1


def _outcome(exchange: Exchange) -> list[str]:
    """The columns this exchange counts in."""
    assert exchange.api
    api = api_named(exchange.api)
    columns = ["exchanges"] + (["streams"] if exchange.is_stream else [])
    if exception_of(exchange):
        return [*columns, "exceptions"]
    read = api.read_reply(exchange.request, exchange.reply)
    if read.error or not read.complete or not read.messages:
        return columns
    columns.append("read")
    for name, stream in (("built json", False), ("built stream", True)):
        request = asking(exchange.request, stream=stream)
        built = api.build_reply(request, exchange.reply, read.messages[0])
        if same_json(api.read_reply(request, built).messages, read.messages):
            columns.append(name)
    return columns


def _print_rows(rows: dict[tuple[str, str], Counter[str]]) -> None:
    print(f"{'endpoint':18}{'provider':40}" + "".join(f"{name:>14}" for name in COLUMNS))
    for endpoint, provider in sorted(rows):
        _print_row(endpoint, provider, rows[endpoint, provider])
    for endpoint in sorted({endpoint for endpoint, _ in rows}):
        mine = [row for (name, _), row in rows.items() if name == endpoint]
        _print_row(endpoint, "ALL", sum(mine, Counter[str]()))


def _print_row(endpoint: str, provider: str, row: Counter[str]) -> None:
    print(f"{endpoint:18}{provider:40}" + "".join(f"{row[name]:14}" for name in COLUMNS))


if __name__ == "__main__":
    raise SystemExit(main())
