"""The leash without a server: guarded functions and runs, in memory and on SQLite."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from remit import Denied, Guard, UsageError


@pytest.fixture(params=["memory", "sqlite"])
def guard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guard]:
    store = "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/remit.db"
    with Guard(store) as made:
        yield made


def spent(guard: Guard) -> dict[str, int]:
    """What is booked in all cells together, by limit."""
    cells = guard.call(guard._store.cells())
    return {cell.key: cell.used + cell.held for cell in cells if cell.used or cell.held}


def test_a_run_stops_at_its_budget_before_the_money_is_gone(guard: Guard) -> None:
    calls = []

    @guard.tool("search.paid", cost="0.01 USD")
    def search(query: str) -> str:
        calls.append(query)
        return query.upper()

    with guard.run("nightly", budget="0.05 USD"):
        assert [search(f"q{n}") for n in range(5)] == ["Q0", "Q1", "Q2", "Q3", "Q4"]
        with pytest.raises(Denied, match="budget_exhausted") as caught:
            search("one too many")
    assert caught.value.terminal
    assert len(calls) == 5


def test_a_run_stops_after_its_number_of_calls(guard: Guard) -> None:
    @guard.tool("ping")
    def ping() -> None: ...

    with guard.run("short", calls=2):
        ping()
        ping()
        with pytest.raises(Denied, match="lifetime_quota_exhausted"):
            ping()


def test_a_run_is_fresh_each_time_unless_it_is_continued_within_a_period(guard: Guard) -> None:
    @guard.tool("ping")
    def ping() -> None: ...

    for _ in range(2):
        with guard.run("fresh", calls=1):
            ping()
    with guard.run("daily", calls=1, per="day"):
        ping()
    with guard.run("daily", calls=1, per="day"), pytest.raises(Denied):
        ping()


def test_a_run_inside_a_run_is_charged_to_both(guard: Guard) -> None:
    @guard.tool("ping")
    def ping() -> None: ...

    with guard.run("outer", calls=2):
        with guard.run("inner", calls=5):
            ping()
            ping()
            with pytest.raises(Denied) as caught:
                ping()
        assert caught.value.decision.violated == ("run outer",)


def test_money_without_a_budget_is_refused(guard: Guard) -> None:
    @guard.tool("pay", cost="1 USD")
    def pay() -> None: ...

    with pytest.raises(Denied, match="budget_required"):
        pay()


def test_limits_of_a_tool_hold_without_a_run(guard: Guard) -> None:
    @guard.tool("pay", cost="1 USD", budget="2 USD/day")
    def pay() -> None: ...

    @guard.tool("ping", calls="1/hour")
    def ping() -> None: ...

    pay()
    pay()
    with pytest.raises(Denied, match="budget_exhausted"):
        pay()
    ping()
    with pytest.raises(Denied, match="quota_exhausted"):
        ping()


def test_the_actual_cost_is_booked_and_the_rest_is_usable_at_once(guard: Guard) -> None:
    @guard.tool("llm", cost="1 USD", actual=lambda result: f"{result} USD")
    def ask(cost: str) -> str:
        return cost

    with guard.run("r", budget="1 USD"):
        ask("0.25")
        with pytest.raises(Denied):
            ask("0.25")
    assert sorted(spent(guard).values()) == [250_000]


def test_a_cost_may_depend_on_the_arguments(guard: Guard) -> None:
    @guard.tool("pages", cost=lambda pages: f"{pages} USD")
    def read(pages: int) -> int:
        return pages

    with guard.run("r", budget="5 USD"):
        assert read(3) == 3
        with pytest.raises(Denied, match=r"this call may cost 3\.00 USD"):
            read(3)
        assert read(2) == 2


def test_an_exception_keeps_the_money_booked_unless_it_proves_that_nothing_was_spent(guard: Guard) -> None:
    @guard.tool("pay", cost="1 USD", free_on=(ConnectionRefusedError,))
    def pay(error: type[Exception]) -> None:
        raise error

    with guard.run("r", budget="10 USD"):
        with pytest.raises(ConnectionRefusedError):
            pay(ConnectionRefusedError)
        assert spent(guard) == {}
        with pytest.raises(TimeoutError):
            pay(TimeoutError)
        assert sorted(spent(guard).values()) == [1_000_000]


async def test_coroutines_are_guarded_and_cancellation_keeps_the_money_booked(guard: Guard) -> None:
    started = asyncio.Event()

    @guard.tool("slow", cost="1 USD")
    async def slow() -> str:
        started.set()
        await asyncio.sleep(60)
        return "never"

    @guard.tool("quick", cost="1 USD")
    async def quick() -> str:
        return "done"

    async with guard.run("r", budget="2 USD"):
        assert await quick() == "done"
        task = asyncio.create_task(slow())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(Denied):
            await quick()


def test_a_generator_is_one_call_however_it_ends(guard: Guard) -> None:
    @guard.tool("stream", cost="1 USD")
    def stream(n: int) -> Iterator[int]:
        yield from range(n)

    with guard.run("r", budget="2 USD"):
        assert list(stream(3)) == [0, 1, 2]
        half = stream(3)
        next(half)
        half.close()  # type: ignore[attr-defined] # the annotation says iterator, it is a generator
        with pytest.raises(Denied):
            list(stream(1))


async def test_an_asynchronous_generator_is_one_call_however_it_ends(guard: Guard) -> None:
    @guard.tool("stream", cost="1 USD")
    async def stream(n: int) -> AsyncIterator[int]:
        for item in range(n):
            yield item

    async with guard.run("r", budget="2 USD"):
        assert [item async for item in stream(3)] == [0, 1, 2]
        async for _ in stream(3):
            break
        with pytest.raises(Denied):
            await anext(aiter(stream(1)))


def test_many_threads_spend_exactly_the_budget(guard: Guard) -> None:
    done: list[int] = []

    @guard.tool("pay", cost="0.10 USD")
    def pay() -> None:
        done.append(1)

    def work() -> None:
        with guard.run("shared", budget="2 USD", per="year"):
            for _ in range(20):
                try:
                    pay()
                except Denied:
                    return

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 20


def test_what_was_spent_is_still_spent_after_a_restart(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/remit.db"
    for expected in ("done", "denied"):
        with Guard(store) as guard:

            @guard.tool("pay", cost="1 USD", budget="1 USD/year")
            def pay() -> str:
                return "done"

            try:
                assert pay() == expected
            except Denied:
                assert expected == "denied"


def test_texts_that_cannot_be_read_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="not a store"):
        Guard("postgres://x")
    with pytest.raises(UsageError, match="not a known currency"):
        Guard(currency="usd")
    guard = Guard()
    for wrong in ({"cost": "1 EUR"}, {"cost": "-1 USD"}, {"calls": "many"}, {"rate": "5"}, {"budget": "5"}):
        with pytest.raises(UsageError):
            guard.tool("x", **wrong)  # type: ignore[arg-type] # wrong on purpose
    with pytest.raises(UsageError, match="not a tool name"):
        guard.tool("a b")
    with pytest.raises(UsageError, match="not a period"):
        guard.run("r", per="fortnight")
