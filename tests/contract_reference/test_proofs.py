"""Proofs with one odd value in one place: the package and the reference check name the same failure."""

from collections.abc import Callable
from functools import cache
from typing import Final, cast

import pytest

from tests.contract_reference import proofs, reference, vectors_proofs
from tests.contract_reference.forge import Loose, Raw, write
from tests.contract_reference.mutate_claims import ODD
from tests.contract_reference.strict_text import Json, read_json
from tests.contract_reference.test_vectors import package_on_dpop, package_on_tool_proof
from tests.contract_reference.trust import read_anchors
from tests.contract_reference.vector_cast import NOW_S, anchors
from tests.contract_reference.vectors_proofs import DpopVector, Proof, ToolVector

VALUES: Final[tuple[Loose, ...]] = (
    *ODD, "x" * 256, "x" * 300, "x" * 3000, Raw(f"{NOW_S}.0"), NOW_S, NOW_S - 30, NOW_S + 30, NOW_S - 31, NOW_S + 31, "é",
    "a b", "\x7f", "GET", "n-1", "https://api.example.com/transfer", "https://api.example.com/transfer?x=1",
)  # fmt: skip
DPOP_CLAIMS: Final = (
    "jti", "htm", "htu", "iat", "ath", "nonce", "remit_htq", "remit_htb", "remit_sid", "remit_x", "exp", "aud",
)  # fmt: skip
TOOL_CLAIMS: Final = ("jti", "iat", "aat_id", "aat_tool", "aat_aud", "hta", "exp", "x")
HEADERS: Final = ("alg", "jwk", "typ", "kid", "crit", "jku", "x5t", "cty", "b64", "remit", "x")


def _member(place: str, name: str, value: Loose) -> Callable[[Proof], None]:
    def change(proof: Proof) -> None:
        if place == "header":
            proof.header[name] = value
        else:
            proof.claims[name] = value
            proof.claims = dict(sorted(proof.claims.items()))  # what is signed for a tool must be canonical

    return change


def _reference_on_dpop(vector: DpopVector) -> str | None:
    call = proofs.Call(
        vector.method, vectors_proofs.ORIGIN, vector.path, vector.query.encode(), vector.body.encode()
    )  # fmt: skip
    return proofs.check_dpop(
        vector.headers, call, credential=vector.credential, thumbprint=vector.thumbprint, now_us=vector.now_us,
        nonces=vector.nonces, must_bind=vector.must_bind_request,
    )  # fmt: skip


@cache
def _verdict(chain: str, now_us: int) -> reference.Verdict:
    return reference.verify(chain, read_anchors(anchors()["acme"]), now_us=now_us)


def _reference_on_tool_proof(vector: ToolVector) -> str | None:
    verdict = _verdict(vector.chain, vector.now_us)
    arguments = cast(dict[str, Json], read_json(vector.arguments.encode()))
    return proofs.check_tool_proof(
        vector.proof, verdict, tool=vector.tool, arguments=arguments, audience=vector.audience, now_us=vector.now_us
    )  # fmt: skip


@pytest.mark.parametrize(
    ("place", "name"), [*(("claim", name) for name in DPOP_CLAIMS), *(("header", name) for name in HEADERS)]
)  # fmt: skip
def test_both_verifiers_name_the_same_failure_of_a_proof_over_http(place: str, name: str) -> None:
    for value in VALUES:
        changes = (_member("claim", "nonce", "n-1"), _member(place, name, value))
        vector = vectors_proofs.dpop_vector("odd", *changes, nonces=("n-1",))
        assert package_on_dpop(vector.as_json()) == _reference_on_dpop(vector), write(value)


@pytest.mark.parametrize(
    ("place", "name"), [*(("claim", name) for name in TOOL_CLAIMS), *(("header", name) for name in HEADERS)]
)  # fmt: skip
def test_both_verifiers_name_the_same_failure_of_a_proof_for_a_tool(place: str, name: str) -> None:
    for value in VALUES:
        vector = vectors_proofs.tool_vector("odd", _member(place, name, value))
        theirs = _reference_on_tool_proof(vector)
        assert package_on_tool_proof(vector.as_json(), anchors()["acme"]) == theirs, write(value)
