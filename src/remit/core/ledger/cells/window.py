"""Windows: what was booked and what is held in a period.

`PeriodCell` keeps one account for each calendar period (or a single one, for a life). `RollingCell` keeps what was
booked in sub-buckets and counts 61 of them, the oldest whole, so that no real interval of the window's length ever
holds more than the maximum; what is held counts until its hold ends, whenever it began. Both remember in `live` which
holds stand in them and when these are due, so that a batch sweeps the due holds of the cells it touches.

Calendar periods follow the store's clock (`now_us`). Rolling windows follow `steady_us`, which is the same less every
step back that the clock was ordered to make, and therefore never goes back itself.
"""

from remit.core.ledger.operations import FOREVER_US, MAX_AMOUNT, ROLLING_BUCKETS, Calendar, Life, Rolling, Window

KEEP_PERIODS_US = 35 * 86_400_000_000
"""How long an ended period is kept, for refunds and late commits."""


class Account:
    """One period's figures: booked, held, and booked above the maximum. `end_us` is when the period ends."""

    __slots__ = ("end_us", "held", "over", "used")

    def __init__(self, end_us: int, *, used: int = 0, held: int = 0, over: int = 0) -> None:
        """A fresh account is empty."""
        self.used = used
        self.held = held
        self.over = over
        self.end_us = end_us


class LiveHolds:
    """Holds that have not ended, with the time at which each is due. `next_due_us` never lies after the first.

    The due ones are looked for once and then kept in `waiting` (the earliest last) until all of them were given out, so
    that a thousand of them cost one search and not one for each batch.
    """

    __slots__ = ("live", "next_due_us", "waiting")

    def __init__(self) -> None:
        """Nobody holds anything."""
        self.live: dict[str, int] = {}
        self.next_due_us = FOREVER_US
        self.waiting: list[tuple[int, str]] = []

    def enter(self, hold: str, expires_us: int) -> None:
        """A hold stands here until it ends; entering again moves its expiry."""
        self.live[hold] = expires_us
        self.next_due_us = min(self.next_due_us, expires_us)
        if self.waiting and expires_us <= self.waiting[0][0]:
            self.waiting = []

    def leave(self, hold: str) -> None:
        """The hold has ended."""
        self.live.pop(hold, None)

    def due(self, now_us: int, limit: int) -> list[str]:
        """The first `limit` holds that are due, earliest first (of equals, by id); whoever asks ends them."""
        if self.next_due_us > now_us:
            return []
        found: list[str] = []
        while len(found) < limit and (self.waiting or self._look(now_us, found)):
            at_us, hold = self.waiting.pop()
            if self.live.get(hold) == at_us:
                found.append(hold)
        return found

    def stand_empty(self) -> None:
        """As if nobody stood here: who rebuilds an index enters everybody again."""
        self.live.clear()
        self.waiting = []
        self.next_due_us = FOREVER_US

    def _look(self, now_us: int, found: list[str]) -> bool:
        """Fill `waiting` with what is due and not yet `found`, or else note when the next one is."""
        given = set(found)
        rest = [(at_us, hold) for hold, at_us in self.live.items() if hold not in given]
        self.waiting = sorted((one for one in rest if one[0] <= now_us), reverse=True)
        if not self.waiting:
            self.next_due_us = min((at_us for at_us, _ in rest), default=FOREVER_US)
        return bool(self.waiting)


class _Cell(LiveHolds):
    """What both kinds of window share: holds that stand in it, and the flag that overage sets."""

    __slots__ = ("frozen",)

    def __init__(self) -> None:
        super().__init__()
        self.frozen = False


class PeriodCell(_Cell):
    """Accounts by the start of their period; a life has the single period 0."""

    __slots__ = ("periods",)

    def __init__(self) -> None:
        """No period has been touched yet."""
        super().__init__()
        self.periods: dict[int, Account] = {}

    def taken(self, period: int, steady_us: int) -> int:
        """Booked and held together in that period."""
        account = self.periods.get(period)
        return account.used + account.held if account is not None else 0

    def figures(self, period: int, steady_us: int) -> tuple[int, int]:
        """`(used, held)` of that period."""
        account = self.periods.get(period)
        return (account.used, account.held) if account is not None else (0, 0)

    def add_held(self, period: int, amount: int, end_us: int) -> None:
        """Hold `amount` more (or less, when negative) in that period."""
        account = self.periods.get(period)
        if account is None:
            account = self.periods[period] = Account(end_us)
        account.held += amount

    def add_used(self, period: int, amount: int, end_us: int) -> None:
        """Book `amount` more (or less, when negative) in that period."""
        account = self.periods.get(period)
        if account is None:
            account = self.periods[period] = Account(end_us)
        account.used += amount

    def add_over(self, period: int, amount: int, end_us: int) -> int:
        """Record `amount` as overage of that period (negative: a correction undoes it), as far as integers go."""
        account = self.periods.get(period)
        if account is None:
            account = self.periods[period] = Account(end_us)
        amount = min(amount, MAX_AMOUNT - account.over)
        account.over += amount
        return amount

    def over(self, period: int) -> int:
        """The overage recorded in that period."""
        account = self.periods.get(period)
        return account.over if account is not None else 0

    def reaches(self, period: int) -> bool:
        """Whether that period is still kept."""
        return period in self.periods

    def forget(self, now_us: int) -> bool:
        """Drop periods that nothing can reach any more; True if the cell itself may go."""
        old = [p for p, a in self.periods.items() if a.held == 0 and a.end_us < now_us - KEEP_PERIODS_US]
        for period in old:
            del self.periods[period]
        return not self.periods and not self.live and not self.frozen


class RollingCell(_Cell):
    """Booked amounts by bucket; `floor` is the oldest bucket that still counts and `total` the sum of those that do."""

    __slots__ = ("bucket_us", "buckets", "floor", "held", "over_total", "total")

    def __init__(self, bucket_us: int) -> None:
        """Nothing booked, nothing held."""
        super().__init__()
        self.bucket_us = bucket_us
        self.buckets: dict[int, int] = {}
        self.floor = 0
        self.total = 0
        self.held = 0
        self.over_total = 0

    def taken(self, period: int, steady_us: int) -> int:
        """Booked in the window that ends now, and everything held."""
        floor = steady_us // self.bucket_us - ROLLING_BUCKETS
        if floor > self.floor:
            self._advance(floor)
        return self.total + self.held

    def figures(self, period: int, steady_us: int) -> tuple[int, int]:
        """`(used, held)` of the window that ends now."""
        self.taken(period, steady_us)
        return self.total, self.held

    def _advance(self, floor: int) -> None:
        buckets = self.buckets
        for bucket in [b for b in buckets if b < floor]:
            self.total -= buckets.pop(bucket)
        self.floor = floor

    def add_held(self, period: int, amount: int, end_us: int) -> None:
        """Hold `amount` more (or less)."""
        self.held += amount

    def add_used(self, period: int, amount: int, end_us: int) -> None:
        """Book `amount` at the bucket of its admission; one that has left the window no longer counts."""
        if period >= self.floor and amount:
            self.buckets[period] = self.buckets.get(period, 0) + amount
            self.total += amount

    def add_over(self, period: int, amount: int, end_us: int) -> int:
        """Record `amount` as overage, as far as integers go."""
        amount = min(amount, MAX_AMOUNT - self.over_total)
        self.over_total += amount
        return amount

    def over(self, period: int) -> int:
        """All overage ever recorded here."""
        return self.over_total

    def reaches(self, period: int) -> bool:
        """Whether a booking at that bucket still counts."""
        return period >= self.floor

    def room_in_us(self, need: int, steady_us: int) -> int | None:
        """How long until `need` will have left the window by itself (None: never, since the rest is held)."""
        for bucket in sorted(self.buckets):
            need -= self.buckets[bucket]
            if need <= 0:
                return max(0, (bucket + ROLLING_BUCKETS + 1) * self.bucket_us - steady_us)
        return None

    def forget(self, steady_us: int) -> bool:
        """True if nothing here matters any more."""
        self.taken(0, steady_us)
        return not self.buckets and not self.live and not self.frozen and not self.over_total


WindowCell = PeriodCell | RollingCell


def fresh_cell(window: Window) -> WindowCell:
    """An empty cell of the kind that `window` asks for."""
    return RollingCell(window.bucket_us) if type(window) is Rolling else PeriodCell()


def locate(window: Window, *, now_us: int, steady_us: int) -> tuple[int, int]:
    """The `(period, end_us)` that holds this moment; `end_us` is when it ends (0: rolling, it slides).

    The batch was checked against the validity of its plan before, so one of a calendar's two periods always fits.
    """
    if type(window) is Rolling:
        return steady_us // window.bucket_us, 0
    if type(window) is Calendar:
        span = window.current if now_us < window.current.end_us else window.next
        return span.start_us, span.end_us
    assert type(window) is Life
    return 0, window.keep_until_us


def reset_us(cell: WindowCell | None, window: Window, *, now_us: int, steady_us: int, need: int = 1) -> int:
    """When `need` more room comes by itself (0: never)."""
    if type(window) is Rolling:
        in_us = cell.room_in_us(need, steady_us) if type(cell) is RollingCell else None
        return now_us + in_us if in_us is not None else 0
    if type(window) is Calendar:
        return window.current.end_us if now_us < window.current.end_us else window.next.end_us
    return 0
