"""The rows of the table. Each is a function that measures one comparison."""

import asyncio
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from limits import RateLimitItemPerHour, storage, strategies

from bench.engines import Contracts, engine, key_caller, now_us
from bench.measure import Row, compare, timed_us
from remit.contracts import verify_dpop
from remit.core.request import Request
from remit.engine.guard import Call, Engine
from remit.engine.sync import drive
from remit.identity.callers import caller_of_chain
from remit.stores.memory import MemoryStore
from remit.stores.sqlite import SqliteStore

PAY = Request(tool="pay")
TIMES = 200
AT_ONCE = 64
BURST = 960


def _call(guard: Engine, caller: Any, request: Request = PAY) -> None:
    decided = drive(guard.admit(request, caller))
    assert isinstance(decided, Call)
    drive(decided.commit())


def decision_vs_8_limits() -> Row:
    """The in-process decision over eight limits, all or nothing, against eight hits of `limits`."""
    guard, caller = engine(MemoryStore()), key_caller()
    peer = strategies.FixedWindowRateLimiter(storage.MemoryStorage())
    items = [RateLimitItemPerHour(10**9, namespace=f"limit{number}") for number in range(8)]

    def decide() -> float:
        return timed_us(lambda: drive(guard.admit(PAY, caller)), TIMES)

    def hit() -> float:
        return timed_us(lambda: [peer.hit(item, "user", "agent") for item in items], TIMES)

    note = "ours holds money and writes the audit record, atomically; theirs are eight separate counters"
    return compare("decision_vs_8_limits", decide, hit, unit="us", note=note)


def chain_of_3_vs_api_key() -> Row:
    """A whole guarded call under a cached chain of three against one with an API key."""
    contracts, guard = Contracts(), engine(MemoryStore())
    key = key_caller()

    def by_chain() -> None:
        verified = contracts.cache.verify(contracts.text, contracts.anchors, now_us=now_us())
        _call(guard, caller_of_chain(verified.chain, address="127.0.0.0/24", credential=verified.ath))

    note = "no proof; the chain adds 3 limits, 6 gates and up to 2 more cells for each limit per agent"
    return compare(
        "chain_of_3_vs_api_key", lambda: timed_us(by_chain, TIMES), lambda: timed_us(lambda: _call(guard, key), TIMES),
        unit="us", note=note,
    )  # fmt: skip


def fresh_proof_vs_cached_chain() -> Row:
    """The same call with a fresh ES256 proof against the call without one."""
    contracts, guard = Contracts(), engine(MemoryStore())

    def call(proof: str | None) -> None:
        verified = contracts.cache.verify(contracts.text, contracts.anchors, now_us=now_us())
        caller, request = caller_of_chain(verified.chain, address="127.0.0.0/24", credential=verified.ath), PAY
        if proof is not None:
            checked = verify_dpop(
                [proof], contracts.call, ath=verified.ath, thumbprint=verified.leaf_key.thumbprint, now_us=now_us(),
                must_bind_request=True,
            )  # fmt: skip
            request = Request(tool="pay", proof=(checked.single_use.key, checked.single_use.not_after_us))
        _call(guard, caller, request)

    def proven() -> float:
        proofs = iter([contracts.proof() for _ in range(TIMES)])
        return timed_us(lambda: call(next(proofs)), TIMES)

    return compare(
        "fresh_proof_vs_cached_chain", proven, lambda: timed_us(lambda: call(None), TIMES), unit="us",
        note="the difference is one ES256 signature check, its JSON, and the replay check in the batch",
    )  # fmt: skip


def sqlite_group_commit() -> Row:
    """Durable calls a second with 64 at once against one at a time, on the same file."""
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        store = runner.run(SqliteStore.open(str(Path(folder) / "bench.db")))
        guard, caller = engine(store), key_caller()

        def rate(at_once: int, total: int) -> float:
            return runner.run(_rate(guard, caller, at_once=at_once, total=total))

        row = compare(
            "sqlite_group_commit", lambda: rate(AT_ONCE, BURST), lambda: rate(1, BURST // 8), unit="calls/s", rounds=7,
            note="a call is two durable steps: admit and commit, each with its audit record",
        )  # fmt: skip
        runner.run(store.close())
        return row


async def _rate(guard: Engine, caller: Any, *, at_once: int, total: int) -> float:
    async def worker() -> None:
        for _ in range(total // at_once):
            decided = await guard.admit(PAY, caller)
            assert isinstance(decided, Call)
            await decided.commit()

    started = asyncio.get_running_loop().time()
    work: list[Coroutine[Any, Any, None]] = [worker() for _ in range(at_once)]
    await asyncio.gather(*work)
    return total / (asyncio.get_running_loop().time() - started)


ROWS: tuple[Callable[[], Row], ...] = (
    decision_vs_8_limits,
    chain_of_3_vs_api_key,
    fresh_proof_vs_cached_chain,
    sqlite_group_commit,
)
