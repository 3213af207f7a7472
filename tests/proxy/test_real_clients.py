"""Real agent SDKs through the gateway: they stop when told to stop and wait when told to wait."""

import time

import httpx
import openai
import pytest

from remit.entrypoints.proxy.connection import Exchange
from remit.ports import AuditQuery
from tests.proxy.house import Received, house

POLICY = """
version: 1
currency: USD
store: "memory:"
listen: 127.0.0.1:0
upstreams:
  llm: {url: "http://127.0.0.1:1"}
tools:
  llm.chat:
    route: POST /v1/chat/completions
    upstream: llm
    price: {hold: 0.10 USD, actual: body.usage.cost}
limits:
  user-money: {budget: 0.25 USD, per: user}
  pace: {rate: 1/second, burst: 1, per: agent}
"""
UNPACED = POLICY.replace("rate: 1/second, burst: 1", "rate: 1000/second")
ANSWER = (
    b'{"id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":1,'
    b'"total_tokens":2,"cost":0.09}}'
)


async def chat(exchange: Exchange, received: Received) -> None:
    """A chat completion, streamed if it was asked for."""
    if b'"stream":true' not in received.body.replace(b" ", b""):
        await exchange.respond(200, [(b"content-type", b"application/json")], ANSWER)
        return
    await exchange.start(200, [(b"content-type", b"text/event-stream")])
    for word in (b"h", b"i"):
        chunk = b'{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"%b"}}]}'
        await exchange.send(b"data: " + chunk % word + b"\n\n")
    await exchange.send(b"data: [DONE]\n\n")
    await exchange.finish()


def client_of(url: str, key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, timeout=10)


async def test_the_openai_client_talks_through_the_gateway_and_streams() -> None:
    async with house(UNPACED) as home, client_of(home.url, home.key) as client:
        home.script = chat
        answer = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert answer.choices[0].message.content == "hi"
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "x"}], stream=True
        )
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "hi"
        assert (await home.cell("user-money")).used == 90_000 + 100_000


async def test_the_openai_client_stops_at_once_when_the_budget_is_gone() -> None:
    async with house(UNPACED) as home, client_of(home.url, home.key) as client:
        home.script = chat
        for _ in range(2):
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
            await home.settled()
        with pytest.raises(openai.PermissionDeniedError) as caught:
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert caught.value.response.json()["reason"] == "budget_exhausted"
        assert len(home.received) == 2
        entries = await home.store.audit(AuditQuery())
        denials = [entry for entry in entries if b'"deny"' in entry.body]
        assert len(denials) == 1


async def test_the_openai_client_waits_when_it_is_told_to_wait() -> None:
    async with house(POLICY) as home, client_of(home.url, home.key) as client:
        home.script = chat
        started = time.monotonic()
        for _ in range(2):
            await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        assert time.monotonic() - started > 0.5
        assert len(home.received) == 2


async def test_httpx_sees_the_reason_and_the_time_to_wait() -> None:
    async with house(POLICY) as home, httpx.AsyncClient(base_url=home.url, headers=home.bearer) as client:
        home.script = chat
        assert (await client.post("/v1/chat/completions", json={})).status_code == 200
        refused = await client.post("/v1/chat/completions", json={})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["reason"] == "rate_limited"
        assert not refused.json()["terminal"]
