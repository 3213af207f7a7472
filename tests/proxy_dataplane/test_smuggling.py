"""No stream of bytes is ever two different streams of requests: what we accept, a second strict parser reads alike."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.proxy_dataplane import smuggling
from tests.proxy_dataplane.wires import BRISK, Recorder, Seen, by_llhttp, converse, listening, statuses

SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
AT_ONCE = 16
FAMILIES = [
    smuggling.framing_mutations,
    smuggling.line_end_mutations,
    smuggling.byte_mutations,
    smuggling.chunk_mutations,
    smuggling.request_mutations,
]


def as_llhttp_likes_it(stream: bytes) -> bytes:
    """Our two departures from llhttp: a tab around a value is white space (RFC 9110 §5.6.3), and any trailer is dropped."""
    return stream.replace(b"chunked\t\r", b"chunked \r").replace(b"\r\n0\r\nContent-Length: 9\r\n", b"\r\n0\r\n")


@pytest.mark.parametrize("family", FAMILIES)
async def test_no_mutation_makes_a_request_that_another_parser_does_not_see(
    family: Callable[[], Iterator[bytes]],
) -> None:
    streams = [stream + SENTINEL for stream in dict.fromkeys(family())]
    problems: list[str] = []
    answered: set[int] = set()

    async def check(stream: bytes) -> None:
        recorder = Recorder()
        async with listening(recorder, BRISK) as on:
            received = await converse(on.address, stream)
            answered.update(statuses(received))
        expected = by_llhttp(as_llhttp_likes_it(stream))
        if recorder.seen != expected[: len(recorder.seen)]:
            problems.append(f"{stream!r} was read as {recorder.seen!r}, by llhttp as {expected!r}")
        if 500 in statuses(received) or len(statuses(received)) > len(recorder.seen) + 1:
            problems.append(f"{stream!r} was answered {received!r}")

    for start in range(0, len(streams), AT_ONCE):
        await asyncio.gather(*map(check, streams[start : start + AT_ONCE]))
    assert not problems, "\n".join(problems[:20])
    assert {200, 400} <= answered


# One of each kind: accepted, refused in the head, refused in the body, and left waiting.
DELIVERED = [
    b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX: y\r\nZ: \r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloo\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX : y\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    b"GET /a HTTP/1.1\nHost: x\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: x\r\n y\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: x\r\nX: \ry\r\n\r\n",
    b"GET /a HTTP/2.0\r\nHost: x\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nhello",
]


# Only the last of them waits for it; the others must not meet it, however busy the machine is.
PATIENT = replace(BRISK, header_us=1_000_000, body_us=1_000_000)


@pytest.mark.parametrize("stream", DELIVERED)
async def test_how_the_bytes_are_cut_into_packets_changes_nothing(stream: bytes) -> None:
    async def outcome(pieces: int | None) -> tuple[list[Seen], list[int]]:
        recorder = Recorder()
        async with listening(recorder, PATIENT) as on:
            received = await converse(on.address, stream + SENTINEL * (b"50" not in stream), pieces=pieces)
        return recorder.seen, statuses(received)

    whole = await outcome(None)
    cuts = await asyncio.gather(*map(outcome, range(1, len(stream))))
    assert [cut for cut in cuts if cut != whole] == []


def test_the_mutations_are_many_and_differ() -> None:
    assert len(smuggling.mutations()) > 2500
