"""Chains that somebody hostile could send: endless, from a seed, each with the name of what was done to it.

Two kinds. *Torn* chains are sound texts with something changed afterwards: nobody signed what they say. *Forged* ones are
signed properly, link by link, by people who have the keys and write what they like; some of those are sound. Any verifier
can be tried on them: `mutants(seed, count)` gives texts, and says where a chain must be refused whatever it holds.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from remit.contracts import base64url
from tests.contracts.cast import CHECK, ED25519, LEDGER, NOW_S, PAY, Cast, chain, child, root
from tests.contracts.plans import Plan, build, compact, plans, with_limits, with_tools

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NOISE: Final = ALPHABET + ".~=+/ \n\té"
CLAIMS: Final = ("jti", "iss", "iat", "exp", "cnf", "del_depth", "del_max_depth", "par_hash", "authorization_details")
OURS: Final = ("remit_agent", "remit_org", "remit_user", "remit_account", "remit_x", "nbf", "aud", "sub")
HEADER: Final = ("alg", "typ", "kid", "crit", "remit", "jwk", "jku", "x5c", "b64", "zip", "enc", "note")
VALUES: Final[list[Any]] = [
    None, True, False, -1, 0, 1, 2, 3, 7, 9, 0.5, 1.0, 2**53 - 1, "", "0", "1", "x", "é", "none", "EdDSA", "ES256", "JWT",
    "aat+jwt", LEDGER, [], {}, [1], ["remit"], {"jwk": {}}, NOW_S, NOW_S - 60, NOW_S + 20, NOW_S + 60, NOW_S + 3600,
    NOW_S + 3601, str(NOW_S + 60), NOW_S + 0.5,
]  # fmt: skip
SCALARS: Final[list[Any]] = [0, 1, 2, 5, 100, 500, 1.5, True, None, "USD", "EUR", "a", ""]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A chain, and what was done to it. `must_be_refused` where nobody with the right keys signed it as it is."""

    name: str
    chain: str
    must_be_refused: bool


def mutants(seed: int, count: int, *, cast: Cast = ED25519) -> Iterator[Mutant]:
    """`count` chains, half of them torn and half forged; the same ones for the same seed."""
    chance = random.Random(seed)
    for number in range(count):
        yield torn(chance, cast) if number % 2 else forged(chance, cast)


def torn(chance: random.Random, cast: Cast = ED25519) -> Mutant:
    """A sound chain of one to three links with one to three changes to its text."""
    original = _sound(cast, chance.randint(1, 3))
    text = original
    names: list[str] = []
    while text == original:  # a change may have put back what was there
        names = []
        for _ in range(chance.choice((1, 1, 2, 3))):
            tear = chance.choice(TEARS)
            names.append(tear.__name__)
            text = tear(text, chance, cast)
    signed, genuine = _signed_texts(text), (_signed_texts(original), _signed_texts(_other_family(cast)))
    is_genuine = any(signed == texts[: len(signed)] for texts in genuine)  # what is left may be a sound chain
    return Mutant("+".join(names), text, must_be_refused=not is_genuine)


def forged(chance: random.Random, cast: Cast = ED25519) -> Mutant:
    """A chain in which one to three things were written anew, and signed by whoever holds each link."""
    links = list(_plans(cast, chance.randint(1, 3)))
    names = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        forge, place = chance.choice(FORGERIES), chance.randrange(len(links))
        names.append(f"{forge.__name__}@{place}")
        links[place] = forge(links[place], chance, cast)
    signers = [plan.key.public for plan in links]
    is_stolen = signers != [signer.public for signer in cast.signers[: len(links)]]
    return Mutant("+".join(names), build(links), must_be_refused=is_stolen)


@lru_cache(maxsize=16)
def _sound(cast: Cast, links: int) -> str:
    return chain(cast, links=links)


@lru_cache(maxsize=16)
def _plans(cast: Cast, links: int) -> tuple[Plan, ...]:
    return tuple(plans(cast, text=_sound(cast, links)))


@lru_cache(maxsize=4)
def _other_family(cast: Cast) -> str:
    """Another sound chain of the same people."""
    return child(root(cast, seed="other root"), cast, seed="other child")


def _signed_texts(text: str) -> list[str]:
    return [link.rpartition(".")[0] for link in text.split("~")]


def _at(text: str, chance: random.Random) -> int:
    return chance.randrange(max(1, len(text)))


def put_another_character(text: str, chance: random.Random, cast: Cast) -> str:
    place = _at(text, chance)
    return text[:place] + chance.choice(NOISE) + text[place + 1 :]


def take_a_character_out(text: str, chance: random.Random, cast: Cast) -> str:
    place = _at(text, chance)
    return text[:place] + text[place + 1 :]


def put_a_character_in(text: str, chance: random.Random, cast: Cast) -> str:
    place = _at(text, chance)
    return text[:place] + chance.choice(NOISE) + text[place:]


def cut_the_end(text: str, chance: random.Random, cast: Cast) -> str:
    return text[: _at(text, chance)]


def take_a_link_out(text: str, chance: random.Random, cast: Cast) -> str:
    links = text.split("~")
    del links[chance.randrange(len(links))]
    return "~".join(links)


def put_a_link_twice(text: str, chance: random.Random, cast: Cast) -> str:
    links = text.split("~")
    links.insert(chance.randrange(len(links) + 1), chance.choice(links))
    return "~".join(links)


def change_the_order(text: str, chance: random.Random, cast: Cast) -> str:
    links = text.split("~")
    chance.shuffle(links)
    return "~".join(links)


def graft_a_link_of_another_family(text: str, chance: random.Random, cast: Cast) -> str:
    links, others = text.split("~"), _other_family(cast).split("~")
    links[chance.randrange(len(links))] = chance.choice(others)
    return "~".join(links)


def swap_a_part(text: str, chance: random.Random, cast: Cast) -> str:
    """Take header, payload or signature of one link from another."""
    links = [link.split(".") for link in text.split("~")]
    into, source, part = chance.choice(links), chance.choice(links), chance.randrange(3)
    if len(into) == 3 == len(source):
        into[part] = source[part]
    return "~".join(".".join(parts) for parts in links)


def change_a_payload(text: str, chance: random.Random, cast: Cast) -> str:
    """Write a claim anew and leave the signature as it was."""
    links = [link.split(".") for link in text.split("~")]
    parts = chance.choice(links)
    try:
        claims = json.loads(base64url.decode(parts[1].encode()))
        claims[chance.choice(CLAIMS + OURS)] = chance.choice(VALUES)
        parts[1] = base64url.encode(compact(claims))
    except (IndexError, TypeError, ValueError):
        return text + "~"
    return "~".join(".".join(parts) for parts in links)


TEARS: Final[tuple[Callable[[str, random.Random, Cast], str], ...]] = (
    put_another_character,
    take_a_character_out,
    put_a_character_in,
    cut_the_end,
    take_a_link_out,
    put_a_link_twice,
    change_the_order,
    graft_a_link_of_another_family,
    swap_a_part,
    change_a_payload,
)


def write_a_claim(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    return plan.with_claims(**{chance.choice(CLAIMS + OURS): chance.choice(VALUES)})


def nudge_a_number(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    name = chance.choice(("iat", "exp", "del_depth", "del_max_depth"))
    value = plan.claims.get(name)
    by = chance.choice((-3600, -31, -30, -1, 1, 30, 31, 3600))
    return plan.with_claims(**{name: value + by}) if isinstance(value, int) else plan


def leave_a_claim_out(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    return plan.with_claims(**{chance.choice(CLAIMS): ...})


def write_a_header(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    return plan.with_header(**{chance.choice(HEADER): chance.choice([..., *VALUES])})


def sign_with_another_key(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    return replace(plan, key=chance.choice((cast.thief, *cast.signers)))


def name_another_holder(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    holder = chance.choice((cast.thief, *cast.holders)).public
    return plan.with_claims(cnf={"jwk": holder.to_jwk()})


def name_another_parent(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    return replace(plan, fits_parent=False).with_claims(par_hash="x" * 43)


def write_a_member_twice(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    name = chance.choice(CLAIMS)
    text = compact(plan.claims)
    return replace(plan, payload=text[:-1] + f',"{name}":{json.dumps(chance.choice(VALUES))}}}'.encode())


def write_the_payload_otherwise(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    """Spaces, escapes and order, which change nothing; junk and other encodings, which no reader may accept."""
    text = json.dumps(plan.claims, indent=chance.choice((None, 2)), sort_keys=True)
    ways = (text, text + "\n", "\ufeff" + text, text + "x", text.replace("exp", "\\u0065xp"), text[:-1], f"[{text}]")
    return replace(plan, payload=chance.choice(ways).encode(chance.choice(("utf-8", "utf-8", "utf-16"))))


def give_other_tools(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    names = chance.sample((PAY, CHECK, "admin", PAY.upper(), ""), chance.randint(0, 3))
    tools = {
        name: {
            argument: some_constraint(chance)
            for argument in chance.sample(("amount", "currency", "to"), chance.randint(0, 2))
        }
        for name in names
    }
    return with_tools(plan, tools) if "authorization_details" in plan.claims and _has_details(plan) else plan


def give_another_constraint(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    if not _has_details(plan):
        return plan
    tools = {
        PAY: {
            "amount": chance.choice(
                (some_constraint(chance), {"constraint_type": "range", "max": chance.choice(SCALARS)})
            ),
            "currency": chance.choice(
                (some_constraint(chance), {"constraint_type": "exact", "value": chance.choice(SCALARS)})
            ),
        }
    }
    return with_tools(plan, tools)


def give_other_limits(plan: Plan, chance: random.Random, cast: Cast) -> Plan:
    if not _has_details(plan):
        return plan
    limit: dict[str, Any] = {"id": "a", "meter": "calls", "max": 5}
    limit[chance.choice(("id", "meter", "max", "per", "tools", "unit", "rate", "maximum"))] = chance.choice(VALUES)
    entry = {"ledger": LEDGER, "limits": [limit]}
    return with_limits(plan, chance.choice((None, entry, {**entry, "ledger": "x"}, {}, {"limits": []})))


FORGERIES: Final[tuple[Callable[[Plan, random.Random, Cast], Plan], ...]] = (
    write_a_claim,
    nudge_a_number,
    leave_a_claim_out,
    write_a_header,
    sign_with_another_key,
    name_another_holder,
    name_another_parent,
    write_a_member_twice,
    write_the_payload_otherwise,
    give_other_tools,
    give_another_constraint,
    give_other_limits,
)


def _has_details(plan: Plan) -> bool:
    details = plan.claims.get("authorization_details")
    return isinstance(details, list) and all(isinstance(entry, dict) and "type" in entry for entry in details)


def some_constraint(chance: random.Random, depth: int = 0) -> dict[str, Any]:
    """A constraint of any type, now and then one that is none."""
    kinds = ("exact", "range", "one_of", "not_one_of", "contains", "subset", "wildcard", "all", "any", "cel")
    kind = chance.choice(kinds[:7] if depth > 2 else kinds)
    made: dict[str, Any] = {"constraint_type": kind}
    if kind == "exact":
        made["value"] = chance.choice(SCALARS)
    elif kind == "range":
        bounds = {"min": chance.choice(SCALARS), "max": chance.choice(SCALARS), "max_inclusive": chance.random() < 0.5}
        made |= {name: bounds[name] for name in chance.sample(sorted(bounds), chance.randint(0, 3))}
    elif kind in ("all", "any"):
        made["constraints"] = [some_constraint(chance, depth + 1) for _ in range(chance.randint(0, 3))]
    elif kind != "wildcard":
        members = {"one_of": "values", "not_one_of": "excluded", "contains": "required", "subset": "allowed"}
        made[members.get(kind, "x")] = chance.sample(SCALARS, chance.randint(0, 4))
    return made
