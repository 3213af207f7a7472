"""The whole play, from the first word to the exit code."""

import time
from pathlib import Path

from demo import documents, incident, report
from demo.cast import ALLOWED, ANALYST, ATTEMPTS, CONNECTIONS_PER_WORKER, RISK_CHECK, RUN_BUDGET, WELL_BEHAVED, WORKERS
from demo.children import Children, shown
from demo.documents import Documents
from demo.incident import Incident
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
            keys = {agent: await stage.make_key(agent) for agent in (*WELL_BEHAVED, RISK_CHECK, ANALYST)}
            _introduce(screen, stage)
            came = await _first_scene(children, stage, screen, keys, attempts)
            found = await _second_scene(stage, screen, keys[ANALYST])
            results = await report.collect(stage, came, found)
            await _explain(stage, screen, results)
            results.gateway_exit = await children.stop(stage.gateway)
            await _verify(stage, screen, results)
        results.failures = report.check(results)
        results.duration_s = time.monotonic() - started
        report.write(folder / "demo.json", results)
        return _close(screen, stage, results)


def _open(screen: Screen, attempts: int) -> None:
    screen.lines(["Remit, the guardrail between agents and anything that costs money", ""])
    screen.say("The incident: a risk-check agent met an error, tried again and kept trying, and")
    screen.say("made 50,342 payment calls in 90 seconds. Here is that loop again, with a guard.")
    if attempts != ATTEMPTS:
        screen.say(f"(This run makes {attempts:,} attempts.)")


def _introduce(screen: Screen, stage: Stage) -> None:
    screen.say()
    screen.rows(
        [
            ("payment API", "", f"http://{stage.api[0]}:{stage.api[1]}, a process with its own ledger"),
            ("gateway", "", f"{stage.url}, remit gateway {shown(stage.policy)}"),
            ("well-behaved", "", f"{', '.join(WELL_BEHAVED)}: they refund, validate and poll all the while"),
            ("looping", "", f"{RISK_CHECK}: {WORKERS} processes, {WORKERS * CONNECTIONS_PER_WORKER} connections, one key"),
        ]
    )


async def _first_scene(
    children: Children, stage: Stage, screen: Screen, keys: dict[str, str], attempts: int
) -> Incident:
    screen.title(f"Scene 1: the error loop, and a limit of {ALLOWED} transfers an hour")
    return await incident.play(children, stage, screen, keys, attempts=attempts)


async def _second_scene(stage: Stage, screen: Screen, key: str) -> Documents:
    screen.title(f"Scene 2: the slow loop, and a session with a budget of {RUN_BUDGET}")
    screen.say("An agent buys a document for 1.58 USD, fails to use it, and buys it again, a")
    screen.say("few minutes later each time: too slow for any rate limit. Here the minutes are")
    screen.say(f"{documents.PAUSE_S} seconds.")
    return await documents.play(stage, screen, key)


async def _explain(stage: Stage, screen: Screen, results: Results) -> None:
    screen.title("What came of it")
    report.show_table(screen, results, stage.folder / "payments.jsonl")
    refused = results.incident.counts.first_refused
    if refused:
        screen.title("One refused call, explained")
        screen.lines([f"$ remit why {refused}"])
        screen.quote(await stage.remit.must("why", refused))


async def _verify(stage: Stage, screen: Screen, results: Results) -> None:
    """The gateway has ended; the log is read from its file."""
    screen.title("The audit log, verified")
    said = await stage.remit.run("audit", "verify")
    screen.lines([f"$ {said.typed}"])
    screen.quote(said.out or said.errors)
    results.audit_verified = said.exit_code == 0


def _close(screen: Screen, stage: Stage, results: Results) -> int:
    if results.failures:
        screen.title("This run does not show what it should")
        for failure in results.failures:
            screen.say(failure, indent="  ")
        return 1
    screen.title("Try it yourself")
    policy = shown(stage.policy)
    screen.lines(
        [
            "make up                              the same services, kept running",
            f"export REMIT_POLICY={policy}",
            ".venv/bin/remit audit tail           what was decided, line by line",
            ".venv/bin/remit policy explain       every limit in a sentence",
            f"cat {shown(stage.folder / 'demo.json')}                  the figures of this run ({results.duration_s:.0f} s)",
        ],
        indent="  ",
    )
    return 0
