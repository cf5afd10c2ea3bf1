"""Bundles nobody should trust: each is refused in one sentence, and leaves nothing behind."""

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracer.errors import BadFileError
from tracer.interchange import archive
from tracer.interchange.bundle import export_bundle, import_bundle
from tracer.store.reading import Store

Members = dict[str, bytes]
Trace = dict[str, Any]


@pytest.fixture(scope="session")
def good(
    sample_store: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Members:
    """The members of a real bundle."""
    path = tmp_path_factory.mktemp("good") / "x.tracer"
    with Store.open(sample_store[0]) as store:
        export_bundle(store, sample_store[1]["failed"], path)
    with zipfile.ZipFile(path) as found:
        return {name: found.read(name) for name in found.namelist()}


def _write(path: Path, members: Members) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return path


def _with_trace(members: Members, change: Callable[[Trace], None]) -> Members:
    """The members with a changed trace, and a manifest that agrees with it."""
    trace = json.loads(members["trace.json"])
    change(trace)
    return _sealed(members, json.dumps(trace).encode())


def _sealed(members: Members, trace: bytes) -> Members:
    manifest = json.loads(members["manifest.json"])
    manifest["trace_sha256"] = hashlib.sha256(trace).hexdigest()
    return {**members, "trace.json": trace, "manifest.json": json.dumps(manifest).encode()}


def _refused(path: Path, database: Path, words: str = "") -> str:
    with pytest.raises(BadFileError) as caught:
        import_bundle(path, database)
    sentence = str(caught.value)
    assert words in sentence
    assert "\n" not in sentence
    assert not database.exists()
    return sentence


def _step(trace: Trace, n: int) -> dict[str, Any]:
    found: dict[str, Any] = trace["runs"][0]["steps"][n - 1]
    return found


def _set(*path: Any) -> Callable[[Trace], None]:
    """Sets the last of `path` at the place the others name."""

    def change(trace: Trace) -> None:
        *place, key, value = path
        here: Any = trace
        for part in place:
            here = here[part]
        here[key] = value

    return change


START, END = ("runs", 0, "start"), ("runs", 0, "end")
FIRST = ("runs", 0, "steps", 1, "start")  # a model call
LAST = ("runs", 0, "steps", 1, "end")
WRONG: dict[str, Callable[[Trace], None]] = {
    "no runs": _set("runs", []),
    "runs is text": _set("runs", "many"),
    "id is a path": _set(*START, "id", "../../etc/passwd"),
    "id is short": _set(*START, "id", "abc"),
    "name is a list": _set(*START, "name", ["x"]),
    "time is text": _set(*START, "started_ns", "now"),
    "time beyond the database": _set(*START, "started_ns", 2**70),
    "time is true": _set(*START, "started_ns", True),
    "entry is text": _set(*START, "entry", "rm -rf /"),
    "status unknown": _set(*END, "status", "exploded"),
    "warnings no list": _set(*END, "warnings", {}),
    "error no object": _set(*END, "error", "bad"),
    "digest missing": _set("runs", 0, "digest", None),
    "kind unknown": _set(*FIRST, "kind", "shell"),
    "source unknown": _set(*FIRST, "source", "made up"),
    "number zero": _set(*FIRST, "n", 0),
    "number twice": _set(*FIRST, "n", 1),
    "slot of three": _set(*FIRST, "slot", ["", 1, 2]),
    "slot ordinal text": _set(*FIRST, "slot", ["", "1"]),
    "input of unknown kind": _set(*FIRST, "input", {"kind": "pickle", "data": "x"}),
    "headers no pairs": _set(*FIRST, "input", "headers", [["a"]]),
    "headers of numbers": _set(*FIRST, "input", "headers", [["a", 1]]),
    "link too high": _set(*FIRST, "input", "body", "link", 10_000),
    "link negative": _set(*FIRST, "input", "body", "link", -1),
    "payload is no hash": _set(*FIRST, "input", "body", "head", "../x"),
    "payload not there": _set(*FIRST, "input", "body", "head", "0" * 64),
    "chunks don't add up": _set(*LAST, "output", "chunks", [1]),
    "chunk lengths negative": _set(*LAST, "output", "chunks", [-5]),
    "times missing": _set(*LAST, "output", "times_us", []),
    "status of a reply text": _set(*LAST, "output", "status", "200"),
    "usage negative": _set(*LAST, "usage", "input_tokens", -1),
    "cost infinite": _set(*LAST, "cost_usd", 1e300),
    "diverged is text": _set(*LAST, "diverged", "no"),
    "detail is a list": _set(*LAST, "detail", []),
    "end of another step": _set(*LAST, "n", 7),
    "messages no JSON": _set(*LAST, "messages", hashlib.sha256(b"\xff").hexdigest()),
    "link to a later one": _set("runs", 0, "links", 0, 0, 3),
    "link to itself": _set("runs", 0, "links", 0, 0, 0),
    "link no pair": _set("runs", 0, "links", 0, "x"),
    "texts a list": _set("texts", []),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_types_and_ranges(good: Members, tmp_path: Path, case: str) -> None:
    path = _write(tmp_path / "x.tracer", _with_trace(good, WRONG[case]))
    _refused(path, tmp_path / "traces.db", str(path))


def test_a_text_under_another_hash(good: Members, tmp_path: Path) -> None:
    def change(trace: Trace) -> None:
        name = next(iter(trace["texts"]))
        trace["texts"][name] += " changed"

    path = _write(tmp_path / "x.tracer", _with_trace(good, change))
    _refused(path, tmp_path / "traces.db", "has another hash")


def test_a_blob_under_another_hash(good: Members, tmp_path: Path) -> None:
    name = next(name for name in good if name.startswith("blobs/"))
    path = _write(tmp_path / "x.tracer", {**good, name: good[name] + b" "})
    _refused(path, tmp_path / "traces.db", "has another hash")


def test_a_trace_the_manifest_does_not_vouch_for(good: Members, tmp_path: Path) -> None:
    path = _write(tmp_path / "x.tracer", {**good, "trace.json": good["trace.json"] + b" "})
    _refused(path, tmp_path / "traces.db", "damaged or was changed")


def test_a_message_that_is_no_json(good: Members, tmp_path: Path) -> None:
    def change(trace: Trace) -> None:
        text = "{not json"
        name = hashlib.sha256(text.encode()).hexdigest()
        trace["texts"][name] = text
        trace["runs"][0]["links"][0][1] = name

    path = _write(tmp_path / "x.tracer", _with_trace(good, change))
    _refused(path, tmp_path / "traces.db", "(message)")


def test_what_only_the_database_sees_is_rolled_back(good: Members, tmp_path: Path) -> None:
    def change(trace: Trace) -> None:
        steps = trace["runs"][0]["steps"]
        steps[5]["start"]["id"] = steps[4]["start"]["id"]

    path = _write(tmp_path / "x.tracer", _with_trace(good, change))
    with pytest.raises(BadFileError, match="contradict each other"):
        import_bundle(path, tmp_path / "traces.db")
    with Store.open(tmp_path / "traces.db") as store:
        assert store.runs() == []


@pytest.mark.parametrize("depth", [65, 500, 100_000])
def test_nested_too_deep(good: Members, tmp_path: Path, depth: int) -> None:
    nested = b'{"runs": ' + b"[" * depth + b"]" * depth + b"}"
    path = _write(tmp_path / "x.tracer", _sealed(good, nested))
    _refused(path, tmp_path / "traces.db")


def test_a_value_nested_too_deep(good: Members, tmp_path: Path) -> None:
    def change(trace: Trace) -> None:
        text = "[" * 300 + "]" * 300
        name = hashlib.sha256(text.encode()).hexdigest()
        trace["texts"][name] = text
        trace["runs"][0]["start"]["input"] = name

    path = _write(tmp_path / "x.tracer", _with_trace(good, change))
    _refused(path, tmp_path / "traces.db", "nested deeper")


def test_a_text_too_long(good: Members, tmp_path: Path) -> None:
    long = "x" * ((16 << 20) + 1)
    path = _write(tmp_path / "x.tracer", _with_trace(good, _set(*START, "name", long)))
    _refused(path, tmp_path / "traces.db", "over 16 MB")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b"null", b'{"runs": NaN}', b"\xff\xfe", b"9" * 5000]
)
def test_broken_json(good: Members, tmp_path: Path, text: bytes) -> None:
    _refused(_write(tmp_path / "x.tracer", _sealed(good, text)), tmp_path / "traces.db")
    _refused(_write(tmp_path / "y.tracer", {**good, "manifest.json": text}), tmp_path / "traces.db")


@pytest.mark.parametrize("version", [None, 0, -3, "1", True, 2, 10**9])
def test_versions(good: Members, tmp_path: Path, version: object) -> None:
    manifest = {**json.loads(good["manifest.json"]), "format": version}
    path = _write(tmp_path / "x.tracer", {**good, "manifest.json": json.dumps(manifest).encode()})
    words = "upgrade tracer" if version in (2, 10**9) else "no format version"
    _refused(path, tmp_path / "traces.db", words)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "blobs/../../evil",
        "blobs/short",
        "blobs/" + "0" * 65,
        "x.py",
        "C:\\x",
    ],
)
def test_other_members(good: Members, tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / "x.tracer", {**good, name: b"evil"})
    _refused(path, tmp_path / "traces.db", "it holds")
    assert {file.name for file in tmp_path.iterdir()} == {"x.tracer"}


def test_a_member_twice(good: Members, tmp_path: Path) -> None:
    path = _write(tmp_path / "x.tracer", good)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as made:
        made.writestr("trace.json", b"{}")
    _refused(path, tmp_path / "traces.db", "twice")


@pytest.mark.parametrize("missing", ["manifest.json", "trace.json"])
def test_a_member_missing(good: Members, tmp_path: Path, missing: str) -> None:
    rest = {name: data for name, data in good.items() if name != missing}
    _refused(_write(tmp_path / "x.tracer", rest), tmp_path / "traces.db", missing)


def test_other_ways_of_packing(good: Members, tmp_path: Path) -> None:
    path = tmp_path / "x.tracer"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as made:
        for name, data in good.items():
            made.writestr(name, data)
    _refused(path, tmp_path / "traces.db", "packed in another way")


def test_a_bomb(good: Members, tmp_path: Path) -> None:
    path = tmp_path / "x.tracer"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
        for name, data in good.items():
            made.writestr(name, data)
        made.writestr("blobs/" + "0" * 64, b"\0" * (100 << 20))
    assert path.stat().st_size < 1 << 20
    _refused(path, tmp_path / "traces.db", "would unpack")


def test_a_member_larger_than_it_says(good: Members, tmp_path: Path) -> None:
    path = _write(tmp_path / "x.tracer", {**good, "trace.json": b" " * 100_000})
    data = bytearray(path.read_bytes())
    at = data.find(b"PK\x01\x02", data.find(b"trace.json", data.find(b"PK\x01\x02")) - 60)
    assert data[at + 46 : at + 56] == b"trace.json"
    data[at + 24 : at + 28] = struct.pack("<L", 10)
    path.write_bytes(data)
    _refused(path, tmp_path / "traces.db")


def test_too_many_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: Members) -> None:
    more = {f"blobs/{n:064x}": b"" for n in range(50)}
    path = _write(tmp_path / "x.tracer", {**good, **more})
    monkeypatch.setattr(archive, "MAX_MEMBERS", 20)
    _refused(path, tmp_path / "traces.db", "members")


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: Members) -> None:
    path = _write(tmp_path / "x.tracer", good)
    for name, value in (("MAX_FILE", 100), ("MAX_MEMBER", 100), ("MAX_TOTAL", 100)):
        with monkeypatch.context() as patch:
            patch.setattr(archive, name, value)
            _refused(path, tmp_path / "traces.db")


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"hello" * 100, b"PK\x05\x06" + b"\xff" * 18, b"\x1f\x8b" * 50]
)
def test_no_zip_at_all(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.tracer").write_bytes(data)
    _refused(tmp_path / "x.tracer", tmp_path / "traces.db")


def test_a_folder_and_nothing(tmp_path: Path) -> None:
    _refused(tmp_path, tmp_path / "traces.db", "can't read")
    _refused(tmp_path / "nope", tmp_path / "traces.db", "can't read")


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_damage_is_a_sentence(good: Members, tmp_path: Path, data: st.DataObject) -> None:
    """Bytes changed, cut or put in anywhere: refused, or (in unused places) still the same run."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in good.items():
            zipped.writestr(name, content)
    raw = bytearray(made.getvalue())
    at = data.draw(st.integers(0, len(raw) - 1))
    length = data.draw(st.integers(0, 40))
    raw[at : at + length] = data.draw(st.binary(max_size=40))
    path, database = tmp_path / "x.tracer", tmp_path / "traces.db"
    path.write_bytes(raw)
    try:
        import_bundle(path, database)
    except BadFileError as error:
        assert "\n" not in str(error)
    finally:
        for file in tmp_path.glob("traces.db*"):
            file.unlink()


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.data())
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_trace_is_taken_or_refused(good: Members, tmp_path: Path, data: st.DataObject) -> None:
    """Any value anywhere in the trace: imported and readable, or refused in a sentence."""
    trace = json.loads(good["trace.json"])
    here: Any = trace
    for _ in range(data.draw(st.integers(1, 7))):
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if not isinstance(here[key], dict | list) or data.draw(st.integers(0, 3)) == 0:
            here[key] = data.draw(VALUES)
            break
        here = here[key]
    path = _write(tmp_path / "x.tracer", _sealed(good, json.dumps(trace).encode()))
    database = tmp_path / "traces.db"
    try:
        (run_id,) = import_bundle(path, database)
    except BadFileError as error:
        assert "\n" not in str(error)
    else:
        from tracer.interchange.run_json import run_json

        with Store.open(database) as store:
            json.dumps(run_json(store, store.find_run(run_id), steps=True))
    finally:
        for file in tmp_path.glob("traces.db*"):
            file.unlink()
