"""The log of the process: what an operator should look at, and nothing else.

Decisions are in the audit log. Here stand budgets that reach a warning level, calls whose outcome nobody knows, and, as an
error, money that was spent beyond a cap.
"""

import logging

from remit.core.sentences import describe_amount
from remit.engine.events import CallDecided, CallSettled

_log = logging.getLogger("remit.limits")


class LogObserver:
    """Hears of every event and writes down the few that need somebody's attention."""

    def observe(self, event: object) -> None:
        """Write a line where there is something to say."""
        match event:
            case CallDecided(decision=decision, caller=caller):
                for limit, permille in getattr(decision, "warnings", ()):
                    _log.warning("limit `%s` has reached %s %% (caller %s)", limit, permille / 10, caller.id)
            case CallSettled(step="lose", decision=decision, evidence=evidence):
                _log.warning("call %s is assumed spent: %s", decision.id, evidence)
            case CallSettled(over=over, decision=decision, frozen=frozen) if over:
                spent = ", ".join(describe_amount(amount, unit) for unit, amount in over.items())
                _log.error(
                    "call %s spent %s beyond its caps; frozen: %s", decision.id, spent, "; ".join(frozen) or "none"
                )
            case _:
                pass
