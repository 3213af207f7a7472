"""Vectors of chains that must be refused: text, headers, signatures, links. Each says at which step and by which link."""

from collections.abc import Iterator
from typing import Final

from tests.contract_reference.forge import Case, Loose, Raw, as_loose, write
from tests.contract_reference.signatures import THUMBPRINT_URI
from tests.contract_reference.strict_text import encode_base64url
from tests.contract_reference.trust import digest
from tests.contract_reference.vector_cast import (
    ISS,
    OTHER_ISS,
    Change,
    Vector,
    agent,
    claim,
    compact,
    header,
    header_text,
    headless,
    held_by,
    issuer_key,
    joined,
    payload,
    rearranged,
    signature,
    signed_by,
    trio,
    vector,
    without,
)
from tests.contract_reference.vectors_good import nine_links, signed_by_the_other_issuer

_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def bad_text() -> Iterator[Vector]:
    """What is written wrongly, whatever it says."""
    for name, spell, link in _WHOLE:
        yield vector(f"text: {name}", "draft 7, steps 1 and 2", joined(spell), step="malformed", link=link)
    for name, link, respelled, step in _PARTS:
        yield vector(f"text: {name}", "canonical base64url", compact(link, respelled), step=step, link=link)
    for name, spell_claims in _DOCUMENTS:
        yield vector(f"JSON: {name}", "one strict reading", payload(1, spell_claims), step="malformed", link=1)
    yield vector("JSON: alg twice in the header", "one strict reading",
                 header_text(0, lambda text: b'{"alg":"none",' + text[1:].encode()), step="malformed", link=0)  # fmt: skip
    for spelled in _NUMBERS:
        yield vector(f"number: {spelled[:20]}", "doubles, exact, at most 2**53 - 1", claim(1, "x", Raw(spelled)),
                     step="malformed", link=1)  # fmt: skip
    pad = "x" * 49152
    yield vector("contract of more than 64 KiB", "by reference", claim(2, "pad", pad), step="too_large", link=2)
    yield vector("chain of more than 16 KiB in headers", "in headers", claim(2, "pad", pad[:12288]), in_headers=True,
                 step="too_large")  # fmt: skip
    yield vector(
        "ten links",
        "eight deep is the most",
        nine_links,
        rearranged(lambda links: [*links, links[-1]]),
        step="too_deep",
    )


_WHOLE: Final = (
    ("empty", lambda chain: "", None),
    ("empty last part", lambda chain: chain + "~", 3),
    ("empty first part", lambda chain: "~" + chain, 0),
    ("empty part inside", lambda chain: chain.replace("~", "~~", 1), 1),
    ("two parts only", lambda chain: chain.rpartition(".")[0], 2),
    ("five parts, as if encrypted", lambda chain: chain + ".a.b", 2),
    ("JSON serialisation", lambda chain: '{"payload":"x","signatures":[]}', 0),
)


def _part(text: str, place: int, spelled: str) -> str:
    parts = text.split(".")
    parts[place] = spelled.replace("@", parts[place])
    return ".".join(parts)


def _spare(text: str) -> str:
    """Other spare bits in the last character of a 64-byte signature, which has four of them."""
    return text[:-1] + _LETTERS[_LETTERS.index(text[-1]) | 1]


_PARTS: Final = (
    ("padded payload", 1, lambda text: _part(text, 1, "@="), "non_canonical"),
    ("padded signature", 1, lambda text: _part(text, 2, "@=="), "non_canonical"),
    ("space after the header", 1, lambda text: _part(text, 0, "@ "), "non_canonical"),
    ("line break in the signature", 1, lambda text: _part(text, 2, "@\n"), "non_canonical"),
    ("spare bits set", 1, _spare, "non_canonical"),
    ("standard alphabet", 0, lambda text: _part(text, 2, "+@"), "non_canonical"),
    ("letter that is not ASCII", 0, lambda text: _part(text, 2, "é@"), "malformed"),
)


def _before_end(text: str, added: str) -> bytes:
    return f"{text[:-1]},{added}}}".encode()


_DOCUMENTS: Final = (
    ("exp twice", lambda text: _before_end(text, '"exp":1800003599')),
    ("exp twice by an escape", lambda text: _before_end(text, '"\\u0065xp":1800003599')),
    ("a tool twice", lambda text: text.replace('"risk.validate":{}', '"risk.validate":{},"risk.validate":{}').encode()),
    ("a member of a constraint twice", lambda text: text.replace('"max":200', '"max":1,"max":200').encode()),
    ("byte order mark", lambda text: b"\xef\xbb\xbf" + text.encode()),
    ("UTF-16", lambda text: text.encode("utf-16")),
    ("UTF-8 that is none", lambda text: _before_end(text, '"x":"y"').replace(b'"y"', b'"\xff"')),
    ("overlong UTF-8", lambda text: _before_end(text, '"x":"y"').replace(b'"y"', b'"\xc0\xaf"')),
    ("something after it", lambda text: text.encode() + b"{}"),
    ("NUL after it", lambda text: text.encode() + b"\x00"),
    ("array", lambda text: b"[]"),
    ("null", lambda text: b"null"),
    ("nothing", lambda text: b""),
    ("trailing comma", lambda text: text[:-1].encode() + b",}"),
    ("comment", lambda text: text.replace("{", "{/**/", 1).encode()),
    ("single quotes", lambda text: text.replace('"', "'").encode()),
    ("lone surrogate", lambda text: _before_end(text, '"x":"\\ud800"')),
    ("surrogates the wrong way round", lambda text: _before_end(text, '"x":"\\udc00\\ud800"')),
    ("control character in a string", lambda text: _before_end(text, '"x":"a\tb"')),
    ("an escape that does not exist", lambda text: _before_end(text, '"x":"\\x41"')),
    ("3000 deep", lambda text: _before_end(text, '"x":' + "[" * 3000 + "]" * 3000)),
    ("jti that is a number", lambda text: text.replace('"jti":"01957a3f-4e23-7b01-a9d1-000000000001"', '"jti":1').encode()),
    ("NaN", lambda text: text.replace('"max":200', '"max":NaN').encode()),
    ("Infinity", lambda text: text.replace('"max":200', '"max":Infinity').encode()),
)  # fmt: skip
_NUMBERS: Final = ("-0", "-0.0", "1e400", "-1e400", "1e-400", "9007199254740992", "-9007199254740992", "1e16", "01", "1.", ".5",
                   "+1", "0x10", "9" * 400)  # fmt: skip


def bad_headers() -> Iterator[Vector]:
    """Headers that are not obeyed, types and algorithms."""
    foreign: tuple[tuple[str, Loose], ...] = (
        ("jku", "https://x.example"), ("x5u", "https://x.example"), ("x5c", ["AA"]), ("jwk", dict(agent("thief").public)),
        ("b64", False), ("zip", "DEF"), ("crit", ["exp"]), ("crit", []), ("crit", ["remit"]), ("crit", ["remit", "b64"]),
        ("crit", "remit"), ("remit", 2), ("remit", True), ("kid", 1), ("cty", "JWT"), ("x5t", "AA"),
    )  # fmt: skip
    for name, value in foreign:
        label = f"{name} {write(value)[:20]}"
        yield vector(f"header: {label}", "refused", header(1, name, value), step="header_refused", link=1)
    for alg in ("none", "None", "nOnE", "HS256", "RS256", "ES384", "eddsa", "Ed25519", ""):
        yield vector(
            f"alg: {alg or 'empty'}", "not on the list", header(0, "alg", alg), step="algorithm_refused", link=0
        )
    yield vector("alg: none, no signature", "the classic", header(2, "alg", "none"), signature(2, lambda given, signed: b""),
                 step="algorithm_refused", link=2)  # fmt: skip
    yield vector("alg: missing", "nothing is assumed", headless(2, "alg"), step="algorithm_refused", link=2)
    yield vector(
        "alg: of another key in the root",
        "must fit the anchor",
        header(0, "alg", "ES256"),
        step="algorithm_refused",
        link=0,
    )
    yield vector("alg: of another key in a child", "must fit the parent's `cnf`", header(1, "alg", "ES256"),
                 step="algorithm_refused", link=1)  # fmt: skip
    for typ in ("JWT", "dpop+jwt", "at+jwt", "AAT+JWT", "application/aat+jwt", "aat-pop+jwt"):
        yield vector(f"typ: {typ}", "explicit types", header(1, "typ", typ), step="type_refused", link=1)
    yield vector("typ: missing", "explicit types", headless(0, "typ"), step="type_refused", link=0)


def bad_trust() -> Iterator[Vector]:
    """Issuers and keys that nobody trusts, signatures that are none."""
    yield vector("issuer with a slash", "compared exactly", claim(0, "iss", ISS + "/"), step="issuer_unknown", link=0)
    yield vector("issuer in capitals", "compared exactly", claim(0, "iss", ISS.upper()), step="issuer_unknown", link=0)
    yield vector("issuer in a list", "a string", claim(0, "iss", [ISS]), step="issuer_unknown", link=0)
    yield vector("issuer missing", "required", without(0, "iss"), step="issuer_unknown", link=0)
    yield vector(
        "issuer of another anchor set", "not trusted here", signed_by_the_other_issuer, step="issuer_unknown", link=0
    )
    yield vector("kid of nobody", "no such key", header(0, "kid", "issuer-3"), step="key_unknown", link=0)
    yield vector("key rotated out", "no such key", anchors_named="second key only", step="key_unknown", link=0)
    yield vector("root signed by a third key", "not by the key that `kid` names", signed_by(0, issuer_key(3)),
                 step="signature_invalid", link=0)  # fmt: skip
    yield vector(
        "root signed by its holder", "self-made", signed_by(0, agent("orchestrator")), step="signature_invalid", link=0
    )
    yield vector("root of one issuer under the name of another", "a key is looked up by issuer and kid", claim(0, "iss", OTHER_ISS),
                 anchors_named="two issuers", step="algorithm_refused", link=0)  # fmt: skip
    yield vector(
        "child signed by a thief",
        "not the parent's holder",
        signed_by(1, agent("thief")),
        step="signature_invalid",
        link=1,
    )
    yield vector(
        "child signed by the issuer",
        "not the parent's holder",
        signed_by(1, issuer_key()),
        step="signature_invalid",
        link=1,
    )
    yield vector("leaf signed by its own key", "not the parent's holder", signed_by(2, agent("executor")),
                 header(2, "alg", "EdDSA"), step="algorithm_refused", link=2)  # fmt: skip
    bends = (
        ("empty", lambda given, signed: b""),
        ("zeros", lambda given, signed: bytes(64)),
        ("63 bytes", lambda given, signed: given[:-1]),
        ("65 bytes", lambda given, signed: given + b"\x00"),
        ("one bit", lambda given, signed: bytes([given[0] ^ 1]) + given[1:]),
        ("of something else", lambda given, signed: agent("orchestrator").sign(signed + b" ")),
        ("S of Ed25519 plus the order", lambda given, signed: given[:32] + _plus_order(given[32:])),
    )
    for name, bend in bends:
        yield vector(f"signature: {name}", "64 bytes, exact", signature(1, bend), step="signature_invalid", link=1)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    es256 = (
        ("r = 0", lambda given, signed: bytes(32) + given[32:]),
        ("s = n", lambda given, signed: given[:32] + order.to_bytes(32)),
        ("DER", lambda given, signed: b"\x30\x44\x02\x20" + given[:32] + b"\x02\x20" + given[32:]),
    )
    for name, bend in es256:
        yield vector(
            f"signature: ES256, {name}", "64 bytes, exact", signature(2, bend), step="signature_invalid", link=2
        )


def _plus_order(s: bytes) -> bytes:
    order = 2**252 + 27742317777372353535851937790883648493
    return (int.from_bytes(s, "little") + order).to_bytes(32, "little")


def _another_root() -> str:
    """A second root for the same holder, as good as the first."""
    case = trio()
    case.drafts[0].claims["jti"] = "01957a3f-4e23-7b01-a9d1-00000000000f"
    return case.chain().split("~")[0]


def _hash(change: str) -> Change:
    def bend(case: Case) -> None:
        parent = case.chain().split("~")[0]
        good = digest(parent.rpartition(".")[0].encode())
        values: dict[str, Loose] = {
            "padded": good + "=", "of the whole parent": digest(parent.encode()), "hexadecimal": "00" * 32,
            "of nothing": encode_base64url(bytes(32)), "a list": [good], "other case": good.swapcase(),
        }  # fmt: skip
        claim(1, "par_hash", values[change])(case)

    return bend


def bad_links() -> Iterator[Vector]:
    """Links that do not follow each other."""
    yield vector("same jti twice", "a contract stands once in a chain", claim(2, "jti", "01957a3f-4e23-7b01-a9d1-000000000000"),
                 step="duplicate_jti", link=2)  # fmt: skip
    yield vector("a link shown twice", "a contract stands once in a chain", rearranged(lambda links: [*links, links[2]]),
                 step="duplicate_jti", link=3)  # fmt: skip
    yield vector(
        "without its root",
        "the first link is a root",
        rearranged(lambda links: links[1:]),
        step="issuer_unknown",
        link=0,
    )
    yield vector("without its middle", "the next signer is another", rearranged(lambda links: [links[0], links[2]]),
                 step="algorithm_refused", link=1)  # fmt: skip
    yield vector("middle and leaf swapped", "order", rearranged(lambda links: [links[0], links[2], links[1]]),
                 step="algorithm_refused", link=1)  # fmt: skip
    yield vector("grafted under another root", "only `par_hash` can tell", rearranged(lambda links: [_another_root(), *links[1:]]),
                 step="par_hash_mismatch", link=1)  # fmt: skip
    for change in ("padded", "of the whole parent", "hexadecimal", "of nothing", "a list", "other case"):
        yield vector(
            f"par_hash: {change}",
            "base64url of SHA-256 of the signing input",
            _hash(change),
            step="par_hash_mismatch",
            link=1,
        )
    yield vector("par_hash: missing", "step 4b5", without(1, "par_hash"), step="claim_invalid", link=1)
    yield vector(
        "par_hash: in the root",
        "step 3d",
        claim(0, "par_hash", encode_base64url(bytes(32))),
        step="par_hash_mismatch",
        link=0,
    )
    uri = agent("orchestrator").uri
    for name, value in (
        ("thumbprint only", agent("orchestrator").thumbprint), ("of its own holder", agent("risk-check").uri), ("the issuer's", ISS),
        ("padded", uri + "="), ("another hash", uri.replace("sha-256", "sha-512")), ("prefix only", THUMBPRINT_URI),
    ):  # fmt: skip
        yield vector(f"iss of a child: {name}", "step 4c", claim(1, "iss", value), step="issuer_mismatch", link=1)
    yield vector("iss of a child: missing", "step 4b5", without(1, "iss"), step="claim_invalid", link=1)
    yield vector(
        "holder replaced afterwards",
        "what follows was signed by another",
        _replaced_holder,
        step="signature_invalid",
        link=1,
    )
    yield vector(
        "leaf handed to a thief", "the parent's holder did not sign it", _stolen_leaf, step="signature_invalid", link=2
    )


def _replaced_holder(case: Case) -> None:
    case.drafts[0].claims["cnf"] = {"jwk": as_loose(dict(agent("thief").public))}
    claim(1, "iss", agent("thief").uri)(case)


def _stolen_leaf(case: Case) -> None:
    held_by(2, agent("thief"))(case)
    case.drafts[2].signature = lambda given, signed: trio().drafts[2].signer.sign(b"something else")
