"""`kill -9` in the middle of load, a second start on the same data, and books that agree with the upstream's own.

The oracles are the upstream's ledger and what the clients were told; Remit's books have to agree with both, once the calls
whose outcome nobody knew are resolved by looking them up in the upstream's ledger, as an operator would.
"""

import asyncio
import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

HERE = Path(__file__).parent
POLICY = """
version: 1
currency: USD
store: sqlite:///remit.db
listen: 127.0.0.1:0
upstreams:
  api: {{url: "http://127.0.0.1:{port}"}}
tools:
  pay:
    route: POST /pay
    upstream: api
    arguments: {{amount: body.amount integer}}
    price: {{hold: 0.30 USD, actual: header.x-cost}}
limits:
  money: {{budget: 40 USD, per: org}}
  count: {{quota: 100000, per: agent}}
  at-once: {{concurrent: 64, per: key}}
"""


@contextmanager
def upstream(ledger: Path) -> Iterator[int]:
    command = [sys.executable, str(HERE / "upstream.py"), str(ledger)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


class Gateway:
    """The real gateway in its own process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "remit", "gateway", "policy.yaml"]
        self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "listening on" in line, self.process.stderr.read() if self.process.stderr else ""
        self.url = line.split("listening on ")[1].split()[0]

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        self.process.communicate(timeout=60)
        return self.process.returncode


def remit(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "remit", *arguments]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


async def load(url: str, key: str, *, until: asyncio.Event, told: dict[str, int]) -> None:
    """One client: calls until it is told to stop, and writes down what it was told of each call."""
    async with httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=10) as client:
        while not until.is_set():
            with suppress(httpx.TransportError, KeyError):
                answer = await client.post("/pay", json={"amount": random.randrange(10**6)})
                told[answer.headers["remit-decision"]] = answer.status_code


async def hurt(gateway: Gateway, key: str, told: dict[str, int], how: signal.Signals, after_s: float) -> None:
    stop = asyncio.Event()
    clients = [asyncio.create_task(load(gateway.url, key, until=stop, told=told)) for _ in range(8)]
    await asyncio.sleep(after_s)
    await asyncio.to_thread(gateway.end, how)
    stop.set()
    await asyncio.gather(*clients)


def cells(folder: Path) -> dict[str, dict[str, Any]]:
    rows = json.loads(remit(folder, "limits", "--json"))
    found: list[dict[str, Any]] = rows["cells"] if isinstance(rows, dict) else rows
    return {row["limit"]: row for row in found}


def resolve_by_the_upstreams_ledger(folder: Path, moved: dict[str, int]) -> int:
    """What an operator does with the calls whose outcome nobody knows."""
    holds = json.loads(remit(folder, "holds", "--json"))
    rows = holds["holds"] if isinstance(holds, dict) else holds
    for hold in rows:
        assert hold["state"] == "assumed_spent"
        cost = moved.get(hold["id"])
        how = ("--released",) if cost is None else ("--spent", f"{cost / 1_000_000:.6f} USD")
        remit(folder, "holds", "resolve", hold["id"], *how)
    return len(rows)


@pytest.mark.timeout(180)
async def test_after_kill_nine_under_load_the_books_agree_with_the_upstream(tmp_path: Path) -> None:
    ledger, told = tmp_path / "moved.jsonl", dict[str, int]()
    with upstream(ledger) as port:
        (tmp_path / "policy.yaml").write_text(POLICY.format(port=port))
        gateway = Gateway(tmp_path)
        created = await asyncio.to_thread(
            remit, tmp_path, "keys", "create", "--agent", "loop", "--org", "acme", "--tools", "*"
        )
        key = created.strip()
        for how in (signal.SIGKILL, signal.SIGKILL, signal.SIGINT):
            await hurt(gateway, key, told, how, 0.6 + random.random() / 2)
            gateway = Gateway(tmp_path)
        gateway.end(signal.SIGTERM)
        moved = {row["decision"]: row["cost_micros"] for row in map(json.loads, ledger.read_text().splitlines())}
        assert len(moved) == len(ledger.read_text().splitlines()), "one decision was dispatched twice"
        resolve_by_the_upstreams_ledger(tmp_path, moved)
    books = cells(tmp_path)
    assert sum(moved.values()) <= 40_000_000
    assert books["money"]["used"] == sum(moved.values())
    assert books["money"]["held"] == books["count"]["held"] == 0
    assert books["count"]["used"] == len(moved)
    assert {id_ for id_, status in told.items() if status == 200} <= set(moved)
    assert not {id_ for id_, status in told.items() if status in (403, 429)} & set(moved)
    assert "ok" in remit(tmp_path, "audit", "verify")
