"""From a verified credential to the caller that decisions are made about."""

from remit.core.caller import Caller, CredentialKind, Session
from remit.core.contract import Chain
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


def caller_of_chain(chain: Chain, *, address: str, credential: str) -> Caller:
    """The caller behind a verified chain whose leaf's holder has proved possession with this very request."""
    return Caller(
        kind=CredentialKind.CONTRACT,
        id=chain.leaf.holder.thumbprint,
        address=address,
        agent=chain.leaf.agent,
        user=chain.root.user,
        org=chain.root.org,
        chain=chain,
        bound=True,
        credential=credential,
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
