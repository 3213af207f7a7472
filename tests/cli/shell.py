"""`remit` as a shell would run it, in this process; and a store with a past, made without a gateway."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from remit.cli import main
from remit.config.compile import load_policy_file
from remit.core.caller import Caller, CredentialKind
from remit.core.request import Request
from remit.engine.guard import Call, Engine
from remit.stores.clock import AnchoredClock, wall_us
from remit.stores.opening import SQLITE
from remit.stores.sqlite import SqliteStore

T = TypeVar("T")

POLICY = """\
version: 1
currency: USD
listen: 127.0.0.1:0
store: sqlite:///remit.db

upstreams:
  payments: {url: http://127.0.0.1:9000, timeout: 5s}

tools:
  payments.transfer:
    route: POST /transfer
    upstream: payments
    arguments: {to: body.to}
    target: to
    price: {hold: 0.35 USD, actual: header.x-cost}
  risk.validate: {route: POST /validate, upstream: payments, arguments: {to: body.to}, price: free}

limits:
  transfers: {quota: 3/hour, per: [agent, tool], tools: [payments.transfer]}
  org-money: {budget: 10 USD/day, per: org, timezone: Europe/Berlin}
"""

PAYER = Caller(
    kind=CredentialKind.API_KEY,
    id="k7f3q2mzb5x4ynpa",
    address="127.0.0.0/24",
    agent="pay",
    user="anna",
    org="acme",
    tools=("payments.*",),
)
TRANSFER = Request(tool="payments.transfer", target="bob", arguments={"to": "bob"}, method="POST", path="/transfer")


@dataclass(frozen=True, slots=True)
class Ran:
    """What one command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class Shell:
    """Runs commands and catches what they print."""

    def __init__(self, folder: Path, captured: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._captured = captured

    def __call__(self, *words: str) -> Ran:
        self._captured.readouterr()
        code = main(list(words))
        out, err = self._captured.readouterr()
        return Ran(code, out, err)

    def key(self, *words: str) -> str:
        """The id of a fresh key."""
        made = self("keys", "create", "--agent", "pay", "--tools", "payments.*", *words)
        assert made.code == 0, made.err
        return made.out.split("_")[1]


def with_engine(folder: Path, work: Callable[[Engine], Awaitable[T]]) -> T:
    """Do something with the store of `folder`'s policy, as a process that ends in order would; time stands still in it.

    Alike refusals of one second are counted together, so a test that counts records must not see a second end.
    """

    async def run() -> T:
        policy = load_policy_file(folder / "policy.yaml").policy
        started_us = wall_us()
        clock = AnchoredClock(boot=lambda: 0, wall=lambda: started_us)
        store = await SqliteStore.open(policy.store.removeprefix(SQLITE), clock=clock)
        try:
            return await work(Engine(store, policy))
        finally:
            await store.close()

    return asyncio.run(run())


async def admitted(engine: Engine, caller: Caller = PAYER, request: Request = TRANSFER) -> Call:
    """One allowed call, still to be settled."""
    call = await engine.admit(request, caller)
    assert isinstance(call, Call), call
    return call
