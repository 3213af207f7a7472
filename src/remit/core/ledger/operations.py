"""The closed vocabulary: everything that can ever happen to a ledger, as data.

A call becomes one `Batch`. Its lists are evaluated together: `admit` is all or nothing, `always` applies whatever is
decided, `refuse` only when `admit` is refused. Operations are immutable, so that one policy and one caller share a
prepared tuple of them. They carry no clock and no randomness: amounts are integers of the unit they name, times are
microseconds since the Unix epoch by the store's clock, durations are microseconds. A hold has the id of the batch that
admitted it, so that one id names the decision, the hold and the audit record.
"""

from enum import IntEnum, StrEnum

import msgspec

MAX_AMOUNT = 2**53 - 1  # no amount and no time is larger: every store and every JSON reader keeps such integers exactly
FOREVER_US = MAX_AMOUNT  # the time that never comes
ROLLING_BUCKETS = 60  # sub-buckets of a rolling window; the oldest counts whole until it has left entirely


class OnFull(StrEnum):
    """What an entry does when its cell has no room: the three modes of a limit."""

    REFUSE = "refuse"
    OBSERVE = "observe"
    EXCEED = "exceed"


class AtCommit(StrEnum):
    """What an entry books when its hold is committed: the actual amount, nothing, or what was held."""

    ACTUAL = "actual"
    ZERO = "zero"
    KEEP = "keep"


class AtExpiry(StrEnum):
    """What becomes of an entry when a dispatched hold expires: booked in full, or (slots, deposits) free again."""

    SPEND = "spend"
    FREE = "free"
    RETURN = "return"


class HoldState(StrEnum):
    """The life of a hold; see docs/internals/ledger.md for the table of permitted steps."""

    RESERVED = "reserved"
    DISPATCHED = "dispatched"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"
    ASSUMED_SPENT = "assumed_spent"


class Rung(IntEnum):
    """How far a gate is closed. OPEN and THROTTLED let calls pass; CHALLENGED asks for a stronger binding."""

    OPEN = 0
    THROTTLED = 1
    CHALLENGED = 2
    DENIED = 3
    SUSPENDED = 4
    REVOKED = 5


class ResolveAs(StrEnum):
    """What an operator found out about a call whose outcome was unknown."""

    SPENT = "spent"
    RELEASED = "released"


class Span(msgspec.Struct, frozen=True):
    """A period `[start_us, end_us)`."""

    start_us: int
    end_us: int


class Rolling(msgspec.Struct, frozen=True, tag="rolling"):
    """The last `width_us`, wherever one looks: in no real interval of that length is more than the maximum admitted."""

    width_us: int
    bucket_us: int = 0

    def __post_init__(self) -> None:
        """Buckets are rounded up, so that the window is never shorter than asked for."""
        msgspec.structs.force_setattr(self, "bucket_us", -(-self.width_us // ROLLING_BUCKETS))


class Calendar(msgspec.Struct, frozen=True, tag="calendar"):
    """A calendar period. Scripts know no time zones, so the plan names the current period and the next one."""

    current: Span
    next: Span


class Life(msgspec.Struct, frozen=True, tag="life"):
    """The whole life of a contract, a session or a limit; the cell is kept until `keep_until_us`."""

    keep_until_us: int = FOREVER_US


Window = Rolling | Calendar | Life


class HoldEntry(msgspec.Struct, frozen=True):
    """One cell that a hold reserves in. `amount` of `unit`, at most `max` booked and held together."""

    key: str
    window: Window
    unit: str
    amount: int
    max: int
    on_full: OnFull = OnFull.REFUSE
    at_commit: AtCommit = AtCommit.ACTUAL
    at_expiry: AtExpiry = AtExpiry.SPEND


class Gate(msgspec.Struct, frozen=True):
    """Refuse where the gate at `key` is closed further than `presented` satisfies; yields its pace factor."""

    key: str
    presented: int = 0


class SetGate(msgspec.Struct, frozen=True):
    """The only way a gate changes. On the key of a window cell it also freezes (DENIED and above) or thaws the cell.

    `factor_permille` scales the paces of batches that pass a throttled gate; `until_us` opens the gate by itself, not a
    frozen cell; `if_version` makes the change conditional on the version last seen (0: never changed).
    """

    key: str
    rung: Rung
    factor_permille: int = 1000
    until_us: int = FOREVER_US
    reason: str = ""
    if_version: int | None = None


class Within(msgspec.Struct, frozen=True):
    """The store's clock must lie inside one of `spans`; past `horizon_us` the plan no longer knows (`Stale`)."""

    spans: tuple[Span, ...]
    horizon_us: int = FOREVER_US


class Check(msgspec.Struct, frozen=True):
    """Refuse if the counter at `key`, fed by outcomes, has reached `below`. Overshoot is the calls in flight."""

    key: str
    window: Window
    below: int
    on_full: OnFull = OnFull.REFUSE


class Count(msgspec.Struct, frozen=True):
    """Add `n` to an outcome counter; never refuses."""

    key: str
    window: Window
    n: int = 1


class Once(msgspec.Struct, frozen=True):
    """Refuse if `key` was seen before, or if the store's clock has passed `not_after_us`."""

    key: str
    not_after_us: int


class Begin(msgspec.Struct, frozen=True):
    """Idempotency: the first call with `key` goes on, a repeat gets the stored answer or a conflict."""

    key: str
    fingerprint: str
    ttl_us: int


class Pace(msgspec.Struct, frozen=True):
    """GCRA: one unit each `interval_us`, up to `burst` at once; a wait of up to `max_wait_us` is answered, not refused."""

    key: str
    interval_us: int
    burst: int
    n: int = 1
    max_wait_us: int = 0
    on_full: OnFull = OnFull.REFUSE


class Take(msgspec.Struct, frozen=True):
    """Count `n` for good, whatever becomes of the call: attempts."""

    key: str
    window: Window
    max: int
    n: int = 1
    on_full: OnFull = OnFull.REFUSE


class Hold(msgspec.Struct, frozen=True):
    """Reserve in every entry's cell under the id of the batch. DISPATCHED when the call leaves at once.

    `amounts` (one for each entry) overrides the entries' own, so that calls of different cost share one prepared tuple.
    """

    state: HoldState
    ttl_us: int
    entries: tuple[HoldEntry, ...]
    amounts: tuple[int, ...] | None = None


class Dispatch(msgspec.Struct, frozen=True):
    """The call is about to leave: from here on no timer hands its money out again."""

    hold: str


class Extend(msgspec.Struct, frozen=True):
    """Keep a live hold alive until now + `ttl_us`, and hold `more` (unit → amount), if there is room everywhere."""

    hold: str
    ttl_us: int
    more: dict[str, int] = msgspec.field(default_factory=dict)


class Commit(msgspec.Struct, frozen=True):
    """Book what the call did cost. `actuals` maps unit → amount; a missing unit means the held amount.

    `answer` is kept for idempotent repeats; `then` carries outcome counts and cannot fail the commit; `entries` say where
    to book when the ledger does not know the hold.
    """

    hold: str
    actuals: dict[str, int] = msgspec.field(default_factory=dict)
    answer: bytes | None = None
    then: tuple[Count, ...] = ()
    entries: tuple[HoldEntry, ...] = ()


class Release(msgspec.Struct, frozen=True):
    """Nothing happened upstream, and `evidence` says how that is known: every entry is freed."""

    hold: str
    evidence: str


class Resolve(msgspec.Struct, frozen=True):
    """An operator, or the upstream's own records, settle a call whose outcome was unknown."""

    hold: str
    outcome: ResolveAs
    actuals: dict[str, int] = msgspec.field(default_factory=dict)


class Refund(msgspec.Struct, frozen=True):
    """Give back `amounts` (unit → amount) of a settled hold, once per refund id."""

    hold: str
    refund: str
    amounts: dict[str, int]


class Adjust(msgspec.Struct, frozen=True):
    """Raise (or with a negative `delta` lower) the room of a cell for its present period."""

    key: str
    window: Window
    delta: int
    reason: str


class Expire(msgspec.Struct, frozen=True):
    """Sweep up to `limit` due holds. With `hold`: end that one now, because nobody will ever report on it."""

    limit: int = 100
    hold: str | None = None
    then: tuple[Count, ...] = ()


Operation = (
    Gate | SetGate | Within | Check | Count | Once | Begin | Pace | Take | Hold
    | Dispatch | Extend | Commit | Release | Resolve | Refund | Adjust | Expire
)  # fmt: skip


class Part(StrEnum):
    """Which list of a batch an operation stands in."""

    ALWAYS = "always"
    ADMIT = "admit"


class Batch(msgspec.Struct, frozen=True):
    """One atomic step. `valid_from_us` and `valid_until_us` bound the time its calendar periods were planned for.

    `epoch` is the version of the policy it was planned under (None: any). `retry` says that this id may have been sent
    before, so that the store looks among everything it remembers. `record` is for the audit log, opaque to the ledger.
    """

    id: str
    admit: tuple[Operation, ...]
    always: tuple[Operation, ...] = ()
    refuse: tuple[Operation, ...] = ()
    epoch: int | None = None
    valid_from_us: int = 0
    valid_until_us: int = FOREVER_US
    retry: bool = False
    record: object | None = None


def validity(*operations: Operation) -> tuple[int, int]:
    """The time `(from_us, until_us)` for which every calendar period and horizon in `operations` still fits."""
    charged = [one for op in operations for one in (op.entries if isinstance(op, Hold) else (op,))]
    calendars = [window for one in charged if isinstance(window := getattr(one, "window", None), Calendar)]
    ends_us = [calendar.next.end_us for calendar in calendars]
    ends_us.extend(op.horizon_us for op in operations if isinstance(op, Within))
    return max((c.current.start_us for c in calendars), default=0), min(ends_us, default=FOREVER_US)


class FailureCode(StrEnum):
    """Why an operation refused. `core.reasons` turns these into what a caller is told."""

    FULL = "full"
    FROZEN = "frozen"
    CLOSED = "closed"
    CHALLENGED = "challenged"
    OUTSIDE = "outside"
    REPLAYED = "replayed"
    TOO_LATE = "too_late"
    MISMATCH = "mismatch"
    IN_FLIGHT = "in_flight"
    OUTCOME_UNKNOWN = "outcome_unknown"
    CLOCK_UNSURE = "clock_unsure"
    UNKNOWN_HOLD = "unknown_hold"
    WRONG_STATE = "wrong_state"
    WRONG_VERSION = "wrong_version"
    TOO_MUCH = "too_much"


class Failure(msgspec.Struct, frozen=True):
    """One failing entry: where it stands in its batch, why, and when trying again could help (0 = never or unknown)."""

    part: Part
    index: int
    entry: int
    code: FailureCode
    retry_at_us: int = 0
    detail: str = ""


class View(msgspec.Struct, frozen=True):
    """What one entry's cell held: `before` is booked and held together before the step, the rest is after it.

    `reset_us` is when more room comes by itself (0: never). `over` says that a limit that does not refuse would have.
    For a pace `used` is what of the burst is taken and `wait_us` how long to wait before going on.
    """

    index: int
    entry: int
    before: int
    used: int
    held: int
    max: int
    reset_us: int
    over: bool = False
    wait_us: int = 0


class Applied(msgspec.Struct, frozen=True):
    """Everything in `always` and `admit` applied."""

    views: tuple[View, ...]
    now_us: int


class Refused(msgspec.Struct, frozen=True):
    """Nothing in `admit` applied. `failures` are all of them, in the order of the batch."""

    failures: tuple[Failure, ...]
    views: tuple[View, ...]
    now_us: int


class Replayed(msgspec.Struct, frozen=True):
    """A repeat of an idempotent call: the stored answer of the first, which had the id `hold`."""

    hold: str
    answer: bytes
    now_us: int


class Stale(msgspec.Struct, frozen=True):
    """The plan no longer fits the time or the policy; nothing applied: plan again."""

    now_us: int
    epoch: int


Outcome = Applied | Refused | Replayed | Stale
