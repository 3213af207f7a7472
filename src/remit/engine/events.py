"""What observers hear: frozen events, one for each decision and each settlement."""

from dataclasses import dataclass

from remit.core.caller import Caller
from remit.core.decision import Allow, Decision


@dataclass(frozen=True, slots=True)
class CallDecided:
    """A call was allowed, denied or recognised as a repeat."""

    decision: Decision
    caller: Caller


@dataclass(frozen=True, slots=True)
class CallSettled:
    """An allowed call came to its end: `step` is commit, release or lose.

    `over` is what was spent beyond the caps, by unit; `frozen` the cells that were closed because of it.
    """

    decision: Allow
    step: str
    status: int
    evidence: str
    over: dict[str, int]
    frozen: tuple[str, ...]


class Silent:
    """An observer that does nothing."""

    def observe(self, event: object) -> None:
        """Ignore it."""
