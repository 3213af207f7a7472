"""Mutations of one link's header and claims, signed again by the right key: types, times, depths, keys, names."""

from random import Random
from typing import Final, cast

from tests.contract_reference import families
from tests.contract_reference.forge import Case, Draft, Loose, Raw, as_loose, copy_json, pick, signer
from tests.contract_reference.mutate_links import any_draft
from tests.contract_reference.strict_text import encode_base64url

_P: Final = 2**255 - 19
# y-coordinates whose points have an order that divides eight, in every encoding that a lenient reader accepts.
_ORDER_EIGHT: Final = 2707385501144840649318225287225658788936804267575313519463743609750303402022
SMALL_ORDER: Final = tuple(
    (y + (sign << 255)).to_bytes(32, "little")
    for y in (0, 1, _P - 1, _P, _P + 1, _ORDER_EIGHT, _P - _ORDER_EIGHT)
    for sign in (0, 1)
)
ODD: Final[tuple[Loose, ...]] = (
    None, True, False, 0, 1, -1, 2, 1.5, "", "1", "a", [], {}, [1], {"a": 1}, Raw("1.0"), Raw("-0"), Raw("1e2"), Raw("NaN"),
    Raw("Infinity"), Raw("1e400"), Raw("-1e400"), Raw("9007199254740991"), Raw("9007199254740992"), Raw("1" + "0" * 399),
    Raw("1e308"), Raw("01"), Raw("+1"), Raw("0x1"), Raw("1."), Raw(".5"), Raw("1e-400"), Raw(""), Raw("'a'"), Raw("truE"),
)  # fmt: skip
NAMES: Final = (
    "jti", "iss", "iat", "exp", "cnf", "del_depth", "del_max_depth", "par_hash", "authorization_details", "remit_agent",
    "remit_org", "remit_user", "remit_account", "nbf", "aud",
)  # fmt: skip


def remove_a_claim(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    draft.claims.pop(rng.choice(list(draft.claims)), None)


def set_a_claim(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    name = rng.choice(NAMES)
    draft.fixed.add(name)
    draft.claims[name] = rng.choice(ODD)


def unknown_claim(rng: Random, case: Case) -> None:
    """Ignored, as long as it does not begin like ours and is JSON that we read."""
    name = rng.choice(("sub", "scope", "remit", "Remit_agent", "x", "é", "", "trace", "azp"))
    any_draft(rng, case).claims[name] = rng.choice(ODD)


def our_claim(rng: Random, case: Case) -> None:
    name = rng.choice(("remit_agent", "remit_org", "remit_user", "remit_account", "remit_x", "remit_", "remit_sid"))
    values = (
        "ann",
        "acme",
        "acme-eu",
        "beta",
        "",
        "a b",
        "a" * 128,
        "a" * 129,
        "ä",
        "a\u0000b",
        "a/b",
        "a:b",
        "ann@x",
        1,
        None,
    )
    any_draft(rng, case).claims[name] = pick(rng, *values)


def bend_jti(rng: Random, case: Case) -> None:
    any_draft(rng, case).claims["jti"] = pick(
        rng,
        "", "x", "01957A3F-4E23-7B01-A9D1-0050569C2E4F", "01957a3f-4e23-7b01-a9d1-0050569c2e4f", "a" * 64, "é",
        "01957a3f-4e23-7B01-a9d1-0050569c2e4f", "not-a-uuid-but-hyphenated", 5, None, [], "urn:x:1",
    )  # fmt: skip


def bend_a_time(rng: Random, case: Case) -> None:
    """One time, by a little, around every bound that there is."""
    place = rng.randrange(len(case.drafts))
    draft = case.drafts[place]
    parent = case.drafts[max(0, place - 1)]
    near = rng.choice((-1, 0, 0, 1))
    anchors = (
        families.NOW_S, families.NOW_S + 30, cast(int, parent.claims["exp"]), cast(int, parent.claims["iat"]),
        cast(int, draft.claims["iat"]), cast(int, draft.claims["exp"]), cast(int, draft.claims["iat"]) + families.LIFETIME_S,
        cast(int, draft.claims["iat"]) + 90 * 86400,
    )  # fmt: skip
    draft.claims[rng.choice(("exp", "exp", "iat", "iat", "nbf"))] = rng.choice(anchors) + near


def move_all_times(rng: Random, case: Case) -> None:
    """The clock of the verifier, to the microsecond around a moment that counts."""
    draft = any_draft(rng, case)
    moment = cast(int, draft.claims[rng.choice(("exp", "iat"))]) + rng.choice((0, 0, -30))
    case.now_us = moment * 1_000_000 + rng.choice((-1, 0, 1))


def long_life(rng: Random, case: Case) -> None:
    """Every link ends at the bound of 90 days, or of the issuer."""
    root = cast(int, case.drafts[0].claims["iat"])
    life = rng.choice((families.LIFETIME_S, 90 * 86400)) + rng.choice((0, 1))
    for draft in case.drafts:
        draft.claims["exp"] = root + life


def bend_a_depth(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    name = rng.choice(("del_depth", "del_max_depth"))
    old = cast(int, draft.claims[name])
    draft.claims[name] = rng.choice((old - 1, old + 1, 0, 1, 8, 9, 2**31, Raw(f"{old}.0"), str(old), old == 1))


def lift_all_depths(rng: Random, case: Case) -> None:
    for draft in case.drafts:
        draft.claims["del_max_depth"] = rng.choice((8, 9)) if rng.random() < 0.2 else 8


def _holders(rng: Random, draft: Draft) -> Loose:
    public = cast("dict[str, Loose]", dict(draft.holder.public))
    small = {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(rng.choice(SMALL_ORDER))}
    x = cast(str, public["x"])
    off_curve = {"kty": "EC", "crv": "P-256", "x": x, "y": x}
    ed25519 = {"kty": "OKP", "crv": "Ed25519", "x": rng.choice((x, encode_base64url(rng.randbytes(32))))}
    return pick(
        rng,
        small, small, off_curve, ed25519, {**public, "d": "AA"}, {**public, "k": "AA"}, {**public, "kid": "x"}, {},
        {**public, "x": x + "="}, {**public, "x": x[:-1]}, {**public, "x": x + "A"}, {**public, "x": 1}, {**public, "kty": "RSA"},
        {**public, "crv": "X25519"}, {**public, "crv": "Ed448"}, {**public, "crv": "P-384"}, {**public, "crv": "ed25519"},
        {**public, "use": rng.choice(("sig", "enc"))}, {**public, "key_ops": rng.choice((["verify"], ["sign"], []))},
        {**public, "alg": rng.choice(("EdDSA", "ES256", "none"))}, {"kty": "oct", "k": "AAAA"}, None, "x", [public],
        {**public, "y": public.get("y", x)}, {**public, "x": encode_base64url(bytes(32))},
    )  # fmt: skip


def bend_the_holder(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    draft.claims["cnf"] = {"jwk": _holders(rng, draft)}


def bend_cnf(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    jwk = as_loose(dict(draft.holder.public))
    draft.claims["cnf"] = pick(
        rng,
        {"jkt": draft.holder.thumbprint}, {"jwk": jwk, "jkt": draft.holder.thumbprint}, {"jwk": jwk, "kid": "a"},
        {"jwk": jwk, "jku": "https://x"}, {"jwk": jwk, "jwe": "x"}, {"jwk": jwk, "x": 1}, {}, [jwk], jwk, {"jwk": [jwk]},
        {"jwk": jwk, "x5t#S256": "x"},
    )  # fmt: skip


def bend_the_header(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    name, value = rng.choice(cast("list[tuple[str, Loose]]", [
        ("crit", []), ("crit", ["x"]), ("crit", ["remit"]), ("crit", ["remit", "remit"]), ("crit", "remit"), ("crit", None),
        ("crit", ["remit", "b64"]), ("remit", 1), ("remit", 2), ("remit", True), ("remit", "1"), ("remit", Raw("1.0")),
        ("b64", False), ("b64", True), ("zip", "DEF"), ("jku", "https://x"), ("x5u", "https://x"), ("x5c", []),
        ("jwk", dict(draft.signer.public)), ("kid", 1), ("kid", None), ("kid", "other"), ("kid", ""), ("kid", "acme-1"),
        ("kid", "acme-2"), ("x", 1), ("iat", 1), ("cty", "JWT"), ("x5t", "a"), ("x5t#S256", "a"), ("iss", "x"), ("enc", "A128GCM"),
    ]))  # fmt: skip
    draft.header[name] = value


def bend_remit_mark(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    for name in ("crit", "remit"):
        draft.header.pop(name, None)
    draft.header.update(rng.choice(cast("list[dict[str, Loose]]", [
        {}, {"crit": ["remit"], "remit": 1}, {"crit": ["remit"]}, {"remit": 1}, {"crit": ["remit"], "remit": 2},
        {"crit": ["remit", "remit"], "remit": 1}, {"crit": ["remit"], "remit": None}, {"crit": ["remit"], "remit": True},
    ])))  # fmt: skip


def bend_typ(rng: Random, case: Case) -> None:
    drafts = case.drafts if rng.random() < 0.4 else [any_draft(rng, case)]
    value = pick(
        rng, "JWT", "jwt", "aat+jwt", "AAT+JWT", "application/aat+jwt", "dpop+jwt", "at+jwt", "", None, 1, ["JWT"]
    )
    for draft in drafts:
        draft.header["typ"] = value


def bend_alg(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    draft.header["alg"] = pick(
        rng,
        "none", "None", "HS256", "RS256", "ES384", "PS256", "eddsa", "EdDSA", "ES256", "Ed25519", "es256", "", None, 1, ["EdDSA"],
    )  # fmt: skip
    if rng.random() < 0.3:
        draft.signature = lambda signature, message: b""


def remove_a_header(rng: Random, case: Case) -> None:
    draft = any_draft(rng, case)
    draft.header.pop(rng.choice(list(draft.header)))


def matching_foreign_alg(rng: Random, case: Case) -> None:
    """The next link honestly signed with the other algorithm, by a key that nobody named."""
    draft = any_draft(rng, case)
    draft.signer = signer("thief-0", "EdDSA" if draft.signer.alg == "ES256" else "ES256")
    draft.header["alg"] = draft.signer.alg


def audience(rng: Random, case: Case) -> None:
    if rng.random() < 0.7:
        case.anchors = {**case.anchors, "audience": families.LEDGER}
    any_draft(rng, case).claims["aud"] = pick(
        rng,
        families.LEDGER, [families.LEDGER], families.LEDGER.upper(), [families.LEDGER, "x"], [], "", "x", None, 1,
    )  # fmt: skip


def other_anchors(rng: Random, case: Case) -> None:
    """The same chain, shown to a guard that trusts less."""
    issuers = cast("list[dict[str, Loose]]", copy_json(as_loose(case.anchors["issuers"])))
    issuer = rng.choice(issuers)
    name, value = rng.choice(cast("list[tuple[str, Loose]]", [
        ("orgs", []), ("tools", ["a"]), ("tools", ["payments.*"]), ("tools", ["payments.transfer"]), ("lifetime_s", 3600),
        ("plain_jwt", True), ("plain_jwt", False), ("iss", "https://elsewhere.example"), ("tools", ["*"]),
    ]))  # fmt: skip
    issuer[name] = value
    case.anchors = {**case.anchors, "issuers": cast("list[object]", issuers)}  # type: ignore[dict-item]  # both are JSON


def other_ledger(rng: Random, case: Case) -> None:
    case.anchors = {**case.anchors, "ledger": rng.choice(("https://other.test", "", families.LEDGER + "/"))}


MUTATIONS: Final = (
    remove_a_claim, remove_a_claim, set_a_claim, set_a_claim, set_a_claim, unknown_claim, our_claim, our_claim, bend_jti,
    bend_a_time, bend_a_time, bend_a_time, move_all_times, long_life, bend_a_depth, bend_a_depth, lift_all_depths,
    bend_the_holder, bend_the_holder, bend_cnf, bend_the_header, bend_the_header, bend_remit_mark, bend_typ, bend_alg,
    remove_a_header, matching_foreign_alg, audience, other_anchors, other_ledger,
)  # fmt: skip
