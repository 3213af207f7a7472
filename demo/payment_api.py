"""The service behind the gateway: it moves money, checks payees, sells documents, and keeps books of its own.

A process of its own that knows nothing of limits: whatever reaches it happens. Each transfer, refund and document is one
JSON line in its books, flushed before the answer leaves, so that counting those lines says what really happened. For a
payee under review `/validate` answers `retry` and never says why: that is the error which makes an agent loop.
"""

import argparse
import asyncio
import json
import re
import signal
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from demo.cast import UNDER_REVIEW

HOST = "127.0.0.1"
MAX_HEAD_BYTES = 16 * 1024
MAX_BODY_BYTES = 64 * 1024
MAX_AMOUNT = Decimal(1_000_000)
IDLE_S = 60.0
WORK_S = 0.02  # a payment takes a moment; meanwhile other calls are in flight
ACCOUNT = re.compile(r"[a-z0-9-]{1,40}")
PRICES = {"transfers": "0.35", "refunds": "0.10", "reports": "1.58"}
BOOKS = {"transfers": "payments.jsonl", "refunds": "refunds.jsonl", "reports": "reports.jsonl"}
PHRASES = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. Header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; `cost` becomes the header `x-cost`."""

    status: int
    members: dict[str, Any]
    cost: str = ""


class Refused(Exception):
    """The request makes no sense; the text says why."""


class Book:
    """One ledger: appended to, a line for each thing that happened, flushed at once."""

    def __init__(self, path: Path) -> None:
        with path.open("a+", encoding="utf-8") as earlier:
            earlier.seek(0)
            self._lines = sum(1 for _ in earlier)
        self._file = path.open("a", encoding="utf-8")

    def write(self, asked: Asked, **members: Any) -> int:
        """Write one line and return its number. Who asked, and by which decision, is what the gateway told us."""
        self._lines += 1
        line = {"line": self._lines, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **members}
        line |= {"agent": asked.headers.get("remit-agent", ""), "decision": asked.headers.get("remit-decision", "")}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        return self._lines

    def close(self) -> None:
        self._file.close()


class PaymentApi:
    """The service: routes, prices, and a book for each thing that costs money."""

    def __init__(self, folder: Path) -> None:
        self.books = {kind: Book(folder / name) for kind, name in BOOKS.items()}

    async def answer(self, asked: Asked) -> Answer:
        match asked.method, asked.path.split("/")[1:]:
            case "POST", ["transfer"]:
                return await self._pay("transfers", asked)
            case "POST", ["refunds"]:
                return await self._pay("refunds", asked)
            case "POST", ["validate"]:
                _, to = read_payment(asked.body)
                return Answer(200, {"verdict": "retry" if to == UNDER_REVIEW else "ok"})
            case "POST", ["reports", id]:
                await asyncio.sleep(WORK_S)
                line = self.books["reports"].write(asked, report=id, cost=PRICES["reports"])
                return Answer(200, {"report": id, "pages": 40, "delivery": line}, PRICES["reports"])
            case "GET", ["jobs", id]:
                return Answer(200, {"job": id, "state": "running"})
            case _:
                return Answer(404, {"error": "there is nothing here"})

    async def _pay(self, kind: str, asked: Asked) -> Answer:
        amount, to = read_payment(asked.body)
        await asyncio.sleep(WORK_S)
        line = self.books[kind].write(asked, amount=str(amount), currency="USD", to=to, cost=PRICES[kind])
        return Answer(201, {"id": f"{kind[:2]}_{line}", "state": "sent"}, PRICES[kind])


def read_payment(body: bytes) -> tuple[Decimal, str]:
    """The amount in USD and the payee. Raises `Refused`."""
    try:
        members = json.loads(body, parse_float=Decimal, parse_int=Decimal)
        amount, currency, to = members["amount"], members["currency"], members["to"]
        well_formed = isinstance(amount, Decimal) and 0 < amount <= MAX_AMOUNT and amount == round(amount, 2)
    except (ValueError, TypeError, KeyError, InvalidOperation):
        raise Refused("send a JSON object of `amount`, `currency` and `to`") from None
    if not well_formed or currency != "USD" or not isinstance(to, str) or not ACCOUNT.fullmatch(to):
        raise Refused("`amount` is US dollars and cents, `currency` is USD, `to` is an account")
    return amount.quantize(Decimal("0.01")), to


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """The next request of a connection, None where it ends. Raises `Refused` for what is no request of ours."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), IDLE_S)
    except (asyncio.IncompleteReadError, TimeoutError):
        return None
    except asyncio.LimitOverrunError:
        raise Refused("the head is too long") from None
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    words = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "0")
    if len(words) != 3 or not length.isdecimal() or int(length) > MAX_BODY_BYTES or "transfer-encoding" in headers:
        raise Refused("send a request with a Content-Length of at most 64 KiB")
    try:
        body = await asyncio.wait_for(reader.readexactly(int(length)), IDLE_S)
    except (asyncio.IncompleteReadError, TimeoutError):
        return None
    return Asked(method=words[0], path=words[1].partition("?")[0], headers=headers, body=body)


def render(answer: Answer, *, close: bool = False) -> bytes:
    body = json.dumps(answer.members).encode() + b"\n"
    head = [f"HTTP/1.1 {answer.status} {PHRASES[answer.status]}", "content-type: application/json"]
    head += [f"content-length: {len(body)}", *([f"x-cost: {answer.cost}"] if answer.cost else [])]
    head += ["connection: close"] if close else []
    return "\r\n".join([*head, "", ""]).encode() + body


async def serve_connection(api: PaymentApi, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while (asked := await read_request(reader)) is not None:
            try:
                answer = await api.answer(asked)
            except Refused as no:
                answer = Answer(400, {"error": str(no)})
            writer.write(render(answer))
            await writer.drain()
    except Refused as no:
        writer.write(render(Answer(400, {"error": str(no)}), close=True))
    except ConnectionError:
        pass
    finally:
        writer.close()


async def run(folder: Path, port: int) -> None:
    """Serve until SIGTERM. Says on standard output where it listens."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    api = PaymentApi(folder)
    server = await asyncio.start_server(
        lambda reader, writer: serve_connection(api, reader, writer), HOST, port, limit=MAX_HEAD_BYTES
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await stop.wait()
    server.close()
    for book in api.books.values():
        book.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.payment_api", description="the demo's payment API")
    parser.add_argument("folder", type=Path, help="where its books are kept")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    options = parser.parse_args()
    asyncio.run(run(options.folder, options.port))


if __name__ == "__main__":
    main()
