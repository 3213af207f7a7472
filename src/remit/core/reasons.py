"""Every reason for a denial, in order of precedence: the first that applies is the one a caller is told.

The same table is published in docs/reference/reasons.md and checked against this one by a test. `status` is the HTTP
status, `terminal` says that the same call will not pass by waiting a little, `problem_type` is the RFC 9457 type.
Statuses: 401 who are you, 403 you may not, 402 pay first, 429 too fast or stop it, 503 the guard cannot tell.
"""

from dataclasses import dataclass
from enum import StrEnum

QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
ABNORMAL_USAGE = "https://iana.org/assignments/http-problem-types#abnormal-usage-detected"
REDUCED_CAPACITY = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
BLANK = "about:blank"

WAITING_HELPS_US = 60_000_000
"""A denial is worth waiting for only if it lifts within this time; later ones are terminal."""


class Reason(StrEnum):
    """The stable codes. Their order here is their precedence."""

    BAD_REQUEST = "bad_request"
    UNKNOWN_TOOL = "unknown_tool"
    UPGRADE_REQUIRED = "upgrade_required"
    INVALID_CREDENTIAL = "invalid_credential"
    REVOKED = "revoked"
    REPLAYED = "replayed"
    SESSION_REQUIRED = "session_required"
    SUSPENDED = "suspended"
    NOT_ALLOWED = "not_allowed"
    OUTSIDE_SCHEDULE = "outside_schedule"
    STRONGER_BINDING_REQUIRED = "stronger_binding_required"
    UNPRICED = "unpriced"
    BUDGET_REQUIRED = "budget_required"
    CLOCK_UNSURE = "clock_unsure"
    BUDGET_FROZEN = "budget_frozen"
    CONTRACT_EXHAUSTED = "contract_exhausted"
    BUDGET_EXHAUSTED = "budget_exhausted"
    LIFETIME_QUOTA_EXHAUSTED = "lifetime_quota_exhausted"
    QUOTA_EXHAUSTED = "quota_exhausted"
    TOO_MANY_FAILURES = "too_many_failures"
    TOO_MANY_IN_FLIGHT = "too_many_in_flight"
    RATE_LIMITED = "rate_limited"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"
    OUTCOME_UNKNOWN = "outcome_unknown"
    STORE_UNAVAILABLE = "store_unavailable"


@dataclass(frozen=True, slots=True)
class About:
    """What goes with a reason: status, whether it is terminal, its problem type, a title and what to do next."""

    status: int
    terminal: bool
    title: str
    help: str
    problem_type: str = BLANK


REASONS: dict[Reason, About] = {
    Reason.BAD_REQUEST: About(
        400, True, "The request cannot be read", "Send a well-formed request with the arguments that the tool names."
    ),
    Reason.UNKNOWN_TOOL: About(
        404, True, "No such tool", "Call one of the routes that the policy names; everything else is refused."
    ),
    Reason.UPGRADE_REQUIRED: About(
        426, True, "Protocol upgrades are not offered here", "Use a plain HTTP/1.1 request without an upgrade."
    ),
    Reason.INVALID_CREDENTIAL: About(
        401, True, "The credential is missing or not valid", "Send a valid API key (`Authorization: Bearer <key>`), or a contract with a fresh proof."
    ),
    Reason.REVOKED: About(
        401, True, "The credential was revoked", "Ask whoever gave it to you for a new one; this one will not work again."
    ),
    Reason.REPLAYED: About(401, True, "The proof was used before", "Make a fresh proof for every request."),
    Reason.SESSION_REQUIRED: About(
        401, True, "A session is required",
        "Open one with POST /.well-known/remit/sessions and send its id in the Remit-Session header.",
    ),
    Reason.SUSPENDED: About(403, True, "The caller is suspended", "Ask the operator to review and resume the caller."),
    Reason.NOT_ALLOWED: About(
        403, True, "The credential does not allow this call", "Ask whoever gave you the credential for one that allows this call."
    ),
    Reason.OUTSIDE_SCHEDULE: About(
        403, True, "Outside the hours in which this is allowed", "Call again inside the hours that the limit names."
    ),
    Reason.STRONGER_BINDING_REQUIRED: About(
        401, True, "A stronger credential is required", "Authenticate with the binding that the answer names."
    ),
    Reason.UNPRICED: About(
        403, True, "The price of the call is not known", "The operator must give the tool a price; unpriced is not free."
    ),
    Reason.BUDGET_REQUIRED: About(
        403, True, "No budget covers the call",
        "Make it inside `with guard.run(..., budget=...)`, or give the guard or the tool a budget.",
    ),
    Reason.CLOCK_UNSURE: About(
        503, False, "The guard does not trust its clock",
        "The operator must correct the clock or accept it with `remit clock accept`.", REDUCED_CAPACITY,
    ),
    Reason.BUDGET_FROZEN: About(
        403, True, "The budget is frozen",
        "More was spent than the cap allows; the operator must review it and clear the freeze.",
    ),
    Reason.CONTRACT_EXHAUSTED: About(
        403, True, "The contract is used up", "Stop, or ask whoever delegated to you for a new contract."
    ),
    Reason.BUDGET_EXHAUSTED: About(
        403, True, "The budget would be exceeded", "Stop, or ask the operator for a larger budget."
    ),
    Reason.LIFETIME_QUOTA_EXHAUSTED: About(
        403, True, "All calls of this allowance are used", "Stop; no more calls are allowed under it."
    ),
    Reason.QUOTA_EXHAUSTED: About(
        429, False, "The quota of this period is used", "Wait for the next period if it is near; otherwise stop.",
        QUOTA_EXCEEDED,
    ),
    Reason.TOO_MANY_FAILURES: About(
        429, False, "Too many of the recent calls failed", "Find out why the calls fail before making more of them.",
        ABNORMAL_USAGE,
    ),
    Reason.TOO_MANY_IN_FLIGHT: About(
        429, False, "Too many calls are in flight", "Wait until one of the running calls has ended.", QUOTA_EXCEEDED
    ),
    Reason.RATE_LIMITED: About(
        429, False, "Too fast", "Slow down: wait for the time in Retry-After.", QUOTA_EXCEEDED
    ),
    Reason.IDEMPOTENCY_MISMATCH: About(
        422, True, "The idempotency key belongs to another request", "Use a new Idempotency-Key for a new request."
    ),
    Reason.IDEMPOTENCY_IN_FLIGHT: About(
        409, False, "The first call with this idempotency key is still running", "Wait for the first call's answer."
    ),
    Reason.OUTCOME_UNKNOWN: About(
        409, True, "Whether the first call with this idempotency key happened is not known",
        "Ask the operator to resolve it (`remit holds`); a retry would risk paying twice.",
    ),
    Reason.STORE_UNAVAILABLE: About(
        503, False, "The guard cannot decide now", "Try again shortly; nothing was spent.", REDUCED_CAPACITY
    ),
}  # fmt: skip

PRECEDENCE: dict[Reason, int] = {reason: place for place, reason in enumerate(Reason)}
