"""The whole play, from the first word to the exit code."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from demo import documents, evidence, incident, report, revocation, tables, thief
from demo.cast import (
    ALLOWED,
    ANALYST,
    ATTEMPTS,
    BY_CONTRACT,
    CHAIN,
    CONNECTIONS_PER_WORKER,
    EXECUTOR,
    ORCHESTRATOR,
    PERSON,
    RISK_CHECK,
    RUN_BUDGET,
    WELL_BEHAVED,
)
from demo.children import Children, shown
from demo.contracts import Held, typed
from demo.incident import WORKERS, Credentials
from demo.report import Results
from demo.screen import Screen
from demo.stage import Stage, build, clear, owned

NEXT_TASK = "next-"
NEXT_TRANSFERS = 10


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody's credentials: API keys, the contracts of the incident, those of the next task, and how they were made."""

    keys: dict[str, str]
    contracts: dict[str, Held]
    commands: list[list[str]]
    next_task: dict[str, Held]
    support: Held

    @property
    def lineage(self) -> str:
        """That of the incident's root: what everything derived from it is recorded with."""
        return self.contracts[ORCHESTRATOR].said.unverified.lineages[0]


async def play(folder: Path, screen: Screen, *, attempts: int) -> int:
    """Run everything and return the exit code: 0 if every claim holds. Raises `DemoFailed` if it cannot be run."""
    started = time.monotonic()
    with owned(folder):
        clear(folder)
        _open(screen, attempts)
        async with Children(folder) as children:
            stage = await build(children, folder)
            cast = await _prepare(stage)
            _introduce(screen, stage)
            _show_contracts(screen, stage, cast)
            results = await _loop_scene(children, stage, screen, cast, attempts)
            await _thief_scene(stage, screen, cast, results)
            await _revocation_scene(stage, screen, cast, results)
            await _document_scene(stage, screen, cast.keys[ANALYST], results)
            await _last_scene(children, stage, screen, cast, results)
        results.failures = report.check(results)
        results.duration_s = time.monotonic() - started
        report.write(folder / "demo.json", results)
        return _close(screen, stage, results)


async def _prepare(stage: Stage) -> Cast:
    """Make the keys and the contracts that everybody calls with."""
    agents = [agent for agent in (*WELL_BEHAVED, ANALYST) if agent != BY_CONTRACT]
    keys, (contracts, commands), (next_task, _), support = await asyncio.gather(
        asyncio.gather(*map(stage.make_key, agents)),
        stage.desk.hand_out("", transfers=ALLOWED),
        stage.desk.hand_out(NEXT_TASK, transfers=NEXT_TRANSFERS),
        stage.desk.hand_out_to_support(),
    )
    return Cast(dict(zip(agents, keys, strict=True)), contracts, commands, next_task, support)


def _open(screen: Screen, attempts: int) -> None:
    screen.lines(["Remit: the guardrail between agents and anything that costs money", ""])
    screen.say(
        f"The incident: a risk-check agent met an error, tried again, and kept trying: {ATTEMPTS:,} calls in 90 seconds. "
        "Here is that loop again, with a guard in front of the payments."
    )
    if attempts != ATTEMPTS:
        screen.say(f"(A shorter run, of {attempts:,} attempts.)")


def _introduce(screen: Screen, stage: Stage) -> None:
    polite = [agent for agent in WELL_BEHAVED if agent != BY_CONTRACT]
    screen.say()
    screen.facts(
        [
            ("payment API", f"http://{stage.api[0]}:{stage.api[1]}, a process with ledgers of its own"),
            ("gateway", f"{stage.url}, run with {shown(stage.policy)}"),
            ("well-behaved", f"{' and '.join(polite)} with API keys, {BY_CONTRACT} with a contract: at work all along"),
            ("looping", f"{RISK_CHECK}, in {len(WORKERS)} processes with {CONNECTIONS_PER_WORKER} connections each"),
        ]
    )


def _show_contracts(screen: Screen, stage: Stage, cast: Cast) -> None:
    screen.title("Who may do what")
    screen.say(
        f"{PERSON.capitalize()} signs one contract, for the {ORCHESTRATOR}. It hands on to {RISK_CHECK}, and that to "
        f"{EXECUTOR}: offline, with keys of their own, never more than they have. In {shown(stage.desk.folder)}:"
    )
    for command in cast.commands:
        screen.lines(typed(command))


async def _loop_scene(children: Children, stage: Stage, screen: Screen, cast: Cast, attempts: int) -> Results:
    screen.title(f"Scene 1: the error loop meets a contract for {ALLOWED} transfers")
    chain = cast.contracts[EXECUTOR].chain
    screen.say(
        "Each request has a proof of its own, signed for that request alone. The chain of the "
        f"{EXECUTOR} is {len(chain):,} bytes: it is uploaded once (POST /.well-known/remit/chains), and requests name it."
    )
    screen.say()
    credentials = Credentials(keys=cast.keys, contracts=cast.contracts | {BY_CONTRACT: cast.support})
    came = await incident.play(children, stage, screen, credentials, attempts=attempts)
    results = await report.after_incident(stage, came)
    results.chain_bytes = len(chain)
    screen.say()
    tables.show_incident(screen, results, stage.folder / "payments.jsonl")
    if refused := came.refused_to_executor:
        await _explain(stage, screen, results, refused)
    return results


async def _explain(stage: Stage, screen: Screen, results: Results, refused: str) -> None:
    """One refused call in words, and the whole chain with what is left of it."""
    inspect = ["inspect", f"{EXECUTOR}.chain", "--policy", "../policy.yaml"]
    results.explained, why, inspected = await asyncio.gather(
        report.explain(stage, refused), stage.remit.must("why", refused), stage.desk.must(*inspect)
    )
    screen.say()
    screen.say(f"One refused call of the {EXECUTOR}, explained:")
    screen.lines([f"$ remit why {refused}"])
    screen.quote(why)
    screen.say()
    screen.say("And its whole chain (the lines with keys and ids are left out here):")
    screen.lines(typed(inspect))
    tables.show_chain(screen, inspected)


async def _thief_scene(stage: Stage, screen: Screen, cast: Cast, results: Results) -> None:
    screen.title("Scene 2: a thief copies the contract")
    screen.say(f"The next task, a new root: {NEXT_TRANSFERS} transfers, handed on as before.")
    results.theft = await thief.play(stage, cast.next_task[EXECUTOR])
    tables.show_theft(screen, results)


async def _revocation_scene(stage: Stage, screen: Screen, cast: Cast, results: Results) -> None:
    screen.title(f"Scene 3: the {ORCHESTRATOR}'s contract is revoked")
    found = results.revocation = await revocation.play(stage, cast.next_task)
    screen.say(f"The {EXECUTOR} pays: {found.before}.")
    screen.lines(typed(found.command))
    screen.quote(found.said)
    stopped = "no contract"
    if found.hop is not None and found.hop in range(len(CHAIN)):
        stopped = f"contract {found.hop + 1} of 3, the {CHAIN[found.hop]}'s"
    screen.say(
        f"The {EXECUTOR}'s next call: {found.after} {found.reason}, by {stopped}. "
        f"A key that it delegates to now: {found.fresh}."
    )


async def _document_scene(stage: Stage, screen: Screen, key: str, results: Results) -> None:
    screen.title(f"Scene 4: the slow loop meets a session's budget of {RUN_BUDGET}")
    screen.say(
        "An agent buys a document for 1.58 USD, cannot use it, and buys it again some minutes later: too slow for any "
        f"rate limit. (The minutes are {documents.PAUSE_S} seconds here.)"
    )
    results.documents = await documents.play(stage, screen, key)
    await stage.settled()
    results.booked = await stage.spent(report.FEES)
    results.books = report.read_books(stage)
    screen.say(
        f"The document service's own ledger has {len(results.books.reports)} lines ({shown(stage.folder / 'reports.jsonl')})."
    )


async def _last_scene(children: Children, stage: Stage, screen: Screen, cast: Cast, results: Results) -> None:
    screen.title("The record: signed, the gateway ended, and the audit log verified")
    await evidence.sign(stage)
    results.gateway_exit = await children.stop(stage.gateway)
    results.evidence = await evidence.examine(stage, screen, lineage=cast.lineage)
    tables.show_evidence(screen, results)


def _close(screen: Screen, stage: Stage, results: Results) -> int:
    if results.failures:
        screen.title("This run does not show what it should")
        for failure in results.failures:
            screen.say(failure, indent="  ")
        return 1
    paid = results.books.transfers[0]["decision"]
    screen.title(f"Done in {results.duration_s:.0f} s; the figures are in {shown(stage.folder / 'demo.json')}")
    screen.say("Nothing is left running. To look around in what was recorded, and to play:")
    chain = shown(stage.desk.folder / f"{EXECUTOR}.chain")
    screen.lines(
        [
            f"export REMIT_POLICY={shown(stage.policy)}",
            f".venv/bin/remit why {paid}",
            ".venv/bin/remit inspect --policy $REMIT_POLICY \\",
            f"    {chain}",
            ".venv/bin/remit audit tail",
            ".venv/bin/remit limits",
            ".venv/bin/remit policy explain " + shown(stage.policy),
            "make up    # the same services, kept running",
        ],
        indent="  ",
    )
    return 0
