"""Before any look-up: a bounded bucket for each address prefix that counts failed authentications, and nothing else.

Whoever sends wrong credentials by the thousand is turned away with the cheapest answer there is: no look-up, no ledger,
no record. Callers with a valid credential are never slowed by it unless they share a prefix with such a flood.
"""

from remit.core.ledger.cells.pace import pace

INTERVAL_US = 10_000
BURST = 1_000
MAX_PREFIXES = 10_000
EVERYBODY_ELSE = "*"


class Guessing:
    """100 failures a second for each prefix, 1000 at once. Prefixes beyond the bound share one bucket."""

    def __init__(self) -> None:
        """Nobody has failed yet."""
        self._arrivals: dict[str, int] = {}
        self.turned_away = 0

    def blocked(self, prefix: str, now_us: int) -> bool:
        """Whether a request from `prefix` is turned away before its credential is looked at."""
        arrival_us = self._arrivals.get(prefix)
        if arrival_us is None or arrival_us - now_us < BURST * INTERVAL_US:
            return False
        self.turned_away += 1
        return True

    def failed(self, prefix: str, now_us: int) -> None:
        """A credential from `prefix` was wrong."""
        if prefix not in self._arrivals and len(self._arrivals) >= MAX_PREFIXES:
            self._arrivals = {p: us for p, us in self._arrivals.items() if us > now_us}
            if len(self._arrivals) >= MAX_PREFIXES:
                prefix = EVERYBODY_ELSE
        before_us = self._arrivals.get(prefix, 0)
        after_us, _, _ = pace(before_us, now_us=now_us, interval_us=INTERVAL_US, burst=BURST + 1, n=1, max_wait_us=0)
        if after_us is not None:
            self._arrivals[prefix] = after_us
