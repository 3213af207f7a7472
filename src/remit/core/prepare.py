"""Which limits concern a call, which cells they charge and how: worked out once for a caller and a tool.

That depends on the policy, the caller, the tool and (where a limit counts by it) the target. A contract chain adds the
limits of every link (`chain_charges`).
"""

from itertools import product

from remit.core import schedule
from remit.core.caller import Caller, CredentialKind, Session
from remit.core.cell_keys import cell_key, key_gate, session_gate
from remit.core.chain_charges import add_chain
from remit.core.dimensions import concerns, dimension_values
from remit.core.ledger import operations as ops
from remit.core.match import parse_tool_patterns
from remit.core.policy import (
    ON_FULL,
    Budget,
    Concurrent,
    Dimension,
    Failures,
    Limit,
    Mode,
    Only,
    Policy,
    Quota,
    Rate,
    Risk,
    Tool,
    Units,
)
from remit.core.reasons import Reason
from remit.core.template import Bound, Builder, StaticDenial, Template, window_name, window_of
from remit.errors import InvariantBroken

OWN = frozenset({Dimension.AGENT, Dimension.ACTOR, Dimension.CALLER, Dimension.KEY, Dimension.SESSION, Dimension.USER})
NAMED_IN_TENANT = frozenset({Dimension.AGENT, Dimension.ACTOR, Dimension.USER, Dimension.ACCOUNT})
HOLD_MARGIN_US = 30_000_000
"""How much longer than the upstream's timeout a hold lives: the gateway settles well before it is due."""


def prepare(
    policy: Policy, caller: Caller, tool: Tool, *, target: str, priced: bool, now_us: int
) -> Template | StaticDenial:
    """Everything about a call that does not change from one to the next, or why it can never be allowed."""
    if (denial := _allowed(caller, tool)) is not None:
        return denial
    build = Builder(policy, caller, tool, target, now_us, [], [], [], [])
    _add_gates(build)
    for limit in policy.limits.values():
        if not concerns(limit, caller, tool) or (isinstance(limit.rule, Budget) and not priced):
            continue
        if (denial := _add_limit(build, limit)) is not None:
            return denial
    _add_sessions(build, priced=priced)
    if caller.chain is not None and (denial := add_chain(build, caller.chain, priced=priced)) is not None:
        return denial
    return _finish(build)


def _finish(build: Builder) -> Template:
    operations = [*build.gates, *build.checks]
    entries = tuple(entry for entry, _ in build.entries)
    if len({entry.key for entry in entries}) != len(entries):
        raise InvariantBroken("two limits of one call would be counted in one cell; please report this")
    timeout_us = build.tool.timeout_us
    if timeout_us is None:
        upstream = build.policy.upstreams.get(build.tool.upstream)
        timeout_us = upstream.timeout_us if upstream is not None else 3_600_000_000
    ttl_us = timeout_us + HOLD_MARGIN_US
    hold = ops.Hold(ops.HoldState.DISPATCHED, ttl_us, entries)
    admit = tuple(operation for operation, _ in operations)
    admit_with_hold = (*admit, hold) if entries else admit
    valid_from_us, valid_until_us = ops.validity(*admit_with_hold)
    price = build.tool.price
    return Template(
        tool=build.tool,
        caller=build.caller,
        currency=build.policy.currency,
        admit=admit,
        operation_bounds=tuple(bound for _, bound in operations),
        entry_bounds=tuple(bound for _, bound in build.entries),
        entries=entries,
        ttl_us=ttl_us,
        on_failure=tuple(build.on_failure),
        hold_micros=price.hold_micros if price is not None else 0,
        valid_from_us=valid_from_us,
        valid_until_us=valid_until_us,
    )


def _allowed(caller: Caller, tool: Tool) -> StaticDenial | None:
    if caller.kind is CredentialKind.NONE:
        if tool.anonymous:
            return None
        return StaticDenial(reason=Reason.INVALID_CREDENTIAL, detail=f"`{tool.name}` needs a credential")
    if tool.risk is Risk.HIGH and not caller.bound:
        detail = f"`{tool.name}` is a high-risk tool: it needs a credential with a proof of possession"
        return StaticDenial(reason=Reason.STRONGER_BINDING_REQUIRED, detail=detail)
    if caller.chain is not None:
        return None
    if caller.tools is not None and parse_tool_patterns(caller.tools).match(tool.name):
        return None
    if tool.anonymous:
        return None
    return StaticDenial(reason=Reason.NOT_ALLOWED, detail=f"this credential does not allow `{tool.name}`")


def _add_gates(build: Builder) -> None:
    caller = build.caller
    if caller.kind is CredentialKind.API_KEY:
        build.gates.append((ops.Gate(key_gate(caller.id)), _gate_bound("key", Reason.REVOKED)))
    if caller.session is not None:
        build.gates.append((ops.Gate(session_gate(caller.session.id)), _gate_bound("session", Reason.SESSION_REQUIRED)))
        expires_us = min(session.expires_us for session in caller.session.line())
        within = ops.Within((ops.Span(0, expires_us),))
        build.gates.append((within, _gate_bound("session", Reason.SESSION_REQUIRED)))


def _gate_bound(kind: str, reason: Reason) -> Bound:
    return Bound(limit=kind, kind="gate", unit="", per=(), window_us=0, reason=reason)


def _add_limit(build: Builder, limit: Limit) -> StaticDenial | None:
    named: list[list[str]] = []
    for dimension in limit.per:
        values = dimension_values(dimension, build.caller, build.tool, build.target)
        if not values:
            return None if limit.mode is Mode.OBSERVE else _no_value(limit, dimension)
        named.append([f"{dimension.value}={value}" for value in values])
    tenant = build.caller.tenant if NAMED_IN_TENANT.intersection(limit.per) else "-"
    for combination in product(*named):
        _add_rule(build, limit, (tenant, limit.name), combination)
    return None


def _no_value(limit: Limit, dimension: Dimension) -> StaticDenial:
    if dimension is Dimension.SESSION:
        detail = f"`{limit.name}` counts per session and this call names none"
        return StaticDenial(reason=Reason.SESSION_REQUIRED, detail=detail, limit=limit.name)
    detail = f"`{limit.name}` counts per {dimension.value} and this credential has none"
    return StaticDenial(reason=Reason.NOT_ALLOWED, detail=detail, limit=limit.name)


def _add_rule(build: Builder, limit: Limit, head: tuple[str, str], values: tuple[str, ...]) -> None:
    rule, on_full = limit.rule, ON_FULL[limit.mode]
    if isinstance(rule, Rate):
        key = cell_key(*head, "rate", str(rule.per_us), "calls", *values)
        pace = ops.Pace(key, rule.interval_us, rule.burst, 1, rule.max_wait_us, on_full)
        build.checks.append((pace, _bound(limit, "rate", "calls", rule.per_us, Reason.RATE_LIMITED, rule.count)))
    elif isinstance(rule, Only):
        found = schedule.openings(rule.window, build.now_us)
        spans = tuple(ops.Span(start_us, end_us) for start_us, end_us in found.spans)
        within = ops.Within(spans, found.horizon_us)
        if limit.mode is Mode.ENFORCE:
            build.checks.append((within, _bound(limit, "only", "", 0, Reason.OUTSIDE_SCHEDULE)))
    elif isinstance(rule, Failures):
        window, window_us = window_of(rule.window, build.now_us)
        key = cell_key(*head, "failures", window_name(rule.window), "failures", *values)
        bound = _bound(limit, "failures", "failures", window_us, Reason.TOO_MANY_FAILURES)
        build.checks.append((ops.Check(key, window, rule.max, on_full), bound))
        build.on_failure.append(ops.Count(key, window))
    elif isinstance(rule, Concurrent):
        key = cell_key(*head, "concurrent", "-", "slots", *values)
        entry = ops.HoldEntry(
            key, ops.Life(), "slots", 1, rule.max, on_full, ops.AtCommit.ZERO, ops.AtExpiry.FREE
        )  # fmt: skip
        build.entries.append((entry, _bound(limit, "concurrent", "slots", 0, Reason.TOO_MANY_IN_FLIGHT)))
    else:
        _add_counted(build, limit, head, values, rule)


def _add_counted(
    build: Builder, limit: Limit, head: tuple[str, str], values: tuple[str, ...], rule: Quota | Units | Budget
) -> None:
    window, window_us = window_of(rule.window, build.now_us)
    currency = build.policy.currency
    reason = Reason.LIFETIME_QUOTA_EXHAUSTED if isinstance(window, ops.Life) else Reason.QUOTA_EXHAUSTED
    at_commit = ops.AtCommit.KEEP
    if isinstance(rule, Budget):
        kind, unit, most, amount, reason = "budget", currency, rule.max_micros, 0, Reason.BUDGET_EXHAUSTED
        at_commit = ops.AtCommit.ACTUAL
        amount = build.tool.price.hold_micros if build.tool.price is not None else 0
    elif isinstance(rule, Units):
        kind, unit, most, amount = "units", "units", rule.max, rule.weights.get(build.tool.name, 1)
    else:
        kind, unit, most, amount = "quota", "calls", rule.max, 1
    key = cell_key(*head, kind, window_name(rule.window), unit, *values)
    entry = ops.HoldEntry(key, window, unit, amount, most, ON_FULL[limit.mode], at_commit)
    build.entries.append((entry, _bound(limit, kind, unit, window_us, reason)))


def _bound(limit: Limit, kind: str, unit: str, window_us: int, reason: Reason, count: int = 0) -> Bound:
    return Bound(
        limit=limit.name,
        kind=kind,
        unit=unit,
        per=tuple(dimension.value for dimension in limit.per),
        window_us=window_us,
        reason=reason,
        count=count,
        own=bool(OWN.intersection(limit.per)),
        warn_at_permille=limit.warn_at_permille,
    )


def _add_sessions(build: Builder, *, priced: bool) -> None:
    """The caps that the session itself, and every one around it, was opened with."""
    sessions = build.caller.session.line() if build.caller.session is not None else ()
    price = build.tool.price
    for session in sessions:
        life = ops.Life(session.expires_us)
        if session.calls is not None:
            key = cell_key("-", "session", "quota", "life", "calls", f"session={session.id}")
            entry = ops.HoldEntry(key, life, "calls", 1, session.calls, at_commit=ops.AtCommit.KEEP)
            build.entries.append((entry, _session_bound(session, "quota", "calls", Reason.LIFETIME_QUOTA_EXHAUSTED)))
        if session.budget_micros is not None and priced:
            currency = build.policy.currency
            key = cell_key("-", "session", "budget", "life", currency, f"session={session.id}")
            amount = price.hold_micros if price is not None else 0
            entry = ops.HoldEntry(key, life, currency, amount, session.budget_micros)
            build.entries.append((entry, _session_bound(session, "budget", currency, Reason.BUDGET_EXHAUSTED)))


def _session_bound(session: Session, kind: str, unit: str, reason: Reason) -> Bound:
    name = f"run {session.named}" if session.named else "session"
    return Bound(limit=name, kind=kind, unit=unit, per=("session",), window_us=0, reason=reason)
