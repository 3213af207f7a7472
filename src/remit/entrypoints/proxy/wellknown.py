"""What the gateway itself offers to callers: opening and closing sessions, and saying whether it is well.

`POST /.well-known/remit/sessions` opens a session (members `budget`, `calls`, `lifetime`, `idle`, all optional),
`DELETE /.well-known/remit/sessions/<id>` closes it. `POST /.well-known/remit/chains` keeps a chain of contracts, so that
requests can name it. `GET /.well-known/remit/health` needs no credential.
"""

import msgspec

from remit.contracts.dpop import check_body
from remit.core import units
from remit.core.caller import Caller, CredentialKind
from remit.core.money import parse_money
from remit.core.strict_json import JsonValue, read_json
from remit.engine.chains import ChainShelf
from remit.engine.guard import Engine
from remit.engine.sessions import SessionBook, as_json
from remit.entrypoints.proxy.connection import Exchange, Header, RequestHead
from remit.entrypoints.proxy.credentials import Credentials
from remit.errors import BadRequest, ClientGone, CredentialError, UsageError
from remit.http.target import Target
from remit.identity.sessions import SessionWish

PREFIX = b"/.well-known/remit/"
SESSIONS = "/.well-known/remit/sessions"
HEALTH = "/.well-known/remit/health"
CHAINS = "/.well-known/remit/chains"
MAX_BODY_BYTES = 4096
MAX_CHAIN_BYTES = 256 * 1024
MEMBERS = frozenset({"budget", "calls", "lifetime", "idle"})
JSON_HEADERS: list[Header] = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]


class WellKnown:
    """Answers requests below `/.well-known/remit/`. Raises `BadRequest` and `CredentialError` as a tool call would."""

    def __init__(self, engine: Engine, sessions: SessionBook, credentials: Credentials, shelf: ChainShelf) -> None:
        """Sessions are opened by the engine's present policy."""
        self._engine = engine
        self._sessions = sessions
        self._credentials = credentials
        self._shelf = shelf

    def is_upload(self, head: RequestHead, target: Target) -> bool:
        """Whether a chain is to be kept: its credential is in the body."""
        return head.method == "POST" and target.path == CHAINS

    async def upload(self, exchange: Exchange, target: Target) -> None:
        """Keep a chain: the body is its text, the proof is signed by its leaf's holder and covers the text."""
        text = (await exchange.body(MAX_CHAIN_BYTES)).decode("latin-1")
        now_us = self._engine.store.now_us()
        verified = self._credentials.verify(text, now_us=now_us, by_reference=True)
        thumbprint = verified.leaf_key.thumbprint
        proof = self._credentials.check_proof(
            exchange.head, target, None, ath=verified.ath, thumbprint=thumbprint, now_us=now_us
        )
        check_body(proof, text.encode("latin-1"))
        await self._engine.use_proof(proof.single_use.key, proof.single_use.not_after_us)
        try:
            name = await self._shelf.keep(text, verified)
        except UsageError as error:
            raise BadRequest(str(error), status=422) from None
        expires_in = max(0, (verified.expires_us - now_us) // 1_000_000)
        await _respond(exchange, 201, msgspec.json.encode({"chain": name, "expires_in": expires_in}))

    async def handle(self, exchange: Exchange, caller: Caller, target: Target) -> None:
        """Answer one request."""
        path = target.path
        method = exchange.head.method
        if method in ("GET", "HEAD") and path == HEALTH:
            await self._health(exchange)
        elif method == "POST" and path == SESSIONS:
            await self._open(exchange, caller)
        elif method == "DELETE" and path.startswith(SESSIONS + "/"):
            await self._close(exchange, caller, path.removeprefix(SESSIONS + "/"))
        else:
            raise BadRequest(f"there is no `{method} {path[:64]}` here", status=404)

    async def _health(self, exchange: Exchange) -> None:
        health = self._engine.store.health()
        state = "ok" if health.ok and not health.clock_parted_us else "degraded"
        body = msgspec.json.encode({"status": state, "clock_parted_us": health.clock_parted_us})
        await _respond(exchange, 200 if health.ok else 503, body)

    async def _open(self, exchange: Exchange, caller: Caller) -> None:
        if caller.kind is CredentialKind.NONE:
            raise CredentialError("only a caller with a credential can open a session")
        if caller.session is not None:
            raise BadRequest("a session cannot be opened inside a session: leave the Remit-Session header out")
        body = await exchange.body(MAX_BODY_BYTES)
        members = read_json(body, max_bytes=MAX_BODY_BYTES) if body else {}
        if not isinstance(members, dict):
            raise BadRequest(f"a session takes an object of {', '.join(sorted(MEMBERS))}")
        if unknown := members.keys() - MEMBERS:
            raise BadRequest(f"a session does not know `{min(unknown)[:40]}`; it takes {', '.join(sorted(MEMBERS))}")
        try:
            wish = _wish(members, self._engine.policy.currency)
            record = await self._sessions.open(caller, wish, self._engine.policy)
        except UsageError as error:
            raise BadRequest(str(error), status=422) from None
        location = f"{SESSIONS}/{record.session_id}".encode()
        await _respond(exchange, 201, as_json(record, self._engine.store.now_us()), [(b"location", location)])

    async def _close(self, exchange: Exchange, caller: Caller, session: str) -> None:
        if caller.kind is CredentialKind.NONE:
            raise CredentialError("a session is closed with the credential that opened it")
        await self._sessions.close(session, caller)
        await _respond(exchange, 204, b"")


def _wish(members: dict[str, JsonValue], currency: str) -> SessionWish:
    budget, calls = members.get("budget"), members.get("calls")
    budget_micros = None
    if budget is not None:
        money = parse_money(budget) if isinstance(budget, str) else None
        if money is None or money.currency != currency:
            raise UsageError(f"`budget` is money in {currency}, such as `5 {currency}`")
        budget_micros = money.micros
    if calls is not None and (not isinstance(calls, int) or isinstance(calls, bool)):
        raise UsageError("`calls` is a whole number")
    return SessionWish(
        lifetime_us=_duration(members, "lifetime"),
        idle_us=_duration(members, "idle"),
        budget_micros=budget_micros,
        calls=calls,
    )


def _duration(members: dict[str, JsonValue], name: str) -> int | None:
    value = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise UsageError(f"`{name}` is a duration, such as `30m`")
    return units.parse_duration(value)


async def _respond(exchange: Exchange, status: int, body: bytes, extra: list[Header] | None = None) -> None:
    try:
        await exchange.respond(status, [*JSON_HEADERS, *(extra or [])], body)
    except ClientGone:
        return
