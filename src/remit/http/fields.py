"""Header fields that Remit writes and reads, as RFC 9651 structured fields.

`RateLimit-Policy` and `RateLimit` follow the syntax of draft-ietf-httpapi-ratelimit-headers-11: they speak of calls and
other countable things, never of money. Money has a field of its own, `Remit-Budget`. What a client sends as
`Idempotency-Key` is read in both spellings in use. Structured integers have at most 15 digits; a larger number is written
as the largest, which only ever happens to limits that nobody comes near.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from remit.core.money import DECIMALS, ceil_div, check_currency
from remit.core.reading import shown
from remit.core.schedule import SECOND_US
from remit.errors import BadRequest, UsageError

MAX_FIELD_INTEGER: Final = 10**15 - 1
"""The largest structured-field integer (RFC 9651 section 3.3.1)."""

MAX_IDEMPOTENCY_KEY_CHARS: Final = 255

_VISIBLE: Final = frozenset(range(0x21, 0x7F))
_BARE_KEY_BYTES: Final = _VISIBLE - frozenset(b'"\\,;')
_STRING_BYTES: Final = _VISIBLE | frozenset(b" ")


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaPolicy:
    """One item of `RateLimit-Policy`: at most `quota` per window; `unit` says of what, when it is not requests."""

    name: str
    quota: int
    window_us: int | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLimit:
    """One item of `RateLimit`: `remaining` now, and the time until there is more, if that is known."""

    name: str
    remaining: int
    reset_us: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReport:
    """What `Remit-Budget` says, each in micros and left out if not known: what remains, what this call cost or reserved.

    A trailer after a stream says the cost alone.
    """

    currency: str
    remaining_micros: int | None = None
    cost_micros: int | None = None
    reserved_micros: int | None = None


def format_rate_limit_policy(policies: Iterable[QuotaPolicy]) -> str:
    """Write `"burst";q=100;w=60`, comma separated; "" means that the field is left out.

    A window is written in whole seconds, rounded up. Raises `UsageError` for names that a header cannot hold.
    """
    return ", ".join(
        f"{_string(policy.name)};q={_integer(policy.quota)}"
        f"{_seconds('w', policy.window_us)}{'' if policy.unit is None else f';qu={_string(policy.unit)}'}"
        for policy in policies
    )


def format_rate_limit(limits: Iterable[ServiceLimit]) -> str:
    """Write `"burst";r=9;t=3`, comma separated; "" means that the field is left out.

    The reset is in whole seconds, rounded up, so that nobody comes back too early. Raises `UsageError` as above.
    """
    return ", ".join(
        f"{_string(limit.name)};r={_integer(limit.remaining)}{_seconds('t', limit.reset_us)}" for limit in limits
    )


def format_budget(report: BudgetReport) -> str:
    """Write `remaining=4650000, cost=350000, unit="USD", decimals=6`: integers of millionths."""
    members = (
        ("remaining", report.remaining_micros),
        ("cost", report.cost_micros),
        ("reserved", report.reserved_micros),
    )
    amounts = "".join(f"{name}={_integer(micros)}, " for name, micros in members if micros is not None)
    return f'{amounts}unit="{check_currency(report.currency)}", decimals={DECIMALS}'


def parse_idempotency_key(raw: bytes) -> str:
    """Read an `Idempotency-Key` value of 1 to 255 ASCII characters, quoted or bare; both spellings are the same key.

    Quoted it is a structured-field string (draft-ietf-httpapi-idempotency-key-header), which may hold spaces. Bare, as
    most clients send it, it is visible ASCII without quotes, backslash, comma and semicolon. Raises `BadRequest`.
    """
    if len(raw) > 2 * MAX_IDEMPOTENCY_KEY_CHARS + 2:
        raise BadRequest(f"the Idempotency-Key is longer than {MAX_IDEMPOTENCY_KEY_CHARS} characters")
    key = _unquoted(raw[1:]) if raw.startswith(b'"') else raw if _BARE_KEY_BYTES.issuperset(raw) else b""
    if not 0 < len(key) <= MAX_IDEMPOTENCY_KEY_CHARS:
        raise BadRequest(
            f"the Idempotency-Key {shown(raw)} is not usable: send 1 to {MAX_IDEMPOTENCY_KEY_CHARS} visible ASCII "
            "characters, in double quotes"
        )
    return key.decode("ascii")


def _unquoted(rest: bytes) -> bytes:
    """Return what a structured string holds, given all after its opening quote; b"" if it is malformed."""
    content = bytearray()
    at = 0
    while at < len(rest):
        byte = rest[at]
        if byte == ord('"'):
            return bytes(content) if at == len(rest) - 1 else b""
        if byte == ord("\\"):
            at += 1
            byte = rest[at] if rest[at : at + 1] in (b'"', b"\\") else 0
        if byte not in _STRING_BYTES:
            return b""
        content.append(byte)
        at += 1
    return b""


def _string(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise UsageError(f"{shown(text)} cannot be written into a header: use printable ASCII")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _integer(value: int) -> int:
    return max(0, min(value, MAX_FIELD_INTEGER))


def _seconds(name: str, duration_us: int | None) -> str:
    return "" if duration_us is None else f";{name}={_integer(ceil_div(duration_us, SECOND_US))}"
