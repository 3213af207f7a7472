"""Settlement records: one for each step that ends a hold, or that changes an ended one."""

from remit.audit.record import SettledHow, Settlement
from remit.core.ledger.operations import HoldState
from remit.core.ledger.state import Step


def settlement_of(step: Step, *, latency_us: int = 0, status: int = 0, evidence: str = "", by: str = "") -> Settlement:
    """The record of one step of a hold's life."""
    return Settlement(
        hold=step.hold,
        decision=step.hold,
        how=_how(step),
        before=step.before.value if step.before is not None else "",
        after=step.after.value,
        actuals=step.actuals,
        overage=step.over,
        latency_us=latency_us,
        status=status,
        evidence=evidence or step.evidence,
        by=by,
        refund=step.refund,
    )


def _how(step: Step) -> SettledHow:
    match step.what:
        case "commit":
            return SettledHow.LATE if step.late else SettledHow.COMMITTED
        case "release":
            return SettledHow.RELEASED
        case "resolve":
            return SettledHow.RESOLVED
        case "refund":
            return SettledHow.REFUNDED
        case _:
            return SettledHow.EXPIRED if step.after is HoldState.EXPIRED else SettledHow.ASSUMED_SPENT


def is_settlement(step: Step) -> bool:
    """Whether a step ends a hold or changes an ended one; admissions are told by their decision."""
    return step.what not in ("hold", "dispatch")
