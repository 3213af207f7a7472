"""An allowed call on its way: to the upstream, back to the client as it comes, and into the books.

The call is settled exactly once whatever happens: committed with its actual cost when the upstream answered, released
when it is proven that nothing left, and lost (assumed spent) when nobody can know. A client that goes away changes
nothing about what it owes: the answer is still read as far as its cost needs it. Settlements run beside the answer and
are waited for when the gateway drains.
"""

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass

import msgspec

from remit.core.caller import Caller
from remit.core.decision import Repeat
from remit.core.policy import ActualSource, Policy, Price, Tool
from remit.engine.guard import Call
from remit.engine.stopwatch import Histogram, Stopwatch
from remit.entrypoints.proxy.connection import Exchange, Header
from remit.entrypoints.proxy.headers import to_client, to_upstream
from remit.entrypoints.proxy.pricing import MAX_METERED_BYTES, cost_from_body, cost_from_head
from remit.entrypoints.proxy.response import UpstreamResponse
from remit.entrypoints.proxy.routing import shown_path
from remit.entrypoints.proxy.upstream import Upstream
from remit.errors import ClientGone, StoreUnavailable, UpstreamFailed
from remit.http.answers import budget_header, rate_headers
from remit.http.problem import PROBLEM_TYPE, trouble_body

MAX_KEPT_ANSWER_BYTES = 64 * 1024
SETTLE_ATTEMPTS = 5
SETTLE_RETRY_S = 0.2
FAILED_FROM = 400
UNKNOWN_FROM = 500

_log = logging.getLogger("remit.gateway")


class KeptAnswer(msgspec.Struct, frozen=True, array_like=True):
    """An answer kept for idempotent repeats. `cut` says that its body was too long to keep."""

    status: int
    headers: tuple[Header, ...]
    body: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One allowed call and everything its forwarding needs. `client` is the client's address."""

    exchange: Exchange
    call: Call
    tool: Tool
    caller: Caller
    client: str
    body: bytes
    keep_answer: bool
    watch: Stopwatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """Where one upstream's calls go, and the credential that is sent along."""

    upstream: Upstream
    credential: Header | None


class Forwarding:
    """Forwards calls and settles them. One for each gateway; `settling` are the settlements under way.

    `allowed` and `refused` collect what the guard's own steps took of the processor, for each kind of call.
    """

    def __init__(self, policy: Policy, ways: dict[str, Way], *, public_host: bytes, scheme: bytes) -> None:
        """`ways` has one entry for each upstream of the policy."""
        self.settling: set[asyncio.Task[None]] = set()
        self.allowed = Histogram()
        self.refused = Histogram()
        self.use(policy, ways, public_host=public_host, scheme=scheme)

    def use(self, policy: Policy, ways: dict[str, Way], *, public_host: bytes, scheme: bytes) -> None:
        """Forward by another policy from now on; calls under way keep their upstream."""
        self._policy = policy
        self._ways = ways
        self._public_host = public_host
        self._scheme = scheme

    async def run(self, job: Job) -> None:
        """Forward one call, answer the client, and have the call settled."""
        if not await self._waited(job):
            return
        timeout_us = job.tool.timeout_us or self._policy.upstreams[job.tool.upstream].timeout_us
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_us / 1_000_000) as deadline:
                await self._forward(job, deadline)

    async def _forward(self, job: Job, deadline: asyncio.Timeout) -> None:
        way = self._ways[job.tool.upstream]
        started = time.monotonic_ns()
        try:
            response = await way.upstream.call(
                job.exchange.head.method, job.exchange.head.target, self._headers(job, way), job.body
            )
        except UpstreamFailed as error:
            self._settle_failure(job, error, started)
            await _answer_failure(job, error)
        except asyncio.CancelledError:
            late = deadline.expired()
            text = "the upstream did not answer in time" if late else "the gateway stopped"
            failed = UpstreamFailed(text, dispatched=True, timeout=late)
            self._settle_failure(job, failed, started)
            if late:
                await _answer_failure(job, failed)
            raise
        else:
            await _Answering(self, job, response, started, deadline).run()

    async def _waited(self, job: Job) -> bool:
        """Wait as long as the decision says; False if the call is not to be sent after all."""
        if job.call.decision.wait_us:
            try:
                await asyncio.sleep(job.call.decision.wait_us / 1_000_000)
            except asyncio.CancelledError:
                self.settle(job, released="the gateway stopped before anything was sent")
                raise
        if job.exchange.gone:
            self.settle(job, released="the client left before anything was sent")
            return False
        return True

    def _headers(self, job: Job, way: Way) -> list[Header]:
        price = job.tool.price
        return to_upstream(
            job.exchange.head.headers,
            caller=job.caller,
            client=job.client,
            decision=job.call.decision.id,
            host=self._public_host,
            scheme=self._scheme,
            credential=way.credential,
            plain_body=price is not None and price.actual is ActualSource.BODY,
        )

    def _settle_failure(self, job: Job, error: UpstreamFailed, started: int) -> None:
        latency_us = (time.monotonic_ns() - started) // 1000
        if error.dispatched:
            self.settle(job, lost=str(error), latency_us=latency_us)
        else:
            self.settle(job, released=str(error), latency_us=latency_us)

    def settle(
        self,
        job: Job,
        *,
        cost_micros: int | None = None,
        status: int = 0,
        latency_us: int = 0,
        lost: str = "",
        released: str = "",
        answer: bytes | None = None,
    ) -> "asyncio.Task[None]":
        """Settle a call beside its answer; tried again while the store is unavailable."""
        call = job.call

        async def once() -> None:
            if released:
                await call.release(released)
            elif lost:
                await call.lose(lost, status=status, latency_us=latency_us)
            else:
                await call.commit(
                    cost_micros=cost_micros, failed=status >= FAILED_FROM, answer=answer, status=status,
                    latency_us=latency_us,
                )  # fmt: skip

        async def until_done() -> None:
            for attempt in range(SETTLE_ATTEMPTS):
                try:
                    await job.watch.run(once())
                except StoreUnavailable as error:
                    _log.warning("call %s is not settled yet: %s", call.decision.id, error)
                    call.settled = False
                    await asyncio.sleep(SETTLE_RETRY_S * 2**attempt)
                else:
                    self.allowed.add(job.watch.spent_ns)
                    return
            _log.error("call %s stays open; it will be assumed spent when it is due", call.decision.id)

        task = asyncio.create_task(until_done())
        self.settling.add(task)
        task.add_done_callback(self.settling.discard)
        return task

    async def repeat(self, exchange: Exchange, repeat: Repeat) -> None:
        """The stored answer of the first call with the same idempotency key."""
        extra = [(b"remit-decision", repeat.hold.encode()), (b"idempotent-replayed", b"true")]
        try:
            kept = msgspec.msgpack.decode(repeat.answer, type=KeptAnswer) if repeat.answer else None
            if kept is not None and not kept.cut:
                await exchange.respond(kept.status, [*kept.headers, *extra], kept.body)
                return
            detail = "The first call with this idempotency key succeeded, but its answer was not kept."
            if kept is None:
                detail = "The first call with this idempotency key was resolved as spent; its answer was never seen."
            body = trouble_body(
                status=409, title="The answer cannot be repeated", detail=detail, reason="answer_not_kept",
                decision=repeat.hold, instance=shown_path(exchange.head.target), terminal=True,
            )  # fmt: skip
            await exchange.respond(409, [(b"content-type", PROBLEM_TYPE), (b"x-should-retry", b"false"), *extra], body)
        except ClientGone:
            return

    def decided_headers(self, job: Job, cost_micros: int | None) -> list[Header]:
        """What every allowed answer says of the decision: its id, the limits on calls, the budget."""
        decision = job.call.decision
        currency = self._policy.currency
        headers: list[Header] = [(b"remit-decision", decision.id.encode())]
        headers.extend(rate_headers(decision.uses, decision.now_us))
        known = cost_micros is not None
        back = decision.held_micros - cost_micros if cost_micros is not None else 0
        reserved = None if known else decision.held_micros
        headers.extend(
            budget_header(
                decision.uses, currency=currency, cost_micros=cost_micros, reserved_micros=reserved,
                given_back_micros=back,
            )
        )  # fmt: skip
        return headers


async def _answer_failure(job: Job, error: UpstreamFailed) -> None:
    """The upstream gave no answer. Whether it is safe to try again depends on whether anything left."""
    status, reason, title = 502, "upstream_failed", "The upstream failed"
    if not error.dispatched:
        status, reason, title = 502, "upstream_unreachable", "The upstream cannot be reached"
    elif error.timeout:
        status, reason, title = 504, "upstream_timeout", "The upstream did not answer in time"
    detail = "Nothing was sent and nothing was charged." if not error.dispatched else (
        "Whether the call happened is not known, so what it may cost stays booked until that is resolved. "
        "Do not simply retry: it could happen twice."
    )  # fmt: skip
    body = trouble_body(
        status=status, title=title, detail=detail, reason=reason, decision=job.call.decision.id,
        instance=shown_path(job.exchange.head.target), terminal=error.dispatched,
    )  # fmt: skip
    headers: list[Header] = [(b"content-type", PROBLEM_TYPE), (b"remit-decision", job.call.decision.id.encode())]
    headers.append((b"x-should-retry", b"false") if error.dispatched else (b"retry-after", b"1"))
    try:
        await job.exchange.respond(status, headers, body)
    except ClientGone:
        return


class _Answering:
    """The way back of one answer. Collects what metering and idempotency need while the bytes pass."""

    def __init__(
        self, forwarding: Forwarding, job: Job, response: UpstreamResponse, started: int, deadline: asyncio.Timeout
    ) -> None:
        self.forwarding = forwarding
        self.deadline = deadline
        self.job = job
        self.response = response
        self.started = started
        price = job.tool.price
        assert price is not None
        self.price: Price = price
        self.currency = forwarding._policy.currency  # noqa: SLF001 - both halves of one module
        self.cost = cost_from_head(price, response.status, response.headers, self.currency)
        self.kept: list[bytes] | None = [] if self.cost is None or job.keep_answer else None
        self.kept_bytes = 0
        self.client_left = False

    async def run(self) -> None:
        """Send the answer on and settle the call."""
        whole = self.response.whole
        if whole is not None:
            self._collect(whole)
            self._settle()
            await self._send_whole(whole)
            return
        try:
            await self._stream()
        except UpstreamFailed as error:
            self._settle(lost=f"the answer broke off: {error}")
            self.job.exchange.abort()
        except asyncio.CancelledError:
            late = self.deadline.expired()
            self._settle(lost="the answer took too long" if late else "the gateway stopped in the middle of the answer")
            self.job.exchange.abort()
            raise
        finally:
            self.response.close()

    async def _send_whole(self, body: bytes) -> None:
        headers = to_client(self.response.headers) + self.forwarding.decided_headers(self.job, self._final_cost())
        try:
            if self.response.content_length is not None and self.job.exchange.head.method == "HEAD":
                await self.job.exchange.start(self.response.status, headers, self.response.content_length)
                await self.job.exchange.finish()
            else:
                await self.job.exchange.respond(self.response.status, headers, body)
        except ClientGone:
            self.client_left = True

    async def _stream(self) -> None:
        exchange, response = self.job.exchange, self.response
        headers = to_client(response.headers) + self.forwarding.decided_headers(self.job, self.cost)
        try:
            await exchange.start(response.status, headers, response.content_length)
        except ClientGone:
            self.client_left = True
        extended = time.monotonic_ns()
        ttl_us = self.job.call.template.ttl_us
        while data := await response.read_some():
            self._collect(data)
            if not self.client_left:
                await self._pass_on(data)
            if self.client_left and (self.cost is not None or self.kept is None):
                break
            if (time.monotonic_ns() - extended) // 1000 > ttl_us // 3:
                extended = time.monotonic_ns()
                await self.job.call.extend(ttl_us)
        self._settle()
        if not self.client_left:
            await self._finish()

    async def _pass_on(self, data: bytes) -> None:
        try:
            await self.job.exchange.send(data)
        except ClientGone:
            self.client_left = True

    async def _finish(self) -> None:
        trailers: list[Header] = []
        if self.cost is None:
            trailers = budget_header(
                self.job.call.decision.uses, currency=self.currency, cost_micros=self._final_cost(),
                given_back_micros=self.job.call.decision.held_micros - self._final_cost(),
            )  # fmt: skip
        try:
            await self.job.exchange.finish(trailers)
        except ClientGone:
            self.client_left = True

    def _collect(self, data: bytes) -> None:
        if self.kept is None:
            return
        self.kept.append(data)
        self.kept_bytes += len(data)
        if self.kept_bytes > MAX_METERED_BYTES:
            self.kept = None

    def _final_cost(self) -> int:
        if self.cost is not None:
            return self.cost
        return cost_from_body(self.price, None if self.kept is None else b"".join(self.kept), self.currency)

    def _settle(self, *, lost: str = "") -> None:
        latency_us = (time.monotonic_ns() - self.started) // 1000
        status = self.response.status
        if not lost and status >= UNKNOWN_FROM and status not in self.price.free_on:
            lost = f"the upstream answered {status}, which does not say whether the call happened"
        if lost:
            self.forwarding.settle(self.job, lost=lost, status=status, latency_us=latency_us)
            return
        answer = self._kept_answer() if self.job.keep_answer else None
        self.forwarding.settle(
            self.job, cost_micros=self._final_cost(), status=status, latency_us=latency_us, answer=answer
        )

    def _kept_answer(self) -> bytes:
        body = b"".join(self.kept) if self.kept is not None else b""
        cut = self.kept is None or len(body) > MAX_KEPT_ANSWER_BYTES
        headers = tuple(to_client(self.response.headers))
        return msgspec.msgpack.encode(KeptAnswer(self.response.status, headers, b"" if cut else body, cut))
