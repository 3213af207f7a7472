"""The desk of the demo: the contracts that it hands out are what the demo says of them, and are made as it prints."""

import json
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest

from demo.cast import ALLOWED, BY_CONTRACT, CHAIN, EXECUTOR, ORCHESTRATOR, ORG, PERSON, RISK_CHECK
from demo.children import DemoFailed
from demo.commands import Remit, Said
from demo.contracts import Desk, typed
from demo.stage import write_policy
from remit.config.compile import load_policy_file
from remit.config.trust import load_anchors
from remit.contracts import verify_chain


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    policy = write_policy(tmp_path, listen="127.0.0.1:0", upstream="127.0.0.1:9")
    made = Desk(Remit(policy), tmp_path)
    made.open()
    return made


async def test_the_policy_of_the_run_accepts_the_chains_and_they_say_what_the_demo_says(desk: Desk) -> None:
    anchors = load_anchors(load_policy_file(desk.folder.parent / "policy.yaml").policy)
    contracts, commands = await desk.hand_out("", transfers=ALLOWED)
    support = await desk.hand_out_to_support()
    for held in (*contracts.values(), support):
        now_us = max(link.issued_s for link in held.said.unverified.links) * 1_000_000
        verified = verify_chain(held.chain, anchors, now_us=now_us)
        assert verified.leaf_key == held.key.public
    chain = contracts[EXECUTOR].said.unverified
    assert [link.agent for link in chain.links] == list(CHAIN)
    assert (chain.root.org, chain.root.user, chain.leaf.max_depth) == (ORG, PERSON, 3)
    assert chain.root.limits is not None
    assert [limit.id for limit in chain.root.limits.limits] == ["transfers"]
    assert [command[0] for command in commands] == ["issue", "delegate", "delegate"]


async def test_a_second_task_has_the_same_holders_and_another_root(desk: Desk) -> None:
    first, _ = await desk.hand_out("", transfers=ALLOWED)
    second, _ = await desk.hand_out("next-", transfers=1)
    lineages = [each[ORCHESTRATOR].said.unverified.lineages[0] for each in (first, second)]
    holders = [each[EXECUTOR].said.unverified.holders for each in (first, second)]
    assert lineages[0] != lineages[1]
    assert holders[0] == holders[1]


def test_keys_are_kept_and_nobody_else_can_read_them(desk: Desk) -> None:
    secret = [desk.folder / f"{name}.jwk" for name in ("issuer", BY_CONTRACT, *CHAIN)]
    before = [path.read_bytes() for path in secret]
    desk.open()
    assert [path.read_bytes() for path in secret] == before
    for path in secret:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert "d" not in json.loads((desk.folder / "orchestrator-public.jwk").read_text(encoding="ascii"))
    assert stat.S_IMODE(desk.folder.stat().st_mode) == 0o700


async def test_what_may_not_be_handed_on_is_told_with_the_words_of_the_command(desk: Desk) -> None:
    await desk.hand_out("", transfers=ALLOWED)
    wider = ["delegate", "--chain", f"{RISK_CHECK}.chain", "--key", f"{RISK_CHECK}.jwk",
             "--to", f"{EXECUTOR}-public.jwk", "--tool", "payments.refund"]  # fmt: skip
    with pytest.raises(DemoFailed, match=r"(?s)remit delegate.*failed.*payments\.refund"):
        await desk.must(*wider)


class Answering(Remit):
    """Says of every chain what it was told to say."""

    def __init__(self, **changed: Any) -> None:
        self._link = {"expires_us": 10**18, "revoked": False, "limits": [{"id": "x"}, {"max": 5, "used": 4}]} | changed

    async def run(self, *arguments: str, folder: Path = Path()) -> Said:
        return Said("", 0, json.dumps({"links": [self._link]}), "")


@pytest.mark.parametrize(
    ("changed", "good"),
    [
        ({}, True),
        ({"revoked": True}, False),
        ({"expires_us": 10**15}, False),
        ({"limits": [{"max": 5, "used": 5}]}, False),
    ],
)
async def test_contracts_are_handed_out_anew_once_they_are_of_no_use(
    tmp_path: Path, changed: dict[str, Any], good: bool
) -> None:
    desk = Desk(Answering(**changed), tmp_path)
    assert not await desk.still_hold("")
    desk.folder.mkdir()
    (desk.folder / f"{EXECUTOR}.chain").touch()
    assert await desk.still_hold("") is good


def test_a_command_is_printed_so_that_it_can_be_pasted() -> None:
    arguments = ["issue", "--tool", "pay(amount<=5, to)", "--limit", "a: 100 calls of pay", "--flag",
                 *(part for number in range(9) for part in ("--key", f"a-rather-long-name-{number}.jwk"))]  # fmt: skip
    lines = typed(arguments)
    assert max(map(len, lines)) < 80
    assert shlex.split(" ".join(line.removesuffix("\\") for line in lines).removeprefix("$ remit ")) == arguments
    assert not any(line.rstrip(" \\").endswith(("--key", "--tool")) for line in lines)
