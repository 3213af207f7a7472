"""What the audit log will say: drafts that a batch carries and its outcome completes.

The store completes them inside its own step, so that the record of a spend is written in the same transaction as the
spend. `DecisionDraft` concludes on the way, and the engine takes that decision instead of concluding a second time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from remit.audit.record import Admin, Body, CallerSeen, LimitSeen, Link
from remit.audit.record import Decision as DecisionRecord
from remit.audit.record import Outcome as Decided
from remit.audit.redact import ToolRedaction
from remit.audit.refusal import Refusal
from remit.audit.settlements import is_settlement, settlement_of
from remit.core.caller import Caller
from remit.core.decide import Plan, conclude
from remit.core.decision import Allow, Decision, Deny, LimitUse
from remit.core.ledger import operations as ops
from remit.core.ledger.state import Step
from remit.core.request import Request


def caller_seen(caller: Caller) -> CallerSeen:
    """The caller as the log names it."""
    return CallerSeen(
        kind=caller.kind.value,
        id=caller.id,
        agent=caller.agent or "",
        user=caller.user or "",
        org=caller.org or "",
        tier=caller.tier or "",
        session=caller.session.id if caller.session is not None else "",
    )


def chain_seen(caller: Caller) -> tuple[Link, ...]:
    """The contract chain as the log names it, the root first."""
    chain = caller.chain
    if chain is None:
        return ()
    return tuple(
        Link(holder=link.holder.thumbprint, agent=link.agent or "", lineage=lineage)
        for link, lineage in zip(chain.links, chain.lineages, strict=True)
    )


def _limit_seen(use: LimitUse, code: str) -> LimitSeen:
    return LimitSeen(
        name=use.limit,
        code=code,
        per=", ".join(use.per),
        unit=use.unit,
        used=use.used,
        held=use.held,
        max=use.max,
        reset_us=use.reset_us,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asked for what, under which policy, and what of it the log must not show."""

    caller: Caller
    request: Request
    policy: str
    redact: ToolRedaction


class DecisionDraft:
    """One call to be decided. After `complete`, `decision` is what was decided."""

    __slots__ = ("asked", "decision", "plan")

    def __init__(self, asked: Asked) -> None:
        """`plan` is set once the batch that carries this draft exists."""
        self.asked = asked
        self.plan: Plan | None = None
        self.decision: Decision | None = None

    def complete(self, outcome: ops.Outcome, steps: Sequence[Step]) -> Sequence[Body | Refusal]:
        """The record of the decision; a stale plan and a repeated answer decide nothing new."""
        if self.plan is None or isinstance(outcome, ops.Stale):
            return ()
        self.decision = conclude(self.plan, outcome)
        if isinstance(self.decision, Deny):
            return (refusal(self.decision, self.asked, self.plan),)
        return (_allowed(self.decision, self.asked, self.plan),) if isinstance(self.decision, Allow) else ()


class DenialDraft:
    """A call that was refused without asking the ledger for anything."""

    __slots__ = ("asked", "decision")

    def __init__(self, decision: Deny, asked: Asked) -> None:
        """`decision` is complete already."""
        self.decision = decision
        self.asked = asked

    def complete(self, outcome: ops.Outcome, steps: Sequence[Step]) -> Sequence[Body | Refusal]:
        """The record of the denial."""
        return (refusal(self.decision, self.asked),)


def refusal(decision: Deny, asked: Asked, plan: Plan | None = None) -> Refusal:
    """A denial, to be recorded whole or only counted: for contracts by their root, since keys below it can be minted."""
    chain = asked.caller.chain
    return Refusal(
        id=decision.id,
        caller_id=asked.caller.id if chain is None else chain.lineages[0],
        reason=decision.reason.value,
        limit=decision.violated[0] if decision.violated else "",
        tool=decision.tool,
        policy=asked.policy,
        seen=partial(caller_seen, asked.caller),
        record=partial(_denied, decision, asked, plan),
    )


def _allowed(decision: Allow, asked: Asked, plan: Plan) -> DecisionRecord:
    request, redact = asked.request, asked.redact
    return DecisionRecord(
        id=decision.id,
        outcome=Decided.ALLOW,
        reason="",
        tool=decision.tool,
        caller=caller_seen(asked.caller),
        chain=chain_seen(asked.caller),
        target=redact.target(request.target, argument=plan.template.tool.target),
        method=request.method,
        path=redact.path(request.path, request.arguments) if redact.in_path else request.path,
        arguments=redact.arguments(request.arguments) if request.arguments else {},
        amounts=_amounts(plan),
        would_refuse=decision.would_refuse,
        hold=decision.hold,
        policy=asked.policy,
    )


def _denied(decision: Deny, asked: Asked, plan: Plan | None) -> DecisionRecord:
    request, redact, use = asked.request, asked.redact, decision.use
    return DecisionRecord(
        id=decision.id,
        outcome=Decided.DENY,
        reason=decision.reason.value,
        tool=decision.tool,
        caller=caller_seen(asked.caller),
        chain=chain_seen(asked.caller),
        target=redact.target(request.target, argument=plan.template.tool.target) if plan is not None else "",
        method=request.method,
        path=redact.path(request.path, request.arguments) if redact.in_path else request.path,
        arguments=redact.arguments(request.arguments) if request.arguments else {},
        amounts=_amounts(plan) if plan is not None else {},
        limit=decision.violated[0] if decision.violated else "",
        per=", ".join(use.per) if use is not None else "",
        unit=use.unit if use is not None else "",
        used=use.used if use is not None else 0,
        held=use.held if use is not None else 0,
        max=use.max if use is not None else 0,
        reset_us=decision.retry_at_us,
        hop=decision.hop + 1 if decision.hop is not None else 0,
        failing=tuple(_limit_seen(seen, "full") for seen in decision.uses if seen.limit in decision.violated[1:]),
        policy=asked.policy,
        detail=decision.detail,
    )


def _amounts(plan: Plan) -> dict[str, int]:
    """What the call asked to hold, by unit."""
    found: dict[str, int] = {}
    for entry in plan.template.entries:
        amount = plan.held_micros if entry.unit == plan.template.currency else entry.amount
        found[entry.unit] = max(found.get(entry.unit, 0), amount)
    return found


class SettlementDraft:
    """What is known about the end of a call besides what the ledger books."""

    __slots__ = ("by", "evidence", "frozen", "latency_us", "over", "status")

    def __init__(self, *, latency_us: int = 0, status: int = 0, evidence: str = "", by: str = "") -> None:
        """`status` is the upstream's HTTP status, `evidence` how the outcome is known, `by` who says so.

        After `complete`, `over` and `frozen` say what was spent beyond the caps and which cells that closed.
        """
        self.over: dict[str, int] = {}
        self.frozen: tuple[str, ...] = ()
        self.latency_us = latency_us
        self.status = status
        self.evidence = evidence
        self.by = by

    def complete(self, outcome: ops.Outcome, steps: Sequence[Step]) -> Sequence[Body]:
        """A record for each hold that this batch ended."""
        for step in steps:
            self.over.update(step.over)
            self.frozen += step.frozen
        return [
            settlement_of(step, latency_us=self.latency_us, status=self.status, evidence=self.evidence, by=self.by)
            for step in steps
            if is_settlement(step)
        ]


class AdminDraft:
    """Somebody changed something; recorded only if the batch applied."""

    __slots__ = ("record",)

    def __init__(self, record: Admin) -> None:
        """`record` is complete already."""
        self.record = record

    def complete(self, outcome: ops.Outcome, steps: Sequence[Step]) -> Sequence[Body]:
        """The record, and one for each hold that ended with it."""
        if not isinstance(outcome, ops.Applied):
            return ()
        ended = [settlement_of(step, by=self.record.by) for step in steps if is_settlement(step)]
        return [self.record, *ended]
