"""The leash without a server: guarded functions, in memory or on SQLite, no gateway and no YAML.

`Guard.tool` wraps a function, a coroutine function or a generator of either kind; each call is decided before it runs
and settled after it. `Guard.run` caps everything that happens inside a `with` block. A function that raises may have
spent its money all the same, so what it held stays booked, unless the exception is one of `free_on`.
"""

import functools
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from remit.contracts import TrustAnchors
from remit.core import units
from remit.core.caller import Caller, CredentialKind, Session
from remit.core.decision import Deny, Repeat
from remit.core.match import check_tool_name, parse_tool_patterns
from remit.core.money import check_currency, parse_money
from remit.core.policy import Budget, Concurrent, Dimension, Limit, Policy, Price, Quota, Rate, Rule, Tool
from remit.core.reasons import Reason
from remit.core.request import Request
from remit.core.schedule import Calendar, CalendarUnit, period_at
from remit.engine.guard import Call, Engine
from remit.engine.sync import Portal
from remit.entrypoints.leash import ACTIVE, Denied, Run
from remit.entrypoints.presenting import PRESENTED, Presented, Presenting, Verifier
from remit.entrypoints.wrapping import Given, Guarded, wrap
from remit.errors import CredentialError, UsageError
from remit.ports import Store
from remit.stores.opening import MEMORY, open_store

P = ParamSpec("P")
R = TypeVar("R")
Cost = str | Callable[..., str]

RUN_LIFETIME_US = 7 * 86_400_000_000
FREE = "free"
ONE_RATE_TEXT = "a rate such as `5/second`"


class Guard:
    """Guards functions of this process.

    `store` is `memory:` or `sqlite:///path`; `currency` is the one that all costs are in. `budget`, `calls` and `rate`
    cap everything this guard guards, together (`"20 USD/day"`, `"1000/hour"`, `"5/second"`). `agent` and `user` name
    the caller in the audit log. With `trust` (who may sign roots) the guard accepts contracts of other agents
    (`presented`), whose proofs must name `audience`.
    """

    def __init__(
        self,
        store: str = MEMORY,
        *,
        currency: str = "USD",
        budget: str | None = None,
        calls: str | None = None,
        rate: str | None = None,
        agent: str = "local",
        user: str | None = None,
        trust: TrustAnchors | None = None,
        audience: str = "",
    ) -> None:
        """Opens the store. Raises `UsageError` for texts it cannot read and `StoreError` for a store it cannot open."""
        self._currency = check_currency(currency)
        self._tools: dict[str, Tool] = {}
        self._limits: dict[str, Limit] = {}
        self._caller = Caller(
            kind=CredentialKind.LOCAL, id="local", address="local", agent=agent, user=user, tools=("*",)
        )
        self._verifier = None if trust is None else Verifier(trust, audience)
        self._portal = Portal(immediate=store == MEMORY)
        try:
            self._store: Store = self._portal.call(open_store(store, owner_note="remit.Guard"))
        except BaseException:
            self._portal.close()
            raise
        self._limit("guard", (), budget=budget, calls=calls, rate=rate, concurrent=None)
        self._engine = Engine(self._store, self._policy())

    def _policy(self) -> Policy:
        return Policy(digest="local", currency=self._currency, tools=dict(self._tools), limits=dict(self._limits))

    def _limit(
        self,
        name: str,
        tools: tuple[str, ...],
        *,
        budget: str | None,
        calls: str | None,
        rate: str | None,
        concurrent: int | None,
    ) -> None:
        rules: list[tuple[str, Rule]] = []
        if budget is not None:
            parsed = units.parse_budget(budget)
            self._check_currency(parsed.amount.currency, budget)
            rules.append(("budget", Budget(parsed.amount.micros, parsed.window)))
        if calls is not None:
            quota = units.parse_quota(calls)
            rules.append(("calls", Quota(quota.count, quota.window)))
        if rate is not None:
            speed = units.parse_rate(rate)
            if not speed.count:
                raise UsageError(f"`{rate}` lets nothing pass: write {ONE_RATE_TEXT}")
            rules.append(("rate", Rate(speed.count, speed.window_us, -(-speed.window_us // speed.count), speed.count)))
        if concurrent is not None:
            rules.append(("concurrent", Concurrent(concurrent)))
        for kind, rule in rules:
            full_name = f"{name} {kind}"
            per = (Dimension.TOOL,) if tools else ()
            self._limits[full_name] = Limit(name=full_name, rule=rule, per=per, tools=tools)

    def _check_currency(self, currency: str, text: str) -> None:
        if currency != self._currency:
            raise UsageError(f"`{text}` is not in {self._currency}, the currency of this guard")

    def tool(
        self,
        name: str,
        *,
        cost: Cost = FREE,
        actual: Callable[[Any], str] | None = None,
        budget: str | None = None,
        calls: str | None = None,
        rate: str | None = None,
        concurrent: int | None = None,
        free_on: tuple[type[BaseException], ...] = (),
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Guard a function as the tool `name`.

        `cost` is the most that one call may cost, or a function of the call's arguments that says so; `actual` reads
        from the result what it did cost. `budget`, `calls`, `rate` and `concurrent` cap this tool alone. An exception
        of `free_on` proves that nothing was spent. Raises `Denied` at a call that is refused.
        """
        check_tool_name(name)
        if name in self._tools:
            raise UsageError(f"the tool `{name}` is guarded already: give each function a name of its own")
        hold_micros = self.micros(cost) if isinstance(cost, str) else 0
        self._limit(name, (name,), budget=budget, calls=calls, rate=rate, concurrent=concurrent)
        self._tools[name] = Tool(name=name, price=Price(hold_micros=hold_micros), timeout_us=RUN_LIFETIME_US)
        self._engine.use(self._policy())
        priced = None if isinstance(cost, str) else cost
        return functools.partial(
            wrap, Guarded(guard=self, name=name, cost=priced, actual=actual, free_on=free_on)
        )  # fmt: skip

    def micros(self, text: str) -> int:
        """Read an amount in this guard's currency. Raises `UsageError`."""
        if text == FREE:
            return 0
        money = parse_money(text)
        self._check_currency(money.currency, text)
        return money.micros

    def run(
        self,
        name: str,
        *,
        budget: str | None = None,
        calls: int | None = None,
        per: str | None = None,
        timezone: str = "UTC",
    ) -> Run:
        """A cap on everything inside `with guard.run(...)`: at most `budget` and at most `calls` guarded calls.

        Fresh each time it is entered; with `per="day"` (or `hour`, `week`, `month`) all runs of that name in one
        calendar period share one cap. A run inside another is charged to both.
        """
        budget_micros = None if budget is None else self.micros(budget)
        calendar = None if per is None else Calendar(_unit(per), timezone)
        if calls is not None and calls < 0:
            raise UsageError("`calls` cannot be negative; 0 allows no call")

        def open_session(parent: Session | None) -> Session:
            now_us = self._store.now_us()
            id_, expires_us = f"run {os.urandom(13).hex()}", now_us + RUN_LIFETIME_US
            if calendar is not None:
                period = period_at(calendar, now_us)
                id_, expires_us = f"run {name} {per} {timezone} {period.start_us}", period.end_us
            return Session(
                id=id_, expires_us=expires_us, budget_micros=budget_micros, calls=calls, named=name, parent=parent
            )

        return Run(name, open_session)

    def presented(self, chain: str, proof: str) -> Presenting:
        """The call inside `with guard.presented(chain, proof)` is made by the holder of that contract chain.

        `proof` is for one call of one tool with its arguments (`remit.contracts.make_tool_proof`).
        """
        if self._verifier is None:
            raise UsageError("this guard trusts no issuer: give it `trust` and an `audience`")
        return Presenting(Presented(chain, proof))

    async def admit(self, name: str, cost_micros: int | None, given: Given) -> Call:
        """Decide one call of the tool `name` inside the active run. Raises `Denied`."""
        caller = replace(self._caller, session=ACTIVE.get())
        request = Request(tool=name, cost_micros=cost_micros)
        presented = PRESENTED.get()
        decided: Call | Deny | Repeat
        if presented is not None and self._verifier is not None:
            decided = await self._admit_presented(presented, request, given)
        elif self._costs(name, cost_micros) and caller.session is None and not self._capped(name):
            detail = f"`{name}` costs money and no budget covers it."
            decided = await self._engine.refuse(Reason.BUDGET_REQUIRED, detail, request, caller)
        else:
            decided = await self._engine.admit(request, caller)
        if isinstance(decided, Deny):
            raise Denied(decided)
        assert isinstance(decided, Call)
        return decided

    async def _admit_presented(self, presented: Presented, request: Request, given: Given) -> Call | Deny | Repeat:
        assert self._verifier is not None
        now_us = self._store.now_us()
        try:
            arguments = given()
            caller, proof = self._verifier.caller(presented, tool=request.tool, given=arguments, now_us=now_us)
        except CredentialError as error:
            return await self._engine.refuse(Reason(error.reason), f"{error}.", request, self._caller)
        asked = replace(request, given=arguments, arguments=arguments, proof=proof)
        return await self._engine.admit(asked, replace(caller, session=ACTIVE.get()))

    def _costs(self, name: str, cost_micros: int | None) -> bool:
        price = self._tools[name].price
        return bool(price.hold_micros if cost_micros is None and price is not None else cost_micros)

    def _capped(self, name: str) -> bool:
        """Whether some budget of this guard covers the tool."""
        limits = (limit for limit in self._limits.values() if isinstance(limit.rule, Budget))
        return any(not limit.tools or parse_tool_patterns(limit.tools).match(name) for limit in limits)

    def call(self, work: Coroutine[Any, Any, R]) -> R:
        """Do asynchronous work of this guard from ordinary code."""
        return self._portal.call(work)

    async def acall(self, work: Coroutine[Any, Any, R]) -> R:
        """Do asynchronous work of this guard from any event loop."""
        return await self._portal.acall(work)

    def close(self) -> None:
        """Let go of the store. What was booked is kept if the store is durable."""
        self._portal.call(self._store.close())
        self._portal.close()

    def __enter__(self) -> "Guard":
        """A guard may be used as a context manager, which closes it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _unit(per: str) -> CalendarUnit:
    try:
        return CalendarUnit(per)
    except ValueError:
        raise UsageError(f"`{per}` is not a period: write `hour`, `day`, `week`, `month` or `year`") from None
