"""A call through the gateway: what reaches the upstream, what comes back, and what is booked."""

import asyncio

import httpx
import msgspec
import pytest

from remit.core.ledger.operations import HoldState
from remit.entrypoints.proxy.connection import Exchange
from remit.ports import AuditQuery
from tests.proxy.house import POLICY, Received, house

PAY = {"amount": 12.5, "to": "bob"}


async def test_an_allowed_call_is_forwarded_and_its_actual_cost_is_booked() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        answer = await client.post("/pay", json=PAY)
        assert answer.status_code == 200
        assert answer.json() == {"ok": True}
        (received,) = home.received
        assert (received.method, received.target) == ("POST", b"/pay")
        assert msgspec.json.decode(received.body) == PAY
        money = await home.cell("user-money")
        assert (money.used, money.held) == (350_000, 0)
        (hold,) = await home.holds()
        assert (hold.state, hold.id) == (HoldState.SETTLED, answer.headers["remit-decision"])
        assert received.header(b"remit-decision") == hold.id.encode()


async def test_every_answer_says_how_the_limits_and_the_budget_stand() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        answer = await client.post("/pay", json=PAY)
        assert '"pays";q=5;w=3600' in answer.headers["ratelimit-policy"]
        assert '"pays";r=4' in answer.headers["ratelimit"]
        assert answer.headers["remit-budget"] == 'remaining=2650000, cost=350000, unit="USD", decimals=6'


async def test_the_sixth_call_is_a_terminal_problem_that_names_its_limit() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        for _ in range(5):
            assert (await client.post("/pay", json=PAY)).status_code == 200
            await home.settled()
        refused = await client.post("/pay", json=PAY)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["x-should-retry"] == "false"
        assert "retry-after" not in refused.headers
        problem = refused.json()
        assert problem["reason"] == "quota_exhausted"
        assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
        assert (problem["limit"], problem["per"], problem["used"], problem["max"]) == ("pays", ["agent"], 5, 5)
        assert problem["violated-policies"] == ["pays"]
        assert problem["decision"] == refused.headers["remit-decision"]
        assert len(home.received) == 5


async def test_a_budget_that_would_be_exceeded_is_a_403_before_anything_leaves() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        for number in range(3):
            assert (await client.get(f"/reports/{number}")).status_code == 200
            await home.settled()
        refused = await client.get("/reports/4")
        assert refused.status_code == 403
        assert refused.json()["reason"] == "budget_exhausted"
        assert refused.headers["x-should-retry"] == "false"
        assert len(home.received) == 3


async def test_statuses_that_are_free_cost_nothing() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

        async def unprocessable(exchange: Exchange, received: Received) -> None:
            await exchange.respond(422, [(b"x-cost", b"0.35")], b"no")

        home.script = unprocessable
        answer = await client.post("/pay", json=PAY)
        assert answer.status_code == 422
        assert (await home.cell("user-money")).used == 0
        assert (await home.cell("pays")).used == 1


async def test_an_actual_that_cannot_be_read_charges_the_hold() -> None:
    for cost in (b"", b"free", b"-1", b"0.35 EUR", b"1e3000", b"NaN"):
        async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

            async def odd(exchange: Exchange, received: Received, cost: bytes = cost) -> None:
                await exchange.respond(200, [(b"x-cost", cost)], b"")

            home.script = odd
            await client.post("/pay", json=PAY)
            assert (await home.cell("user-money")).used == 500_000, cost


async def test_a_cost_in_the_body_is_read_from_a_streamed_answer() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

        async def streamed(exchange: Exchange, received: Received) -> None:
            assert received.header(b"accept-encoding") == b"identity"
            await exchange.start(200, [(b"content-type", b"application/json")])
            await exchange.send(b'{"text":"hi","usage":')
            await asyncio.sleep(0.01)
            await exchange.send(b'{"cost":0.0425001}}')
            await exchange.finish()

        home.script = streamed
        answer = await client.post("/chat", content=b"{}")
        assert answer.json()["usage"]["cost"] == 0.0425001
        assert "reserved=100000" in answer.headers["remit-budget"]
        assert (await home.cell("user-money")).used == 42_501


async def test_a_5xx_leaves_the_outcome_unknown_and_the_money_booked() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

        async def broken(exchange: Exchange, received: Received) -> None:
            await exchange.respond(503, [], b"oops")

        home.script = broken
        answer = await client.post("/pay", json=PAY)
        assert answer.status_code == 503
        (hold,) = await home.holds()
        assert hold.state is HoldState.ASSUMED_SPENT
        assert (await home.cell("user-money")).used == 500_000
        assert (await home.cell("at-once")).held == 0


async def test_an_upstream_that_does_not_answer_is_a_504_that_must_not_be_retried() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

        async def silent(exchange: Exchange, received: Received) -> None:
            await asyncio.sleep(1)

        home.script = silent
        answer = await client.post("/pay", json=PAY)
        assert answer.status_code == 504
        assert answer.json()["reason"] == "upstream_timeout"
        assert answer.headers["x-should-retry"] == "false"
        (hold,) = await home.holds()
        assert hold.state is HoldState.ASSUMED_SPENT


async def test_an_upstream_that_is_not_there_costs_nothing_and_may_be_retried() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        await home.forwarding._ways["api"].upstream.close()
        answer = await client.post("/pay", json=PAY)
        assert answer.status_code == 502
        assert answer.json()["reason"] == "upstream_unreachable"
        (hold,) = await home.holds()
        assert hold.state is HoldState.RELEASED
        assert (await home.cell("pays")).used == 0


async def test_an_answer_that_breaks_off_is_cut_for_the_client_and_assumed_spent() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

        async def broken(exchange: Exchange, received: Received) -> None:
            await exchange.start(200, [(b"x-cost", b"0.35")], 100)
            await exchange.send(b"half")
            await asyncio.sleep(0.02)
            exchange.abort()

        home.script = broken
        try:
            await client.post("/pay", json=PAY)
        except httpx.TransportError:
            pass
        else:
            raise AssertionError("the client must see a cut answer")
        (hold,) = await home.holds()
        assert hold.state is HoldState.ASSUMED_SPENT


async def test_a_client_that_leaves_still_owes_what_the_call_did_cost() -> None:
    async with house() as home:
        started = asyncio.Event()

        async def slow(exchange: Exchange, received: Received) -> None:
            started.set()
            await asyncio.sleep(0.1)
            await exchange.respond(200, [(b"x-cost", b"0.35")], b"late")

        home.script = slow
        _, writer = await asyncio.open_connection(*home.address)
        body = msgspec.json.encode(PAY)
        writer.write(
            b"POST /pay HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nauthorization: Bearer %b\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (home.address[1], home.key.encode(), len(body), body)
        )
        await started.wait()
        writer.transport.abort()
        async with asyncio.timeout(5):
            while not [h for h in await home.holds() if h.state is HoldState.SETTLED]:  # noqa: ASYNC110 - the gateway sets no event for a test
                await asyncio.sleep(0.01)
        assert (await home.cell("user-money")).used == 350_000


async def test_more_calls_at_once_than_slots_are_refused_and_the_slots_come_back() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        go = asyncio.Event()

        async def waiting(exchange: Exchange, received: Received) -> None:
            await go.wait()
            await exchange.respond(200, [], b"")

        home.script = waiting
        first = [asyncio.create_task(client.get("/find?q=a")) for _ in range(2)]
        async with asyncio.timeout(5):
            while len(home.received) < 2:  # noqa: ASYNC110 - the upstream sets no event for a test
                await asyncio.sleep(0.01)
        third = await client.get("/find?q=b")
        assert third.status_code == 429
        assert third.json()["reason"] == "too_many_in_flight"
        assert third.headers["retry-after"] == "1"
        go.set()
        assert [answer.status_code for answer in await asyncio.gather(*first)] == [200, 200]
        assert (await client.get("/find?q=c")).status_code == 200


async def test_a_limit_in_observe_mode_lets_calls_pass_and_is_recorded() -> None:
    policy = POLICY.replace("pays: {quota: 5/hour, per: agent, tools: [pay]}",
                            "pays: {quota: 1/hour, per: agent, tools: [pay], mode: observe}")  # fmt: skip
    async with house(policy) as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        for _ in range(3):
            assert (await client.post("/pay", json=PAY)).status_code == 200
        await home.settled()
        records = [msgspec.json.decode(entry.body)["body"] for entry in await home.store.audit(AuditQuery())]
        assert [r.get("would_refuse") for r in records if r["kind"] == "decision"] == [None, ["pays"], ["pays"]]


async def test_a_cost_that_is_too_large_to_count_is_booked_as_the_most_there_is_and_freezes() -> None:
    for cost in (b"9999999999", b"99999999999999999999999", b"9007199254.740993 USD"):
        async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

            async def huge(exchange: Exchange, received: Received, cost: bytes = cost) -> None:
                await exchange.respond(200, [(b"x-cost", cost)], b"")

            home.script = huge
            await client.post("/pay", json=PAY)
            money = await home.cell("user-money")
            assert money.frozen, cost
            assert money.used == 3_000_000
            assert (await client.post("/pay", json=PAY)).json()["reason"] == "budget_frozen"


async def test_a_call_that_drips_longer_than_its_timeout_is_cut_and_assumed_spent() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

        async def drip(exchange: Exchange, received: Received) -> None:
            await exchange.start(200, [(b"x-cost", b"0.35")], 1000)
            for _ in range(100):
                await exchange.send(b"x")
                await asyncio.sleep(0.1)

        home.script = drip
        with pytest.raises(httpx.TransportError):
            await client.post("/pay", json=PAY)
        (hold,) = await home.holds()
        assert (hold.state, hold.evidence) == (HoldState.ASSUMED_SPENT, hold.evidence)
        assert (await home.cell("at-once")).held == 0
