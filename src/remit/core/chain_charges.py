"""What a contract chain adds to a call: a gate for each link and holder, its hours, and the limits of every link.

Every link's limits bind: what the leaf spends is charged to each ancestor, all or nothing, in the one batch of the call.
The cells are keyed by lineage, which no holder can choose anew. A limit that this guard cannot count refuses the call,
since not counting it would make it unlimited.
"""

from remit.core.cell_keys import cell_key, holder_gate, lineage_gate
from remit.core.contract import Chain
from remit.core.contract_limits import (
    ContractLimit,
    ContractLimits,
    Meter,
    limit_cell,
    schedule_openings,
)
from remit.core.ledger import operations as ops
from remit.core.policy import Rate
from remit.core.reasons import Reason
from remit.core.template import Bound, Builder, StaticDenial, window_of
from remit.core.units import Life

COUNTED = {Meter.CALLS: ops.AtCommit.KEEP, Meter.UNITS: ops.AtCommit.KEEP, Meter.COST: ops.AtCommit.ACTUAL}
"""The meters that this guard can count, and what a commit books for each."""

ISSUER_BUDGET = "issuer budget"
RESERVED_BUDGET_NAME = "issuer-budget"
"""Stands where a policy's limits have their name, apart from the limits that contracts name themselves."""


def add_chain(build: Builder, chain: Chain, *, priced: bool) -> StaticDenial | None:
    """Add everything that `chain` asks for; or say why a call under it can never be allowed here."""
    _add_gates(build, chain)
    for hop, link in enumerate(chain.links):
        if link.limits is not None and (denial := _add_limits(build, chain, hop, link.limits, priced=priced)):
            return denial
    return _add_budget(build, chain) if priced and chain.budget is not None else None


def _add_limits(build: Builder, chain: Chain, hop: int, limits: ContractLimits, *, priced: bool) -> StaticDenial | None:
    """The hours and the limits of one link."""
    if limits.schedule is not None:
        found = schedule_openings(limits.schedule, build.now_us)
        spans = tuple(ops.Span(start_us, end_us) for start_us, end_us in found.spans)
        bound = _bound(hop, limit="schedule", kind="only", reason=Reason.OUTSIDE_SCHEDULE)
        build.checks.append((ops.Within(spans, found.horizon_us), bound))
    counted = [limit for limit in limits.limits if limit.concerns(build.tool.name)]
    for limit in counted:
        denied = _add_limit(build, chain, hop, limit) if priced or limit.meter is not Meter.COST else None
        if denied is not None:
            return denied
    return None


def _add_gates(build: Builder, chain: Chain) -> None:
    for hop, lineage in enumerate(chain.lineages):
        revoked = _bound(hop, limit="contract", kind="gate", reason=Reason.REVOKED)
        build.gates.append((ops.Gate(lineage_gate(lineage), 1), revoked))
    for holder in chain.holders:
        hop = next(at for at, link in enumerate(chain.links) if link.holder.thumbprint == holder)
        revoked = _bound(hop, limit="holder", kind="gate", reason=Reason.REVOKED)
        build.gates.append((ops.Gate(holder_gate(holder), 1), revoked))
    for hop, link in enumerate(chain.links):
        expired = _bound(hop, limit="expiry", kind="gate", reason=Reason.INVALID_CREDENTIAL)
        build.gates.append((ops.Within((ops.Span(0, link.expires_us),)), expired))


def _add_limit(build: Builder, chain: Chain, hop: int, limit: ContractLimit) -> StaticDenial | None:
    link = chain.links[hop]
    at_commit = COUNTED.get(limit.meter)
    if at_commit is None or (limit.meter is Meter.COST and limit.unit != build.policy.currency):
        detail = f"the contract's limit `{limit.id}` counts {limit.unit}, which is not counted here"
        return StaticDenial(reason=Reason.NOT_ALLOWED, detail=detail, limit=limit.id, hop=hop)
    key = limit_cell(chain.counters[hop], limit)
    if isinstance(limit.rule, Rate):
        rate = limit.rule
        pace = ops.Pace(key, rate.interval_us, rate.burst, 1, rate.max_wait_us)
        bound = _bound(hop, limit=limit.id, kind="rate", reason=Reason.RATE_LIMITED, unit="calls",
                       window_us=rate.per_us, count=rate.count, own=link is chain.leaf)  # fmt: skip
        build.checks.append((pace, bound))
        return None
    window, window_us = window_of(limit.rule.window, build.now_us)
    if isinstance(window, ops.Life):
        window = ops.Life(link.expires_us)
    money = limit.meter is Meter.COST
    reason = Reason.BUDGET_EXHAUSTED if money else _quota_reason(window)
    bound = _bound(hop, limit=limit.id, kind="budget" if money else "quota", reason=reason, unit=limit.unit,
                   window_us=window_us, own=link is chain.leaf)  # fmt: skip
    build.entries.append((_entry(build, key, window, limit.unit, limit.rule.max, at_commit), bound))
    return None


def _quota_reason(window: ops.Window) -> Reason:
    return Reason.CONTRACT_EXHAUSTED if isinstance(window, ops.Life) else Reason.QUOTA_EXHAUSTED


def _entry(
    build: Builder, key: str, window: ops.Window, unit: str, most: int, at_commit: ops.AtCommit
) -> ops.HoldEntry:
    price = build.tool.price
    amount = 1 if at_commit is ops.AtCommit.KEEP else (price.hold_micros if price is not None else 0)
    return ops.HoldEntry(key, window, unit, amount, most, ops.OnFull.REFUSE, at_commit)


def _add_budget(build: Builder, chain: Chain) -> StaticDenial | None:
    """What the operator lets the issuer spend under one root, or under one account of it."""
    budget = chain.budget
    assert budget is not None
    if budget.currency != build.policy.currency:
        detail = f"the issuer's budget is in {budget.currency}, the policy in {build.policy.currency}"
        return StaticDenial(reason=Reason.NOT_ALLOWED, detail=detail, limit=ISSUER_BUDGET, hop=0)
    key = cell_key("-", RESERVED_BUDGET_NAME, "cap", "life", budget.currency, chain.counters[0])
    window, _ = window_of(Life(), build.now_us)
    bound = _bound(0, limit=ISSUER_BUDGET, kind="budget", reason=Reason.BUDGET_EXHAUSTED,
                   unit=budget.currency)  # fmt: skip
    entry = _entry(build, key, window, budget.currency, budget.micros, ops.AtCommit.ACTUAL)
    build.entries.append((entry, bound))
    return None


def _bound(
    hop: int,
    *,
    limit: str,
    kind: str,
    reason: Reason,
    unit: str = "",
    window_us: int = 0,
    count: int = 0,
    own: bool = False,
) -> Bound:
    """A limit of a link."""
    return Bound(
        limit=limit, kind=kind, unit=unit, per=("contract",), window_us=window_us, reason=reason, count=count,
        own=own, hop=hop,
    )  # fmt: skip
