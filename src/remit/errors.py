"""Every exception Remit raises, on one page.

A denial is never an exception inside Remit: it is a value (`core.decision.Deny`). Exceptions say that something is
broken, and whose fault it is: the operator's (`PolicyError`, `UsageError`), the caller's (`BadRequest`), the world's
(`StoreUnavailable`, `UpstreamFailed`) or ours (`InvariantBroken`). Each class carries a stable `code` for machines and
`transient`, which says whether the same step may succeed later without anybody changing anything.
"""

from typing import ClassVar


class RemitError(Exception):
    """The root of all of them. `str(error)` is one sentence for a person; `code` is for programs."""

    code: ClassVar[str] = "error"
    transient: ClassVar[bool] = False


class UsageError(RemitError):
    """A command or a call of the Python API was given something it cannot use."""

    code = "usage"


class PolicyError(RemitError):
    """A policy file is wrong. Carries every problem found, each with the line where it stands (0 = unknown)."""

    code = "policy"

    def __init__(self, problems: "list[tuple[int, str]]", *, source: str = "policy") -> None:
        self.problems = problems
        self.source = source
        super().__init__(
            "\n".join(f"{source}:{line}: {text}" if line else f"{source}: {text}" for line, text in problems)
        )


class BadRequest(RemitError):
    """What a caller sent cannot be read unambiguously. `status` is the HTTP status that says so."""

    code = "bad_request"

    def __init__(self, message: str, *, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


class CredentialError(RemitError):
    """A credential is missing, malformed, unknown, expired or revoked; `reason` is a reason code of core.reasons."""

    code = "credential"

    def __init__(self, message: str, *, reason: str = "invalid_credential") -> None:
        self.reason = reason
        super().__init__(message)


class StoreError(RemitError):
    """The store cannot do what is asked of it."""

    code = "store"


class StoreUnavailable(StoreError):
    """The store did not answer, or could not make an answer durable; nothing may be assumed to have happened."""

    code = "store_unavailable"
    transient = True


class StoreBusy(StoreError):
    """Another process owns the store; the message names it."""

    code = "store_busy"


class StoreCorrupt(StoreError):
    """What the store holds cannot be read or contradicts itself; it refuses to start on it."""

    code = "store_corrupt"


class UnknownItem(RemitError):
    """A hold, key, session or decision with that id does not exist."""

    code = "unknown_item"


class AuditBroken(RemitError):
    """The audit log does not verify; the message names the first bad record."""

    code = "audit_broken"


class UpstreamFailed(RemitError):
    """The upstream call failed. `dispatched` says whether any byte of the call may have reached it."""

    code = "upstream_failed"
    transient = True

    def __init__(self, message: str, *, dispatched: bool, timeout: bool = False) -> None:
        self.dispatched = dispatched
        self.timeout = timeout
        super().__init__(message)


class ClientGone(RemitError):
    """The client closed its connection before its answer was complete."""

    code = "client_gone"


class InvariantBroken(RemitError):
    """Remit contradicted itself. Nothing is allowed through after this; please report it."""

    code = "invariant_broken"
