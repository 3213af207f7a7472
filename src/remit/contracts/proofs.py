"""What every proof of possession has in common: it is fresh, it is used once, and it says why it was refused.

A proof is good for a minute and for one use. That it is used once only a store can know, so checking a proof ends in a
`SingleUse`, which the batch of the call must take with `Once`. Nothing is taken for a proof that fails any other check,
so a bad copy cannot burn a good proof.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.contracts import base64url
from remit.contracts.bounds import Freshness
from remit.contracts.documents import MAX_JTI_CHARS
from remit.core.cell_keys import cell_key
from remit.core.constraint_reading import Members
from remit.core.reasons import Reason
from remit.core.schedule import SECOND_US
from remit.errors import CredentialError

JTI_BYTES: Final = 16


class ProofStep(StrEnum):
    """The check that failed, in the order in which RFC 9449 section 4.3 and then we make them."""

    MISSING = "proof_missing"
    MALFORMED = "proof_malformed"
    CLAIMS_MISSING = "claims_missing"
    TYPE_REFUSED = "type_refused"
    HEADER_REFUSED = "header_refused"
    ALGORITHM_REFUSED = "algorithm_refused"
    KEY_REFUSED = "key_refused"
    SIGNATURE_INVALID = "signature_invalid"
    METHOD_MISMATCH = "htm_mismatch"
    TARGET_MISMATCH = "htu_mismatch"
    NONCE_REQUIRED = "nonce_required"
    NOT_FRESH = "not_fresh"
    CREDENTIAL_MISMATCH = "ath_mismatch"
    HOLDER_BINDING_FAILED = "holder_binding_failed"
    QUERY_MISMATCH = "htq_mismatch"
    BODY_MISMATCH = "htb_mismatch"
    CLAIM_INVALID = "claim_invalid"
    CONTRACT_MISMATCH = "aat_id_mismatch"
    AUDIENCE_MISMATCH = "audience_mismatch"
    TOOL_MISMATCH = "tool_mismatch"
    ARGUMENTS_MISMATCH = "arguments_mismatch"


class ProofError(CredentialError):
    """A proof is refused at `step`. `oauth_error` is what `WWW-Authenticate: DPoP error=…` says (RFC 9449 section 7.1)."""

    code = "proof"

    def __init__(self, step: ProofStep, message: str) -> None:
        self.step = step
        self.oauth_error = "use_dpop_nonce" if step is ProofStep.NONCE_REQUIRED else "invalid_dpop_proof"
        super().__init__(f"the proof is refused ({step.value}): {message}", reason=Reason.INVALID_CREDENTIAL.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleUse:
    """What keeps a proof from being used again: a `Once` of `key` in the batch of the call, good until `not_after_us`."""

    key: str
    not_after_us: int


def read_iat(claims: Members, *, now_us: int, freshness: Freshness) -> int:
    """When the proof was made, in microseconds. Raises `ProofError` where it is not a whole second near `now_us`."""
    issued_s = claims.get("iat")
    if not isinstance(issued_s, int) or isinstance(issued_s, bool) or issued_s < 0:
        raise ProofError(ProofStep.CLAIM_INVALID, "its `iat` must be a whole number of seconds")
    issued_us = issued_s * SECOND_US
    if issued_us < now_us - freshness.window_us:
        raise ProofError(ProofStep.NOT_FRESH, "it is too old: make a fresh one for every request")
    if issued_us > now_us + freshness.skew_us:
        raise ProofError(ProofStep.NOT_FRESH, "it comes from the future: set the clock of whoever made it")
    return issued_us


def check_jti(claims: Members) -> str:
    """The id of the proof: 1 to 256 printable ASCII characters. Raises `ProofError`."""
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_CHARS or not jti.isascii() or not jti.isprintable():
        raise ProofError(ProofStep.CLAIM_INVALID, "its `jti` must be 1 to 256 printable ASCII characters")
    return jti


def single_use(*, thumbprint: str, jti: str, issued_us: int, freshness: Freshness) -> SingleUse:
    """By what the proof is remembered: its key and its id, never its bytes; for as long as it could be fresh."""
    digest = hashlib.sha256(cell_key("proof", thumbprint, jti).encode()).digest()
    return SingleUse(
        key=cell_key("-", "proof", base64url.encode(digest)),
        not_after_us=issued_us + freshness.window_us + freshness.skew_us,
    )


def new_jti(random: bytes) -> str:
    """The id for a new proof, of 16 random bytes."""
    return base64url.encode(random)
