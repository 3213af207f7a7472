"""A whole gateway on a free port: memory store, one key, and a recording upstream whose answers a test scripts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from remit.config.compile import load_policy
from remit.contracts.anchors import TrustAnchors
from remit.contracts.bounds import FRESH
from remit.core.ledger.operations import HoldState
from remit.engine.chains import ChainShelf
from remit.engine.guard import Engine
from remit.engine.keyring import KeyRing
from remit.engine.sessions import SessionBook
from remit.entrypoints.proxy.bounds import UpstreamLimits
from remit.entrypoints.proxy.connection import Exchange, Header
from remit.entrypoints.proxy.credentials import Credentials, Rules
from remit.entrypoints.proxy.forward import Forwarding, Way
from remit.entrypoints.proxy.gateway import Gateway
from remit.entrypoints.proxy.server import serve
from remit.entrypoints.proxy.upstream import Upstream
from remit.ports import CellInfo, HoldInfo, Store
from remit.stores.memory import MemoryStore

ANSWER_S = 5.0
NOBODY = TrustAnchors(issuers=())

POLICY = """
version: 1
currency: USD
store: "memory:"
listen: 127.0.0.1:0
upstreams:
  api: {url: "http://127.0.0.1:1", timeout: 1s}
tools:
  pay:
    route: POST /pay
    upstream: api
    arguments: {amount: body.amount number, to: body.to}
    target: to
    price: {hold: 0.50 USD, actual: header.x-cost, free_on: [404, 422]}
  report: {route: "GET /reports/{id}", upstream: api, arguments: {id: path.id integer}, price: 1 USD}
  chat: {route: POST /chat, upstream: api, price: {hold: 0.10 USD, actual: body.usage.cost}}
  ping: {route: GET /ping, upstream: api, price: free, anonymous: true}
  find: {route: GET /find, upstream: api, arguments: {q: query.q}, price: free}
limits:
  user-money: {budget: 3 USD, per: user}
  pays: {quota: 5/hour, per: agent, tools: [pay]}
  at-once: {concurrent: 2, per: caller}
"""


@dataclass
class Received:
    """A request as the upstream got it."""

    method: str
    target: bytes
    headers: tuple[Header, ...]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        return next((value for other, value in self.headers if other == name), None)


Script = Callable[[Exchange, Received], Awaitable[None]]


async def fine(exchange: Exchange, received: Received) -> None:
    """What the upstream does unless a test says otherwise."""
    await exchange.respond(200, [(b"content-type", b"application/json"), (b"x-cost", b"0.35")], b'{"ok":true}')


@dataclass
class House:
    """Everything a test needs."""

    url: str
    address: tuple[str, int]
    key: str
    store: Store
    engine: Engine
    keys: KeyRing
    gateway: Gateway
    forwarding: Forwarding
    received: list[Received] = field(default_factory=list)
    script: Script = fine

    @property
    def bearer(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.key}"}

    async def settled(self) -> None:
        """Wait until every settlement is booked."""
        async with asyncio.timeout(ANSWER_S):
            while self.forwarding.settling:
                await asyncio.wait(tuple(self.forwarding.settling))

    async def holds(self) -> list[HoldInfo]:
        await self.settled()
        return await self.store.holds(states=tuple(HoldState))

    async def cell(self, limit: str) -> CellInfo:
        """The one cell of a limit."""
        await self.settled()
        (found,) = [cell for cell in await self.store.cells() if f":{limit}," in cell.key]
        return found


@asynccontextmanager
async def house(
    policy: str = POLICY,
    *,
    agent: str = "risk-check",
    anchors: TrustAnchors = NOBODY,
    store: Store | None = None,
    nonces: bool = False,
) -> AsyncIterator[House]:
    """A running gateway before a running upstream."""
    home: House | None = None

    async def upstream_handler(exchange: Exchange) -> None:
        assert home is not None
        body = await exchange.body(1 << 22)
        head = exchange.head
        received = Received(head.method, head.target, head.headers, body)
        home.received.append(received)
        await home.script(exchange, received)

    upstream_server = await serve(upstream_handler, host="127.0.0.1", port=0)
    loaded = load_policy(policy).policy
    store = store or MemoryStore()
    engine = Engine(store, loaded)
    keys = KeyRing(store)
    made = await keys.create(by="test", agent=agent, tools=("*",), user="ann", org="acme")
    host, port = upstream_server.address
    limits = UpstreamLimits(head_us=400_000, read_us=400_000, connect_us=400_000)
    ways = {
        name: Way(upstream=Upstream(scheme="http", host=host, port=port, limits=limits), credential=None)
        for name in loaded.upstreams
    }
    forwarding = Forwarding(loaded, ways, public_host=b"gateway.test", scheme=b"http")
    sessions, shelf = SessionBook(store), ChainShelf(store)
    credentials = Credentials(keys, sessions, shelf, Rules(anchors=anchors, origin="", freshness=FRESH, nonces=nonces))
    gateway = Gateway(engine, credentials, sessions, shelf, forwarding, hosts=frozenset())
    server = await serve(gateway.handle, host="127.0.0.1", port=0)
    own = f"127.0.0.1:{server.address[1]}"
    credentials.use(replace(credentials.rules, origin=f"http://{own}"))
    gateway.use(frozenset({own.encode()}))
    home = House(
        url=f"http://{own}", address=server.address, key=made.text, store=store, engine=engine, keys=keys,
        gateway=gateway, forwarding=forwarding,
    )  # fmt: skip
    try:
        yield home
    finally:
        await server.close()
        await home.settled()
        for way in ways.values():
            await way.upstream.close()
        await upstream_server.close()
