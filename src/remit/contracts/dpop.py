"""Proof of possession over HTTP: DPoP (RFC 9449), with the query and the body bound as well.

The proof is a small signed document beside the credential: who holds the key asks for this method on this target, now,
with this credential. The checks are those of section 4.3 in its order. DPoP says nothing about query and body, where an
amount may stand, so our own proofs add `remit_htq` and `remit_htb`: base64url SHA-256 of the raw query without its `?` and
of the body, each present always, of the empty string where there is none. A proof that has them is held to them; whether
it must have them is the caller's to say.

The credential is any text: a chain of contracts joined by `~`, or an API key that was bound to a key when it was made.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Final

from remit.contracts import base64url
from remit.contracts.bounds import FRESH, Freshness
from remit.contracts.canonical import encode_exactly
from remit.contracts.jws import UnverifiedJws, check_header, sign_jws, split_jws
from remit.contracts.keys import PrivateKey, PublicKey, RandomBytes, read_public_jwk
from remit.contracts.proofs import JTI_BYTES, ProofError, ProofStep, SingleUse, check_jti, new_jti, read_iat, single_use
from remit.contracts.uris import normalise_target, request_target
from remit.contracts.verify import credential_hash
from remit.core.constraint_reading import Members
from remit.core.contract_steps import ContractError, Step
from remit.core.schedule import SECOND_US
from remit.core.strict_json import JsonValue
from remit.errors import UsageError

TYP: Final = "dpop+jwt"
MAX_PROOF_BYTES: Final = 8 * 1024
MAX_NONCE_CHARS: Final = 256
MAX_SESSION_CHARS: Final = 128

_REQUIRED: Final = ("jti", "htm", "htu", "iat", "ath")
_OURS: Final = frozenset({"remit_htq", "remit_htb", "remit_sid"})
_HEADER_EXPECTED: Final = frozenset({"jwk"})
_STEPS: Final = {Step.ALGORITHM_REFUSED: ProofStep.ALGORITHM_REFUSED, Step.HEADER_REFUSED: ProofStep.HEADER_REFUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """What a proof must have been made for. `path` and `query` are as they were sent, the query without its `?`.

    `origin` is the guard's configured public one, never what a request says. `body` None: it has not been read.
    """

    method: str
    origin: str
    path: str
    query: bytes = b""
    body: bytes | None = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpProof:
    """A proof that passed. `single_use` must be taken in the batch of the call. `session` is the run that it names, if any.

    `binds_request` says that query and body are bound. `body_hash` is what the body must hash to (`check_body`) where the
    body had not been read; None where there is nothing left to check.
    """

    jti: str
    thumbprint: str
    issued_us: int
    single_use: SingleUse
    binds_request: bool
    session: str | None = None
    body_hash: str | None = None


def make_dpop(
    key: PrivateKey,
    call: HttpCall,
    *,
    credential: str,
    now_us: int,
    random_bytes: RandomBytes,
    nonce: str | None = None,
    session: str | None = None,
) -> str:
    """Return the value of the `DPoP` header for one call; make a new one for every call, repeats included."""
    if call.body is None:
        raise UsageError("a proof covers the body, so the body must be known when it is made")
    claims: Members = {
        "jti": new_jti(random_bytes(JTI_BYTES)),
        "htm": call.method,
        "htu": request_target(call.origin, call.path),
        "iat": now_us // SECOND_US,
        "ath": credential_hash(credential),
        "remit_htq": _hash(call.query),
        "remit_htb": _hash(call.body),
    }
    claims |= {name: text for name, text in (("nonce", nonce), ("remit_sid", session)) if text is not None}
    header: Members = {"typ": TYP, "jwk": dict[str, JsonValue](key.public.to_jwk())}
    return sign_jws(header, encode_exactly(claims), key)


def verify_dpop(
    headers: Sequence[str],
    call: HttpCall,
    *,
    ath: str,
    thumbprint: str,
    now_us: int,
    freshness: Freshness = FRESH,
    nonces: Collection[str] | None = None,
    must_bind_request: bool = False,
) -> HttpProof:
    """Check the `DPoP` header fields of a request against the credential with the hash `ath`, bound to key `thumbprint`.

    `nonces` are those that the guard would accept now; None: it asks for none. Raises `ProofError` at the first of the
    checks of RFC 9449 section 4.3 that fails, then of ours. Records nothing.
    """
    proof = _only_proof(headers)  # checks 1 and 2
    claims = proof.unverified_claims
    for name in _REQUIRED:  # check 3
        if name not in claims:
            raise ProofError(ProofStep.CLAIMS_MISSING, f"it has no `{name}`")
    key = _signed_by(proof)  # checks 4 to 7
    if claims["htm"] != call.method:  # check 8
        raise ProofError(ProofStep.METHOD_MISMATCH, "its `htm` is not the method of the request")
    _check_target(claims["htu"], call)  # check 9
    _check_nonce(claims, nonces)  # check 10
    issued_us = read_iat(claims, now_us=now_us, freshness=freshness)  # check 11
    if not _is_text(claims["ath"], ath):  # check 12
        raise ProofError(ProofStep.CREDENTIAL_MISMATCH, "its `ath` is not the hash of the credential")
    if not _is_text(key.thumbprint, thumbprint):
        raise ProofError(ProofStep.HOLDER_BINDING_FAILED, "its key is not the one that the credential is bound to")
    body_hash = _check_request(claims, call, must_bind_request=must_bind_request)
    jti = check_jti(claims)
    return HttpProof(
        jti=jti,
        thumbprint=key.thumbprint,
        issued_us=issued_us,
        single_use=single_use(thumbprint=key.thumbprint, jti=jti, issued_us=issued_us, freshness=freshness),
        binds_request="remit_htq" in claims and "remit_htb" in claims,
        session=_session(claims),
        body_hash=body_hash,
    )


def check_body(proof: HttpProof, body: bytes) -> None:
    """See that a body which was read after its proof was checked is the one that the proof covers. Raises `ProofError`."""
    if proof.body_hash is not None and not compare_digest(proof.body_hash, _hash(body)):
        raise ProofError(ProofStep.BODY_MISMATCH, "its `remit_htb` is not the hash of the body")


def _only_proof(headers: Sequence[str]) -> UnverifiedJws:
    if len(headers) != 1:
        raise ProofError(ProofStep.MISSING, "a request carries exactly one `DPoP` header")
    try:
        return split_jws(headers[0], max_bytes=MAX_PROOF_BYTES)
    except ContractError as error:
        raise ProofError(ProofStep.MALFORMED, error.problem) from None


def _signed_by(proof: UnverifiedJws) -> PublicKey:
    """The key in the proof's own header, which signed it: whose key that is, the thumbprint says afterwards."""
    header = proof.unverified_header
    if header.get("typ") != TYP:
        raise ProofError(ProofStep.TYPE_REFUSED, f"its `typ` must be `{TYP}`")
    try:
        alg = check_header(header, expected=_HEADER_EXPECTED)
        key = read_public_jwk(header.get("jwk"))
    except ContractError as error:
        raise ProofError(_STEPS[error.step], error.problem) from None
    except UsageError as error:
        raise ProofError(ProofStep.KEY_REFUSED, str(error)) from None
    if alg is not key.alg:
        raise ProofError(ProofStep.ALGORITHM_REFUSED, "its `alg` is not that of its key")
    if not key.verifies(proof.signature, proof.signing_input):
        raise ProofError(ProofStep.SIGNATURE_INVALID, "its signature is not that of its key")
    return key


def _check_target(htu: JsonValue, call: HttpCall) -> None:
    try:
        is_same = isinstance(htu, str) and normalise_target(htu) == request_target(call.origin, call.path)
    except UsageError as error:
        raise ProofError(ProofStep.TARGET_MISMATCH, f"its `htu` is refused: {error}") from None
    if not is_same:
        raise ProofError(ProofStep.TARGET_MISMATCH, "its `htu` is not the target of the request")


def _check_nonce(claims: Members, nonces: Collection[str] | None) -> None:
    if nonces is None:
        return
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or len(nonce) > MAX_NONCE_CHARS or not any(_is_text(nonce, each) for each in nonces):
        raise ProofError(ProofStep.NONCE_REQUIRED, "it needs the `nonce` that the answer gives in `DPoP-Nonce`")


def _check_request(claims: Members, call: HttpCall, *, must_bind_request: bool) -> str | None:
    """Compare query and body with what the proof says of them; return the body's hash if the body is still to come."""
    for name in claims:
        if name.startswith("remit_") and name not in _OURS:
            raise ProofError(ProofStep.CLAIM_INVALID, "it has a claim `remit_…` that is not known here")
    if must_bind_request:
        _require(claims, "remit_htq", ProofStep.QUERY_MISMATCH)
        _require(claims, "remit_htb", ProofStep.BODY_MISMATCH)
    if "remit_htq" in claims and not _is_text(claims["remit_htq"], _hash(call.query)):
        raise ProofError(ProofStep.QUERY_MISMATCH, "its `remit_htq` is not the hash of the query")
    if "remit_htb" not in claims:
        return None
    said = claims["remit_htb"]
    if call.body is None:
        return said if isinstance(said, str) and said.isascii() else ""
    if not _is_text(said, _hash(call.body)):
        raise ProofError(ProofStep.BODY_MISMATCH, "its `remit_htb` is not the hash of the body")
    return None


def _require(claims: Members, name: str, step: ProofStep) -> None:
    if name not in claims:
        raise ProofError(step, f"this call asks for a proof that covers query and body: it has no `{name}`")


def _session(claims: Members) -> str | None:
    if "remit_sid" not in claims:
        return None
    session = claims["remit_sid"]
    if (
        not isinstance(session, str)
        or not 0 < len(session) <= MAX_SESSION_CHARS
        or not session.isascii()
        or not session.isprintable()
    ):
        raise ProofError(ProofStep.CLAIM_INVALID, "its `remit_sid` must be the id of a session")
    return session


def _hash(data: bytes) -> str:
    return base64url.encode(sha256(data).digest())


def _is_text(said: JsonValue, wanted: str) -> bool:
    """Compare in constant time what a proof says with what it must say."""
    return isinstance(said, str) and compare_digest(said.encode(), wanted.encode())
