"""What verification costs is bounded, counted in steps and bytes instead of seconds, for anything of 16 KB."""

from functools import partial
from typing import Any

import pytest

from remit.contracts import as_json, base64url, verify_chain, verify_dpop
from remit.contracts.keys import PublicKey
from remit.core.constraint_reading import read_constraint
from remit.core.constraints import MAX_CHECK_EFFORT, Subject, check
from remit.core.contract_steps import Effort
from remit.errors import UsageError
from tests.contracts.cast import ED25519, NOW_US, PAY, root, trusted
from tests.contracts.judging import accepts
from tests.contracts.mutate import mutants
from tests.contracts.plans import build, compact, plans, with_limits, with_tools
from tests.contracts.proving import CALL
from tests.core_leaves.work import refused

MOST_CALLS = 40_000
MOST_BYTES = 1_048_576
ROOM = 16_384
MOST_NUMBERS = 6_400  # of two characters each, after base64; reading one takes two calls
WILD = {"constraint_type": "wildcard"}


def padded(payload: bytes, header: bytes = b'{"alg":"EdDSA","typ":"aat+jwt"}') -> str:
    return ".".join(base64url.encode(part) for part in (header, payload, bytes(64)))


def filled(unit: bytes, *, start: bytes = b'{"jti":"x","a":[', end: bytes = b"]}", between: bytes = b",") -> str:
    """A payload that is as large as a chain in headers may be, of one thing again and again."""
    count = (ROOM * 3 // 4 - 200) // (len(unit) + len(between))
    return padded(start + between.join([unit] * count) + end)


def texts() -> dict[str, str]:
    return {
        "separators": "~" * ROOM,
        "dots": "." * ROOM,
        "letters": "A" * ROOM,
        "nine empty documents": "~".join([padded(b'{"jti":"%d"}' % n) for n in range(9)]),
        "brackets": padded(b"[" * 12_000),
        "brackets in pairs": filled(b"[]", between=b""),
        "nested as deep as it goes": filled(b"[" * 90 + b"]" * 90),
        "zeros": filled(b"0"),
        "strings": filled(b'""'),
        "escapes": filled(b'"\\u0041"'),
        "surrogates": filled(b'"\\ud83d\\ude00"'),
        "half surrogates": filled(b'"\\ud83d"'),
        "long numbers": filled(b"1" * 39),
        "fractions": filled(b"0.12345678901234567890"),
        "one member again": padded(b"{" + b",".join([b'"a":1'] * 1500) + b"}"),
        "many members": padded(b"{" + b",".join(b'"%d":1' % n for n in range(1200)) + b"}"),
        "a long id": padded(b'{"jti":"' + b"x" * 12_000 + b'"}'),
        "a long header": padded(b"{}", b'{"alg":"' + b"x" * 12_000 + b'"}'),
    }


@pytest.mark.parametrize("text", texts().values(), ids=texts().keys())
def test_a_hostile_text_costs_no_more_than_a_glance(text: str) -> None:
    work = refused(lambda: verify_chain(text, trusted(), now_us=NOW_US))
    assert work.calls < 2 * MOST_NUMBERS
    assert work.peak_bytes < MOST_BYTES


def pair(parent: object, child: object) -> str:
    """A root and a child, both properly signed, with these constraints on one argument."""
    links = [with_limits(plan, None) for plan in plans(links=2)]
    links[0] = with_tools(links[0], {PAY: {"a": parent}})
    links[1] = with_tools(links[1], {PAY: {"a": child}})
    return build(links)


def group(kind: str, clause: object, count: int) -> dict[str, Any]:
    return {"constraint_type": kind, "constraints": [clause] * count}


def layers(kind: str, width: int, depth: int, leaf: object) -> dict[str, Any]:
    tree: dict[str, Any] = group(kind, leaf, width)
    for _ in range(depth - 1):
        tree = group(kind, tree, width)
    return tree


def values(count: int, first: int = 0) -> dict[str, Any]:
    return {"constraint_type": "one_of", "values": list(range(first, first + count))}


EXACT = {"constraint_type": "exact", "value": 1}
RANGE = {"constraint_type": "range", "min": 1, "max": 2}

COSTLY: dict[str, tuple[object, object]] = {
    "all of wildcards": (group("all", WILD, 120), group("all", WILD, 120)),
    "any of exacts": (group("any", EXACT, 100), group("any", {**EXACT, "value": 2}, 100)),
    "all of ranges": (group("all", RANGE, 80), group("all", RANGE, 80)),
    "one clause too few": (group("all", WILD, 130), group("all", WILD, 129)),
    "dead ends": (
        {"constraint_type": "all", "constraints": [*[WILD] * 44, EXACT]},
        group("all", RANGE, 45),
    ),
    "layers of any": (layers("any", 2, 6, EXACT), layers("any", 2, 6, {**EXACT, "value": 2})),
    "layers of all": (layers("all", 3, 4, WILD), layers("all", 3, 4, EXACT)),
    "sets in any": (group("any", values(40), 30), group("any", values(40, 1), 30)),
    "one long set": (values(1000), values(1000, 1)),
}


@pytest.mark.parametrize(("parent", "child"), COSTLY.values(), ids=COSTLY.keys())
def test_comparing_constraints_costs_no_more_than_its_bound(parent: object, child: object) -> None:
    text = pair(parent, child)
    assert len(text) <= ROOM, len(text)

    def verify() -> None:
        verify_chain(text, trusted(), now_us=NOW_US)
        raise UsageError("accepted")

    work = refused(verify)
    assert work.calls < MOST_CALLS
    assert work.peak_bytes < MOST_BYTES


def test_a_chain_costs_one_signature_a_link_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = 0
    original = PublicKey.verifies

    def verifies(self: PublicKey, signature: bytes, message: bytes) -> bool:
        nonlocal checked
        checked += 1
        return original(self, signature, message)

    monkeypatch.setattr(PublicKey, "verifies", verifies)
    for mutant in mutants(3, 600):
        checked = 0
        accepts(mutant.chain)
        assert checked <= mutant.chain.count("~") + 1


def test_structure_is_refused_before_any_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    def verifies(self: PublicKey, signature: bytes, message: bytes) -> bool:
        raise AssertionError("a signature was checked")

    sound = root()
    monkeypatch.setattr(PublicKey, "verifies", verifies)
    for text in ("~".join([sound] * 10), "~".join([sound] * 2), sound + "~x", sound + "~" + padded(b"[]")):
        assert refused(partial(verify_chain, text, trusted(), now_us=NOW_US)).calls < 5000


def test_checking_arguments_is_bounded_as_well() -> None:
    clause = {"constraint_type": "subset", "allowed": list(range(1000))}
    constraint = read_constraint(as_json(group("all", clause, 400)))
    work = refused(partial(check, constraint, Subject(as_json(list(range(1000)))), Effort(MAX_CHECK_EFFORT)))
    assert "too_costly" in work.message
    assert work.calls < 5000


@pytest.mark.parametrize(
    "text",
    [
        padded(b"[" * 5900, b'{"typ":"dpop+jwt"}'),
        padded(b'{"jti":"' + b"x" * 5900 + b'"}', b'{"typ":"dpop+jwt"}'),
        "A" * 8192,
        "." * 8192,
        padded(compact({"jti": "1", "htm": "POST", "htu": "https://a/" + "%41" * 1500, "iat": 1, "ath": "x"})),
    ],
    ids=["brackets", "long id", "letters", "dots", "escapes"],
)
def test_a_hostile_proof_costs_no_more_than_a_glance(text: str) -> None:
    thumbprint = ED25519.thief.public.thumbprint
    work = refused(lambda: verify_dpop([text], CALL, ath="x", thumbprint=thumbprint, now_us=NOW_US))
    assert work.calls < 5000
    assert work.peak_bytes < MOST_BYTES
