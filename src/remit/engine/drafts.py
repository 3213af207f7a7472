"""What the audit log will say: drafts that a batch carries and its outcome completes.

The store completes them inside its own step, so that the record of a spend is written in the same transaction as the
spend. `DecisionDraft` concludes on the way, and the engine takes that decision instead of concluding a second time.
"""

from collections.abc import Mapping, Sequence

from remit.audit.record import Admin, Body, CallerSeen, LimitSeen
from remit.audit.record import Decision as DecisionRecord
from remit.audit.record import Outcome as Decided
from remit.audit.redact import ToolRedaction
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


class DecisionDraft:
    """One call to be decided. After `complete`, `decision` is what was decided."""

    __slots__ = ("decision", "plan", "policy", "redact", "request", "seen")

    def __init__(self, seen: CallerSeen, request: Request, *, policy: str, redact: ToolRedaction) -> None:
        """`plan` is set once the batch that carries this draft exists."""
        self.seen = seen
        self.request = request
        self.policy = policy
        self.redact = redact
        self.plan: Plan | None = None
        self.decision: Decision | None = None

    def complete(self, outcome: ops.Outcome, steps: Sequence[Step]) -> Sequence[Body]:
        """The record of the decision; a stale plan and a repeated answer decide nothing new."""
        if self.plan is None or isinstance(outcome, ops.Stale):
            return ()
        self.decision = conclude(self.plan, outcome)
        if isinstance(self.decision, Allow | Deny):
            return (
                decision_record(
                    self.decision, self.seen, self.request, policy=self.policy, redact=self.redact, plan=self.plan
                ),
            )
        return ()


class DenialDraft:
    """A call that was refused without asking the ledger for anything."""

    __slots__ = ("decision", "policy", "redact", "request", "seen")

    def __init__(
        self, decision: Deny, seen: CallerSeen, request: Request, *, policy: str, redact: ToolRedaction
    ) -> None:
        """`decision` is complete already."""
        self.decision = decision
        self.seen = seen
        self.request = request
        self.policy = policy
        self.redact = redact

    def complete(self, outcome: ops.Outcome, steps: Sequence[Step]) -> Sequence[Body]:
        """The record of the denial."""
        return (decision_record(self.decision, self.seen, self.request, policy=self.policy, redact=self.redact),)


def decision_record(
    decision: Allow | Deny,
    seen: CallerSeen,
    request: Request,
    *,
    policy: str,
    redact: ToolRedaction,
    plan: Plan | None = None,
) -> DecisionRecord:
    """The record of a decision."""
    amounts: Mapping[str, int] = _asked(plan) if plan is not None else {}
    arguments = redact.arguments(request.arguments) if request.arguments else {}
    path = redact.path(request.path, request.arguments) if redact.in_path else request.path
    target = redact.target(request.target, argument=plan.template.tool.target) if plan is not None else ""
    if isinstance(decision, Allow):
        return DecisionRecord(
            id=decision.id, outcome=Decided.ALLOW, reason="", tool=decision.tool, caller=seen, target=target,
            method=request.method, path=path, arguments=arguments, amounts=dict(amounts),
            would_refuse=decision.would_refuse, hold=decision.hold, policy=policy,
        )  # fmt: skip
    use = decision.use
    return DecisionRecord(
        id=decision.id, outcome=Decided.DENY, reason=decision.reason.value, tool=decision.tool, caller=seen,
        target=target, method=request.method, path=path, arguments=arguments,
        amounts=dict(amounts), limit=decision.violated[0] if decision.violated else "",
        per=", ".join(use.per) if use is not None else "", unit=use.unit if use is not None else "",
        used=use.used if use is not None else 0, held=use.held if use is not None else 0,
        max=use.max if use is not None else 0, reset_us=decision.retry_at_us,
        failing=tuple(_limit_seen(u, "full") for u in decision.uses if u.limit in decision.violated[1:]),
        policy=policy, detail=decision.detail,
    )  # fmt: skip


def _asked(plan: Plan) -> dict[str, int]:
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
