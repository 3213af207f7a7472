"""The published vectors: the files are what the script makes, and both verifiers say of each what it expects."""

import json
from functools import cache
from typing import Any, cast

import pytest

from remit.contracts import (
    HttpCall,
    ProofError,
    Step,
    VerifiedChain,
    credential_hash,
    verify_dpop,
    verify_tool_proof,
)
from remit.core.strict_json import JsonValue
from remit.core.strict_json import read_json as package_json
from remit.errors import CredentialError
from tests.contract_reference import differential, proofs, reference
from tests.contract_reference.differential import Answer, Shown
from tests.contract_reference.make_vectors import FOLDER, files
from tests.contract_reference.strict_text import Json, read_json
from tests.contract_reference.trust import read_anchors

Written = dict[str, Any]
MAX_BYTES = 100_000


@cache
def _published(name: str) -> Written:
    return cast(Written, json.loads((FOLDER / name).read_text(encoding="ascii")))


def _named(name: str) -> list[Any]:
    return [pytest.param(vector, id=vector["name"]) for vector in _published(name)["vectors"]]


def _shown(vector: Written, anchors: Written) -> Shown:
    return Shown(
        vector["chain"], anchors[vector["anchors"]], vector["now"] * 1_000_000, vector["in_headers"], vector["name"]
    )  # fmt: skip


def test_the_files_are_what_the_script_makes() -> None:
    made = files()
    assert {path.name for path in FOLDER.glob("*.json")} == set(made)
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="ascii") == text, f"{name}: run tests.contract_reference.make_vectors"


def test_no_two_vectors_have_the_same_name() -> None:
    for name in ("valid.json", "invalid.json", "dpop.json", "tool_proofs.json"):
        names = [vector["name"] for vector in _published(name)["vectors"]]
        assert len(names) == len(set(names))


def test_there_are_enough_vectors_and_they_reach_every_step() -> None:
    valid, invalid = _published("valid.json")["vectors"], _published("invalid.json")["vectors"]
    assert len(valid) >= 40
    assert len(invalid) >= 120
    steps = {step.value for step in Step} - {"too_costly"}
    assert {vector["expected"]["step"] for vector in invalid} == steps


@pytest.mark.parametrize("vector", [*_named("valid.json"), *_named("invalid.json")])
def test_both_verifiers_say_of_a_chain_what_its_vector_expects(vector: Written) -> None:
    shown = _shown(vector, _published("valid.json")["anchors"])
    expected = vector["expected"]
    theirs, verdict = differential.ask_reference(shown)
    ours, verified = differential.ask_package(shown)
    wanted = (expected.get("step"), expected.get("link"))
    assert (theirs.step, theirs.link) == wanted, theirs.why
    assert (ours.step, ours.link) == wanted, ours.why
    assert expected["valid"] is (verified is not None)
    for call in expected.get("calls", ()):
        assert verified is not None
        _check_call(call, verdict, verified)


def _check_call(call: Written, verdict: reference.Verdict, verified: VerifiedChain) -> None:
    raw = call["arguments"].encode()
    theirs = reference.refuses_call(verdict, call["tool"], cast(dict[str, Json], read_json(raw)))
    arguments = cast("dict[str, JsonValue]", package_json(raw, max_bytes=MAX_BYTES))
    ours = verified.chain.leaf.refusal(call["tool"], arguments)
    assert (theirs is None) is call["allowed"], (call, theirs)
    assert (ours is None) is call["allowed"], (call, ours)


@pytest.mark.parametrize("vector", _named("dpop.json"))
def test_both_verifiers_say_of_a_proof_over_http_what_its_vector_expects(vector: Written) -> None:
    wanted = vector["expected"].get("step")
    call = proofs.Call(
        vector["method"], vector["origin"], vector["path"], vector["query"].encode(), vector["body"].encode()
    )  # fmt: skip
    theirs = proofs.check_dpop(
        vector["dpop"], call, credential=vector["credential"], thumbprint=vector["thumbprint"], now_us=vector["now_us"],
        nonces=vector["nonces"], must_bind=vector["must_bind_request"],
    )  # fmt: skip
    assert theirs == wanted
    assert package_on_dpop(vector) == wanted


def package_on_dpop(vector: Written) -> str | None:
    call = HttpCall(
        method=vector["method"], origin=vector["origin"], path=vector["path"], query=vector["query"].encode(),
        body=vector["body"].encode(),
    )  # fmt: skip
    try:
        verify_dpop(
            vector["dpop"], call, ath=credential_hash(vector["credential"]), thumbprint=vector["thumbprint"],
            now_us=vector["now_us"], nonces=vector["nonces"], must_bind_request=vector["must_bind_request"],
        )  # fmt: skip
    except ProofError as error:
        return error.step.value
    return None


@pytest.mark.parametrize("vector", _named("tool_proofs.json"))
def test_both_verifiers_say_of_a_proof_for_a_tool_what_its_vector_expects(vector: Written) -> None:
    wanted = vector["expected"].get("step")
    anchors = _published("tool_proofs.json")["anchors"][vector["anchors"]]
    raw = vector["arguments"].encode()
    verdict = reference.verify(vector["chain"], read_anchors(anchors), now_us=vector["now_us"])
    arguments = cast(dict[str, Json], read_json(raw))
    theirs = "not_allowed" if reference.refuses_call(verdict, vector["tool"], arguments) else None
    theirs = theirs or proofs.check_tool_proof(
        vector["proof"], verdict, tool=vector["tool"], arguments=arguments, audience=vector["audience"],
        now_us=vector["now_us"],
    )  # fmt: skip
    assert theirs == wanted
    assert package_on_tool_proof(vector, anchors) == wanted


def package_on_tool_proof(vector: Written, anchors: Written) -> str | None:
    answer, verified = differential.ask_package(
        Shown(vector["chain"], anchors, vector["now_us"], in_headers=False, made_by=vector["name"])
    )  # fmt: skip
    assert answer == Answer(None, None, holder=answer.holder)
    assert verified is not None
    arguments = cast("dict[str, JsonValue]", package_json(vector["arguments"].encode(), max_bytes=MAX_BYTES))
    try:
        verify_tool_proof(
            vector["proof"], verified, tool=vector["tool"], arguments=arguments, audience=vector["audience"],
            now_us=vector["now_us"],
        )  # fmt: skip
    except ProofError as error:
        return error.step.value
    except CredentialError as error:
        return error.reason
    return None
