"""The money side of the ledger once more, slow and small: a list of what happened, and sums over it.

Nothing is kept up to date here. What a cell holds is recomputed for every question from all holds and all bookings
ever made, so that there is no counter which could drift. Only the vocabulary (`operations`) is shared with the code under
test. What the model says is design, not measurement: a rolling window counts the present sub-bucket and the sixty before
it; a hold counts until it ends; what a commit needs above its hold is taken from what room there is, and the rest is
overage.
"""

from dataclasses import dataclass, field

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import AtCommit, AtExpiry, FailureCode, HoldState, OnFull

LIVE = {HoldState.RESERVED, HoldState.DISPATCHED}
REFUND_WITHIN_US = 35 * 86_400_000_000

Failed = set[tuple[int, int, FailureCode]]
Seen = list[tuple[int, int, int, int, int, bool]]


@dataclass
class Part:
    """One entry of a hold: when its amount counts, and how much of it is what."""

    entry: ops.HoldEntry
    at_us: int
    held: int
    soft: int = 0
    booked: int = 0
    over: int = 0


@dataclass
class ModelHold:
    """One hold."""

    state: HoldState
    expires_us: int
    parts: list[Part]
    ended_us: int = 0
    refunds: set[str] = field(default_factory=set)
    answer: Seen = field(default_factory=list)

    def cost(self, unit: str) -> int:
        """What it came to cost in that unit."""
        return max((part.booked + part.over for part in self.parts if part.entry.unit == unit), default=0)


@dataclass
class Booking:
    """An amount booked for good: an attempt, an outcome, a correction."""

    key: str
    window: ops.Window
    at_us: int
    amount: int


def same_period(window: ops.Window, at_us: int, now_us: int) -> bool:
    """Whether what happened at `at_us` counts in the window that `now_us` lies in."""
    if isinstance(window, ops.Rolling):
        bucket_us = -(-window.width_us // 60)
        return now_us // bucket_us - at_us // bucket_us <= 60
    if isinstance(window, ops.Calendar):
        spans = (window.current, window.next)
        return any(span.start_us <= at_us < span.end_us and span.start_us <= now_us < span.end_us for span in spans)
    return True


class Model:
    """All that ever happened, and what follows from it."""

    def __init__(self) -> None:
        self.holds: dict[str, ModelHold] = {}
        self.bookings: list[Booking] = []
        self.frozen: set[str] = set()

    def used(self, key: str, window: ops.Window, now_us: int) -> int:
        """Booked in the window that holds `now_us`."""
        booked = sum(b.amount for b in self.bookings if b.key == key and same_period(window, b.at_us, now_us))
        ended = [part for hold in self.holds.values() if hold.state not in LIVE for part in hold.parts]
        return booked + sum(p.booked for p in ended if p.entry.key == key and same_period(window, p.at_us, now_us))

    def held(self, key: str, window: ops.Window, now_us: int) -> int:
        """Held in the window that holds `now_us`; in a rolling window a hold counts until it ends."""
        live = [part for hold in self.holds.values() if hold.state in LIVE for part in hold.parts]
        anytime = isinstance(window, ops.Rolling)
        found = [p for p in live if p.entry.key == key and (anytime or same_period(window, p.at_us, now_us))]
        return sum(part.held - part.soft for part in found)

    def over(self, key: str, window: ops.Window, now_us: int) -> int:
        """Overage of that window; a rolling one remembers all of it."""
        parts = [(hold, part) for hold in self.holds.values() for part in hold.parts if part.entry.key == key]
        anytime = isinstance(window, ops.Rolling)
        found = [(h, p) for h, p in parts if anytime or same_period(window, p.at_us, now_us)]
        return sum(part.soft if hold.state in LIVE else part.over for hold, part in found)

    def taken(self, key: str, window: ops.Window, now_us: int) -> int:
        """Booked and held together."""
        return self.used(key, window, now_us) + self.held(key, window, now_us)

    def sweep(self, keys: list[str], now_us: int, *, spared: str = "", limit: int = 8) -> None:
        """End due holds that stand in these cells, cell by cell, the earliest first."""
        left = limit
        for key in keys:
            due = sorted(
                (hold.expires_us, id_)
                for id_, hold in self.holds.items()
                if hold.state in LIVE and hold.expires_us <= now_us and any(p.entry.key == key for p in hold.parts)
            )
            due = due[:left]
            for _, id_ in due:
                if id_ != spared:
                    self.expire(id_, now_us)
                    left -= 1

    def sweep_all(self, now_us: int, limit: int) -> None:
        """End due holds wherever they stand."""
        due = sorted((h.expires_us, i) for i, h in self.holds.items() if h.state in LIVE and h.expires_us <= now_us)
        for _, id_ in due[:limit]:
            self.expire(id_, now_us)

    def reserve(self, id_: str, hold: ops.Hold, now_us: int) -> tuple[Failed, Seen]:
        """Admit a hold if every entry has room."""
        self.sweep([entry.key for entry in hold.entries], now_us)
        amounts = hold.amounts or tuple(entry.amount for entry in hold.entries)
        failed: Failed = set()
        seen: Seen = []
        parts: list[Part] = []
        for index, (entry, amount) in enumerate(zip(hold.entries, amounts, strict=True)):
            used, held = self.used(entry.key, entry.window, now_us), self.held(entry.key, entry.window, now_us)
            room = entry.max - used - held
            if entry.on_full is OnFull.REFUSE and (entry.key in self.frozen or amount > room):
                failed.add((0, index, FailureCode.FROZEN if entry.key in self.frozen else FailureCode.FULL))
                continue
            soft = max(0, amount - max(0, room)) if entry.on_full is OnFull.EXCEED else 0
            parts.append(Part(entry, now_us, amount, soft))
            seen.append((index, used + held, used, held + amount - soft, entry.max, amount > room))
        if not failed:
            self.holds[id_] = ModelHold(hold.state, now_us + hold.ttl_us, parts)
        return failed, seen

    def extend(self, id_: str, ttl_us: int, more: dict[str, int], now_us: int) -> Failed:
        """Hold more of these units if every entry has room."""
        hold = self.holds[id_]
        touched = [part.entry.key for part in hold.parts if more.get(part.entry.unit)] if hold.state in LIVE else []
        self.sweep(touched, now_us, spared=id_)
        if hold.state not in LIVE:
            return {(0, -1, FailureCode.WRONG_STATE)}
        failed: Failed = set()
        wanted: list[tuple[Part, int, int]] = []
        for index, part in enumerate(hold.parts):
            entry, amount = part.entry, more.get(part.entry.unit, 0)
            room = entry.max - self._taken_at(part, now_us)
            if amount and entry.on_full is OnFull.REFUSE and (entry.key in self.frozen or amount > room):
                failed.add((0, index, FailureCode.FROZEN if entry.key in self.frozen else FailureCode.FULL))
            wanted.append((part, amount, max(0, amount - max(0, room)) if entry.on_full is OnFull.EXCEED else 0))
        if not failed:
            for part, amount, soft in wanted:
                part.held += amount
                part.soft += soft
            hold.expires_us = max(hold.expires_us, now_us + ttl_us)
        return failed

    def _taken_at(self, part: Part, now_us: int) -> int:
        """What is taken where this part was admitted: its own period, or the rolling window as it is now."""
        window = part.entry.window
        return self.taken(part.entry.key, window, now_us if isinstance(window, ops.Rolling) else part.at_us)

    def dispatch(self, id_: str) -> Failed:
        """reserved → dispatched."""
        hold = self.holds[id_]
        if hold.state is HoldState.RESERVED:
            hold.state = HoldState.DISPATCHED
        return set() if hold.state is HoldState.DISPATCHED else {(0, -1, FailureCode.WRONG_STATE)}

    def commit(self, id_: str, actuals: dict[str, int], now_us: int) -> Failed:
        """Book the actual of a hold that was dispatched, assumed spent, or let go."""
        hold = self.holds[id_]
        if hold.state is HoldState.SETTLED:
            return set()
        if hold.state is HoldState.RESERVED:
            return {(0, -1, FailureCode.WRONG_STATE)}
        self._settle(hold, HoldState.SETTLED, actuals, now_us)
        return set()

    def release(self, id_: str, now_us: int) -> Failed:
        """Nothing happened."""
        hold = self.holds[id_]
        if hold.state in LIVE:
            self._end(hold, HoldState.RELEASED, [0] * len(hold.parts), now_us)
        return set() if hold.state is HoldState.RELEASED else {(0, -1, FailureCode.WRONG_STATE)}

    def resolve(self, id_: str, outcome: ops.ResolveAs, actuals: dict[str, int], now_us: int) -> Failed:
        """Somebody found out."""
        hold = self.holds[id_]
        wanted = HoldState.SETTLED if outcome is ops.ResolveAs.SPENT else HoldState.RELEASED
        if hold.state is HoldState.ASSUMED_SPENT:
            if wanted is HoldState.SETTLED:
                self._settle(hold, wanted, actuals, now_us)
            else:
                self._end(hold, wanted, [0] * len(hold.parts), now_us)
        return set() if hold.state is wanted else {(0, -1, FailureCode.WRONG_STATE)}

    def expire(self, id_: str, now_us: int) -> None:
        """Its time is over."""
        hold = self.holds[id_]
        if hold.state is HoldState.RESERVED:
            self._end(hold, HoldState.EXPIRED, [0] * len(hold.parts), now_us)
        elif hold.state is HoldState.DISPATCHED:
            spent = [part.held if part.entry.at_expiry is AtExpiry.SPEND else 0 for part in hold.parts]
            self._end(hold, HoldState.ASSUMED_SPENT, spent, now_us)

    def refund(self, id_: str, refund: str, amounts: dict[str, int], now_us: int) -> Failed:
        """Give back, out of overage first."""
        hold = self.holds[id_]
        if hold.state is not HoldState.SETTLED:
            return {(0, -1, FailureCode.WRONG_STATE)}
        if refund in hold.refunds:
            return set()
        if now_us > hold.ended_us + REFUND_WITHIN_US:
            return {(0, -1, FailureCode.TOO_LATE)}
        if any(amount > hold.cost(unit) for unit, amount in amounts.items()):
            return {(0, -1, FailureCode.TOO_MUCH)}
        hold.refunds.add(refund)
        for part in hold.parts:
            back = min(amounts.get(part.entry.unit, 0), part.booked + part.over)
            from_over = min(back, part.over)
            part.over -= from_over
            part.booked -= back - from_over
        return set()

    def _settle(self, hold: ModelHold, after: HoldState, actuals: dict[str, int], now_us: int) -> None:
        amounts = []
        for part in hold.parts:
            at_commit = part.entry.at_commit
            actual = actuals.get(part.entry.unit, part.held) if at_commit is AtCommit.ACTUAL else part.held
            amounts.append(0 if at_commit is AtCommit.ZERO else actual)
        self._end(hold, after, amounts, now_us)

    def _end(self, hold: ModelHold, after: HoldState, amounts: list[int], now_us: int) -> None:
        stands = [part.held - part.soft if hold.state in LIVE else part.booked for part in hold.parts]
        for part in hold.parts:
            part.booked = part.over = 0
        hold.state, hold.ended_us = after, now_us
        for part, amount, stood in zip(hold.parts, amounts, stands, strict=True):
            entry = part.entry
            room = entry.max - self._taken_at(part, now_us)
            part.booked = amount if entry.on_full is OnFull.OBSERVE else min(amount, max(stood, room))
            part.over = amount - part.booked
            if part.over and entry.on_full is OnFull.REFUSE:
                self.frozen.add(entry.key)
