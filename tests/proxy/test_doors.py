"""What never gets through: wrong credentials, hosts, routes, arguments, headers, and the side doors."""

import httpx
import pytest

from remit.entrypoints.proxy.guessing import Guessing
from tests.proxy.house import House, house
from tests.proxy_dataplane.wires import converse, statuses

PAY = {"amount": 1, "to": "bob"}


async def raw(home: House, head: str, body: bytes = b"") -> bytes:
    """Send a request byte for byte, with the right host and key, and read until the gateway closes."""
    lines = f"{head}\r\nhost: 127.0.0.1:{home.address[1]}\r\nauthorization: Bearer {home.key}\r\nconnection: close\r\n"
    length = f"content-length: {len(body)}\r\n" if body else ""
    return await converse(home.address, (lines + length + "\r\n").encode("latin-1") + body)


async def test_no_credential_and_a_wrong_one_are_401_and_nothing_is_forwarded() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url) as client:
        wrong = home.key[:-1] + ("a" if home.key[-1] != "a" else "b")
        for headers in ({}, {"authorization": f"Bearer {wrong}"}, {"authorization": "Basic eDp5"},
                        {"authorization": "Bearer"}, {"x-api-key": "x" * 5000}):  # fmt: skip
            answer = await client.post("/pay", json=PAY, headers=headers)
            assert answer.status_code == 401, headers
            assert answer.json()["reason"] == "invalid_credential"
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.headers["x-should-retry"] == "false"
        assert home.received == []


async def test_an_invalid_credential_is_never_taken_for_an_anonymous_caller() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url) as client:
        assert (await client.get("/ping")).status_code == 200
        assert (await client.get("/ping", headers={"authorization": "Bearer nonsense"})).status_code == 401


async def test_a_revoked_key_is_refused_at_once() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        assert (await client.get("/ping")).status_code == 200
        await home.keys.revoke(home.key[:22], by="test")
        answer = await client.get("/ping")
        assert (answer.status_code, answer.json()["reason"]) == (401, "revoked")


async def test_a_rotated_key_works_in_both_texts_during_the_overlap() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url) as client:
        made = await home.keys.rotate(home.key[:22], by="test", overlap_us=60_000_000)
        for text in (home.key, made.text):
            assert (await client.get("/ping", headers={"x-api-key": text})).status_code == 200
        again = await home.keys.rotate(home.key[:22], by="test", overlap_us=0)
        for text, status in ((home.key, 401), (made.text, 401), (again.text, 200)):
            assert (await client.get("/ping", headers={"x-api-key": text})).status_code == status


async def test_a_key_may_only_call_the_tools_it_was_made_for() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url) as client:
        made = await home.keys.create(by="test", agent="reader", tools=("find",), user="ann")
        headers = {"authorization": f"Bearer {made.text}"}
        assert (await client.get("/find?q=x", headers=headers)).status_code == 200
        answer = await client.post("/pay", json=PAY, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (403, "not_allowed")


async def test_a_limit_on_a_dimension_without_a_value_refuses() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url) as client:
        made = await home.keys.create(by="test", agent="nobody", tools=("*",))
        answer = await client.post("/pay", json=PAY, headers={"authorization": f"Bearer {made.text}"})
        assert (answer.status_code, answer.json()["reason"]) == (403, "not_allowed")
        assert home.received == []


@pytest.mark.parametrize(
    "target",
    ["/PAY", "/pay/", "/nothing", "/pay/x", "/reports", "/.well-known/remit/nothing"],
)
async def test_what_the_policy_does_not_name_is_404(target: str) -> None:
    async with house() as home:
        assert statuses(await raw(home, f"POST {target} HTTP/1.1")) == [404]
        assert home.received == []


@pytest.mark.parametrize(
    "target",
    ["//pay", "/./pay", "/a/../pay", "/%70ay", "/pay%2f", "/%2e%2e/pay", "/pay%00", "/pay;x", "/pay\\", "/pay?a#b",
     "/pay%5c", "/pay%252f", "/%c0%afpay", "/pay?x=%zz;", "pay", "/reports/%31"],
)  # fmt: skip
async def test_a_path_that_can_be_read_in_two_ways_is_400(target: str) -> None:
    async with house() as home:
        assert statuses(await raw(home, f"GET {target} HTTP/1.1"))[0] == 400
        assert home.received == []


async def test_other_hosts_upgrades_and_connect_are_refused() -> None:
    async with house() as home:
        port = home.address[1]
        other = await converse(home.address, b"GET /ping HTTP/1.1\r\nhost: evil.test\r\nconnection: close\r\n\r\n")
        assert statuses(other) == [400]
        for lines in (
            f"GET /ping HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n",
        ):
            assert statuses(await converse(home.address, lines.encode())) == [426]
        assert home.received == []


async def test_options_is_answered_here_and_never_forwarded() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url) as client:
        answer = await client.options("/pay")
        assert (answer.status_code, answer.headers["allow"]) == (204, "POST, OPTIONS")
        assert (await client.options("/nothing")).status_code == 404
        assert home.received == []


async def test_head_is_charged_like_the_get_it_asks_about() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        assert (await client.head("/reports/7")).status_code == 200
        assert (await home.cell("user-money")).used == 1_000_000


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"[]", 400), (b"{}", 400), (b'{"amount":1}', 400), (b'{"amount":"1","to":"b"}', 400),
        (b'{"amount":1,"to":"b","amount":2}', 400), (b'{"amount":1,"to":"b","\\u0061mount":2}', 400),
        (b'{"amount":NaN,"to":"b"}', 400), (b'{"amount":1e400,"to":"b"}', 400), (b'{"amount":1,"to":"b","x":1}', 400),
        (b'\xef\xbb\xbf{"amount":1,"to":"b"}', 400), (b'{"amount":1,"to":"b"} x', 400), (b"[" * 100_000, 400),
        (b'{"amount":1,"to":null}', 400), (b'{"amount":true,"to":"b"}', 400),
        (b'{"amount":1,"to":"' + b"b" * 1_100_000 + b'"}', 413),
    ],
)  # fmt: skip
async def test_a_body_that_could_be_read_in_two_ways_is_refused(body: bytes, status: int) -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        answer = await client.post("/pay", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == status
        assert home.received == []
        assert await home.holds() == []


async def test_arguments_in_path_and_query_are_typed_and_single() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        assert (await client.get("/reports/seven")).status_code == 400
        assert (await client.get("/find")).status_code == 400
        assert (await client.get("/find?q=a&q=b")).status_code == 400
        assert (await client.get("/find?q=a&z=b")).status_code == 400
        assert (await client.post("/pay?amount=9", json=PAY)).status_code == 400
        assert (await client.get("/find?q=a")).status_code == 200


async def test_credentials_overrides_and_our_own_headers_do_not_cross() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        sent = {
            "x-http-method-override": "DELETE", "x-forwarded-for": "6.6.6.6", "forwarded": "for=6.6.6.6",
            "remit-agent": "admin", "x-remit-user": "root", "x_forwarded_user": "root", "x-custom": "kept",
            "remit-org": "other", "dpop": "abc", "x-forwarded-host": "evil.test", "x-real-ip": "6.6.6.6",
        }  # fmt: skip
        assert (await client.get("/find?q=a", headers=sent)).status_code == 200
        (received,) = home.received
        names = {name for name, _ in received.headers}
        assert not names & {b"authorization", b"x-api-key", b"dpop", b"x-http-method-override", b"forwarded",
                            b"x-remit-user", b"x_forwarded_user", b"x-real-ip"}  # fmt: skip
        assert received.header(b"x-custom") == b"kept"
        assert received.header(b"x-forwarded-for") == b"127.0.0.1"
        assert received.header(b"x-forwarded-host") == b"gateway.test"
        assert received.header(b"remit-agent") == b"risk-check"
        assert received.header(b"remit-org") == b"acme"
        assert b"6.6.6.6" not in b"".join(value for _, value in received.headers)


async def test_a_connection_header_cannot_strip_what_protects() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        answer = await client.get("/ping", headers={"connection": "close, authorization"})
        assert answer.status_code == 400
        assert home.received == []


async def test_an_upstream_cannot_speak_for_the_guard() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:

        async def lying(exchange: object, received: object) -> None:
            await exchange.respond(200, [(b"remit-budget", b"remaining=9"), (b"ratelimit", b'"x";r=9'),  # type: ignore[attr-defined] # a script's first argument
                                         (b"x-should-retry", b"true")], b"")  # fmt: skip

        home.script = lying
        answer = await client.get("/reports/1")
        assert "remaining=2000000" in answer.headers["remit-budget"]
        assert '"x"' not in answer.headers.get("ratelimit", "")
        assert "x-should-retry" not in answer.headers


async def test_a_flood_of_wrong_credentials_is_turned_away_before_it_is_looked_at() -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url) as client:
        guessing = home.gateway.guessing
        guessing._arrivals["127.0.0.0/24"] = home.store.now_us() + 60_000_000
        answer = await client.get("/ping", headers=home.bearer)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        guessing._arrivals.clear()
        assert (await client.get("/ping", headers=home.bearer)).status_code == 200


def test_a_prefix_is_turned_away_after_a_thousand_failures_and_let_in_again_as_time_passes() -> None:
    guessing, now_us = Guessing(), 10**15
    for _ in range(1000):
        assert not guessing.blocked("a", now_us)
        guessing.failed("a", now_us)
    assert guessing.blocked("a", now_us)
    assert not guessing.blocked("b", now_us)
    assert not guessing.blocked("a", now_us + 20_000)


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset=utf-7", "application/json;charset=UTF-16", 'application/json; charset="utf-7"',
     "application/json; charset=utf-8; charset=utf-7", "application/json; CHARSET*=utf-7", "text/plain", "",
     'application/json; x="; charset=utf-7"'],
)  # fmt: skip
async def test_a_body_in_another_character_set_than_the_one_judged_is_refused(content_type: str) -> None:
    async with house() as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        body = b'{"amount":1,"to":"bob+ACIALAAiAGEAbQBvAHUAbgB0ACIAOgA5ADkAOQA5ADkA-"}'
        answer = await client.post("/pay", content=body, headers={"content-type": content_type})
        assert answer.status_code == 415
        assert home.received == []
        for fine in ("application/json", "application/json; charset=UTF-8", "application/problem+json;v=1"):
            assert (await client.post("/pay", content=body, headers={"content-type": fine})).status_code == 200
