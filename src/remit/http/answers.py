"""The fields that every decided answer carries: RateLimit-Policy and RateLimit for calls, Remit-Budget for money.

The two families are never mixed. `Remit-Budget` reports the tightest of the budgets that count the caller itself, never
one of somebody above it.
"""

from collections.abc import Iterable

from remit.core.decision import LimitUse
from remit.http.fields import (
    BudgetReport,
    QuotaPolicy,
    ServiceLimit,
    format_budget,
    format_rate_limit,
    format_rate_limit_policy,
)

Header = tuple[bytes, bytes]

CALL_KINDS = frozenset({"rate", "quota", "units", "concurrent"})
_QUOTA_UNITS = {"calls": None, "slots": "concurrent-requests"}


def rate_headers(uses: Iterable[LimitUse], now_us: int) -> list[Header]:
    """RateLimit-Policy and RateLimit (syntax of draft-ietf-httpapi-ratelimit-headers-11) for the limits on calls."""
    seen = [use for use in uses if use.kind in CALL_KINDS]
    if not seen:
        return []
    policies = format_rate_limit_policy(
        QuotaPolicy(
            name=use.limit,
            quota=use.count or use.max,
            window_us=use.window_us or None,
            unit=_QUOTA_UNITS.get(use.unit, use.unit),
        )
        for use in seen
    )
    limits = format_rate_limit(
        ServiceLimit(
            name=use.limit,
            remaining=use.remaining,
            reset_us=max(0, use.reset_us - now_us) if use.reset_us else None,
        )
        for use in seen
    )
    return [(b"ratelimit-policy", policies.encode()), (b"ratelimit", limits.encode())]


def tightest_budget(uses: Iterable[LimitUse], currency: str) -> LimitUse | None:
    """Of the caller's own budgets the one with the least left."""
    own = [use for use in uses if use.kind == "budget" and use.unit == currency and use.own]
    return min(own, key=lambda use: use.remaining, default=None)


def budget_header(
    uses: Iterable[LimitUse],
    *,
    currency: str,
    cost_micros: int | None = None,
    reserved_micros: int | None = None,
    given_back_micros: int = 0,
) -> list[Header]:
    """`Remit-Budget`, or nothing where no budget of the caller's own applied.

    `given_back_micros` is what the call held beyond its cost: it is usable again, so it counts as remaining.
    """
    tightest = tightest_budget(uses, currency)
    if tightest is None:
        return []
    report = BudgetReport(
        currency=currency,
        remaining_micros=max(0, tightest.remaining + given_back_micros),
        cost_micros=cost_micros,
        reserved_micros=reserved_micros,
    )
    return [(b"remit-budget", format_budget(report).encode())]
