"""The payment API: what it says has happened is in its books, and nothing else is."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.cast import UNDER_REVIEW
from demo.client import Client
from demo.payment_api import MAX_HEAD_BYTES, PaymentApi, serve_connection

PAYMENT = {"amount": 25.5, "currency": "USD", "to": "acct-2001"}


@asynccontextmanager
async def service(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """The API, listening."""
    api = PaymentApi(folder)
    server = await asyncio.start_server(
        lambda reader, writer: serve_connection(api, reader, writer), "127.0.0.1", 0, limit=MAX_HEAD_BYTES
    )
    async with server:
        yield server.sockets[0].getsockname()[:2]
    for book in api.books.values():
        book.close()


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def test_a_transfer_is_in_the_book_before_its_answer(tmp_path: Path) -> None:
    async with service(tmp_path) as address:
        with Client(address) as client:
            headers = {"remit-agent": "risk-check", "remit-decision": "dec_1"}
            reply = await client.call("POST", "/transfer", PAYMENT, headers)
            [line] = lines(tmp_path / "payments.jsonl")
    assert (reply.status, reply.headers["x-cost"]) == (201, "0.35")
    assert line["amount"] == "25.50"
    assert (line["agent"], line["decision"], line["cost"]) == ("risk-check", "dec_1", "0.35")


@pytest.mark.parametrize(
    "changed",
    [{"amount": 0}, {"amount": -1}, {"amount": 0.001}, {"amount": 10**9}, {"amount": "25"}, {"amount": True},
     {"currency": "EUR"}, {"to": ""}, {"to": 7}, {"to": "A b"}],
)  # fmt: skip
async def test_what_is_no_payment_moves_nothing(tmp_path: Path, changed: dict[str, Any]) -> None:
    async with service(tmp_path) as address:
        with Client(address) as client:
            assert (await client.call("POST", "/transfer", PAYMENT | changed)).status == 400
            assert (await client.call("POST", "/refunds", PAYMENT | changed)).status == 400
    assert lines(tmp_path / "payments.jsonl") == lines(tmp_path / "refunds.jsonl") == []


async def test_only_the_payee_under_review_is_never_cleared(tmp_path: Path) -> None:
    async with service(tmp_path) as address:
        with Client(address) as client:
            verdicts = [
                (await client.call("POST", "/validate", PAYMENT | {"to": to})).members["verdict"]
                for to in (UNDER_REVIEW, "acct-2001", UNDER_REVIEW)
            ]
    assert verdicts == ["retry", "ok", "retry"]


async def test_documents_and_refunds_have_books_of_their_own(tmp_path: Path) -> None:
    async with service(tmp_path) as address:
        with Client(address) as client:
            assert (await client.call("POST", "/reports/7")).headers["x-cost"] == "1.58"
            assert (await client.call("POST", "/refunds", PAYMENT)).status == 201
            assert (await client.call("GET", "/jobs/7")).members == {"job": "7", "state": "running"}
            assert (await client.call("GET", "/elsewhere")).status == 404
    assert [line["report"] for line in lines(tmp_path / "reports.jsonl")] == ["7"]
    assert len(lines(tmp_path / "refunds.jsonl")) == 1
    assert lines(tmp_path / "payments.jsonl") == []


async def test_the_lines_are_counted_on_after_a_second_start(tmp_path: Path) -> None:
    for _ in range(2):
        async with service(tmp_path) as address:
            with Client(address) as client:
                await client.call("POST", "/transfer", PAYMENT)
    assert [line["line"] for line in lines(tmp_path / "payments.jsonl")] == [1, 2]


@pytest.mark.parametrize(
    "request_bytes",
    [b"spam\r\n\r\n", b"POST /transfer HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n",
     b"POST /transfer HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"x" * 2 * MAX_HEAD_BYTES],
)  # fmt: skip
async def test_what_is_no_request_is_answered_and_hung_up_on(tmp_path: Path, request_bytes: bytes) -> None:
    async with service(tmp_path) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(request_bytes)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
        writer.close()
