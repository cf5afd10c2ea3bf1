"""What commands print on the sample runs, whole, against gold files."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.goldtest import GOLD, check_gold
from tracer.cli.main import COMMANDS

HELP = {f"help_{name}.txt": (name, "--help") for name in COMMANDS} | {"help.txt": ("--help",)}
PRINTED = {
    "ls.txt": ("ls",),
    "ls_failed.txt": ("ls", "--failed"),
    "ls_search.txt": ("ls", "--search", "clearance refund"),
    "ls_filter.txt": ("ls", "status:failed", "tool:lookup_order", "--sort", "cost"),
    "ls_limit.txt": ("ls", "--limit", "2"),
    "show_failed.txt": ("show", "a975"),
    "show_fork.txt": ("show", "1d53"),
    "show_running.txt": ("show", "aaf3"),
    "show_empty.txt": ("show", "475e"),
    "show_hostile.txt": ("show", "bd67"),
    "step_model.txt": ("show", "a975", "--step", "4"),
    "step_answer.txt": ("show", "1d53", "--step", "10"),
    "step_tool_error.txt": ("show", "a975", "--step", "9"),
    "step_note.txt": ("show", "a975", "--step", "6"),
    "step_hostile.txt": ("show", "bd67", "--step", "1"),
    "step_hostile_error.txt": ("show", "bd67", "--step", "8"),
    "diff.txt": ("diff", "a975", "1d53"),
    "diff_equal.txt": ("diff", "a975", "c1fc"),
    "diff_all.txt": ("diff", "a975", "1d53", "--all"),
}
NARROW = {"ls_narrow.txt": ("ls",), "show_narrow.txt": ("show", "a975")}


@pytest.mark.parametrize("name", HELP)
def test_gold_help(tracer: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = tracer(*HELP[name])
    assert (done.code, done.err) == (0, "")
    check_gold(f"cli/{name}", done.out)


@pytest.mark.parametrize("name", PRINTED)
def test_gold_output(samples: Run, name: str) -> None:
    done = samples(*PRINTED[name])
    assert done.code == 0
    check_gold(f"cli/{name}", done.out + done.err)


@pytest.mark.parametrize("name", NARROW)
def test_gold_narrow(samples: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = samples(*NARROW[name])
    check_gold(f"cli/{name}", done.out + done.err)
    # Cut are the rows of tables; sentences are left to the terminal, which wraps them.
    rows = [row for row in done.out.splitlines() if not row.startswith("  ")]
    assert rows
    assert max(map(len, rows)) <= 80


def test_gold_json(samples: Run) -> None:
    done = samples("show", "1d53", "--json")
    assert done.err == ""
    check_gold(
        "cli/show.json", json.dumps(json.loads(done.out), indent=1, ensure_ascii=False), SCRUB
    )
    done = samples("diff", "a975", "1d53", "--json")
    check_gold("cli/diff.json", json.dumps(json.loads(done.out), indent=1, ensure_ascii=False))


# The process that wrote the samples is this one.
SCRUB = [(r'"process": \{[^}]*\}', '"process": "…"')]


def test_every_gold_file_is_compared() -> None:
    compared = {*HELP, *PRINTED, *NARROW, "show.json", "diff.json"}
    assert {path.name for path in (GOLD / "cli").iterdir()} == compared


def test_nothing_printed_can_steer_a_terminal(
    samples: Run, sample_store: tuple[Path, dict[str, str]]
) -> None:
    hostile = sample_store[1]["hostile"]
    printed = [samples("show", hostile), samples("ls"), samples("diff", hostile, "a975")]
    printed += [samples("show", hostile, "--step", str(n)) for n in range(1, 9)]
    for done in printed:
        assert done.code == 0
        for text in (done.out, done.err):
            assert not set(text) & {"\x1b", "\x07", "\x00", "\x9b", "\u202e", "\u2066"}
