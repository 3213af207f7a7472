"""`remit call`: a request is signed and sent exactly so, its answer printed, and a refusal told in a sentence."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.living import Gateway
from tests.cli.shell import Ran
from tests.contract_cli.conftest import LEDGER, Desk

PAY = json.dumps({"amount": 5, "to": "bob"})
AS_A = ("--chain", "a.chain", "--key", "a.jwk")


def paid(remit: Desk, gateway: Gateway, *words: str, name: str = "a") -> Ran:
    return remit(
        "call", f"{gateway.url}/transfer", "--chain", f"{name}.chain", "--key", f"{name}.jwk", "-d", PAY, *words
    )  # fmt: skip


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers, one connection each, and what it was sent."""
    received: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def run() -> None:
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                received.append(head)
                connection.sendall(answer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", received
    finally:
        listener.close()
        thread.join(10)


def test_an_allowed_call_prints_the_body_and_nothing_else(remit: Desk, gateway: Gateway) -> None:
    remit.issue()
    ran = paid(remit, gateway)
    assert (ran.code, ran.out, ran.err) == (0, "{}", "")
    ran = remit("call", f"{gateway.url}/validate?to=bob%20a", *AS_A)
    assert ran.code == 1
    assert "not_allowed" in ran.err


def test_the_hundredth_and_first_is_refused_with_the_reason_and_the_contract_that_bound_it(
    remit: Desk, gateway: Gateway
) -> None:
    remit.issue("--limit", "transfers: 2 calls", "--ledger", LEDGER)
    remit.delegate()
    assert [paid(remit, gateway, name="b").code for _ in range(2)] == [0, 0]
    ran = paid(remit, gateway, name="b")
    assert ran.code == 1
    assert json.loads(ran.out)["reason"] == "contract_exhausted"
    assert ran.err.startswith("remit: refused (403 contract_exhausted), by contract 1 of the chain: `transfers` allows")
    why = remit.done("why", json.loads(ran.out)["decision"], "--policy", "policy.yaml")
    assert "orchestrator" in why.out
    assert "agent-b" in why.out


def test_an_argument_beyond_the_contract_is_refused(remit: Desk, gateway: Gateway) -> None:
    remit.issue(tool="payments.transfer(amount<=4, to)")
    ran = paid(remit, gateway)
    assert ran.code == 1
    assert "`amount` of `payments.transfer` is not what the contract allows" in ran.err


def test_a_thief_with_the_chain_and_no_key_gets_nothing(remit: Desk, gateway: Gateway) -> None:
    remit.issue()
    ran = remit("call", f"{gateway.url}/transfer", "--chain", "a.chain", "--key", "c.jwk", "-d", PAY)
    assert (ran.code, ran.out) == (2, "")
    assert "not the one that the contract was made for" in ran.err
    ran = remit("call", f"{gateway.url}/transfer", "--chain", "a.chain", "-d", PAY)
    assert "worth nothing without its holder's key" in ran.err
    ran = remit("call", f"{gateway.url}/transfer", "--api-key", "@a.chain", "-d", PAY)
    assert (ran.code, "401 invalid_credential" in ran.err) == (1, True)


def test_an_api_key_is_sent_as_it_is_or_signed_for_where_it_is_bound(remit: Desk, gateway: Gateway) -> None:
    key = remit.done("keys", "create", "--agent", "pay", "--tools", "payments.*", "--org", "acme").out.strip()
    (remit.folder / "key.txt").write_text(f"{key}\n")
    for given in (key, "@key.txt"):
        ran = remit("call", f"{gateway.url}/transfer", "--api-key", given, "-d", PAY)
        assert (ran.code, ran.out) == (0, "{}")
    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") as (url, received):
        assert remit("call", f"{url}/x", "--api-key", "@key.txt", "--key", "a.jwk").out == "ok"
    assert f"authorization: DPoP {key}\r\n".encode() in received[0]
    assert b"dpop: eyJ" in received[0]


def test_method_headers_and_body_are_sent_as_they_were_given(remit: Desk) -> None:
    remit.issue()
    (remit.folder / "body.json").write_text('{"a": 1}')
    fine = b"HTTP/1.1 204 No Content\r\n\r\n"
    with answering(fine, fine) as (url, received):
        words = ("-X", "put", "-H", "Idempotency-Key: 7", "-H", "content-type: text/plain", "-d", "@body.json")
        assert remit("call", f"{url}/a/%2e?x=%41&y", *AS_A, *words).code == 0
        assert remit("call", url, *AS_A).code == 0
    head, _, body = received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /a/%2e?x=%41&y HTTP/1.1\r\n")
    assert b"idempotency-key: 7" in head
    assert b"content-type: text/plain" in head
    assert body in (b"", b'{"a": 1}')
    assert received[1].startswith(b"GET / HTTP/1.1\r\n")
    assert b"content-length" not in received[1].lower()


def test_a_nonce_is_answered_once(remit: Desk) -> None:
    remit.issue()
    asks = (
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nDPoP-Nonce: n-1\r\n"
        b'WWW-Authenticate: DPoP error="use_dpop_nonce"\r\n\r\n'
    )
    with answering(asks, b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") as (url, received):
        assert remit("call", url, *AS_A).out == "ok"
    with answering(asks, asks) as (url, received):
        ran = remit("call", url, *AS_A)
        assert (ran.code, ran.err) == (1, "remit: the answer is 401\n")
        assert len(received) == 2


def test_the_status_and_the_headers_are_shown_where_they_are_asked_for(remit: Desk, gateway: Gateway) -> None:
    remit.issue()
    ran = paid(remit, gateway, "-i")
    assert ran.lines[0] == "HTTP/1.1 200 OK"
    assert "remit-decision: dec_" in ran.out.lower()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\nno", "the answer is 500"),
        (b"HTTP/1.1 302 Elsewhere\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n", "the answer is 302"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhalf", "broke off"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", "broke off"),
        (b"SSH-2.0-OpenSSH\r\n", "did not answer in HTTP"),
        (b"", "did not answer in HTTP"),
        (
            b"HTTP/1.1 403 No\r\ncontent-type: application/problem+json\r\ncontent-length: 12\r\n\r\n[[[[[[[[[[[[",
            "the answer is 403",
        ),
        (
            b'HTTP/1.1 403 No\r\ncontent-type: application/problem+json\r\ncontent-length: 38\r\n\r\n{"reason": 7, "detail": "x", "hop": 1}',
            "the answer is 403",
        ),
        (
            b'HTTP/1.1 403 No\r\ncontent-type: application/problem+json\r\n\r\n{"reason": "r\\u001b[2J", "detail": "d\\u0007"}',
            "refused (403 r<U+001B>[2J): d<U+0007>",
        ),
    ],
)
def test_an_answer_that_is_no_success_is_one_sentence_and_exit_code_1(remit: Desk, answer: bytes, said: str) -> None:
    remit.issue()
    with answering(answer) as (url, _):
        ran = remit("call", url, *AS_A)
    assert ran.code == 1
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert ran.err.replace("\n", "").isprintable()


def test_a_guard_that_is_not_there_is_one_sentence(remit: Desk) -> None:
    remit.issue()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    ran = remit("call", f"http://127.0.0.1:{port}/x", *AS_A)
    assert (ran.code, ran.out) == (1, "")
    assert f"`127.0.0.1:{port}` cannot be reached" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ftp://x/"], "is not a URL"),
        (["/transfer"], "is not a URL"),
        (["http://anna:pw@x.example/"], "is not a URL"),
        (["http://x.example:0/"], "is not a URL"),
        (["http://x.example:99999/"], "is not a URL"),
        (["http://[::1/"], "is not a URL"),
        (["http://x.example/\r\nX: y"], "escape what is no plain character"),
        (["http://x.example/é"], "escape what is no plain character"),
        (["http://x.example/", "-X", "GET /"], "is not a method"),
        (["http://x.example/", "-H", "no colon"], "is not a header"),
        (["http://x.example/", "-H", "a: b\r\nc: d"], "is not a header"),
        (["http://x.example/", "-H", "a b: c"], "is not a header"),
        (["http://x.example/", "-H", "Authorization: Bearer x"], "leave it out"),
        (["http://x.example/", "-H", "DPoP: x"], "leave it out"),
        (["http://x.example/", "-H", "Host: x"], "leave it out"),
        (["http://x.example/", "-H", "Transfer-Encoding: chunked"], "leave it out"),
        (["http://x.example/", "-H", "a: 1", "-H", "A: 2"], "leave it out"),
        (["http://x.example/", "-d", "@missing"], "cannot be read"),
        (["http://x.example/", "--session", "a\r\nb"], "id of a session"),
    ],
)
def test_what_would_be_another_request_than_it_seems_is_not_sent(remit: Desk, words: list[str], said: str) -> None:
    remit.issue()
    for credential in (AS_A, ("--api-key", "remit_k")):
        ran = remit("call", *words, *credential)
        assert (ran.code, ran.out) == (2, "")
        assert said in ran.err
        assert ran.err.count("\n") == 1


@pytest.mark.parametrize("key", ["", "two words", "a\r\nb: c", "ключ"])
def test_an_api_key_that_is_no_key_is_not_sent(remit: Desk, key: str) -> None:
    ran = remit("call", "http://127.0.0.1:1/", "--api-key", key)
    assert ran.code == 2
    assert "is no key" in ran.err


def test_a_call_needs_one_credential(remit: Desk) -> None:
    remit.issue()
    for words in ((), (*AS_A, "--api-key", "x")):
        assert "one of the two" in remit("call", "http://x.example/", *words).err
