"""A decision as a value: what was decided, why, and by which limit. Rendering it is the entrypoints' business."""

import msgspec

from remit.core.reasons import REASONS, WAITING_HELPS_US, About, Reason


class LimitUse(msgspec.Struct, frozen=True, kw_only=True):
    """How one limit stands after a decision. `unit` is `calls`, a currency, `slots` or the name of weighted units.

    `window_us` is the nominal length of its period (0: none), `reset_us` when more room comes by itself (0: never).
    `count` is the number in a rate (whose `max` is the burst). `own` says that the limit counts the caller itself, and nobody above it, so that its figures may be shown.
    """

    limit: str
    kind: str
    unit: str
    per: tuple[str, ...]
    max: int
    used: int
    held: int
    reset_us: int
    window_us: int
    count: int = 0
    own: bool = True

    @property
    def remaining(self) -> int:
        """What is left, never below zero."""
        return max(0, self.max - self.used - self.held)


class Allow(msgspec.Struct, frozen=True, kw_only=True):
    """The call may be made. `hold` is its id in the ledger ("" if it holds nothing); `wait_us` is to be waited first.

    `would_refuse` names limits in observe or soft mode that were full; `warnings` are levels crossed by this call.
    """

    id: str
    now_us: int
    tool: str
    hold: str = ""
    held_micros: int = 0
    uses: tuple[LimitUse, ...] = ()
    wait_us: int = 0
    would_refuse: tuple[str, ...] = ()
    warnings: tuple[tuple[str, int], ...] = ()


class Deny(msgspec.Struct, frozen=True, kw_only=True):
    """The call may not be made. `use` is the limit that bound it, `retry_at_us` when waiting could help (0: it does not).

    `violated` names every limit that refused, the binding one first.
    """

    id: str
    now_us: int
    reason: Reason
    detail: str
    tool: str = ""
    use: LimitUse | None = None
    violated: tuple[str, ...] = ()
    retry_at_us: int = 0
    uses: tuple[LimitUse, ...] = ()
    hop: int | None = None

    @property
    def about(self) -> About:
        """The row of the reasons table."""
        return REASONS[self.reason]

    @property
    def terminal(self) -> bool:
        """Whether the same call should not simply be tried again."""
        if self.about.terminal:
            return True
        if self.about.status == 503 or self.reason is Reason.IDEMPOTENCY_IN_FLIGHT:
            return False
        if self.reason is Reason.TOO_MANY_IN_FLIGHT:
            return False
        return self.retry_at_us <= 0 or self.retry_at_us - self.now_us > WAITING_HELPS_US


class Repeat(msgspec.Struct, frozen=True, kw_only=True):
    """An idempotent call that was made before: its stored answer."""

    id: str
    now_us: int
    hold: str
    answer: bytes
    uses: tuple[LimitUse, ...] = ()


Decision = Allow | Deny | Repeat
