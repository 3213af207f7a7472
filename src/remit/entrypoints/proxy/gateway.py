"""The gateway: every request is decided or refused, held before it leaves, streamed through, and settled after it.

`Gateway.handle` is the whole path of a request, top to bottom: who is calling, which tool with which arguments, may it
go now, the upstream's answer, what it did cost. The bytes that were judged are the bytes that are forwarded.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from remit.contracts.dpop import HttpProof, check_body
from remit.core.caller import Caller
from remit.core.contract_steps import ContractError
from remit.core.decision import Deny, Repeat
from remit.core.match import WrongMethod
from remit.core.policy import Tool
from remit.core.reasons import REASONS, Reason
from remit.core.request import Request
from remit.engine.chains import ChainShelf
from remit.engine.guard import Call, Engine
from remit.engine.sessions import SessionBook
from remit.engine.stopwatch import Stopwatch
from remit.entrypoints.proxy.address import Addresses, address_prefix
from remit.entrypoints.proxy.connection import Exchange, Header, RequestHead
from remit.entrypoints.proxy.credentials import Credentials, Identified
from remit.entrypoints.proxy.forward import Forwarding, Job
from remit.entrypoints.proxy.guessing import Guessing
from remit.entrypoints.proxy.headers import check_connection, find
from remit.entrypoints.proxy.routing import (
    Arguments,
    Found,
    RouteBook,
    as_text,
    fingerprint,
    read_arguments,
    shown_path,
)
from remit.entrypoints.proxy.wellknown import MAX_BODY_BYTES, PREFIX, WellKnown
from remit.errors import BadRequest, ClientGone, CredentialError, StoreUnavailable
from remit.http.fields import parse_idempotency_key
from remit.http.problem import problem_body, problem_headers
from remit.http.target import Target, parse_target
from remit.identity.callers import anonymous_caller

NO_ARGUMENTS = Arguments({}, {})

_log = logging.getLogger("remit.gateway")


class _Refuse(Exception):
    """Unwinds to the one place that answers a denial. Never leaves this module."""

    def __init__(self, reason: Reason, detail: str, *, status: int = 0) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.status = status


class _TurnedAway(Exception):
    """Too many wrong credentials came from that address prefix."""


@dataclass(slots=True)
class _Asked:
    """What is known so far of who is calling and what they ask for: what a refusal is recorded with."""

    caller: Caller
    request: Request


class Gateway:
    """Handles the exchanges of a server, for one engine and its policy."""

    def __init__(
        self,
        engine: Engine,
        credentials: Credentials,
        sessions: SessionBook,
        shelf: ChainShelf,
        forwarding: Forwarding,
        *,
        hosts: frozenset[bytes],
    ) -> None:
        """`hosts` are the authorities (lower case) that requests may name; others are refused."""
        self._engine = engine
        self._credentials = credentials
        self._forwarding = forwarding
        self._well_known = WellKnown(engine, sessions, credentials, shelf)
        self.guessing = Guessing()
        self.use(hosts)

    def use(self, hosts: frozenset[bytes]) -> None:
        """Follow the engine's present policy."""
        policy = self._engine.policy
        self._hosts = hosts
        self._routes = RouteBook(policy)
        self._addresses = Addresses(policy.trusted_proxies)

    async def handle(self, exchange: Exchange) -> None:
        """Decide and answer one request."""
        watch = Stopwatch()
        watch.start()
        head = exchange.head
        path = shown_path(head.target)
        asked = _Asked(anonymous_caller(head.peer), Request(tool="", method=head.method, path=path))
        try:
            asked.caller = self._anonymous(head)
            self._check_host(head)
            if head.method == "OPTIONS":
                await self._answer_options(exchange)
            elif head.target.startswith(PREFIX):
                await self._serve_own(exchange, asked)
            else:
                found, body = await self._read(exchange, asked, watch)
                await self._decide(exchange, watch, asked, found, body)
        except _Refuse as no:
            await self._refuse(exchange, no.reason, no.detail, asked)
        except CredentialError as no:
            await self._refuse_credential(exchange, no, asked)
        except BadRequest as no:
            await self._refuse(exchange, Reason.BAD_REQUEST, f"{no}.", asked, status=no.status)
        except StoreUnavailable:
            await self._refuse(exchange, Reason.STORE_UNAVAILABLE, "The store does not answer.", asked)
        except _TurnedAway:
            await respond(exchange, 429, [(b"retry-after", b"1")], b"")
        except ClientGone:
            return

    async def _read(self, exchange: Exchange, asked: "_Asked", watch: Stopwatch) -> tuple[Found, bytes]:
        """Which tool is called, by whom, with which arguments; noted in `asked` as far as it is known."""
        head = exchange.head
        found = self._find(head)
        asked.request = replace(asked.request, tool=found.tool.name)
        identified = self._identify(head, found.target, found.tool, asked.caller)
        asked.caller = identified.caller
        watch.stop()
        body = await exchange.body(found.tool.max_body_bytes)
        watch.start()
        proof = identified.proof
        if proof is not None:
            check_body(proof, body)
        asked.request = _request(found, head, body, proof)
        watch.stop()
        return found, body

    async def _serve_own(self, exchange: Exchange, asked: "_Asked") -> None:
        """What the gateway itself offers. A proof is used up by it as by a call."""
        target = parse_target(exchange.head.target)
        if self._well_known.is_upload(exchange.head, target):
            await self._well_known.upload(exchange, target)
            return
        identified = self._identify(exchange.head, target, None, asked.caller)
        asked.caller = identified.caller
        if identified.proof is not None:
            check_body(identified.proof, await exchange.body(MAX_BODY_BYTES))
            await self._engine.use_proof(identified.proof.single_use.key, identified.proof.single_use.not_after_us)
        await self._well_known.handle(exchange, identified.caller, target)

    async def _decide(self, exchange: Exchange, watch: Stopwatch, asked: "_Asked", found: Found, body: bytes) -> None:
        request, caller = asked.request, asked.caller
        decided = await watch.run(self._engine.admit(request, caller))
        match decided:
            case Deny():
                self._forwarding.refused.add(watch.spent_ns)
                await self._deny(exchange, decided)
            case Repeat():
                await self._forwarding.repeat(exchange, decided)
            case Call():
                job = Job(exchange=exchange, call=decided, tool=found.tool, caller=caller, body=body, watch=watch,
                          client=self._addresses.client(exchange.head),
                          keep_answer=request.idempotency is not None)  # fmt: skip
                await self._forwarding.run(job)

    def _anonymous(self, head: RequestHead) -> Caller:
        address = self._addresses.client(head)
        return anonymous_caller(address_prefix(address))

    def _check_host(self, head: RequestHead) -> None:
        if head.upgrade:
            raise _Refuse(Reason.UPGRADE_REQUIRED, REASONS[Reason.UPGRADE_REQUIRED].title + ".")
        if head.host is None or head.host.lower() not in self._hosts:
            raise BadRequest("the Host header does not name this gateway")
        check_connection(head.headers)

    def _identify(self, head: RequestHead, target: Target, tool: Tool | None, anonymous: Caller) -> Identified:
        """Who is calling. An invalid credential is refused, never treated as none."""
        now_us = self._engine.store.now_us()
        if self.guessing.blocked(anonymous.address, now_us):
            raise _TurnedAway
        try:
            return self._credentials.identify(head, target, tool, anonymous, now_us=now_us)
        except CredentialError:
            self.guessing.failed(anonymous.address, now_us)
            raise

    def _find(self, head: RequestHead) -> Found:
        found = self._routes.find(head)
        if isinstance(found, Found):
            return found
        path = shown_path(head.target)
        if isinstance(found, WrongMethod):
            raise _Refuse(Reason.UNKNOWN_TOOL, f"`{path}` exists only for {', '.join(found.allowed)}.")
        raise _Refuse(Reason.UNKNOWN_TOOL, f"no tool of the policy has the route `{head.method} {path}`.")

    async def _answer_options(self, exchange: Exchange) -> None:
        """A preflight or a question: answered here, never forwarded."""
        found = self._routes.find(exchange.head)
        if isinstance(found, WrongMethod):
            allow = ", ".join((*found.allowed, "OPTIONS")).encode()
            await respond(exchange, 204, [(b"allow", allow)], b"")
        else:
            await respond(exchange, 404, [(b"x-should-retry", b"false")], b"")

    async def _refuse(
        self, exchange: Exchange, reason: Reason, detail: str, asked: "_Asked", *, status: int = 0
    ) -> None:
        denied = await self._engine.refuse(reason, detail, asked.request, asked.caller)
        await self._deny(exchange, denied, status=status)

    async def _refuse_credential(self, exchange: Exchange, error: CredentialError, asked: "_Asked") -> None:
        hop = error.link if isinstance(error, ContractError) else None
        denied = await self._engine.refuse(Reason(error.reason), f"{error}.", asked.request, asked.caller, hop=hop)
        challenge = self._credentials.challenge(error, now_us=denied.now_us)
        await self._deny(exchange, denied, extra=challenge)

    async def _deny(self, exchange: Exchange, denied: Deny, *, status: int = 0, extra: Sequence[Header] = ()) -> None:
        policy = self._engine.policy
        instance = shown_path(exchange.head.target)
        body = problem_body(denied, instance=instance, redact_numbers=policy.redact_numbers, status=status)
        headers = problem_headers(denied, currency=policy.currency, redact_numbers=policy.redact_numbers)
        if extra:
            headers = [header for header in headers if header[0] != b"www-authenticate"]
        await respond(exchange, status or denied.about.status, [*headers, *extra], body)


def _request(found: Found, head: RequestHead, body: bytes, proof: HttpProof | None) -> Request:
    tool = found.tool
    arguments = read_arguments(found, head.headers, body) if tool.arguments else NO_ARGUMENTS
    key = find(head.headers, b"idempotency-key")
    idempotency = None
    if key is not None:
        idempotency = parse_idempotency_key(key), fingerprint(head, body)
    return Request(
        tool=tool.name,
        arguments=arguments.typed,
        given=arguments.given,
        target=as_text(arguments.typed.get(tool.target)) if tool.target else "",
        idempotency=idempotency,
        proof=None if proof is None else (proof.single_use.key, proof.single_use.not_after_us),
        method=head.method,
        path=found.target.path,
    )


async def respond(exchange: Exchange, status: int, headers: list[Header], body: bytes) -> None:
    """Answer; a client that has left is nobody to answer to."""
    try:
        await exchange.respond(status, headers, body)
    except ClientGone:
        _log.debug("the client left before its answer")
