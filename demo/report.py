"""What the run has shown: the figures, the claims that they must bear out, and `demo.json`.

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
from demo.cast import ALLOWED, CHAIN, LEAST_ROUNDS, TRANSFER, UNDER_REVIEW, WELL_BEHAVED
from demo.documents import Documents
from demo.evidence import Evidence
from demo.incident import WORKERS, Incident
from demo.revocation import Revocation
from demo.stage import Stage
from demo.thief import PAYEE, THIEF, Theft

LIMIT_REASON = "contract_exhausted"
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
    def looped(self) -> list[dict[str, Any]]:
        """The transfers of the error loop, which all go to one payee."""
        return [line for line in self.transfers if line["to"] == UNDER_REVIEW]

    @property
    def moved(self) -> Decimal:
        """What the loop has transferred, in USD."""
        return sum((Decimal(line["amount"]) for line in self.looped), Decimal(0))

    @property
    def fees(self) -> Decimal:
        """What the service has charged for all of it, in USD."""
        return sum((Decimal(line["cost"]) for line in (*self.transfers, *self.refunds, *self.reports)), Decimal(0))


@dataclass(frozen=True, slots=True)
class Explained:
    """What the audit log has on one refused call: the agents of its chain, the root's first, and what bound it.

    `hop` counts from 1 at the root; 0: no contract decided.
    """

    agents: tuple[str, ...] = ()
    hop: int = 0
    limit: str = ""


@dataclass(slots=True, kw_only=True)
class Results:
    """Everything that was counted in a run."""

    incident: Incident
    allowed: Added
    refused: Added
    books: Books
    chain_bytes: int = 0
    explained: Explained = field(default_factory=Explained)
    theft: Theft = field(default_factory=Theft)
    revocation: Revocation = field(default_factory=Revocation)
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


async def explain(stage: Stage, decision: str) -> Explained:
    """What the audit log has on a refused call: `remit why --json`. Raises `DemoFailed`."""
    for record in json.loads(await stage.remit.must("why", decision, "--json")):
        body = record["body"]
        if body["kind"] == "decision":
            agents = tuple(link.get("agent", "") for link in body.get("chain", ()))
            return Explained(agents, body.get("hop", 0), body.get("limit", ""))
    return Explained()


def check(results: Results) -> list[str]:
    """Every claim that does not hold, as a sentence; nothing if all do."""
    parts = (
        _check_loop, _check_chain, _check_others, _check_theft, _check_revocation, _check_documents, _check_guard
    )  # fmt: skip
    return [sentence for part in parts for sentence in part(results)]


def _check_loop(results: Results) -> Iterator[str]:
    counts, transfers, asked = results.incident.counts, results.books.looped, results.incident.asked
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
    if (sent := counts.attempts + counts.validated + counts.uploaded) != counts.proofs:
        yield f"{sent:,} requests of the loop were answered, but {counts.proofs:,} proofs were made for them"
    for number, worker in enumerate(WORKERS[:asked]):
        if number not in results.incident.loops or not results.incident.loops[number].attempts:
            yield f"no attempt was made with {worker.whose}"


def _check_chain(results: Results) -> Iterator[str]:
    """The refusal that was explained is one of the last holder's, and the root bound it."""
    found = results.explained
    if results.incident.refused_to_executor and found != Explained(CHAIN, 1, "transfers"):
        yield f"a refused call was explained with the chain {' to '.join(found.agents) or 'of nobody'}, hop {found.hop}"


def _check_others(results: Results) -> Iterator[str]:
    others = results.incident.others
    if others.refused:
        yield f"well-behaved agents were not served {others.refused} times: {'; '.join(others.troubles)}"
    for agent in WELL_BEHAVED:
        if others.rounds.get(agent, 0) < LEAST_ROUNDS:
            yield f"the well-behaved agent `{agent}` had no chance to work during the incident"
    if len(results.books.refunds) != others.refunds:
        yield f"{others.refunds} refunds were answered, but the payment API's own book has {len(results.books.refunds)}"


def _check_theft(results: Results) -> Iterator[str]:
    found, paid = results.theft, [line for line in results.books.transfers if line["to"] == THIEF]
    if found.paid != 201:
        yield f"the owner of the chain was answered {found.paid}, so the thief had nothing worth copying"
    if not found.tried or found.tried[0].reason != "replayed":
        yield "the copied request was not refused as `replayed`"
    for tried in found.tried:
        if tried.status != 401:
            yield f"the thief was answered {tried.status} to {tried.what}"
    if paid:
        yield f"money went to the thief, {len(paid)} times"


def _check_revocation(results: Results) -> Iterator[str]:
    found, paid = results.revocation, [line for line in results.books.transfers if line["to"] == PAYEE]
    if (found.before, found.after, found.fresh) != (201, 401, 401):
        yield (
            f"around the revocation the payment executor was answered {found.before} and {found.after}, and a fresh key "
            f"below it {found.fresh}: not 201, 401 and 401"
        )
    if (found.reason, found.hop) != ("revoked", 0):
        yield f"the call after the revocation ended with `{found.reason}` at hop {found.hop}, not `revoked` at hop 0"
    if len(paid) != 2:
        yield f"the payment executor made 2 payments under its second contract, the payment API's ledger has {len(paid)}"


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


def write(path: Path, results: Results) -> None:
    """The figures for programs. Money is text, so that no reader rounds it."""
    figures = _loop_figures(results) | _contract_figures(results) | _other_figures(results)
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _loop_figures(results: Results) -> dict[str, Any]:
    counts, books, incident = results.incident.counts, results.books, results.incident
    return {
        "attempts": counts.attempts,
        "admitted": counts.admitted,
        "moved_upstream": len(books.looped),
        "refused": dict(counts.refused),
        "told_to_stop": counts.told_to_stop,
        "added_ms_p50": results.allowed.p50_us / 1000,
        "added_ms_p99": results.allowed.p99_us / 1000,
        "refused_ms_p50": results.refused.p50_us / 1000,
        "refused_ms_p99": results.refused.p99_us / 1000,
        "money_moved_usd": f"{books.moved:.2f}",
        "money_saved_usd": f"{results.saved:.2f}",
        "attack_s": round(incident.took_s, 2),
        "attempts_per_s": round(incident.pace),
    }


def _contract_figures(results: Results) -> dict[str, Any]:
    counts, revocation = results.incident.counts, results.revocation
    return {
        "proofs": counts.proofs,
        "keys": counts.keys,
        "chain_bytes": results.chain_bytes,
        "by_key": [
            {"agent": worker.agent, "fresh": worker.fresh, "keys": each.keys, "attempts": each.attempts,
             "admitted": each.admitted}
            for worker, each in results.incident.by_worker()
        ],
        "chain": list(results.explained.agents),
        "theft": {"tried": len(results.theft.tried),
                  "refused": sum(tried.status == 401 for tried in results.theft.tried)},
        "revocation": {"before": revocation.before, "after": revocation.after, "reason": revocation.reason,
                       "hop": revocation.hop},
    }  # fmt: skip


def _other_figures(results: Results) -> dict[str, Any]:
    others, found, books = results.incident.others, results.documents, results.books
    return {
        "fees_charged_usd": f"{books.fees:.2f}",
        "fees_booked_usd": f"{results.booked:.2f}",
        "others": {"calls": others.calls, "refused": others.refused, "refunds": others.refunds},
        "documents": {"asked": found.asked, "delivered": len(books.reports), "cost_usd": f"{found.cost:.2f}",
                      "refused": found.refused},
        "audit_verified": results.evidence.verified,
        "duration_s": round(results.duration_s, 2),
        "failures": results.failures,
    }  # fmt: skip
