"""`remit revoke`: at once, for good, with everything below; and what the guard's operator can ask about it."""

import asyncio
import json
from pathlib import Path

import pytest

from remit.core.policy import Policy
from remit.engine.contract_operator import contract_commands
from remit.engine.guard import Engine
from remit.errors import UsageError
from remit.stores.memory import MemoryStore
from tests.cli.living import Gateway
from tests.contract_cli.conftest import Desk

BODY = json.dumps({"amount": 5, "to": "bob"})


def call(remit: Desk, gateway: Gateway, name: str) -> str:
    """What comes of a call by somebody: `ok`, or the reason why not."""
    ran = remit("call", f"{gateway.url}/transfer", "--chain", f"{name}.chain", "--key", f"{name}.jwk", "-d", BODY)
    assert ran.code in (0, 1), ran.err
    reason: str = "ok" if ran.code == 0 else json.loads(ran.out)["reason"]
    return reason


@pytest.fixture
def chain(remit: Desk) -> Desk:
    remit.issue()
    remit.delegate()
    remit.delegate(above="b", to="c")
    return remit


def test_revoking_a_contract_ends_it_and_everything_below_it_and_nothing_above(chain: Desk, gateway: Gateway) -> None:
    assert [call(chain, gateway, name) for name in "abc"] == ["ok"] * 3
    ran = chain.done("revoke", "--chain", "b.chain", "--policy", "policy.yaml", "--reason", "laptop lost")
    assert ran.out.startswith("contract 2 of the chain, for agent-b, is revoked: no call under it")
    assert [call(chain, gateway, name) for name in "abc"] == ["ok", "revoked", "revoked"]
    links = chain.links("c", "--policy", "policy.yaml")
    assert [link["revoked"] for link in links] == [False, True, True]
    assert chain.done("inspect", "c.chain", "--policy", "policy.yaml").out.count("REVOKED") == 2
    assert "laptop lost" in chain.done("audit", "tail").out


def test_a_link_above_can_be_meant_by_its_number(chain: Desk, gateway: Gateway) -> None:
    ran = chain.done("revoke", "--chain", "c.chain", "--link", "0", "--policy", "policy.yaml")
    assert "contract 1 of the chain, for orchestrator," in ran.out
    assert [call(chain, gateway, name) for name in "abc"] == ["revoked"] * 3


def test_revoking_a_lineage_is_the_same_without_the_file(chain: Desk, gateway: Gateway) -> None:
    lineage = chain.links("c")[2]["lineage"]
    chain.done("revoke", "--lineage", lineage, "--policy", "policy.yaml")
    assert [call(chain, gateway, name) for name in "abc"] == ["ok", "ok", "revoked"]


def test_revoking_a_holder_ends_all_that_its_key_holds_also_what_it_gets_later(chain: Desk, gateway: Gateway) -> None:
    ran = chain.done("revoke", "--holder", chain.holder("b"), "--policy", "policy.yaml")
    assert (
        ran.out
        == f"the key {chain.holder('b')} is revoked: no call under a contract that it holds, or handed on, passes from now on\n"
    )
    (chain.folder / "b.chain").unlink()
    chain.issue(output="other.chain")
    assert chain.delegate().code == 0
    assert [call(chain, gateway, name) for name in "abc"] == ["ok", "revoked", "revoked"]
    assert [link["revoked"] for link in chain.links("c", "--policy", "policy.yaml")] == [False, True, True]


def test_revoking_twice_is_said_and_recorded_once(chain: Desk) -> None:
    chain.done("keys", "create", "--agent", "x", "--tools", "risk.validate")
    for said in ("is revoked", "was revoked already"):
        assert said in chain.done("revoke", "--chain", "a.chain", "--policy", "policy.yaml").out
    assert chain.done("audit", "tail").out.count("revoked lineage") == 1


def test_a_contract_that_has_expired_or_is_of_nobody_we_trust_can_be_revoked(
    chain: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain.done("keys", "create", "--agent", "x", "--tools", "risk.validate")
    monkeypatch.setattr("remit.stores.clock.wall_us", lambda: 4_000_000_000_000_000)
    assert chain("revoke", "--chain", "a.chain", "--store", "sqlite:///remit.db").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--lineage", "x"], "is not a lineage"),
        (["--lineage", "A" * 42], "is not a lineage"),
        (["--lineage", "A" * 42 + "B"], "is not a lineage"),
        (["--lineage", "A" * 44], "is not a lineage"),
        (["--holder", "é" * 43], "is not a thumbprint"),
        (["--holder", "\x1b[2J"], "is not a thumbprint"),
        (["--chain", "c.chain", "--link", "3"], "has no link 3"),
        (["--chain", "c.chain", "--link", "-1"], "--link"),
        (["--chain", "c.chain", "--link", "one"], "is no link"),
        (["--chain", "missing"], "no such file"),
        (["--holder", "A" * 43, "--link", "1"], "add `--chain FILE`"),
        (["--chain", "c.chain", "--holder", "A" * 43], "not allowed with"),
        ([], "is required"),
    ],
)
def test_what_names_no_contract_revokes_nothing(chain: Desk, words: list[str], said: str) -> None:
    chain.done("keys", "create", "--agent", "x", "--tools", "risk.validate")
    ran = chain("revoke", *words, "--policy", "policy.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert all(char.isprintable() or char == "\n" for char in ran.err)
    assert "revoked" not in chain.done("audit", "tail").out


def test_there_is_nothing_to_revoke_in_where_there_is_no_store(chain: Desk) -> None:
    ran = chain("revoke", "--chain", "a.chain", "--policy", "policy.yaml")
    assert (ran.code, "there is no store" in ran.err) == (2, True)
    assert not Path("remit.db").exists()


def test_the_operators_commands_take_what_the_socket_brings_strictly() -> None:
    async def run() -> None:
        store = MemoryStore()
        commands = contract_commands(Engine(store, Policy(digest="", currency="USD", tools={}, limits={})))
        revoke, revoked = commands["contracts.revoke"], commands["contracts.revoked"]
        hashes = ["A" * 43, "B" * 42 + "A", "C" * 42 + "A"]
        for arguments in ({}, {"lineage": hashes[0], "holder": hashes[0]}, {"lineage": 7}, {"holder": ["x"]}):
            with pytest.raises(UsageError):
                await revoke(arguments, "test")
        with pytest.raises(UsageError, match="at most 64"):
            await revoked({"lineages": hashes * 40}, "test")
        assert await revoke({"lineage": hashes[0]}, "test") == {"lineage": hashes[0], "was_revoked": False}
        assert await revoke({"holder": hashes[1]}, "test") == {"holder": hashes[1], "was_revoked": False}
        assert await revoke({"holder": hashes[1]}, "test") == {"holder": hashes[1], "was_revoked": True}
        assert await revoked({"lineages": hashes, "holders": hashes}, "test") == {
            "lineages": [hashes[0]], "holders": [hashes[1]],
        }  # fmt: skip
        assert await revoked({}, "test") == {"lineages": [], "holders": []}

    asyncio.run(run())


def test_a_suspended_holder_is_not_taken_for_a_revoked_one_and_can_still_be_revoked() -> None:
    from remit.core.cell_keys import holder_gate
    from remit.core.ledger import operations as ops

    async def run() -> None:
        store = MemoryStore()
        commands = contract_commands(Engine(store, Policy(digest="", currency="USD", tools={}, limits={})))
        holder = "A" * 43
        suspend = ops.SetGate(holder_gate(holder), ops.Rung.SUSPENDED, reason="under review")
        await store.apply(ops.Batch("s", (suspend,)))
        assert await commands["contracts.revoked"]({"holders": [holder]}, "test") == {"lineages": [], "holders": []}
        assert (await commands["contracts.revoke"]({"holder": holder}, "test"))["was_revoked"] is False
        assert (await commands["contracts.revoked"]({"holders": [holder]}, "test"))["holders"] == [holder]

    asyncio.run(run())
