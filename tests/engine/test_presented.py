"""Guarded functions called under another agent's contract chain, with a proof for each call."""

import os
import time
from collections.abc import Iterator

import pytest

from remit import Denied, Guard, UsageError
from remit.contracts import make_tool_proof, read_unverified_chain
from tests.proxy.agents import Agent, anchors, calls, new_key, root_agent

AUDIENCE = "tools.test"


@pytest.fixture
def guard() -> Iterator[Guard]:
    with Guard(trust=anchors(), audience=AUDIENCE) as made:
        yield made


def proof(agent: Agent, tool: str = "pay", audience: str = AUDIENCE, **arguments: object) -> str:
    return make_tool_proof(
        agent.key, leaf_jti=read_unverified_chain(agent.chain).unverified.leaf.jti, tool=tool, arguments=arguments,
        audience=audience, now_us=time.time_ns() // 1000, random_bytes=os.urandom,
    )  # fmt: skip


def test_every_link_of_a_presented_chain_is_charged(guard: Guard) -> None:
    a = root_agent(calls(3))
    c = a.delegate("b").delegate("c", calls(2))

    @guard.tool("pay", cost="1 USD", budget="100 USD")
    def pay(amount: int, to: str) -> str:
        return f"{amount} to {to}"

    def call(agent: Agent) -> str:
        with guard.presented(agent.chain, proof(agent, amount=5, to="bob")):
            return pay(5, to="bob")

    assert [call(c), call(c)] == ["5 to bob"] * 2
    with pytest.raises(Denied, match="contract_exhausted") as caught:
        call(c)
    assert caught.value.decision.hop == 2
    assert call(a) == "5 to bob"
    with pytest.raises(Denied, match="contract_exhausted"):
        call(a)


def test_a_proof_is_for_one_call_of_one_tool_with_its_arguments(guard: Guard) -> None:
    a = root_agent()
    done: list[int] = []

    @guard.tool("pay")
    def pay(amount: int) -> None:
        done.append(amount)

    @guard.tool("report")
    def report(amount: int) -> None:
        done.append(amount)

    once = proof(a, amount=5)
    with guard.presented(a.chain, once):
        pay(5)
        for tool, amount in ((pay, 5), (pay, 6), (report, 5)):
            with pytest.raises(Denied):
                tool(amount)
    for chain, made in (
        (a.chain, proof(Agent("thief", new_key(), a.chain), amount=5)),
        (a.chain, proof(a, audience="elsewhere", amount=5)),
        (a.chain, "nonsense"),
        ("nonsense", proof(a, amount=5)),
    ):
        with guard.presented(chain, made), pytest.raises(Denied, match="invalid_credential"):
            pay(5)
    assert done == [5]


def test_a_tool_that_the_contract_does_not_name_is_not_allowed(guard: Guard) -> None:
    a = root_agent()

    @guard.tool("other")
    def other() -> None: ...

    with guard.presented(a.chain, proof(a, "other")), pytest.raises(Denied, match="not_allowed"):
        other()


def test_a_guard_without_trust_or_audience_accepts_no_contracts() -> None:
    with Guard() as plain, pytest.raises(UsageError, match="trusts no issuer"):
        plain.presented("a", "b")
    with pytest.raises(UsageError, match="audience"):
        Guard(trust=anchors())
