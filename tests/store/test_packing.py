import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.store.build import patient
from tracer.store.blobs import dump, load, pack, unpack
from tracer.store.packing import pack_chunks, pack_headers, unpack_chunks, unpack_headers


@patient
@given(st.lists(st.tuples(st.binary(max_size=300), st.integers(-(2**60), 2**60))))
@example([(b"", 0), (b"x" * 128, -1), (b"", 2**60)])
def test_chunks_and_times_come_back(chunks: list[tuple[bytes, int]]) -> None:
    data = tuple(chunk for chunk, _ in chunks)
    times = tuple(time for _, time in chunks)
    assert unpack_chunks(pack_chunks(data, times), b"".join(data)) == (data, times)


def test_a_thousand_regular_chunks_are_small() -> None:
    packed = pack_chunks([b"x" * 100] * 1000, range(0, 20_000_000, 20_000))
    assert len(packed) < 4100


def test_chunks_without_their_times_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        pack_chunks([b"a", b"b"], [1])


@pytest.mark.parametrize(
    ("packed", "body"), [(b"\x02", b"ab"), (b"\x02\x00", b"a"), (b"\x82", b"")]
)
def test_an_index_that_does_not_fit_is_refused(packed: bytes, body: bytes) -> None:
    with pytest.raises(ValueError, match=r"cut short|chunks of"):
        unpack_chunks(packed, body)


@patient
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Content-Length", "content-length", "x"]) | st.text(),
            st.sampled_from(["0", "7", "07", "null"]) | st.text(),
        )
    ),
    st.sampled_from([0, 7]),
)
def test_headers_come_back(headers: list[tuple[str, str]], length: int) -> None:
    packed = dump(pack_headers(tuple(headers), length)).encode()
    assert unpack_headers(packed, length) == tuple(headers)


def test_headers_of_two_lengths_are_stored_once() -> None:
    one, other = (
        pack_headers((("a", "b"), ("Content-Length", str(length))), length) for length in (5, 50)
    )
    assert one == other


@patient
@given(st.binary(max_size=2000) | st.binary(max_size=20).map(lambda data: data * 100))
def test_bytes_come_back(data: bytes) -> None:
    codec, stored = pack(data)
    assert len(stored) <= len(data)
    assert unpack(codec, len(data), stored) == data


def test_only_what_gets_smaller_is_compressed() -> None:
    assert pack(b"a" * 256)[0] == "plain"
    assert pack(b"a" * 257)[0] == "zlib"
    assert pack(bytes(range(256)) * 2 + b"x")[0] == "zlib"
    assert pack(bytes(range(256)) + b"x")[0] == "plain"


def test_a_small_file_does_not_become_a_huge_value() -> None:
    codec, stored = pack(b"\0" * 50_000_000)
    assert len(stored) < 500_000
    assert len(unpack(codec, 1000, stored)) == 1000


def test_json_keeps_what_it_can() -> None:
    assert load(dump({"a": ["\ud800", None, 1.5]})) == {"a": ["\ud800", None, 1.5]}
    assert load(dump({"when": {1, 2}.__class__})) == {"when": "<class 'set'>"}
