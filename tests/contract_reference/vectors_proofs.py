"""Vectors of proofs of possession: DPoP for a credential over HTTP, and the draft's section 5 for a call of a tool.

Each starts from one sound proof and changes one thing. Keys and times are fixed, so everything here is expired by nature: a
verifier is to be asked with the time that the vector says.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.contract_reference.forge import Loose, Raw, Signer, as_loose, write
from tests.contract_reference.mutate_claims import SMALL_ORDER
from tests.contract_reference.strict_text import Json, encode_base64url
from tests.contract_reference.trust import digest
from tests.contract_reference.vector_cast import LEDGER, NOW_S, agent, trio

ORIGIN: Final = "https://api.example.com"
BODY: Final = '{"amount":100,"currency":"USD","to":"acct-7"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class DpopVector:
    """A request, its `DPoP` fields, and what must become of them; no step: the proof is good."""

    name: str
    headers: tuple[str, ...]
    method: str = "POST"
    path: str = "/transfer"
    query: str = "trace=1"
    body: str = BODY
    credential: str = "kA7.example~credential"
    thumbprint: str = ""
    now_us: int = NOW_S * 1_000_000
    nonces: tuple[str, ...] | None = None
    must_bind_request: bool = False
    step: str | None = None

    def as_json(self) -> dict[str, Json]:
        """How it is published."""
        expected: dict[str, Json] = {"valid": self.step is None}
        if self.step is not None:
            expected["step"] = self.step
        return {
            "name": self.name, "method": self.method, "origin": ORIGIN, "path": self.path, "query": self.query, "body": self.body,
            "credential": self.credential, "thumbprint": self.thumbprint, "now_us": self.now_us,
            "nonces": None if self.nonces is None else list(self.nonces), "must_bind_request": self.must_bind_request,
            "dpop": list(self.headers), "expected": expected,
        }  # fmt: skip


@dataclass(slots=True)
class Proof:
    """A proof before it is signed."""

    header: dict[str, Loose]
    claims: dict[str, Loose]
    key: Signer
    spell: Callable[[dict[str, Loose]], bytes] = field(default=lambda claims: write(claims).encode())
    respell: Callable[[str], str] = field(default=lambda text: text)

    def text(self) -> str:
        """The compact JWS."""
        signed = f"{encode_base64url(write(self.header).encode())}.{encode_base64url(self.spell(self.claims))}"
        return self.respell(f"{signed}.{encode_base64url(self.key.sign(signed.encode()))}")


def _sound(key: Signer) -> Proof:
    header: dict[str, Loose] = {"alg": key.alg, "jwk": as_loose(dict(key.public)), "typ": "dpop+jwt"}
    claims: dict[str, Loose] = {
        "jti": "b2f1c6a0-0001", "htm": "POST", "htu": f"{ORIGIN}/transfer", "iat": NOW_S,
        "ath": digest(b"kA7.example~credential"), "remit_htq": digest(b"trace=1"), "remit_htb": digest(BODY.encode()),
    }  # fmt: skip
    return Proof(header, claims, key)


Change = Callable[[Proof], object]


def dpop_vector(name: str, *changes: Change, step: str | None = None, key: Signer | None = None, count: int = 1,
          **more: object) -> DpopVector:  # fmt: skip
    """A sound proof with these changes, and the request that it is shown with."""
    signing = key or agent("executor")
    proof = _sound(signing)
    for change in changes:
        change(proof)
    given: dict[str, object] = {"thumbprint": signing.thumbprint, **more}
    return DpopVector(name=name, headers=(proof.text(),) * count, step=step, **given)  # type: ignore[arg-type]  # by name


def _claim(name: str, value: Loose) -> Change:
    return lambda proof: proof.claims.update({name: value})


def _no_claim(*names: str) -> Change:
    return lambda proof: [proof.claims.pop(name) for name in names]


def _header(name: str, value: Loose) -> Change:
    return lambda proof: proof.header.update({name: value})


def _no_header(name: str) -> Change:
    return lambda proof: proof.header.pop(name)


def dpop() -> Iterator[DpopVector]:
    """RFC 9449 section 4.3, check by check, then ours."""
    yield from _good_dpop()
    yield from _bad_dpop_documents()
    yield from _bad_dpop_calls()


def _good_dpop() -> Iterator[DpopVector]:
    curve = agent("risk-check")
    yield dpop_vector("sound, Ed25519", must_bind_request=True)
    yield dpop_vector("sound, ES256", key=curve, must_bind_request=True)
    yield dpop_vector("without query and body, where that is enough", _no_claim("remit_htq", "remit_htb"))
    yield dpop_vector("empty query and body", _claim("remit_htq", digest(b"")), _claim("remit_htb", digest(b"")), query="", body="",
                must_bind_request=True)  # fmt: skip
    yield dpop_vector("with a nonce that was asked for", _claim("nonce", "n-1"), nonces=("n-1", "n-2"))
    yield dpop_vector("with a nonce that nobody asked for", _claim("nonce", "n-1"))
    yield dpop_vector("thirty seconds old", _claim("iat", NOW_S - 30))
    yield dpop_vector("thirty seconds ahead", _claim("iat", NOW_S + 30))
    yield dpop_vector("claims nobody knows", _claim("purpose", ["demo"]))
    for htu in (
        "HTTPS://API.EXAMPLE.COM/transfer",
        "https://api.example.com:443/transfer",
        "https://api.example.com/%74ransfer",
    ):
        yield dpop_vector(f"htu {htu}", _claim("htu", htu))


def _bad_dpop_documents() -> Iterator[DpopVector]:
    sound = _sound(agent("executor")).text()
    yield dpop_vector("no proof", count=0, step="proof_missing")
    yield dpop_vector("two proofs", count=2, step="proof_missing")
    for name, respell in (
        ("padded", lambda text: text + "="), ("two parts", lambda text: text.rpartition(".")[0]), ("empty", lambda text: ""),
        ("two in one field", lambda text: f"{text}, {text}"), ("a space before it", lambda text: " " + text),
    ):  # fmt: skip
        yield dpop_vector(f"malformed: {name}", _respelled(respell), step="proof_malformed")
    yield dpop_vector(
        "malformed: a claim twice", _spelled(lambda text: text[:-1] + f',"iat":{NOW_S}}}'), step="proof_malformed"
    )
    yield dpop_vector("malformed: UTF-16", lambda proof: setattr(proof, "spell", lambda claims: write(claims).encode("utf-16")),
                step="proof_malformed")  # fmt: skip
    for name in ("jti", "htm", "htu", "iat", "ath"):
        yield dpop_vector(f"without {name}", _no_claim(name), step="claims_missing")
    for typ in ("JWT", "aat+jwt", "DPOP+JWT", "aat-pop+jwt"):
        yield dpop_vector(f"typ {typ}", _header("typ", typ), step="type_refused")
    yield dpop_vector("typ missing", _no_header("typ"), step="type_refused")
    for member, value in (("crit", ["exp"]), ("jku", "https://x.example"), ("x5c", ["AA"]), ("b64", False)):
        yield dpop_vector(f"header {member}", _header(member, as_loose(value)), step="header_refused")
    for alg in ("none", "HS256", "RS256", "eddsa"):
        yield dpop_vector(f"alg {alg}", _header("alg", alg), step="algorithm_refused")
    yield dpop_vector("alg of another key", _header("alg", "ES256"), step="algorithm_refused")
    key = agent("executor")
    small: Loose = {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(SMALL_ORDER[2])}
    for name, jwk in (("missing", None), ("private", dict(key.private)), ("symmetric", {"kty": "oct", "k": "AAAA"}),
                      ("of small order", small), ("RSA", {"kty": "RSA", "n": "AAAA", "e": "AQAB"})):  # fmt: skip
        yield dpop_vector(f"jwk {name}", _header("jwk", as_loose(jwk)), step="key_refused")
    thief = agent("thief")
    yield dpop_vector(
        "signed by another key than its jwk", lambda proof: setattr(proof, "key", thief), step="signature_invalid"
    )
    yield dpop_vector("signature of other claims", _claim("purpose", "demo"), _respelled(
        lambda text: text.rpartition(".")[0] + "." + sound.rpartition(".")[2]), step="signature_invalid")  # fmt: skip
    yield dpop_vector("key of somebody else", key=thief, thumbprint=key.thumbprint, step="holder_binding_failed")


def _respelled(respell: Callable[[str], str]) -> Change:
    return lambda proof: setattr(proof, "respell", respell)


def _spelled(spell: Callable[[str], str]) -> Change:
    return lambda proof: setattr(proof, "spell", lambda claims: spell(write(claims)).encode())


def _bad_dpop_calls() -> Iterator[DpopVector]:
    for method in ("GET", "post", "PUT"):
        yield dpop_vector(f"htm {method}", _claim("htm", method), step="htm_mismatch")
    for htu in (
        "https://api.example.org/transfer", "http://api.example.com/transfer", "https://api.example.com:8443/transfer",
        "https://api.example.com/Transfer", "https://api.example.com/transfer/", "https://api.example.com/%2Ftransfer",
        "https://u@api.example.com/transfer", "https://api.example.com./transfer", "/transfer", "",
    ):  # fmt: skip
        yield dpop_vector(f"htu {htu or 'empty'}", _claim("htu", htu), step="htu_mismatch")
    yield dpop_vector("nonce missing", nonces=("n-1",), step="nonce_required")
    yield dpop_vector("nonce of yesterday", _claim("nonce", "n-0"), nonces=("n-1",), step="nonce_required")
    yield dpop_vector("thirty-one seconds old", _claim("iat", NOW_S - 31), step="not_fresh")
    yield dpop_vector("thirty-one seconds ahead", _claim("iat", NOW_S + 31), step="not_fresh")
    yield dpop_vector(
        "a microsecond too old", _claim("iat", NOW_S - 30), now_us=NOW_S * 1_000_000 + 1, step="not_fresh"
    )
    for name, value in (("iat", Raw(f"{NOW_S}.0")), ("iat", str(NOW_S)), ("iat", True), ("jti", 7), ("jti", ""), ("jti", "x" * 257),
                        ("remit_x", 1), ("remit_sid", None)):  # fmt: skip
        yield dpop_vector(f"{name} {write(as_loose(value))[:16]}", _claim(name, as_loose(value)), step="claim_invalid")
    for ath in (digest(b"another"), digest(b"kA7.example~credential") + "=", "", "00" * 32):
        yield dpop_vector(f"ath {ath[:10] or 'empty'}{len(ath)}", _claim("ath", ath), step="ath_mismatch")
    yield dpop_vector("credential cut after the proof was made", credential="kA7.example", step="ath_mismatch")
    yield dpop_vector("query changed", query="trace=2", must_bind_request=True, step="htq_mismatch")
    yield dpop_vector("query changed, binding not required", query="trace=2", step="htq_mismatch")
    yield dpop_vector("body changed", body=BODY.replace("100", "999"), must_bind_request=True, step="htb_mismatch")
    yield dpop_vector("query not bound", _no_claim("remit_htq"), must_bind_request=True, step="htq_mismatch")
    yield dpop_vector("body not bound", _no_claim("remit_htb"), must_bind_request=True, step="htb_mismatch")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVector:
    """A call of a tool under the sound chain, its proof, and what must become of it."""

    name: str
    chain: str
    proof: str
    tool: str
    arguments: str
    audience: str = LEDGER
    now_us: int = NOW_S * 1_000_000
    step: str | None = None

    def as_json(self) -> dict[str, Json]:
        """How it is published."""
        expected: dict[str, Json] = {"valid": self.step is None}
        if self.step is not None:
            expected["step"] = self.step
        return {
            "name": self.name, "anchors": "acme", "chain": self.chain, "proof": self.proof, "tool": self.tool,
            "arguments": self.arguments, "audience": self.audience, "now_us": self.now_us, "expected": expected,
        }  # fmt: skip


PAID: Final = '{"amount":100,"currency":"USD","to":"acct-7"}'


def tool_vector(name: str, *changes: Change, step: str | None = None, tool: str = "payments.transfer", arguments: str = PAID,
          **more: object) -> ToolVector:  # fmt: skip
    """A sound proof for the leaf of the sound chain, with these changes."""
    key = agent("executor")
    claims: dict[str, Loose] = {
        "aat_aud": LEDGER, "aat_id": "01957a3f-4e23-7b01-a9d1-000000000002", "aat_tool": "payments.transfer", "hta": Raw(PAID),
        "iat": NOW_S, "jti": "b2f1c6a0-0002",
    }  # fmt: skip
    proof = Proof({"alg": key.alg, "typ": "aat-pop+jwt"}, claims, key)
    for change in changes:
        change(proof)
    return ToolVector(name=name, chain=trio().chain(), proof=proof.text(), tool=tool, arguments=arguments, step=step,
                      **more)  # type: ignore[arg-type]  # by name  # fmt: skip


def tool_proofs() -> Iterator[ToolVector]:
    """The draft's section 5.3 and step 7."""
    yield tool_vector("sound")
    yield tool_vector(
        "arguments in another order and spelling", arguments='{"to":"acct\\u002d7","amount":1e2,"currency":"USD"}'
    )
    yield tool_vector("thirty seconds old", _claim("iat", NOW_S - 30))
    yield tool_vector(
        "tool that the leaf lacks", _claim("aat_tool", "risk.validate"), tool="risk.validate", step="not_allowed"
    )
    yield tool_vector("argument that violates its constraint", arguments=PAID.replace("100", "101"), step="not_allowed")
    yield tool_vector("another argument map", arguments=PAID.replace("100", "99"), step="arguments_mismatch")
    yield tool_vector("another tool in the proof", _claim("aat_tool", "search"), step="tool_mismatch")
    yield tool_vector("tool in other case", _claim("aat_tool", "Payments.transfer"), step="tool_mismatch")
    yield tool_vector(
        "proof for another contract", _claim("aat_id", "01957a3f-4e23-7b01-a9d1-000000000001"), step="aat_id_mismatch"
    )
    yield tool_vector("another audience", _claim("aat_aud", "https://other.example"), step="audience_mismatch")
    yield tool_vector("thirty-one seconds old", _claim("iat", NOW_S - 31), step="not_fresh")
    yield tool_vector("thirty-one seconds ahead", _claim("iat", NOW_S + 31), step="not_fresh")
    yield tool_vector(
        "signed by the parent", lambda proof: setattr(proof, "key", agent("orchestrator")), step="signature_invalid"
    )
    yield tool_vector("alg of another key", _header("alg", "ES256"), step="algorithm_refused")
    yield tool_vector("alg none", _header("alg", "none"), step="algorithm_refused")
    yield tool_vector("typ of DPoP", _header("typ", "dpop+jwt"), step="type_refused")
    yield tool_vector("typ of a contract", _header("typ", "aat+jwt"), step="type_refused")
    yield tool_vector("header crit", _header("crit", ["exp"]), step="header_refused")
    yield tool_vector(
        "payload that is not canonical", _spelled(lambda text: text.replace("{", "{ ", 1)), step="proof_malformed"
    )
    yield tool_vector("members in another order", lambda proof: proof.claims.update(aat_aud=proof.claims.pop("aat_aud")),
                step="proof_malformed")  # fmt: skip
    yield tool_vector("padded", _respelled(lambda text: text + "="), step="proof_malformed")
    for name in ("jti", "iat", "aat_id", "aat_tool", "hta", "aat_aud"):
        yield tool_vector(f"without {name}", _no_claim(name), step="claims_missing")
