"""What the audit log says: five kinds of record, each a value that explains itself without the policy of its day.

A record is an envelope (`writer`, its gapless `seq` from 1, the store's time) around one body. A `Decision` says who
called what and what was decided, with the numbers of the limit that decided; a `Settlement` says what became of the
money and calls that it held; `Refusals` stands for many refusals that were alike, so that nobody fills the disk by
being refused; `Admin` says who changed what. Checkpoints, which sign the log from outside, are not records.

An empty string or zero means that there is nothing to say, and is left out of the bytes. Amounts map a unit to an
integer; money is in micro-units under its ISO 4217 code (`{"USD": 350000, "calls": 1}`). Times end in `_us` and are
microseconds since the Unix epoch by the store's clock.
"""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

FORMAT = 1
"""Raised when a reader of the format before could misunderstand a record."""


MAX_INTEGER = 2**53 - 1
"""The largest that every JSON reader keeps exactly."""

Integer = Annotated[int, Meta(ge=-MAX_INTEGER, le=MAX_INTEGER)]
"""Reading refuses larger ones, and so does `encoding.encode`."""


class Outcome(StrEnum):
    """What was decided."""

    ALLOW = "allow"
    DENY = "deny"


class SettledHow(StrEnum):
    """How a hold ended, or what happened to it after its end.

    `ASSUMED_SPENT`: nobody reported in time, so the full hold is booked until somebody finds out. `EXPIRED`: the call
    never left, everything held is free again. `LATE`: a cost was reported after the hold had been given back.
    """

    COMMITTED = "committed"
    ASSUMED_SPENT = "assumed_spent"
    RELEASED = "released"
    EXPIRED = "expired"
    RESOLVED = "resolved"
    REFUNDED = "refunded"
    LATE = "late"


class AdminAction(StrEnum):
    """What an operator, or Remit on an operator's behalf, changed."""

    KEY_CREATED = "key_created"
    KEY_ROTATED = "key_rotated"
    KEY_REVOKED = "key_revoked"
    POLICY_LOADED = "policy_loaded"
    HOLD_RESOLVED = "hold_resolved"
    CLOCK_ACCEPTED = "clock_accepted"
    GATE_SET = "gate_set"
    AMOUNT_ADJUSTED = "amount_adjusted"
    SESSION_OPENED = "session_opened"
    SESSION_CLOSED = "session_closed"


class CallerSeen(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who called, as verified: `kind` of credential and the `id` that counters go by. Names are labels."""

    kind: str
    id: str
    agent: str = ""
    user: str = ""
    org: str = ""
    tier: str = ""
    key_prefix: str = ""
    session: str = ""


class Link(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One contract of the chain that the call came with, the root first."""

    holder: str
    agent: str = ""
    lineage: str = ""


class LimitSeen(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A limit that had no room: what was used and held of `max` before the call, and when (0: never) room comes back.

    `code` is the ledger's word for the failure, `per` the dimensions with their values, `asked` what the call needed.
    """

    name: str
    code: str = ""
    per: str = ""
    unit: str = ""
    used: Integer = 0
    held: Integer = 0
    max: Integer = 0
    asked: Integer = 0
    reset_us: Integer = 0


class Decision(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="kind", tag="decision"
):
    """One call, judged. `limit` … `reset_us` are the numbers of the limit that decided; `failing` has all that refused.

    `path` and `arguments` are as seen, after `redact`. `amounts` is what the call asked to hold and, when allowed,
    what `hold` holds. `would_refuse` names the limits in observe mode that would have refused. `hop` counts from 1 at
    the root of `chain` (0: no contract decided). `policy` is the version of the policy and `epoch` the store's.
    """

    id: str
    outcome: Outcome
    reason: str
    tool: str
    caller: CallerSeen
    chain: tuple[Link, ...] = ()
    target: str = ""
    method: str = ""
    path: str = ""
    arguments: dict[str, str] = {}
    amounts: dict[str, Integer] = {}
    limit: str = ""
    per: str = ""
    unit: str = ""
    used: Integer = 0
    held: Integer = 0
    max: Integer = 0
    reset_us: Integer = 0
    hop: Integer = 0
    failing: tuple[LimitSeen, ...] = ()
    would_refuse: tuple[str, ...] = ()
    hold: str = ""
    policy: str = ""
    epoch: Integer = 0
    detail: str = ""


class Refusals(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="kind", tag="refusals"
):
    """`count` refusals of one caller for one reason and limit, the first and the last of them named."""

    count: Integer
    caller: CallerSeen
    reason: str
    first_decision: str
    last_decision: str
    first_us: Integer
    last_us: Integer
    tool: str = ""
    limit: str = ""
    policy: str = ""


class Settlement(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="kind",
    tag="settlement",
):
    """What became of a hold. `actuals` is what was booked (refunded, for a refund), `overage` what no cap had room for.

    `before` and `after` are states of a hold's life. `latency_us` is the time from the decision to the end of the
    upstream's answer, `status` its HTTP status (0: none). `evidence` says how the outcome is known, `by` who said so.
    """

    hold: str
    decision: str
    how: SettledHow
    before: str
    after: str
    actuals: dict[str, Integer] = {}
    overage: dict[str, Integer] = {}
    latency_us: Integer = 0
    status: Integer = 0
    evidence: str = ""
    by: str = ""
    refund: str = ""


class Admin(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag_field="kind", tag="admin"
):
    """`by` did `action` to `subject` (a key id, a hold, a gate, a version of the policy); `detail` says the rest."""

    action: AdminAction
    by: str
    subject: str = ""
    detail: str = ""
    amounts: dict[str, Integer] = {}
    policy: str = ""


Body = Decision | Refusals | Settlement | Admin


class Record(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The envelope. `dropped` counts list items and members that did not fit the bounds of `encoding`."""

    writer: str
    seq: Integer
    time_us: Integer
    body: Body
    format: Integer
    dropped: Integer = 0
