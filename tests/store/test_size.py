"""What a step costs on disk when every call carries the whole history."""

from pathlib import Path
from random import Random
from typing import Any

from tests.store.build import model_start, reply, request, run_end, run_start, step_end, used
from tracer.core.chain import BodySplitter
from tracer.store.writing import StoreWriter

WORDS = Random(1)
VOCABULARY = [
    "".join(WORDS.choices("etaoinshrdlucmfwypvbgkqjxz", k=WORDS.randint(2, 11)))
    for _ in range(5000)
]


def text(random: Random, size: int) -> str:
    """Words with the frequencies of a language: few often, many rarely."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) < size:
        words.append(VOCABULARY[min(int(random.paretovariate(0.6)), 4999)])
    return " ".join(words)[:size]


def bytes_a_step(path: Path, steps: int) -> float:
    """Bytes of the file, divided by its model steps: each adds a message of 1.5 kB."""
    random, splitter, writer = Random(2), BodySplitter(), StoreWriter(path)
    writer.start_run(run_start())
    history: list[Any] = []
    writer.begin()
    for n in range(1, steps + 1):
        history.append({"role": "user", "content": text(random, 1500)})
        asked = request(splitter, history)[0]
        writer.start_step(
            model_start(n, input=asked, search_text=history[-1]["content"], model="m")
        )
        said = reply(*(b'data: {"delta":"' + bytes([65 + k]) * 9 + b'"}\n\n' for k in range(20)))
        writer.end_step(step_end(n, output=said, output_messages=b"[]", usage=used(n)))
        if n % 20 == 0:
            writer.commit()
            writer.begin()
    writer.commit()
    writer.end_run(run_end())
    writer.close()
    return path.stat().st_size / steps


def test_a_step_costs_the_same_in_a_long_run(tmp_path: Path) -> None:
    short = bytes_a_step(tmp_path / "short.db", 100)
    long = bytes_a_step(tmp_path / "long.db", 1000)
    assert long <= 1.1 * short
    # The request alone would be 750 kB a step on average if its history were stored each time.
    assert long < 6000
