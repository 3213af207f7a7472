"""Idempotency keys, and sessions with a budget of their own."""

import asyncio

import httpx

from remit.entrypoints.proxy.connection import Exchange
from tests.proxy.house import POLICY, Received, house

PAY = {"amount": 1, "to": "bob"}
SESSIONS = "/.well-known/remit/sessions"


async def test_a_repeat_with_the_same_key_gets_the_first_answer_and_costs_nothing() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        headers = {"idempotency-key": '"order-1"'}
        first = await client.post("/pay", json=PAY, headers=headers)
        await home.settled()
        again = await client.post("/pay", json=PAY, headers={"idempotency-key": "order-1"})
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["remit-decision"] == first.headers["remit-decision"]
        assert len(home.received) == 1
        assert (await home.cell("user-money")).used == 350_000
        assert (await home.cell("pays")).used == 1


async def test_the_same_key_for_another_request_is_422_and_changes_nothing() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        headers = {"idempotency-key": "order-1"}
        await client.post("/pay", json=PAY, headers=headers)
        await home.settled()
        other = await client.post("/pay", json={"amount": 2, "to": "bob"}, headers=headers)
        assert (other.status_code, other.json()["reason"]) == (422, "idempotency_mismatch")
        assert len(home.received) == 1


async def test_many_retries_at_once_make_one_call_and_one_charge() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

        async def slow(exchange: Exchange, received: Received) -> None:
            await asyncio.sleep(0.05)
            await exchange.respond(200, [(b"x-cost", b"0.35")], b"done")

        home.script = slow
        sent = [client.post("/pay", json=PAY, headers={"idempotency-key": "k"}) for _ in range(8)]
        statuses = sorted([answer.status_code for answer in await asyncio.gather(*sent)])
        assert statuses == [200] + [409] * 7
        assert len(home.received) == 1
        assert (await home.cell("user-money")).used == 350_000


async def test_a_key_whose_call_has_an_unknown_outcome_is_never_dispatched_again() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

        async def broken(exchange: Exchange, received: Received) -> None:
            await exchange.respond(500, [], b"")

        home.script = broken
        headers = {"idempotency-key": "k"}
        assert (await client.post("/pay", json=PAY, headers=headers)).status_code == 500
        await home.settled()
        again = await client.post("/pay", json=PAY, headers=headers)
        assert (again.status_code, again.json()["reason"]) == (409, "outcome_unknown")
        assert len(home.received) == 1


async def test_a_malformed_idempotency_key_is_400() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        for key in ('"a', "a b", "a,b", "x" * 300, '""'):
            answer = await client.post("/pay", json=PAY, headers={"idempotency-key": key})
            assert answer.status_code == 400, key
        assert home.received == []


async def test_a_session_caps_what_is_spent_inside_it() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        opened = await client.post(SESSIONS, json={"budget": "1.50 USD", "calls": 10})
        assert opened.status_code == 201
        inside = {"remit-session": opened.json()["session"]}
        assert (await client.get("/reports/1", headers=inside)).status_code == 200
        await home.settled()
        refused = await client.get("/reports/2", headers=inside)
        assert (refused.status_code, refused.json()["reason"]) == (403, "budget_exhausted")
        assert refused.json()["limit"] == "session"
        assert (await client.get("/reports/2")).status_code == 200


async def test_a_session_ends_after_its_calls_and_when_it_is_closed() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        session = (await client.post(SESSIONS, json={"calls": 1})).json()["session"]
        inside = {"remit-session": session}
        assert (await client.get("/find?q=a", headers=inside)).status_code == 200
        await home.settled()
        used_up = await client.get("/find?q=a", headers=inside)
        assert (used_up.status_code, used_up.json()["reason"]) == (403, "lifetime_quota_exhausted")
        assert (await client.delete(f"{SESSIONS}/{session}")).status_code == 204
        closed = await client.get("/find?q=a", headers=inside)
        assert (closed.status_code, closed.json()["reason"]) == (401, "session_required")


async def test_a_session_is_worth_nothing_to_anybody_else() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url) as client:
        session = (await client.post(SESSIONS, json={}, headers=home.bearer)).json()["session"]
        other = await home.keys.create(by="test", agent="thief", tools=("*",), user="eve")
        headers = {"authorization": f"Bearer {other.text}", "remit-session": session}
        assert (await client.get("/find?q=a", headers=headers)).status_code == 401
        assert (await client.get("/ping", headers={"remit-session": session})).status_code == 401


async def test_a_wish_that_cannot_be_read_or_is_too_much_opens_nothing() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        for body, status in ((b'{"budget": 5}', 422), (b'{"budget": "5 EUR"}', 422), (b'{"calls": -1}', 422),
                             (b'{"lifetime": "9000 days"}', 422), (b'{"x": 1}', 400), (b"[]", 400),
                             (b'{"calls": 1.5}', 422)):  # fmt: skip
            assert (await client.post(SESSIONS, content=body)).status_code == status, body


async def test_health_is_told_to_everybody() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url) as client:
        answer = await client.get("/.well-known/remit/health")
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_a_repeat_of_a_call_that_no_limit_concerns_gets_the_first_answer_too() -> None:
    bare = POLICY.split("limits:")[0].split("  pay:")[0] + (
        "  find: {route: GET /find, upstream: api, arguments: {q: query.q}, price: free}\n"
    )
    async with house(bare) as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        for _ in range(3):
            answer = await client.get("/find?q=a", headers={"idempotency-key": "k"})
            assert answer.status_code == 200
            await home.settled()
        assert len(home.received) == 1
