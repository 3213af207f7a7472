"""Vectors of chains that must be accepted: what is allowed though it looks odd, and every bound from the inside."""

from collections.abc import Iterator
from typing import Final

from tests.contract_reference.forge import Case, Loose, Raw, as_loose
from tests.contract_reference.vector_cast import (
    ISS,
    LEAF_TOOLS,
    LEDGER,
    NOW_S,
    OTHER_ISS,
    SECONDS_OF_90_DAYS,
    Call,
    Change,
    Vector,
    agent,
    argument,
    capability,
    claim,
    detail,
    details,
    header,
    headless,
    held_by,
    issuer_key,
    limits,
    payload,
    rearranged,
    signature,
    tools,
    vector,
)
from tests.contract_reference.vectors_narrowing import WILD, every

P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

PAY: Final = "payments.transfer"


def pay(arguments: str, *, allowed: bool) -> Call:
    return Call(tool=PAY, arguments=arguments, allowed=allowed)


TRIO_CALLS: Final = (
    pay('{"amount":100,"currency":"USD","to":"acct-7"}', allowed=True),
    pay('{"amount":100.0,"currency":"USD","to":"acct-7"}', allowed=True),
    pay('{"amount":100.01,"currency":"USD","to":"acct-7"}', allowed=False),
    pay('{"amount":0,"currency":"USD","to":"acct-7"}', allowed=False),
    pay('{"amount":"100","currency":"USD","to":"acct-7"}', allowed=False),
    pay('{"amount":100,"currency":"usd","to":"acct-7"}', allowed=False),
    pay('{"amount":100,"currency":"USD","to":"acct-8"}', allowed=False),
    pay('{"amount":100,"currency":"USD"}', allowed=False),
    pay('{"amount":100,"currency":"USD","to":"acct-7","note":""}', allowed=False),
    pay("{}", allowed=False),
    Call(tool="risk.validate", arguments="{}", allowed=False),
    Call(tool="payments.Transfer", arguments='{"amount":1,"currency":"USD","to":"acct-7"}', allowed=False),
)


def signed_by_the_other_issuer(case: Case) -> None:
    """The same `kid`, the other issuer: a key is looked up by both."""
    root = case.drafts[0]
    root.signer = agent("other-1", "ES256")
    root.header.update(alg="ES256", kid="issuer-1")
    root.claims["iss"] = OTHER_ISS
    root.claims.pop("remit_org")


def by_the_second_key(case: Case) -> None:
    case.drafts[0].signer = issuer_key(2)
    case.drafts[0].header.update(alg="ES256", kid="issuer-2")


def marked(*links: int) -> Change:
    """`crit` says that a verifier must know our limits."""

    def change(case: Case) -> None:
        for link in links:
            case.drafts[link].header.update(crit=["remit"], remit=1)

    return change


def nine_links(case: Case) -> None:
    """Holders that hand everything on, as deep as is allowed."""
    del case.drafts[1:]
    case.drafts[0].claims["del_max_depth"] = 8
    for depth in range(1, 9):
        parent = case.drafts[-1]
        child = parent.copy()
        child.signer, child.holder = parent.holder, agent(f"deep-{depth}")
        child.header = {"alg": child.signer.alg, "typ": "aat+jwt"}
        child.claims |= {
            "jti": f"deep-{depth}", "iss": "", "par_hash": "", "del_depth": depth,
            "cnf": {"jwk": as_loose(dict(child.holder.public))},
        }  # fmt: skip
        for name in ("remit_org", "remit_user", "remit_account"):
            child.claims.pop(name, None)
        case.drafts.append(child)


def same_expiry(case: Case) -> None:
    for draft in case.drafts:
        draft.claims |= {"exp": NOW_S + 3600, "iat": NOW_S - 60}


def typ_of_all(value: str) -> Change:
    def change(case: Case) -> None:
        for draft in case.drafts:
            draft.header["typ"] = value

    return change


def nested(depth: int) -> Loose:
    """`all` in `all`, so many constraints deep."""
    node = WILD
    for _ in range(depth - 1):
        node = every(node)
    return node


def _other_s(given: bytes, _signed: bytes) -> bytes:
    return given[:32] + (P256_ORDER - int.from_bytes(given[32:])).to_bytes(32)


SCHEDULE: Final[Loose] = {
    "timezone": "Europe/Berlin",
    "windows": [
        {"days": ["mon", "tue"], "from": "02:00", "to": "04:00"},
        {"days": ["fri"], "from": "22:00", "to": "06:00"},
    ],
}
EACH_KIND: Final[tuple[dict[str, Loose], ...]] = (
    {"id": "transfers", "tools": [PAY], "meter": "calls", "max": 100},
    {"id": "pace", "meter": "calls", "rate": "10/minute", "burst": 3},
    {"id": "money", "meter": "cost", "unit": "USD", "max": "50.00", "per": "P1D"},
    {
        "id": "day",
        "meter": "cost",
        "unit": "EUR",
        "max": "9007199254.740991",
        "calendar": "day",
        "timezone": "Europe/Berlin",
    },
    {"id": "words", "meter": "llm_tokens", "max": 100000, "per": "PT90M"},
    {"id": "weight", "meter": "units", "max": 9007199254740991, "per": "PT30S"},
    {"id": "volume", "meter": "bytes", "max": 0, "per": "PT2H"},
)


def good() -> Iterator[Vector]:
    """Every chain that must be accepted, but for those about constraints."""
    yield from _shapes()
    yield from _times()
    yield from _claims()
    yield from _capabilities()


def _shapes() -> Iterator[Vector]:
    yield vector("chain of three", "issuer, orchestrator, risk-check, executor", calls=TRIO_CALLS)
    yield vector("chain of two", "every holder may show the chain up to itself", links=2)
    yield vector("root alone", "draft section 7, note to step 3m", links=1)
    yield vector("nine links", "eight deep is the most", nine_links)
    yield vector("in headers", "a chain that fits into 16 KiB", in_headers=True)
    yield vector("root by the ES256 key", "an issuer may have keys of both kinds", by_the_second_key)
    yield vector("root without kid", "every key of the issuer is tried", headless(0, "kid"))
    yield vector("after rotation", "the first key is gone", by_the_second_key, anchors_named="second key only")
    yield vector(
        "same kid at two issuers", "a key is looked up by issuer and kid", signed_by_the_other_issuer, anchors_named="two issuers"
    )  # fmt: skip
    yield vector("kid in a child", "means nothing there", header(1, "kid", "whatever"))
    yield vector("other header member", "means nothing", header(2, "purpose", "demo"))
    yield vector(
        "malleable ES256 signature", "(r, n - s) verifies, so nothing may be keyed on bytes", signature(2, _other_s)
    )
    yield vector("holder hands on to itself", "same key on both sides", held_by(1, agent("orchestrator")))
    yield vector("typ JWT where allowed", "draft: silent on `typ`", typ_of_all("JWT"), anchors_named="plain jwt")
    yield vector("typ aat+jwt where JWT is allowed", "both are accepted there", anchors_named="plain jwt")
    yield vector("dropped leaf", "what an ancestor may do", rearranged(lambda links: links[:2]))
    yield vector(
        "white space in JSON", "RFC 8259 allows it", payload(1, lambda text: f" {text.replace('{', '{ ')}\n".encode())
    )
    yield vector(
        "escapes in JSON", "a name means what it means unescaped",
        payload(2, lambda text: text.replace('"iat"', '"\\u0069at"').encode()),
    )  # fmt: skip


def _times() -> Iterator[Vector]:
    yield vector("last second", "`exp` is exclusive", now_s=NOW_S + 3597)
    yield vector("same times in every link", "equal is not later", same_expiry)
    yield vector("issued thirty seconds ahead", "the skew that is allowed", claim(2, "iat", NOW_S + 30))
    yield vector(
        "ninety days", "the longest life", claim(0, "iat", NOW_S), claim(0, "exp", NOW_S + SECONDS_OF_90_DAYS), links=1
    )  # fmt: skip
    yield vector("terminal leaf", "`del_depth == del_max_depth`", claim(2, "del_max_depth", 2))
    yield vector("terminal root", "nothing can be derived from it", claim(0, "del_max_depth", 0), links=1)
    yield vector(
        "depth lowered on the way", "a child may lower it", claim(1, "del_max_depth", 2), claim(2, "del_max_depth", 2)
    )
    yield vector("nbf in the past", "RFC 7519: it only restricts", claim(1, "nbf", NOW_S))


def _claims() -> Iterator[Vector]:
    yield vector(
        "claims nobody knows",
        "must be ignored",
        claim(1, "sub", "x"),
        claim(2, "https://x.example/trace", [1, {"a": 0.5}]),
    )
    yield vector("jti that is no UUID", "recommended, not required", claim(2, "jti", "call-0001"))
    yield vector("no claims of ours", "another implementation's root", *(_plain_root()), links=1)
    yield vector("audience that is ours", "the draft has none; where there is one it must fit", claim(0, "aud", LEDGER),
                 anchors_named="with audience")  # fmt: skip
    yield vector("uri with a path as iss", "compared exactly", claim(0, "iss", ISS))
    yield vector("names of every allowed character", "labels of ours", claim(2, "remit_agent", "A-z_0.9@x+y"))


def _plain_root() -> tuple[Change, ...]:
    def change(case: Case) -> None:
        for name in ("remit_org", "remit_user", "remit_account", "remit_agent"):
            case.drafts[0].claims.pop(name)

    return (change,)


def _capabilities() -> Iterator[Vector]:
    any_arguments = (
        Call(tool="risk.validate", arguments="{}", allowed=True),
        Call(tool="risk.validate", arguments='{"anything":[1,{"a":null}]}', allowed=True),
    )
    yield vector("open world", "`{}`: any arguments", tools(2, {"risk.validate": {}}), calls=any_arguments)
    closed = (
        Call(tool="risk.validate", arguments='{"id":7}', allowed=True),
        Call(tool="risk.validate", arguments="{}", allowed=False),
    )
    yield vector(
        "open becomes closed",
        "a child may introduce arguments",
        tools(2, {"risk.validate": {"id": WILD}}),
        calls=closed,
    )
    yield vector("no tools left", "allows nothing, and is sound", tools(2, {}),
                 calls=[Call(tool=PAY, arguments="{}", allowed=False)])  # fmt: skip
    yield vector("no capability in the middle", "an empty one; only empty ones follow", details(1), tools(2, {}))
    yield vector("other entries", "must be ignored", detail(1, {"type": "openid_credential", "tools": 1}))
    yield vector("tool that is a URI", "compared byte for byte", tools(0, {"https://t.example/a?b=%2F": {}}), links=1,
                 anchors_named="every tool", calls=[
                     Call(tool="https://t.example/a?b=%2F", arguments="{}", allowed=True),
                     Call(tool="https://t.example/a?b=%2f", arguments="{}", allowed=False),
                     Call(tool="https://t.example/a?b=/", arguments="{}", allowed=False),
                 ])  # fmt: skip
    yield vector("tool name of 256 bytes", "the longest", tools(0, {"payments." + "x" * 247: {}}), links=1)
    yield vector("constraint 32 deep", "the deepest", tools(0, {"search": {"x": nested(32)}}), links=1)
    yield vector("256 tools", "the most", tools(0, {f"payments.t{number}": {} for number in range(256)}), links=1)
    yield vector(
        "64 arguments", "the most", tools(0, {"search": {f"x{number}": WILD for number in range(64)}}), links=1
    )
    yield vector("number of 15 digits", "the most with a fraction",
                 argument(2, "amount", {"constraint_type": "exact", "value": Raw("0.123456789012345")}))  # fmt: skip
    yield vector(
        "largest integer", "2**53 - 1", argument(0, "amount", {"constraint_type": "range", "max": 2**53 - 1}), links=1
    )
    yield vector("limits of every kind", "one entry in the root", detail(0, limits(*EACH_KIND)), marked(0))
    yield vector(
        "limits in every link",
        "each binds",
        *(detail(link, limits(EACH_KIND[1])) for link in range(3)),
        marked(0, 1, 2),
    )
    yield vector("limits without the mark", "`--portable`", detail(2, limits(EACH_KIND[0])))
    yield vector("mark without limits", "a verifier that knows our limits has nothing to do", marked(1))
    yield vector("schedule alone", "hours without counts",
                 detail(1, {"type": "remit_limits", "ledger": LEDGER, "schedule": SCHEDULE}), marked(1))  # fmt: skip
    yield vector("schedule that never opens", "an empty list", detail(1, limits(EACH_KIND[1], schedule={
        "timezone": "UTC", "windows": []})))  # fmt: skip
    many: list[dict[str, Loose]] = [{"id": f"l{number}", "meter": "calls", "max": number} for number in range(32)]
    yield vector("thirty-two limits", "the most", detail(0, limits(*many)))
    yield vector("leaf tools repeated by hand", "the same as the sound chain", details(2, capability(LEAF_TOOLS)))
