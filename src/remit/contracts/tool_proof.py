"""Proof of possession for a tool in the same process or behind MCP: section 5 of the draft.

The holder of the leaf signs the tool, its arguments and for whom they are meant. The payload is canonical JSON (RFC 8785),
and is compared as canonical bytes, so that no two readers can see different arguments in it. We require `aat_aud`, which
the draft leaves to deployments: without it a proof could be used at another guard. The draft names no `typ`; ours is
`aat-pop+jwt`, so that a proof is never taken for a contract or the reverse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

from remit.contracts.bounds import FRESH, Freshness
from remit.contracts.canonical import as_json, canonical_json
from remit.contracts.documents import is_jti
from remit.contracts.ids import new_uuid
from remit.contracts.jws import UnverifiedJws, check_header, sign_jws, split_jws
from remit.contracts.keys import PrivateKey, RandomBytes
from remit.contracts.links import PLAIN_TYP
from remit.contracts.proofs import ProofError, ProofStep, SingleUse, check_jti, read_iat, single_use
from remit.contracts.verify import VerifiedChain
from remit.core.constraint_reading import Members
from remit.core.contract_steps import ContractError, Step
from remit.core.reasons import Reason
from remit.core.schedule import SECOND_US
from remit.core.strict_json import JsonValue
from remit.errors import CredentialError, UsageError

TYP: Final = "aat-pop+jwt"
MAX_PROOF_BYTES: Final = 64 * 1024

_REQUIRED: Final = ("jti", "iat", "aat_id", "aat_tool", "aat_aud", "hta")
_STEPS: Final = {Step.ALGORITHM_REFUSED: ProofStep.ALGORITHM_REFUSED, Step.HEADER_REFUSED: ProofStep.HEADER_REFUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProof:
    """A proof that passed; `single_use` must be taken in the batch of the call."""

    jti: str
    thumbprint: str
    issued_us: int
    single_use: SingleUse


def make_tool_proof(
    key: PrivateKey,
    *,
    leaf_jti: str,
    tool: str,
    arguments: Mapping[str, object],
    audience: str,
    now_us: int,
    random_bytes: RandomBytes,
) -> str:
    """Return the proof for one call of `tool` by the holder of the contract `leaf_jti`.

    Raises `UsageError` for arguments that JSON cannot say exactly.
    """
    claims: Members = {
        "jti": new_uuid(random_bytes, now_us=now_us),
        "iat": now_us // SECOND_US,
        "aat_id": leaf_jti,
        "aat_tool": tool,
        "aat_aud": audience,
        "hta": as_json(arguments),
    }
    return sign_jws({"typ": TYP}, canonical_json(claims), key)


def verify_tool_proof(
    proof: str,
    verified: VerifiedChain,
    *,
    tool: str,
    arguments: Mapping[str, JsonValue],
    audience: str,
    now_us: int,
    freshness: Freshness = FRESH,
) -> ToolProof:
    """Check a proof for a call with these `arguments`, as they were given, under a chain that was verified.

    Steps 6b and 7 of the draft's section 7, in its order. Raises `CredentialError` (`not_allowed`) where the leaf does not
    allow the call, else `ProofError`. Records nothing.
    """
    refusal = verified.chain.leaf.refusal(tool, arguments)  # step 6b
    if refusal is not None:
        raise CredentialError(refusal, reason=Reason.NOT_ALLOWED.value)
    document = _split(proof)
    _check_signature(document, verified)  # steps 7a and 7b
    claims = document.unverified_claims
    for name in _REQUIRED:
        if name not in claims:
            raise ProofError(ProofStep.CLAIMS_MISSING, f"it has no `{name}`")
    if _canonical(claims) != document.payload:
        raise ProofError(ProofStep.MALFORMED, "its payload is not canonical JSON (RFC 8785)")
    _check_said(claims, "aat_id", verified.chain.leaf.jti, ProofStep.CONTRACT_MISMATCH)  # step 7c
    _check_said(claims, "aat_aud", audience, ProofStep.AUDIENCE_MISMATCH)  # step 7d
    _check_said(claims, "aat_tool", tool, ProofStep.TOOL_MISMATCH)  # step 7e
    if _canonical(claims["hta"]) != _canonical(dict(arguments)):  # step 7f
        raise ProofError(ProofStep.ARGUMENTS_MISMATCH, "its `hta` are not the arguments of the call")
    issued_us = read_iat(claims, now_us=now_us, freshness=freshness)  # step 7g
    jti, thumbprint = check_jti(claims), verified.leaf_key.thumbprint
    if not is_jti(jti):
        raise ProofError(ProofStep.CLAIM_INVALID, "its `jti` is a UUID that is not written in lower case")
    return ToolProof(
        jti=jti,
        thumbprint=thumbprint,
        issued_us=issued_us,
        single_use=single_use(thumbprint=thumbprint, jti=jti, issued_us=issued_us, freshness=freshness),
    )


def _split(proof: str) -> UnverifiedJws:
    try:
        return split_jws(proof, max_bytes=MAX_PROOF_BYTES)
    except ContractError as error:
        raise ProofError(ProofStep.MALFORMED, error.problem) from None


def _check_signature(document: UnverifiedJws, verified: VerifiedChain) -> None:
    typ = document.unverified_header.get("typ")
    if typ != TYP and not (verified.plain_jwt and typ == PLAIN_TYP):
        raise ProofError(ProofStep.TYPE_REFUSED, f"its `typ` must be `{TYP}`")
    try:
        alg = check_header(document.unverified_header)
    except ContractError as error:
        raise ProofError(_STEPS[error.step], error.problem) from None
    if alg is not verified.leaf_key.alg:
        raise ProofError(ProofStep.ALGORITHM_REFUSED, "its `alg` is not that of the leaf's key")
    if not verified.leaf_key.verifies(document.signature, document.signing_input):
        raise ProofError(ProofStep.SIGNATURE_INVALID, "its signature is not that of the leaf's holder")


def _check_said(claims: Members, name: str, wanted: str, step: ProofStep) -> None:
    said = claims[name]
    if not isinstance(said, str) or not compare_digest(said.encode(), wanted.encode()):
        raise ProofError(step, f"its `{name}` is another one than that of the call")


def _canonical(value: JsonValue) -> bytes:
    try:
        return canonical_json(value)
    except UsageError as error:
        raise ProofError(ProofStep.MALFORMED, str(error)) from None
