"""A call as the guard sees it: a tool with typed arguments, whatever protocol it came by."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call. `cost_micros` overrides the tool's price where the entrypoint knows it; `target` is already text.

    `idempotency` is the caller's key and a fingerprint of the whole request.
    """

    tool: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    target: str = ""
    cost_micros: int | None = None
    idempotency: tuple[str, str] | None = None
    method: str = ""
    path: str = ""
