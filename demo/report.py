"""What the run has shown: the figures, the claims that they must bear out, the tables, and `demo.json`.

What moved is counted in the payment API's own books, what was tried and refused on the agents' side, what the guard added
and booked by the gateway, and none of them is computed from another. A claim that does not hold ends the demo with an
exit code.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from demo import documents
from demo.cast import ALLOWED, LEAST_ROUNDS, TRANSFER, WELL_BEHAVED
from demo.children import shown
from demo.documents import Documents
from demo.evidence import Evidence
from demo.incident import Incident
from demo.screen import Screen
from demo.stage import Stage

LIMIT_REASON = "quota_exhausted"
BUDGET_REASON = "budget_exhausted"
FEES = "org-money"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What the guard's own steps took of the processor for a call, in microseconds."""

    count: int
    p50_us: int
    p99_us: int

    def __str__(self) -> str:
        return f"p50 {self.p50_us / 1000:.2f} ms, p99 {self.p99_us / 1000:.2f} ms"


@dataclass(frozen=True, slots=True)
class Books:
    """The payment API's own ledgers, line for line."""

    transfers: list[dict[str, Any]]
    refunds: list[dict[str, Any]]
    reports: list[dict[str, Any]]

    @property
    def moved(self) -> Decimal:
        """What was transferred, in USD."""
        return sum((Decimal(line["amount"]) for line in self.transfers), Decimal(0))

    @property
    def fees(self) -> Decimal:
        """What the service has charged for all of it, in USD."""
        return sum((Decimal(line["cost"]) for line in (*self.transfers, *self.refunds, *self.reports)), Decimal(0))


@dataclass(slots=True, kw_only=True)
class Results:
    """Everything that was counted in a run."""

    incident: Incident
    allowed: Added
    refused: Added
    books: Books
    documents: Documents = field(default_factory=Documents)
    evidence: Evidence = field(default_factory=Evidence)
    booked: Decimal = Decimal(0)
    gateway_exit: int | None = None
    duration_s: float = 0.0
    failures: list[str] = field(default_factory=list)

    @property
    def saved(self) -> Decimal:
        """What the refused transfers would have moved, in USD."""
        return self.incident.counts.refused.total() * TRANSFER


def read_books(stage: Stage) -> Books:
    """The ledgers as they are now."""
    return Books(stage.lines("transfers"), stage.lines("refunds"), stage.lines("reports"))


async def after_incident(stage: Stage, incident: Incident) -> Results:
    """The figures of scene 1: the loop's own, the payment API's, and what the gateway says of itself."""
    added = (await stage.settled())["added_us"]
    allowed, refused = (
        Added(count=added[kind]["count"], p50_us=added[kind]["p50"], p99_us=added[kind]["p99"])
        for kind in ("allowed", "refused")
    )
    return Results(incident=incident, allowed=allowed, refused=refused, books=read_books(stage))


def check(results: Results) -> list[str]:
    """Every claim that does not hold, as a sentence; nothing if all do."""
    parts = (_check_loop, _check_others, _check_documents, _check_guard)
    return [sentence for part in parts for sentence in part(results)]


def _check_loop(results: Results) -> Iterator[str]:
    counts, transfers, asked = results.incident.counts, results.books.transfers, results.incident.asked
    moved, refused, allowed = len(transfers), counts.refused.total(), min(asked, ALLOWED)
    if counts.attempts != asked or counts.failed:
        yield f"{counts.attempts:,} of {asked:,} attempts were made, and {counts.failed:,} of them got no proper answer"
    if counts.admitted != allowed:
        yield f"{counts.admitted:,} attempts were admitted, not {allowed:,}"
    if moved != counts.admitted:
        yield f"{counts.admitted:,} transfers were admitted, but the payment API's own ledger has {moved:,}"
    if len({line["decision"] for line in transfers if line["decision"]}) != moved:
        yield "a transfer in the payment API's own ledger has no decision of its own"
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
    if len(results.books.refunds) != others.refunds:
        yield f"{others.refunds} refunds were answered, but the payment API's own book has {len(results.books.refunds)}"


def _check_documents(results: Results) -> Iterator[str]:
    found, booked, affordable = results.documents, len(results.books.reports), documents.expected()
    if not found.delivered == booked == affordable:
        yield f"{found.delivered} documents were delivered and {booked} booked, not {affordable}"
    if found.refused != BUDGET_REASON:
        yield f"the slow loop ended with `{found.refused or 'no refusal'}`, not `{BUDGET_REASON}`"


def _check_guard(results: Results) -> Iterator[str]:
    counts, evidence = results.incident.counts, results.evidence
    if results.booked != results.books.fees:
        yield f"the guard booked {results.booked} USD of fees, the payment API charged {results.books.fees}"
    if results.gateway_exit != 0:
        yield f"the gateway ended with exit code {results.gateway_exit}"
    if not evidence.verified:
        yield "the audit log does not verify"
    if (evidence.admitted, evidence.refused) != (counts.admitted, counts.refused.total()):
        yield f"the audit log knows {evidence.admitted:,} admitted and {evidence.refused:,} refused transfers"


def show_incident(screen: Screen, results: Results, ledger: Path) -> None:
    """The figures of scene 1, each with where it comes from."""
    incident, counts, others = results.incident, results.incident.counts, results.incident.others
    pace = counts.attempts / incident.took_s
    screen.rows(
        [
            ("attempts", f"{counts.attempts:,}", f"in {incident.took_s:.1f} s: {pace:,.0f} a second, one key"),
            ("admitted", f"{counts.admitted:,}", f"the limit is {ALLOWED} an hour"),
            *((f"refused: {reason}", f"{number:,}", "") for reason, number in counts.refused.most_common()),
            ("told to stop", f"{counts.told_to_stop:,}", "x-should-retry: false; tried again"),
            ("moved upstream", f"{len(results.books.transfers):,}", f"lines in {shown(ledger)}"),
            ("money moved, USD", f"{results.books.moved:,.2f}", "the amounts in that ledger"),
            ("money saved, USD", f"{results.saved:,.2f}", f"refused transfers of {TRANSFER} each"),
            ("others' calls", f"{others.calls:,}", f"{others.refused} refused; {others.refunds} refunds paid"),
        ]
    )
    screen.say()
    screen.say(
        "What the guard added to a call: its own steps on the processor, measured in the gateway; queue, disk and "
        "upstream left out."
    )
    screen.rows(
        [
            ("allowed calls", f"{results.allowed.count:,}", str(results.allowed)),
            ("refused calls", f"{results.refused.count:,}", str(results.refused)),
        ]
    )


def show_evidence(screen: Screen, results: Results) -> None:
    """What the guard has on record, beside what the others have counted."""
    evidence, books = results.evidence, results.books
    screen.say()
    screen.say(
        f"It has every attempt of the loop: {evidence.admitted:,} admitted and {evidence.refused:,} refused. The fees that "
        f"the guard booked ({results.booked:,.2f} USD) are those that the payment API charged ({books.fees:,.2f} USD)."
    )


def write(path: Path, results: Results) -> None:
    """The figures for programs. Money is text, so that no reader rounds it."""
    counts, others, found, books = results.incident.counts, results.incident.others, results.documents, results.books
    figures = {
        "attempts": counts.attempts,
        "admitted": counts.admitted,
        "moved_upstream": len(books.transfers),
        "refused": dict(counts.refused),
        "told_to_stop": counts.told_to_stop,
        "added_ms_p50": results.allowed.p50_us / 1000,
        "added_ms_p99": results.allowed.p99_us / 1000,
        "refused_ms_p50": results.refused.p50_us / 1000,
        "refused_ms_p99": results.refused.p99_us / 1000,
        "money_moved_usd": f"{books.moved:.2f}",
        "money_saved_usd": f"{results.saved:.2f}",
        "fees_charged_usd": f"{books.fees:.2f}",
        "fees_booked_usd": f"{results.booked:.2f}",
        "others": {"calls": others.calls, "refused": others.refused, "refunds": others.refunds},
        "documents": {"asked": found.asked, "delivered": len(books.reports), "cost_usd": f"{found.cost:.2f}",
                      "refused": found.refused},
        "audit_verified": results.evidence.verified,
        "attack_s": round(results.incident.took_s, 2),
        "duration_s": round(results.duration_s, 2),
        "failures": results.failures,
    }  # fmt: skip
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
