"""The whole play, from the first word to the exit code."""

import asyncio
import time
from pathlib import Path

from demo import documents, evidence, incident, report
from demo.cast import ALLOWED, ANALYST, ATTEMPTS, CONNECTIONS_PER_WORKER, RISK_CHECK, RUN_BUDGET, WELL_BEHAVED, WORKERS
from demo.children import Children, shown
from demo.report import Results
from demo.screen import Screen
from demo.stage import Stage, build, clear, owned


async def play(folder: Path, screen: Screen, *, attempts: int) -> int:
    """Run everything and return the exit code: 0 if every claim holds. Raises `DemoFailed` if it cannot be run."""
    started = time.monotonic()
    with owned(folder):
        clear(folder)
        _open(screen, attempts)
        async with Children(folder) as children:
            stage = await build(children, folder)
            keys = await _make_keys(stage)
            _introduce(screen, stage)
            results = await _first_scene(children, stage, screen, keys, attempts)
            await _second_scene(stage, screen, keys[ANALYST], results)
            await _last_scene(children, stage, screen, results)
        results.failures = report.check(results)
        results.duration_s = time.monotonic() - started
        report.write(folder / "demo.json", results)
        return _close(screen, stage, results)


async def _make_keys(stage: Stage) -> dict[str, str]:
    agents = (*WELL_BEHAVED, RISK_CHECK, ANALYST)
    return dict(zip(agents, await asyncio.gather(*map(stage.make_key, agents)), strict=True))


def _open(screen: Screen, attempts: int) -> None:
    screen.lines(["Remit: the guardrail between agents and anything that costs money", ""])
    screen.say(
        f"The incident: a risk-check agent met an error, tried again, and kept trying: {ATTEMPTS:,} calls in 90 seconds. "
        "Here is that loop again, with a guard in front of the payments."
    )
    if attempts != ATTEMPTS:
        screen.say(f"(A shorter run, of {attempts:,} attempts.)")


def _introduce(screen: Screen, stage: Stage) -> None:
    screen.say()
    screen.facts(
        [
            ("payment API", f"http://{stage.api[0]}:{stage.api[1]}, a process with ledgers of its own"),
            ("gateway", f"{stage.url}, run with {shown(stage.policy)}"),
            ("well-behaved", f"{', '.join(WELL_BEHAVED)}: they refund, validate and poll all along"),
            ("looping", f"{RISK_CHECK}: {WORKERS} processes, {WORKERS * CONNECTIONS_PER_WORKER} connections, one key"),
        ]
    )


async def _first_scene(
    children: Children, stage: Stage, screen: Screen, keys: dict[str, str], attempts: int
) -> Results:
    screen.title(f"Scene 1: the error loop meets a limit of {ALLOWED} transfers an hour")
    came = await incident.play(children, stage, screen, keys, attempts=attempts)
    results = await report.after_incident(stage, came)
    screen.say()
    report.show_incident(screen, results, stage.folder / "payments.jsonl")
    if refused := came.counts.first_refused:
        screen.say()
        screen.say("One refused call, explained:")
        screen.lines([f"$ remit why {refused}"])
        screen.quote(await stage.remit.must("why", refused))
    return results


async def _second_scene(stage: Stage, screen: Screen, key: str, results: Results) -> None:
    screen.title(f"Scene 2: the slow loop meets a session's budget of {RUN_BUDGET}")
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


async def _last_scene(children: Children, stage: Stage, screen: Screen, results: Results) -> None:
    screen.title("The record: signed, the gateway ended, and the audit log verified")
    await evidence.sign(stage)
    results.gateway_exit = await children.stop(stage.gateway)
    results.evidence = await evidence.examine(stage, screen)
    report.show_evidence(screen, results)


def _close(screen: Screen, stage: Stage, results: Results) -> int:
    if results.failures:
        screen.title("This run does not show what it should")
        for failure in results.failures:
            screen.say(failure, indent="  ")
        return 1
    paid = results.books.transfers[0]["decision"]
    screen.title(f"Done in {results.duration_s:.0f} s; the figures are in {shown(stage.folder / 'demo.json')}")
    screen.say("Nothing is left running. To look around in what was recorded, and to play:")
    screen.lines(
        [
            f"export REMIT_POLICY={shown(stage.policy)}",
            f".venv/bin/remit why {paid}",
            ".venv/bin/remit audit tail",
            ".venv/bin/remit limits",
            ".venv/bin/remit policy explain " + shown(stage.policy),
            "make up    # the same services, kept running",
        ],
        indent="  ",
    )
    return 0
