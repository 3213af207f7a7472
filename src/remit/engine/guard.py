"""The engine behind every guard: prepare, apply, conclude, and later settle. It holds no rules of its own.

`Engine.admit` answers with a `Call` (go ahead, and settle it afterwards), a `Deny`, or a `Repeat` (an idempotent call
that was made before). A call is settled once: `commit` with what it did cost, `release` when it is proven that nothing
happened, `lose` when nobody will ever know. Store trouble refuses; nothing is ever allowed because of it.
"""

import asyncio
import contextlib
import logging

from remit.audit.redact import Redaction
from remit.core.caller import Caller
from remit.core.decide import Plan, authorize, deny, permitted
from remit.core.decision import Allow, Decision, Deny, LimitUse, Repeat
from remit.core.ledger import operations as ops
from remit.core.policy import Dimension, Policy, Tool
from remit.core.prepare import prepare
from remit.core.reasons import REASONS, Reason
from remit.core.request import Request
from remit.core.template import StaticDenial, Template
from remit.engine.drafts import Asked, DecisionDraft, DenialDraft, SettlementDraft
from remit.engine.events import CallDecided, CallSettled, Silent
from remit.engine.ids import DecisionIds
from remit.errors import CredentialError, InvariantBroken, StoreUnavailable
from remit.ports import Observer, Store

MAX_TEMPLATES = 50_000
MAX_PLANS = 4
SWEEP_EVERY_S = 1.0
SWEEP_LIMIT = 200
STORE_DEADLINE_S = 3.0
"""How long a call waits for its decision to become durable before it is refused with 503."""

_log = logging.getLogger("remit.engine")


class Call:
    """An allowed call that has to be settled. `decision` is what was decided about it."""

    __slots__ = ("decision", "engine", "settled", "template")

    def __init__(self, engine: "Engine", decision: Allow, template: Template) -> None:
        """Made by `Engine.admit` only."""
        self.engine = engine
        self.decision = decision
        self.template = template
        self.settled = False

    async def commit(
        self,
        *,
        cost_micros: int | None = None,
        failed: bool = False,
        answer: bytes | None = None,
        status: int = 0,
        latency_us: int = 0,
    ) -> tuple[LimitUse, ...]:
        """Book the actual cost (None: what was held) and answer how the limits stand now.

        `failed` feeds the failure limits; `answer` is kept for idempotent repeats.
        """
        actuals = {} if cost_micros is None else {self.template.currency: cost_micros}
        then = self.template.on_failure if failed else ()
        if not self.decision.hold:
            await self._settle("commit", *then)
            return ()
        operation = ops.Commit(self.decision.hold, actuals, answer, then)
        outcome = await self._settle("commit", operation, status=status, latency_us=latency_us)
        return self._uses(outcome)

    async def release(self, evidence: str) -> None:
        """Nothing happened upstream, and `evidence` says how that is known."""
        if self.decision.hold:
            await self._settle("release", ops.Release(self.decision.hold, evidence), evidence=evidence)

    async def lose(self, evidence: str, *, status: int = 0, latency_us: int = 0) -> None:
        """Nobody will ever report on this call: it is assumed to have been spent until somebody resolves it."""
        then = self.template.on_failure
        if self.decision.hold:
            operation = ops.Expire(hold=self.decision.hold, then=then)
            await self._settle("lose", operation, status=status, evidence=evidence, latency_us=latency_us)
        else:
            await self._settle("lose", *then)

    async def extend(self, ttl_us: int) -> None:
        """Keep the hold of a long call alive until `ttl_us` from now."""
        if self.decision.hold:
            batch = ops.Batch(self.engine.new_id(), (ops.Extend(self.decision.hold, ttl_us),))
            await self.engine.store.apply(batch)

    async def _settle(
        self, step: str, *operations: ops.Operation, status: int = 0, evidence: str = "", latency_us: int = 0
    ) -> ops.Outcome | None:
        if self.settled:
            raise InvariantBroken(f"call {self.decision.id} was settled twice")
        self.settled = True
        if not operations:
            return None
        draft = SettlementDraft(latency_us=latency_us, status=status, evidence=evidence)
        batch = ops.Batch(f"{self.decision.id}/{step}", operations, record=draft)
        outcome = await self.engine.store.apply(batch)
        self.engine.observer.observe(CallSettled(self.decision, step, status, evidence, draft.over, draft.frozen))
        return outcome

    def _uses(self, outcome: ops.Outcome | None) -> tuple[LimitUse, ...]:
        if not isinstance(outcome, ops.Applied):
            return ()
        bounds = self.template.entry_bounds
        return tuple(
            LimitUse(
                limit=bound.limit, kind=bound.kind, unit=bound.unit, per=bound.per, max=view.max, used=view.used,
                held=view.held, reset_us=view.reset_us, window_us=bound.window_us, count=bound.count, own=bound.own,
            )
            for bound, view in zip(bounds, outcome.views, strict=False)
        )  # fmt: skip


class Engine:
    """Decides and settles calls against one policy and one store; both may be shared by many tasks."""

    def __init__(self, store: Store, policy: Policy, *, observer: Observer | None = None) -> None:
        """Nothing is started yet: `start` begins to sweep due holds."""
        self.store = store
        self.observer: Observer = observer or Silent()
        self._ids = DecisionIds()
        self._templates: dict[tuple[str | None, ...], Template | StaticDenial] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._giving_back: set[asyncio.Task[None]] = set()
        self.use(policy)

    def use(self, policy: Policy) -> None:
        """Decide by `policy` from now on. Counters live in the store and are kept where their cells stay the same."""
        self.policy = policy
        redaction = Redaction.parse(policy.audit.redact)
        self._redactions = {
            name: redaction.of_tool({a.name: f"{a.source}.{a.member}" for a in tool.arguments})
            for name, tool in policy.tools.items()
        }
        self._nothing_hidden = redaction.of_tool({})
        per = {dimension for limit in policy.limits.values() for dimension in limit.per}
        self._by_target = Dimension.TARGET in per
        self._by_address = Dimension.ADDRESS in per
        self._templates.clear()

    def new_id(self) -> str:
        """A fresh decision id."""
        return self._ids.next(self.store.now_us())

    async def admit(self, request: Request, caller: Caller) -> Call | Deny | Repeat:
        """Decide one call. A `Call` holds what it may cost until it is settled."""
        tool = self.policy.tools.get(request.tool)
        if tool is None:
            return await self.refuse(Reason.UNKNOWN_TOOL, f"there is no tool `{request.tool}`", request, caller)
        if tool.price is None and request.cost_micros is None:
            return await self.refuse(Reason.UNPRICED, REASONS[Reason.UNPRICED].title, request, caller)
        try:
            return await self._admit(request, caller, tool)
        except StoreUnavailable as error:
            _log.warning("store unavailable: %s", error)
            now_us = self.store.now_us()
            return Deny(id=self.new_id(), now_us=now_us, reason=Reason.STORE_UNAVAILABLE, tool=tool.name,
                        detail="The guard could not record the decision, so it did not allow the call.")  # fmt: skip

    async def _admit(self, request: Request, caller: Caller, tool: Tool) -> Call | Deny | Repeat:
        asked = Asked(caller=caller, request=request, policy=self.policy.digest, redact=self._redactions[tool.name])
        refusal = permitted(caller, request)
        for _ in range(MAX_PLANS):
            template = refusal or self._template(request, caller, tool)
            id_ = self.new_id()
            if isinstance(template, StaticDenial):
                denied = deny(id_, self.store.now_us(), template, tool=tool.name)
                return await self._record_denial(denied, request, caller)
            draft = DecisionDraft(asked)
            plan = draft.plan = authorize(template, request, id=id_, epoch=self.store.epoch, record=draft)
            outcome = await self._apply_in_time(plan)
            if isinstance(outcome, ops.Stale):
                self._templates.clear()
                continue
            return self._answer(draft, plan)
        raise StoreUnavailable("the plan was stale each time it was made")

    async def _apply_in_time(self, plan: Plan) -> ops.Outcome:
        """Apply a plan, but not for ever. A hold that becomes durable after all is released: nothing was sent for it."""
        if self.store.immediate:
            return await self.store.apply(plan.batch)
        try:
            async with asyncio.timeout(STORE_DEADLINE_S):
                return await self.store.apply(plan.batch)
        except TimeoutError:
            if plan.template.entries:
                task = asyncio.create_task(self._give_back(plan.batch.id))
                self._giving_back.add(task)
                task.add_done_callback(self._giving_back.discard)
            raise StoreUnavailable(f"the store did not answer within {STORE_DEADLINE_S} s") from None

    async def _give_back(self, hold: str) -> None:
        evidence = "the guard gave up waiting for its store, so nothing was sent"
        with contextlib.suppress(StoreUnavailable):
            draft = SettlementDraft(evidence=evidence)
            await self.store.apply(ops.Batch(f"{hold}/release", (ops.Release(hold, evidence),), record=draft))

    def _answer(self, draft: DecisionDraft, plan: Plan) -> Call | Deny | Repeat:
        decision: Decision | None = draft.decision
        if decision is None:
            raise InvariantBroken("a batch was answered without its decision")
        self.observer.observe(CallDecided(decision, plan.template.caller))
        if isinstance(decision, Allow):
            return Call(self, decision, plan.template)
        return decision

    async def use_proof(self, key: str, not_after_us: int) -> None:
        """Use up a proof that is for no call. Raises `CredentialError` (`replayed`) if it was used before."""
        outcome = await self.store.apply(ops.Batch(self.new_id(), (ops.Once(key, not_after_us),)))
        if not isinstance(outcome, ops.Applied):
            raise CredentialError("the proof was used before", reason=Reason.REPLAYED.value)

    async def refuse(
        self, reason: Reason, detail: str, request: Request, caller: Caller, *, hop: int | None = None
    ) -> Deny:
        """A denial that the ledger has no part in, recorded like any other."""
        now_us, id_ = self.store.now_us(), self.new_id()
        denied = Deny(id=id_, now_us=now_us, reason=reason, detail=detail, tool=request.tool, hop=hop)
        with contextlib.suppress(StoreUnavailable):
            return await self._record_denial(denied, request, caller)
        return denied

    async def _record_denial(self, denied: Deny, request: Request, caller: Caller) -> Deny:
        redact = self._redactions.get(request.tool, self._nothing_hidden)
        draft = DenialDraft(denied, Asked(caller=caller, request=request, policy=self.policy.digest, redact=redact))
        await self.store.apply(ops.Batch(denied.id, (), record=draft))
        self.observer.observe(CallDecided(denied, caller))
        return denied

    def _template(self, request: Request, caller: Caller, tool: Tool) -> Template | StaticDenial:
        priced = request.cost_micros is not None or (tool.price is not None and tool.price.hold_micros > 0)
        session = caller.session.id if caller.session is not None else None
        key = (
            caller.kind, caller.id, session, caller.credential, "bound" if caller.bound else None, tool.name,
            "priced" if priced else None,
            request.target if self._by_target else None, caller.address if self._by_address else None,
        )  # fmt: skip
        now_us = self.store.now_us()
        found = self._templates.get(key)
        if found is not None and (
            isinstance(found, StaticDenial) or found.valid_from_us <= now_us < found.valid_until_us
        ):
            return found
        if len(self._templates) >= MAX_TEMPLATES:
            self._templates.clear()
        made = prepare(self.policy, caller, tool, target=request.target, priced=priced, now_us=now_us)
        self._templates[key] = made
        return made

    async def start(self) -> None:
        """Begin to sweep due holds every second."""
        self._sweeper = asyncio.create_task(self._sweep(), name="remit-sweeper")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            with contextlib.suppress(StoreUnavailable):
                await self.sweep()

    async def sweep(self) -> None:
        """End the holds that are due, a bounded number at a time."""
        await self.store.apply(ops.Batch(self.new_id(), (ops.Expire(SWEEP_LIMIT),)))

    async def close(self) -> None:
        """Stop sweeping; the store is closed by whoever opened it."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
            self._sweeper = None
