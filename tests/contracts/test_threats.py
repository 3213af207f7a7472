"""Attacks that have happened to others, row by row of the threat list: JWT and DEL. (DPOP is `test_dpop`.)

Here are the attacks that need somebody clever; what is a matter of one wrong value is in the tables of `test_verify`,
`test_jws`, `test_keys` and `test_limits`: JWT-01, 03, 06, 11 to 14, 16 to 20, 22, 23, 25, 30 to 37, 41, 43, 44, 46 and 47.
"""

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.contracts import (
    HttpCall,
    ProofError,
    Step,
    VerifiedChain,
    base64url,
    credential_hash,
    join_links,
    make_dpop,
    make_tool_proof,
    verify_chain,
    verify_dpop,
    verify_tool_proof,
)
from remit.core.strict_json import read_json
from tests.contracts.cast import (
    ED25519,
    ES256,
    ISS,
    LEDGER,
    NOW_US,
    PAY,
    TOOLS,
    chain,
    chance,
    child,
    key,
    root,
    trusted,
)
from tests.contracts.judging import accepts, refusal
from tests.contracts.plans import Plan, build, changed, plans, signed, with_limits, with_tools
from tests.contracts.test_keys import SMALL_ORDER

A, B, C = ED25519.holders
THIEF = ED25519.thief
CALL = HttpCall(method="POST", origin=LEDGER, path="/transfer")


def public_forms() -> list[bytes]:
    """The issuer's public key in every form in which somebody might have it at hand."""
    raw = base64url.decode(ED25519.issuer.public.holder.x.encode())
    loaded = Ed25519PublicKey.from_public_bytes(raw)
    return [
        raw,
        ED25519.issuer.public.holder.x.encode(),
        json.dumps(ED25519.issuer.public.to_jwk()).encode(),
        loaded.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        loaded.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        loaded.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        b"",
        b"secret",
    ]


@pytest.mark.parametrize("secret", public_forms())
@pytest.mark.parametrize("alg", ["HS256", "EdDSA"])
def test_jwt_02_a_public_key_is_no_shared_secret(secret: bytes, alg: str) -> None:
    def forge(plan: Plan) -> Plan:
        return replace(
            plan.with_header(alg=alg), signature=lambda message: hmac.new(secret, message, hashlib.sha256).digest()
        )

    expected = Step.SIGNATURE_INVALID if alg == "EdDSA" else Step.ALGORITHM_REFUSED
    assert refusal(changed(0, forge)).step is expected


def test_jwt_03_a_key_of_one_algorithm_signs_for_no_other() -> None:
    es_signed = changed(0, lambda plan: replace(plan.with_header(alg="ES256"), key=ES256.issuer))
    assert refusal(es_signed).step is Step.ALGORITHM_REFUSED
    assert accepts(es_signed, trusted(ES256))
    assert refusal(changed(0, lambda plan: replace(plan, key=ES256.issuer))).step is Step.SIGNATURE_INVALID


@pytest.mark.parametrize("name", ["jwk", "jku", "x5u", "x5c", "kid"])
def test_jwt_08_and_09_a_contract_does_not_bring_the_key_it_is_verified_with(name: str) -> None:
    values = {
        "jwk": THIEF.public.to_jwk(),
        "jku": "https://evil.example/jwks",
        "x5u": "https://evil.example/x",
        "x5c": ["x"],
    }
    stolen = changed(
        0, lambda plan: replace(plan, key=THIEF).with_header(**{name: values.get(name, THIEF.public.thumbprint)})
    )
    assert refusal(stolen).step in (Step.HEADER_REFUSED, Step.KEY_UNKNOWN)


@pytest.mark.parametrize("depth", [101, 3_000, 5_900])
@pytest.mark.parametrize("unit", ["[", '{"a":'])
def test_jwt_15_nesting_never_ends_in_a_recursion_error(depth: int, unit: str) -> None:
    close = "]" if unit == "[" else "}"
    payload = f'{{"jti":"x","a":{unit * depth}1{close * depth}}}'.encode()
    text = changed(0, lambda plan: replace(plan, payload=payload), links=1)
    assert refusal(text).step in (Step.MALFORMED, Step.TOO_LARGE)


def test_jwt_27_and_28_only_one_signed_compact_document_is_a_contract() -> None:
    header, payload, signature = root().split(".")
    flattened = json.dumps({"protected": header, "payload": payload, "signature": signature})
    general = json.dumps({"payload": payload, "signatures": [{"protected": header, "signature": signature}]})
    encrypted = ".".join((header, "", payload, payload, signature))
    nested = changed(0, lambda plan: replace(plan, payload=root().encode()).with_header(cty="JWT"), links=1)
    for text in (flattened, general, encrypted, nested, f'["{root()}"]', f"DPoP {root()}"):
        assert not accepts(text)


def test_jwt_29_no_document_stands_for_another_kind() -> None:
    verified = verify_chain(chain(), trusted(), now_us=NOW_US)
    http = make_dpop(C, CALL, credential=chain(), now_us=NOW_US, random_bytes=chance(1))
    tool = make_tool_proof(
        C, leaf_jti=verified.chain.leaf.jti, tool=PAY, arguments={"amount": 1, "currency": "USD"}, audience=LEDGER,
        now_us=NOW_US, random_bytes=chance(1),
    )  # fmt: skip
    links = chain().split("~")
    id_document = signed(
        Plan({"alg": "EdDSA", "typ": "JWT", "kid": "2027-01"}, {"iss": ISS, "jti": "1"}, ED25519.issuer)
    )
    for text in (http, tool, id_document, f"{links[0]}~{http}", f"{chain()}~{tool}", f"{http}~{links[1]}"):
        assert not accepts(text)
    for text in (tool, *links, id_document):
        assert not proves_http(text, verified)
    for text in (http, *links, id_document):
        assert not proves_tool(text, verified)
    assert proves_http(http, verified)
    assert proves_tool(tool, verified)


def proves_http(text: str, verified: VerifiedChain) -> bool:
    try:
        verify_dpop([text], CALL, ath=verified.ath, thumbprint=C.public.thumbprint, now_us=NOW_US)
    except ProofError:
        return False
    return True


def proves_tool(text: str, verified: VerifiedChain) -> bool:
    arguments = read_json(b'{"amount":1,"currency":"USD"}', max_bytes=100)
    assert isinstance(arguments, dict)
    try:
        verify_tool_proof(text, verified, tool=PAY, arguments=arguments, audience=LEDGER, now_us=NOW_US)
    except ProofError:
        return False
    return True


@pytest.mark.parametrize("encoded", SMALL_ORDER, ids=lambda encoded: encoded.hex()[:8] + encoded.hex()[-2:])
def test_jwt_36_nobody_can_sign_for_a_holder_whose_key_has_small_order(encoded: bytes) -> None:
    """With such a key R = A·0 + B·0 and s = 0 verify for one message in eight, with a library that loads it."""
    point = {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(encoded)}
    links = plans(links=2)
    links[0] = links[0].with_claims(cnf={"jwk": point})
    links[1] = replace(links[1], signature=lambda _: encoded + bytes(32))
    error = refusal(build(links))
    assert (error.step, error.link) == (Step.HOLDER_KEY_INVALID, 0)


def test_del_01_nothing_is_added_on_the_way() -> None:
    wider: list[Callable[[Plan], Plan]] = [
        lambda plan: with_tools(plan, {**TOOLS, "admin.delete": {}}),
        lambda plan: with_tools(plan, {"payments.*": {}}),
        lambda plan: with_tools(plan, {"*": {}}),
        lambda plan: with_tools(plan, {PAY: {**TOOLS[PAY], "to": {"constraint_type": "wildcard"}}}),
        lambda plan: with_tools(plan, {PAY: {}}),
    ]
    for change in wider:
        assert refusal(changed(1, change)).step is Step.NOT_NARROWER


def test_del_05_to_07_only_the_named_holder_can_sign_the_next_link() -> None:
    impostor = changed(2, lambda plan: replace(plan, key=THIEF))
    assert refusal(impostor).step is Step.SIGNATURE_INVALID
    honest_name = changed(2, lambda plan: replace(plan, key=THIEF).with_claims(iss=THIEF.public.thumbprint_uri))
    assert refusal(honest_name).step is Step.SIGNATURE_INVALID
    own_root = changed(0, lambda plan: replace(plan, key=THIEF))
    assert refusal(own_root).step is Step.SIGNATURE_INVALID


def test_del_09_delegating_to_oneself_is_allowed_and_gains_nothing() -> None:
    links = plans(links=3)
    links[1] = links[1].with_claims(cnf={"jwk": A.public.to_jwk()})
    links[2] = replace(links[2], key=A).with_claims(iss=A.public.thumbprint_uri, cnf={"jwk": A.public.to_jwk()})
    found = verify_chain(build(links), trusted(), now_us=NOW_US).chain
    assert found.holders == (A.public.thumbprint,)
    assert len(set(found.lineages)) == 3
    assert [link.limits is not None for link in found.links] == [True, False, True]  # the root's limits are still there


def test_del_09_the_same_contract_cannot_come_twice_in_a_chain() -> None:
    links = plans(links=3)
    links[2] = links[2].with_claims(jti=links[0].claims["jti"])
    assert refusal(build(links)).step is Step.DUPLICATE_JTI


def test_del_10_a_chain_of_a_thousand_links_is_refused_at_a_glance() -> None:
    assert refusal("~".join("x" * 1000)).step is Step.TOO_DEEP


def test_del_12_a_link_belongs_to_one_parent_and_no_other() -> None:
    first, second = root(seed="first task"), root(seed="second task")
    for_first = child(first).split("~")[1]
    assert accepts(f"{first}~{for_first}")
    error = refusal(f"{second}~{for_first}")
    assert (error.step, error.link) == (Step.PAR_HASH_MISMATCH, 1)


def test_del_13_keys_are_taken_by_value_wherever_the_link_stands() -> None:
    links = chain().split("~")
    for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (0, 2), (1, 2), (1,), (2,)):
        assert not accepts("~".join(links[place] for place in order))


@pytest.mark.parametrize("number", [2**53, 2**63, 2**64, 10**30, -(2**63)])
def test_del_16_no_number_wraps_around(number: int) -> None:
    payload = json.dumps({"jti": "x", "exp": number}).encode()
    assert refusal(changed(0, lambda plan: replace(plan, payload=payload), links=1)).step is Step.MALFORMED


def test_del_17_there_is_no_pattern_to_backtrack_in() -> None:
    text = changed(1, lambda plan: with_tools(plan, {PAY: {"a": {"constraint_type": "regex", "pattern": "(a+)+$"}}}))
    assert refusal(text).step is Step.UNKNOWN_CONSTRAINT


def test_del_21_a_chain_is_whole_or_nothing() -> None:
    links = chain().split("~")
    digests = [hashlib.sha256(link.encode()).hexdigest() for link in links]
    for missing in (0, 1):
        assert not accepts("~".join(links[:missing] + links[missing + 1 :]))
        assert not accepts("~".join([*links[:missing], digests[missing], *links[missing + 1 :]]))


def test_del_21_a_prefix_is_a_chain_but_not_one_that_the_leaf_can_prove() -> None:
    links = chain().split("~")
    prefix = join_links(links[:2])
    verified = verify_chain(prefix, trusted(), now_us=NOW_US)
    proof = make_dpop(C, CALL, credential=prefix, now_us=NOW_US, random_bytes=chance(1))
    with pytest.raises(ProofError, match="holder_binding_failed"):
        verify_dpop([proof], CALL, ath=verified.ath, thumbprint=verified.leaf_key.thumbprint, now_us=NOW_US)
    assert credential_hash(prefix) != credential_hash(chain())


def test_a_child_that_leaves_the_limits_out_is_still_under_those_of_its_parents() -> None:
    links = plans(links=3)
    links[1:] = [with_limits(plan, None) for plan in links[1:]]
    found = verify_chain(build(links), trusted(), now_us=NOW_US).chain
    assert found.links[0].limits is not None
    assert len(found.links[0].limits.limits) == 3


def test_a_fresh_key_of_the_same_holder_is_another_holder_below_the_same_lineage() -> None:
    parent = root()
    fresh = [
        verify_chain(build([*plans(text=parent, links=1), derived]), trusted(), now_us=NOW_US).chain
        for derived in (
            plans(links=2)[1].with_claims(cnf={"jwk": key(f"fresh {number}").public.to_jwk()}, jti=f"child {number}")
            for number in range(5)
        )
    ]
    assert {each.lineages[0] for each in fresh} == {fresh[0].lineages[0]}
    assert {each.holders[0] for each in fresh} == {A.public.thumbprint}
    assert len({each.lineages[1] for each in fresh}) == 5
