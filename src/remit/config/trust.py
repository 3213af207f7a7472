"""Whom the operator trusts to sign roots: read from a policy, and joined with the keys in their files.

A policy names the file of an issuer's public keys and never holds them, so that keys are rotated without touching the
policy: write the new key beside the old one into the file, reload, and take the old one out when nothing that it signed
is left. The files are read when a policy is loaded from its own file, where every mistake has a line, and once more by
`load_anchors`, which makes what chains are verified against.
"""

import stat
from dataclasses import replace
from functools import partial
from pathlib import Path as FilePath
from typing import Final

from remit.config.places import parse_uri
from remit.config.problems import Path, Problems, policy_error, spell_path
from remit.config.tools import read_money
from remit.config.trust_schema import IssuerShape, ProofShape, TrustShape
from remit.contracts.anchors import MAX_ISSUERS, TrustAnchors, TrustedIssuer
from remit.contracts.key_sets import MAX_SET_BYTES, KeySet, read_key_set
from remit.core.contract import MAX_LIFETIME_S
from remit.core.match import check_identifier, parse_tool_patterns
from remit.core.policy import IssuerTrust, Policy, ProofRules
from remit.core.reading import shown
from remit.core.schedule import SECOND_US
from remit.core.units import parse_duration
from remit.errors import UsageError

ISSUERS: Final = ("trust", "issuers")
"""Where the issuers stand in a policy."""

MAX_PATH_CHARS: Final = 1024
SHORTEST_WINDOW_US: Final = 5 * SECOND_US
LONGEST_WINDOW_US: Final = 60 * SECOND_US
"""Each proof is remembered until it can be fresh no more, so a longer window costs memory and helps thieves."""


def read_trust(
    shape: TrustShape | None, currency: str | None, folder: FilePath | None, problems: Problems
) -> dict[str, IssuerTrust]:
    """The issuers that are right. The key files lie below `folder`; None: leave their paths as they are, and unread."""
    if shape is None:
        return {}
    if len(shape.issuers) > MAX_ISSUERS:
        problems.add(ISSUERS, f"has {len(shape.issuers)} of them: the most is {MAX_ISSUERS}, leave some out")
        return {}
    if not shape.issuers and not problems.is_broken(*ISSUERS):
        problems.add(ISSUERS, "names no issuer: add one, or leave `trust` out")
    read = [_read_issuer(name, item, currency, problems) for name, item in shape.issuers.items()]
    issuers = {issuer.name: issuer for issuer in read if issuer is not None}
    _check_distinct(issuers, problems)
    if folder is None:
        return issuers
    anchored = {name: replace(item, jwks_file=str(folder / item.jwks_file)) for name, item in issuers.items()}
    _check_keys(anchored, problems)
    return anchored


def _read_issuer(name: str, shape: IssuerShape, currency: str | None, problems: Problems) -> IssuerTrust | None:
    path: Path = (*ISSUERS, name)
    problems.read(path, partial(check_identifier, what="issuer"), name)
    iss = problems.read((*path, "iss"), partial(parse_uri, such_as="https://issuer.example.com"), shape.iss)
    file = problems.read((*path, "jwks_file"), _parse_path, shape.jwks_file)
    problems.check_distinct((*path, "tools"), shape.tools)
    for index, pattern in enumerate(shape.tools):
        problems.read((*path, "tools", index), lambda text: parse_tool_patterns([text]), pattern)
    if not shape.tools:
        problems.add(
            (*path, "tools"), "names no tool, so no contract could allow anything: add one such as `payments.*`"
        )
    problems.check_distinct((*path, "orgs"), shape.orgs)
    for index, org in enumerate(shape.orgs):
        problems.read((*path, "orgs", index), partial(check_identifier, what="org"), org)
    lifetime_us = _lifetime((*path, "lifetime"), shape.lifetime, problems)
    budget = None
    if shape.budget is not None:
        budget = read_money((*path, "budget"), shape.budget, currency, problems)
    if iss is None or file is None or lifetime_us is None or problems.is_broken(*path):
        return None
    return IssuerTrust(
        name=name,
        iss=iss,
        jwks_file=file,
        tools=tuple(shape.tools),
        orgs=tuple(shape.orgs),
        lifetime_us=lifetime_us,
        budget=budget,
        plain_jwt=shape.plain_jwt,
    )


def _parse_path(text: str) -> str:
    if "://" in text:
        raise UsageError("is a URL, and nothing is fetched: save the key set in a file, and name that")
    if not 0 < len(text) <= MAX_PATH_CHARS or not text.isprintable() or text.endswith("/"):
        raise UsageError(f"{shown(text)} is not the path of a file: write one such as `keys/acme.jwks.json`")
    return text


def _lifetime(path: Path, text: str, problems: Problems) -> int | None:
    lifetime_us = problems.read(path, parse_duration, text)
    if lifetime_us is None:
        return None
    if lifetime_us > MAX_LIFETIME_S * SECOND_US:
        problems.add(path, f"{shown(text)} is too long: a contract lives for at most 90 days")
    elif lifetime_us % SECOND_US:
        problems.add(path, f"{shown(text)} is not a number of whole seconds, which contracts count in: round it")
    return lifetime_us


def _check_distinct(issuers: dict[str, IssuerTrust], problems: Problems) -> None:
    """Report an `iss` that two issuers have: nobody could say whose contracts those are."""
    taken: dict[str, str] = {}
    for issuer in issuers.values():
        first = taken.setdefault(issuer.iss, issuer.name)
        if first != issuer.name:
            line = problems.line((*ISSUERS, first, "iss"))
            problems.add((*ISSUERS, issuer.name, "iss"), f"is that of `{first}` in line {line} too: leave one out")


def _check_keys(issuers: dict[str, IssuerTrust], problems: Problems) -> None:
    """Report key files that cannot be used, and warn of a key that can sign for two issuers."""
    owners: dict[str, str] = {}
    for issuer in issuers.values():
        path: Path = (*ISSUERS, issuer.name, "jwks_file")
        keys = problems.read(path, _read_keys, issuer.jwks_file)
        for named in keys.keys if keys is not None else ():
            first = owners.setdefault(named.key.thumbprint, issuer.name)
            if first != issuer.name:
                problems.warn(path, f"holds a key of `{first}` too: whoever has it can sign as either of them")


def _read_keys(file: str) -> KeySet:
    """The key set in a file, of which no more is read than a set may have. Raises `UsageError`."""
    try:
        if not stat.S_ISREG(FilePath(file).stat().st_mode):  # reading from a pipe or a device may never end
            raise UsageError("it is not a file: name the file that holds the key set")
        with FilePath(file).open("rb") as opened:
            content = opened.read(MAX_SET_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or "it is not a path").lower()
        raise UsageError(f"the file cannot be read ({reason}): a relative path begins beside the policy file") from None
    return read_key_set(content)


def read_proof(shape: ProofShape, problems: Problems) -> ProofRules:
    """What proofs must be like; the defaults where something was reported."""
    path: Path = ("proof", "window")
    window_us = problems.read(path, parse_duration, shape.window)
    if window_us is None:
        return ProofRules()
    if not SHORTEST_WINDOW_US <= window_us <= LONGEST_WINDOW_US:
        problems.add(path, f"{shown(shape.window)} is out of range: write a duration from `5s` to `60s`")
    return ProofRules(window_us=window_us, nonces=shape.nonces)


def load_anchors(policy: Policy, *, source: str = "policy") -> TrustAnchors:
    """What chains are verified against, with the keys that the files of the policy's issuers hold now.

    The id of the guard is also what an `aud` must say, where a contract has one. Raises `PolicyError` with every file that
    cannot be used; `source` is what it calls the policy.
    """
    problems: list[tuple[int, str]] = []
    issuers: list[TrustedIssuer] = []
    for issuer in policy.trust.values():
        try:
            issuers.append(_trusted(issuer))
        except UsageError as error:
            problems.append((0, f"{spell_path((*ISSUERS, issuer.name, 'jwks_file'))}: {error}"))
    if problems:
        raise policy_error(problems, source=source)
    return TrustAnchors(issuers=tuple(issuers), ledger=policy.ledger, audience=policy.ledger)


def _trusted(issuer: IssuerTrust) -> TrustedIssuer:
    if not FilePath(issuer.jwks_file).is_absolute():
        raise UsageError("the path is relative, and this policy lies in no folder: load it from its file")
    return TrustedIssuer(
        name=issuer.name,
        iss=issuer.iss,
        keys=_read_keys(issuer.jwks_file),
        orgs=issuer.orgs,
        tools=issuer.tools,
        lifetime_s=issuer.lifetime_us // SECOND_US,
        budget=issuer.budget,
        plain_jwt=issuer.plain_jwt,
    )
