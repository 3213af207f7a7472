"""What must hold for contracts on the durable store, also after a restart: counts, replays and revocations are remembered."""

import asyncio
from pathlib import Path

import httpx

from remit.core.cell_keys import lineage_gate
from remit.core.ledger import operations as ops
from remit.stores.sqlite import SqliteStore
from tests.proxy.agents import anchors, calls, root_agent
from tests.proxy.house import POLICY, house

PAY = {"amount": 12.5, "to": "bob"}
OPEN = POLICY.replace("  pays: {quota: 5/hour, per: agent, tools: [pay]}\n", "")


async def test_siblings_spending_at_once_share_their_parents_count_on_sqlite(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "a.db")
    policy = OPEN.replace("at-once: {concurrent: 2, per: caller}", "at-once: {concurrent: 50, per: caller}").replace(
        "budget: 3 USD", "budget: 300 USD"
    )
    a = root_agent(calls(7))
    agents = [a, a.delegate("self", key=a.key), *(a.delegate(f"sibling-{n}", calls(5)) for n in range(4))]
    async with house(policy, anchors=anchors(), store=store) as home, httpx.AsyncClient(base_url=home.url) as client:
        answers = await asyncio.gather(
            *(client.post("/pay", json=PAY, auth=agent) for agent in agents for _ in range(4))
        )
        assert sum(answer.status_code == 200 for answer in answers) == 7
        assert len(home.received) == 7
    await store.close()


async def test_a_used_proof_and_a_revocation_are_remembered_after_a_restart(tmp_path: Path) -> None:
    a = root_agent(calls(2))
    url = ""
    headers: dict[str, str] = {}
    for life in range(2):
        store = await SqliteStore.open(tmp_path / "a.db")
        async with house(OPEN, anchors=anchors(), store=store) as home, httpx.AsyncClient(base_url=home.url) as client:
            if life == 0:
                url = home.url
                request = client.build_request("POST", "/pay", json=PAY)
                headers = {"authorization": f"DPoP {a.chain}", "dpop": a.proof(request)}
                assert (await client.post("/pay", json=PAY, headers=headers)).status_code == 200
            else:
                credentials = home.gateway._credentials
                credentials.use(
                    type(credentials.rules)(anchors=anchors(), origin=url, freshness=credentials.rules.freshness)
                )
                replayed = await client.post("/pay", json=PAY, headers=headers)
                assert (replayed.status_code, replayed.json()["reason"]) == (401, "replayed")
                chain = credentials.verify(a.chain, now_us=store.now_us()).chain
                gate = ops.SetGate(lineage_gate(chain.lineages[0]), ops.Rung.REVOKED, reason="revoked")
                await store.apply(ops.Batch("revoke", (gate,)))
            await home.settled()
        await store.close()
    store = await SqliteStore.open(tmp_path / "a.db")
    async with house(OPEN, anchors=anchors(), store=store) as home, httpx.AsyncClient(base_url=home.url) as client:
        answer = await client.post("/pay", json=PAY, auth=a.delegate("b"))
        assert (answer.status_code, answer.json()["reason"]) == (401, "revoked")
    await store.close()
