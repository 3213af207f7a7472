"""From a verified credential to the caller that decisions are made about."""

from remit.core.caller import Caller, CredentialKind, Session
from remit.identity.api_keys import KeyRecord
from remit.identity.sessions import SessionRecord


def caller_of_key(record: KeyRecord, *, address: str, session: SessionRecord | None = None) -> Caller:
    """The caller behind an authenticated key, calling from `address` (its prefix), inside `session` if it named one.

    `session` must have passed `sessions.use_session` for this key.
    """
    return Caller(
        kind=CredentialKind.API_KEY,
        id=record.key_id,
        address=address,
        agent=record.agent,
        user=record.user,
        org=record.org,
        tier=record.tier,
        tools=record.tools,
        session=None if session is None else session_of(session),
    )


def anonymous_caller(address: str) -> Caller:
    """Somebody without a credential, known by the prefix of the address only. Never used for a credential that failed."""
    return Caller(kind=CredentialKind.NONE, id=address, address=address)


def session_of(record: SessionRecord) -> Session:
    """The session as decisions see it."""
    return Session(
        id=record.session_id,
        expires_us=record.expires_us,
        budget_micros=record.budget_micros,
        calls=record.calls,
    )
