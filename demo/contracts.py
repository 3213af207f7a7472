"""The contracts of the demo: made with the real commands, in a folder beside the policy.

A person's issuer key signs a root for the orchestrator. The orchestrator hands a narrower contract on to the risk check, and
that one a still narrower one to the payment executor: with their own keys, offline, without asking the issuer. Keys of
agents are ES256, that of the issuer is Ed25519.
"""

import json
import os
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.cast import BY_CONTRACT, CHAIN, EXECUTOR, ISS, LEDGER, ORCHESTRATOR, ORG, PERSON, RISK_CHECK
from demo.commands import Remit
from remit.cli.contract_files import write_new
from remit.contracts import (
    Algorithm,
    PrivateKey,
    UnverifiedChain,
    named_by_thumbprint,
    new_private_key,
    read_private_key,
    read_unverified_chain,
)

FOLDER = "contracts"
POLICY = "../policy.yaml"
ISSUER_KEY = "issuer.jwk"
ISSUER_KEYS = "acme.jwks.json"
WIDTH = 79
MICROS = 1_000_000
GOOD_FOR_AT_LEAST_S = 3600

PAY = "payments.transfer(0<amount<={most}, currency=USD, to)"
VALIDATE = "risk.validate"


@dataclass(frozen=True, slots=True)
class Held:
    """What one agent has: a private key, and the chain of contracts that ends with its own. Both are files."""

    agent: str
    key_file: Path
    chain_file: Path

    @property
    def key_text(self) -> str:
        return self.key_file.read_text(encoding="ascii")

    @property
    def key(self) -> PrivateKey:
        return read_private_key(self.key_text.encode())

    @property
    def chain(self) -> str:
        return self.chain_file.read_text(encoding="ascii").strip()

    @property
    def said(self) -> UnverifiedChain:
        """What the chain says of itself."""
        return read_unverified_chain(self.chain)


class Desk:
    """Makes keys and contracts in one folder."""

    def __init__(self, remit: Remit, folder: Path) -> None:
        """`folder` is the one of the policy; the contracts lie in a folder of their own below it."""
        self._remit = remit
        self.folder = folder / FOLDER

    def open(self) -> None:
        """Make everybody's keys, unless an earlier run has left them. The policy names the file of the issuer's public one."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        issuer = self._key(ISSUER_KEY, Algorithm.EDDSA)
        (self.folder / ISSUER_KEYS).write_bytes(named_by_thumbprint([issuer.public]).to_json())
        for agent in (*CHAIN, BY_CONTRACT):
            public = self._key(f"{agent}.jwk", Algorithm.ES256).public
            (self.folder / f"{agent}-public.jwk").write_text(json.dumps(public.to_jwk()), encoding="ascii")

    async def hand_out(self, task: str, *, transfers: int) -> tuple[dict[str, Held], list[list[str]]]:
        """The three contracts of one task, by agent, and the commands that made them.

        `task` begins the names of the files; those of an earlier run under these names are replaced, keys are kept.
        """
        held = {agent: self.held(agent, task) for agent in CHAIN}
        files = {agent: self._emptied(each) for agent, each in held.items()}
        commands = [
            ["issue", "--key", ISSUER_KEY, "--iss", ISS, *_to(ORCHESTRATOR), "--tool", PAY.format(most=500),
             "--tool", VALIDATE, "--limit", f"transfers: {transfers} calls of payments.transfer",
             "--ledger", LEDGER, "--org", ORG, "--user", PERSON, "--expires", "12h", "--max-depth", "3",
             "-o", files[ORCHESTRATOR]],
            ["delegate", "--chain", files[ORCHESTRATOR], "--key", f"{ORCHESTRATOR}.jwk", *_to(RISK_CHECK),
             "-o", files[RISK_CHECK]],
            ["delegate", "--chain", files[RISK_CHECK], "--key", f"{RISK_CHECK}.jwk", *_to(EXECUTOR),
             "--tool", PAY.format(most=100), "--tool", VALIDATE, "-o", files[EXECUTOR]],
        ]  # fmt: skip
        for command in commands:
            await self.must(*command)
        return held, commands

    async def hand_out_to_support(self) -> Held:
        """A contract of its own for the one well-behaved agent that has one, straight from the issuer."""
        held = self.held(BY_CONTRACT, "")
        await self.must(
            "issue", "--key", ISSUER_KEY, "--iss", ISS, *_to(BY_CONTRACT),
            "--tool", "payments.refund(0<amount<=50, currency=USD, to)", "--tool", VALIDATE,
            "--limit", "refunds: 2000 calls of payments.refund", "--limit", "fees: 300 USD",
            "--ledger", LEDGER, "--org", ORG, "--expires", "12h", "-o", self._emptied(held),
        )  # fmt: skip
        return held

    async def still_hold(self, task: str) -> bool:
        """Whether the contracts that an earlier run has handed out for a task can be used for a while."""
        last = self.held(EXECUTOR, task)
        if not last.chain_file.exists():
            return False
        said = await self._remit.run("inspect", last.chain_file.name, "--policy", POLICY, "--json", folder=self.folder)
        return said.exit_code == 0 and all(_is_good(link) for link in json.loads(said.out)["links"])

    def held(self, agent: str, task: str) -> Held:
        """What an agent has for a task, or will have once it was handed out."""
        return Held(agent, self.folder / f"{agent}.jwk", self.folder / f"{task}{agent}.chain")

    def _key(self, name: str, alg: Algorithm) -> PrivateKey:
        """The private key in a file that only its owner can read; a new one if there is none, as `remit keygen` makes it."""
        path = self.folder / name
        if not path.exists():
            write_new(path, new_private_key(os.urandom, alg).to_json())
        return read_private_key(path.read_bytes())

    def _emptied(self, held: Held) -> str:
        """The name of the file for a chain, which must not exist yet when it is made."""
        held.chain_file.unlink(missing_ok=True)
        return held.chain_file.name

    async def must(self, *arguments: str) -> str:
        """Run one command in the folder and return what it printed. Raises `DemoFailed` with its words if it fails."""
        return await self._remit.must(*arguments, folder=self.folder)


def _is_good(link: dict[str, Any]) -> bool:
    """Whether one contract has time left, was not revoked, and is not used up."""
    ends_us = (time.time() + GOOD_FOR_AT_LEAST_S) * MICROS
    counted = [limit for limit in link["limits"] if "max" in limit]
    return link["expires_us"] > ends_us and not link["revoked"] and all(each["used"] < each["max"] for each in counted)


def _to(agent: str) -> list[str]:
    return ["--to", f"{agent}-public.jwk", "--agent", agent]


def typed(arguments: Sequence[str]) -> list[str]:
    """A command as a person would type it, on as many lines as it takes; options stay with their values."""
    words = [shlex.quote(argument) for argument in arguments]
    parts: list[str] = []
    for word in words:
        if parts and parts[-1].startswith("-") and not word.startswith("-") and " " not in parts[-1]:
            parts[-1] += f" {word}"
        else:
            parts.append(word)
    lines = [f"$ remit {parts[0]}"]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) + 1 <= WIDTH - 2:
            lines[-1] += f" {part}"
        else:
            lines[-1] += " \\"
            lines.append(f"      {part}")
    return lines
