"""`tracer prune`: what it deletes, what it leaves, and that it asks first."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.support.runs import build_sample_store
from tracer.cli.prune import amount, seconds
from tracer.errors import UsageError
from tracer.store.labels import Labels


@pytest.fixture
def ids(tmp_path: Path) -> dict[str, str]:
    """A database of this test's own, with the sample runs."""
    return build_sample_store(tmp_path / "traces.db")


def _left(tracer: Run) -> list[str]:
    return [run["id"] for run in json.loads(tracer("ls", "--json").out)]


def test_by_name(tracer: Run, ids: dict[str, str]) -> None:
    done = tracer("prune", ids["empty"][:8], ids["hostile"], "--yes", "--json")
    found = json.loads(done.out)
    assert set(found["deleted"]) == {ids["empty"], ids["hostile"]}
    assert found["bytes_after"] <= found["bytes_before"]
    assert set(_left(tracer)) == set(ids.values()) - set(found["deleted"])
    assert tracer("show", ids["failed"]).code == 0


def test_by_count_and_age(tracer: Run, ids: dict[str, str]) -> None:
    assert tracer("prune", "--keep", "3", "--yes").code == 0
    assert _left(tracer) == [ids["running"], ids["replay"], ids["fork"]]
    assert tracer("prune", "--older-than", "1d", "--yes").err.startswith("deleted 2 runs")
    # One that is under way stays, however old it is.
    assert _left(tracer) == [ids["running"]]


def test_by_size(tracer: Run, ids: dict[str, str]) -> None:
    assert tracer("prune", "--max-size", "900GB", "--yes").err.startswith("deleted 0 runs")
    tracer("prune", "--max-size", "1kB", "--yes")
    assert _left(tracer) == [ids["running"]]


def test_the_trash(tracer: Run, ids: dict[str, str], tmp_path: Path) -> None:
    labels = Labels(tmp_path / "traces.db")
    labels.delete([ids["empty"], ids["hostile"]])
    labels.pin([ids["interrupted"]], pinned=True)
    assert set(_left(tracer)) == set(ids.values()) - {ids["empty"], ids["hostile"]}
    assert tracer("prune", "--trash", "--yes").err.startswith("deleted 2 runs")
    assert tracer("show", ids["empty"]).code == 6
    tracer("prune", "--max-size", "1kB", "--yes")
    assert _left(tracer) == [ids["running"], ids["interrupted"]]  # what is pinned stays


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        ((), 2, "say what to delete"),
        (("--keep", "1"), 2, "--yes deletes without asking"),
        (("nope", "--yes"), 6, "there is no run"),
        (("--older-than", "soon", "--yes"), 2, "as in 30d"),
        (("--max-size", "-1", "--yes"), 2, "as in 500MB"),
        (("--keep", "-1", "--yes"), 2, "--keep"),
    ],
)
def test_refused(
    tracer: Run, ids: dict[str, str], argv: tuple[str, ...], code: int, words: str
) -> None:
    done = tracer("prune", *argv)
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert len(_left(tracer)) == len(ids)


def test_ages_and_sizes() -> None:
    assert [seconds(age) for age in ("5m", "2h", "1d", "1w")] == [300, 7200, 86_400, 604_800]
    assert [amount(text) for text in ("7", "2kB", "3 MB", "1gb")] == [7, 2000, 3_000_000, 10**9]
    for wrong in ("", "d", "1y", "1.5d", "9" * 9 + "d"):
        with pytest.raises(UsageError):
            seconds(wrong)
