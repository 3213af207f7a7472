"""Who is calling: the credential of a request, and the proof that it is not merely a copy of one.

`Authorization: Bearer` carries an API key. `Authorization: DPoP` carries a chain of contracts, the name of an uploaded one,
or an API key that is bound to a key; each comes with a fresh `DPoP` proof for this very request. A credential that fails
is refused; it is never taken for no credential.
"""

import hmac
import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass, replace
from hashlib import sha256

from remit.contracts.anchors import TrustAnchors
from remit.contracts.bounds import BY_REFERENCE, IN_HEADERS, Freshness
from remit.contracts.cache import ChainCache
from remit.contracts.documents import CHAIN_NAME_PREFIX
from remit.contracts.dpop import HttpCall, HttpProof, verify_dpop
from remit.contracts.proofs import ProofError
from remit.contracts.verify import VerifiedChain, credential_hash
from remit.core.caller import Caller
from remit.core.contract_steps import ContractError
from remit.core.key_format import KEY_PREFIX
from remit.core.policy import Risk, Tool
from remit.engine.chains import ChainShelf
from remit.engine.keyring import KeyRing
from remit.engine.sessions import SessionBook
from remit.entrypoints.proxy.connection import Header, RequestHead
from remit.entrypoints.proxy.headers import find
from remit.errors import CredentialError
from remit.http.target import Target
from remit.identity.callers import caller_of_chain

NONCE_PERIOD_US = 60_000_000
BOUND_SOURCES = frozenset({"body", "query"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A verified caller and, where the credential has one, the proof that came with the request."""

    caller: Caller
    proof: HttpProof | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What credentials are checked against. `origin` is what proofs must be made for."""

    anchors: TrustAnchors
    origin: str
    freshness: Freshness
    nonces: bool = False


class Credentials:
    """Reads and checks the credentials of requests, for one gateway."""

    def __init__(self, keys: KeyRing, sessions: SessionBook, shelf: ChainShelf, rules: Rules) -> None:
        """`use` replaces the rules when the policy changes; what was verified under others is verified again."""
        self._keys = keys
        self._sessions = sessions
        self._shelf = shelf
        self._cache = ChainCache()
        self._nonce_key = os.urandom(32)
        self.use(rules)

    def use(self, rules: Rules) -> None:
        """Check by `rules` from now on."""
        self.rules = rules

    def identify(
        self, head: RequestHead, target: Target, tool: Tool | None, anonymous: Caller, *, now_us: int
    ) -> Identified:
        """The caller of a request; `tool` says whether a proof must cover query and body. Raises `CredentialError`."""
        identified = self._identify(head, target, tool, anonymous, now_us=now_us)
        proof = identified.proof
        named = find(head.headers, b"remit-session")
        session = proof.session if proof is not None else None
        if named is not None:
            if proof is not None:
                raise CredentialError("the session of a call with a proof is named in the proof, as `remit_sid`")
            session = named.decode("latin-1")
        if session is None:
            return identified
        if identified.caller is anonymous:
            raise CredentialError("a session belongs to the credential that opened it: send that too")
        return replace(identified, caller=self._sessions.use(session, identified.caller))

    def _identify(
        self, head: RequestHead, target: Target, tool: Tool | None, anonymous: Caller, *, now_us: int
    ) -> Identified:
        authorization = find(head.headers, b"authorization")
        api_key = find(head.headers, b"x-api-key")
        address = anonymous.address
        if authorization is None:
            if api_key is None:
                return Identified(caller=anonymous)
            return Identified(caller=self._keys.authenticate(api_key.decode("latin-1"), address=address))
        if api_key is not None:
            raise CredentialError("send one credential, either Authorization or X-Api-Key")
        scheme, _, rest = authorization.partition(b" ")
        text = rest.strip().decode("latin-1")
        if scheme.lower() == b"bearer":
            return Identified(caller=self._keys.authenticate(text, address=address))
        if scheme.lower() != b"dpop":
            raise CredentialError("the Authorization scheme must be `Bearer` or `DPoP`")
        if text.startswith(KEY_PREFIX):
            return self._bound_key(text, head, target, tool, address=address, now_us=now_us)
        verified = self.verify(text, now_us=now_us)
        thumbprint = verified.leaf_key.thumbprint
        proof = self.check_proof(head, target, tool, ath=verified.ath, thumbprint=thumbprint, now_us=now_us)
        return Identified(caller=caller_of_chain(verified.chain, address=address, credential=verified.ath), proof=proof)

    def _bound_key(
        self, text: str, head: RequestHead, target: Target, tool: Tool | None, *, address: str, now_us: int
    ) -> Identified:
        caller, thumbprint = self._keys.authenticate_bound(text, address=address)
        ath = credential_hash(text)
        proof = self.check_proof(head, target, tool, ath=ath, thumbprint=thumbprint, now_us=now_us)
        return Identified(caller=replace(caller, bound=True), proof=proof)

    def verify(self, text: str, *, now_us: int, by_reference: bool = False) -> VerifiedChain:
        """Verify a chain, given itself or by its name. Raises `CredentialError`."""
        if not self.rules.anchors.issuers:
            raise CredentialError("contracts are not accepted here: the policy trusts no issuer")
        if text.startswith(CHAIN_NAME_PREFIX):
            text, by_reference = self._shelf.find(text), True
        bounds = BY_REFERENCE if by_reference else IN_HEADERS
        return self._cache.verify(text, self.rules.anchors, now_us=now_us, bounds=bounds)

    def check_proof(
        self, head: RequestHead, target: Target, tool: Tool | None, *, ath: str, thumbprint: str, now_us: int
    ) -> HttpProof:
        """Check the proof of a request; its body is checked when it has been read. Raises `ProofError`."""
        must_bind = tool is None or tool.risk is Risk.HIGH or any(a.source in BOUND_SOURCES for a in tool.arguments)
        rules = self.rules
        call = HttpCall(method=head.method, origin=rules.origin, path=target.path, query=target.query, body=None)
        return verify_dpop(
            [value.decode("latin-1") for name, value in head.headers if name == b"dpop"],
            call,
            ath=ath,
            thumbprint=thumbprint,
            now_us=now_us,
            freshness=rules.freshness,
            nonces=self.nonces(now_us) if rules.nonces else None,
            must_bind_request=must_bind,
        )

    def nonces(self, now_us: int) -> tuple[str, str]:
        """The nonces that are good now, the newest first: each for a minute, and for the minute after it."""
        period = now_us // NONCE_PERIOD_US
        return self._nonce(period), self._nonce(period - 1)

    def _nonce(self, period: int) -> str:
        digest = hmac.new(self._nonce_key, period.to_bytes(8, "big"), sha256).digest()
        return urlsafe_b64encode(digest[:18]).decode()

    def challenge(self, error: CredentialError, *, now_us: int) -> list[Header]:
        """What a 401 says of how to authenticate (RFC 9449 section 7.1); nothing where the plain challenge will do."""
        if not isinstance(error, ProofError | ContractError):
            return []
        name = error.oauth_error if isinstance(error, ProofError) else "invalid_token"
        headers: list[Header] = [(b"www-authenticate", f'DPoP error="{name}", algs="EdDSA ES256"'.encode())]
        if name == "use_dpop_nonce":
            headers.append((b"dpop-nonce", self.nonces(now_us)[0].encode()))
        return headers
