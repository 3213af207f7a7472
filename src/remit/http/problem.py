"""Denials on the wire: `application/problem+json` (RFC 9457) with the members of Remit, and the headers beside it.

Every terminal denial carries `x-should-retry: false`, which the common agent SDKs obey at once; Retry-After is given
only where waiting helps.
"""

import msgspec

from remit.core.decision import Deny, LimitUse
from remit.core.reasons import BLANK, Reason
from remit.http.answers import budget_header, rate_headers

Header = tuple[bytes, bytes]

PROBLEM_TYPE = b"application/problem+json"
CHALLENGE = b'Bearer realm="remit"'
MAX_RETRY_AFTER_S = 60
STORE_RETRY_AFTER_S = 2

_ENCODER = msgspec.json.Encoder(order=None)


def problem_body(deny: Deny, *, instance: str, redact_numbers: bool = False, status: int = 0) -> bytes:
    """The body of a denial, one JSON object. `status` replaces the reason's own where a request is malformed."""
    about = deny.about
    members: dict[str, object] = {
        "type": about.problem_type,
        "title": about.title,
        "status": status or about.status,
        "detail": about.help if redact_numbers else f"{_sentence(deny.detail)} {about.help}",
        "instance": instance,
        "reason": deny.reason.value,
        "decision": deny.id,
        "terminal": deny.terminal,
    }
    if deny.tool:
        members["tool"] = deny.tool
    if deny.use is not None:
        members |= _limit_members(deny, deny.use, redact_numbers=redact_numbers)
    if deny.hop is not None:
        members["hop"] = deny.hop
    if deny.violated:
        members["violated-policies"] = list(deny.violated)
    return _ENCODER.encode(members)


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _limit_members(deny: Deny, use: LimitUse, *, redact_numbers: bool) -> dict[str, object]:
    members: dict[str, object] = {"limit": use.limit, "per": list(use.per), "unit": use.unit}
    if not redact_numbers:
        members |= {"used": use.used, "held": use.held, "max": use.max}
    if deny.retry_at_us:
        members["reset"] = max(0, -(-(deny.retry_at_us - deny.now_us) // 1_000_000))
    return members


def problem_headers(deny: Deny, *, currency: str, redact_numbers: bool = False) -> list[Header]:
    """The headers that go with the body."""
    headers: list[Header] = [
        (b"content-type", PROBLEM_TYPE),
        (b"cache-control", b"no-store"),
        (b"remit-decision", deny.id.encode()),
    ]
    about = deny.about
    if about.status == 401:
        error = b"" if deny.reason is Reason.SESSION_REQUIRED else b', error="invalid_token"'
        headers.append((b"www-authenticate", CHALLENGE + error))
    if deny.terminal:
        headers.append((b"x-should-retry", b"false"))
    elif (seconds := _retry_after_s(deny)) is not None:
        headers.append((b"retry-after", b"%d" % seconds))
    if not redact_numbers:
        headers.extend(rate_headers(deny.uses, deny.now_us))
        headers.extend(budget_header(deny.uses, currency=currency))
    return headers


def _retry_after_s(deny: Deny) -> int | None:
    if deny.about.status == 503:
        return STORE_RETRY_AFTER_S
    if deny.retry_at_us <= 0:
        return 1 if deny.about.status in (409, 429) else None
    return min(MAX_RETRY_AFTER_S, max(1, -(-(deny.retry_at_us - deny.now_us) // 1_000_000)))


def trouble_body(
    *, status: int, title: str, detail: str, reason: str, decision: str, instance: str, terminal: bool
) -> bytes:
    """A problem that is no denial: an upstream that failed, a request that cannot be read."""
    members = {
        "type": BLANK,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        "reason": reason,
        "terminal": terminal,
    }
    if decision:
        members["decision"] = decision
    return _ENCODER.encode(members)
