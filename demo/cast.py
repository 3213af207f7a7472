"""Who plays, and with what: names, amounts and paces that several processes of the demo agree on."""

from decimal import Decimal
from typing import Final

ORG: Final = "acme"
PERSON: Final = "anna"
"""Who signs: everything that agents do under a contract is billed to her and to the org."""

ORCHESTRATOR: Final = "orchestrator"
RISK_CHECK: Final = "risk-check"
EXECUTOR: Final = "payment-executor"
CHAIN: Final = (ORCHESTRATOR, RISK_CHECK, EXECUTOR)
"""Three agents: the first hands on to the second, the second to the third."""

ANALYST: Final = "analyst"
WELL_BEHAVED: Final = ("support", "billing", "planner")
BY_CONTRACT: Final = "support"
"""The one of the well-behaved that has a contract of its own; the others have API keys."""

ISS: Final = "https://issuer.acme.example"
LEDGER: Final = "https://payments.acme.example"
"""What the issuer and the guard call themselves, in the policy and in every contract."""

UNDER_REVIEW: Final = "acct-7731"
"""The payee that the payment API will not clear: `/validate` answers `retry` whenever it is asked about it."""

TRANSFER: Final = Decimal("25.00")
"""What each transfer of the loop would move, in US dollars."""

ATTEMPTS: Final = 50_342
ALLOWED: Final = 100
"""How many transfers the root contract of the incident allows in its whole life."""

CONNECTIONS_PER_WORKER: Final = 8
FRESH_EVERY: Final = 100
"""After so many attempts with one key, a process of the loop that delegates to fresh keys makes the next."""

LEAST_ROUNDS: Final = 2
"""How often each of the well-behaved agents must have come to work for the incident to have had witnesses."""

RUN_BUDGET: Final = "5 USD"
REPORT_PRICE: Final = Decimal("1.58")

TOOLS: Final = {
    "billing": ("risk.validate",),
    "planner": ("jobs.status",),
    RISK_CHECK: ("risk.validate", "payments.transfer"),
    ANALYST: ("reports.generate",),
}
"""What the key of each agent may call, where it has one."""
