"""From the text of a policy to `core.policy.Policy`, or to everything that is wrong with it.

Reading goes through stages: text to plain data (`load`), data to shapes (`shape`), shapes to the compiled form (`places`,
`tools`, `limits`, `trust`), and last what only shows when all of it is seen together (`coverage`, `credentials`). Each stage goes on with what
the one before could read, so that an operator gets the whole list of problems at once and none of them twice. Nothing is
compiled from a file with a problem.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path as FilePath
from typing import Final, TypeVar

from remit.audit.redact import Redaction
from remit.config import coverage, credentials
from remit.config.limits import read_limit
from remit.config.load import MAX_FILE_BYTES, Plain, read_document
from remit.config.places import (
    is_local,
    parse_listen,
    parse_origin,
    parse_store,
    parse_uri,
    read_networks,
    read_upstream,
)
from remit.config.problems import Path, Problems, policy_error
from remit.config.schema import AuditShape, PolicyShape, SessionsShape
from remit.config.shape import NAMED_SECTIONS, read_shape
from remit.config.tools import check_routes, read_money, read_tool
from remit.config.trust import read_proof, read_trust
from remit.core.contract_limit_reading import MAX_LEDGER_CHARS
from remit.core.money import check_currency
from remit.core.policy import AuditRules, Policy, SessionRules
from remit.core.reading import shown
from remit.core.units import parse_duration

Item = TypeVar("Item")
Made = TypeVar("Made")

MAX_NAMES: Final = {"upstreams": 500, "tools": 2000, "limits": 500}
"""How many of each a policy may have."""

SQLITE: Final = "sqlite:///"
"""How the embedded store is written: a path follows, relative to the policy file or absolute."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy, and what is allowed in it but probably not meant: each warning with its line (0 = unknown)."""

    policy: Policy
    warnings: tuple[tuple[int, str], ...] = ()


def load_policy(content: str | bytes, *, source: str = "policy") -> Loaded:
    """Compile the text of a policy. Raises `PolicyError` with every problem; `source` is what it calls the file.

    A text lies in no folder, so the files that it names are not looked at.
    """
    return _load(content, source=source, folder=None)


def _load(content: str | bytes, *, source: str, folder: FilePath | None) -> Loaded:
    document = read_document(content, source=source)
    problems = Problems(document.lines, source=source)
    _check_sizes(document.data, problems)
    problems.report_lines(document.problems)
    shape = read_shape(document.data, problems)
    if shape is None or not isinstance(document.data, dict):
        problems.raise_if_any()
        raise AssertionError("a file that is no mapping is a problem")
    data = content.encode() if isinstance(content, str) else content
    policy = _compile(shape, document.data, hashlib.sha256(data).hexdigest(), folder, problems)
    problems.raise_if_any()
    return Loaded(policy, problems.warnings)


def _check_sizes(data: Plain, problems: Problems) -> None:
    """Every limit is compared with every tool, so neither may be without end; nothing else is read then."""
    for section, most in MAX_NAMES.items():
        items = data.get(section) if isinstance(data, dict) else None
        if isinstance(items, dict) and len(items) > most:
            problems.add((section,), f"has {len(items)} of them: the most is {most}, leave some out")
    problems.raise_if_any()


def load_policy_file(path: str | FilePath, *, folder: str | FilePath | None = None) -> Loaded:
    """Compile a policy file. A relative store, and files of keys, lie beside it, wherever the command was started.

    `folder` is where the file will lie when that is not where it lies now, as when a draft is compared with the policy
    that it shall replace. Raises `PolicyError`, also when the file cannot be read.
    """
    source = str(path)
    try:
        with FilePath(path).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not a file"
        text = f"the file cannot be read: {reason.lower()}"
        raise policy_error([(0, text)], source=source) from None
    anchor = (FilePath(path).parent if folder is None else FilePath(folder)).absolute()
    loaded = _load(content, source=source, folder=anchor)
    return replace(loaded, policy=replace(loaded.policy, store=_anchored(loaded.policy.store, anchor)))


def _anchored(store: str, folder: FilePath) -> str:
    """Two working directories must not mean two stores, and so two budgets."""
    if not store.startswith(SQLITE):
        return store
    return f"{SQLITE}{folder / store.removeprefix(SQLITE)}"


def _compile(
    shape: PolicyShape, data: dict[str, Plain], digest: str, folder: FilePath | None, problems: Problems
) -> Policy:
    currency = None if problems.is_broken("currency") else problems.read(("currency",), check_currency, shape.currency)
    upstreams = _named(shape.upstreams, lambda name, item: read_upstream(name, item, problems))
    tools = _named(shape.tools, lambda name, item: read_tool(name, item, currency, problems))
    limits = _named(shape.limits, lambda name, item: read_limit(name, item, currency, problems))
    public_url = _public_url(shape, problems)
    policy = Policy(
        digest=digest,
        currency=currency or "",
        tools=tools,
        limits=limits,
        upstreams=upstreams,
        listen=problems.read(("listen",), parse_listen, shape.listen) or "",
        public_url=public_url,
        store=problems.read(("store",), parse_store, shape.store) or "",
        trusted_proxies=read_networks(shape, problems),
        ledger=_ledger(shape, public_url, problems),
        trust=read_trust(shape.trust, currency, folder, problems),
        proof=read_proof(shape.proof, problems),
        sessions=_sessions(shape.sessions, currency, problems),
        audit=_audit(shape.audit, problems),
        redact_numbers=shape.redact_numbers,
    )
    _check_together(policy, data, problems)
    return policy


def _named(items: Mapping[str, Item], read: Callable[[str, Item], Made | None]) -> dict[str, Made]:
    made = ((name, read(name, item)) for name, item in items.items())
    return {name: item for name, item in made if item is not None}


def _public_url(shape: PolicyShape, problems: Problems) -> str:
    if shape.public_url is None:
        return ""
    url = problems.read(("public_url",), parse_origin, shape.public_url) or ""
    if url.startswith("http://") and not is_local(url.removeprefix("http://")):
        problems.warn(
            ("public_url",), "is not encrypted: keys that callers send can be read on the way, use `https://`"
        )
    return url


def _ledger(shape: PolicyShape, public_url: str, problems: Problems) -> str:
    """What contracts with limits call this guard: its own address, where nothing else is said."""
    if shape.ledger is None:
        return public_url
    parse = partial(parse_uri, such_as="https://api.example.com", max_chars=MAX_LEDGER_CHARS)
    return problems.read(("ledger",), parse, shape.ledger) or ""


def _check_own_name(policy: Policy, problems: Problems) -> None:
    if policy.listen and not policy.public_url and not is_local(policy.listen):
        text = "is reached from other machines, so the policy must say by which name: add `public_url`"
        if not problems.is_broken("public_url"):
            problems.add(("listen",), text)


def _sessions(shape: SessionsShape, currency: str | None, problems: Problems) -> SessionRules:
    path: Path = ("sessions",)
    lifetime_us = problems.read((*path, "lifetime"), parse_duration, shape.lifetime) or 0
    idle_us = problems.read((*path, "idle"), parse_duration, shape.idle) or 0
    if idle_us > lifetime_us and not problems.is_broken(*path):
        if "idle" in shape.model_fields_set:
            problems.add((*path, "idle"), "is longer than `lifetime`: make it shorter, or leave it out")
        idle_us = lifetime_us
    budget = None
    if shape.budget is not None:
        budget = read_money((*path, "budget"), shape.budget, currency, problems)
    return SessionRules(
        lifetime_us=lifetime_us,
        idle_us=idle_us,
        open_per_caller=shape.open_per_caller,
        max_budget_micros=budget.micros if budget is not None else None,
        max_calls=shape.calls,
    )


def _audit(shape: AuditShape, problems: Problems) -> AuditRules:
    for index, text in enumerate(shape.redact):
        problems.read(("audit", "redact", index), lambda text: Redaction.parse([text]), text)
    return AuditRules(redact=tuple(shape.redact))


def _check_together(policy: Policy, data: dict[str, Plain], problems: Problems) -> None:
    """What depends on everything is only checked where everything it depends on could be read."""
    names = {section: _names(data, section) for section in NAMED_SECTIONS}
    all_names = coverage.Names(tools=names["tools"], upstreams=names["upstreams"])
    _check_own_name(policy, problems)
    coverage.check_names(policy, all_names, problems)
    check_routes(policy.tools, problems)
    if policy.currency and not problems.is_broken("limits") and not problems.is_broken("trust"):
        coverage.check_money(policy, problems)
    coverage.check_weights(policy, problems)
    credentials.check_credentials(policy, problems)
    _check_trust(policy, data, problems)
    if not problems.is_broken("tools") and not policy.tools:
        problems.add(("tools",), "names no tool: every call would be refused, add one")
    if policy.store == "memory:":
        problems.warn(("store",), "forgets everything when the process ends: every counter and budget starts again")
    if not problems.is_broken("tools") and not problems.is_broken("audit"):
        _warn_of_redaction(policy, problems)


def _check_trust(policy: Policy, data: dict[str, Plain], problems: Problems) -> None:
    if "trust" not in data:
        if "ledger" in data:
            problems.add(("ledger",), "has no effect: no contracts are accepted, add `trust`, or leave it out")
    elif not policy.ledger:
        text = "contracts with limits are refused, since they cannot name this guard: add `ledger`, or `public_url`"
        problems.warn(("trust",), text)


def _names(data: dict[str, Plain], section: str) -> frozenset[str] | None:
    items = data.get(section, {})
    return frozenset(items) if isinstance(items, dict) else None


def _warn_of_redaction(policy: Policy, problems: Problems) -> None:
    tools = [{arg.name: f"{arg.source}.{arg.member}" for arg in tool.arguments} for tool in policy.tools.values()]
    for index, text in enumerate(policy.audit.redact):
        redaction = Redaction.parse([text])
        if not any(rests for sources in tools for rests in redaction.of_tool(sources).rests.values()):
            problems.warn(("audit", "redact", index), f"no tool reads {shown(text)}: look for a slip of the pen")
