"""The error loop: reads its answers properly, counts them, and says so when it cannot go on."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from demo.loop import Answer, Counts, GaveUp, Looper, read_answer, request_bytes, run

RETRY = b'HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"verdict": "retry"}'
CLEAR = b'HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"verdict": "ok"}'
PAID = b"HTTP/1.1 201 Created\r\nx-cost: 0.35\r\ncontent-length: 2\r\n\r\n{}"


def refusal(reason: str = "quota_exhausted", *, decision: str = "dec_1", terminal: bool = True) -> bytes:
    body = json.dumps({"status": 429, "reason": reason, "decision": decision}).encode()
    stop = b"X-Should-Retry: false\r\n" if terminal else b""
    head = b"HTTP/1.1 429 Too Many Requests\r\nRemit-Decision: %b\r\n%bContent-Length: %d\r\n\r\n"
    return head % (decision.encode(), stop, len(body)) + body


def answer(data: bytes) -> Answer:
    found = read_answer(data)
    assert found is not None
    return found


@pytest.mark.parametrize("whole", [RETRY, PAID, refusal()])
def test_an_answer_is_read_only_once_it_is_complete(whole: bytes) -> None:
    assert [read_answer(whole[:end]) for end in range(len(whole))] == [None] * len(whole)
    assert answer(whole).body == whole.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "data", [PAID + b"x", PAID + PAID, b"HTTP/1.1 200 OK\r\n\r\n", b"SPAM\r\ncontent-length: 0\r\n\r\n"]
)
def test_what_cannot_be_one_answer_ends_the_loop(data: bytes) -> None:
    with pytest.raises(GaveUp):
        read_answer(data)


def test_the_request_is_whole_and_states_its_length() -> None:
    head, _, body = request_bytes("/transfer", host="127.0.0.1:1", key="remit_x_y").partition(b"\r\n\r\n")
    assert json.loads(body) == {"amount": 25.0, "currency": "USD", "to": "acct-7731"}
    assert f"content-length: {len(body)}".encode() in head
    assert b"authorization: Bearer remit_x_y" in head


async def test_answers_are_counted_by_what_they_say() -> None:
    looper = Looper(9, host="h", key="k")
    for data in (
        PAID,
        refusal(decision="dec_9"),
        refusal(decision="dec_3"),
        refusal("rate_limited", decision="dec_5", terminal=False),
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
    ):
        looper.take_note(answer(data))
    counts = looper.counts
    assert (counts.attempts, counts.admitted, counts.told_to_stop) == (5, 1, 2)
    assert counts.refused == {"quota_exhausted": 2, "rate_limited": 1, "status 502": 1}
    assert counts.first_refused == "dec_3"


def test_counts_survive_the_way_to_the_stage() -> None:
    counts = Counts(attempts=3, admitted=1, first_refused="dec_1")
    counts.refused["quota_exhausted"] = 2
    assert Counts.from_json(counts.as_json()) == counts


@asynccontextmanager
async def gateway(reply: Callable[[bytes, int], bytes | None]) -> AsyncIterator[int]:
    """A server that answers request number n on all its connections with `reply(request, n)`; None hangs up."""
    seen = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
                seen += 1
                if (said := reply(head, seen)) is None:
                    break
                writer.write(said)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def last_counts(capsys: pytest.CaptureFixture[str]) -> Counts:
    return Counts.from_json(capsys.readouterr().out.splitlines()[-1])


async def test_every_attempt_is_made_once_over_all_connections(capsys: pytest.CaptureFixture[str]) -> None:
    def reply(head: bytes, _: int) -> bytes:
        return RETRY if head.startswith(b"POST /validate ") else refusal()

    async with gateway(reply) as port:
        await run(host="127.0.0.1", port=port, key="k", attempts=50, connections=4)
    counts = last_counts(capsys)
    assert (counts.attempts, counts.validated, counts.failed) == (50, 4, 0)
    assert counts.refused == {"quota_exhausted": 50}


async def test_fewer_attempts_than_connections_are_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    async with gateway(lambda head, _: RETRY if b"/validate" in head else PAID) as port:
        await run(host="127.0.0.1", port=port, key="k", attempts=1, connections=4)
    assert last_counts(capsys).admitted == 1


async def test_a_loop_that_is_not_told_to_retry_says_so() -> None:
    async with gateway(lambda *_: CLEAR) as port:
        with pytest.raises(GaveUp, match="instead of `retry`"):
            await run(host="127.0.0.1", port=port, key="k", attempts=5, connections=1)


async def test_a_connection_that_is_lost_in_a_call_ends_the_loop() -> None:
    async with gateway(lambda _, number: RETRY if number == 1 else None) as port:
        with pytest.raises(GaveUp, match="in the middle of a call"):
            await run(host="127.0.0.1", port=port, key="k", attempts=5, connections=1)
