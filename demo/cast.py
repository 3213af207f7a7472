"""Who plays, and with what: names, amounts and paces that several processes of the demo agree on."""

from decimal import Decimal
from typing import Final

ORG: Final = "acme"
RISK_CHECK: Final = "risk-check"
ANALYST: Final = "analyst"
WELL_BEHAVED: Final = ("support", "billing", "planner")

UNDER_REVIEW: Final = "acct-7731"
"""The payee that the payment API will not clear: `/validate` answers `retry` whenever it is asked about it."""

TRANSFER: Final = Decimal("25.00")
"""What each transfer of the loop would move, in US dollars."""

ATTEMPTS: Final = 50_342
ALLOWED: Final = 100
"""The number in the policy's limit `transfers`; a test keeps the two equal."""

WORKERS: Final = 4
CONNECTIONS_PER_WORKER: Final = 8

LEAST_ROUNDS: Final = 2
"""How often each of the well-behaved agents must have come to work for the incident to have had witnesses."""

RUN_BUDGET: Final = "5 USD"
REPORT_PRICE: Final = Decimal("1.58")

TOOLS: Final = {
    "support": ("risk.validate", "payments.refund"),
    "billing": ("risk.validate",),
    "planner": ("jobs.status",),
    RISK_CHECK: ("risk.validate", "payments.transfer"),
    ANALYST: ("reports.generate",),
}
"""What the key of each agent may call."""
