"""The well-behaved agents: each with its own credential, all day long at a modest pace, beside the incident.

`support` has a contract and signs each of its requests; it refunds customers after asking whether the payee is all right.
`billing` checks payees and `planner` follows jobs, with API keys. When `/validate` says `retry` they leave the payee for
later, which is what the looping agent should have done. They run in one process that says on standard output, in JSON
lines, how many calls were answered and how many were not allowed.
"""

import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from demo.cast import UNDER_REVIEW
from demo.client import Client, Reply
from remit.entrypoints.client import contract_signer

PAUSE_S = 0.25
REPORT_EVERY_S = 0.2
MAX_TROUBLES = 10
ACCOUNTS = (*(f"acct-{number}" for number in range(2001, 2009)), UNDER_REVIEW)


@dataclass(slots=True)
class Figures:
    """What became of all their calls. `troubles` says in words what was not a proper, allowed answer."""

    calls: int = 0
    refused: int = 0
    refunds: int = 0
    left_for_later: int = 0
    rounds: dict[str, int] = field(default_factory=dict)
    troubles: list[str] = field(default_factory=list)

    def take_note(self, agent: str, what: str, reply: Reply) -> None:
        """Count one answer; whatever is not a success counts as refused."""
        self.calls += 1
        if not 200 <= reply.status < 300:
            self.refused += 1
            self.trouble(f"{agent}: {what} was answered {reply.status} {reply.members.get('reason', '')}".rstrip())

    def fewest_rounds(self, agents: Iterable[str]) -> int:
        """How often the least busy of these agents has come to work."""
        return min(self.rounds.get(agent, 0) for agent in agents)

    def trouble(self, text: str) -> None:
        if len(self.troubles) < MAX_TROUBLES:
            self.troubles.append(text)


Round = Callable[[Client, Figures, random.Random], Awaitable[None]]


async def support(client: Client, figures: Figures, chance: random.Random) -> None:
    payment = {"amount": chance.randint(5, 40), "currency": "USD", "to": chance.choice(ACCOUNTS)}
    if not await _is_clear("support", client, figures, payment):
        figures.left_for_later += 1
        return
    reply = await client.call("POST", "/refunds", payment)
    figures.take_note("support", "a refund", reply)
    figures.refunds += reply.status == 201


async def billing(client: Client, figures: Figures, chance: random.Random) -> None:
    payment = {"amount": chance.randint(100, 900), "currency": "USD", "to": chance.choice(ACCOUNTS)}
    if not await _is_clear("billing", client, figures, payment):
        figures.left_for_later += 1


async def planner(client: Client, figures: Figures, chance: random.Random) -> None:
    reply = await client.call("GET", f"/jobs/{chance.randint(1, 20)}")
    figures.take_note("planner", "a look at a job", reply)


async def _is_clear(agent: str, client: Client, figures: Figures, payment: dict[str, Any]) -> bool:
    reply = await client.call("POST", "/validate", payment)
    figures.take_note(agent, "a validation", reply)
    return reply.members.get("verdict") == "ok"


ROUNDS: dict[str, Round] = {"support": support, "billing": billing, "planner": planner}


async def live(agent: str, client: Client, figures: Figures, stop: asyncio.Event) -> None:
    """One agent's day, until `stop`."""
    chance = random.Random(agent)
    while not stop.is_set():
        try:
            await ROUNDS[agent](client, figures, chance)
        except (ConnectionError, TimeoutError) as error:
            figures.refused += 1
            figures.trouble(f"{agent}: {error}")
        figures.rounds[agent] = figures.rounds.get(agent, 0) + 1
        await wait(stop, PAUSE_S * chance.uniform(0.5, 1.5))


async def wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        pass


async def ticks(stop: asyncio.Event) -> AsyncIterator[None]:
    while not stop.is_set():
        await wait(stop, REPORT_EVERY_S)
        yield


async def run(*, host: str, port: int, keys: dict[str, str], contracts: dict[str, dict[str, str]]) -> None:
    """Let every agent live until SIGTERM, reporting on the way and once at the end.

    `keys` are API keys, `contracts` texts of a `chain` and of the private `key` that it was made for, by agent.
    """
    stop, figures = asyncio.Event(), Figures()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    signers = {agent: contract_signer(held["chain"], held["key"]) for agent, held in contracts.items()}
    clients = {agent: Client((host, port), credential) for agent, credential in (keys | signers).items()}
    async with asyncio.TaskGroup() as group:
        for agent, client in clients.items():
            group.create_task(live(agent, client, figures, stop))
        async for _ in ticks(stop):
            print(json.dumps(asdict(figures)), flush=True)
    for client in clients.values():
        client.close()
    print(json.dumps(asdict(figures)), flush=True)


def main() -> None:
    asyncio.run(run(**json.loads(sys.stdin.readline())))


if __name__ == "__main__":
    main()
