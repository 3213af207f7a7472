"""What observers hear: frozen events, one for each decision and each settlement."""

from dataclasses import dataclass

from remit.core.caller import Caller
from remit.core.decision import Allow, Decision
from remit.core.ledger.operations import Outcome


@dataclass(frozen=True, slots=True)
class CallDecided:
    """A call was allowed, denied or recognised as a repeat."""

    decision: Decision
    caller: Caller


@dataclass(frozen=True, slots=True)
class CallSettled:
    """An allowed call came to its end: `step` is commit, release or lose."""

    decision: Allow
    step: str
    status: int
    evidence: str
    outcome: Outcome


class Silent:
    """An observer that does nothing."""

    def observe(self, event: object) -> None:
        """Ignore it."""
