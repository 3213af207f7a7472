"""Why a contract, a chain or a part of one is refused: the steps of verification, and the error that names one.

The steps stand here in the order in which they are taken, and the first that fails decides. Their names are stable:
test vectors, logs and other implementations refer to them. `Effort` bounds the one part of verification whose work can
grow faster than what is verified: comparing constraints that hold constraints.
"""

from enum import StrEnum

from remit.core.reasons import Reason
from remit.errors import CredentialError


class Step(StrEnum):
    """The step that failed. Where the draft numbers it, the number of its section 7 is in the comment."""

    TOO_LARGE = "too_large"  # 2a, 2b
    TOO_DEEP = "too_deep"  # 4f, judged by the number of links before anything else is
    MALFORMED = "malformed"  # 1, 2c
    NON_CANONICAL = "non_canonical"
    DUPLICATE_JTI = "duplicate_jti"  # 2c
    HEADER_REFUSED = "header_refused"
    ALGORITHM_REFUSED = "algorithm_refused"  # 3a, 4a
    ISSUER_UNKNOWN = "issuer_unknown"  # 3b
    TYPE_REFUSED = "type_refused"
    KEY_UNKNOWN = "key_unknown"  # 3b
    SIGNATURE_INVALID = "signature_invalid"  # 3b, 4b
    CLAIM_INVALID = "claim_invalid"  # 3j, 3k, 4b
    HOLDER_KEY_INVALID = "holder_key_invalid"  # 3l, 4b
    ISSUER_MISMATCH = "issuer_mismatch"  # 4c
    DEPTH_INVALID = "depth_invalid"  # 3c, 3i, 4d to 4g, 4m, 5
    EXPIRED = "expired"  # 3e, 4i
    TIMES_INVALID = "times_invalid"  # 3f to 3h, 4h, 4j to 4l
    CAPABILITY_MALFORMED = "capability_malformed"  # 3m, 4n, 6a
    UNKNOWN_CONSTRAINT = "unknown_constraint"
    CONSTRAINT_TOO_DEEP = "constraint_too_deep"  # 3n, 4o
    NOT_NARROWER = "not_narrower"  # 4p
    TOO_COSTLY = "too_costly"
    PAR_HASH_MISMATCH = "par_hash_mismatch"  # 3d, 4q
    AUDIENCE_MISMATCH = "audience_mismatch"
    LIMITS_MALFORMED = "limits_malformed"
    LEDGER_MISMATCH = "ledger_mismatch"
    ISSUER_EXCEEDED = "issuer_exceeded"


class ContractError(CredentialError):
    """A chain is refused at `step`; `link` is the place of the contract in it (0: the root), None for the whole chain.

    To a caller it is an `invalid_credential`. The message shows claims only where they are not secret.
    """

    code = "contract"

    def __init__(self, step: Step, message: str, *, link: int | None = None) -> None:
        self.step = step
        self.link = link
        self.problem = message
        place = "the chain" if link is None else "the root contract" if link == 0 else f"the contract at link {link}"
        super().__init__(f"{place} is refused ({step.value}): {message}", reason=Reason.INVALID_CREDENTIAL.value)

    def at(self, link: int) -> "ContractError":
        """The same refusal, of the contract at `link`."""
        return ContractError(self.step, self.problem, link=link)


class Effort:
    """How many comparisons may still be made. One unit is one constraint compared, or sixteen members of a set."""

    __slots__ = ("left",)

    def __init__(self, units: int) -> None:
        self.left = units

    def spend(self, units: int = 1) -> None:
        """Take `units` off. Raises `ContractError` (`too_costly`) when they are used up."""
        self.left -= units
        if self.left < 0:
            raise ContractError(
                Step.TOO_COSTLY, "comparing its constraints takes too much work: use fewer clauses in `all` and `any`"
            )

    def spend_on_set(self, members: int) -> None:
        """Take off what comparing a set of so many members costs."""
        self.spend(1 + members // 16)
