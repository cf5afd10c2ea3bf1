"""The document of a model function's arguments: what is remembered never shows."""

import copy
import json
import threading
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer.capture import conversation
from tracer.capture.conversation import Snapshots
from tracer.capture.values import encode_watched

TOOLS = [{"name": f"tool{n}", "strict": True, "about": "does something " * 9} for n in range(9)]

scalars = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 2.5])
odd = st.sampled_from(
    [(1, 2), PurePosixPath("/tmp"), b"bytes", {1: "one"}, {"$t": "tuple"}, 3 + 4j]
)
contents = st.recursive(
    st.text("ab", max_size=3) | scalars | odd,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner),
    max_leaves=5,
)
messages = st.builds(
    lambda role, content: {"role": role, "content": content}, st.text("ua"), contents
)
edits = st.lists(
    st.tuples(
        st.sampled_from(["add", "set", "cut", "insert", "other"]), st.integers(0, 5), messages
    ),
    min_size=1,
    max_size=8,
)


def fresh(arguments: dict[str, Any]) -> bytes:
    """The document by someone who remembers nothing."""
    document = Snapshots().document(copy.deepcopy(arguments))
    assert document is not None
    return bytes(document)


def edited(history: list[Any], how: str, at: int, message: dict[str, Any]) -> list[Any]:
    """The history after the agent did something to it, mostly in place."""
    if how == "add":
        history.append(message)
    elif how == "insert":
        history.insert(at % (len(history) + 1), message)
    elif how == "set":
        history[at % len(history)]["content"] = message["content"]
    elif how == "cut":
        del history[1 + at :]
    else:  # another conversation in between, which starts alike
        return [*history[:1], message]
    return history


@settings(deadline=None, max_examples=300)
@given(messages, edits)
def test_it_is_what_it_would_be_without_memory(first: dict[str, Any], steps: list[Any]) -> None:
    snapshots = Snapshots()
    history = [first]
    for how, at, message in steps:
        now = edited(history, how, at, copy.deepcopy(message))
        document = snapshots.document({"messages": now, "tools": TOOLS, "seed": at})
        assert document is not None
        assert bytes(document) == fresh({"messages": now, "tools": TOOLS, "seed": at})


def test_it_is_what_was_given_then() -> None:
    history = [{"role": "user", "content": [{"type": "text", "text": "before"}]}]
    document = Snapshots().document({"messages": history})
    history[0]["content"][0]["text"] = "after"  # type: ignore[index]
    history.append({"role": "user", "content": "more"})
    assert json.loads(bytes(document or b"")) == {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "before"}]}]
    }


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Any]]:
    """The values encoded since it was last called."""
    seen: list[Any] = []

    def watched(value: Any) -> Any:
        seen.append(value)
        return encode_watched(value)

    monkeypatch.setattr(conversation, "encode_watched", watched)

    def taken() -> list[Any]:
        values = seen[:]
        seen.clear()
        return values

    return taken


def test_only_what_is_new_is_read(encoded: Callable[[], list[Any]]) -> None:
    snapshots = Snapshots()
    history = [{"role": "user", "content": str(n)} for n in range(5)]
    snapshots.document({"messages": history})
    assert encoded() == history
    snapshots.document({"messages": history})
    assert encoded() == []
    history.append({"role": "user", "content": "new"})
    snapshots.document({"messages": [*history]})  # another list of the same messages
    assert encoded() == history[-1:]
    history[2]["content"] = "changed"
    snapshots.document({"messages": history})
    assert encoded() == history[2:]


def test_numbers_are_told_apart() -> None:
    snapshots = Snapshots()
    history: list[dict[str, Any]] = [{"role": "user", "content": 1}, {"role": "user"}]
    documents = []
    for value in (1, True, 1.0, 1):
        history[0]["content"] = value
        documents.append(json.loads(bytes(snapshots.document({"messages": history}) or b"")))
    values = [document["messages"][0]["content"] for document in documents]
    assert [(type(value), value) for value in values] == [
        (int, 1),
        (bool, True),
        (float, 1),
        (int, 1),
    ]


def test_branches_are_remembered(encoded: Callable[[], list[Any]]) -> None:
    snapshots = Snapshots()
    stem = [{"role": "user", "content": str(n)} for n in range(3)]
    left, right = ([*stem, {"role": "user", "content": side}] for side in ("left", "right"))
    for history in (left, right):
        snapshots.document({"messages": history})
    encoded()
    for history in (left, right, left, right):
        snapshots.document({"messages": history})
    assert encoded() == []


def test_copies_are_for_plain_arguments_alone() -> None:
    history = [{"role": "user", "content": "x"}]
    document = Snapshots().document({"messages": history, "tools": TOOLS, "path": (1, 2)})
    assert document is not None
    assert document.copies == {"messages": history, "tools": TOOLS}
    odd = Snapshots().document({"messages": [*history, {"role": "user", "content": (1,)}]})
    assert odd is not None and odd.copies == {}


class Quarrelsome(dict[str, Any]):
    """Raises when it is compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None


def test_objects_that_raise_when_compared() -> None:
    snapshots = Snapshots()
    snapshots.document({"messages": [{"role": "user", "content": "a"}]})
    document = snapshots.document({"messages": [{"role": "user"}, Quarrelsome(role="user")]})
    assert len(json.loads(bytes(document or b""))["messages"]) == 2


def test_no_message_list_no_document() -> None:
    for value in ([], ["text"], "text", [{"content": "x"}], ({"role": "user"},)):
        assert Snapshots().document({"messages": value}) is None


def test_threads_share_one_memory() -> None:
    snapshots = Snapshots()
    wrong: list[bytes] = []

    def converse(name: str) -> None:
        history: list[Any] = [{"role": "user", "content": "hello"}]
        for n in range(150):
            document = bytes(snapshots.document({"messages": history}) or b"")
            if json.loads(document)["messages"] != history:
                wrong.append(document)
            history.append({"role": "user", "content": f"{name} {n}"})

    threads = [threading.Thread(target=converse, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
