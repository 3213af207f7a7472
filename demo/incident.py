"""Scene 1: the error loop under one root contract, with the well-behaved agents working beside it.

The loop runs in several processes at once: one calls with the risk check's own key, one with that of the payment executor,
and the others delegate to keys that they make themselves, a new one after every hundred attempts.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.agents import Figures
from demo.cast import BY_CONTRACT, CONNECTIONS_PER_WORKER, EXECUTOR, FRESH_EVERY, LEAST_ROUNDS, RISK_CHECK, WELL_BEHAVED
from demo.children import Child, Children, DemoFailed, python, shown, tail
from demo.contracts import Held
from demo.loop import Counts
from demo.screen import Screen
from demo.stage import Stage

INCIDENT_S = 240.0  # two cores of their own need a small part of that; a busy machine gets its time
SILENT_S = 30.0
END_S = 20.0
TICK_S = 0.1
SUMS = ("attempts", "validated", "uploaded", "admitted", "failed", "told_to_stop", "keys", "proofs", "refused")


@dataclass(frozen=True, slots=True)
class Worker:
    """One process of the loop: whose key it is given, and whether it delegates to fresh keys instead of using that."""

    agent: str
    fresh: bool = False

    @property
    def whose(self) -> str:
        return f"fresh keys below {self.agent}" if self.fresh else f"the key of {self.agent}"


WORKERS = (Worker(RISK_CHECK), Worker(EXECUTOR), Worker(RISK_CHECK, fresh=True), Worker(EXECUTOR, fresh=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the agents of the scene call with: API keys, and contracts."""

    keys: Mapping[str, str]
    contracts: Mapping[str, Held]


@dataclass(slots=True)
class Incident:
    """What came of it: the loop's counts for each of its processes, and the figures of the other agents."""

    asked: int
    took_s: float = 0.0
    loops: dict[int, Counts] = field(default_factory=dict)
    others: Figures = field(default_factory=Figures)

    @property
    def counts(self) -> Counts:
        """All processes of the loop together. The first refusal is the one with the smallest id: ids sort by time."""
        total = Counts()
        for counts in self.loops.values():
            for name in SUMS:
                setattr(total, name, getattr(total, name) + getattr(counts, name))
        total.first_refused = min((c.first_refused for c in self.loops.values() if c.first_refused), default="")
        return total

    @property
    def pace(self) -> float:
        """Attempts a second."""
        return self.counts.attempts / self.took_s if self.took_s else 0.0

    @property
    def refused_to_executor(self) -> str:
        """The first refused attempt with the payment executor's own key, which is at the end of a chain of three."""
        return self.loops[1].first_refused if 1 in self.loops else ""

    def by_worker(self) -> list[tuple[Worker, Counts]]:
        """The processes that have said anything, with their counts."""
        return [(worker, self.loops[number]) for number, worker in enumerate(WORKERS) if number in self.loops]

    def line(self, now_s: float) -> str:
        """The progress in one line."""
        counts, others = self.counts, self.others
        served = f"{others.calls - others.refused} ok" + (f", {others.refused} not" if others.refused else "")
        return (
            f"  {counts.attempts:>{len(f'{self.asked:,}')},} of {self.asked:,} attempts: {counts.admitted} admitted, "
            f"{counts.refused.total():,} refused; others: {served}; {now_s:.0f} s"
        )


async def play(
    children: Children, stage: Stage, screen: Screen, credentials: Credentials, *, attempts: int
) -> Incident:
    """Run the scene to its end. Raises `DemoFailed` if any of its processes fails or it takes too long."""
    incident = Incident(attempts)
    try:
        async with asyncio.timeout(INCIDENT_S), _well_behaved(children, stage, credentials, incident):
            started = time.monotonic()
            async with _showing(screen, incident, started):
                await _run_loops(children, stage, credentials.contracts, incident)
            incident.took_s = time.monotonic() - started
    except TimeoutError:
        done = incident.counts.attempts
        raise DemoFailed(f"only {done:,} of {attempts:,} attempts were answered in {INCIDENT_S:.0f} s") from None
    screen.progress(incident.line(incident.took_s), last=True)
    return incident


async def _run_loops(children: Children, stage: Stage, contracts: Mapping[str, Held], incident: Incident) -> None:
    """All processes of the loop, from start to end."""
    try:
        async with asyncio.TaskGroup() as group:
            for number, worker in enumerate(WORKERS[: incident.asked]):
                share = incident.asked // len(WORKERS) + (number < incident.asked % len(WORKERS))
                settings = _where(stage) | _settings(worker, contracts[worker.agent], attempts=share)
                name = f"error loop {number + 1}"
                child = await children.start(name, python("loop"), settings=settings, talks=True)
                group.create_task(_follow_loop(child, number, incident))
    except* DemoFailed as failures:
        if stage.gateway.exit_code is not None:
            raise stage.gateway.failed("ended in the middle of the incident") from None
        gateway = stage.gateway.log
        raise DemoFailed(f"{failures.exceptions[0]}\nand of {shown(gateway)}:\n{tail(gateway)}") from None


def _settings(worker: Worker, held: Held, *, attempts: int) -> dict[str, Any]:
    return {
        "name": worker.agent, "key": held.key_text, "chain": held.chain, "attempts": attempts,
        "connections": CONNECTIONS_PER_WORKER, "fresh_every": FRESH_EVERY if worker.fresh else 0,
    }  # fmt: skip


async def _follow_loop(child: Child, number: int, incident: Incident) -> None:
    while (said := await child.message(timeout_s=SILENT_S)) is not None:
        incident.loops[number] = Counts(**(said | {"refused": Counter(said["refused"])}))
    await child.finished(timeout_s=END_S)


@contextlib.asynccontextmanager
async def _well_behaved(
    children: Children, stage: Stage, credentials: Credentials, incident: Incident
) -> AsyncIterator[None]:
    """The other agents are at work before the scene begins, all through it, and a moment longer."""
    held = credentials.contracts[BY_CONTRACT]
    settings = _where(stage) | {
        "keys": {agent: credentials.keys[agent] for agent in WELL_BEHAVED if agent != BY_CONTRACT},
        "contracts": {BY_CONTRACT: {"chain": held.chain, "key": held.key_text}},
    }
    child = await children.start("well-behaved agents", python("agents"), settings=settings, talks=True)
    while incident.others.fewest_rounds(WELL_BEHAVED) < 1:
        await _hear_agents(child, incident)
    at_work = asyncio.Event()
    following = asyncio.create_task(_follow_agents(child, incident, at_work))
    try:
        yield
        await at_work.wait()
        if (code := await children.stop(child)) != 0:
            raise child.failed(f"ended with exit code {code}")
        await following
    finally:
        following.cancel()


async def _follow_agents(child: Child, incident: Incident, at_work: asyncio.Event) -> None:
    """Take in their figures to the last; `at_work` is set once all of them have come by often enough, or are gone."""
    try:
        while await _hear_agents(child, incident, may_end=True):
            if incident.others.fewest_rounds(WELL_BEHAVED) >= LEAST_ROUNDS:
                at_work.set()
    finally:
        at_work.set()


async def _hear_agents(child: Child, incident: Incident, *, may_end: bool = False) -> bool:
    """Take in their next figures; False if they have said their last."""
    said = await child.message(timeout_s=SILENT_S)
    if said is not None:
        incident.others = Figures(**said)
    elif not may_end:
        raise child.failed("ended before the incident began")
    return said is not None


@contextlib.asynccontextmanager
async def _showing(screen: Screen, incident: Incident, started: float) -> AsyncIterator[None]:
    async def show() -> None:
        while True:
            await asyncio.sleep(TICK_S)
            screen.progress(incident.line(time.monotonic() - started))

    showing = asyncio.create_task(show())
    try:
        yield
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


def _where(stage: Stage) -> dict[str, Any]:
    return {"host": stage.address[0], "port": stage.address[1]}
