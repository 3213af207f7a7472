"""One judgement of one batch: what failed so far, what was seen, and what would change."""

from typing import Any

from remit.core.ledger.operations import Batch, Failure, FailureCode, Part, Replayed, View
from remit.core.ledger.state import HoldRow, Ledger


class Run:
    """The working notes of the interpreter. `pending` holds `(change, *arguments)`, carried out if all is admitted."""

    __slots__ = (
        "batch", "begin_key", "factor_permille", "failures", "index", "now_us", "part", "pending", "replay", "row",
        "state", "views",
    )  # fmt: skip

    def __init__(self, state: Ledger, batch: Batch, now_us: int) -> None:
        """Nothing judged yet."""
        self.state = state
        self.batch = batch
        self.now_us = now_us
        self.part = Part.ADMIT
        self.index = 0
        self.factor_permille = 1000
        self.failures: list[Failure] = []
        self.views: list[View] = []
        self.pending: list[tuple[Any, ...]] = []
        self.replay: Replayed | None = None
        self.begin_key: str | None = None
        self.row: HoldRow | None = None

    def failure(self, code: FailureCode, retry_at_us: int = 0, entry: int = -1, detail: str = "") -> Failure:
        """A failure of the operation that is being judged."""
        return Failure(self.part, self.index, entry, code, retry_at_us, detail)

    def fail(self, code: FailureCode, *, retry_at_us: int = 0, detail: str = "") -> None:
        """Note that the operation which is being judged refuses."""
        self.failures.append(Failure(self.part, self.index, -1, code, retry_at_us, detail))
