"""Scene 3: the first contract of a chain is revoked, and the last holder is stopped by it at its very next call."""

from dataclasses import dataclass, field

from demo.cast import EXECUTOR, ORCHESTRATOR
from demo.client import Client, Reply, playing
from demo.contracts import Held
from demo.holder import Holder, payment
from demo.stage import Stage
from demo.thief import AMOUNT, JSON, PATH, PAYEE
from remit.entrypoints.client import contract_signer

REASON = "the task was called off"


@dataclass(slots=True)
class Revocation:
    """How the payment executor's calls were answered, before and after; `hop` is the contract that stopped it, 0 the root.

    `fresh` is how a key was answered that was delegated to after the revocation.
    """

    before: int = 0
    command: list[str] = field(default_factory=list)
    said: str = ""
    after: int = 0
    reason: str = ""
    hop: int | None = None
    fresh: int = 0


async def play(stage: Stage, contracts: dict[str, Held]) -> Revocation:
    """Pay, revoke the orchestrator's contract, and try to pay again. Raises `DemoFailed`."""
    found, executor = Revocation(), contracts[EXECUTOR]
    found.command = ["revoke", "--chain", contracts[ORCHESTRATOR].chain_file.name, "--reason", REASON]
    with playing("revocation"), Client(stage.address, contract_signer(executor.chain, executor.key)) as client:
        found.before = (await _pay(client)).status
        found.said = await stage.desk.must(*found.command)
        _take_note(found, await _pay(client))
    with playing("revocation"), Client(stage.address) as client:
        found.fresh = (await _pay_by(stage, client, Holder.read(EXECUTOR, executor.key_text, executor.chain))).status
    return found


async def _pay(client: Client) -> Reply:
    return await client.send("POST", PATH, payment(AMOUNT, PAYEE), JSON)


async def _pay_by(stage: Stage, client: Client, holder: Holder) -> Reply:
    """A payment by somebody new, to whom the revoked chain has just been handed on."""
    body = payment(AMOUNT, PAYEE)
    return await client.send("POST", PATH, body, holder.delegate("helper").headers(stage.url, PATH, body) | JSON)


def _take_note(found: Revocation, reply: Reply) -> None:
    members = reply.members
    found.after, found.reason, found.hop = reply.status, str(members.get("reason", "")), members.get("hop")
