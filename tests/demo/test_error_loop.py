"""The error loop: signs every request, reads its answers properly, counts them, and says so when it cannot go on."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from demo.holder import CHAINS
from demo.loop import BODY, Answer, Counts, GaveUp, Looper, read_answer, run
from remit.contracts import HttpCall, HttpProof, credential_hash, read_unverified_chain, verify_dpop
from tests.demo.holding import holder, some_holder

RETRY = b'HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"verdict": "retry"}'
CLEAR = b'HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n{"verdict": "ok"}'
KEPT = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}"
ORIGIN = "http://127.0.0.1:1"
PAID = b"HTTP/1.1 201 Created\r\nx-cost: 0.35\r\ncontent-length: 2\r\n\r\n{}"


def refusal(reason: str = "contract_exhausted", *, decision: str = "dec_1", terminal: bool = True) -> bytes:
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


def headers_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")[1:]
    return {name: value for name, _, value in (line.partition(": ") for line in lines)}


def proved(request: bytes, chain: str, path: str, body: bytes) -> HttpProof:
    """What a guard finds in a request: its proof, checked for the chain. Raises `ProofError`."""
    call = HttpCall(method="POST", origin=ORIGIN, path=path, body=body)
    thumbprint = read_unverified_chain(chain).leaf_key.thumbprint
    return verify_dpop(
        [headers_of(request)["dpop"]], call, ath=credential_hash(chain), thumbprint=thumbprint,
        now_us=time.time_ns() // 1000, must_bind_request=True,
    )  # fmt: skip


def test_a_request_is_whole_and_has_a_proof_of_its_own() -> None:
    mine = holder()
    chain = mine.upload(ORIGIN).partition(b"\r\n\r\n")[2].decode()
    proofs = set()
    for _ in range(3):
        request = mine.post(ORIGIN, "/transfer", BODY)
        assert request.partition(b"\r\n\r\n")[2] == BODY
        assert headers_of(request)["content-length"] == str(len(BODY))
        proofs.add(proved(request, chain, "/transfer", BODY).jti)
    assert len(proofs) == 3
    assert json.loads(BODY) == {"amount": 25.0, "currency": "USD", "to": "acct-7731"}


def test_a_chain_is_carried_until_it_is_kept_and_named_from_then_on() -> None:
    mine = holder()
    upload = mine.upload(ORIGIN)
    chain = upload.partition(b"\r\n\r\n")[2]
    proved(upload, chain.decode(), CHAINS, chain)
    assert headers_of(mine.post(ORIGIN, "/transfer", BODY))["authorization"] == f"DPoP {chain.decode()}"
    mine.is_kept = True
    request = mine.post(ORIGIN, "/transfer", BODY)
    assert headers_of(request)["authorization"].startswith("DPoP chn_")
    assert len(request) < len(chain) + len(BODY) + 500
    proved(request, chain.decode(), "/transfer", BODY)


def test_a_contract_is_handed_on_to_a_new_key_without_asking_anybody() -> None:
    first = holder("risk-check")
    chains = [each.upload(ORIGIN).partition(b"\r\n\r\n")[2].decode() for each in (first, first.delegate("helper"))]
    links = read_unverified_chain(chains[1]).unverified.links
    assert chains[1].startswith(chains[0] + "~")
    assert [link.agent for link in links] == ["risk-check", "helper"]
    assert links[0].holder != links[1].holder


async def test_answers_are_counted_by_what_they_say() -> None:
    looper = Looper(9, origin=ORIGIN, holder=some_holder())
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
    assert counts.refused == {"contract_exhausted": 2, "rate_limited": 1, "status 502": 1}
    assert counts.first_refused == "dec_3"


def test_counts_survive_the_way_to_the_stage() -> None:
    counts = Counts(attempts=3, admitted=1, first_refused="dec_1")
    counts.refused["contract_exhausted"] = 2
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


async def loop(port: int, *, attempts: int, connections: int, fresh_every: int = 0) -> None:
    origin = f"http://127.0.0.1:{port}"
    looper = Looper(attempts, origin=origin, holder=holder(), fresh_every=fresh_every)
    await run(looper, host="127.0.0.1", port=port, connections=connections)


def limited(head: bytes, _: int) -> bytes:
    """A gateway whose limit is used up."""
    if head.startswith(b"POST /validate "):
        return RETRY
    return KEPT if head.startswith(b"POST " + CHAINS.encode()) else refusal()


async def test_every_attempt_is_made_once_over_all_connections(capsys: pytest.CaptureFixture[str]) -> None:
    async with gateway(limited) as port:
        await loop(port, attempts=50, connections=4)
    counts = last_counts(capsys)
    assert (counts.attempts, counts.validated, counts.failed) == (50, 4, 0)
    assert counts.refused == {"contract_exhausted": 50}


async def test_one_key_uploads_its_chain_once_and_signs_every_request(capsys: pytest.CaptureFixture[str]) -> None:
    heads: list[bytes] = []

    def reply(head: bytes, number: int) -> bytes:
        heads.append(head)
        return limited(head, number)

    async with gateway(reply) as port:
        await loop(port, attempts=20, connections=4)
    counts = last_counts(capsys)
    assert (counts.uploaded, counts.keys, counts.proofs) == (1, 1, 25)
    assert len({headers_of(head)["dpop"] for head in heads}) == len(heads) == 25


async def test_fresh_keys_take_turns(capsys: pytest.CaptureFixture[str]) -> None:
    names: list[str] = []

    def reply(head: bytes, number: int) -> bytes:
        if head.startswith(b"POST /transfer "):
            names.append(headers_of(head)["authorization"])
        return limited(head, number)

    async with gateway(reply) as port:
        await loop(port, attempts=40, connections=1, fresh_every=10)
    counts = last_counts(capsys)
    assert (counts.attempts, counts.keys, counts.uploaded) == (40, 4, 4)
    assert [names.count(name) for name in dict.fromkeys(names)] == [10, 10, 10, 10]


async def test_fewer_attempts_than_connections_are_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    async with gateway(lambda head, _: PAID if b"/transfer" in head else limited(head, 0)) as port:
        await loop(port, attempts=1, connections=4)
    assert last_counts(capsys).admitted == 1


async def test_a_loop_that_is_not_told_to_retry_says_so() -> None:
    async with gateway(lambda head, _: KEPT if CHAINS.encode() in head else CLEAR) as port:
        with pytest.raises(GaveUp, match="instead of `retry`"):
            await loop(port, attempts=5, connections=1)


async def test_a_loop_whose_chain_is_not_kept_says_so() -> None:
    async with gateway(lambda *_: refusal("invalid_credential")) as port:
        with pytest.raises(GaveUp, match="the chain was not kept: 429"):
            await loop(port, attempts=5, connections=3)


async def test_a_connection_that_is_lost_in_a_call_ends_the_loop() -> None:
    async with gateway(lambda head, number: limited(head, number) if number < 3 else None) as port:
        with pytest.raises(GaveUp, match="in the middle of a call"):
            await loop(port, attempts=5, connections=1)
