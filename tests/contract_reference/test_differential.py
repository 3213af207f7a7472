"""The package and the reference verifier, which was written from the documents alone, say the same of thousands of chains."""

import json
import os
from random import Random

import pytest

from remit.contracts import Step, UnverifiedChain, read_unverified_chain
from tests.contract_reference import differential, families, reference
from tests.contract_reference.run import report
from tests.contract_reference.trust import read_anchors

CHAINS = 1000


@pytest.mark.parametrize("part", range(3))
def test_both_verifiers_say_the_same_of_mutated_chains(part: int) -> None:
    seed = int.from_bytes(os.urandom(4))
    tally = differential.run(Random(seed), CHAINS, examples=CHAINS)
    assert not _that_count(tally), f"seed {seed}\n{report(tally)}"
    assert tally.chains == CHAINS
    assert CHAINS // 10 < tally.good < CHAINS // 2, (
        "mutations that leave nearly all good, or nearly nothing, test little"
    )


def _that_count(tally: differential.Tally) -> list[str]:
    """All differences but one kind: where a chain has several faults, which of them is named first is a matter of order.

    `python -m tests.contract_reference.run` reports those as well.
    """
    return [
        str(difference)
        for examples in tally.examples.values()
        for difference in examples
        if difference.kind not in ("link", "step") or ", " not in difference.shown.made_by
    ]


def test_the_mutations_reach_every_step_that_a_chain_can_fail_at() -> None:
    """A fixed seed, so that this is about the generator and not about luck."""
    wanted = {step.value for step in Step} - {"too_costly"} | {"good"}
    reached: set[str] = set()
    for shown in differential.mutants(Random(2), 3000):
        answer, _verdict = differential.ask_reference(shown)
        reached.add(answer.step or "good")
        if reached >= wanted:
            break
    assert reached == wanted


def test_a_chain_survives_being_taken_apart_and_signed_again() -> None:
    """Otherwise every mutant would fail for the same dull reason."""
    for seed in range(20):
        made = families.family(Random(seed))
        case = made.case()
        anchors = read_anchors(case.anchors)
        assert reference.verify(made.chain, anchors, now_us=case.now_us).valid
        assert reference.verify(case.chain(), anchors, now_us=case.now_us).valid


def test_what_the_package_reads_in_a_good_chain_is_what_the_reference_reads() -> None:
    for seed in range(20):
        made = families.family(Random(seed))
        read: UnverifiedChain = read_unverified_chain(made.chain)
        verdict = reference.verify(made.chain, read_anchors(families.anchors()), now_us=families.NOW_US)
        for theirs, ours in zip(verdict.links, read.unverified.links, strict=True):
            assert ours.jti == theirs.claims["jti"]
            assert (ours.issued_s, ours.expires_s) == (theirs.claims["iat"], theirs.claims["exp"])
            assert (ours.depth, ours.max_depth) == (theirs.claims["del_depth"], theirs.claims["del_max_depth"])
            assert theirs.holder is not None
            assert ours.holder.thumbprint == theirs.holder.thumbprint
            assert set(ours.tools or {}) == set(theirs.tools or {})


def test_a_difference_is_printed_so_that_it_can_be_seen_again() -> None:
    shown = next(differential.mutants(Random(1), 1))
    answer = differential.Answer("expired", 0, "over")
    difference = differential.Difference("verdict", shown, answer, differential.Answer(None, None))
    again = json.loads(str(difference).partition("\n")[2])
    assert (again["chain"], again["now_us"], again["anchors"]) == (shown.chain, shown.now_us, shown.anchors)
