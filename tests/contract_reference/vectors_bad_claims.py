"""Vectors of chains that must be refused for what they claim: names, times, depths, keys, capabilities, limits, issuers."""

from collections.abc import Iterator
from typing import Final, cast

from tests.contract_reference.forge import Case, Loose, Raw, as_loose
from tests.contract_reference.mutate_claims import SMALL_ORDER
from tests.contract_reference.strict_text import encode_base64url
from tests.contract_reference.universe import as_node
from tests.contract_reference.vector_cast import (
    CAPABILITY,
    LEDGER,
    NOW_S,
    SECONDS_OF_90_DAYS,
    Change,
    Node,
    Vector,
    agent,
    argument,
    capability,
    claim,
    detail,
    details,
    limits,
    tools,
    vector,
    without,
)
from tests.contract_reference.vectors_good import PAY, nested, nine_links
from tests.contract_reference.vectors_narrowing import WILD, every, exact

_SECOND_LINK: Final = 1


def bad_claims() -> Iterator[Vector]:
    """Identifiers and names."""
    for name, value in (("empty", ""), ("UUID in capitals", "01957A3F-4E23-7B01-A9D1-000000000001"), ("not ASCII", "é"),
                        ("257 characters", "x" * 257)):  # fmt: skip
        yield vector(f"jti: {name}", "steps 3j, 4b1", claim(1, "jti", value), step="claim_invalid", link=1)
    ours: tuple[tuple[int, str, Loose], ...] = (
        (0, "remit_x", 1), (1, "remit_org", "acme"), (1, "remit_user", "ann"), (2, "remit_account", "ann"), (1, "remit_", ""),
        (1, "remit_agent", ""), (1, "remit_agent", "risk check"), (1, "remit_agent", "x" * 129), (1, "remit_agent", "\u0430nn"),
        (0, "remit_user", None), (0, "remit_account", 7), (1, "remit_sid", "run"),
    )  # fmt: skip
    for link, name, own in ours:
        where = "the root" if link == 0 else "a child"
        yield vector(f"{name} {ascii(own)[:16]} in {where}", "unknown, malformed or misplaced", claim(link, name, own),
                     step="claim_invalid", link=link)  # fmt: skip
    for aud in ("https://other.example", [LEDGER, "https://other.example"], LEDGER.upper(), []):
        yield vector(f"audience {str(aud)[:40]}", "another, or not ours alone", claim(1, "aud", as_loose(aud)),
                     anchors_named="with audience", step="audience_mismatch", link=1)  # fmt: skip
    yield vector(
        "audience where the guard has none", "nothing fits", claim(0, "aud", LEDGER), step="audience_mismatch", link=0
    )


def bad_times() -> Iterator[Vector]:
    """Every bound of time from the outside, and times that are none."""
    yield vector("expired leaf", "`exp` is exclusive", now_s=NOW_S + 3598, step="expired", link=2)
    yield vector("expired root", "the first failure decides", now_s=NOW_S + 3600, step="expired", link=0)
    yield vector("child outlives its parent", "step 4h", claim(1, "exp", NOW_S + 3601), step="times_invalid", link=1)
    yield vector("child older than its parent", "step 4j", claim(1, "iat", NOW_S - 61), step="times_invalid", link=1)
    yield vector("issued 31 seconds ahead", "step 4k", claim(2, "iat", NOW_S + 31), step="times_invalid", link=2)
    yield vector("root issued 31 seconds ahead", "step 3f", claim(0, "iat", NOW_S + 31), step="times_invalid", link=0)
    yield vector(
        "ends as it begins",
        "step 4l",
        claim(2, "iat", NOW_S + 10),
        claim(2, "exp", NOW_S + 10),
        step="times_invalid",
        link=2,
    )
    yield vector("a second over ninety days", "step 3h", claim(0, "iat", NOW_S), claim(0, "exp", NOW_S + SECONDS_OF_90_DAYS + 1),
                 links=1, step="times_invalid", link=0)  # fmt: skip
    yield vector("not before a second from now", "RFC 7519", claim(1, "nbf", NOW_S + 1), step="times_invalid", link=1)
    for text in ('"1800003599"', "1800003599.0", "18000035990e-1", "null", "true", "[]", "9007199254740991"):
        yield vector(
            f"exp {text}",
            "an integer, no later than the parent's",
            claim(1, "exp", Raw(text)),
            step="times_invalid",
            link=1,
        )
    yield vector("exp missing in a child", "step 4b5", without(1, "exp"), step="claim_invalid", link=1)
    yield vector("iat missing in a child", "step 4b5", without(2, "iat"), step="claim_invalid", link=2)
    yield vector("exp missing in the root", "step 3e", without(0, "exp"), step="times_invalid", link=0)
    yield vector(
        "iat that is text in the root", "an integer", claim(0, "iat", "1800000000"), step="times_invalid", link=0
    )


def bad_depths() -> Iterator[Vector]:
    """Depths that do not count up, or go too far."""
    for name, link, claimed, value in (
        ("root at 1", 0, "del_depth", 1), ("child at 0", 1, "del_depth", 0), ("child at 2", 1, "del_depth", 2),
        ("ceiling raised", 1, "del_max_depth", 4), ("ceiling below itself", 2, "del_max_depth", 1), ("root allows nine", 0,
        "del_max_depth", 9), ("depth as text", 1, "del_depth", "1"), ("depth true", 1, "del_depth", True),
        ("ceiling below zero", 0, "del_max_depth", -1), ("ceiling null", 2, "del_max_depth", None),
    ):  # fmt: skip
        yield vector(
            f"depth: {name}", "invariant I2", claim(link, claimed, as_loose(value)), step="depth_invalid", link=link
        )
    yield vector(
        "depth: 1.0", "an integer is written as one", claim(1, "del_depth", Raw("1.0")), step="depth_invalid", link=1
    )
    yield vector("depth: missing", "step 4b4", without(1, "del_depth"), step="depth_invalid", link=1)
    yield vector(
        "depth: ceiling missing in the root", "step 3i", without(0, "del_max_depth"), step="depth_invalid", link=0
    )
    yield vector("child of a terminal root", "step 4e", claim(0, "del_max_depth", 0), claim(1, "del_max_depth", 0),
                 step="depth_invalid", link=1)  # fmt: skip
    yield vector("child of a terminal child", "step 4e", nine_links, _terminal_at_four, step="depth_invalid", link=5)


def _terminal_at_four(case: Case) -> None:
    for draft in case.drafts[4:]:
        draft.claims["del_max_depth"] = 4


def bad_holders() -> Iterator[Vector]:
    """`cnf` without a key that only its holder can sign with."""
    public = as_node(dict(agent("executor").public))
    curve = as_node(dict(agent("risk-check").public))
    for place, raw in enumerate(SMALL_ORDER):
        yield vector(f"holder: small order, encoding {place + 1}", "anybody could sign for it", _cnf(
            {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(raw)}}), step="holder_key_invalid", link=2)  # fmt: skip
    above = (2**255 - 19 + 3).to_bytes(32, "little")
    bad: tuple[tuple[str, Loose], ...] = (
        ("coordinate not reduced", {"jwk": {**public, "x": encode_base64url(above)}}),
        ("private key", {"jwk": dict(as_node(agent("executor").private))}),
        ("private member null", {"jwk": {**public, "d": None}}),
        ("not on P-256", {"jwk": {**curve, "y": curve["x"]}}),
        ("P-256 without y", {"jwk": {"kty": "EC", "crv": "P-256", "x": curve["x"]}}),
        ("Ed25519 with y", {"jwk": {**public, "y": public["x"]}}),
        ("padded", {"jwk": {**public, "x": f"{public['x']}="}}),
        ("31 bytes", {"jwk": {**public, "x": encode_base64url(bytes(31))}}),
        ("X25519", {"jwk": {**public, "crv": "X25519"}}),
        ("kty and crv that do not fit", {"jwk": {**public, "kty": "EC"}}),
        ("symmetric", {"jwk": {"kty": "oct", "k": "AAAA"}}),
        ("RSA", {"jwk": {"kty": "RSA", "n": "AAAA", "e": "AQAB"}}),
        ("for encryption", {"jwk": {**public, "use": "enc"}}),
        ("for another algorithm", {"jwk": {**public, "alg": "ES256"}}),
        ("may not verify", {"jwk": {**public, "key_ops": ["encrypt"]}}),
        ("thumbprint instead", {"jkt": agent("executor").thumbprint}),
        ("thumbprint as well", {"jwk": public, "jkt": agent("executor").thumbprint}),
        ("null", None),
        ("key in a list", {"jwk": [public]}),
    )
    for name, cnf in bad:
        yield vector(f"holder: {name}", "steps 3l, 4b2", _cnf(cnf), step="holder_key_invalid", link=2)
    yield vector("holder: missing", "step 3l", without(0, "cnf"), step="holder_key_invalid", link=0)


def _cnf(value: Loose) -> Change:
    return claim(2, "cnf", value)


def bad_capabilities() -> Iterator[Vector]:
    """Capabilities that are none, and tools and arguments that are not the parent's."""
    forms: tuple[tuple[str, Change], ...] = (
        ("two capabilities", detail(1, capability({}))), ("entry without type", detail(1, {"tools": {}})),
        ("entry that is no object", detail(1, "x")), ("type that is no text", detail(1, {"type": 1})),
        ("tools missing", details(1, {"type": CAPABILITY})), ("tools in a list", tools(1, ["search"])),
        ("tool that is null", tools(1, {"risk.validate": None})), ("constraint that is null", argument(1, "amount", None)),
        ("member that might restrict", details(1, {"type": CAPABILITY, "tools": {}, "locations": ["https://x"]})),
        ("details that are no list", claim(1, "authorization_details", {})), ("empty tool name", tools(1, {"": {}})),
        ("tool name of 257 bytes", tools(1, {"x" * 257: {}})), ("details missing", without(1, "authorization_details")),
        ("member missing", argument(1, "amount", {"constraint_type": "one_of"})),
        ("all of nothing", argument(1, "amount", {"constraint_type": "all", "constraints": []})),
        ("any of nothing", argument(1, "amount", {"constraint_type": "any", "constraints": []})),
        ("exact list", argument(1, "amount", {"constraint_type": "exact", "value": [1]})),
        ("bound as text", argument(1, "amount", {"constraint_type": "range", "max": "200"})),
        ("bound true", argument(1, "amount", {"constraint_type": "range", "max": True})),
        ("bound null", argument(1, "amount", {"constraint_type": "range", "max": None})),
        ("flag as text", argument(1, "amount", {"constraint_type": "range", "max": 1, "max_inclusive": "false"})),
        ("values as text", argument(1, "amount", {"constraint_type": "one_of", "values": "USD"})),
        ("number of 17 digits", argument(1, "amount", exact(Raw("0.30000000000000004")))),
        ("constraint without type", argument(1, "amount", {"max": 1})),
    )  # fmt: skip
    for name, change in forms:
        yield vector(f"capability: {name}", "steps 3m, 4n", change, step="capability_malformed", link=1)
    yield vector("capability: none in the root", "step 3m", details(0), step="capability_malformed", link=0)
    yield vector("capability: none in the leaf", "step 6a", details(2), step="capability_malformed", link=2)
    for name, node in (
        ("unknown type", {"constraint_type": "prefix", "value": "a"}), ("type in capitals", {"constraint_type": "Exact", "value": 1}),
        ("unknown member", {"constraint_type": "range", "maximum": 1}), ("member of another type", {**WILD, "value": 1}),
        ("unknown inside all", every(WILD, {"constraint_type": "regex"})),
    ):  # fmt: skip
        yield vector(
            f"constraint: {name}",
            "fails closed",
            argument(1, "amount", as_loose(node)),
            step="unknown_constraint",
            link=1,
        )
    yield vector(
        "constraint 33 deep",
        "step 3n",
        tools(0, {"search": {"x": nested(33)}}),
        links=1,
        step="constraint_too_deep",
        link=0,
    )
    wider: tuple[tuple[str, Change], ...] = (
        ("tool added", tools(2, {"search": {}})), ("tool in other case", tools(2, {"Risk.validate": {}})),
        ("argument added", argument(2, "note", WILD)), ("argument in other case", _renamed("amount", "Amount")),
        ("argument dropped", tools(2, {PAY: {"amount": exact(1), "currency": exact("USD")}})),
        ("closed becomes open", tools(2, {PAY: {}})), ("one bound wider", argument(2, "amount", {"constraint_type": "range",
        "min": 0, "max": 201})), ("one value more", argument(2, "to", {"constraint_type": "one_of", "values": ["acct-7", "acct-9"]})),
        ("something after nothing", _after_nothing),
    )  # fmt: skip
    for name, change in wider:
        yield vector(f"wider: {name}", "step 4p", change, step="not_narrower", link=2)
    yield vector("wider in the middle", "the leaf's being narrow does not mend it", argument(1, "amount", WILD),
                 step="not_narrower", link=1)  # fmt: skip


def _renamed(old: str, new: str) -> Change:
    def change(case: Case) -> None:
        entry = cast("list[dict[str, dict[str, Node]]]", case.drafts[2].claims["authorization_details"])[0]
        entry["tools"][PAY][new] = entry["tools"][PAY].pop(old)

    return change


def _after_nothing(case: Case) -> None:
    details(1)(case)


_CALLS: Final[Node] = {"id": "l", "meter": "calls", "max": 5}


def bad_limits() -> Iterator[Vector]:
    """Limits with a typo, counted by another guard, or signed by an issuer that may not."""
    cost: Node = {"id": "l", "meter": "cost", "unit": "USD", "max": "5"}
    each: tuple[tuple[str, Node], ...] = (
        ("no id", {"meter": "calls", "max": 5}), ("no max", {"id": "l", "meter": "calls"}), ("unknown meter", {**_CALLS, "meter": "call"}),
        ("unknown member", {**_CALLS, "maximum": 5}), ("max as text", {**_CALLS, "max": "5"}), ("max below zero", {**_CALLS, "max": -1}),
        ("max 5.0", {**_CALLS, "max": Raw("5.0")}), ("max null", {**_CALLS, "max": None}), ("max true", {**_CALLS, "max": True}),
        ("cost without unit", {"id": "l", "meter": "cost", "max": "5"}), ("cost as a number", {**cost, "max": 5}),
        ("cost with seven decimals", {**cost, "max": "0.0000001"}), ("cost below zero", {**cost, "max": "-1"}),
        ("cost too large", {**cost, "max": "9007199254.740992"}), ("cost with an exponent", {**cost, "max": "1e3"}),
        ("unknown currency", {**cost, "unit": "usd"}), ("unit of calls", {**_CALLS, "unit": "USD"}),
        ("period of a month", {**_CALLS, "per": "P1M"}), ("period of nothing", {**_CALLS, "per": "PT0S"}),
        ("period as a number", {**_CALLS, "per": 86400}), ("period and calendar", {**_CALLS, "per": "P1D", "calendar": "day", "timezone":
        "UTC"}), ("calendar without timezone", {**_CALLS, "calendar": "day"}), ("calendar of a year", {**_CALLS, "calendar": "year",
        "timezone": "UTC"}), ("unknown timezone", {**_CALLS, "calendar": "day", "timezone": "Mars/Base"}),
        ("rate and max", {**_CALLS, "rate": "5/minute"}), ("rate without count", {"id": "l", "meter": "calls", "rate": "/minute"}),
        ("burst of nothing", {"id": "l", "meter": "calls", "rate": "5/minute", "burst": 0}), ("burst without rate", {**_CALLS, "burst": 3}),
        ("tool that the link lacks", {**_CALLS, "tools": ["search"]}), ("no tools at all", {**_CALLS, "tools": []}),
        ("tool pattern", {**_CALLS, "tools": ["payments.*"]}), ("tool named twice", {**_CALLS, "tools": [PAY, PAY]}),
    )  # fmt: skip
    for name, limit in each:
        yield vector(
            f"limit: {name}",
            "each typo would mean unlimited",
            detail(1, limits(limit)),
            step="limits_malformed",
            link=1,
        )
    window: Node = {"days": ["mon"], "from": "02:00", "to": "04:00"}
    entries: tuple[tuple[str, Loose], ...] = (
        ("same id twice", limits(_CALLS, _CALLS)), ("thirty-three", limits(*({**_CALLS, "id": f"l{n}"} for n in range(33)))),
        ("empty list", limits()), ("neither limits nor schedule", {"type": "remit_limits", "ledger": LEDGER}),
        ("unknown member", limits(_CALLS, limit=[])), ("no ledger", {"type": "remit_limits", "limits": [_CALLS]}),
        ("misspelled type", {"type": "remit_limit", "ledger": LEDGER, "limits": [_CALLS]}),
        ("schedule without timezone", limits(_CALLS, schedule={"windows": []})), ("window without end", limits(_CALLS, schedule={
        "timezone": "UTC", "windows": [{"days": ["mon"], "from": "02:00"}]})), ("window that ends as it starts", limits(_CALLS, schedule={
        "timezone": "UTC", "windows": [{**window, "to": "02:00"}]})), ("day spelled out", limits(_CALLS, schedule={"timezone": "UTC",
        "windows": [{**window, "days": ["monday"]}]})), ("hour 25", limits(_CALLS, schedule={"timezone": "UTC", "windows": [{**window,
        "to": "25:00"}]})), ("no days", limits(_CALLS, schedule={"timezone": "UTC", "windows": [{**window, "days": []}]})),
    )  # fmt: skip
    for name, entry in entries:
        yield vector(
            f"limits: {name}", "each typo would mean unlimited", detail(1, entry), step="limits_malformed", link=1
        )
    yield vector("limits: two entries", "one is enough", detail(1, limits(_CALLS)), detail(1, limits({**_CALLS, "id": "m"})),
                 step="limits_malformed", link=1)  # fmt: skip
    counted = {**as_node(limits(_CALLS)), "ledger": "https://api.example.org"}
    yield vector(
        "ledger of another guard", "two guards would count apart", detail(2, counted), step="ledger_mismatch", link=2
    )
    yield vector(
        "ledger with a slash",
        "compared exactly",
        detail(2, {**counted, "ledger": LEDGER + "/"}),
        step="ledger_mismatch",
        link=2,
    )
    yield vector("limits where nobody counts", "this guard has no ledger", detail(0, limits(_CALLS)), anchors_named="no ledger",
                 step="ledger_mismatch", link=0)  # fmt: skip
    for name, anchors_named in (("an org", "no orgs"), ("a lifetime", "one hour")):
        yield vector(
            f"issuer exceeded: {name}",
            "bounded by the operator",
            anchors_named=anchors_named,
            step="issuer_exceeded",
            link=0,
        )
    for tool in ("admin.delete", "payments", "paymentsx.transfer", "*", "Payments.transfer"):
        yield vector(f"issuer exceeded: the tool {tool}", "bounded by the operator", tools(0, {tool: {}}), links=1,
                     step="issuer_exceeded", link=0)  # fmt: skip
