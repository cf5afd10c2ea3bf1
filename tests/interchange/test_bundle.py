"""Bundles: nothing is lost on the way, the same run is the same bytes, nothing comes twice."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.run_builder import RunBuilder, call, text
from tracer.errors import BadFileError, NotFoundError
from tracer.interchange.bundle import export_bundle, import_bundle, read_bundle
from tracer.interchange.bundle_format import check_version, converted
from tracer.interchange.run_json import run_json
from tracer.store.reading import Store
from tracer.store.writing import StoreWriter

NAMES = ["failed", "fork", "replay", "interrupted", "empty", "hostile"]


def _content(database: Path, run: str) -> dict[str, Any]:
    """Everything shown of a run, without where it was recorded."""
    with Store.open(database) as store:
        shown = run_json(store, store.find_run(run), steps=True)
    shown.pop("origin")
    shown["environment"].pop("process", None)
    return shown


@pytest.mark.parametrize("name", NAMES)
def test_round_trip(store: Store, ids: dict[str, str], tmp_path: Path, name: str) -> None:
    first, second = tmp_path / "1.tracer", tmp_path / "2.tracer"
    export_bundle(store, ids[name], first)
    here = tmp_path / "other.db"
    assert import_bundle(first, here)[0] == ids[name]
    assert _content(here, ids[name]) == _content(store.path, ids[name])
    with Store.open(here) as other:
        assert other.find_run(ids[name]).origin == "imported"
        export_bundle(other, ids[name], second)
    assert first.read_bytes() == second.read_bytes()


def test_what_happened_around_steps_travels(
    store: Store, ids: dict[str, str], tmp_path: Path
) -> None:
    export_bundle(store, ids["failed"], tmp_path / "x.tracer")
    import_bundle(tmp_path / "x.tracer", tmp_path / "other.db")
    with Store.open(tmp_path / "other.db") as other:
        for n in (0, 9):
            pieces = other.around(ids["failed"], n)
            assert pieces == store.around(ids["failed"], n) and pieces


def test_a_bundle_from_before_there_was_any(
    store: Store, ids: dict[str, str], tmp_path: Path
) -> None:
    """Its digest is what it was, so that it isn't taken for another run."""
    export_bundle(store, ids["empty"], tmp_path / "x.tracer")
    with zipfile.ZipFile(tmp_path / "x.tracer") as archive:
        assert b'"around"' not in archive.read("trace.json")
    assert import_bundle(tmp_path / "x.tracer", tmp_path / "other.db") == [ids["empty"]]


def test_wire_bytes_survive(store: Store, ids: dict[str, str], tmp_path: Path) -> None:
    export_bundle(store, ids["failed"], tmp_path / "x.tracer")
    import_bundle(tmp_path / "x.tracer", tmp_path / "other.db")
    with Store.open(tmp_path / "other.db") as other:
        for step in store.steps(ids["failed"]):
            there = other.step(ids["failed"], step.n)
            assert other.request(there) == store.request(step)
            assert other.reply(there) == store.reply(step)
            assert there.slot == step.slot
            assert there.fingerprint == step.fingerprint


def test_same_bytes_at_every_export(store: Store, ids: dict[str, str], tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_bundle(store, ids["fork"], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a", "b"]


def test_search_finds_imported_runs(store: Store, ids: dict[str, str], tmp_path: Path) -> None:
    export_bundle(store, ids["failed"], tmp_path / "x.tracer")
    import_bundle(tmp_path / "x.tracer", tmp_path / "other.db")
    with Store.open(tmp_path / "other.db") as other:
        for words in ("Halden", "clearance", "RefundRefused", "cracked"):
            assert len(other.runs(search=words)) == len(
                [run for run in store.runs(search=words) if run.id == ids["failed"]]
            )


def test_a_fork_brings_what_it_was_forked_from(
    store: Store, ids: dict[str, str], tmp_path: Path
) -> None:
    done = export_bundle(store, ids["fork"], tmp_path / "x.tracer")
    assert done.runs == (ids["fork"], ids["failed"])
    found = read_bundle(tmp_path / "x.tracer", tmp_path / "other.db")
    assert [run.run_id for run in found] == [ids["fork"], ids["failed"]]


def test_already_here(store: Store, ids: dict[str, str], tmp_path: Path) -> None:
    export_bundle(store, ids["failed"], tmp_path / "x.tracer")
    own = tmp_path / "own.db"
    own.write_bytes(store.path.read_bytes())
    (found,) = read_bundle(tmp_path / "x.tracer", own)
    assert (found.run_id, found.already_here) == (ids["failed"], True)
    with Store.open(own) as opened:
        assert opened.find_run(ids["failed"]).origin == "local"


def _small_run(path: Path, answer: str, parent: str | None = None) -> str:
    writer = StoreWriter(path)
    fork = {"step": 1, "kind": "text", "after": "live"}
    if parent is not None:
        run = RunBuilder(writer, "child", "agent", parent_run=parent, fork=fork)
        run.model([text("user", "hi")], text("assistant", "forked"))
        run.end("ok")
        writer.close()
        return run.id
    run = RunBuilder(writer, "same id", "agent")
    run.model([text("user", "hi")], text("assistant", answer))
    run.end("ok", answer)
    writer.close()
    return run.id


def test_another_run_of_the_same_id_gets_a_new_one(tmp_path: Path) -> None:
    here, there = tmp_path / "here.db", tmp_path / "there.db"
    own = _small_run(here, "yes")
    _small_run(there, "no")
    child = _small_run(there, "", parent=own)
    with Store.open(there) as store:
        export_bundle(store, child, tmp_path / "x.tracer")
    found = read_bundle(tmp_path / "x.tracer", here)
    assert [run.was for run in found] == [child, own]
    assert found[0].run_id == child
    assert found[1].run_id != own
    with Store.open(here) as store:
        assert store.find_run(child).parent_run == found[1].run_id
        assert store.find_run(own).output_text == "yes"
        assert store.find_run(found[1].run_id).output_text == "no"
    again = read_bundle(tmp_path / "x.tracer", here)
    assert [run.run_id for run in again] == [run.run_id for run in found]
    assert all(run.already_here for run in again)


def test_secrets_leave_only_when_told(tmp_path: Path) -> None:
    key = "sk-proj-" + "Abcdefghij0123456789"
    writer = StoreWriter(tmp_path / "t.db")
    run = RunBuilder(writer, "secret", f"agent {key}", asked={"key": key})
    run.model([text("user", key)], call("use", "c1", {"key": key}), stream=True)
    run.tool("use", {"key": key}, {"echo": key})
    run.note(f"has {key}", key=key)
    run.noted(2, "printed", [["out", f"using {key}"]])
    run.noted(2, "locals", [{"file": "a.py", "line": 1, "function": "f", "values": [["k", key]]}])
    run.end("ok", key)
    writer.close()
    with Store.open(tmp_path / "t.db") as store:
        done = export_bundle(store, run.id, tmp_path / "clean.tracer")
        kept = export_bundle(store, run.id, tmp_path / "kept.tracer", redact=False)
    assert done.redacted
    assert done.secrets == kept.secrets
    assert key.encode() not in _everything(tmp_path / "clean.tracer")
    assert key.encode() in _everything(tmp_path / "kept.tracer")
    import_bundle(tmp_path / "clean.tracer", tmp_path / "c.db")
    shown = json.dumps(_content(tmp_path / "c.db", run.id))
    assert key not in shown
    assert "[redacted]" in shown
    import_bundle(tmp_path / "kept.tracer", tmp_path / "k.db")
    assert _content(tmp_path / "k.db", run.id) == _content(tmp_path / "t.db", run.id)


def _everything(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return b"\n".join(archive.read(name) for name in archive.namelist())


def test_unknown_run_writes_no_file(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        export_bundle(store, "nope", tmp_path / "x.tracer")
    with pytest.raises(BadFileError, match="can't write"):
        export_bundle(store, "last", tmp_path / "no" / "x.tracer")
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_old_formats_go_through_their_converters() -> None:
    steps = {
        1: lambda trace: {**trace, "two": True},
        2: lambda trace: {**trace, "three": trace["two"]},
    }
    made = converted({"one": 1}, 1, target=3, converters=steps)
    assert made == {"one": 1, "two": True, "three": True}
    assert converted({"two": 5}, 2, target=3, converters=steps) == {"two": 5, "three": 5}
    for wrong in (None, 0, -1, True, "1", 1.0):
        with pytest.raises(BadFileError, match="names no format version"):
            check_version(wrong, "x.tracer")
    with pytest.raises(BadFileError, match="upgrade tracer"):
        check_version(99, "x.tracer")
