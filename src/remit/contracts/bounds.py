"""How large and how deep what is verified may be, and how far clocks may differ: every bound in one place.

The defaults are those of the design; an operator may lower them. Sizes are judged before anything is decoded.
"""

from dataclasses import dataclass, replace
from typing import Final

from remit.core.constraints import MAX_CONSTRAINT_DEPTH
from remit.core.contract import MAX_DELEGATION_DEPTH, MAX_ISSUED_AHEAD_S, MAX_LIFETIME_S
from remit.core.schedule import SECOND_US
from remit.core.strict_json import MAX_DEPTH
from remit.errors import UsageError

MAX_CONTRACT_BYTES: Final = 64 * 1024

MAX_CONTRACT_NESTING: Final = 4 + 2 * MAX_CONSTRAINT_DEPTH + MAX_DEPTH
"""JSON levels: down to a constraint, two for each level of constraints, and a value as deep as an argument can be."""

CHAIN_BYTES_IN_HEADERS: Final = 16 * 1024
CHAIN_BYTES_BY_REFERENCE: Final = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a chain may cost and claim. `max_depth` is that of its deepest link; times are seconds."""

    chain_bytes: int = CHAIN_BYTES_IN_HEADERS
    max_depth: int = MAX_DELEGATION_DEPTH
    max_lifetime_s: int = MAX_LIFETIME_S
    issued_ahead_s: int = MAX_ISSUED_AHEAD_S

    def __post_init__(self) -> None:
        if not (0 <= self.max_depth <= MAX_DELEGATION_DEPTH and 0 < self.max_lifetime_s <= MAX_LIFETIME_S):
            raise UsageError("the bounds on chains can only be lowered: at most 8 deep, and at most 90 days of life")
        if not (0 < self.chain_bytes <= CHAIN_BYTES_BY_REFERENCE and 0 <= self.issued_ahead_s <= MAX_ISSUED_AHEAD_S):
            raise UsageError("the bounds on chains can only be lowered: at most 256 KiB, and at most 30 s ahead")

    def comparisons(self, chain_chars: int) -> int:
        """How many comparisons narrowing may take: enough to compare everything written once, and some for `all`."""
        return 2048 + chain_chars // 16


IN_HEADERS: Final = Bounds()
"""For a chain in the headers of a request."""

BY_REFERENCE: Final = replace(IN_HEADERS, chain_bytes=CHAIN_BYTES_BY_REFERENCE)
"""For a chain that was uploaded, or that comes in a body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old a proof may be (`window_us`), and how far ahead of the guard's clock (`skew_us`): at most a minute each."""

    window_us: int = 30 * SECOND_US
    skew_us: int = 30 * SECOND_US

    def __post_init__(self) -> None:
        if not (0 < self.window_us <= 60 * SECOND_US and 0 <= self.skew_us <= 60 * SECOND_US):
            raise UsageError("a proof may be up to 60 s old and up to 60 s ahead, not more")


FRESH: Final = Freshness()
"""Thirty seconds to both sides."""
