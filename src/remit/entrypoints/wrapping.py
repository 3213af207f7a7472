"""How a guarded function is called: decide, run, settle; for functions, coroutines and generators of both kinds.

Whatever way a call ends, it is settled exactly once: with its actual cost when it returns, as released when an
exception proves that nothing was spent, and as lost (assumed spent in full) when it raises anything else.
"""

import functools
import inspect
import time
from asyncio import sleep
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar, cast

from remit.core.strict_json import JsonValue
from remit.engine.guard import Call
from remit.entrypoints.presenting import given_arguments
from remit.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")


Given = Callable[[], dict[str, JsonValue]]


class Guarding(Protocol):
    """What a wrapped function asks of its guard."""

    async def admit(self, name: str, cost_micros: int | None, given: Given) -> Call:
        """Decide one call; `given` gives its arguments by name where they matter. Raises `Denied`."""
        ...

    def call(self, work: Coroutine[Any, Any, R]) -> R:
        """Do asynchronous work from ordinary code."""
        ...

    async def acall(self, work: Coroutine[Any, Any, R]) -> R:
        """Do asynchronous work from any event loop."""
        ...

    def micros(self, text: str) -> int:
        """Read an amount in the guard's currency."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """One guarded function. `cost` computes the most a call may cost, `actual` reads from the result what it did."""

    guard: Guarding
    name: str
    cost: Callable[..., str] | None
    actual: Callable[[Any], str] | None
    free_on: tuple[type[BaseException], ...]

    def cost_micros(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> int | None:
        """What this call may cost, if that depends on its arguments."""
        return None if self.cost is None else self.guard.micros(self.cost(*arguments, **named))

    def admission(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Coroutine[Any, Any, Call]:
        """The decision about one call of `function`."""
        given = functools.partial(given_arguments, function, arguments, named)
        return self.guard.admit(self.name, self.cost_micros(arguments, named), given)

    def settled(self, call: Call, result: object) -> Coroutine[Any, Any, object]:
        """The settlement of a call that returned."""
        micros = None if self.actual is None else self.guard.micros(self.actual(result))
        return call.commit(cost_micros=micros)

    def failed(self, call: Call, error: BaseException) -> Coroutine[Any, Any, None]:
        """The settlement of a call that raised."""
        evidence = f"raised {type(error).__name__}"
        return call.release(evidence) if isinstance(error, self.free_on) else call.lose(evidence)


def wrap(guarded: Guarded, function: Callable[P, R]) -> Callable[P, R]:
    """The function that decides before it calls `function`, and settles after it."""
    if inspect.isasyncgenfunction(function):
        _refuse_actual(guarded)
        made: Any = _async_generator(guarded, function)
    elif inspect.iscoroutinefunction(function):
        made = _coroutine(guarded, function)
    elif inspect.isgeneratorfunction(function):
        _refuse_actual(guarded)
        made = _generator(guarded, function)
    else:
        made = _function(guarded, function)
    return cast("Callable[P, R]", functools.wraps(function)(made))


def _refuse_actual(guarded: Guarded) -> None:
    if guarded.actual is not None:
        raise UsageError(f"`{guarded.name}` is a generator: its calls cost what `cost` says, so leave `actual` out")


def _function(guarded: Guarded, function: Callable[..., Any]) -> Callable[..., Any]:
    guard = guarded.guard

    def call_it(*arguments: Any, **named: Any) -> Any:
        call = guard.call(guarded.admission(function, arguments, named))
        time.sleep(call.decision.wait_us / 1_000_000)
        try:
            result = function(*arguments, **named)
        except BaseException as error:
            guard.call(guarded.failed(call, error))
            raise
        guard.call(guarded.settled(call, result))
        return result

    return call_it


def _coroutine(guarded: Guarded, function: Callable[..., Any]) -> Callable[..., Any]:
    guard = guarded.guard

    async def call_it(*arguments: Any, **named: Any) -> Any:
        call = await guard.acall(guarded.admission(function, arguments, named))
        try:
            if call.decision.wait_us:
                await sleep(call.decision.wait_us / 1_000_000)
            result = await function(*arguments, **named)
        except BaseException as error:
            await guard.acall(guarded.failed(call, error))
            raise
        await guard.acall(guarded.settled(call, result))
        return result

    return call_it


def _generator(guarded: Guarded, function: Callable[..., Any]) -> Callable[..., Any]:
    guard = guarded.guard

    def call_it(*arguments: Any, **named: Any) -> Generator[Any, Any, Any]:
        call = guard.call(guarded.admission(function, arguments, named))
        time.sleep(call.decision.wait_us / 1_000_000)
        try:
            result = yield from function(*arguments, **named)
        except GeneratorExit:
            guard.call(call.commit())
            raise
        except BaseException as error:
            guard.call(guarded.failed(call, error))
            raise
        guard.call(call.commit())
        return result

    return call_it


def _async_generator(guarded: Guarded, function: Callable[..., Any]) -> Callable[..., Any]:
    guard = guarded.guard

    async def call_it(*arguments: Any, **named: Any) -> AsyncGenerator[Any, Any]:
        call = await guard.acall(guarded.admission(function, arguments, named))
        inner = function(*arguments, **named)
        try:
            if call.decision.wait_us:
                await sleep(call.decision.wait_us / 1_000_000)
            async for item in inner:
                yield item
        except GeneratorExit:
            await inner.aclose()
            await guard.acall(call.commit())
            raise
        except BaseException as error:
            await guard.acall(guarded.failed(call, error))
            raise
        await guard.acall(call.commit())

    return call_it
