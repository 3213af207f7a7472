"""The composition root: a policy file becomes a running gateway.

Everything is built here and handed down; nothing below looks anything up. `Service.start` opens the store, loads keys
and sessions, and listens; `reload` follows a changed policy without losing a counter or a connection; `stop` drains,
settles and lets go of the store, in that order.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from remit.audit.record import Admin, AdminAction
from remit.config.compile import load_policy_file
from remit.config.secrets import resolve_secret
from remit.config.trust import load_anchors
from remit.contracts.bounds import Freshness
from remit.core.policy import Policy
from remit.core.policy import Upstream as UpstreamPolicy
from remit.engine.chains import ChainShelf
from remit.engine.guard import Engine
from remit.engine.keyring import KeyRing
from remit.engine.operator import Answer, Arguments, Operator
from remit.engine.sessions import SessionBook
from remit.entrypoints.control.place import control_path
from remit.entrypoints.control.server import ControlServer
from remit.entrypoints.proxy.bounds import UpstreamLimits
from remit.entrypoints.proxy.connection import Header
from remit.entrypoints.proxy.credentials import Credentials, Rules
from remit.entrypoints.proxy.forward import Forwarding, Way
from remit.entrypoints.proxy.gateway import Gateway
from remit.entrypoints.proxy.server import Server, serve
from remit.entrypoints.proxy.upstream import Upstream
from remit.errors import PolicyError
from remit.sinks.log import LogObserver
from remit.stores.opening import open_store

DRAIN_US = 30_000_000
CLOSE_MARGIN_S = 60
SECOND_US = 1_000_000
DEFAULT_PORTS = {"http": 80, "https": 443}
FIXED_FIELDS = ("listen", "store", "currency")


class Service:
    """A gateway with everything it needs, for one policy file."""

    def __init__(self, path: Path, *, listen: str | None = None, environ: Mapping[str, str] | None = None) -> None:
        """Reads the policy; `listen` replaces its address. Raises `PolicyError`."""
        self.path = path
        self._environ = os.environ if environ is None else environ
        self._listen = listen
        loaded = load_policy_file(path)
        self.warnings = loaded.warnings
        self.policy = loaded.policy if listen is None else replace(loaded.policy, listen=listen)
        self._anchors = load_anchors(self.policy, source=str(path))
        self._ways: dict[str, Way] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._started = time.monotonic()

    async def start(self) -> None:
        """Open, load, listen. Whatever was opened is closed again if something fails on the way."""
        async with contextlib.AsyncExitStack() as undo:
            self.store = await open_store(self.policy.store, owner_note=f"remit gateway {self.path}")
            undo.push_async_callback(self.store.close)
            self.engine = Engine(self.store, self.policy, observer=LogObserver())
            self.keys, self.sessions, self.shelf = KeyRing(self.store), SessionBook(self.store), ChainShelf(self.store)
            for book in (self.keys, self.sessions, self.shelf):
                await book.load()
            await self._note_policy("loaded")
            self._ways = self._make_ways(self.policy)
            undo.push_async_callback(self._close_ways, self._ways)
            self.forwarding = Forwarding(self.policy, self._ways, public_host=b"", scheme=b"http")
            self.credentials = Credentials(self.keys, self.sessions, self.shelf, self._rules(""))
            self.gateway = Gateway(
                self.engine, self.credentials, self.sessions, self.shelf, self.forwarding, hosts=frozenset()
            )
            host, port = _split(self.policy.listen)
            self.server: Server = await serve(self.gateway.handle, host=host, port=port)
            undo.push_async_callback(self.server.close)
            self._follow(self.policy)
            extra = {"policy.reload": self._reload_command, "status": self._status_command}
            self.control = ControlServer(Operator(self.engine, self.keys, extra), control_path(self.policy, self.path))
            await self.control.start()
            await self.engine.start()
            undo.pop_all()

    @property
    def url(self) -> str:
        """Where the gateway really listens."""
        host, port = self.server.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _follow(self, policy: Policy) -> None:
        hosts, public_host, scheme = _public(policy, self.server.address)
        self.gateway.use(hosts)
        self.credentials.use(self._rules(f"{scheme.decode()}://{public_host.decode()}"))
        self.forwarding.use(policy, self._ways, public_host=public_host, scheme=scheme)

    def _rules(self, origin: str) -> Rules:
        """What credentials are checked against under the present policy."""
        proof = self.policy.proof
        freshness = Freshness(window_us=proof.window_us, skew_us=proof.window_us)
        return Rules(anchors=self._anchors, origin=origin, freshness=freshness, nonces=proof.nonces)

    def _make_ways(self, policy: Policy) -> dict[str, Way]:
        return {name: self._way(policy, upstream) for name, upstream in policy.upstreams.items()}

    def _way(self, policy: Policy, upstream: UpstreamPolicy) -> Way:
        parts = urlsplit(upstream.url)
        tools = (tool for tool in policy.tools.values() if tool.upstream == upstream.name)
        longest_us = max([upstream.timeout_us, *(tool.timeout_us or 0 for tool in tools)]) + SECOND_US
        limits = UpstreamLimits(
            max_connections=upstream.connections,
            connect_us=upstream.connect_timeout_us,
            head_us=longest_us,
            read_us=longest_us,
        )
        credential: Header | None = None
        if upstream.credential:
            secret = resolve_secret(upstream.credential, self._environ)
            credential = upstream.credential_header.encode(), f"{upstream.credential_prefix}{secret}".encode()
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        made = Upstream(scheme=parts.scheme, host=parts.hostname or "", port=port, limits=limits)
        return Way(upstream=made, credential=credential)

    async def _close_ways(self, ways: Mapping[str, Way]) -> None:
        for way in ways.values():
            await way.upstream.close()

    async def _note_policy(self, what: str, *, by: str = "operator") -> None:
        digest = self.policy.digest
        detail = f"{what}; trust anchors {self._anchors.version}" if self.policy.trust else what
        admin = Admin(action=AdminAction.POLICY_LOADED, by=by, subject=str(self.path), detail=detail, policy=digest)
        await self.store.set_epoch(self.store.epoch + 1, record=admin)

    async def reload(self, *, by: str = "operator") -> tuple[tuple[int, str], ...]:
        """Follow the policy file as it is now; answers its warnings. On an error the running policy stays."""
        loaded = load_policy_file(self.path)
        policy = loaded.policy if self._listen is None else replace(loaded.policy, listen=self._listen)
        changed = [name for name in FIXED_FIELDS if getattr(policy, name) != getattr(self.policy, name)]
        if changed:
            problem = f"`{'`, `'.join(changed)}` cannot change while the gateway runs: restart it"
            raise PolicyError([(0, problem)], source=str(self.path))
        anchors = load_anchors(policy, source=str(self.path))
        ways, former_ways, former = self._make_ways(policy), self._ways, self.policy
        self._anchors = anchors
        self.policy, self._ways = policy, ways
        self.engine.use(policy)
        self._follow(policy)
        await self._note_policy("reloaded", by=by)
        closing = asyncio.create_task(self._close_when_done(former_ways, former))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        return loaded.warnings

    async def _close_when_done(self, ways: Mapping[str, Way], former: Policy) -> None:
        """Close the connections of a former policy once its last call must have ended."""
        longest_us = max((upstream.timeout_us for upstream in former.upstreams.values()), default=0)
        try:
            await asyncio.sleep(longest_us / 1_000_000 + CLOSE_MARGIN_S)
        finally:
            await self._close_ways(ways)

    async def _reload_command(self, arguments: Arguments, by: str) -> Answer:
        warnings = await self.reload(by=by)
        return {
            "digest": self.policy.digest,
            "anchors": self._anchors.version,
            "warnings": [list(warning) for warning in warnings],
        }

    async def _status_command(self, arguments: Arguments, by: str) -> Answer:
        counts = self.server.counts
        health = self.store.health()
        return {
            "policy": str(self.path), "digest": self.policy.digest, "listen": self.url, "pid": os.getpid(),
            "uptime_s": int(time.monotonic() - self._started), "requests": counts.requests,
            "turned_away": self.gateway.guessing.turned_away, "connections": counts.connections, "running": counts.running, "refused_unread": counts.refused,
            "settling": len(self.forwarding.settling), "store_ok": health.ok, "store_detail": health.detail,
            "clock_parted_us": health.clock_parted_us, "store": health.figures,
            "added_us": {"allowed": _quantiles(self.forwarding.allowed), "refused": _quantiles(self.forwarding.refused)},
        }  # fmt: skip

    async def stop(self, *, timeout_us: int = DRAIN_US) -> int:
        """Drain, settle, close; answers how many requests had to be cut."""
        cut = await self.server.drain(timeout_us=timeout_us)
        while self.forwarding.settling:
            await asyncio.wait(tuple(self.forwarding.settling))
        await self.control.close()
        await self.engine.close()
        for closing in tuple(self._closing):
            closing.cancel()
        await asyncio.gather(*self._closing, return_exceptions=True)
        await self._close_ways(self._ways)
        await self.store.close()
        return cut


def _quantiles(histogram: Any) -> dict[str, int]:
    return {"count": histogram.count, "p50": histogram.quantile_us(500), "p99": histogram.quantile_us(990)}


def _split(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _public(policy: Policy, address: tuple[str, int]) -> tuple[frozenset[bytes], bytes, bytes]:
    """The hosts that requests may name, the one we are known by, and our scheme."""
    host, port = address
    if policy.public_url:
        parts = urlsplit(policy.public_url)
        names = {parts.netloc}
        if parts.port is None or parts.port == DEFAULT_PORTS[parts.scheme]:
            bare = parts.netloc.removesuffix(f":{DEFAULT_PORTS[parts.scheme]}")
            names |= {bare, f"{bare}:{DEFAULT_PORTS[parts.scheme]}"}
        return frozenset(name.lower().encode() for name in names), parts.netloc.encode(), parts.scheme.encode()
    if host not in ("127.0.0.1", "::1", "localhost"):
        problem = "`public_url` is missing: a gateway that listens beyond this machine must know its own name"
        raise PolicyError([(0, problem)])
    names = {f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"}
    return frozenset(name.encode() for name in names), f"{host}:{port}".encode(), b"http"
