"""Full-text search: what goes into the index, and a user's words as index queries."""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator

from tracer.core.records import JSON
from tracer.store import blobs

# Longer texts are searchable up to here: an index of a huge tool result helps nobody.
LONGEST_PASSAGE = 256 << 10
_LONGEST_PARSED = 4 << 20

# Scripts written without spaces: the tokenizer would take a whole sentence as one word. Set
# apart, any part of it is found as a phrase. Setting apart twice changes nothing.
_UNSPACED = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]"
_JOINTS = re.compile(rf"(?<={_UNSPACED})(?=\S)|(?<=\S)(?={_UNSPACED})")
_TERM = re.compile(r'"([^"]*)"|([^\s"]+)')


def clean(text: str) -> str:
    """Text SQLite can hold: lone surrogates, which JSON allows and UTF-8 does not, are escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def passage_of(*texts: str) -> str:
    """The text to index, in the form it is stored."""
    joined = clean("\n".join(text for text in texts if text))[:LONGEST_PASSAGE]
    return joined if joined.isascii() else _JOINTS.sub(" ", joined)[:LONGEST_PASSAGE]


def put_passage(conn: sqlite3.Connection, text: str) -> tuple[int | None, bool]:
    """`(row id, whether it still has to be indexed)`; None for an empty text."""
    if not text:
        return None, False
    data = text.encode()
    key = blobs.content_hash(data)
    row = conn.execute("select id from passage where hash = ?", (key,)).fetchone()
    if row is not None:
        return row[0], False
    codec, stored = blobs.pack(data)
    rowid = conn.execute(
        "insert into passage (hash, codec, size, data) values (?, ?, ?, ?)",
        (key, codec, len(data), stored),
    ).lastrowid
    return rowid, True


def index(conn: sqlite3.Connection, passages: Iterable[tuple[int, str]]) -> None:
    """Add stored passages (row, text) to the full-text index."""
    conn.executemany("insert into search (rowid, text) values (?, ?)", passages)


def plain_text(data: bytes | None) -> str:
    """The strings and numbers of a JSON value, in order, without its keys; "" if not JSON."""
    if data is None or len(data) > _LONGEST_PARSED:
        return ""
    try:
        return " ".join(_leaves(json.loads(data)))
    except (ValueError, RecursionError):
        return ""


def _leaves(value: JSON) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key != "$t":  # the tag of a tagged value says nothing
                yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif value is not None:
        yield str(value)


def terms(query: str) -> list[str]:
    """A user's words as index queries: each the start of a word, a quoted part a phrase.

    Nothing in them is query syntax. Empty when there is no letter or digit to look for.
    """
    found = [
        index_query(phrase or word, phrase=bool(phrase)) for phrase, word in _TERM.findall(query)
    ]
    return [one for one in found if one]


def index_query(text: str, *, phrase: bool) -> str:
    """One text as an index query: the start of a word, or a phrase. Nothing in it is syntax.

    "" when it holds no letter or digit.
    """
    words = _JOINTS.sub(" ", clean(text.replace("\0", " ")).replace('"', " ")).strip()
    if not any(sign.isalnum() for sign in words):
        return ""
    return f'"{words}"' if phrase else f'"{words}" *'


def steps_with(conn: sqlite3.Connection, run: int, query: str) -> list[int]:
    """Numbers of the steps in which every term of the query occurs."""
    words = terms(query)
    if not words:
        return []
    each = " and ".join(
        f"(start_passage in {_hits(at)} or end_passage in {_hits(at)})"
        for at in range(2, len(words) + 2)
    )
    rows = conn.execute(f"select n from step where run = ?1 and {each} order by n", (run, *words))
    return [n for (n,) in rows]


def runs_with(parameter: str) -> str:
    """SQL of the rows of `run` in which an index query, given by that parameter, has a hit."""
    # The index is asked once, and its hits lead: of many runs it is the quickest way by far.
    return (
        "with hits (hit) as materialized"
        f" (select rowid from search where search match {parameter}) "
        + " union all ".join(
            f"select {column} from hits cross join {table} on {passage} = hit"
            for column, table in (("run", "step"), ("key", "run"))
            for passage in ("start_passage", "end_passage")
        )
    )


def _hits(parameter: int) -> str:
    return f"(select rowid from search where search match ?{parameter})"
