"""The list of nasty cases names tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
ROW = re.compile(r"^\| (\d+) \| .* \| (?:`(?P<file>[\w/]+\.py)(?:::(?P<test>\w+))?`|-) \|$", re.M)


def test_every_case_names_a_test_that_is_there() -> None:
    rows = list(ROW.finditer((TESTS / "torture" / "README.md").read_text("utf-8")))
    assert [int(row[1]) for row in rows] == list(range(1, 70))
    for row in rows:
        if row["file"] is None:
            continue
        source = (TESTS / row["file"]).read_text("utf-8")
        assert row["test"] is None or f"def {row['test']}(" in source, row[0]
