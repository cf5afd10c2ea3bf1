import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tracer.core import chain
from tracer.core.chain import ROOT, BodySplitter, SplitBody, rest_hash
from tracer.core.fingerprint import canonical_document

# A loaded machine is no failure.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

KEYS = ("messages", "input", "contents")

texts = st.text(max_size=12)
elements: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.floats(width=16) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
white = st.text(" \t\n\r", max_size=2)
keys = st.sampled_from([*KEYS, "model", "tools", "metadata", "user", 'odd "key"', "é"])


class Chains:
    """Follows bases back through earlier splits, as a store does."""

    def __init__(self) -> None:
        self.links: dict[bytes, tuple[bytes, bytes]] = {}

    def join(self, split: SplitBody) -> bytes:
        parent = split.base
        for link in split.new:
            self.links[link.exact] = (parent, link.data)
            parent = link.exact
        assert parent == split.last
        data: list[bytes] = []
        while parent != ROOT:
            parent, own = self.links[parent]
            data.insert(0, own)
        assert len(data) == split.count
        return split.head + b"".join(data) + split.tail


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A JSON object with arrays under the keys in question, spaced at random, keys repeated."""
    ascii_only = draw(st.booleans())

    def text_of(value: Any) -> str:
        spaced = json.dumps(value, ensure_ascii=ascii_only)
        return draw(white) + spaced + draw(white)

    fields = []
    for _ in range(draw(st.integers(0, 4))):
        key = json.dumps(draw(keys), ensure_ascii=ascii_only)
        if draw(st.booleans()):
            inner = ",".join(text_of(draw(elements)) for _ in range(draw(st.integers(0, 4))))
            value = f"[{draw(white)}{inner}]"
        else:
            value = text_of(draw(elements))
        fields.append(f"{draw(white)}{key}{draw(white)}:{draw(white)}{value}{draw(white)}")
    return (draw(white) + "{" + ",".join(fields) + "}" + draw(white)).encode(errors="replace")


def means(split: SplitBody) -> tuple[object, ...]:
    return split.last, split.canonical, split.rest_canonical, split.count, split.head, split.tail


@patient
@given(bodies())
@example(b'{"messages":[]}')
@example(b'{"messages":[1],"messages":[2]}')
@example(b'\n{ "messages" : [ {"a" : 1} , 2 ] , "x":1}\n')
def test_joining_gives_back_the_bytes(body: bytes) -> None:
    assert Chains().join(BodySplitter().split(body, KEYS)) == body


@patient
@given(st.lists(bodies(), max_size=6))
@example([b'{"messages":[]}', b'{"messages":[ 1]}'])
def test_what_was_split_before_changes_nothing(several: list[bytes]) -> None:
    splitter, chains = BodySplitter(), Chains()
    for body in several + several:
        split = splitter.split(body, KEYS)
        assert chains.join(split) == body
        assert means(split) == means(BodySplitter().split(body, KEYS))


@patient
@given(st.binary(max_size=60) | bodies().map(lambda body: body[: len(body) // 2]))
@example(b"\xff\xfe")
@example(b"\xef\xbb\xbf{}")
@example(b'{"messages":[1')
@example(b'{"messages":[1,]}')
@example(b'{"messages":[1 2]}')
@example(b'{"messages":["\xff"]}')
@example(b'{"messages":[{]}')
def test_any_bytes_are_kept(body: bytes) -> None:
    assert Chains().join(BodySplitter().split(body, KEYS)) == body


def body_of(messages: list[Any], spaced: bool = False, **more: Any) -> bytes:
    separators = None if spaced else (",", ":")
    document = {"model": "m", "messages": messages, **more}
    return json.dumps(document, separators=separators, ensure_ascii=False).encode(errors="replace")


@patient
@given(st.lists(elements, max_size=8), st.lists(elements, max_size=3), st.data())
def test_a_growing_and_edited_history(
    messages: list[Any], more: list[Any], data: st.DataObject
) -> None:
    splitter, chains = BodySplitter(), Chains()
    at = data.draw(st.integers(0, len(messages)))
    steps = [
        messages[:at],
        messages,
        [*messages, *more],
        [*messages[:at], "edited", *messages[at + 1 :]],  # in the middle
        messages[:at],  # and back
        [*more, *messages],
        [*messages, *more, *more],
    ]
    for step in steps:
        for spaced in (False, True):
            body = body_of(step, spaced, temperature=0.5)
            split = splitter.split(body, KEYS)
            assert chains.join(split) == body
            assert means(split) == means(BodySplitter().split(body, KEYS))
            assert split.count == len(step)


def test_only_what_is_new_is_in_new() -> None:
    splitter = BodySplitter()
    history = [{"role": "user", "content": f"message {n}"} for n in range(5)]
    first = splitter.split(body_of(history), KEYS)
    again = splitter.split(body_of(history), KEYS)
    longer = splitter.split(body_of([*history, "new"]), KEYS)
    assert (first.base, first.base_count, len(first.new)) == (ROOT, 0, 5)
    assert (again.base, again.base_count, again.new) == (first.last, 5, ())
    assert (longer.base, longer.base_count) == (first.last, 5)
    assert [link.data for link in longer.new] == [b',"new"']


def test_an_edit_shares_what_stands_before_it() -> None:
    one, other = (
        BodySplitter().split(body_of(messages), KEYS)
        for messages in (["a", "b", "c", "d"], ["a", "b", "X", "d"])
    )
    shared = [a.exact == b.exact for a, b in zip(one.new, other.new, strict=True)]
    assert shared == [True, True, False, False]
    assert one.new[3].data == other.new[3].data


def test_forgetting_starts_over() -> None:
    splitter = BodySplitter()
    body = body_of(["a", "b"])
    splitter.split(body, KEYS)
    splitter.forget()
    split = splitter.split(body, KEYS)
    assert (split.base, len(split.new)) == (ROOT, 2)


def test_many_conversations_at_once() -> None:
    splitter, chains = BodySplitter(), Chains()
    talks: list[list[str]] = [[f"talk {n}"] for n in range(20)]
    for turn in range(3):
        for talk in talks:
            talk.append(f"turn {turn}")
            body = body_of(talk)
            assert chains.join(splitter.split(body, KEYS)) == body


@pytest.mark.parametrize("longer", ["12", "1.5", "1e5", "10"])
def test_a_number_is_not_the_start_of_a_longer_one(longer: str) -> None:
    splitter, chains = BodySplitter(), Chains()
    splitter.split(b'{"messages":[1]}', KEYS)
    body = f'{{"messages":[{longer}]}}'.encode()
    split = splitter.split(body, KEYS)
    assert chains.join(split) == body
    assert (split.base, split.count) == (ROOT, 1)


def test_the_same_bytes_split_elsewhere_for_another_api() -> None:
    splitter = BodySplitter()
    body = b'{"messages":[1],"input":[1,2]}'
    splitter.split(body, ("messages",))
    assert means(splitter.split(body, ("input",))) == means(BodySplitter().split(body, ("input",)))


def test_white_space_and_key_order_are_exact_but_not_canonical() -> None:
    tight = BodySplitter().split(b'{"model":"m","messages":[{"a":1,"b":[]}]}', KEYS)
    wide = BodySplitter().split(b'{ "messages": [ {"b": [], "a": 1} ], "model": "m" }', KEYS)
    assert tight.last != wide.last
    assert (tight.canonical, tight.rest_canonical) == (wide.canonical, wide.rest_canonical)


def test_what_only_names_the_caller_is_not_in_the_rest() -> None:
    plain = BodySplitter().split(body_of(["a"]), KEYS)
    named = BodySplitter().split(body_of(["a"], user="u1", metadata={"a": 1}), KEYS)
    streamed = BodySplitter().split(body_of(["a"], stream=True), KEYS)
    assert plain.rest_canonical == named.rest_canonical != streamed.rest_canonical


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[1, 2]",
        b'{"messages":"text"}',
        b'{"nested":{"messages":[1]}}',
        b'{"messages":' + b"[" * 100_000,
        b'{"messages":[' + b"9" * 5000 + b"]}",
    ],
)
def test_what_has_no_messages_stays_whole(body: bytes) -> None:
    split = BodySplitter().split(body, KEYS)
    assert (split.head, split.new, split.tail, split.last) == (body, (), b"", ROOT)
    assert split.rest_canonical == rest_hash(body)


def test_the_rest_is_known_for_json_only() -> None:
    assert BodySplitter().split(b'{"messages":[1]} trailing', KEYS).rest_canonical is None
    assert BodySplitter().split(b"name=value", KEYS).rest_canonical is None
    assert BodySplitter().split(b"[1]", KEYS).rest_canonical == rest_hash(b"[ 1 ]")


def test_a_long_history_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred calls with a growing history read each message once, not fifty times."""
    parsed = 0

    def counting(text: str) -> bytes:
        nonlocal parsed
        parsed += 1
        return canonical_document(text)

    monkeypatch.setattr(chain, "canonical_document", counting)
    splitter = BodySplitter()
    history: list[Any] = []
    for turn in range(100):
        history.append({"role": "user", "content": f"turn {turn}"})
        splitter.split(body_of(history), KEYS)
    assert parsed == 100
