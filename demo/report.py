"""What the run has shown: the figures, the claims that they must bear out, the table, and `demo.json`.

What moved is counted in the payment API's own books, what was tried and refused by the agents' side, what the guard added
by the gateway, and none of them is computed from another. A claim that does not hold ends the demo with an exit code.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from demo import documents
from demo.cast import ALLOWED, TRANSFER, WELL_BEHAVED
from demo.children import shown
from demo.documents import Documents
from demo.incident import Incident
from demo.screen import Screen
from demo.stage import Stage

LIMIT_REASON = "quota_exhausted"
BUDGET_REASON = "budget_exhausted"
LEAST_ROUNDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What the guard's own steps took of the processor for a call, in microseconds."""

    count: int
    p50_us: int
    p99_us: int

    def __str__(self) -> str:
        return f"p50 {self.p50_us / 1000:.2f} ms, p99 {self.p99_us / 1000:.2f} ms"


@dataclass(slots=True, kw_only=True)
class Results:
    """Everything that was counted in a run."""

    incident: Incident
    documents: Documents
    moved: list[dict[str, Any]]
    refunds_booked: int
    documents_booked: int
    allowed: Added
    refused: Added
    audit_verified: bool = False
    gateway_exit: int | None = None
    duration_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def money_moved(self) -> Decimal:
        """What the payment API says it has moved for the loop, in USD."""
        return sum((Decimal(line["amount"]) for line in self.moved), Decimal(0))

    @property
    def money_saved(self) -> Decimal:
        """What the refused transfers would have moved, in USD."""
        return self.incident.counts.refused.total() * TRANSFER


async def collect(stage: Stage, incident: Incident, found: Documents) -> Results:
    """Read the books of the payment API and what the gateway says of itself."""
    added = (await stage.status())["added_us"]
    allowed, refused = (
        Added(count=added[kind]["count"], p50_us=added[kind]["p50"], p99_us=added[kind]["p99"])
        for kind in ("allowed", "refused")
    )
    return Results(
        incident=incident,
        documents=found,
        moved=stage.lines("transfers"),
        refunds_booked=len(stage.lines("refunds")),
        documents_booked=len(stage.lines("reports")),
        allowed=allowed,
        refused=refused,
    )


def check(results: Results) -> list[str]:
    """Every claim that does not hold, as a sentence; nothing if all do."""
    return [*_check_loop(results), *_check_others(results), *_check_documents(results), *_check_end(results)]


def _check_loop(results: Results) -> Iterator[str]:
    counts, moved, asked = results.incident.counts, len(results.moved), results.incident.asked
    refused, allowed = counts.refused.total(), min(asked, ALLOWED)
    if counts.attempts != asked or counts.failed:
        yield f"{counts.attempts:,} of {asked:,} attempts were made, and {counts.failed:,} of them got no proper answer"
    if counts.admitted != allowed:
        yield f"{counts.admitted:,} attempts were admitted, not {allowed:,}"
    if moved != counts.admitted:
        yield f"{counts.admitted:,} transfers were admitted, but the payment API's own ledger has {moved:,}"
    if len({line["decision"] for line in results.moved}) != moved or any(not line["decision"] for line in results.moved):
        yield "a transfer in the payment API's ledger has no decision of its own"
    if refused != asked - allowed or counts.refused[LIMIT_REASON] != refused:
        yield f"the refusals were {dict(counts.refused)}, not {asked - allowed:,} of `{LIMIT_REASON}`"
    if counts.told_to_stop != refused:
        yield f"only {counts.told_to_stop:,} of {refused:,} refusals told the agent to stop"


def _check_others(results: Results) -> Iterator[str]:
    others = results.incident.others
    if others.refused:
        yield f"well-behaved agents were not served {others.refused} times: {'; '.join(others.troubles)}"
    for agent in WELL_BEHAVED:
        if others.rounds.get(agent, 0) < LEAST_ROUNDS:
            yield f"the well-behaved agent `{agent}` had no chance to work during the incident"
    if results.refunds_booked != others.refunds:
        yield f"{others.refunds} refunds were answered, but the payment API's book has {results.refunds_booked}"


def _check_documents(results: Results) -> Iterator[str]:
    found, affordable = results.documents, documents.expected()
    if not found.delivered == results.documents_booked == affordable:
        yield f"{found.delivered} documents were delivered and {results.documents_booked} booked, not {affordable}"
    if found.refused != BUDGET_REASON:
        yield f"the slow loop ended with `{found.refused or 'no refusal'}`, not `{BUDGET_REASON}`"


def _check_end(results: Results) -> Iterator[str]:
    if not results.audit_verified:
        yield "the audit log does not verify"
    if results.gateway_exit != 0:
        yield f"the gateway ended with exit code {results.gateway_exit}"


def show_table(screen: Screen, results: Results, ledger: Path) -> None:
    """The figures of scene 1, each with where it comes from."""
    incident, counts, others = results.incident, results.incident.counts, results.incident.others
    pace = counts.attempts / incident.took_s
    rows = [
        ("attempts", f"{counts.attempts:,}", f"in {incident.took_s:.1f} s, {pace:,.0f} a second, one key"),
        ("admitted", f"{counts.admitted:,}", "the limit is 100 an hour"),
        *((f"refused: {reason}", f"{number:,}", "") for reason, number in counts.refused.most_common()),
        ("told to stop", f"{counts.told_to_stop:,}", "refusals with x-should-retry: false, all ignored"),
        ("moved upstream", f"{len(results.moved):,}", f"lines in {shown(ledger)}, the payment API's own"),
        ("money moved", f"{results.money_moved:,.2f}", "USD: the amounts in that ledger"),
        ("money saved", f"{results.money_saved:,.2f}", f"USD: refused transfers, {TRANSFER} each"),
        ("other agents", f"{others.calls:,}", f"calls beside it, {others.refused} refused; {others.refunds} refunds paid"),
    ]
    screen.rows(rows)
    screen.say()
    screen.say("What the guard added to a call: its own steps on the processor, as the gateway")
    screen.say("measured them; queue, disk and upstream left out.")
    screen.rows(
        [
            ("allowed calls", f"{results.allowed.count:,}", str(results.allowed)),
            ("refused calls", f"{results.refused.count:,}", str(results.refused)),
        ]
    )


def write(path: Path, results: Results) -> None:
    """The figures for programs. Money is text, so that no reader rounds it."""
    counts, others, found = results.incident.counts, results.incident.others, results.documents
    figures = {
        "attempts": counts.attempts,
        "admitted": counts.admitted,
        "moved_upstream": len(results.moved),
        "refused": dict(counts.refused),
        "told_to_stop": counts.told_to_stop,
        "added_ms_p50": results.allowed.p50_us / 1000,
        "added_ms_p99": results.allowed.p99_us / 1000,
        "refused_ms_p50": results.refused.p50_us / 1000,
        "refused_ms_p99": results.refused.p99_us / 1000,
        "money_moved_usd": f"{results.money_moved:.2f}",
        "money_saved_usd": f"{results.money_saved:.2f}",
        "others": {"calls": others.calls, "refused": others.refused, "refunds": others.refunds},
        "documents": {"asked": found.asked, "delivered": results.documents_booked, "cost_usd": f"{found.cost:.2f}",
                      "refused": found.refused},
        "audit_verified": results.audit_verified,
        "attack_s": round(results.incident.took_s, 2),
        "duration_s": round(results.duration_s, 2),
        "failures": results.failures,
    }  # fmt: skip
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
