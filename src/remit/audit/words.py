"""What happened, told to somebody who never saw the policy: `remit why <decision>` and the lines of `remit audit tail`.

Sentences are made from the record alone, which has the numbers of that moment, and from the settlements that followed.
`LimitText` lends the sentence that today's policy has for a limit; without one, the words written at the time are used.
Everything that came from outside is cleaned once more before it is shown: a log that was tampered with, or written by
somebody else's hand, must not reach the terminal as anything but text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from remit.audit.record import (
    Admin,
    AdminAction,
    CallerSeen,
    Decision,
    Link,
    Outcome,
    Record,
    Refusals,
    SettledHow,
    Settlement,
)
from remit.audit.safe_text import clean
from remit.audit.times import duration, iso, utc
from remit.core.money import CURRENCY_DECIMALS
from remit.core.reasons import REASONS, Reason
from remit.core.sentences import describe_amount

MAX_SHOWN_CHARS: Final = 1100
"""No single value takes more room than this on a screen."""


@dataclass(frozen=True, slots=True)
class LimitText:
    """What a limit allows, in words: `transfers allows 100 calls an hour for each agent and tool` (no full stop)."""

    name: str
    sentence: str


def explain(record: Record, settlements: Sequence[Record] = (), *, limits: Sequence[LimitText] = ()) -> str:
    """A few plain sentences, one a line: who, what, when, what was decided, by which numbers, what to do, what it cost.

    `settlements` are the records of what became of the call's hold, in order; others among them are passed over.
    """
    match record.body:
        case Decision() as decision:
            lines = _decision(decision, record, {limit.name: limit.sentence for limit in limits})
            lines += _outcomes(decision, [each.body for each in settlements if isinstance(each.body, Settlement)])
        case Refusals() as refusals:
            lines = _refusals(refusals)
        case Settlement() as settlement:
            lines = [f"{_when(record.time_us)} hold {_name(settlement.hold)} was settled.", _settled(settlement, {})]
        case Admin() as admin:
            lines = [f"{_when(record.time_us)} {_admin(admin)}."]
        case _:
            assert_never(record.body)
    return "\n".join([*(line for line in lines if line), _where(record)])


def one_line(record: Record) -> str:
    """The record on one line, for following the log: time, what happened, to whom, why, the id to ask about."""
    body = record.body
    match body:
        case Decision():
            verdict = "allowed" if body.outcome is Outcome.ALLOW else "refused"
            numbers = f" {_used(body)}" if body.limit and body.max else ""
            why = f"{_bare(body.reason)} {_bare(body.limit)}{numbers}".strip()
            parts = [verdict, _bare(body.tool), _brief(body.caller), why or _amounts(body.amounts), _bare(body.id)]
        case Refusals():
            count = f"refused {body.count} times"
            parts = [count, _bare(body.tool), _brief(body.caller), f"{_bare(body.reason)} {_bare(body.limit)}".strip()]
            parts.append(f"{_bare(body.first_decision)} to {_bare(body.last_decision)}")
        case Settlement():
            status = f"status {body.status}" if body.status else ""
            parts = [body.how.value, _amounts(body.actuals), status, _bare(body.evidence), _bare(body.hold)]
        case Admin():
            parts = [body.action.value, _bare(body.subject), f"by {_bare(body.by)}", _bare(body.detail)]
        case _:
            assert_never(body)
    return "  ".join([iso(record.time_us), *(part for part in parts if part)])


def _decision(decision: Decision, record: Record, sentences: Mapping[str, str]) -> list[str]:
    call = f"{_when(record.time_us)} {_who(decision.caller)} called {_name(decision.tool)}"
    target = f" for {_name(decision.target)}" if decision.target else ""
    seen = f" ({_bare(decision.method)} {_bare(decision.path)})" if decision.path else ""
    lines = [f"{call}{target}{seen}.", _arguments(decision), _chain(decision)]
    if decision.outcome is Outcome.ALLOW:
        amounts = _amounts(decision.amounts)
        asked = f" While it ran it held {amounts}." if amounts else ""
        lines.append(f"It was allowed.{asked}")
    else:
        title, help_text = _about(decision.reason)
        lines += [f"It was refused: {title} ({_name(decision.reason)}).", _limit(decision, record, sentences)]
        lines.append(f"What to do: {help_text}")
        lines.append("The call was not made, so it cost nothing.")
    if decision.would_refuse:
        names = ", ".join(_name(name) for name in decision.would_refuse)
        lines.append(f"Had they been enforced, these limits would have refused it: {names}.")
    return lines


def _limit(decision: Decision, record: Record, sentences: Mapping[str, str]) -> str:
    """The limit that decided, with its numbers in words, and when there is room again."""
    if not decision.limit:
        return _sentence(decision.detail)
    if decision.limit in sentences:
        text = f"{_bare(sentences[decision.limit])}; {_used_in_words(decision)}."
    elif decision.detail:
        text = _sentence(decision.detail)
    else:
        per = f" for each {_bare(decision.per).replace(', ', ' and ')}" if decision.per else ""
        most = _amount(decision.max, decision.unit)
        text = f"{_name(decision.limit)} allows {most}{per}; {_used_in_words(decision)}."
    if decision.hop and decision.hop <= len(decision.chain):
        text += f" The limit belongs to contract {decision.hop} of {len(decision.chain)} in the chain."
    if decision.reset_us > record.time_us:
        later = duration(decision.reset_us - record.time_us)
        text += f" There is room again at {utc(decision.reset_us)}, {later} after the call."
    others = [limit.name for limit in decision.failing if limit.name != decision.limit]
    if others:
        text += f" These limits had no room either: {', '.join(map(_name, others))}."
    return text


def _used_in_words(decision: Decision) -> str:
    spent = "spent" if decision.unit in CURRENCY_DECIMALS else "used"
    were = "was" if decision.unit in CURRENCY_DECIMALS or decision.used == 1 else "were"
    figure = _amount(decision.used, decision.unit) if spent == "spent" else f"{decision.used:,}"
    held = f", and {_amount(decision.held, decision.unit)} held by calls still running" if decision.held else ""
    return f"{figure} {were} already {spent}{held}"


def _outcomes(decision: Decision, settlements: Sequence[Settlement]) -> list[str]:
    """How the money and calls that the decision held were settled."""
    mine = [settlement for settlement in settlements if settlement.decision == decision.id]
    if decision.outcome is Outcome.ALLOW and decision.hold and not mine:
        return [f"It has not been settled yet; still held for it: {_amounts(decision.amounts) or 'nothing'}."]
    return [_settled(settlement, decision.amounts) for settlement in mine]


def _settled(settlement: Settlement, held: Mapping[str, int]) -> str:
    cost = _amounts(settlement.actuals) or "nothing"
    known = f" ({_bare(settlement.evidence)})" if settlement.evidence else ""
    match settlement.how:
        case SettledHow.COMMITTED:
            text = f"{_answer(settlement)} It cost {cost}.{_returned(settlement, held)}"
        case SettledHow.ASSUMED_SPENT:
            booked = _amounts(settlement.actuals or held) or "nothing"
            text = (
                f"Nobody knows what became of the call{known}. Until somebody finds out it counts as spent: {booked}."
            )
            text += f" `remit holds` shows how to resolve {_name(settlement.hold)}."
        case SettledHow.RELEASED:
            text = f"Nothing happened behind it{known}, so everything that it held was given back."
        case SettledHow.EXPIRED:
            text = f"The call never left{known}, so everything that it held was given back."
        case SettledHow.RESOLVED:
            by = f"{_name(settlement.by)} found out what became of it" if settlement.by else "It was resolved"
            text = f"{by}{known}; it cost {cost}."
        case SettledHow.REFUNDED:
            text = f"Refunded later: {cost}{known}."
        case SettledHow.LATE:
            text = (
                f"{_answer(settlement)} That was reported after its hold had ended{known}; it cost {cost} all the same."
            )
        case _:
            assert_never(settlement.how)
    if settlement.overage:
        text += f" Over the cap, recorded in full, and a reason to freeze the budget: {_amounts(settlement.overage)}."
    return text


def _answer(settlement: Settlement) -> str:
    """How the service behind answered, and how long that took."""
    took = f" after {duration(settlement.latency_us)}" if settlement.latency_us else ""
    if settlement.status:
        return f"The service behind it answered {settlement.status}{took}."
    return f"It ended{took}."


def _returned(settlement: Settlement, held: Mapping[str, int]) -> str:
    surplus = {
        unit: amount - settlement.actuals[unit]
        for unit, amount in held.items()
        if unit in CURRENCY_DECIMALS and amount > settlement.actuals.get(unit, amount)
    }
    return f" The other {_amounts(surplus)} became free again." if surplus else ""


def _refusals(body: Refusals) -> list[str]:
    title, help_text = _about(body.reason)
    limit = f" by the limit {_name(body.limit)}" if body.limit else ""
    tool = f" of {_name(body.tool)}" if body.tool else ""
    calls = "1 more call" if body.count == 1 else f"{body.count:,} more calls"
    span = f"Between {utc(body.first_us)} and {utc(body.last_us)} ({iso(body.first_us)} to {iso(body.last_us)})"
    ends = f"the first is decision {_name(body.first_decision)}, the last {_name(body.last_decision)}"
    return [
        f"{span} {calls}{tool} by {_who(body.caller)} were refused{limit}: {title} ({_name(body.reason)}).",
        f"They were alike and came within a second, so they are counted here instead of written out: {ends}.",
        f"What to do: {help_text}",
    ]


_DEEDS: Final = {
    AdminAction.KEY_CREATED: "created the API key",
    AdminAction.KEY_ROTATED: "rotated the API key",
    AdminAction.KEY_REVOKED: "revoked the API key",
    AdminAction.POLICY_LOADED: "loaded the policy",
    AdminAction.HOLD_RESOLVED: "resolved the hold",
    AdminAction.CLOCK_ACCEPTED: "accepted the clock",
    AdminAction.GATE_SET: "set the gate",
    AdminAction.AMOUNT_ADJUSTED: "adjusted",
    AdminAction.SESSION_OPENED: "opened the session",
    AdminAction.SESSION_CLOSED: "closed the session",
}


def _admin(body: Admin) -> str:
    subject = f" {_name(body.subject)}" if body.subject else ""
    amounts = f", {_amounts(body.amounts)}" if body.amounts else ""
    detail = f" ({_bare(body.detail)})" if body.detail else ""
    return f"{_name(body.by)} {_DEEDS[body.action]}{subject}{amounts}{detail}"


def _about(reason: str) -> tuple[str, str]:
    """The title, as the middle of a sentence, and the advice for a reason; a newer version may have newer reasons."""
    try:
        about = REASONS[Reason(reason)]
    except ValueError:
        return "for a reason that this version does not know", "Ask a newer version of remit about this record."
    return about.title[0].lower() + about.title[1:], about.help


def _who(caller: CallerSeen) -> str:
    """`agent `risk-check` (API key `abc…`, user `anna`)`: the label first, then what was verified."""
    kind = {"api_key": "API key", "none": "address"}.get(caller.kind, _bare(caller.kind))
    verified = ["in this process" if caller.kind == "local" else f"{kind} {_name(caller.id)}"]
    pairs = {"user": caller.user, "org": caller.org, "tier": caller.tier, "session": caller.session}
    verified += [f"{what} {_name(value)}" for what, value in pairs.items() if value]
    if caller.agent:
        return f"agent {_name(caller.agent)} ({', '.join(verified)})"
    who = "an anonymous caller" if caller.kind == "none" else "a caller"
    return f"{who} ({', '.join(verified)})"


def _brief(caller: CallerSeen) -> str:
    return f"agent {_bare(caller.agent)}" if caller.agent else f"{_bare(caller.kind)} {_bare(caller.id)}"


def _arguments(decision: Decision) -> str:
    shown = ", ".join(f"{_bare(name)} = {_name(value)}" for name, value in decision.arguments.items())
    return f"Its arguments were {shown}." if shown else ""


def _chain(decision: Decision) -> str:
    if not decision.chain:
        return ""
    names = " to ".join(_holder(link) for link in decision.chain)
    return f"It came with a chain of {len(decision.chain)} contracts, from {names}."


def _holder(link: Link) -> str:
    return f"{_name(link.agent)} (key {_name(link.holder)})" if link.agent else f"key {_name(link.holder)}"


def _used(decision: Decision) -> str:
    """`100/100 calls`, for one line."""
    if decision.unit in CURRENCY_DECIMALS:
        return f"{_amount(decision.used + decision.held, decision.unit)} of {_amount(decision.max, decision.unit)}"
    return f"{decision.used + decision.held}/{decision.max} {_bare(decision.unit)}"


def _amounts(amounts: Mapping[str, int]) -> str:
    """`1 call and 0.35 USD`; left out are zeros, and the places that calls take up while they run."""
    shown = [
        _amount(amount, unit) for unit, amount in sorted(amounts.items(), reverse=True) if amount and unit != "slots"
    ]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else ""


def _amount(amount: int, unit: str) -> str:
    return describe_amount(amount, _bare(unit) or "units")


def _when(time_us: int) -> str:
    return f"At {utc(time_us)} ({iso(time_us)})"


def _where(record: Record) -> str:
    body = record.body
    decision = f"decision {_name(body.id)}, " if isinstance(body, Decision) else ""
    policy = f", policy {_name(body.policy)}" if not isinstance(body, Settlement) and body.policy else ""
    return f"In the audit log: {decision}record {record.seq} of writer {_name(record.writer)}{policy}."


def _sentence(detail: str) -> str:
    """A detail written at the time, as a sentence of its own."""
    text = _bare(detail)
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def _name(text: str) -> str:
    return f"`{_bare(text)}`"


def _bare(text: str) -> str:
    return clean(text, max_chars=MAX_SHOWN_CHARS)
