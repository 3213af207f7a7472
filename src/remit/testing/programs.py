"""Random programs for a ledger: batches over a handful of cells of every kind, reproducible from a seed.

The cells are few and their maxima small, so that a few dozen batches fill, freeze, expire, repeat and refund everything
there is. A `Program` remembers which holds it asked for, and goes on with some of them; whether they were admitted is
not its business. Every batch keeps the rules of a plan: gates first, `Begin` before the hold, no cell charged twice.
"""

from collections.abc import Callable
from random import Random

import msgspec

from remit.core.ledger import operations as ops
from remit.core.ledger.operations import AtCommit, AtExpiry, HoldState, OnFull

SECOND_US = 1_000_000
PERIOD_US = 100 * SECOND_US
WAITS_US = (0, 0, 1, 250_000, SECOND_US, 7 * SECOND_US, 31 * SECOND_US, 61 * SECOND_US, PERIOD_US)
STEPS_US = (-PERIOD_US, -SECOND_US - 1, -SECOND_US, SECOND_US, SECOND_US + 1, PERIOD_US, 7 * PERIOD_US)
MAX_KNOWN = 12

_ROLLING = ops.Rolling(60 * SECOND_US)
_LIFE = ops.Life()
_COUNTER = "failures"


def _calendar(now_us: int) -> ops.Calendar:
    start_us = now_us - now_us % PERIOD_US
    middle_us = start_us + PERIOD_US
    return ops.Calendar(ops.Span(start_us, middle_us), ops.Span(middle_us, middle_us + PERIOD_US))


def entries_at(now_us: int) -> tuple[ops.HoldEntry, ...]:
    """One entry of each kind of cell, mode and way to end, as a plan made now has them."""
    calendar = _calendar(now_us)
    return (
        ops.HoldEntry("rolling", _ROLLING, "calls", 1, 10, at_commit=AtCommit.KEEP),
        ops.HoldEntry("period", calendar, "USD", 2, 20),
        ops.HoldEntry("life", _LIFE, "USD", 3, 60),
        ops.HoldEntry("soft", calendar, "USD", 2, 8, OnFull.EXCEED),
        ops.HoldEntry("fast", _ROLLING, "USD", 2, 6, OnFull.EXCEED),
        ops.HoldEntry("seen", _LIFE, "USD", 1, 5, OnFull.OBSERVE),
        ops.HoldEntry("slots", _LIFE, "slots", 1, 3, at_commit=AtCommit.ZERO, at_expiry=AtExpiry.FREE),
        ops.HoldEntry("deposit", _LIFE, "USD", 2, 9, at_expiry=AtExpiry.RETURN),
    )


class Program:
    """Batches, one after the other. Two programs with one seed, asked at the same times, are the same."""

    def __init__(self, seed: int) -> None:
        """Nothing was asked yet."""
        self._random = Random(seed)  # noqa: S311 - reproducible on purpose, nothing secret
        self._made = 0
        self._holds: list[str] = []
        self._sent: list[ops.Batch] = []

    def wait_us(self) -> int:
        """How long nothing happens now."""
        return self._random.choice(WAITS_US)

    def wall_step_us(self) -> int:
        """By how much somebody sets the wall clock now: mostly not at all."""
        return self._random.choice(STEPS_US) if self._random.random() < 0.1 else 0

    def accepts(self) -> bool:
        """Whether an operator accepts the wall's time now."""
        return self._random.random() < 0.1

    def batch(self, now_us: int, *, epoch: int = 0) -> ops.Batch:
        """The next batch, planned now under `epoch`; sometimes one that was sent before, or planned wrongly."""
        if self._sent and self._random.random() < 0.04:
            return msgspec.structs.replace(self._random.choice(self._sent), retry=True)
        self._made += 1
        id_ = f"batch-{self._made}"
        maker = self._random.choice([self._call, self._call, self._step, self._step, self._office])
        admit = maker(id_, now_us)
        valid_from_us, valid_until_us = ops.validity(*admit)
        batch = ops.Batch(
            id_,
            admit,
            always=self._some(0.2, self._always, now_us),
            refuse=self._some(0.2, self._refuse, now_us),
            epoch=self._random.choice([None, epoch, epoch, epoch, epoch + 1]),
            valid_from_us=valid_from_us,
            valid_until_us=valid_until_us,
            retry=self._random.random() < 0.1,
        )
        self._sent = [*self._sent[-MAX_KNOWN:], batch]
        return batch

    def _some(
        self, chance: float, make: Callable[[int], tuple[ops.Operation, ...]], now_us: int
    ) -> tuple[ops.Operation, ...]:
        return make(now_us) if self._random.random() < chance else ()

    def _call(self, id_: str, now_us: int) -> tuple[ops.Operation, ...]:
        """A call as a plan has it: conditions, then charges, then one hold."""
        chosen = self._random.sample(entries_at(now_us), k=self._random.randint(1, 5))
        entries = tuple(sorted(chosen, key=lambda entry: entry.key))
        amounts = tuple(self._random.randint(0, 5) for _ in entries) if self._random.random() < 0.7 else None
        state = self._random.choice([HoldState.RESERVED, HoldState.DISPATCHED])
        ttl_us = self._random.choice([0, SECOND_US, 30 * SECOND_US, 3600 * SECOND_US])
        self._holds = [*self._holds[-MAX_KNOWN:], id_]
        conditions = [make(now_us) for make in self._conditions() if self._random.random() < 0.25]
        return (*conditions, ops.Hold(state, ttl_us, entries, amounts))

    def _conditions(self) -> list[Callable[[int], ops.Operation]]:
        return [self._gate, self._begin, self._once, self._within, self._check, self._pace, self._queue, self._take]

    def _step(self, id_: str, now_us: int) -> tuple[ops.Operation, ...]:
        """The next step of some hold, often one that is not permitted."""
        hold = self._random.choice([*self._holds, "nobody"])
        costs = {unit: self._random.randint(0, 9) for unit in ("USD", "calls") if self._random.random() < 0.4}
        counts = (ops.Count(_COUNTER, _ROLLING),) if self._random.random() < 0.3 else ()
        late = entries_at(now_us)[:3] if self._random.random() < 0.3 else ()
        answer = self._random.choice([None, b"answer", b""])
        steps: list[ops.Operation] = [
            ops.Dispatch(hold),
            ops.Extend(hold, self._random.choice([SECOND_US, 60 * SECOND_US]), costs),
            ops.Commit(hold, costs, answer, counts, late),
            ops.Commit(hold, {}, answer, counts),
            ops.Release(hold, "the connection was refused"),
            ops.Resolve(hold, self._random.choice(list(ops.ResolveAs)), costs),
            ops.Refund(hold, self._random.choice(["r1", "r2"]), costs),
            ops.Expire(hold=hold, then=counts),
        ]
        return (self._random.choice(steps),)

    def _office(self, id_: str, now_us: int) -> tuple[ops.Operation, ...]:
        """What operators and sweepers do."""
        entry = self._random.choice(entries_at(now_us))
        gate = self._random.choice(["gate", "gate", entry.key])
        rung = (
            ops.Rung.OPEN if gate == entry.key and self._random.random() < 0.7 else self._random.choice(list(ops.Rung))
        )
        until_us = self._random.choice([ops.FOREVER_US, now_us + 30 * SECOND_US])
        version = self._random.choice([None, None, 0, 1])
        operations: list[ops.Operation] = [
            ops.SetGate(gate, rung, self._random.choice([100, 500, 1000]), until_us, "asked for", version),
            ops.Adjust(entry.key, entry.window, self._random.randint(-3, 9), "asked for"),
            ops.Expire(self._random.randint(1, 5)),
            ops.Count(_COUNTER, _ROLLING, self._random.randint(1, 2)),
        ]
        return (self._random.choice(operations),)

    def _gate(self, now_us: int) -> ops.Operation:
        return ops.Gate("gate", presented=self._random.randint(0, 1))

    def _begin(self, now_us: int) -> ops.Operation:
        key, fingerprint = self._random.choice(["k1", "k2", "k3"]), self._random.choice(["f1", "f1", "f2"])
        return ops.Begin(key, fingerprint, self._random.choice([5 * SECOND_US, 3600 * SECOND_US]))

    def _once(self, now_us: int) -> ops.Operation:
        not_after_us = now_us + self._random.choice([-1, 0, SECOND_US, 60 * SECOND_US])
        return ops.Once(self._random.choice(["o1", "o2", "o3", "o4"]), not_after_us)

    def _within(self, now_us: int) -> ops.Operation:
        start_us = now_us + self._random.choice([-SECOND_US, -1, 0, 0, 1])
        return ops.Within((ops.Span(start_us, start_us + 2 * SECOND_US),), now_us + 3 * SECOND_US)

    def _check(self, now_us: int) -> ops.Operation:
        return ops.Check(_COUNTER, _ROLLING, self._random.randint(0, 4), self._random.choice(list(OnFull)))

    def _pace(self, now_us: int) -> ops.Operation:
        return ops.Pace("pace", SECOND_US, 4, self._random.randint(1, 5), on_full=self._random.choice(list(OnFull)))

    def _queue(self, now_us: int) -> ops.Operation:
        return ops.Pace("queue", SECOND_US, 1, 1, max_wait_us=3 * SECOND_US)

    def _take(self, now_us: int) -> ops.Operation:
        on_full = self._random.choice([OnFull.REFUSE, OnFull.OBSERVE])
        if self._random.random() < 0.5:
            return ops.Take("attempts", _ROLLING, 6, self._random.randint(1, 2), on_full)
        return ops.Take("attempts today", _calendar(now_us), 6, self._random.randint(1, 2), on_full)

    def _always(self, now_us: int) -> tuple[ops.Operation, ...]:
        made: list[ops.Operation] = [self._once(now_us), ops.Count(_COUNTER, _ROLLING), ops.Take("always", _ROLLING, 9)]
        return tuple(self._random.sample(made, k=self._random.randint(1, 3)))

    def _refuse(self, now_us: int) -> tuple[ops.Operation, ...]:
        count = ops.Count("refusals", _ROLLING)
        throttle = ops.SetGate("gate", ops.Rung.THROTTLED, 250, now_us + 20 * SECOND_US, "refused")
        return (count, throttle) if self._random.random() < 0.2 else (count,)
