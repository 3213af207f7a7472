"""Contracts through the gateway: counted for every link, useless to a thief, over at once when revoked."""

import asyncio

import httpx
import msgspec
import pytest

from remit.core.cell_keys import holder_gate, lineage_gate
from remit.core.ledger import operations as ops
from remit.core.money import Money
from remit.ports import AuditQuery
from tests.proxy.agents import Agent, anchors, calls, new_key, root_agent
from tests.proxy.house import POLICY, House, house

PAY = {"amount": 12.5, "to": "bob"}
OPEN = POLICY.replace("  pays: {quota: 5/hour, per: agent, tools: [pay]}\n", "")


async def pay(client: httpx.AsyncClient, agent: Agent) -> httpx.Response:
    return await client.post("/pay", json=PAY, auth=agent)


async def pay_until_refused(client: httpx.AsyncClient, agent: Agent, home: House, *, most: int = 12) -> int:
    """How many calls were admitted before the first refusal."""
    for admitted in range(most):
        if (await pay(client, agent)).status_code != 200:
            return admitted
        await home.settled()
    return most


async def test_a_chain_of_three_is_charged_to_every_link_and_recorded_with_all_of_them() -> None:
    a = root_agent(calls(5))
    b = a.delegate("risk-check", calls(4))
    c = b.delegate("payment-executor", calls(3))
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        assert await pay_until_refused(client, c, home) == 3
        refused = await pay(client, c)
        assert (refused.status_code, refused.json()["reason"], refused.json()["hop"]) == (403, "contract_exhausted", 2)
        assert refused.headers["x-should-retry"] == "false"
        assert await pay_until_refused(client, b, home) == 1
        assert (await pay(client, b)).json()["hop"] == 1
        assert await pay_until_refused(client, a, home) == 1
        assert (await pay(client, a)).json()["hop"] == 0
        assert len(home.received) == 5
        entries = await home.store.audit(AuditQuery())
        first = msgspec.json.decode(entries[1].body)["body"]
        assert [link["agent"] for link in first["chain"]] == ["orchestrator", "risk-check", "payment-executor"]


async def test_delegating_to_oneself_to_fresh_keys_and_to_many_siblings_gains_nothing() -> None:
    a = root_agent(calls(6))
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        chain = [a, a.delegate("self", key=a.key), a.delegate("sibling-1"), a.delegate("sibling-2")]
        chain.append(chain[2].delegate("grandchild"))
        admitted = 0
        for _ in range(4):
            for agent in chain:
                admitted += (await pay(client, agent)).status_code == 200
                await home.settled()
        assert admitted == 6
        assert len(home.received) == 6


async def test_a_root_issued_again_for_the_same_account_goes_on_where_the_first_ended() -> None:
    first, again, other = (root_agent(calls(2), account=account) for account in ("x", "x", "y"))
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        assert await pay_until_refused(client, first, home) == 2
        assert await pay_until_refused(client, again, home) == 0
        assert await pay_until_refused(client, other, home) == 2


async def test_a_policy_limit_for_each_agent_counts_every_holder_of_the_chain() -> None:
    a = root_agent()
    async with house(POLICY, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        admitted = 0
        for number in range(8):
            admitted += (await pay(client, a.delegate(f"fresh-{number}"))).status_code == 200
            await home.settled()
        assert admitted == 5


async def test_a_copied_chain_without_the_key_is_worth_nothing() -> None:
    a = root_agent()
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        thief = Agent("thief", new_key(), a.chain)
        answer = await pay(client, thief)
        assert answer.status_code == 401
        assert "holder_binding_failed" in answer.json()["detail"]
        assert answer.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')
        for headers in ({"authorization": f"DPoP {a.chain}"}, {"authorization": f"Bearer {a.chain}"}):
            assert (await client.post("/pay", json=PAY, headers=headers)).status_code == 401
        assert home.received == []


async def test_a_proof_is_good_for_one_request_and_for_no_other() -> None:
    a = root_agent()
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        request = client.build_request("POST", "/pay", json=PAY)
        headers = {"authorization": f"DPoP {a.chain}", "dpop": a.proof(request)}
        assert (await client.post("/pay", json=PAY, headers=headers)).status_code == 200
        replayed = await client.post("/pay", json=PAY, headers=headers)
        assert (replayed.status_code, replayed.json()["reason"]) == (401, "replayed")
        for method, url, body in (("POST", "/pay?x=1", PAY), ("POST", "/pay", {"amount": 9999, "to": "eve"}),
                                  ("GET", "/reports/1", None)):  # fmt: skip
            fresh = {
                "authorization": f"DPoP {a.chain}",
                "dpop": a.proof(client.build_request("POST", "/pay", json=PAY)),
            }
            answer = await client.request(method, url, json=body, headers=fresh)
            assert answer.status_code == 401, url
        assert len(home.received) == 1


async def test_a_proof_that_fails_another_check_is_not_burned() -> None:
    a = root_agent()
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        request = client.build_request("POST", "/pay", json=PAY)
        headers = {"authorization": f"DPoP {a.chain}", "dpop": a.proof(request)}
        changed = await client.post("/pay", json={"amount": 9999, "to": "eve"}, headers=headers)
        assert changed.status_code == 401
        assert (await client.post("/pay", json=PAY, headers=headers)).status_code == 200


async def test_many_copies_of_one_proof_at_once_make_one_call() -> None:
    a = root_agent()
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        headers = {"authorization": f"DPoP {a.chain}", "dpop": a.proof(client.build_request("POST", "/pay", json=PAY))}
        answers = await asyncio.gather(*(client.post("/pay", json=PAY, headers=headers) for _ in range(12)))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 11
        assert len(home.received) == 1


@pytest.mark.parametrize("by", ["lineage", "holder"])
async def test_revoking_the_root_or_its_holder_stops_every_descendant_at_once(by: str) -> None:
    a = root_agent()
    c = a.delegate("b").delegate("c")
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        assert (await pay(client, c)).status_code == 200
        chain = home.gateway._credentials.verify(c.chain, now_us=home.store.now_us()).chain
        gate = lineage_gate(chain.lineages[0]) if by == "lineage" else holder_gate(a.key.public.thumbprint)
        await home.store.apply(ops.Batch("revoke", (ops.SetGate(gate, ops.Rung.REVOKED, reason="revoked"),)))
        for agent in (a, c):
            answer = await pay(client, agent)
            assert (answer.status_code, answer.json()["reason"], answer.json()["hop"]) == (401, "revoked", 0)


async def test_the_budget_of_an_issuer_caps_all_that_is_spent_under_one_root() -> None:
    a = root_agent()
    trusted = anchors(budget=Money(1_000_000, "USD"))
    async with house(OPEN, anchors=trusted) as home, httpx.AsyncClient(base_url=home.url) as client:
        assert await pay_until_refused(client, a.delegate("b"), home) == 2
        assert (await pay(client, a)).json()["limit"] == "issuer budget"
        assert await pay_until_refused(client, root_agent(), home) == 2


async def test_a_closed_schedule_and_an_argument_that_is_not_allowed_are_403() -> None:
    never: dict[str, object] = {"timezone": "UTC", "windows": []}
    closed = root_agent(schedule=never)
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        answer = await pay(client, closed)
        assert (answer.status_code, answer.json()["reason"]) == (403, "outside_schedule")
        other = await client.post("/chat", content=b"{}", auth=root_agent())
        assert (other.status_code, other.json()["reason"]) == (403, "not_allowed")


async def test_a_contract_of_an_issuer_that_nobody_trusts_is_401_and_names_the_step() -> None:
    a = root_agent()
    async with house(OPEN) as home, httpx.AsyncClient(base_url=home.url) as client:
        assert (await pay(client, a)).status_code == 401
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        broken = Agent("x", a.key, a.chain[:-8] + "AAAAAAAA")
        answer = await pay(client, broken)
        assert answer.status_code == 401
        assert "(signature_invalid)" in answer.json()["detail"] or "(non_canonical)" in answer.json()["detail"]
        assert answer.json()["hop"] == 0


async def test_a_chain_may_be_uploaded_once_and_named_afterwards() -> None:
    a = root_agent(calls(2))
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        url = "/.well-known/remit/chains"
        request = client.build_request("POST", url, content=a.chain.encode())
        kept = await client.post(url, content=a.chain.encode(), headers={"dpop": a.proof(request)})
        assert kept.status_code == 201
        a.by_name = kept.json()["chain"]
        assert await pay_until_refused(client, a, home) == 2
        thief = Agent("thief", new_key(), a.chain, by_name=a.by_name)
        assert (await pay(client, thief)).status_code == 401
        assert (await client.get(f"{url}/{a.by_name}", auth=a)).status_code == 404
        stolen = Agent("thief", new_key(), a.chain)
        request = client.build_request("POST", url, content=a.chain.encode())
        answer = await client.post(url, content=a.chain.encode(), headers={"dpop": stolen.proof(request)})
        assert answer.status_code == 401


async def test_nonces_are_asked_for_where_the_policy_wants_them() -> None:
    a = root_agent()
    async with house(OPEN, anchors=anchors(), nonces=True) as home, httpx.AsyncClient(base_url=home.url) as client:
        asked = await pay(client, a)
        assert asked.status_code == 401
        assert 'error="use_dpop_nonce"' in asked.headers["www-authenticate"]
        a.nonce = asked.headers["dpop-nonce"]
        assert (await pay(client, a)).status_code == 200


async def test_a_bound_api_key_needs_a_proof_and_satisfies_high_risk_tools() -> None:
    policy = OPEN.replace("    target: to\n", "    target: to\n    risk: high\n")
    async with house(policy) as home, httpx.AsyncClient(base_url=home.url) as client:
        plain = await client.post("/pay", json=PAY, headers=home.bearer)
        assert (plain.status_code, plain.json()["reason"]) == (401, "stronger_binding_required")
        agent = Agent("bound")
        made = await home.keys.create(
            by="test", agent="bound", tools=("*",), user="ann", bound_to=agent.key.public.thumbprint
        )
        agent.chain = made.text
        assert (await pay(client, agent)).status_code == 200
        alone = await client.post("/pay", json=PAY, headers={"authorization": f"Bearer {made.text}"})
        assert alone.status_code == 401
        assert (await pay(client, Agent("thief", new_key(), made.text))).status_code == 401


async def test_a_session_of_a_contract_is_named_in_the_proof() -> None:
    a = root_agent()
    async with house(OPEN, anchors=anchors()) as home, httpx.AsyncClient(base_url=home.url) as client:
        opened = await client.post("/.well-known/remit/sessions", json={"budget": "1 USD"}, auth=a)
        assert opened.status_code == 201
        a.session = opened.json()["session"]
        assert await pay_until_refused(client, a, home) == 2
        by_header = await client.post("/pay", json=PAY, auth=root_agent(), headers={"remit-session": a.session})
        assert by_header.status_code == 401
