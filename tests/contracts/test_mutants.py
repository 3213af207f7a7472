"""Ten thousand hostile chains: what nobody signed is refused, and what is accepted is narrower at every link.

The oracle here is small and looks at accepted chains only: it reads them with the standard library and asks whether each
link could have been derived from the one above, trying out calls instead of comparing constraints.
"""

import base64
import hashlib
import itertools
import json
import random
from typing import Any

import pytest

from remit.contracts import ContractError, as_json, verify_chain
from remit.core.constraint_reading import read_constraint
from remit.core.constraints import arguments_refusal
from tests.contracts.cast import ED25519, ES256, MIXED, NOW_S, NOW_US, Cast, trusted
from tests.contracts.judging import accepts
from tests.contracts.mutate import SCALARS, forged, mutants, torn

COUNT = 10_000
ROUNDS = 10
TRIED = [*SCALARS, 3, 99.5, -1, [], ["a"], ["USD", 1], {}]


def is_kept_sound(text: str) -> str | None:
    """Say what is wrong with a chain that was accepted; None: nothing."""
    links = [json.loads(unpadded(link.split(".")[1])) for link in text.split("~")]
    for depth, link in enumerate(links):
        if link["del_depth"] != depth or not depth <= link["del_max_depth"] <= 8:
            return "depth"
        if not (link["iat"] <= NOW_S + 30 and NOW_S < link["exp"] <= link["iat"] + 90 * 86_400):
            return "times"
        if len(link["cnf"]["jwk"]) not in (3, 4):
            return "key"
    for (above, below), parent_text in zip(itertools.pairwise(links), text.split("~"), strict=False):
        if (
            below["exp"] > above["exp"]
            or below["iat"] < above["iat"]
            or below["del_max_depth"] > above["del_max_depth"]
        ):
            return "not narrower in time or depth"
        if below["par_hash"] != digest(parent_text.rpartition(".")[0]):
            return "parent"
        if not below["iss"].endswith(thumbprint(above["cnf"]["jwk"])):
            return "iss"
        if (problem := widened(tools(above), tools(below))) is not None:
            return problem
    return None if len({link["jti"] for link in links}) == len(links) else "jti twice"


def widened(above: dict[str, Any], below: dict[str, Any]) -> str | None:
    """Try calls that the child allows, and see that the parent allows them."""
    for tool, arguments in below.items():
        if tool not in above:
            return f"tool {tool}"
        for values in itertools.islice(itertools.product(TRIED, repeat=len(arguments)), 200):
            call = dict(zip(arguments, values, strict=True))
            if allows(arguments, call) and not allows(above[tool], call):
                return f"{tool} {call}"
    return None


def allows(arguments: dict[str, Any], call: dict[str, Any]) -> bool:
    read = {name: read_constraint(as_json(constraint)) for name, constraint in arguments.items()}
    return arguments_refusal(read, {name: as_json(value) for name, value in call.items()}, tool="t") is None


def tools(link: dict[str, Any]) -> dict[str, Any]:
    found = [entry["tools"] for entry in link["authorization_details"] if entry["type"] == "attenuating_agent_token"]
    return found[0] if found else {}


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def thumbprint(jwk: dict[str, str]) -> str:
    names = ("crv", "kty", "x") if jwk["kty"] == "OKP" else ("crv", "kty", "x", "y")
    return digest(json.dumps({name: jwk[name] for name in names}, separators=(",", ":")))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_no_hostile_chain_passes_and_none_breaks_the_verifier(seed: int) -> None:
    accepted = 0
    for mutant in mutants(seed, COUNT // ROUNDS):
        if not accepts(mutant.chain):
            continue
        accepted += 1
        assert not mutant.must_be_refused, mutant
        assert is_kept_sound(mutant.chain) is None, mutant
    assert accepted > COUNT // ROUNDS // 100  # or the forgeries would not try hard enough


@pytest.mark.parametrize("cast", [ES256, MIXED], ids=["ES256", "both"])
def test_chains_of_other_keys_are_as_hard_to_break(cast: Cast) -> None:
    for mutant in mutants(99, 300, cast=cast):
        if accepts(mutant.chain, trusted(cast)):
            assert not mutant.must_be_refused, mutant
            assert is_kept_sound(mutant.chain) is None, mutant


def test_hostile_chains_reach_many_different_steps() -> None:
    steps = set()
    for mutant in mutants(7, 1500):
        try:
            verify_chain(mutant.chain, trusted(), now_us=NOW_US)
        except ContractError as error:
            steps.add(error.step)
    assert len(steps) >= 18


def test_the_same_seed_gives_the_same_torn_chains() -> None:
    first, second = (torn(random.Random(5), ED25519) for _ in range(2))
    assert first == second
    assert forged(random.Random(5), ED25519).name == forged(random.Random(5), ED25519).name
