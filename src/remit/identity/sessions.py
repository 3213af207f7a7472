"""Sessions: one run of an agent, with its own budget, number of calls and end.

A session is opened by a verified caller and belongs to it: the id alone opens nothing for anybody else, and is
unguessable all the same. It ends at its absolute time, when it lies idle too long, or when it is closed. What it may
ask for is bounded by `SessionBounds`; where it asks for nothing it gets the most that is allowed.

When a session was last used is not part of its record, which is written twice in its life; the store keeps that beside it.
"""

from base64 import b32encode
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from remit.core.key_format import KEY_ID_ALPHABET
from remit.core.match import is_identifier
from remit.core.money import CURRENCY_DECIMALS, check_currency, format_micros
from remit.core.reading import MAX_INTEGER
from remit.core.reasons import Reason
from remit.core.units import describe_duration
from remit.errors import CredentialError, StoreCorrupt, UsageError
from remit.identity.api_keys import RandomBytes

SESSION_PREFIX: Final = "ses_"
SESSION_ID_CHARS: Final = len(SESSION_PREFIX) + 26
MAX_RECORD_BYTES: Final = 4096
_ID_BYTES: Final = 16
_FORMAT: Final = 1
_NOT_USABLE: Final = "the session is not known here, or has ended; open a new one"

_Amount = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBounds:
    """The most that a session may ask for. None: no bound on that."""

    lifetime_us: int
    idle_us: int
    budget_micros: int | None = None
    calls: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWish:
    """What the caller asks for. None: the most that it may have. `budget_micros` is in the policy's currency."""

    lifetime_us: int | None = None
    idle_us: int | None = None
    budget_micros: int | None = None
    calls: int | None = None


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An opened session. `opener` is the id of the caller that opened it; times are exclusive ends.

    It is over at `expires_us`, when not used for `idle_us`, or from `closed_us` on.
    """

    session_id: str
    opener: str
    opened_us: _Amount
    expires_us: _Amount
    idle_us: _Amount
    currency: str
    budget_micros: _Amount | None = None
    calls: _Amount | None = None
    closed_us: _Amount | None = None
    format: int = _FORMAT

    def ends_us(self, last_used_us: int) -> int:
        """When it ends, if it is not used again after `last_used_us`."""
        end_us = min(self.expires_us, last_used_us + self.idle_us)
        return end_us if self.closed_us is None else min(end_us, self.closed_us)

    def is_open(self, now_us: int, *, last_used_us: int) -> bool:
        """Whether it may be used at `now_us`."""
        return now_us < self.ends_us(max(last_used_us, self.opened_us))


def open_session(
    random_bytes: RandomBytes, wish: SessionWish, bounds: SessionBounds, *, opener: str, currency: str, now_us: int
) -> SessionRecord:
    """Open a session for the caller `opener`. Raises `UsageError` where the wish is out of bounds, saying the bound."""
    if not is_identifier(opener):
        raise UsageError("only a caller with a verified id can open a session")
    check_currency(currency)
    lifetime_us = _within(wish.lifetime_us, bounds.lifetime_us, "lifetime", describe_duration(bounds.lifetime_us))
    idle_us = _within(wish.idle_us, bounds.idle_us, "idle time", describe_duration(bounds.idle_us))
    return SessionRecord(
        session_id=SESSION_PREFIX + b32encode(random_bytes(_ID_BYTES)).decode().rstrip("=").lower(),
        opener=opener,
        opened_us=now_us,
        expires_us=now_us + lifetime_us,
        idle_us=min(idle_us, lifetime_us),
        currency=currency,
        budget_micros=_at_most(
            wish.budget_micros,
            bounds.budget_micros,
            "budget",
            format_micros(bounds.budget_micros or 0, currency),
        ),
        calls=_at_most(wish.calls, bounds.calls, "number of calls", str(bounds.calls)),
    )


def check_session_id(text: str) -> str:
    """Return `text` if it is written like a session id, else raise `CredentialError`: before any look-up."""
    body = text.removeprefix(SESSION_PREFIX)
    if len(text) != SESSION_ID_CHARS or body == text or not set(body) <= set(KEY_ID_ALPHABET):
        raise CredentialError(_NOT_USABLE, reason=Reason.SESSION_REQUIRED.value)
    return text


def use_session(record: SessionRecord | None, *, caller_id: str, now_us: int, last_used_us: int) -> SessionRecord:
    """The session, if `caller_id` opened it and it is still open.

    Raises `CredentialError` (`session_required`), in the same words whether it is unknown, over or somebody else's.
    """
    if record is None or record.opener != caller_id or not record.is_open(now_us, last_used_us=last_used_us):
        raise CredentialError(_NOT_USABLE, reason=Reason.SESSION_REQUIRED.value)
    return record


def close_session(record: SessionRecord, now_us: int) -> SessionRecord:
    """The session, closed for good. Closing twice keeps the first time."""
    return record if record.closed_us is not None else msgspec.structs.replace(record, closed_us=now_us)


def encode(record: SessionRecord) -> bytes:
    """The record as JSON, for a store."""
    return _ENCODER.encode(record)


def decode(body: bytes) -> SessionRecord:
    """The record that `encode` wrote. Raises `StoreCorrupt` for anything else."""
    try:
        record = _DECODER.decode(body) if len(body) <= MAX_RECORD_BYTES else None
        if record is None or record.format != _FORMAT or record.currency not in CURRENCY_DECIMALS:
            raise StoreCorrupt("a stored session contradicts itself, or was written by a newer version of remit")
        check_session_id(record.session_id)
    except (msgspec.DecodeError, UnicodeDecodeError, CredentialError):
        raise StoreCorrupt("a stored session cannot be read; restore the store from a backup") from None
    return record


_ENCODER: Final = msgspec.json.Encoder(order="sorted")
_DECODER: Final = msgspec.json.Decoder(SessionRecord)


def _within(wish_us: int | None, bound_us: int, what: str, shown: str) -> int:
    """The wished-for time, above zero and within its bound."""
    if wish_us is None:
        return bound_us
    if not 0 < wish_us <= bound_us:
        raise UsageError(f"the {what} of a session must be above zero and at most {shown}")
    return wish_us


def _at_most(wish: int | None, bound: int | None, what: str, shown: str) -> int | None:
    """The wished-for amount, not negative and within its bound, if it has one."""
    if wish is None:
        return bound
    if wish < 0 or wish > (MAX_INTEGER if bound is None else bound):
        most = f" and at most {shown}" if bound is not None else ", nor too large to count"
        raise UsageError(f"the {what} of a session must not be negative{most}")
    return wish
