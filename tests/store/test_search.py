import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.build import patient, run_end, run_id, run_start, step_end, step_start
from tracer.core.records import ErrorInfo
from tracer.store.reading import Store
from tracer.store.search import LONGEST_PASSAGE, passage_of, plain_text, terms
from tracer.store.writes import Value
from tracer.store.writing import StoreWriter

RUN = run_id(1)


@pytest.fixture
def filled(writer: StoreWriter, store: Store) -> Store:
    writer.start_run(run_start(1, name="support", input=Value(b'{"question": "Refund my lamp"}')))
    texts = ["order A-1042 arrived cracked", "the policy allows 5 %", "退款政策 and žluťoučký"]
    for n, text in enumerate(texts, start=1):
        writer.start_step(step_start(n, name="ask", search_text=text))
        writer.end_step(step_end(n, search_text=f"answer {n}"))
    writer.start_step(step_start(4, name="issue_refund", search_text=""))
    error = ErrorInfo("shop.RefundRefused", "not allowed today")
    writer.end_run(run_end(1, status="error", error=error, output=Value(b'["nothing paid"]')))
    writer.start_run(run_start(2, name="other", input=Value(b'"A lamp"')))
    return store


@pytest.mark.parametrize(
    ("query", "steps"),
    [
        ("cracked", [1]),
        ("CRACK", [1]),  # the start of a word, in any case
        ("racked", []),
        ("cracked order", [1]),  # words in any order
        ("order policy", []),  # but in one step
        ("A-1042", [1]),
        ("1042", [1]),
        ('"arrived cracked"', [1]),
        ('"cracked arrived"', []),
        ("ask", [1, 2, 3]),  # a step's name
        ("issue_refund", [4]),
        ("answer", [1, 2, 3]),  # what came of it
        ("answer cracked", [1]),  # one word at the start, one at the end
        ("退款", [3]),
        ("政策", [3]),  # from inside a sentence without spaces
        ("策政", []),
        ("zlutoucky", [3]),  # accents don't matter
        ("", []),
        ("   ", []),
        ("% ? -", []),
    ],
)
def test_steps(filled: Store, query: str, steps: list[int]) -> None:
    assert filled.search(RUN, query) == steps


@pytest.mark.parametrize(
    ("query", "runs"),
    [
        ("support", [1]),  # its name
        ("refund", [1]),
        ("refund lamp", [1]),
        ("lamp", [2, 1]),  # its input
        ("paid", [1]),  # its output
        ("RefundRefused", [1]),  # its error
        ("allowed today", [1]),
        ("cracked", [1]),  # any step of it
        ("cracked paid", [1]),  # different places of one run
        ("question", []),  # keys are not text
        ("", [2, 1]),
        ("  ", [2, 1]),
        ("?", []),
    ],
)
def test_runs(filled: Store, query: str, runs: list[int]) -> None:
    assert [run.id for run in filled.runs(search=query)] == [run_id(n) for n in runs]


def test_search_goes_with_the_other_filters(filled: Store) -> None:
    assert [run.id for run in filled.runs(search="lamp", limit=1)] == [run_id(2)]
    assert [run.id for run in filled.runs(search="lamp", before=run_id(2))] == [run_id(1)]
    assert [run.id for run in filled.runs(search="lamp", failed=True)] == [run_id(2), run_id(1)]
    assert [run.id for run in filled.runs(search="support", failed=True)] == [run_id(1)]


@patient
@given(query=st.text(max_size=20) | st.sampled_from(["a AND b", "NEAR(a b)", "a*", "^a", "a:b"]))
def test_any_query_is_only_words(filled: Store, query: str) -> None:
    assert set(filled.search(RUN, query)) <= {1, 2, 3, 4}
    filled.runs(search=query)


@pytest.mark.parametrize(
    "query",
    ['"', '""', '"q', "q OR ask", "ask NOT q", "text : q", "{q}", "(q", "q\0b", "\ud800q", "'"],
)
def test_query_syntax_is_text(filled: Store, query: str) -> None:
    assert filled.search(RUN, query) == []


@patient
@given(words=st.lists(st.text("abčß9", min_size=1, max_size=4), min_size=1, max_size=4))
def test_every_word_of_a_text_finds_it(words: list[str]) -> None:
    text = passage_of("name", " ".join(words))
    conn = sqlite3.connect(":memory:")
    conn.execute("create virtual table search using fts5 (text, content='')")
    conn.execute("insert into search (rowid, text) values (1, ?)", (text,))
    for term in terms(" ".join(words)):
        assert conn.execute("select rowid from search where search match ?", (term,)).fetchall()
    conn.close()


@patient
@given(st.text(max_size=40) | st.text("a退款กข ", max_size=20))
def test_preparing_a_text_twice_changes_nothing(text: str) -> None:
    assert passage_of(passage_of(text)) == passage_of(text)


def test_a_huge_text_is_searchable_up_to_a_point(writer: StoreWriter, store: Store) -> None:
    writer.start_run(run_start())
    text = "early " + "x" * LONGEST_PASSAGE + " late"
    writer.start_step(step_start(1, search_text=text))
    assert (store.search(RUN, "early"), store.search(RUN, "late")) == ([1], [])


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'"just text"', "just text"),
        (b'{"args": ["a", 1, null, true], "kwargs": {"k": {"deep": 2.5}}}', "a 1 True 2.5"),
        (b'{"$t": "datetime", "v": "2026-01-01"}', "2026-01-01"),
        (b"not json", ""),
        (b"[" * 100_000, ""),
        (b'"\xff"', ""),
        (None, ""),
    ],
)
def test_the_text_of_a_value(data: bytes | None, text: str) -> None:
    assert plain_text(data) == text


def test_equal_texts_are_indexed_once(writer: StoreWriter, store: Store) -> None:
    def size() -> tuple[int, int]:
        with closing(sqlite3.connect(store.path)) as conn:
            (texts,) = conn.execute("select count(*) from passage").fetchone()
            (index,) = conn.execute("select sum(length(block)) from search_data").fetchone()
        return texts, index

    sizes = []
    for run in (1, 2):
        writer.start_run(run_start(run))
        writer.start_step(step_start(1, run, search_text="the same words"))
        sizes.append(size())
    assert store.search(run_id(2), "words") == [1]
    assert sizes[0] == sizes[1]
