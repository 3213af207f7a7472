"""A small policy that is right, and ways to add a line to it that may not be."""

import pytest

from remit.config.compile import Loaded, load_policy
from remit.core.policy import Limit, Policy, Tool
from remit.errors import PolicyError

BASE = """\
version: 1
currency: USD
upstreams:
  api: {url: http://127.0.0.1:9000}
tools:
  pay: {route: POST /pay, upstream: api, arguments: {amount: body.amount number, to: body.to}, target: to, price: 1 USD}
  ask: {route: "GET /ask/{id}", upstream: api, price: free}
limits:
  money: {budget: 10 USD/day, per: org}
"""
TRUST = """\
ledger: https://api.example.com
trust:
  issuers:
    acme: {iss: https://issuer.acme.example, jwks_file: keys/acme.jwks.json, tools: ["*"], orgs: [acme]}
"""
SECTIONS = ("upstreams", "tools", "limits")


def added(section: str, *lines: str) -> str:
    """The sample with lines added at the end of a section, or at the end of the file (`top`)."""
    rows = BASE.splitlines()
    at = added_line(section) - 1
    indent = "  " if section in SECTIONS else ""
    return "\n".join([*rows[:at], *(indent + line for line in lines), *rows[at:]]) + "\n"


def added_line(section: str) -> int:
    """The line on which `added` puts the first of its lines."""
    rows = BASE.splitlines()
    if section not in SECTIONS:
        return len(rows) + 1
    start = rows.index(f"{section}:") + 1
    return start + next((n for n, row in enumerate(rows[start:]) if not row.startswith(" ")), len(rows) - start) + 1


def problems_of(text: str | bytes) -> list[tuple[int, str]]:
    """What is wrong with a policy; something must be."""
    with pytest.raises(PolicyError) as raised:
        load_policy(text)
    return raised.value.problems


def attempt(text: str) -> Loaded | PolicyError:
    """A policy, or what is wrong with it."""
    try:
        return load_policy(text)
    except PolicyError as error:
        return error


def load(text: str) -> Loaded:
    """A policy that must be right."""
    return load_policy(text)


def policy_with(section: str, *lines: str) -> Policy:
    """The compiled sample with lines added."""
    return load(added(section, *lines)).policy


def limit_of(line: str) -> Limit:
    """The compiled form of `name: {…}` among the limits."""
    return policy_with("limits", line).limits[line.partition(":")[0]]


def tool_of(line: str) -> Tool:
    """The compiled form of `name: {…}` among the tools."""
    return policy_with("tools", line).tools[line.partition(":")[0]]
