"""How one limit differs from another of the same name: looser or stricter, and whether its counter goes on.

A counter is found by what its cell is named after (`core.prepare`): the limit's name, its kind, window and unit, and the
values it counts by. While those stay the same the counter goes on, however the maximum changes. Otherwise the limit starts
at zero, which is always said: a budget that starts at zero can be spent once more.
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final, assert_never

from remit.config.coverage import covers
from remit.config.phrases import join_and, quoted, say_calls
from remit.core.money import format_micros
from remit.core.policy import Budget, Concurrent, Failures, Limit, Mode, Only, Policy, Quota, Rate, Rule, Units
from remit.core.schedule import DAY_US, Calendar, CalendarUnit, OnlyWindow, describe_only
from remit.core.sentences import describe_amount, describe_duration, describe_period
from remit.core.units import Life, Rolling, Window, describe_window

_CALENDAR_US: Final = {
    CalendarUnit.DAY: DAY_US,
    CalendarUnit.WEEK: 7 * DAY_US,
    CalendarUnit.MONTH: 30 * DAY_US,
    CalendarUnit.YEAR: 365 * DAY_US,
}
_FOREVER_US: Final = 2**62
_MODES: Final = (Mode.OBSERVE, Mode.SOFT, Mode.ENFORCE)


class Effect(Enum):
    """What a change means for callers."""

    LOOSER = "looser"
    STRICTER = "stricter"
    MIXED = "looser in part, stricter in part"
    NONE = "neither looser nor stricter"


def explain_added(limit: Limit, policy: Policy) -> str:
    """A sentence for a limit that is new."""
    starts = "" if isinstance(limit.rule, Only) else "; it starts at zero"
    return f"limit `{limit.name}` is added: {say_limit(limit, policy)}; stricter{starts}."


def explain_removed(limit: Limit, policy: Policy) -> str:
    """A sentence for a limit that is gone."""
    forgotten = "" if isinstance(limit.rule, Only) else "; its counter is no longer read"
    return f"limit `{limit.name}` is removed: it was {say_limit(limit, policy)}; looser{forgotten}."


def explain_changed(before: Limit, after: Limit, old: Policy, new: Policy) -> str:
    """A sentence for a limit that both policies have."""
    names = {*old.tools, *new.tools}
    changes: list[tuple[str, Effect]] = []
    if _rule_words(before.rule, old) != _rule_words(after.rule, new) or before.rule != after.rule:
        words = f"{_rule_words(before.rule, old)} becomes {_rule_words(after.rule, new)}"
        changes.append((words, _rule_effect(before.rule, after.rule)))
    if before.per != after.per:
        effect = set_effect(before.per, after.per, more=Effect.LOOSER)
        changes.append((f"it counts {_per(after)} instead of {_per(before)}", effect))
    if before.tools != after.tools:
        concerned = [[name for name in sorted(names) if covers(limit, name)] for limit in (before, after)]
        changes.append((f"it concerns {_tools(after)} instead of {_tools(before)}", set_effect(*concerned)))
    if before.agents != after.agents:
        changes.append((f"it concerns {_agents(after)} instead of {_agents(before)}", _agents_effect(before, after)))
    if before.mode != after.mode:
        effect = order_effect(_MODES.index(after.mode), _MODES.index(before.mode))
        changes.append((f"its mode is `{after.mode.value}` instead of `{before.mode.value}`", effect))
    if before.warn_at_permille != after.warn_at_permille:
        changes.append((f"it warns {_levels(after)} instead of {_levels(before)}", Effect.NONE))
    words = "; ".join(words for words, _ in changes)
    effect = _together(effect for _, effect in changes)
    return f"limit `{after.name}`: {words}; {effect.value}{_counter_fate(before, after, old, new)}."


def _counter_fate(before: Limit, after: Limit, old: Policy, new: Policy) -> str:
    if isinstance(after.rule, Only):
        return ""
    is_kept = _counter(before, old.currency) == _counter(after, new.currency)
    return "; its counter is kept" if is_kept else "; its counter starts at zero"


def _counter(limit: Limit, currency: str) -> tuple[object, ...]:
    """What the name of a cell is made of, the limit's name left out."""
    rule = limit.rule
    match rule:
        case Rate():
            return (Rate, rule.per_us, limit.per)
        case Budget():
            return (Budget, rule.window, currency, limit.per)
        case Quota() | Units() | Failures():
            return (type(rule), rule.window, limit.per)
        case Concurrent() | Only():
            return (type(rule), limit.per)
        case _:
            assert_never(rule)


def say_limit(limit: Limit, policy: Policy) -> str:
    """A limit in a few words: `100 calls in any hour, counted per agent, for `payments.transfer``."""
    parts = [_rule_words(limit.rule, policy)]
    if not isinstance(limit.rule, Only):
        parts.append(f"counted {_per(limit)}")
    if limit.tools:
        parts.append(f"for {_tools(limit)}")
    if limit.agents:
        parts.append(f"for {_agents(limit)}")
    if limit.mode is not Mode.ENFORCE:
        parts.append(f"mode `{limit.mode.value}`")
    return ", ".join(parts)


def _rule_words(rule: Rule, policy: Policy) -> str:
    match rule:
        case Rate():
            wait = f", waiting up to {describe_duration(rule.max_wait_us)}" if rule.max_wait_us else ""
            return f"{say_calls(rule.count)} {describe_period(rule.per_us)} with {rule.burst:,} at once{wait}"
        case Quota(most, window):
            return f"{say_calls(most)} {describe_window(window)}"
        case Units(most, window, weights):
            weighs = join_and([f"{weight:,} for `{tool}`" for tool, weight in sorted(weights.items())])
            return f"{describe_amount(most, 'units')} {describe_window(window)}{f' ({weighs})' if weighs else ''}"
        case Budget(most_micros, window):
            return f"{format_micros(most_micros, policy.currency)} {describe_window(window)}"
        case Concurrent(most):
            return f"{say_calls(most)} in flight"
        case Failures(most, window):
            return f"{most:,} failed {'call' if most == 1 else 'calls'} {describe_window(window)}"
        case Only(hours):
            return f"only {describe_only(hours)}"
        case _:
            assert_never(rule)


def _per(limit: Limit) -> str:
    return f"per {join_and([dimension.value for dimension in limit.per])}" if limit.per else "everybody together"


def _tools(limit: Limit) -> str:
    return join_and(quoted(limit.tools)) if limit.tools else "all tools"


def _agents(limit: Limit) -> str:
    return join_and(quoted(limit.agents)) if limit.agents else "all callers"


def _levels(limit: Limit) -> str:
    levels = [f"{level // 10}.{level % 10}%".replace(".0%", "%") for level in limit.warn_at_permille]
    return f"at {join_and(levels)}" if levels else "never"


def _together(effects: Iterable[Effect]) -> Effect:
    found = {effect for effect in effects if effect is not Effect.NONE}
    if len(found) > 1:
        return Effect.MIXED
    return found.pop() if found else Effect.NONE


def order_effect(strict_after: int, strict_before: int) -> Effect:
    """The effect of a figure of which more is stricter."""
    if strict_after == strict_before:
        return Effect.NONE
    return Effect.STRICTER if strict_after > strict_before else Effect.LOOSER


def set_effect(before: Iterable[object], after: Iterable[object], *, more: Effect = Effect.STRICTER) -> Effect:
    """The effect of a set that grew or shrank, where growing means `more`."""
    was, now = set(before), set(after)
    if was == now:
        return Effect.NONE
    less = Effect.LOOSER if more is Effect.STRICTER else Effect.STRICTER
    if was < now:
        return more
    return less if now < was else Effect.MIXED


def _agents_effect(before: Limit, after: Limit) -> Effect:
    if not before.agents or not after.agents:
        return Effect.LOOSER if after.agents else Effect.STRICTER
    return set_effect(before.agents, after.agents)


def _rule_effect(before: Rule, after: Rule) -> Effect:
    match before, after:
        case Rate(), Rate():
            speed = order_effect(before.count * after.per_us, after.count * before.per_us)
            burst = order_effect(before.burst, after.burst)
            return _together((speed, burst, order_effect(before.max_wait_us, after.max_wait_us)))
        case Concurrent(), Concurrent():
            return order_effect(before.max, after.max)
        case Only(), Only():
            return _hours_effect(before.window, after.window)
        case Budget(), Budget():
            return _counted_effect(before.max_micros, after.max_micros, before.window, after.window)
        case Quota(), Quota():
            return _counted_effect(before.max, after.max, before.window, after.window)
        case Failures(), Failures():
            return _counted_effect(before.max, after.max, before.window, after.window)
        case Units(), Units():
            counted = _counted_effect(before.max, after.max, before.window, after.window)
            return _together((counted, *_weights_effects(before, after)))
        case _:
            return Effect.MIXED


def _counted_effect(most_before: int, most_after: int, before: Window, after: Window) -> Effect:
    windows = order_effect(_strictness(after), _strictness(before))
    return _together((order_effect(most_before, most_after), windows))


def _strictness(window: Window) -> int:
    """Longer is stricter, and of two equal ones the rolling: it cannot be used up twice round a midnight."""
    match window:
        case Rolling(window_us):
            return 2 * window_us + 1
        case Calendar(unit, _):
            return 2 * _CALENDAR_US.get(unit, 0)
        case Life():
            return _FOREVER_US
        case _:
            assert_never(window)


def _weights_effects(before: Units, after: Units) -> list[Effect]:
    tools = {*before.weights, *after.weights}
    return [order_effect(after.weights.get(tool, 1), before.weights.get(tool, 1)) for tool in tools]


def _hours_effect(before: OnlyWindow, after: OnlyWindow) -> Effect:
    if before.timezone != after.timezone:
        return Effect.MIXED
    return set_effect(_open_minutes(before), _open_minutes(after), more=Effect.LOOSER)


def _open_minutes(window: OnlyWindow) -> set[int]:
    """The minutes of a week, from Monday on, in which a window is open."""
    first, week = window.from_minute, 7 * 24 * 60
    length = (window.until_minute - first - 1) % (24 * 60) + 1
    starts = (day * 24 * 60 + first for day in window.days)
    return {(start + minute) % week for start in starts for minute in range(length)}
