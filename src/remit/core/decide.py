"""Start here: how a call is decided. Two pure halves round the store's one step.

`authorize` turns a call into a batch of ledger operations, or into a denial that needs no counters; the store applies
the batch; `conclude` turns its answer into a decision. What both share is prepared once for a caller and a tool
(`template.prepare`).
"""

from dataclasses import dataclass

from remit.core.caller import Caller
from remit.core.cell_keys import cell_key
from remit.core.decision import Allow, Decision, Deny, LimitUse, Repeat
from remit.core.ledger import operations as ops
from remit.core.reasons import PRECEDENCE, Reason
from remit.core.request import Request
from remit.core.sentences import describe_denial
from remit.core.template import Bound, StaticDenial, Template

IDEMPOTENCY_TTL_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One call's batch, and how far its `admit` list is shifted by operations that only this call has."""

    template: Template
    batch: ops.Batch
    held_micros: int
    shift: int = 0
    shift_at: int = 0


def authorize(template: Template, request: Request, *, id: str, epoch: int | None, record: object | None) -> Plan:
    """The batch that decides this call. `record` is what the audit log will say of it."""
    cost_micros = template.hold_micros if request.cost_micros is None else request.cost_micros
    admit = template.admit
    shift = shift_at = 0
    if request.idempotency is not None:
        shift_at = sum(1 for operation in admit if type(operation) is ops.Gate)
        admit = (*admit[:shift_at], _begin(template, request.idempotency), *admit[shift_at:])
        shift = 1
    if template.entries or request.idempotency is not None:
        amounts = None if cost_micros == template.hold_micros else _amounts(template, cost_micros)
        admit = (*admit, ops.Hold(ops.HoldState.DISPATCHED, template.ttl_us, template.entries, amounts))
    always = () if request.proof is None else (ops.Once(*request.proof),)
    batch = ops.Batch(
        id,
        admit,
        always,
        epoch=epoch,
        valid_from_us=template.valid_from_us,
        valid_until_us=template.valid_until_us,
        record=record,
    )
    return Plan(template=template, batch=batch, held_micros=cost_micros, shift=shift, shift_at=shift_at)


def permitted(caller: Caller, request: Request) -> StaticDenial | None:
    """Whether the caller's contract allows this tool with these arguments; None: it does, or there is no contract."""
    if caller.chain is None:
        return None
    refusal = caller.chain.leaf.refusal(request.tool, request.given)
    if refusal is None:
        return None
    hop = len(caller.chain.links) - 1
    return StaticDenial(reason=Reason.NOT_ALLOWED, detail=f"{refusal}.", limit="contract", hop=hop)


def _begin(template: Template, idempotency: tuple[str, str]) -> ops.Begin:
    key, fingerprint = idempotency
    caller = template.caller
    return ops.Begin(cell_key(caller.tenant, "idempotency", caller.id, key), fingerprint, IDEMPOTENCY_TTL_US)


def _amounts(template: Template, cost_micros: int) -> tuple[int, ...]:
    currency = template.currency
    return tuple(cost_micros if entry.unit == currency else entry.amount for entry in template.entries)


def deny(id: str, now_us: int, denial: StaticDenial, *, tool: str) -> Deny:
    """A denial that no counter was needed for."""
    violated = (denial.limit,) if denial.limit else ()
    return Deny(id=id, now_us=now_us, reason=denial.reason, detail=denial.detail, tool=tool, violated=violated,
                hop=denial.hop)  # fmt: skip


def conclude(plan: Plan, outcome: ops.Applied | ops.Refused | ops.Replayed) -> Decision:
    """What the store's answer means for the caller."""
    if isinstance(outcome, ops.Replayed):
        return Repeat(id=plan.batch.id, now_us=outcome.now_us, hold=outcome.hold, answer=outcome.answer)
    if isinstance(outcome, ops.Refused):
        return _refused(plan, outcome)
    uses: list[LimitUse] = []
    would_refuse: list[str] = []
    warnings: list[tuple[str, int]] = []
    wait_us = 0
    for view in outcome.views:
        bound = _bound_of(plan, view.index, view.entry)
        if bound is None:
            continue
        uses.append(_use(bound, view))
        wait_us = max(wait_us, view.wait_us)
        if view.over:
            would_refuse.append(bound.limit)
        after = view.used + view.held
        warnings.extend((bound.limit, level) for level in bound.warn_at_permille if _crossed(view, after, level))
    return Allow(
        id=plan.batch.id,
        now_us=outcome.now_us,
        tool=plan.template.tool.name,
        hold=plan.batch.id if plan.template.entries or plan.shift else "",
        held_micros=plan.held_micros,
        uses=tuple(uses),
        wait_us=wait_us,
        would_refuse=tuple(would_refuse),
        warnings=tuple(warnings),
    )


def _crossed(view: ops.View, after: int, permille: int) -> bool:
    level = view.max * permille
    return view.before * 1000 < level <= after * 1000


def _bound_of(plan: Plan, index: int, entry: int) -> Bound | None:
    """The limit behind an operation of the batch (or an entry of its hold)."""
    template = plan.template
    if entry >= 0:
        return template.entry_bounds[entry]
    if plan.shift and index >= plan.shift_at:
        if index == plan.shift_at:
            return None
        index -= plan.shift
    return template.operation_bounds[index]


def _use(bound: Bound, view: ops.View) -> LimitUse:
    return LimitUse(
        limit=bound.limit,
        kind=bound.kind,
        unit=bound.unit,
        per=bound.per,
        max=view.max,
        used=view.used,
        held=view.held,
        reset_us=view.reset_us,
        window_us=bound.window_us,
        count=bound.count,
        own=bound.own,
    )


IDEMPOTENCY_REASONS = {
    ops.FailureCode.MISMATCH: Reason.IDEMPOTENCY_MISMATCH,
    ops.FailureCode.IN_FLIGHT: Reason.IDEMPOTENCY_IN_FLIGHT,
    ops.FailureCode.OUTCOME_UNKNOWN: Reason.OUTCOME_UNKNOWN,
}


def _reason_of(bound: Bound | None, failure: ops.Failure) -> Reason:
    match failure.code:
        case ops.FailureCode.MISMATCH | ops.FailureCode.IN_FLIGHT | ops.FailureCode.OUTCOME_UNKNOWN:
            return IDEMPOTENCY_REASONS[failure.code]
        case ops.FailureCode.FROZEN:
            return Reason.BUDGET_FROZEN
        case ops.FailureCode.CLOCK_UNSURE:
            return Reason.CLOCK_UNSURE
        case ops.FailureCode.REPLAYED | ops.FailureCode.TOO_LATE:
            return Reason.REPLAYED
        case ops.FailureCode.CHALLENGED:
            return Reason.STRONGER_BINDING_REQUIRED
        case ops.FailureCode.CLOSED if failure.detail != "revoked" and bound is not None and bound.limit == "key":
            return Reason.SUSPENDED
        case _:
            return bound.reason if bound is not None else Reason.NOT_ALLOWED


def _refused(plan: Plan, outcome: ops.Refused) -> Deny:
    """The failure that comes first in the table binds; of equals the one that lasts longest."""
    views = {(view.index, view.entry): view for view in outcome.views}
    found = []
    for failure in outcome.failures:
        bound = _bound_of(plan, failure.index, failure.entry) if failure.part is ops.Part.ADMIT else None
        reason = _reason_of(bound, failure)
        lasts_us = failure.retry_at_us or ops.FOREVER_US
        found.append((PRECEDENCE[reason], -lasts_us, failure.index, failure.entry, reason, bound, failure))
    found.sort(key=lambda row: row[:4])
    _, _, index, entry, reason, bound, failure = found[0]
    view = views.get((index, entry))
    use = _use(bound, view) if bound is not None and view is not None else None
    bounds = [_bound_of(plan, seen.index, seen.entry) for seen in outcome.views]
    return Deny(
        id=plan.batch.id,
        now_us=outcome.now_us,
        reason=reason,
        detail=describe_denial(reason, use, needed=plan.held_micros),
        tool=plan.template.tool.name,
        use=use,
        violated=tuple(dict.fromkeys(row[5].limit for row in found if row[5] is not None)),
        retry_at_us=failure.retry_at_us,
        hop=bound.hop if bound is not None else None,
        uses=tuple(_use(b, seen) for b, seen in zip(bounds, outcome.views, strict=True) if b is not None),
    )
