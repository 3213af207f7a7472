"""Scene 4: an agent buys the same document again and again, too slowly for any rate limit to notice.

What stops it is money: it works inside a session that was opened with a budget, and a call that would exceed it is
refused before it is made.
"""

import asyncio
import re
from dataclasses import dataclass
from decimal import Decimal

from demo.cast import REPORT_PRICE, RUN_BUDGET
from demo.children import DemoFailed
from demo.client import Client, Reply, playing
from demo.screen import Screen
from demo.stage import Stage

SESSIONS = "/.well-known/remit/sessions"
DOCUMENT = "/reports/1847"
PAUSE_S = 0.4
MAX_CALLS = 8
MICROS = Decimal(1_000_000)


@dataclass(slots=True)
class Documents:
    """What came of it: calls made, documents delivered, what they cost, and why the last call was refused."""

    asked: int = 0
    delivered: int = 0
    cost: Decimal = Decimal(0)
    refused: str = ""
    decision: str = ""


async def play(stage: Stage, screen: Screen, key: str) -> Documents:
    """Ask for the document until somebody says no. Raises `DemoFailed` if the session cannot be opened."""
    with playing("document"), Client(stage.address, key) as client:
        return await _play(client, screen)


async def _play(client: Client, screen: Screen) -> Documents:
    opened = await client.call("POST", SESSIONS, {"budget": RUN_BUDGET})
    if opened.status != 201:
        raise DemoFailed(f"no session could be opened: status {opened.status}, {opened.members.get('detail', '')}")
    session = str(opened.members["session"])
    found = Documents()
    for _ in range(MAX_CALLS):
        reply = await client.call("POST", DOCUMENT, headers={"remit-session": session})
        found.asked += 1
        screen.say(f"call {found.asked}: {_take_note(found, reply)}", indent="  ")
        if found.refused:
            break
        await asyncio.sleep(PAUSE_S)
    return found


def _take_note(found: Documents, reply: Reply) -> str:
    """Count one answer and say it in words."""
    if reply.status == 200:
        found.delivered += 1
        budget = read_budget(reply.headers.get("remit-budget", ""))
        found.cost += budget.get("cost", Decimal(0))
        return f"200, delivered for {_usd(budget, 'cost')}; {_usd(budget, 'remaining')} of the session's budget left"
    found.refused = str(reply.members.get("reason", f"status {reply.status}"))
    found.decision = str(reply.members.get("decision", ""))
    return f"{reply.status} {found.refused}. {reply.members.get('detail', '')}"


def read_budget(field: str) -> dict[str, Decimal]:
    """The amounts of a `Remit-Budget` header, which are written in millionths."""
    return {name: Decimal(value) / MICROS for name, value in re.findall(r"\b(cost|remaining)=(\d+)", field)}


def _usd(amounts: dict[str, Decimal], name: str) -> str:
    return f"{amounts[name]:.2f} USD" if name in amounts else "an unknown amount"


def expected(budget: str = RUN_BUDGET) -> int:
    """How many documents the budget pays for."""
    return int(Decimal(budget.partition(" ")[0]) // REPORT_PRICE)
