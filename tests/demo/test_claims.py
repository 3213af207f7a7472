"""What the demo claims is checked: a run in which one claim is false says which, and one in which all hold says nothing."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from demo.agents import Figures
from demo.cast import ALLOWED, CHAIN, TRANSFER, UNDER_REVIEW, WELL_BEHAVED
from demo.documents import Documents, expected, read_budget
from demo.evidence import Evidence, count
from demo.incident import WORKERS, Incident
from demo.loop import Counts
from demo.report import Added, Books, Explained, Results, check, write
from demo.revocation import Revocation
from demo.thief import PAYEE, THIEF, Theft, Tried

ASKED = 1000
REFUSED = ASKED - ALLOWED
FEE = {"cost": "0.35"}
CONNECTIONS = 8


def loop(*, attempts: int, admitted: int, first: str = "", keys: int = 1) -> Counts:
    refused = attempts - admitted
    return Counts(
        attempts=attempts, admitted=admitted, told_to_stop=refused, first_refused=first, keys=keys, uploaded=keys,
        validated=CONNECTIONS, proofs=attempts + CONNECTIONS + keys, refused=Counter({"contract_exhausted": refused}),
    )  # fmt: skip


def transfer(number: int, *, to: str = UNDER_REVIEW, amount: str = str(TRANSFER)) -> dict[str, str]:
    return {"amount": amount, "to": to, "decision": f"dec_{number}", **FEE}


def good() -> Results:
    """A run in which everything is as it should be."""
    incident = Incident(ASKED, took_s=1.0)
    incident.loops = {
        0: loop(attempts=300, admitted=40, first="dec_9"),
        1: loop(attempts=300, admitted=30, first="dec_3"),
        2: loop(attempts=200, admitted=20, first="dec_5", keys=2),
        3: loop(attempts=200, admitted=10, first="dec_7", keys=2),
    }
    incident.others = Figures(calls=30, refunds=1, rounds=dict.fromkeys(WELL_BEHAVED, 10))
    added = Added(count=100, p50_us=300, p99_us=900)
    looped = [transfer(number) for number in range(ALLOWED)]
    paid = [transfer(number, to=PAYEE, amount="12.50") for number in (ALLOWED, ALLOWED + 1)]
    books = Books([*looped, *paid], [{"cost": "0.10"}], [{"cost": "1.58"}] * 3)
    documents = Documents(asked=4, delivered=3, cost=Decimal("4.74"), refused="budget_exhausted")
    return Results(
        incident=incident, allowed=added, refused=added, books=books, documents=documents, booked=Decimal("40.54"),
        chain_bytes=3453, explained=Explained(CHAIN, 1, "transfers"),
        theft=Theft(201, [Tried("the same", 401, "replayed", ""), Tried("another", 401, "invalid_credential", "")]),
        revocation=Revocation(before=201, after=401, reason="revoked", hop=0, fresh=401),
        evidence=Evidence(verified=True, admitted=ALLOWED, refused=REFUSED), gateway_exit=0,
    )  # fmt: skip


def test_a_good_run_gives_no_complaints() -> None:
    assert check(good()) == []


def one_more_moved(results: Results) -> None:
    results.books.transfers.append(transfer(1000))
    results.booked += Decimal("0.35")


def one_twice(results: Results) -> None:
    results.books.transfers[1]["decision"] = results.books.transfers[0]["decision"]


def one_lost(results: Results) -> None:
    results.incident.loops[0].attempts -= 1
    results.incident.loops[0].refused["contract_exhausted"] -= 1
    results.incident.loops[0].told_to_stop -= 1
    results.incident.loops[0].proofs -= 1


def another_reason(results: Results) -> None:
    results.incident.loops[0].refused = Counter({"contract_exhausted": 259, "quota_exhausted": 1})


def not_told(results: Results) -> None:
    results.incident.loops[1].told_to_stop -= 1


def proof_used_twice(results: Results) -> None:
    results.incident.loops[3].proofs -= 1


def key_never_used(results: Results) -> None:
    results.incident.loops[0].attempts += results.incident.loops[2].attempts
    results.incident.loops[2].attempts = 0


def bound_elsewhere(results: Results) -> None:
    results.explained = Explained(CHAIN, 3, "transfers")


def thief_let_in(results: Results) -> None:
    results.theft.tried.append(Tried("a trick", 201, "", ""))
    results.books.transfers.append(transfer(1000, to=THIEF))
    results.booked += Decimal("0.35")


def not_replayed(results: Results) -> None:
    results.theft.tried.reverse()


def nothing_to_copy(results: Results) -> None:
    results.theft.paid = 403


def still_paying(results: Results) -> None:
    results.revocation.after = 201
    results.books.transfers.append(transfer(1000, to=PAYEE))


def another_hop(results: Results) -> None:
    results.revocation.hop = 2


def fresh_key_passes(results: Results) -> None:
    results.revocation.fresh = 201


def neighbour_refused(results: Results) -> None:
    results.incident.others.refused = 1
    results.incident.others.troubles = ["support: a refund was answered 429"]


def neighbour_idle(results: Results) -> None:
    results.incident.others.rounds["planner"] = 1


def refund_lost(results: Results) -> None:
    results.incident.others.refunds = 2


def document_too_many(results: Results) -> None:
    results.documents.delivered = 4


def never_refused(results: Results) -> None:
    results.documents.refused = ""


def booked_wrongly(results: Results) -> None:
    results.booked += Decimal("0.01")


def ended_badly(results: Results) -> None:
    results.gateway_exit = -9


def not_verified(results: Results) -> None:
    results.evidence.verified = False


def one_not_recorded(results: Results) -> None:
    results.evidence.refused -= 1


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (one_more_moved, "100 transfers were admitted, but the payment API's own ledger has 101"),
        (one_twice, "no decision of its own"),
        (one_lost, "999 of 1,000 attempts were made"),
        (another_reason, "not 900 of `contract_exhausted`"),
        (not_told, "only 899 of 900 refusals told the agent to stop"),
        (proof_used_twice, "1,038 requests of the loop were answered, but 1,037 proofs were made for them"),
        (key_never_used, "no attempt was made with fresh keys below risk-check"),
        (bound_elsewhere, "explained with the chain orchestrator to risk-check to payment-executor, hop 3"),
        (thief_let_in, "the thief was answered 201 to a trick"),
        (thief_let_in, "money went to the thief, 1 times"),
        (not_replayed, "not refused as `replayed`"),
        (nothing_to_copy, "the thief had nothing worth copying"),
        (still_paying, "was answered 201 and 201"),
        (still_paying, "the payment API's ledger has 3"),
        (another_hop, "ended with `revoked` at hop 2"),
        (fresh_key_passes, "a fresh key below it 201"),
        (neighbour_refused, "not served 1 times: support: a refund was answered 429"),
        (neighbour_idle, "`planner` had no chance"),
        (refund_lost, "2 refunds were answered"),
        (document_too_many, "4 documents were delivered and 3 booked, not 3"),
        (never_refused, "ended with `no refusal`"),
        (booked_wrongly, "the guard booked 40.55 USD of fees, the payment API charged 40.54"),
        (ended_badly, "the gateway ended with exit code -9"),
        (not_verified, "the audit log does not verify"),
        (one_not_recorded, "100 admitted and 899 refused transfers"),
    ],
)
def test_a_claim_that_does_not_hold_is_said_in_a_sentence(spoil: Callable[[Results], None], said: str) -> None:
    results = good()
    spoil(results)
    assert any(said in sentence for sentence in check(results)), check(results)


def test_the_figures_for_programs_are_those_of_the_run(tmp_path: Path) -> None:
    write(tmp_path / "demo.json", good())
    found = json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))
    assert (found["attempts"], found["admitted"], found["moved_upstream"]) == (ASKED, ALLOWED, ALLOWED)
    assert (found["added_ms_p50"], found["added_ms_p99"]) == (0.3, 0.9)
    assert (found["money_moved_usd"], found["money_saved_usd"]) == ("2500.00", "22500.00")
    assert found["audit_verified"] is True
    assert found["proofs"] == ASKED + 4 * CONNECTIONS + 6
    assert [each["admitted"] for each in found["by_key"]] == [40, 30, 20, 10]
    assert [each["fresh"] for each in found["by_key"]] == [worker.fresh for worker in WORKERS]
    assert found["chain"] == list(CHAIN)
    assert found["theft"] == {"tried": 2, "refused": 2}
    assert found["revocation"] == {"before": 201, "after": 401, "reason": "revoked", "hop": 0}


def test_the_first_refusal_is_the_first_of_all_processes() -> None:
    assert good().incident.counts.first_refused == "dec_3"


def test_progress_fits_on_a_terminal_at_its_longest() -> None:
    incident = Incident(50_342)
    incident.loops = {0: loop(attempts=50_342, admitted=100)}
    incident.others = Figures(calls=999)
    assert len(incident.line(94.6)) < 80


def test_the_attempts_in_the_log_are_those_under_the_root_whoever_made_them() -> None:
    first, second = {"id": "b", "agent": "risk-check"}, {"id": "c", "agent": "payment-executor"}
    ours, other = [{"holder": "a", "lineage": "L"}, {"holder": "b", "lineage": "M"}], [{"holder": "a", "lineage": "N"}]
    decision = {"kind": "decision", "tool": "payments.transfer", "caller": first, "chain": ours}
    counted = {"kind": "refusals", "tool": "payments.transfer", "count": 40}
    found = count(
        [
            decision | {"outcome": "allow"},
            decision | {"outcome": "deny"},
            decision | {"outcome": "deny", "caller": second},
            decision | {"outcome": "deny", "tool": "risk.validate"},
            decision | {"outcome": "allow", "chain": other},
            {**decision, "outcome": "deny", "caller": {"id": "thief"}, "chain": []},
            counted | {"caller": first},
            counted | {"caller": second, "count": 2},
            counted | {"caller": {"id": "thief"}},
            {"kind": "settlement", "how": "committed"},
        ],
        lineage="L",
    )
    assert (found.admitted, found.refused) == (1, 44)


def test_budget_headers_are_read_as_money() -> None:
    budget = read_budget('remaining=3420000, cost=1580000, unit="USD", decimals=6')
    assert budget == {"remaining": Decimal("3.42"), "cost": Decimal("1.58")}
    assert read_budget("") == {}


def test_a_budget_of_five_dollars_buys_three_documents() -> None:
    assert expected() == 3
