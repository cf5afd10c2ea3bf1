"""What export and import say of what leaves and what comes."""

from pathlib import Path

from tests.cli.conftest import Run
from tests.support.run_builder import RunBuilder, text
from tracer.store.writing import StoreWriter

KEY = "sk-proj-Abcdefghij0123456789Zz"


def _with_a_secret(path: Path) -> None:
    writer = StoreWriter(path)
    run = RunBuilder(writer, "secret", "careless", asked={"q": f"use {KEY}"})
    run.model([text("user", f"my key is {KEY}")], text("assistant", f"I see {KEY}"))
    run.end("ok", "done")
    writer.close()


def test_export_says_what_it_removed(tracer: Run, tmp_path: Path) -> None:
    _with_a_secret(tmp_path / "traces.db")
    kept, cleaned = tmp_path / "kept.tracer", tmp_path / "cleaned.tracer"
    done = tracer("export", "last", "-o", str(cleaned))
    assert done.out == ""
    assert "removed: " in done.err
    assert "OpenAI or Anthropic key" in done.err
    assert KEY not in done.err
    assert (
        "kept, as --no-redact says" in tracer("export", "last", "-o", str(kept), "--no-redact").err
    )
    tracer("import", str(cleaned), "--db", str(tmp_path / "1.db"))
    assert KEY not in tracer("show", "last", "--json", "--db", str(tmp_path / "1.db")).out
    tracer("import", str(kept), "--db", str(tmp_path / "2.db"))
    assert KEY in tracer("show", "last", "--json", "--db", str(tmp_path / "2.db")).out


def test_import_says_how_it_went(tracer: Run, samples: Run, tmp_path: Path) -> None:
    bundle = tmp_path / "run.tracer"
    done = samples("export", "1d53", "-o", str(bundle))
    assert "and 1 run it was forked from" in done.err
    first = tracer("import", str(bundle))
    assert first.err.count("imported") == 2
    again = tracer("import", str(bundle))
    assert again.out == first.out
    assert again.err.count("already here") == 2
    shown = tracer("show", first.out.split()[0])
    assert "imported" in shown.out
    assert "not here: " in shown.out
