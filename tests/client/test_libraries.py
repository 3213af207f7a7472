"""The auth classes in the real client libraries, against a whole gateway: one guard, every library, blocking and async."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import httpx2
import pytest

from remit.contracts import Asking, Billing, PrivateKey, chain_name, issue_root
from remit.entrypoints import client as for_httpx
from remit.entrypoints.client import ContractAuth, Signer
from remit.entrypoints.client import aiohttp as for_aiohttp
from remit.entrypoints.client.signing import UPLOAD_ABOVE_CHARS
from remit.errors import UsageError
from tests.proxy.agents import ISSUER, Agent, anchors, calls, new_key, now_us, root_agent
from tests.proxy.house import POLICY, House, house

PAY: dict[str, object] = {"amount": 12.5, "to": "bob"}
OPEN = POLICY.replace("  pays: {quota: 5/hour, per: agent, tools: [pay]}\n", "")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever the library calls it."""

    status: int
    body: bytes

    @property
    def reason(self) -> str:
        reason: str = json.loads(self.body)["reason"]
        return reason


@dataclass(frozen=True, slots=True)
class Holder:
    """A credential and its key, as an agent has them."""

    credential: str
    key: PrivateKey
    is_chain: bool = True
    origin: str | None = None
    session: str | None = None

    def auth(self, module: Any) -> Any:
        made = module.ContractAuth if self.is_chain else module.KeyAuth
        return made(self.credential, self.key, origin=self.origin, session=self.session)


Send = Callable[..., Awaitable[Answer]]
"""`send(method, url, content=…, json=…, params=…)`."""


def _blocking(library: Any, auth: Any) -> Send:
    async def send(method: str, url: str, **body: Any) -> Answer:
        def run() -> Answer:
            with library.Client(auth=auth, trust_env=False, verify=False) as client:
                answer = client.request(method, url, **body)
                return Answer(answer.status_code, answer.content)

        return await asyncio.to_thread(run)

    return send


def _async(library: Any, auth: Any) -> Send:
    async def send(method: str, url: str, **body: Any) -> Answer:
        async with library.AsyncClient(auth=auth, trust_env=False, verify=False) as client:
            answer = await client.request(method, url, **body)
            return Answer(answer.status_code, answer.content)

    return send


def _aiohttp(auth: Any) -> Send:
    async def send(method: str, url: str, *, content: Any = None, **body: Any) -> Answer:
        async with (
            aiohttp.ClientSession(middlewares=[auth]) as session,
            session.request(method, url, data=content, **body) as answer,
        ):
            return Answer(answer.status, await answer.read())

    return send


LIBRARIES: dict[str, Callable[[Holder], Send]] = {
    "httpx": lambda holder: _blocking(httpx, holder.auth(for_httpx)),
    "httpx-async": lambda holder: _async(httpx, holder.auth(for_httpx)),
    "httpx2": lambda holder: _blocking(httpx2, holder.auth(for_httpx)),
    "httpx2-async": lambda holder: _async(httpx2, holder.auth(for_httpx)),
    "aiohttp": lambda holder: _aiohttp(holder.auth(for_aiohttp)),
}

every_library = pytest.mark.parametrize("library", LIBRARIES)


def sender(library: str, agent: Agent, **more: Any) -> Send:
    return LIBRARIES[library](Holder(agent.chain, agent.key, **more))


@every_library
async def test_every_call_of_an_agent_passes_and_is_counted_until_its_contract_is_used_up(library: str) -> None:
    agent = root_agent().delegate("payer", calls(2))
    async with house(OPEN, anchors=anchors()) as home:
        send = sender(library, agent)
        for _ in range(2):
            assert (await send("POST", f"{home.url}/pay", json=PAY)).status == 200
            await home.settled()
        refused = await send("POST", f"{home.url}/pay", json=PAY)
        assert (refused.status, refused.reason) == (403, "contract_exhausted")
        assert [json.loads(received.body) for received in home.received] == [PAY, PAY]


@every_library
async def test_query_path_and_body_of_every_kind_are_signed_as_they_are_sent(library: str) -> None:
    async with house(OPEN, anchors=anchors()) as home:
        send = sender(library, root_with("find", "pay", "report", "chat"))
        for query in ({"q": "a b&c=d/é%"}, {"q": ""}, {"q": "~*()'!,;"}):
            assert (await send("GET", f"{home.url}/find", params=query)).status == 200, query
        assert (await send("GET", f"{home.url}/reports/7")).status == 200
        for body in (b"", b"{}", b'{"a": "\xc3\xa9"}'):
            assert (await send("POST", f"{home.url}/chat", content=body)).status == 200, body


def _parts() -> Iterator[bytes]:
    yield b'{"amount": 12.5, '
    yield b'"to": "bob"}'


async def _async_parts() -> AsyncIterator[bytes]:
    for part in _parts():
        yield part


@every_library
async def test_a_body_that_comes_in_parts_is_read_before_it_is_signed(library: str) -> None:
    async with house(OPEN, anchors=anchors()) as home:
        content = _parts() if library in ("httpx", "httpx2") else _async_parts()
        send = sender(library, root_agent())
        headers = {"content-type": "application/json"}
        assert (await send("POST", f"{home.url}/pay", content=content, headers=headers)).status == 200
        assert json.loads(home.received[0].body) == PAY


@every_library
async def test_a_nonce_that_a_guard_asks_for_is_sent_with_the_second_try_and_from_then_on(library: str) -> None:
    async with house(OPEN, anchors=anchors(), nonces=True) as home:
        send = sender(library, root_agent())
        for _ in range(2):
            assert (await send("POST", f"{home.url}/pay", json=PAY)).status == 200
            await home.settled()
        assert len(home.received) == 2


@every_library
async def test_a_guard_that_asks_for_a_nonce_again_and_again_is_asked_twice_and_not_for_ever(library: str) -> None:
    asked = 0

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readuntil(b"\r\n\r\n")
        asked += 1
        writer.write(
            b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n"
            b'www-authenticate: DPoP error="use_dpop_nonce"\r\ndpop-nonce: n%d\r\n\r\n' % asked
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(never, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    try:
        assert (await sender(library, root_agent())("GET", url)).status == 401
        assert asked == 2
    finally:
        server.close()


@every_library
async def test_a_bound_api_key_works_with_its_key_and_with_no_other(library: str) -> None:
    async with house(OPEN) as home:
        key = new_key()
        made = await home.keys.create(
            by="test", agent="bound", tools=("*",), user="ann", bound_to=key.public.thumbprint
        )
        for holder, status in ((key, 200), (new_key(), 401)):
            send = LIBRARIES[library](Holder(made.text, holder, is_chain=False))
            assert (await send("POST", f"{home.url}/pay", json=PAY)).status == status


@every_library
async def test_a_chain_too_long_for_headers_is_uploaded_first_and_named_afterwards(library: str) -> None:
    agent = root_with("pay", padding=UPLOAD_ABOVE_CHARS)
    async with house(OPEN, anchors=anchors(), nonces=True) as home:
        send = sender(library, agent)
        for _ in range(2):
            assert (await send("POST", f"{home.url}/pay", json=PAY)).status == 200
            await home.settled()
        assert [name for name, _ in await home.store.documents("chain")] == [_name(agent)]


@every_library
async def test_a_server_that_is_not_the_guard_never_sees_the_credential(library: str) -> None:
    async with house(OPEN, anchors=anchors()) as home, house(OPEN, anchors=anchors()) as other:
        send = sender(library, root_agent(), origin=home.url)
        assert (await send("POST", f"{home.url}/pay", json=PAY)).status == 200
        assert (await send("GET", f"{other.url}/ping")).status == 200
        assert (await send("POST", f"{other.url}/pay", json=PAY)).status == 401


@every_library
async def test_calls_of_a_session_are_charged_to_it(library: str) -> None:
    agent = root_agent()
    async with house(OPEN, anchors=anchors()) as home:
        session = await opened(home, agent, library)
        send = sender(library, agent, session=session)
        assert (await send("POST", f"{home.url}/pay", json=PAY)).status == 200
        await home.settled()
        assert (await send("POST", f"{home.url}/pay", json=PAY)).reason == "budget_exhausted"


async def test_many_requests_of_one_client_at_once_each_have_a_proof_of_their_own() -> None:
    async with house(OPEN, anchors=anchors()) as home:
        agent = root_with("find")
        auth = ContractAuth(agent.chain, agent.key)
        async with httpx2.AsyncClient(auth=auth, base_url=home.url, trust_env=False) as client:
            answers = await asyncio.gather(*(client.get("/find", params={"q": str(number)}) for number in range(20)))
        assert {answer.status_code for answer in answers} <= {200, 429}
        assert sum(answer.status_code == 200 for answer in answers) >= 2
        assert all(answer.status_code != 401 for answer in answers)


async def test_a_body_that_aiohttp_would_compress_is_refused_before_it_is_sent() -> None:
    agent = root_agent()
    async with house(OPEN, anchors=anchors()) as home:
        auth = for_aiohttp.ContractAuth(agent.chain, agent.key)
        async with aiohttp.ClientSession(middlewares=[auth]) as session:
            with pytest.raises(UsageError, match="compressed"):
                await session.post(f"{home.url}/pay", data=b"{}", compress="deflate")
        assert home.received == []


def test_an_auth_class_reads_the_files_that_the_commands_make(tmp_path: Path) -> None:
    agent = root_agent()
    (tmp_path / "a.chain").write_text(f"{agent.chain}\n")
    (tmp_path / "a.jwk").write_bytes(agent.key.to_json())
    for module in (for_httpx, for_aiohttp):
        auth = module.ContractAuth.from_files(tmp_path / "a.chain", tmp_path / "a.jwk")
        assert auth.signer.headers_for("GET", "https://x.example/")["authorization"] == f"DPoP {agent.chain}"
    for name, said in (
        ("missing", "cannot be read: no such file"),
        ("large", "is too large"),
        ("odd", "does not hold"),
    ):
        (tmp_path / "large").write_text("x" * 300_000)
        (tmp_path / "odd").write_text("договор")
        with pytest.raises(UsageError, match=said):
            for_httpx.ContractAuth.from_files(tmp_path / name, tmp_path / "a.jwk")


NONE = "import sys; sys.modules.update({name: None for name in ('httpx', 'httpx2', 'aiohttp')});"


def run(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    return ran.stdout + ran.stderr


def test_everything_but_an_auth_itself_works_without_any_client_library() -> None:
    imports = (
        "import remit.entrypoints.client.aiohttp, remit.cli.contract_call, remit.cli.contract_sending; print('fine')"
    )
    assert run(f"import importlib.util; importlib.util.find_spec = lambda name: None; {NONE} {imports}") == "fine\n"


def test_an_auth_without_a_library_for_it_says_what_to_install() -> None:
    code = (
        f"{NONE} import importlib.util; importlib.util.find_spec = lambda name: None\n"
        "from remit.entrypoints.client import KeyAuth\ntry: KeyAuth('x', '{}')\nexcept Exception as error: print(error)"
    )
    assert "`pip install httpx`" in run(code)


def test_no_client_library_is_loaded_before_an_auth_is_made() -> None:
    code = "import sys, remit.entrypoints.client.aiohttp; print([n for n in ('httpx', 'httpx2', 'aiohttp') if n in sys.modules])"
    assert run(code) == "[]\n"


def test_an_auth_is_one_to_both_libraries() -> None:
    agent = root_agent()
    auth = ContractAuth(agent.chain, agent.key)
    assert isinstance(auth, httpx.Auth)
    assert isinstance(auth, httpx2.Auth)
    assert type(auth) is type(ContractAuth(agent.chain, agent.key))
    assert agent.key.to_jwk()["d"] not in repr(auth)


async def test_any_other_client_can_send_the_headers_of_a_signer() -> None:
    agent = root_agent()
    async with house(OPEN, anchors=anchors()) as home:
        signer = Signer(agent.chain, agent.key)
        body = json.dumps(PAY).encode()
        headers = signer.headers_for("POST", f"{home.url}/pay", body) | {"content-type": "application/json"}
        answer = await asyncio.to_thread(_urllib, f"{home.url}/pay", body, headers)
        assert answer == 200


def _urllib(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    from urllib.request import Request, urlopen

    with urlopen(Request(url, body, dict(headers), method="POST"), timeout=10) as answer:
        return int(answer.status)


def root_with(*tools: str, padding: int = 0) -> Agent:
    """A root for these tools, longer by about `padding` characters."""
    agent = Agent("a")
    more: dict[str, dict[str, object]] = {f"{'x' * 100}{number}": {} for number in range(padding // 100)}
    asked: dict[str, dict[str, object]] = {name: {} for name in tools}
    agent.chain = issue_root(
        ISSUER, holder=agent.key.public, asking=Asking(tools=asked | more), lifetime_s=3600, now_us=now_us(),
        random_bytes=os.urandom, billing=Billing(org="acme", user="ann"),
    )  # fmt: skip
    return agent


def _name(agent: Agent) -> str:
    return chain_name(agent.chain)


async def opened(home: House, agent: Agent, library: str) -> str:
    """A session of the agent, with money for one call."""
    answer = await sender(library, agent)("POST", f"{home.url}/.well-known/remit/sessions", json={"budget": "0.70 USD"})
    assert answer.status == 201
    session: str = json.loads(answer.body)["session"]
    return session
