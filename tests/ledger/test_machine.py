"""Random lives of random holds over every kind of cell: the interpreter and the brute-force model never part.

After every step all cells are compared with what the model recomputes from its list of events (B5: the held sum is the
sum of the live holds), and no refusing cell may stand above its cap (A1) in any unit or period (A2), whatever was
reserved, extended, committed, released, expired, resolved, refunded or adjusted before, at whatever time.
"""

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import AtCommit, AtExpiry, HoldState, OnFull
from tests.ledger.desk import DAY_US, SECOND_US, Desk, periods
from tests.ledger.model import Booking, Failed, Model

PERIOD_US = 100 * SECOND_US
ROLLING = ops.Rolling(60 * SECOND_US)
LIFE = ops.Life()
STEPS_US = [0, 1, SECOND_US // 2, SECOND_US, 9 * SECOND_US, 31 * SECOND_US, 61 * SECOND_US, PERIOD_US, 36 * DAY_US]
LIMITS = {
    "rolling": 10,
    "period": 20,
    "life": 30,
    "second": 12,
    "soft": 8,
    "seen": 5,
    "slots": 3,
    "deposit": 9,
    "fast": 6,
}

amounts = st.integers(0, 8)
actuals = st.dictionaries(st.sampled_from(["USD", "calls"]), st.integers(0, 20))


def cells(now_us: int) -> dict[str, ops.HoldEntry]:
    """One entry of each kind, for now."""
    calendar = periods(now_us, every_us=PERIOD_US)
    return {
        "rolling": ops.HoldEntry("rolling", ROLLING, "calls", 1, 10, at_commit=AtCommit.KEEP),
        "period": ops.HoldEntry("period", calendar, "USD", 1, 20),
        "life": ops.HoldEntry("life", LIFE, "USD", 1, 30),
        "second": ops.HoldEntry("second", LIFE, "calls", 1, 12),
        "soft": ops.HoldEntry("soft", calendar, "USD", 1, 8, OnFull.EXCEED),
        "seen": ops.HoldEntry("seen", LIFE, "USD", 1, 5, OnFull.OBSERVE),
        "slots": ops.HoldEntry("slots", LIFE, "slots", 1, 3, at_commit=AtCommit.ZERO, at_expiry=AtExpiry.FREE),
        "deposit": ops.HoldEntry("deposit", LIFE, "USD", 1, 9, at_expiry=AtExpiry.RETURN),
        "fast": ops.HoldEntry("fast", ROLLING, "USD", 1, 6, OnFull.EXCEED),
    }


def failed(outcome: ops.Outcome) -> Failed:
    """What refused, in the model's words."""
    assert isinstance(outcome, ops.Applied | ops.Refused), outcome
    if isinstance(outcome, ops.Applied):
        return set()
    return {(failure.index, failure.entry, failure.code) for failure in outcome.failures}


class Lives(RuleBasedStateMachine):
    """The interpreter beside the model."""

    ids: Bundle[str] = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.model = Model()
        self.made = 0
        self.moved: set[str] = set()

    @rule(
        target=ids,
        chosen=st.dictionaries(st.sampled_from(sorted(LIMITS)), amounts, min_size=1, max_size=5),
        state=st.sampled_from([HoldState.RESERVED, HoldState.DISPATCHED]),
        ttl_us=st.sampled_from([0, SECOND_US, 30 * SECOND_US, 3600 * SECOND_US]),
    )
    def reserve(self, chosen: dict[str, int], state: HoldState, ttl_us: int) -> MultipleResults[str] | str:
        now_us = self.desk.now_us
        kinds = cells(now_us)
        entries = tuple(kinds[key] for key in chosen)
        hold = ops.Hold(state, ttl_us, entries, tuple(chosen.values()))
        self.made += 1
        id_ = f"h{self.made}"
        failures, seen = self.model.reserve(id_, hold, now_us)
        outcome = self.desk.send(hold, id_=id_)
        assert failed(outcome) == failures
        if failures:
            return multiple()
        assert isinstance(outcome, ops.Applied)
        assert [(v.entry, v.before, v.used, v.held, v.max, v.over) for v in outcome.views] == seen
        return id_

    @rule(id_=ids)
    def dispatch(self, id_: str) -> None:
        assert failed(self.desk.send(ops.Dispatch(id_))) == self.model.dispatch(id_)

    @rule(id_=ids, costs=actuals)
    def commit(self, id_: str, costs: dict[str, int]) -> None:
        assert failed(self.desk.send(ops.Commit(id_, costs))) == self.model.commit(id_, costs, self.desk.now_us)

    @rule(id_=ids)
    def release(self, id_: str) -> None:
        assert failed(self.desk.send(ops.Release(id_, "refused"))) == self.model.release(id_, self.desk.now_us)

    @rule(id_=ids, outcome=st.sampled_from(list(ops.ResolveAs)), costs=actuals)
    def resolve(self, id_: str, outcome: ops.ResolveAs, costs: dict[str, int]) -> None:
        wanted = self.model.resolve(id_, outcome, costs, self.desk.now_us)
        assert failed(self.desk.send(ops.Resolve(id_, outcome, costs))) == wanted

    @rule(id_=ids, ttl_us=st.sampled_from([SECOND_US, 60 * SECOND_US]), more=actuals)
    def extend(self, id_: str, ttl_us: int, more: dict[str, int]) -> None:
        wanted = self.model.extend(id_, ttl_us, more, self.desk.now_us)
        assert failed(self.desk.send(ops.Extend(id_, ttl_us, more))) == wanted

    @rule(id_=ids, refund=st.sampled_from(["r1", "r2", "r3"]), back=actuals)
    def refund(self, id_: str, refund: str, back: dict[str, int]) -> None:
        wanted = self.model.refund(id_, refund, back, self.desk.now_us)
        assert failed(self.desk.send(ops.Refund(id_, refund, back))) == wanted

    @rule(id_=consumes(ids))
    def give_up(self, id_: str) -> None:
        self.model.expire(id_, self.desk.now_us)
        self.desk.applied(ops.Expire(hold=id_))

    @rule(limit=st.integers(1, 5))
    def sweep(self, limit: int) -> None:
        self.model.sweep_all(self.desk.now_us, limit)
        self.desk.applied(ops.Expire(limit))

    @rule(key=st.sampled_from(["rolling", "period", "life"]), n=st.integers(1, 4))
    def attempt(self, key: str, n: int) -> None:
        now_us = self.desk.now_us
        entry = cells(now_us)[key]
        self.model.sweep([key], now_us)
        room = entry.max - self.model.taken(key, entry.window, now_us)
        frozen = key in self.model.frozen
        outcome = self.desk.send(ops.Take(key, entry.window, entry.max, n))
        code = ops.FailureCode.FROZEN if frozen else ops.FailureCode.FULL
        assert failed(outcome) == ({(0, -1, code)} if frozen or n > room else set())
        if isinstance(outcome, ops.Applied):
            self.model.bookings.append(Booking(key, entry.window, now_us, n))

    @rule(key=st.sampled_from(sorted(LIMITS)), delta=st.integers(-5, 5))
    def adjust(self, key: str, delta: int) -> None:
        window = cells(self.desk.now_us)[key].window
        self.desk.applied(ops.Adjust(key, window, delta, "asked for"))
        self.model.bookings.append(Booking(key, window, self.desk.now_us, -delta))
        if delta < 0 or isinstance(window, ops.Rolling):
            self.moved.add(key)  # lowered below what it holds, or raised for one window's length only

    @rule()
    def thaw(self) -> None:
        for key in sorted(self.model.frozen):
            self.desk.applied(ops.SetGate(key, ops.Rung.OPEN))
        self.model.frozen.clear()

    @rule(by_us=st.sampled_from(STEPS_US))
    def wait(self, by_us: int) -> None:
        self.desk.now_us += by_us

    @invariant()
    def the_ledger_is_what_the_events_add_up_to(self) -> None:
        now_us = self.desk.now_us
        for key, entry in cells(now_us).items():
            period = entry.window.current.start_us if isinstance(entry.window, ops.Calendar) else 0
            wanted = tuple(f(key, entry.window, now_us) for f in (self.model.used, self.model.held, self.model.over))
            assert self.desk.figures(key, period) == wanted, key

    @invariant()
    def no_refusing_cell_is_above_its_cap(self) -> None:
        now_us = self.desk.now_us
        for key, entry in cells(now_us).items():
            if entry.on_full is not OnFull.OBSERVE and key not in self.moved:
                assert self.model.taken(key, entry.window, now_us) <= entry.max, key

    @invariant()
    def frozen_is_what_overage_froze(self) -> None:
        frozen = {key for key, cell in self.desk.ledger.cells.items() if cell.frozen}
        assert frozen == self.model.frozen


TestLives = Lives.TestCase
