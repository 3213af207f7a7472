"""Remit: the guardrail between AI agents and anything that costs money or cannot be undone.

Before a call happens Remit decides whether this caller may make it now, holds what it may cost, lets it through, books
what it did cost, and writes everything down in a log that cannot be quietly changed.
"""

from remit.entrypoints.functions import Guard
from remit.entrypoints.leash import Denied, Run
from remit.errors import RemitError, StoreError, UsageError

__all__ = ["Denied", "Guard", "RemitError", "Run", "StoreError", "UsageError", "__version__"]

__version__ = "0.1.0"
