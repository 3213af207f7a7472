"""Remit: the guardrail between AI agents and anything that costs money or cannot be undone.

Before a call happens Remit decides whether this caller may make it now, holds what it may cost, lets it through, books
what it did cost, and writes everything down in a log that cannot be quietly changed.

The names below are loaded when they are first used, so that a command that needs none of them starts at once.
"""

import importlib
import typing

from remit.errors import RemitError, StoreError, UsageError

if typing.TYPE_CHECKING:
    from remit.entrypoints.client import ContractAuth, KeyAuth
    from remit.entrypoints.functions import Guard
    from remit.entrypoints.leash import Denied, Run

__all__ = [
    "ContractAuth",
    "Denied",
    "Guard",
    "KeyAuth",
    "RemitError",
    "Run",
    "StoreError",
    "UsageError",
    "__version__",
]

__version__ = "0.1.0"

_PLACES = {
    "ContractAuth": "remit.entrypoints.client",
    "Denied": "remit.entrypoints.leash",
    "Guard": "remit.entrypoints.functions",
    "KeyAuth": "remit.entrypoints.client",
    "Run": "remit.entrypoints.leash",
}


def __getattr__(name: str) -> typing.Any:
    if name not in _PLACES:
        raise AttributeError(f"module `remit` has no attribute `{name}`")
    return getattr(importlib.import_module(_PLACES[name]), name)
