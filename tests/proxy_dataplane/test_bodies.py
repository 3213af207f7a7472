"""Where a body ends does not depend on how its bytes were cut into reads, for any body and any cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from remit.entrypoints.proxy.bodies import BodyReader, ChunkedBody, SizedBody
from tests.proxy_dataplane.wires import by_llhttp

PAYLOAD = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def encoded(chunks: list[bytes], trailers: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n" + trailers + b"\r\n"


def fed(reader: BodyReader, stream: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """What the reader returns, and what it leaves, when the stream comes cut at these places."""
    payload = b""
    places = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        if reader.complete:
            return payload, reader.rest + stream[start:]
        payload += reader.feed(stream[start:end])
    return payload, reader.rest


@given(
    PAYLOAD,
    st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC:\r\n"]),
    st.binary(max_size=20),
    st.lists(st.integers(0, 500)),
)
def test_a_chunked_body_is_the_same_however_it_is_cut(
    chunks: list[bytes], trailers: bytes, behind: bytes, cuts: list[int]
) -> None:
    stream = encoded(chunks, trailers)
    for lenient in (False, True):
        reader = ChunkedBody(lenient=lenient)
        assert fed(reader, stream + behind, cuts) == (b"".join(chunks), behind)
        assert reader.complete
        assert reader.announced == len(b"".join(chunks))
    (seen,) = by_llhttp(HEAD + stream)
    assert seen.body == b"".join(chunks)


@given(st.binary(min_size=1, max_size=60), st.binary(max_size=20), st.lists(st.integers(0, 100)))
def test_a_sized_body_is_the_same_however_it_is_cut(payload: bytes, behind: bytes, cuts: list[int]) -> None:
    reader = SizedBody(len(payload))
    assert fed(reader, payload + behind, cuts) == (payload, behind)
    assert reader.complete
