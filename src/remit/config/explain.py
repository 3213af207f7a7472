"""A policy in sentences that an operator can read aloud: every tool, every limit, how exact it is and whom it refuses.

The wording of amounts and windows is the one that refusals use, so that a limit sounds the same before and after it was
hit. What a limit cannot promise is said with it: counters of failures are fed when calls end, so they may overshoot by
the calls in flight.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final, assert_never

from remit.config.coverage import ANONYMOUS_HAVE, covers
from remit.core.ledger.operations import ROLLING_BUCKETS
from remit.core.money import ceil_div, format_micros
from remit.core.policy import (
    ActualSource,
    Argument,
    Budget,
    Concurrent,
    Dimension,
    Failures,
    Limit,
    Mode,
    Only,
    Policy,
    Price,
    Quota,
    Rate,
    Risk,
    Rule,
    Tool,
    Units,
)
from remit.core.reasons import Reason
from remit.core.schedule import Calendar, describe_only
from remit.core.sentences import describe_amount, describe_duration, describe_period
from remit.core.units import Life, Rolling, Window, describe_window

_WIDTH: Final = 100
_ABOUT_THE_CALL: Final = (Dimension.TOOL, Dimension.TARGET)
_GIVEN_WITH_KEYS: Final = (Dimension.USER, Dimension.ORG)
_EXACT: Final = "Exact: no overshoot."


def explain(policy: Policy) -> str:
    """The whole policy in sentences, wrapped for a terminal, ending in a newline."""
    money = f"All money is in {policy.currency}." if policy.currency else ""
    parts = [
        f"Policy {policy.digest[:12]}. {money}".strip(),
        "TOOLS. Everything else is refused.",
        *(_wrapped(explain_tool(policy, tool)) for tool in policy.tools.values()),
        "LIMITS. All that concern a call must admit it, in one step; a refused call changes none of them.",
        *(_wrapped(explain_limit(policy, limit)) for limit in policy.limits.values()),
        "SESSIONS",
        _wrapped([_sessions(policy)]),
    ]
    if not policy.limits:
        parts.insert(-2, "  There is none: whoever may call a tool may call it without end.")
    return "\n\n".join(parts) + "\n"


def _wrapped(sentences: Iterable[str]) -> str:
    return textwrap.fill(
        " ".join(sentence for sentence in sentences if sentence),
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def explain_tool(policy: Policy, tool: Tool) -> list[str]:
    """One tool in sentences: what it is, who may call it, what it reads, what it costs, which limits concern it."""
    sentences = [f"`{tool.name}` is {tool.route} at `{tool.upstream}`."]
    if tool.anonymous:
        sentences.append("Anybody may call it, also without a credential.")
    sentences.extend((_arguments(tool), _price(policy, tool.price)))
    if not tool.idempotent:
        sentences.append("It is never sent twice for one idempotency key.")
    if tool.risk is Risk.HIGH:
        sentences.append("It is high-risk, but an API key is all that can be asked for yet.")
    names = [
        f"`{limit.name}`" for limit in policy.limits.values() if covers(limit, tool.name) and _concerns_price(limit, tool)
    ]
    sentences.append(f"Limits: {_and(names)}." if names else "No limit concerns it.")
    return sentences


def _concerns_price(limit: Limit, tool: Tool) -> bool:
    return not isinstance(limit.rule, Budget) or (tool.price is not None and tool.price.hold_micros > 0)


def _arguments(tool: Tool) -> str:
    read = _and([_argument(argument) for argument in tool.arguments])
    if tool.extra_arguments:
        return f"It reads {read}; other arguments pass unread." if read else "Its arguments pass unread."
    return f"It reads {read}; a call with other arguments is refused." if read else "It takes no arguments."


def _argument(argument: Argument) -> str:
    kind = "" if argument.type == "string" else f" {argument.type}"
    optional = "" if argument.required else " optional"
    where = f"{argument.source}.{argument.member}"
    named = "" if argument.name == argument.member else f"{argument.name} from "
    return f"{named}`{where}{kind}{optional}`"


def _price(policy: Policy, price: Price | None) -> str:
    if price is None:
        return "It has no price, so every call is refused with `unpriced`."
    if price.hold_micros == 0:
        return "It is free."
    hold = format_micros(price.hold_micros, policy.currency)
    match price.actual:
        case ActualSource.HOLD:
            said = f"A call costs {hold}, held before it is sent."
        case ActualSource.HEADER:
            said = f"A call holds {hold} before it is sent, and costs what the answer's header `{price.actual_name}` says."
        case ActualSource.BODY:
            said = f"A call holds {hold} before it is sent, and costs what `{price.actual_name}` in the answer's JSON says."
        case _:
            assert_never(price.actual)
    if price.actual is not ActualSource.HOLD:
        said += f" If that is missing or unreadable, it costs {hold}."
    statuses = [str(status) for status in sorted(price.free_on)]
    free = f" Status {_or(statuses)} costs nothing." if statuses else ""
    return f"{said}{free} If the outcome is not known, {hold} counts as spent."


def explain_limit(policy: Policy, limit: Limit) -> list[str]:
    """One limit in sentences: the rule, how exact it is, its warnings, and which callers it refuses."""
    agents = f"for {_and([f'`{agent}`' for agent in limit.agents])} only: " if limit.agents else ""
    sentences = [f"`{limit.name}`: {agents}{_rule(policy, limit, limit.rule)}", _strictness(policy, limit)]
    if limit.warn_at_permille:
        levels = [f"{level // 10}{f'.{level % 10}' if level % 10 else ''}%" for level in limit.warn_at_permille]
        sentences.append(f"Warns at {_and(levels)}.")
    sentences.extend(_who_lacks(policy, limit, dimension) for dimension in limit.per)
    return sentences


def _rule(policy: Policy, limit: Limit, rule: Rule) -> str:
    who, what = _who(limit), _what(limit)
    match rule:
        case Rate():
            return _rate(limit, rule)
        case Quota(most, window):
            return f"{who} may call {what} {_times(most, window)}; {_beyond(limit, f'call {most + 1:,}', _quota_reason(window), window)}"
        case Units(most, window, weights):
            weighs = [f"`{tool}` {weight:,}" for tool, weight in weights.items()]
            each = f"a call of {_and(weighs)}, of any other tool 1" if weighs else "a call takes 1"
            allowed = f"{describe_amount(most, 'units')} {describe_window(window)}"
            return f"{who} may use {allowed} on {what} ({each}); {_beyond(limit, 'a call that does not fit', _quota_reason(window), window)}"
        case Budget(most_micros, window):
            allowed = f"{format_micros(most_micros, policy.currency)} {describe_window(window)}"
            return f"{who} may spend {allowed} on {what}; {_beyond(limit, 'a call that might cost more', Reason.BUDGET_EXHAUSTED, window)}"
        case Concurrent(most):
            slots = f"{most:,} {'call' if most == 1 else 'calls'}"
            return f"{who} may have {slots} of {what} in flight; {_beyond(limit, 'one more', Reason.TOO_MANY_IN_FLIGHT, None)}"
        case Failures(most, window):
            failed = f"{most:,} {'call' if most == 1 else 'calls'} of {what} failed {describe_window(window)}"
            return f"when {failed} for {_lower(who)}, {_beyond(limit, 'the next', Reason.TOO_MANY_FAILURES, window)}"
        case Only(window):
            return f"{what} may be called {describe_only(window)}; outside of it calls are refused with `{Reason.OUTSIDE_SCHEDULE.value}`."
        case _:
            assert_never(rule)
