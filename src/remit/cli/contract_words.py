"""What one contract of a chain allows, in words for somebody who never saw one: pairs of a short name and a text.

Names and values come from whoever signed the contract, so everything here is shown as text that a terminal cannot obey.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, assert_never

from remit.audit.safe_text import clean
from remit.audit.times import duration, iso
from remit.cli.contract_grammar import format_tool, json_text
from remit.cli.contract_limit_grammar import format_limit
from remit.core.constraints import (
    AllOf,
    AnyOf,
    ArgumentMap,
    Constraint,
    Contains,
    Exact,
    NotOneOf,
    OneOf,
    Range,
    Subset,
    Wildcard,
)
from remit.core.contract import Chain, Contract
from remit.core.contract_limits import Cap, ContractLimit, Meter
from remit.core.money import format_micros
from remit.core.policy import Rate
from remit.core.schedule import SECOND_US, describe_only
from remit.core.sentences import describe_amount, describe_period
from remit.core.strict_json import JsonValue
from remit.core.units import describe_window

MAX_VALUE_CHARS: Final = 80
MAX_NAME_CHARS: Final = 128
MAX_TOOL_CHARS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a limit has counted so far, and what of it is held for calls that still run."""

    used: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a store knows of a chain: how far each limit is used (by place of the link and id), and what is revoked."""

    uses: Mapping[tuple[int, str], Use]
    lineages: frozenset[str]
    holders: frozenset[str]

    def is_revoked(self, chain: Chain, hop: int) -> bool:
        """Whether the contract at `hop`, or one above it, was revoked, by itself or by its holder."""
        upto = range(hop + 1)
        return any(
            chain.lineages[at] in self.lineages or chain.links[at].holder.thumbprint in self.holders for at in upto
        )


def describe_link(chain: Chain, hop: int, *, now_us: int, standing: Standing | None) -> Iterator[tuple[str, str]]:
    """Yield what the contract at `hop` says, line by line; a name that is empty goes on with the line before."""
    link = chain.links[hop]
    if standing is not None and standing.is_revoked(chain, hop):
        yield "REVOKED", "no call under it passes any more"
    yield "held by", _holder(link)
    yield "given by", _giver(chain, hop)
    yield from _named("may call", _tools(link))
    for limit in link.limits.limits if link.limits is not None else ():
        use = standing.uses[hop, limit.id] if standing is not None else None
        yield _limit_name(limit), _limit(limit, use)
    if link.limits is not None and link.limits.schedule is not None:
        windows = [describe_only(window) for window in link.limits.schedule.windows]
        yield from _named("only", windows or ["never"])
    yield "until", _until(link, now_us)
    yield "may hand it on", _delegation(link)
    billed = [
        f"{what} {value}"
        for what, value in (("org", link.org), ("user", link.user), ("account", link.account))
        if value
    ]
    if billed:
        yield "billed to", ", ".join(billed)
    if link.limits is not None and link.limits.ledger is not None:
        yield "counted by", clean(link.limits.ledger, max_chars=256)
    yield "known as", f"contract {clean(link.jti, max_chars=256)}, lineage {chain.lineages[hop]}"


def one_line(chain: Chain, *, place: str | None) -> str:
    """What was just made: for whom, what and until when, for people to check."""
    leaf = chain.leaf
    tools = ", ".join(
        clean(format_tool(name, each), max_chars=MAX_TOOL_CHARS) for name, each in (leaf.tools or {}).items()
    )
    limits = ", ".join(format_limit(limit) for limit in leaf.limits.limits) if leaf.limits is not None else ""
    made = f"`{place}` is" if place is not None else "this is"
    return (
        f"{made} contract {len(chain.links)} of its chain, for {name_of(leaf)}: {tools}{f'; {limits}' if limits else ''}; "
        f"until {iso(leaf.expires_us)[:19]}Z"
    )


def describe_constraint(constraint: Constraint) -> str:
    """Say what an argument must be, as the rest of a sentence that begins with its name."""
    match constraint:
        case Wildcard():
            return "may be anything"
        case Exact(value=value):
            return f"must be {_value(value)}"
        case Range():
            return f"must be {_range(constraint)}"
        case OneOf(values=values):
            return f"must be {_either(values)}"
        case NotOneOf(excluded=excluded):
            return f"must not be {_either(excluded)}" if excluded else "may be anything"
        case Contains(required=required):
            return f"must be a list with {_all_of(required)} in it" if required else "must be a list"
        case Subset(allowed=allowed):
            return f"must be a list of nothing but {_all_of(allowed)}" if allowed else "must be an empty list"
        case AllOf(clauses=clauses):
            return _joined(clauses, " and ")
        case AnyOf(clauses=clauses):
            return _joined(clauses, " or ")
        case _:
            assert_never(constraint)


def name_of(link: Contract) -> str:
    """The name of a holder, or the beginning of its key's thumbprint where it has none."""
    return link.agent or f"the holder of key {link.holder.thumbprint[:8]}..."


def _holder(link: Contract) -> str:
    name = f"{link.agent}, " if link.agent else ""
    return f"{name}whoever has the private key {link.holder.thumbprint}"


def _giver(chain: Chain, hop: int) -> str:
    if hop == 0:
        return f"issuer {clean(chain.root.iss, max_chars=256)}"
    return f"{name_of(chain.links[hop - 1])}, who holds contract {hop}"


def _tools(link: Contract) -> list[str]:
    lines: list[str] = []
    for tool, arguments in (link.tools or {}).items():
        name = clean(tool, max_chars=MAX_NAME_CHARS)
        lines.append(f"{name}, with these arguments and no others:" if arguments else f"{name}, with any arguments")
        lines += [f"  {line}" for line in _arguments(arguments)]
    return lines or ["nothing"]


def _arguments(arguments: ArgumentMap) -> list[str]:
    return [f"{clean(name, max_chars=MAX_NAME_CHARS)} {describe_constraint(each)}" for name, each in arguments.items()]


def _limit_name(limit: ContractLimit) -> str:
    if isinstance(limit.rule, Rate):
        return "how fast"
    return "how much" if limit.meter is Meter.COST else "how often"


def _limit(limit: ContractLimit, use: Use | None) -> str:
    of = ""
    if limit.tools is not None:
        of = f" of {', '.join(clean(tool, max_chars=MAX_NAME_CHARS) for tool in sorted(limit.tools))}"
    rule = limit.rule
    match rule:
        case Rate(count=count, per_us=per_us, burst=burst):
            at_once = f", at most {burst:,} at once" if burst not in (count, 0) else ""
            return f"{describe_amount(count, 'calls')} {describe_period(per_us)}{of}{at_once} (`{limit.id}`)"
        case Cap(max=most, window=window):
            said = f"{_amount(most, limit)}{of} {describe_window(window)} (`{limit.id}`)"
            return said + (_left(limit, most, use) if use is not None else "")
        case _:
            assert_never(rule)


def _left(limit: ContractLimit, most: int, use: Use) -> str:
    in_flight = f" and {_amount(use.held, limit)} is held for running calls" if use.held else ""
    left = max(0, most - use.used - use.held)
    return f": {_amount(use.used, limit)} used{in_flight}, {_amount(left, limit)} left"


def _amount(amount: int, limit: ContractLimit) -> str:
    return format_micros(amount, limit.unit) if limit.meter is Meter.COST else describe_amount(amount, limit.unit)


def _until(link: Contract, now_us: int) -> str:
    moment = f"{iso(link.expires_us)[:19]}Z"
    if link.expires_us <= now_us:
        return f"{moment}: it has expired"
    begins = ""
    if link.not_before_s * SECOND_US > now_us:
        begins = f", and not before {iso(link.not_before_s * SECOND_US)[:19]}Z"
    return f"{moment}, for another {duration(link.expires_us - now_us)}{begins}"


def _delegation(link: Contract) -> str:
    levels = link.max_depth - link.depth
    if not levels:
        return "no"
    return "yes, to one more holder below" if levels == 1 else f"yes, {levels} levels deep"


def _range(constraint: Range) -> str:
    low, high = constraint.minimum, constraint.maximum
    said = []
    if low is not None:
        said.append(f"at least {low.text}" if low.inclusive else f"above {low.text}")
    if high is not None:
        said.append(f"at most {high.text}" if high.inclusive else f"below {high.text}")
    return ", ".join(["a number", " and ".join(said)]) if said else "a number"


def _value(value: JsonValue) -> str:
    return clean(json_text(value), max_chars=MAX_VALUE_CHARS)


def _either(values: Iterable[JsonValue]) -> str:
    shown = [_value(value) for value in values]
    return " or ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown) or "nothing at all"


def _all_of(values: Iterable[JsonValue]) -> str:
    shown = [_value(value) for value in values]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _joined(clauses: Iterable[Constraint], word: str) -> str:
    said = [describe_constraint(clause) for clause in clauses]
    return f"({word.join(said)})" if len(said) > 1 else said[0]


def _named(name: str, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines):
        yield ("" if number else name), line
