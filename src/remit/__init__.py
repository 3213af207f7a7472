"""Remit: the guardrail between AI agents and anything that costs money or cannot be undone.

Before a call happens Remit decides whether this caller may make it now, holds what it may cost, lets it through, books
what it did cost, and writes everything down in a log that cannot be quietly changed.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
