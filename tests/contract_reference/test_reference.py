"""The reference verifier is itself tested: by published examples, by brute force, and by what its rules are for."""

import itertools
from random import Random

import pytest

from tests.contract_reference import proofs, universe
from tests.contract_reference.mutate_claims import SMALL_ORDER
from tests.contract_reference.narrowing import Constraint, as_constraint, constraint_problem, narrows, passes
from tests.contract_reference.signatures import BadKeyError, Key
from tests.contract_reference.strict_text import (
    Json,
    NotCanonicalError,
    NotJsonError,
    as_plain,
    decode_base64url,
    encode_base64url,
    read_json,
    same,
)
from tests.contract_reference.universe import as_node

# RFC 8037, Appendix A: the key, its thumbprint, and a signature over what section A.4 signs.
RFC_8037_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
RFC_8037_SIGNED = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
RFC_8037_SIGNATURE = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"


def constraints(seed: int) -> tuple[Constraint, Constraint]:
    """A constraint and one that may or may not be narrower."""
    rng = Random(seed)
    parent = universe.constraint(rng, 2)
    child = universe.narrower(rng, parent)
    if rng.random() < 0.4:
        child = universe.constraint(rng, 2)
    return as_constraint(parent), as_constraint(child)


def test_the_key_of_rfc_8037_has_its_thumbprint_and_verifies_its_signature() -> None:
    key = Key(as_plain(RFC_8037_KEY))
    assert key.thumbprint == RFC_8037_THUMBPRINT
    assert key.verifies(decode_base64url(RFC_8037_SIGNATURE), RFC_8037_SIGNED)
    assert not key.verifies(decode_base64url(RFC_8037_SIGNATURE), RFC_8037_SIGNED + b" ")


@pytest.mark.parametrize("raw", SMALL_ORDER, ids=lambda raw: raw.hex()[:4] + raw.hex()[-4:])
def test_no_encoding_of_a_small_order_point_is_a_key(raw: bytes) -> None:
    with pytest.raises(BadKeyError, match=r"anybody|canonical"):
        Key({"kty": "OKP", "crv": "Ed25519", "x": encode_base64url(raw)})


@pytest.mark.parametrize("text", ["AA=", "AA==", "A", "AB", "A A", "A\nA", "AA+/", "é", "AAB"])
def test_only_the_one_spelling_of_bytes_is_read(text: str) -> None:
    with pytest.raises(NotCanonicalError):
        decode_base64url(text)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"nul", b"[1,]", b'{"a":1,}', b"[1 2]", b'{"a" 1}', b'{"a":1,"a":2}', b'{"a":1,"\\u0061":2}', b"01", b"1.", b".5",
        b"+1", b"-", b"-0", b"1e400", b"1e-400", b"9007199254740992", b"1e16", b"NaN", b"Infinity", b'"\\x"', b'"\\u12"', b'"\t"',
        b'"\\ud800"', b'"\\udc00\\ud800"', b"\xef\xbb\xbf1", b"1\x00", b"1 1", b"'a'", b"[" * 101 + b"]" * 101, b'"\xff"',
    ],
)  # fmt: skip
def test_what_is_not_strict_json_is_not_read(raw: bytes) -> None:
    with pytest.raises(NotJsonError):
        read_json(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b" {} ", {}), (b"[]", []), (b'{"a":[1,{"b":null}],"c":true}', {"a": [1, {"b": None}], "c": True}), (b"1e2", 100),
        (b'"\\u00e9\\n\\/\\ud83d\\ude00"', "é\n/\U0001f600"), (b"-1.5", -1.5), (b"0", 0), (b"9007199254740991", 2**53 - 1),
        (b"[" * 100 + b"]" * 100, None),
    ],
)  # fmt: skip
def test_strict_json_is_read_as_what_it_says(raw: bytes, value: Json) -> None:
    read = read_json(raw)
    assert value is None or same(read, value)


def test_true_is_not_one_and_one_is_one_point_nought() -> None:
    assert same(1, 1.0)
    assert not same(1, True)
    assert not same([0], [False])
    assert same({"a": 1, "b": [2]}, {"b": [2.0], "a": 1})


def test_what_narrows_never_lets_pass_what_its_parent_stops() -> None:
    """The point of the whole table: soundness, on values that have a chance to tell."""
    compared = 0
    for seed in range(1500):
        parent, child = constraints(seed)
        if not narrows(parent, child):
            continue
        rng = Random(seed)
        for _ in range(20):
            value = as_plain(universe.fitting(rng, as_node(rng.choice((parent, child)))))
            compared += passes(child, value)
            assert not passes(child, value) or passes(parent, value), (parent, child, value)
    assert compared > 1000


def test_narrowing_is_reflexive_and_transitive() -> None:
    for seed in range(300):
        first, second = constraints(seed)
        third = as_constraint(universe.narrower(Random(seed + 1), as_node(second)))
        assert narrows(first, first)
        if narrows(first, second) and narrows(second, third):
            assert narrows(first, third), (first, second, third)


def test_what_is_made_narrower_by_the_table_is_narrower() -> None:
    for seed in range(500):
        rng = Random(seed)
        parent = universe.constraint(rng, 3)
        child = universe.narrower(rng, parent)
        assert constraint_problem(as_plain(parent)) is None
        assert narrows(as_constraint(parent), as_constraint(child)), (parent, child)


def test_clauses_are_matched_as_trying_every_order_would_match_them() -> None:
    for seed in range(400):
        rng = Random(seed)
        parents = [as_constraint(universe.constraint(rng, 0)) for _ in range(rng.randrange(1, 5))]
        children = [as_constraint(universe.constraint(rng, 0)) for _ in range(rng.randrange(1, 6))]
        if rng.random() < 0.6:
            children += [as_constraint(universe.narrower(rng, as_node(each))) for each in parents]
        expected = any(
            all(narrows(wide, narrow) for wide, narrow in zip(parents, order, strict=True))
            for order in itertools.permutations(children[:6], len(parents))
            if len(parents) <= len(children[:6])
        )
        wide: Constraint = {"constraint_type": "all", "constraints": as_plain(parents)}
        narrow: Constraint = {"constraint_type": "all", "constraints": as_plain(children[:6])}
        assert narrows(wide, narrow) is expected


def test_the_example_of_the_draft_about_any_holds() -> None:
    def any_of(*values: str) -> Constraint:
        clauses: Json = [{"constraint_type": "exact", "value": value} for value in values]
        return {"constraint_type": "any", "constraints": clauses}

    assert narrows(any_of("pdf", "csv", "xlsx"), any_of("pdf", "csv"))
    assert not narrows(any_of("pdf", "csv", "xlsx"), any_of("pdf", "docx"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [1.0, 1e-7, 0.000001, 4.5, 2e-3]}, '{"a":[1,1e-7,0.000001,4.5,0.002],"b":1}'),
        ({"\u20ac": "€", "\r": "\n", "1": None, "\U0001f600": "", "ö": "\u0080"},
         '{"\\r":"\\n","1":null,"ö":"\u0080","€":"€","\U0001f600":""}'),
        ("\u000f\"\\/\u0008", '"\\u000f\\"\\\\/\\b"'),
        (1.23456789e-9, "1.23456789e-9"),
    ],
)  # fmt: skip
def test_canonical_json_is_that_of_rfc_8785(value: Json, text: str) -> None:
    assert proofs.canonical(value) == text.encode()
