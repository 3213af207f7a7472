"""One judgement of one batch: what failed so far, what was seen, and what would change."""

from typing import Any

from remit.core.ledger.operations import Batch, Failure, FailureCode, Part, Replayed, View
from remit.core.ledger.state import HoldRow, Ledger


class Run:
    """The working notes of the interpreter. `pending` holds `(change, argument)`, carried out if all is admitted.

    `places` says where each entry of the batch's hold stands: `(period, end_us)`; None as long as there is no hold.
    """

    __slots__ = (
        "batch", "begin_key", "factor_permille", "failures", "index", "now_us", "part", "pending", "places", "replay",
        "row", "state", "steady_us", "views",
    )  # fmt: skip

    def __init__(self, state: Ledger, batch: Batch, *, now_us: int, steady_us: int) -> None:
        """Nothing judged yet."""
        self.state = state
        self.batch = batch
        self.now_us = now_us
        self.steady_us = steady_us
        self.part = Part.ADMIT
        self.index = 0
        self.factor_permille = 1000
        self.failures: list[Failure] = []
        self.views: list[View] = []
        self.pending: list[tuple[Any, Any]] = []
        self.places: list[tuple[int, int]] | None = None
        self.replay: Replayed | None = None
        self.begin_key: str | None = None
        self.row: HoldRow | None = None

    def fail(self, code: FailureCode, *, retry_at_us: int = 0, entry: int = -1, detail: str = "") -> None:
        """Note that the operation which is being judged (or one entry of its hold) refuses."""
        self.failures.append(Failure(self.part, self.index, entry, code, retry_at_us, detail))

    def carry_out(self) -> None:
        """Make every noted change. The ledger is torn in between, so that nobody ever builds on half a step."""
        self.state.torn = True
        for change, argument in self.pending:
            change(self, argument)
        self.state.torn = False
