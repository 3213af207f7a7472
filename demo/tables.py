"""What is printed of the results: the figures of the scenes, each with where it comes from."""

from pathlib import Path

from demo.cast import ALLOWED, EXECUTOR, TRANSFER
from demo.children import shown
from demo.incident import Incident
from demo.report import Results
from demo.screen import Screen

OF_KEYS = ("  held by", "  known as", "  counted by")
"""The lines of `remit inspect` that are for machines and investigators."""


def show_incident(screen: Screen, results: Results, ledger: Path) -> None:
    """The figures of scene 1."""
    incident, counts, others = results.incident, results.incident.counts, results.incident.others
    screen.rows(
        [
            ("attempts", f"{counts.attempts:,}", f"in {incident.took_s:.1f} s: {incident.pace:,.0f} a second"),
            ("proofs", f"{counts.proofs:,}", f"a new one for each request, ES256; {counts.keys:,} different keys"),
            ("admitted", f"{counts.admitted:,}", f"the root allows {ALLOWED} calls, for its whole life"),
            *((f"refused: {reason}", f"{number:,}", "") for reason, number in counts.refused.most_common()),
            ("told to stop", f"{counts.told_to_stop:,}", "x-should-retry: false; tried again"),
            ("moved upstream", f"{len(results.books.looped):,}", f"lines in {shown(ledger)}"),
            ("money moved, USD", f"{results.books.moved:,.2f}", "the amounts in that ledger"),
            ("money saved, USD", f"{results.saved:,.2f}", f"refused transfers of {TRANSFER} each"),
            ("others' calls", f"{others.calls:,}", f"{others.refused} refused; {others.refunds} refunds paid"),
        ]
    )
    screen.say()
    screen.say("Whose key it was made no difference; together they got what the root allows:")
    screen.rows(_by_key(incident))
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


def _by_key(incident: Incident) -> list[tuple[str, str, str]]:
    return [
        (
            f"{counts.keys:,} {worker.whose}" if worker.fresh else worker.whose,
            f"{counts.admitted:,}",
            f"of {counts.attempts:,} attempts admitted",
        )
        for worker, counts in incident.by_worker()
    ]


def show_chain(screen: Screen, inspected: str) -> None:
    """What `remit inspect` says of the contracts of a chain, without the names of keys and documents."""
    _, *contracts = inspected.split("\n\n")
    for contract in contracts:
        for line in contract.splitlines():
            if not line.startswith(OF_KEYS):
                screen.hang(line, indent="    ", below=18)


def show_theft(screen: Screen, results: Results) -> None:
    """How each attempt of the thief was answered."""
    found = results.theft
    screen.say(f"The {EXECUTOR} pays once: {found.paid}. The thief has a copy of that request, and tries:")
    for tried in found.tried:
        screen.say(f"- {tried.what}", indent="  ")
        screen.say(f"{tried.status} {tried.reason}: {tried.detail.partition('. ')[0].rstrip('.')}.", indent="    ")


def show_evidence(screen: Screen, results: Results) -> None:
    """What the guard has on record, beside what the others have counted."""
    evidence, books = results.evidence, results.books
    screen.say()
    screen.say(
        f"It has every attempt of the loop: {evidence.admitted:,} admitted and {evidence.refused:,} refused. The fees that "
        f"the guard booked ({results.booked:,.2f} USD) are those that the payment API charged ({books.fees:,.2f} USD)."
    )
