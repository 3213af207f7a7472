"""From outcomes to audit records: what a store writes beside the spend, in the same transaction.

A batch carries a draft that knows what was asked; the outcome and the steps of holds complete it. Refusals beyond ten
for one caller, reason and second are counted into one record, so that nobody fills the disk by being refused.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from remit.audit.record import Body, Refusals
from remit.audit.refusal import Refusal
from remit.audit.settlements import is_settlement, settlement_of
from remit.core.ledger.operations import Batch, Expire
from remit.core.ledger.operations import Outcome as LedgerOutcome
from remit.core.ledger.state import Step

REFUSALS_KEPT_WHOLE = 10
SECOND_US = 1_000_000
MAX_OPEN = 10_000
EVERYBODY_ELSE = "*"

RefusalKey = tuple[str, str, str]
"""Refusals are alike that have the same caller, reason and limit."""


class Draft(Protocol):
    """What a batch carries as its `record`."""

    def complete(self, outcome: LedgerOutcome, steps: Sequence[Step]) -> Sequence[Body | Refusal]:
        """The records of this batch, given what became of it; refusals are recorded whole or only counted."""
        ...


class Recording:
    """Turns outcomes into records and keeps the open counts of alike refusals."""

    def __init__(self) -> None:
        """Nothing refused yet."""
        self._second = 0
        self._open: dict[RefusalKey, tuple[int, Refusals | None]] = {}
        self._grown: set[RefusalKey] = set()
        self._closed = False

    def bodies(self, batch: Batch, outcome: LedgerOutcome, steps: Sequence[Step], now_us: int) -> list[Body]:
        """The records to write now. Expiries that the batch swept come first: they happened before it."""
        found: list[Body] = self.due(now_us)
        draft: Any = batch.record  # opaque to the ledger; whoever made the batch knows that it is a `Draft`
        if draft is None:
            found.extend(settlement_of(step) for step in steps if is_settlement(step))
            return found
        swept = _swept(batch, steps) if steps else []
        found.extend(settlement_of(step) for step in swept)
        own = [step for step in steps if step not in swept] if swept else steps
        for body in draft.complete(outcome, own):
            if not isinstance(body, Refusal):
                found.append(body)
            elif self._is_whole(body, now_us):
                found.append(body.record())
        return found

    def repeated(self, batch: Batch, outcome: LedgerOutcome) -> None:
        """The answer of a batch that was answered before: its draft learns of it, and nothing is recorded twice."""
        draft: Any = batch.record
        if draft is not None:
            draft.complete(outcome, ())

    def _is_whole(self, refusal: Refusal, now_us: int) -> bool:
        """Whether this refusal gets a record of its own; otherwise it is counted."""
        key = refusal.alike
        if key not in self._open and len(self._open) >= MAX_OPEN:
            key = (EVERYBODY_ELSE, refusal.reason, "")
        count, sum_ = self._open.get(key, (0, None))
        if count < REFUSALS_KEPT_WHOLE and sum_ is None and key[0] != EVERYBODY_ELSE:
            self._open[key] = (count + 1, None)
            return True
        if sum_ is None:
            sum_ = Refusals(
                count=0, caller=refusal.seen(), reason=refusal.reason, first_decision=refusal.id,
                last_decision=refusal.id, first_us=now_us, last_us=now_us, tool=refusal.tool, limit=key[2],
                policy=refusal.policy,
            )  # fmt: skip
        total = Refusals(
            count=sum_.count + 1, caller=sum_.caller, reason=sum_.reason, first_decision=sum_.first_decision,
            last_decision=refusal.id, first_us=sum_.first_us, last_us=now_us, tool=sum_.tool, limit=sum_.limit,
            policy=sum_.policy,
        )  # fmt: skip
        self._open[key] = (count, total)
        self._grown.add(key)
        return False

    def open_counts(self) -> list[Refusals]:
        """The counts that are still growing; a durable store keeps them too (`take_changes`)."""
        return [sum_ for _, sum_ in self._open.values() if sum_ is not None]

    def due(self, now_us: int, *, all_of_them: bool = False) -> list[Body]:
        """The counts whose second has passed, as records."""
        second = now_us // SECOND_US
        if second == self._second and not all_of_them:
            return []
        self._second = second
        closed: list[Body] = list(self.open_counts())
        self._open.clear()
        self._grown.clear()
        self._closed = self._closed or bool(closed)
        return closed

    @property
    def changed(self) -> bool:
        """Whether there is anything for `take_changes`."""
        return self._closed or bool(self._grown)

    def take_changes(self) -> tuple[bool, list[tuple[RefusalKey, Refusals]]]:
        """Since it was last asked: whether earlier open counts were closed, and the counts that have grown since."""
        closed, grown = self._closed, [(key, sum_) for key in self._grown if (sum_ := self._open[key][1]) is not None]
        self._closed = False
        self._grown.clear()
        return closed, grown


def _swept(batch: Batch, steps: Sequence[Step]) -> list[Step]:
    """Holds that ended because they were due, not because this batch names them."""
    named = {operation.hold for operation in batch.admit if isinstance(operation, Expire)}
    return [step for step in steps if step.what == "expire" and step.hold not in named]
