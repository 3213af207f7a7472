"""A call as the guard sees it: a tool with typed arguments, whatever protocol it came by."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.core.strict_json import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call. `cost_micros` overrides the tool's price where the entrypoint knows it; `target` is already text.

    `given` are the arguments as JSON values, as the caller wrote them: what a contract's constraints are held against.
    `idempotency` is the caller's key and a fingerprint of the whole request. `proof` is the key of the proof that came
    with it and until when it is to be remembered (us): it was fully valid, and may be used once.
    """

    tool: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    target: str = ""
    cost_micros: int | None = None
    given: Mapping[str, JsonValue] = field(default_factory=dict)
    idempotency: tuple[str, str] | None = None
    proof: tuple[str, int] | None = None
    method: str = ""
    path: str = ""
