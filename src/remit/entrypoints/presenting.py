"""Contracts for guarded functions: a chain and a proof that another agent presents for one call in this process.

`with guard.presented(chain, proof):` makes the call inside it that agent's: the chain is verified against the guard's trust
anchors, the proof (draft-niyikiza-oauth-attenuating-agent-tokens-01 section 5) must be for this very tool with these very
arguments, and every link's limits are charged. A proof is good for one call.
"""

import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from remit.contracts import BY_REFERENCE, ChainCache, TrustAnchors, as_json, verify_tool_proof
from remit.core.caller import Caller
from remit.core.strict_json import JsonValue
from remit.errors import CredentialError, UsageError
from remit.identity.callers import caller_of_chain


@dataclass(frozen=True, slots=True)
class Presented:
    """What was shown for a call: the chain's text and the proof."""

    chain: str
    proof: str


PRESENTED: ContextVar[Presented | None] = ContextVar("remit_presented", default=None)


class Presenting:
    """The `with` block in which a call is somebody else's."""

    def __init__(self, presented: Presented) -> None:
        """Nothing is verified before the call."""
        self._presented = presented
        self._around: list[Presented | None] = []

    def __enter__(self) -> None:
        """The guarded call of this thread or task is made under the chain."""
        self._around.append(PRESENTED.get())
        PRESENTED.set(self._presented)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Back to whoever called before."""
        PRESENTED.set(self._around.pop())


class Verifier:
    """Checks what is presented, for one guard. `audience` is what proofs must name."""

    def __init__(self, anchors: TrustAnchors, audience: str) -> None:
        """Raises `UsageError` without an audience: a proof for one guard must not open another."""
        if not audience:
            raise UsageError("a guard that accepts contracts needs an `audience`: the name that proofs are made for")
        self._anchors = anchors
        self._audience = audience
        self._cache = ChainCache()

    def caller(
        self, presented: Presented, *, tool: str, given: Mapping[str, JsonValue], now_us: int
    ) -> tuple[Caller, tuple[str, int]]:
        """The caller, and what keeps its proof from being used again. Raises `CredentialError`."""
        verified = self._cache.verify(presented.chain, self._anchors, now_us=now_us, bounds=BY_REFERENCE)
        proof = verify_tool_proof(
            presented.proof, verified, tool=tool, arguments=given, audience=self._audience, now_us=now_us
        )
        caller = caller_of_chain(verified.chain, address="local", credential=verified.ath)
        return caller, (proof.single_use.key, proof.single_use.not_after_us)


def given_arguments(
    function: Callable[..., Any], arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> dict[str, JsonValue]:
    """The arguments of a call by name, as JSON values. Raises `CredentialError` for what JSON cannot say."""
    bound = inspect.signature(function).bind(*arguments, **named)
    try:
        return {name: as_json(value) for name, value in bound.arguments.items()}
    except UsageError as error:
        raise CredentialError(f"a call under a contract takes JSON values only: {error}") from None
