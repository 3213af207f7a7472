"""From outcomes to audit records: what a store writes beside the spend, in the same transaction.

A batch carries a draft that knows what was asked; the outcome and the steps of holds complete it. Refusals beyond ten
for one caller, reason and second are counted into one record, so that nobody fills the disk by being refused.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from remit.audit.record import Body, Decision, Outcome, Refusals
from remit.audit.settlements import is_settlement, settlement_of
from remit.core.ledger.operations import Batch
from remit.core.ledger.operations import Outcome as LedgerOutcome
from remit.core.ledger.state import Step

REFUSALS_KEPT_WHOLE = 10
SECOND_US = 1_000_000
MAX_OPEN = 10_000


@runtime_checkable
class Draft(Protocol):
    """What a batch carries as its `record`."""

    def complete(self, outcome: LedgerOutcome, steps: Sequence[Step]) -> Sequence[Body]:
        """The records of this batch, given what became of it."""
        ...


class Recording:
    """Turns outcomes into records and keeps the open counts of alike refusals."""

    def __init__(self) -> None:
        """Nothing refused yet."""
        self._second = 0
        self._open: dict[tuple[str, str, str], tuple[int, Refusals | None]] = {}

    def bodies(self, batch: Batch, outcome: LedgerOutcome, steps: Sequence[Step], now_us: int) -> list[Body]:
        """The records to write now. Expiries that the batch swept come first: they happened before it."""
        found: list[Body] = self.due(now_us)
        draft = batch.record
        if not isinstance(draft, Draft):
            found.extend(settlement_of(step) for step in steps if is_settlement(step))
            return found
        swept = [step for step in steps if step.what == "expire"]
        found.extend(settlement_of(step) for step in swept)
        for body in draft.complete(outcome, [step for step in steps if step.what != "expire"]):
            if not isinstance(body, Decision) or body.outcome is not Outcome.DENY or self._whole(body, now_us):
                found.append(body)
        return found

    def _whole(self, body: Decision, now_us: int) -> bool:
        """Whether this refusal gets a record of its own; otherwise it is counted."""
        key = (body.caller.id, body.reason, body.limit)
        count, sum_ = self._open.get(key, (0, None))
        if count < REFUSALS_KEPT_WHOLE and sum_ is None and len(self._open) < MAX_OPEN:
            self._open[key] = (count + 1, None)
            return True
        first = sum_ or Refusals(
            count=0, caller=body.caller, reason=body.reason, first_decision=body.id, last_decision=body.id,
            first_us=now_us, last_us=now_us, tool=body.tool, limit=body.limit, policy=body.policy,
        )  # fmt: skip
        total = Refusals(
            count=first.count + 1, caller=first.caller, reason=first.reason, first_decision=first.first_decision,
            last_decision=body.id, first_us=first.first_us, last_us=now_us, tool=first.tool, limit=first.limit,
            policy=first.policy,
        )  # fmt: skip
        self._open[key] = (count, total)
        return False

    def open_counts(self) -> list[Refusals]:
        """The counts that are still growing: a durable store keeps them too, so that a crash loses none."""
        return [sum_ for _, sum_ in self._open.values() if sum_ is not None]

    def due(self, now_us: int, *, all_of_them: bool = False) -> list[Body]:
        """The counts whose second has passed, as records."""
        second = now_us // SECOND_US
        if second == self._second and not all_of_them:
            return []
        self._second = second
        closed: list[Body] = list(self.open_counts())
        self._open.clear()
        return closed
