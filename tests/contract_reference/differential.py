"""Two verifiers, one chain: what the package says beside what the reference says, and where they differ.

`mutants` makes the chains: families by the package's own functions, each changed again and again by one to three mutations.
`compare` shows a chain to both. Accepting must be the same always; where both refuse, the link and the step should be too.
"""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random
from typing import Final

from remit.contracts import (
    BY_REFERENCE,
    IN_HEADERS,
    ContractError,
    TrustAnchors,
    TrustedIssuer,
    VerifiedChain,
    as_json,
    read_key_set,
    verify_chain,
)
from tests.contract_reference import (
    families,
    mutate_claims,
    mutate_limits,
    mutate_links,
    mutate_text,
    mutate_tools,
    reference,
)
from tests.contract_reference.forge import Case
from tests.contract_reference.signatures import NO_POINT
from tests.contract_reference.strict_text import Json, as_plain
from tests.contract_reference.trust import Anchors, read_anchors
from tests.contract_reference.universe import as_node, fitting, value

GROUPS: Final = (
    mutate_tools.MUTATIONS,
    mutate_claims.MUTATIONS,
    mutate_links.MUTATIONS,
    mutate_text.MUTATIONS,
    mutate_limits.MUTATIONS,
)
MUTANTS_OF_A_FAMILY: Final = 12
CALLS_OF_A_CHAIN: Final = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """What one verifier says: no step means that the chain is good."""

    step: str | None
    link: int | None
    why: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A chain as both verifiers are shown it, and how it came to be."""

    chain: str
    anchors: dict[str, Json]
    now_us: int
    in_headers: bool
    made_by: str

    def as_json(self) -> str:
        """What is needed to see it again."""
        text = {"made_by": self.made_by, "anchors": self.anchors, "now_us": self.now_us, "chain": self.chain}
        return json.dumps({**text, "in_headers": self.in_headers})


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the two disagree, and how badly: `verdict`, `link`, `step`, `call` or `holder`."""

    kind: str
    shown: Shown
    reference: Answer
    package: Answer

    def __str__(self) -> str:
        ours, theirs = self.package, self.reference
        return (
            f"{self.kind}: the reference says {theirs.step} at {theirs.link} ({theirs.why}), the package says {ours.step} at "
            f"{ours.link} ({ours.why})\n{self.shown.as_json()}"
        )


def package_anchors(written: dict[str, Json]) -> TrustAnchors:
    """The anchors of a vector as the package takes them."""
    return _package_anchors(json.dumps(written))


@lru_cache(maxsize=64)
def _package_anchors(text: str) -> TrustAnchors:
    written = json.loads(text)
    issuers = (
        TrustedIssuer(
            name=each["name"], iss=each["iss"], keys=read_key_set(json.dumps(each["jwks"]).encode()),
            orgs=tuple(each.get("orgs", ())), tools=tuple(each.get("tools", ("*",))),
            lifetime_s=each.get("lifetime_s", 90 * 86400), plain_jwt=each.get("plain_jwt", False),
        )
        for each in written["issuers"]
    )  # fmt: skip
    return TrustAnchors(issuers=tuple(issuers), ledger=written.get("ledger", ""), audience=written.get("audience", ""))


@lru_cache(maxsize=64)
def _reference_anchors(text: str) -> Anchors:
    return read_anchors(json.loads(text))


def ask_package(shown: Shown) -> tuple[Answer, VerifiedChain | None]:
    """What the package says."""
    bounds = IN_HEADERS if shown.in_headers else BY_REFERENCE
    try:
        verified = verify_chain(shown.chain, package_anchors(shown.anchors), now_us=shown.now_us, bounds=bounds)
    except ContractError as error:
        return Answer(error.step.value, error.link, error.problem), None
    return Answer(None, None, holder=verified.leaf_key.thumbprint), verified


def ask_reference(shown: Shown) -> tuple[Answer, reference.Verdict]:
    """What the reference says."""
    anchors = _reference_anchors(json.dumps(shown.anchors))
    verdict = reference.verify(shown.chain, anchors, now_us=shown.now_us, in_headers=shown.in_headers)
    holder = verdict.leaf.holder.thumbprint if verdict.leaf is not None and verdict.leaf.holder is not None else ""
    return Answer(verdict.step, verdict.link, verdict.why, holder), verdict


def compare(shown: Shown, rng: Random) -> tuple[Answer, list[Difference]]:
    """What the reference says, and everything on which the two differ: about this chain and a few calls under it."""
    (theirs, verdict), (ours, verified) = ask_reference(shown), ask_package(shown)
    kind = _kind_of_difference(theirs, ours)
    found = [Difference(kind, shown, theirs, ours)] if kind else []
    if verified is not None and verdict.valid:
        found += _compare_calls(shown, rng, verdict, verified)
    return theirs, found


def _kind_of_difference(theirs: Answer, ours: Answer) -> str | None:
    if (theirs.step is None) != (ours.step is None):
        return "verdict"
    if theirs.holder != ours.holder:
        return "holder"
    if theirs.link != ours.link:
        return "link"
    return "step" if theirs.step != ours.step else None


def _compare_calls(
    shown: Shown, rng: Random, verdict: reference.Verdict, verified: VerifiedChain
) -> Iterator[Difference]:
    for _ in range(CALLS_OF_A_CHAIN):
        tool, arguments = _call(rng, verdict)
        theirs = reference.refuses_call(verdict, tool, arguments)
        ours = verified.chain.leaf.refusal(tool, {name: as_json(each) for name, each in arguments.items()})
        wider = [
            link for link in verdict.links if reference.link_refuses_call(link, tool, arguments) and theirs is None
        ]
        if wider:
            yield Difference(
                "widened", shown, Answer(None, None, tool), Answer(None, wider[0].index, json.dumps(arguments))
            )
        if (theirs is None) != (ours is None):
            call = f"{tool} {json.dumps(arguments)}"
            yield Difference("call", shown, Answer(theirs, None, call), Answer(ours, None, call))


def _call(rng: Random, verdict: reference.Verdict) -> tuple[str, dict[str, Json]]:
    tools = (verdict.leaf.tools if verdict.leaf is not None else None) or {}
    if not tools or rng.random() < 0.05:
        return "elsewhere", {}
    tool = rng.choice(list(tools))
    arguments = {name: as_plain(fitting(rng, as_node(node))) for name, node in tools[tool].items()}
    if rng.random() < 0.1:
        arguments["extra"] = as_plain(value(rng))
    if rng.random() < 0.1 and arguments:
        arguments.pop(rng.choice(list(arguments)))
    return tool, arguments


def mutants(rng: Random, count: int) -> Iterator[Shown]:
    """So many chains, most of them bad."""
    made = 0
    while made < count:
        case = families.family(rng).case()
        yield _shown(case, "nothing")
        made += 1
        for _ in range(min(MUTANTS_OF_A_FAMILY, count - made)):
            yield mutant(rng, case)
            made += 1


def mutant(rng: Random, case: Case) -> Shown:
    """A changed copy of this chain: by one mutation mostly, sometimes by two or three."""
    changed = case.copy()
    names: list[str] = []
    for _ in range(rng.choice((1, 1, 1, 1, 1, 2, 2, 3))):
        mutation = rng.choice(rng.choice(GROUPS))
        try:
            mutation(rng, changed)
        except (LookupError, TypeError, AttributeError):
            if not names:
                raise
            continue  # an earlier mutation took away what this one changes
        names.append(mutation.__name__)
    return _shown(changed, ", ".join(names))


def _shown(case: Case, made_by: str) -> Shown:
    return Shown(case.chain(), case.anchors, case.now_us, case.in_headers, made_by)


def excuse(difference: Difference) -> str | None:
    """Why a difference is none that a test should fail for; None: it should.

    How much work comparing may take is each verifier's own to say, so a chain may be `too_costly` for the package alone. The
    other is open: the package does not see in a `cnf` that 32 bytes are no point of the curve, which the draft's steps 3l and
    4b2 ("encodes a public key") ask for. Nobody can sign for such a key, so nothing is gained by it.
    """
    if difference.package.step == "too_costly" and difference.kind != "step":
        return "too costly for the package"
    if difference.reference.step == "holder_key_invalid" and difference.reference.why == NO_POINT:
        return "an Ed25519 key that is no point"
    return None


@dataclass(slots=True)
class Tally:
    """What came of many chains: how many were good, which steps refused, and every difference (the first few kept whole)."""

    chains: int = 0
    good: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    excused: Counter[str] = field(default_factory=Counter)
    differences: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str, str], list[Difference]] = field(default_factory=dict)


def run(rng: Random, count: int, *, examples: int = 3) -> Tally:
    """Show so many chains to both verifiers."""
    tally = Tally()
    for shown in mutants(rng, count):
        tally.chains += 1
        answer, differences = compare(shown, rng)
        tally.good += answer.step is None
        tally.steps[answer.step or "good"] += 1
        for difference in differences:
            if reason := excuse(difference):
                tally.excused[reason] += 1
                continue
            name = (difference.kind, str(difference.reference.step), str(difference.package.step))
            tally.differences[name] += 1
            kept = tally.examples.setdefault(name, [])
            if len(kept) < examples:
                kept.append(difference)
    return tally
