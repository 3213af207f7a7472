"""The gateway: every request is decided or refused, held before it leaves, streamed through, and settled after it.

`Gateway.handle` is the whole path of a request, top to bottom: who is calling, which tool with which arguments, may it
go now, the upstream's answer, what it did cost. The bytes that were judged are the bytes that are forwarded.
"""

import logging

from remit.core.caller import Caller, CredentialKind
from remit.core.decision import Deny, Repeat
from remit.core.match import WrongMethod
from remit.core.reasons import REASONS, Reason
from remit.core.request import Request
from remit.engine.guard import Call, Engine
from remit.engine.keyring import KeyRing
from remit.engine.sessions import SessionBook
from remit.engine.stopwatch import Stopwatch
from remit.entrypoints.proxy.address import Addresses, address_prefix
from remit.entrypoints.proxy.connection import Exchange, Header, RequestHead
from remit.entrypoints.proxy.forward import Forwarding, Job
from remit.entrypoints.proxy.guessing import Guessing
from remit.entrypoints.proxy.headers import check_connection, find
from remit.entrypoints.proxy.routing import Found, RouteBook, as_text, fingerprint, read_arguments, shown_path
from remit.entrypoints.proxy.wellknown import PREFIX, WellKnown
from remit.errors import BadRequest, ClientGone, CredentialError
from remit.http.fields import parse_idempotency_key
from remit.http.problem import problem_body, problem_headers
from remit.identity.callers import anonymous_caller

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


class Gateway:
    """Handles the exchanges of a server, for one engine and its policy."""

    def __init__(
        self, engine: Engine, keys: KeyRing, sessions: SessionBook, forwarding: Forwarding, *, hosts: frozenset[bytes]
    ) -> None:
        """`hosts` are the authorities (lower case) that requests may name; others are refused."""
        self._engine = engine
        self._keys = keys
        self._sessions = sessions
        self._forwarding = forwarding
        self._well_known = WellKnown(engine, sessions)
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
        caller = anonymous_caller(head.peer)
        request = Request(tool="", method=head.method, path=shown_path(head.target))
        try:
            caller = self._anonymous(head)
            self._check_host(head)
            if head.method == "OPTIONS":
                await self._answer_options(exchange)
                return
            caller = self._identify(head, caller)
            if head.target.startswith(PREFIX):
                await self._well_known.handle(exchange, caller)
                return
            found = self._find(head)
            request = Request(tool=found.tool.name, method=head.method, path=request.path)
            watch.stop()
            body = await exchange.body(found.tool.max_body_bytes)
            watch.start()
            request = _request(found, head, body)
            watch.stop()
        except _Refuse as no:
            await self._refuse(exchange, no.reason, no.detail, request, caller)
        except CredentialError as no:
            await self._refuse(exchange, Reason(no.reason), f"{no}.", request, caller)
        except BadRequest as no:
            await self._refuse(exchange, Reason.BAD_REQUEST, f"{no}.", request, caller, status=no.status)
        except _TurnedAway:
            await _respond(exchange, 429, [(b"retry-after", b"1")], b"")
        except ClientGone:
            return
        else:
            await self._decide(exchange, watch, request, caller, found, body)

    async def _decide(
        self, exchange: Exchange, watch: Stopwatch, request: Request, caller: Caller, found: Found, body: bytes
    ) -> None:
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

    def _identify(self, head: RequestHead, anonymous: Caller) -> Caller:
        """Who is calling. An invalid credential is refused, never treated as none."""
        now_us = self._engine.store.now_us()
        if self.guessing.blocked(anonymous.address, now_us):
            raise _TurnedAway
        try:
            text = _credential(head)
            caller = anonymous if text is None else self._keys.authenticate(text, address=anonymous.address)
        except CredentialError:
            self.guessing.failed(anonymous.address, now_us)
            raise
        session = find(head.headers, b"remit-session")
        if session is None:
            return caller
        if caller.kind is CredentialKind.NONE:
            raise CredentialError("a session belongs to the key that opened it: send that key too")
        return self._sessions.use(session.decode("latin-1"), caller)

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
            await _respond(exchange, 204, [(b"allow", allow)], b"")
        else:
            await _respond(exchange, 404, [(b"x-should-retry", b"false")], b"")

    async def _refuse(
        self, exchange: Exchange, reason: Reason, detail: str, request: Request, caller: Caller, *, status: int = 0
    ) -> None:
        denied = await self._engine.refuse(reason, detail, request, caller)
        await self._deny(exchange, denied, status=status)

    async def _deny(self, exchange: Exchange, denied: Deny, *, status: int = 0) -> None:
        policy = self._engine.policy
        instance = shown_path(exchange.head.target)
        body = problem_body(denied, instance=instance, redact_numbers=policy.redact_numbers, status=status)
        headers = problem_headers(denied, currency=policy.currency, redact_numbers=policy.redact_numbers)
        await _respond(exchange, status or denied.about.status, headers, body)


def _request(found: Found, head: RequestHead, body: bytes) -> Request:
    tool = found.tool
    arguments = read_arguments(found, head.headers, body) if tool.arguments else {}
    key = find(head.headers, b"idempotency-key")
    idempotency = None
    if key is not None:
        idempotency = parse_idempotency_key(key), fingerprint(head, body)
    return Request(
        tool=tool.name,
        arguments=arguments,
        target=as_text(arguments.get(tool.target)) if tool.target else "",
        idempotency=idempotency,
        method=head.method,
        path=found.target.path,
    )


def _credential(head: RequestHead) -> str | None:
    """The API key in `Authorization: Bearer` or `X-Api-Key`; None only if neither is there."""
    authorization = find(head.headers, b"authorization")
    api_key = find(head.headers, b"x-api-key")
    if authorization is None:
        return api_key.decode("latin-1") if api_key is not None else None
    if api_key is not None:
        raise CredentialError("send one credential, either Authorization or X-Api-Key")
    scheme, _, rest = authorization.partition(b" ")
    if scheme.lower() != b"bearer":
        raise CredentialError("the Authorization scheme must be `Bearer`")
    return rest.strip().decode("latin-1")


async def _respond(exchange: Exchange, status: int, headers: list[Header], body: bytes) -> None:
    try:
        await exchange.respond(status, headers, body)
    except ClientGone:
        _log.debug("the client left before its answer")
