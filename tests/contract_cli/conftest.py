"""What the tests of the contract commands share: a folder with keys in it, and `remit` run there in this process."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.living import Gateway, running_gateway
from tests.cli.shell import Ran, Shell

ISS = "https://issuer.acme.example"
LEDGER = "https://payments.example.com"

POLICY = f"""\
version: 1
currency: USD
listen: 127.0.0.1:0
store: sqlite:///remit.db
ledger: {LEDGER}

trust:
  issuers:
    acme: {{iss: "{ISS}", jwks_file: acme.jwks.json, tools: ["payments.*", risk.validate], orgs: [acme]}}

upstreams:
  payments: {{url: http://127.0.0.1:9000, timeout: 5s}}

tools:
  payments.transfer:
    route: POST /transfer
    upstream: payments
    arguments: {{amount: body.amount number, to: body.to}}
    price: {{hold: 0.35 USD, actual: header.x-cost}}
  risk.validate: {{route: GET /validate, upstream: payments, arguments: {{to: query.to}}, price: free}}

limits:
  org-money: {{budget: 100 USD/day, per: org}}
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """The command line in a folder where an issuer and the agents a, b and c have their keys."""

    run: Shell
    folder: Path

    def __call__(self, *words: str) -> Ran:
        return self.run(*words)

    def done(self, *words: str) -> Ran:
        """A command that must work."""
        ran = self.run(*words)
        assert ran.code == 0, ran.err
        return ran

    def issue(self, *words: str, output: str = "a.chain", tool: str = "payments.transfer") -> Ran:
        """A root for a; with `tool` unless another one is among the words."""
        tools = () if any(word.startswith("--tool") for word in words) else ("--tool", tool)
        return self(
            "issue", "--key", "issuer.jwk", "--iss", ISS, "--to", "a.pub", "--agent", "orchestrator", "--org", "acme",
            "--expires", "24h", "--max-depth", "5", "-o", output, *tools, *words,
        )  # fmt: skip

    def delegate(self, *words: str, above: str = "a", to: str = "b") -> Ran:
        """A contract that `above` hands on."""
        return self(
            "delegate", "--chain", f"{above}.chain", "--key", f"{above}.jwk", "--to", f"{to}.pub", "--agent", f"agent-{to}",
            "-o", f"{to}.chain", *words,
        )  # fmt: skip

    def text(self, name: str) -> str:
        return (self.folder / name).read_text().strip()

    def holder(self, name: str) -> str:
        """The thumbprint of somebody's key."""
        return self.done("keygen", "--key", f"{name}.jwk").out.strip()

    def links(self, name: str, *words: str) -> list[dict[str, Any]]:
        """What `remit inspect --json` says of a chain."""
        found: list[dict[str, Any]] = json.loads(self.done("inspect", f"{name}.chain", "--json", *words).out)["links"]
        return found


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REMIT_POLICY", "REMIT_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def remit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    """The command line, in a folder with keys and a policy that trusts the issuer."""
    monkeypatch.chdir(tmp_path)
    desk = Desk(Shell(tmp_path, capsys), tmp_path)
    desk.done("keygen", "-o", "issuer.jwk", "--jwks", "acme.jwks.json")
    for name, alg in (("a", "EdDSA"), ("b", "ES256"), ("c", "EdDSA")):
        made = desk.done("keygen", "-o", f"{name}.jwk", "--alg", alg, "--public")
        (tmp_path / f"{name}.pub").write_text(made.out)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return desk


@pytest.fixture
def gateway(remit: Desk) -> Iterator[Gateway]:
    """A gateway of that policy, in a thread of this process, before an upstream that always charges 0.30 USD."""
    with running_gateway(remit.folder / "policy.yaml") as gateway:
        yield gateway
