"""Signed documents as text: a compact JWS (RFC 7515), taken apart strictly before anything in it is believed.

Libraries for this differ in what they let pass, so no library sees the text: its size is judged first, then that it is
three parts in canonical base64url, then that header and payload are JSON objects which every reader reads alike. What
comes out is *unverified*: it may be used to find the key, and for nothing else.

The header says `typ`, so that a contract, a proof and anybody else's documents cannot stand for one another. It never
says where a key is found or what a signature means: `jwk`, `jku`, `x5u`, `x5c`, `b64`, `zip`, `enc` and their like are
refused, and so is every `crit` that asks for something unknown here.
"""

from dataclasses import dataclass
from typing import Final

from remit.contracts import base64url
from remit.contracts.canonical import encode_exactly
from remit.contracts.keys import Algorithm, PrivateKey
from remit.core.contract_steps import ContractError, Step
from remit.core.deep_json import read_deep_json
from remit.core.reading import shown
from remit.core.strict_json import MAX_DEPTH, JsonValue, read_json
from remit.errors import BadRequest

MAX_HEADER_CHARS: Final = 2048

CRITICAL: Final = "remit"
"""The one extension that is understood: a contract that says `crit: ["remit"]`, `"remit": 1` has our limits."""

_REFUSED: Final = frozenset({"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64", "zip", "enc", "cty"})


@dataclass(frozen=True, slots=True)
class UnverifiedJws:
    """A document in its parts. `unverified_header` and `unverified_claims` are what it says, whoever wrote it."""

    unverified_header: dict[str, JsonValue]
    unverified_claims: dict[str, JsonValue]
    payload: bytes
    signing_input: bytes
    signature: bytes


def split_jws(text: str, *, max_bytes: int, max_depth: int = MAX_DEPTH) -> UnverifiedJws:
    """Take a document apart. Raises `ContractError`: `too_large`, `malformed` or `non_canonical`."""
    if len(text) > max_bytes:
        raise ContractError(Step.TOO_LARGE, f"it is longer than {max_bytes} bytes")
    if text.count(".") != 2 or not text.isascii():
        raise ContractError(Step.MALFORMED, "a signed document has three parts with dots between them")
    raw = text.encode("ascii")
    signing_input, _, signature = raw.rpartition(b".")
    header, _, payload = signing_input.partition(b".")
    if len(header) > MAX_HEADER_CHARS:
        raise ContractError(Step.TOO_LARGE, f"its header is longer than {MAX_HEADER_CHARS} characters")
    payload_bytes = _decoded(payload, "payload")
    return UnverifiedJws(
        unverified_header=_object(_decoded(header, "header"), "header", MAX_DEPTH),
        unverified_claims=_object(payload_bytes, "payload", max_depth),
        payload=payload_bytes,
        signing_input=signing_input,
        signature=_decoded(signature, "signature"),
    )


def sign_jws(header: dict[str, JsonValue], payload: bytes, key: PrivateKey) -> str:
    """Return the compact JWS of `payload`, with the key's `alg` in its header."""
    head = base64url.encode(encode_exactly({"alg": key.public.alg.value, **header}))
    signing_input = f"{head}.{base64url.encode(payload)}"
    return f"{signing_input}.{base64url.encode(key.sign(signing_input.encode('ascii')))}"


def check_header(
    header: dict[str, JsonValue],
    *,
    understood: frozenset[str] = frozenset(),
    expected: frozenset[str] = frozenset(),
) -> Algorithm:
    """Judge every member but `typ`, and return the algorithm.

    `understood` are the extensions that `crit` may name, `expected` members that are refused in other documents. Raises `ContractError`: `header_refused` or `algorithm_refused`.
    """
    for name in header:
        if name in _REFUSED and name not in expected:
            raise ContractError(Step.HEADER_REFUSED, f"its header has {shown(name)}, which is never followed")
    _check_critical(header, understood)
    alg = header.get("alg")
    if not isinstance(alg, str) or alg not in _ALGORITHMS:
        raise ContractError(Step.ALGORITHM_REFUSED, "its `alg` must be `EdDSA` or `ES256`")
    return _ALGORITHMS[alg]


def _check_critical(header: dict[str, JsonValue], understood: frozenset[str]) -> None:
    version = header.get(CRITICAL, 1)
    if CRITICAL in understood and (version != 1 or isinstance(version, bool) or not isinstance(version, int)):
        raise ContractError(Step.HEADER_REFUSED, f"its header has a `{CRITICAL}` that is not 1")
    if "crit" not in header:
        return
    critical = header["crit"]
    names = [name for name in critical if isinstance(name, str)] if isinstance(critical, list) else []
    if not isinstance(critical, list) or not names or len(names) != len(critical) or len(set(names)) != len(names):
        raise ContractError(Step.HEADER_REFUSED, "its `crit` must be an array of names")
    for name in names:
        if name not in understood or name not in header:
            raise ContractError(Step.HEADER_REFUSED, f"its `crit` names {shown(name)}, which is not understood here")


def _decoded(text: bytes, part: str) -> bytes:
    try:
        return base64url.decode(text)
    except base64url.NotCanonical:
        raise ContractError(Step.NON_CANONICAL, f"its {part} is not canonical base64url without padding") from None


def _object(raw: bytes, part: str, max_depth: int) -> dict[str, JsonValue]:
    try:
        if max_depth > MAX_DEPTH:
            value = read_deep_json(raw, max_bytes=len(raw), max_depth=max_depth)
        else:
            value = read_json(raw, max_bytes=len(raw))
    except BadRequest as error:
        raise ContractError(Step.MALFORMED, f"its {part} cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise ContractError(Step.MALFORMED, f"its {part} must be a JSON object")
    return value


_ALGORITHMS: Final = {alg.value: alg for alg in Algorithm}
