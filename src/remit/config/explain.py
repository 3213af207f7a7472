"""A policy in sentences that an operator can read aloud: every tool, every limit, how exact it is and whom it refuses.

Amounts and windows are worded as in refusals, so that a limit sounds the same before and after it was hit. What a limit
cannot promise is said with it: counters of failures are fed when calls end, so they may overshoot by the calls in flight.
"""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Final, assert_never

from remit.config.coverage import covers, givers, is_priced
from remit.config.credentials import CONTRACTS_ONLY, MAY_HAVE
from remit.config.explain_trust import explain_chains, explain_credentials, explain_risk
from remit.config.phrases import (
    join_and,
    join_or,
    quoted,
    refuses_with,
    say_beyond,
    say_calls,
    say_times,
    say_tools,
    say_what,
    say_who,
    until_room,
)
from remit.config.tools import BODILESS_METHODS
from remit.core.caller import CredentialKind
from remit.core.ledger.operations import ROLLING_BUCKETS
from remit.core.money import ceil_div, format_micros
from remit.core.policy import (
    ActualSource,
    Argument,
    Budget,
    Concurrent,
    Dimension,
    Failures,
    IssuerTrust,
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
from remit.core.schedule import describe_only
from remit.core.sentences import describe_amount, describe_duration, describe_period
from remit.core.units import Rolling, Window, describe_window

_WIDTH: Final = 100
_OPTIONAL: Final = (Dimension.USER, Dimension.ORG)
"""What a key or the root of a contract may be made without."""


def explain(policy: Policy) -> str:
    """The whole policy in sentences, wrapped for a terminal, ending in a newline."""
    giving = givers(policy, policy.tools.values())
    limits = [_wrapped(explain_limit(policy, limit)) for limit in policy.limits.values()]
    parts = [
        f"Policy {policy.digest[:12]}. All money is in {policy.currency}.",
        "TOOLS. Everything else is refused.",
        *(_wrapped(explain_tool(policy, tool, giving[tool.name])) for tool in policy.tools.values()),
        "CREDENTIALS",
        *(_wrapped(sentences) for sentences in explain_credentials(policy)),
        "LIMITS. All that concern a call must admit it, in one step; a refused call changes none of them.",
        *(limits or ["  There are none: whoever may call a tool may call it without end."]),
        "SESSIONS",
        _wrapped(_sessions(policy)),
    ]
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


def explain_tool(policy: Policy, tool: Tool, issuers: Sequence[IssuerTrust]) -> list[str]:
    """One tool in sentences: what it is, who may call it, what it reads, what it costs, which limits concern it.

    `issuers` are those whose contracts may allow it (`coverage.givers`).
    """
    sentences = [f"`{tool.name}` is {tool.route} at `{tool.upstream}`."]
    if tool.anonymous:
        sentences.append("Anybody may call it, also without a credential.")
    sentences.extend((_arguments(tool), _price(policy, tool.price)))
    if not tool.idempotent:
        sentences.append("It is never sent twice for one idempotency key.")
    if policy.trust:
        names = quoted([issuer.name for issuer in issuers])
        sentences.append(f"Contracts of {join_or(names)} may allow it." if names else "No contract may allow it.")
    if tool.risk is Risk.HIGH:
        sentences.append(explain_risk())
    names = [limit.name for limit in policy.limits.values() if covers(limit, tool.name) and _applies(limit, tool)]
    sentences.append(f"Limits: {join_and(quoted(names))}." if names else "No limit concerns it.")
    return sentences


def _applies(limit: Limit, tool: Tool) -> bool:
    return not isinstance(limit.rule, Budget) or is_priced(tool)


def _arguments(tool: Tool) -> str:
    read = join_and([_argument(argument) for argument in tool.arguments])
    if tool.route is not None and tool.route.method in BODILESS_METHODS:
        rest = ""
    elif not any(argument.source == "body" for argument in tool.arguments):
        rest = "; whatever its body holds passes unread"
    else:
        rest = f"; other members of the body {'pass unread' if tool.extra_arguments else 'are refused'}"
    return f"It reads {read}{rest}." if read else f"It reads no arguments{rest}."


def _argument(argument: Argument) -> str:
    named = "" if argument.name == argument.member else f"`{argument.name}` from "
    notes = [*([argument.type] if argument.type != "string" else []), *([] if argument.required else ["optional"])]
    return f"{named}`{argument.source}.{argument.member}`" + (f" ({', '.join(notes)})" if notes else "")


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
            said = (
                f"A call holds {hold} before it is sent and costs what the answer's header `{price.actual_name}` says"
            )
        case ActualSource.BODY:
            said = (
                f"A call holds {hold} before it is sent and costs what `{price.actual_name}` in the answer's JSON says"
            )
        case _:
            assert_never(price.actual)
    if price.actual is not ActualSource.HOLD:
        said += f", or {hold} if that is missing or cannot be read."
    free = f" Answers with status {join_or([str(status) for status in sorted(price.free_on)])} cost nothing."
    return f"{said}{free if price.free_on else ''} Where the outcome is not known, {hold} counts as spent."


def explain_limit(policy: Policy, limit: Limit) -> list[str]:
    """One limit in sentences: the rule, how exact it is, its warnings, and which callers it refuses."""
    agents = f"for {join_and(quoted(limit.agents))} only, " if limit.agents else ""
    sentences = [f"`{limit.name}`: {agents}{_rule(policy, limit)}."]
    sentences.extend(_strictness(policy, limit))
    if limit.warn_at_permille:
        levels = [f"{level // 10}.{level % 10}%".replace(".0%", "%") for level in limit.warn_at_permille]
        sentences.append(f"It warns at {join_and(levels)}.")
    if policy.trust:
        sentences.extend(explain_chains(limit))
    sentences.extend(_who_is_refused(policy, limit))
    return sentences


def _rule(policy: Policy, limit: Limit) -> str:
    who, what, rule = say_who(limit), say_what(limit), limit.rule
    match rule:
        case Only(hours):
            return (
                f"{say_tools(limit)} may be called {describe_only(hours)}; {_beyond(limit, 'a call at another time')}"
            )
        case _ if _most(rule) == 0:
            tools = say_tools(limit).replace("all tools", "any tool")
            priced = " that costs money" if isinstance(rule, Budget) else ""
            return f"no call of {tools}{priced} is allowed; {_beyond(limit, 'every one')}"
        case Rate():
            return _rate(limit, rule)
        case Quota(most, window):
            return f"{who} may call {what} {say_times(most)} {describe_window(window)}; {_beyond(limit, f'call {most + 1:,}')}"
        case Units(most, window):
            allowed = f"{describe_amount(most, 'units')} {describe_window(window)}"
            return f"{who} may use {allowed} on {what} ({_weights(rule)}); {_beyond(limit, 'a call that does not fit')}"
        case Budget(most_micros, window):
            allowed = f"{format_micros(most_micros, policy.currency)} {describe_window(window)}"
            return f"{who} may spend {allowed} on {what}; {_beyond(limit, 'a call that might go beyond')}"
        case Concurrent(most):
            return f"{who} may have {say_calls(most)} in flight on {what}; {_beyond(limit, 'one more')}"
        case Failures(most, window):
            failed = f"{say_calls(most)} on {what} failed {describe_window(window)}"
            return f"for {who}, once {failed}, {_beyond(limit, 'the next one')}"
        case _:
            assert_never(rule)


def _most(rule: Rule) -> int:
    match rule:
        case Rate():
            return rule.count
        case Budget():
            return rule.max_micros
        case Only():
            return 1
        case _:
            return rule.max


def _beyond(limit: Limit, call: str) -> str:
    """What becomes of a call that this limit does not admit."""
    rule = limit.rule
    match rule:
        case _ if _most(rule) == 0:
            until = ""
        case Rate():
            until = "until the pace allows it"
        case Concurrent():
            until = "until one of them ends"
        case Only():
            until = ""
        case _:
            until = until_room(rule.window)
    return say_beyond(limit, call, refuses_with(rule), until=until)


def _rate(limit: Limit, rule: Rate) -> str:
    pace = f"{say_times(rule.count)} {describe_period(rule.per_us)} on average, {rule.burst:,} at once"
    beyond = _beyond(limit, "a call that comes too soon")
    if rule.max_wait_us:
        waits = f"a call that comes too soon waits up to {describe_duration(rule.max_wait_us)}"
        beyond = f"{waits}, and {_beyond(limit, 'one that would have to wait longer')}"
    return f"{say_who(limit)} may call {say_what(limit)} {pace}; {beyond}"


def _weights(rule: Units) -> str:
    weights = [f"{weight:,} for `{tool}`" for tool, weight in rule.weights.items()]
    return f"{join_and(weights)}, 1 for any other call" if weights else "1 for each call"


def _strictness(policy: Policy, limit: Limit) -> list[str]:
    """How exact a limit is: what it can promise, and by how much it may be overshot."""
    rule = limit.rule
    if limit.mode is not Mode.ENFORCE:
        return ["It refuses nothing, so its overshoot has no bound."]
    match rule:
        case _ if _most(rule) == 0:
            return ["Exact: no overshoot."]
        case Failures():
            return [
                f"Failures are known when calls end: it may be overshot by the calls in flight{_in_flight(policy, limit)}."
            ]
        case Rate():
            length = describe_duration(rule.per_us).removeprefix("1 ")
            return [f"Exact: never more than {say_calls(rule.burst + rule.count)} are let through in any {length}."]
        case Only():
            return ["Exact, by the clock of the store."]
        case Budget(_, window):
            return ["Exact: no overshoot.", *_rolling_step(window), *_late_costs(policy, limit)]
        case Quota(_, window) | Units(_, window):
            return ["Exact: no overshoot.", *_rolling_step(window)]
        case _:
            return ["Exact: no overshoot."]


def _rolling_step(window: Window) -> list[str]:
    if not isinstance(window, Rolling):
        return []
    step_us = ceil_div(window.window_us, ROLLING_BUCKETS * 1000) * 1000
    return [f"What is counted leaves the window up to {describe_duration(step_us)} late."]


def _late_costs(policy: Policy, limit: Limit) -> list[str]:
    """An upstream may report more than was held. That is booked, and it stops the budget."""
    tools = [tool for tool in policy.tools.values() if covers(limit, tool.name) and tool.price is not None]
    if all(tool.price is None or tool.price.actual is ActualSource.HOLD for tool in tools):
        return []
    return [
        "A cost above what was held is booked in full; if it does not fit, the budget is frozen until an operator clears it."
    ]


def _in_flight(policy: Policy, limit: Limit) -> str:
    """The tightest bound on calls in flight that counts by the same dimensions and concerns at least the same calls."""
    bounds = [
        (other.rule.max, other.name)
        for other in policy.limits.values()
        if isinstance(other.rule, Concurrent) and other.mode is Mode.ENFORCE and not other.agents
        if set(other.per) <= set(limit.per) and other.tools in ((), limit.tools)
    ]
    if not bounds:
        return ", which nothing bounds"
    most, name = min(bounds)
    return f", at most {most:,} (`{name}`)"


def _who_is_refused(policy: Policy, limit: Limit) -> list[str]:
    """Whom a limit refuses (or, when it only observes, leaves out) because it has nothing to count them by."""
    is_observed = limit.mode is Mode.OBSERVE
    unnamed = [f"no {dimension.value}" for dimension in limit.per if dimension in _OPTIONAL]
    lacking = [f"whose {'credential' if policy.trust else 'key'} names {join_or(unnamed)}"] if unnamed else []
    if CONTRACTS_ONLY.intersection(limit.per):
        lacking.append("with an API key")
    anonymous_lack = not MAY_HAVE[CredentialKind.NONE].issuperset(limit.per)
    if anonymous_lack and any(_is_open_to_all(tool, limit) for tool in policy.tools.values()):
        lacking.append("without a credential")
    sentences = []
    if lacking:
        fate = "are not counted" if is_observed else f"are refused with `{Reason.NOT_ALLOWED.value}`"
        sentences.append(f"Callers {join_or(lacking)} {fate}.")
    if Dimension.SESSION in limit.per:
        fate = "are not counted" if is_observed else f"are refused with `{Reason.SESSION_REQUIRED.value}`"
        sentences.append(f"Calls {'with an API key ' if policy.trust else ''}outside a session {fate}.")
    return sentences


def _is_open_to_all(tool: Tool, limit: Limit) -> bool:
    return tool.anonymous and covers(limit, tool.name) and _applies(limit, tool) and not limit.agents


def _sessions(policy: Policy) -> list[str]:
    rules = policy.sessions
    life = f"{describe_duration(rules.lifetime_us)}, or until nothing was called for {describe_duration(rules.idle_us)}"
    caps = []
    if rules.max_calls is not None:
        caps.append(f"make at most {say_calls(rules.max_calls)}")
    if rules.max_budget_micros is not None:
        caps.append(f"spend at most {format_micros(rules.max_budget_micros, policy.currency)}")
    return [
        f"A caller may have {rules.open_per_caller:,} open at once; each lives for at most {life}.",
        f"It may {join_and(caps)}; a caller may ask for less." if caps else "",
    ]
