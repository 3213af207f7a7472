"""Reference checks of both proofs of possession: DPoP (RFC 9449 section 4.3, and what the page adds) and the draft's section 5.

Each answers with the name of the first check that fails, or None. Nothing is remembered: that a proof is used once is the
business of whoever has a memory.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlsplit

from tests.contract_reference.chain_text import MAX_HEADER_CHARS
from tests.contract_reference.reference import FOREIGN_HEADERS, Verdict
from tests.contract_reference.signatures import ALGORITHMS, BadKeyError, Key
from tests.contract_reference.strict_text import (
    Json,
    NotCanonicalError,
    NotJsonError,
    decode_base64url,
    read_json,
)
from tests.contract_reference.trust import digest

WINDOW_US: Final = 30_000_000
MAX_PROOF_CHARS: Final = 8192

_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PORTS: Final = {"https": "443", "http": "80"}


@dataclass(frozen=True, slots=True)
class Call:
    """An HTTP request as the guard received it; `origin` is its own public one."""

    method: str
    origin: str
    path: str
    query: bytes = b""
    body: bytes = b""


class _FailedError(Exception):
    """The name of the check that failed."""


def check_dpop(
    headers: Sequence[str], call: Call, *, credential: str, thumbprint: str, now_us: int,
    nonces: Collection[str] | None = None, must_bind: bool = False,
) -> str | None:  # fmt: skip
    """Check the `DPoP` fields of a request made with `credential`, which is bound to the key `thumbprint`."""
    try:
        claims, key = _dpop_document(headers)
        _check_jti(claims)
        _require(claims["htm"] == call.method, "htm_mismatch")
        _require(_normal(claims["htu"]) == _normal(call.origin + call.path) is not None, "htu_mismatch")
        _require(nonces is None or claims.get("nonce") in nonces, "nonce_required")
        _check_fresh(claims, now_us)
        _require(claims["ath"] == digest(credential.encode()), "ath_mismatch")
        _require(key.thumbprint == thumbprint, "holder_binding_failed")
        for name, content, step in (
            ("remit_htq", call.query, "htq_mismatch"),
            ("remit_htb", call.body, "htb_mismatch"),
        ):
            _require(name in claims or not must_bind, step)
            _require(claims.get(name, digest(content)) == digest(content), step)
        ours = {name for name in claims if name.startswith("remit_")}
        _require(ours <= {"remit_htq", "remit_htb", "remit_sid"}, "claim_invalid")
        _require(_is_id(claims.get("remit_sid", "none"), most=128), "claim_invalid")
    except _FailedError as failed:
        return str(failed)
    return None


def _dpop_document(headers: Sequence[str]) -> tuple[dict[str, Json], Key]:
    _require(len(headers) == 1, "proof_missing")
    header, claims, signed, signature = _document(headers[0])
    for name in ("jti", "htm", "htu", "iat", "ath"):
        _require(name in claims, "claims_missing")
    _require(header.get("typ") == "dpop+jwt", "type_refused")
    _require(not set(header) & (FOREIGN_HEADERS - {"jwk"} | {"crit"}), "header_refused")
    _require(isinstance(header.get("alg"), str) and header["alg"] in ALGORITHMS, "algorithm_refused")
    try:
        key = Key(header.get("jwk"))
    except BadKeyError as error:
        raise _FailedError("key_refused") from error
    _require(header["alg"] == key.alg, "algorithm_refused")
    _require(key.verifies(signature, signed), "signature_invalid")
    return claims, key


def check_tool_proof(
    proof: str, verdict: Verdict, *, tool: str, arguments: dict[str, Json], audience: str, now_us: int
) -> str | None:
    """Step 7 of the draft's section 7, for a call that the leaf allows (step 6b)."""
    leaf = verdict.leaf
    assert leaf is not None
    try:
        header, claims, signed, signature = _document(proof)
        _require(header.get("typ") == "aat-pop+jwt", "type_refused")
        _require(not set(header) & (FOREIGN_HEADERS | {"crit"}), "header_refused")
        key = cast(Key, leaf.holder)
        _require(header.get("alg") == key.alg, "algorithm_refused")
        _require(key.verifies(signature, signed), "signature_invalid")
        _require(decode_base64url(signed.decode().split(".")[1]) == canonical(claims), "proof_malformed")
        for name in ("jti", "iat", "aat_id", "aat_tool", "hta", "aat_aud"):
            _require(name in claims, "claims_missing")
        _check_jti(claims)
        _require(claims["aat_id"] == leaf.claims["jti"], "aat_id_mismatch")
        _require(claims["aat_aud"] == audience, "audience_mismatch")
        _require(claims["aat_tool"] == tool, "tool_mismatch")
        _require(canonical(claims["hta"]) == canonical(arguments), "arguments_mismatch")
        _check_fresh(claims, now_us)
    except _FailedError as failed:
        return str(failed)
    return None


def _require(holds: object, step: str) -> None:
    if not holds:
        raise _FailedError(step)


def _is_id(value: Json, *, most: int = 256) -> bool:
    """Printable ASCII of a bounded length."""
    return isinstance(value, str) and len(value) <= most and re.fullmatch(r"[ -~]+", value) is not None


def _check_jti(claims: dict[str, Json]) -> None:
    _require(_is_id(claims["jti"]), "claim_invalid")


def _check_fresh(claims: dict[str, Json], now_us: int) -> None:
    issued = claims["iat"]
    _require(isinstance(issued, int) and not isinstance(issued, bool) and issued >= 0, "claim_invalid")
    age_us = now_us - cast(int, issued) * 1_000_000
    _require(-WINDOW_US <= age_us <= WINDOW_US, "not_fresh")


def _document(text: str) -> tuple[dict[str, Json], dict[str, Json], bytes, bytes]:
    parts = text.split(".")
    _require(len(parts) == 3 and len(text) <= MAX_PROOF_CHARS, "proof_malformed")
    _require(len(parts[0]) <= MAX_HEADER_CHARS, "proof_malformed")
    try:
        raw = [decode_base64url(part) for part in parts]
        header, claims = read_json(raw[0]), read_json(raw[1])
    except (NotCanonicalError, NotJsonError) as error:
        raise _FailedError("proof_malformed") from error
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise _FailedError("proof_malformed")
    return header, claims, f"{parts[0]}.{parts[1]}".encode(), raw[2]


def _normal(uri: Json) -> str | None:
    """RFC 3986 sections 6.2.2 and 6.2.3; None for what an `htu` must not be: no URI, or one with more than a path."""
    if not isinstance(uri, str) or not re.fullmatch(r"https?://[!-~]+", uri, re.IGNORECASE) or set(uri) & set("?#"):
        return None
    parts = urlsplit(uri)
    if "@" in parts.netloc:
        return None
    host, _, port = parts.netloc.lower().partition(":")
    if port and port != _PORTS[parts.scheme]:
        host += f":{port}"
    return f"{parts.scheme}://{host}{_without_dots(_respelled(parts.path))}"


def _respelled(path: str) -> str:
    def plain(match: re.Match[str]) -> str:
        character = chr(int(match.group(1), 16))
        return character if character in _UNRESERVED else match.group().upper()

    return re.sub(r"%([0-9A-Fa-f]{2})", plain, path)


def _without_dots(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments[1:]:
        if segment == "..":
            kept = kept[:-1]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def canonical(value: Json) -> bytes:
    """RFC 8785."""
    return _canonical(value).encode()


def _canonical(value: Json) -> str:
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be"))
        return "{" + ",".join(f"{_canonical(name)}:{_canonical(value[name])}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_canonical(each) for each in value) + "]"
    if isinstance(value, float):
        return _shortest(value)
    return json.dumps(value, ensure_ascii=False)


def _shortest(value: float) -> str:
    """A number as ECMAScript writes it. None here is so large that it would need an exponent, small ones do."""
    if value == int(value):
        return str(int(value))
    text = repr(float(value))
    digits, _, exponent = text.partition("e")
    if not exponent:
        return text
    if int(exponent) >= -6:
        return f"{value:.{len(digits.replace('.', '').lstrip('-')) - 1 - int(exponent)}f}"
    return f"{digits}e{int(exponent)}"
