"""A refusal that may or may not get a record of its own: whoever counts alike refusals decides, and only then is it made."""

from collections.abc import Callable

from msgspec import Struct

from remit.audit.record import CallerSeen, Decision


class Refusal(Struct, frozen=True, kw_only=True):
    """One refused call. `record` makes its whole record, `seen` the caller as the log names it."""

    id: str
    caller_id: str
    reason: str
    limit: str
    tool: str
    policy: str
    seen: Callable[[], CallerSeen]
    record: Callable[[], Decision]

    @property
    def alike(self) -> tuple[str, str, str]:
        """What refusals that are counted together have in common: caller, reason and limit."""
        return self.caller_id, self.reason, self.limit

    @classmethod
    def of(cls, decision: Decision) -> "Refusal":
        """The refusal that a finished record tells of."""
        return cls(
            id=decision.id, caller_id=decision.caller.id, reason=decision.reason, limit=decision.limit,
            tool=decision.tool, policy=decision.policy, seen=lambda: decision.caller, record=lambda: decision,
        )  # fmt: skip
