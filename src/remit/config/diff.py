"""What changes when one policy follows another, in sentences: tools, prices, limits, and all the rest.

`remit policy diff` prints them before a reload. Two policies of which nothing is said decide alike; comments and the order
of fields are no difference.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from remit.config.limit_changes import explain_added, explain_changed, explain_removed
from remit.config.phrases import join_and
from remit.config.trust_changes import explain_added_issuer, explain_changed_issuer, explain_removed_issuer
from remit.core.money import format_micros
from remit.core.policy import ActualSource, Argument, Policy, Price, Tool, Upstream
from remit.core.sentences import describe_duration

Named = TypeVar("Named")
Value = TypeVar("Value")

NEEDS_RESTART: Final = ("listen", "store", "currency")
"""Fields that a running gateway cannot follow."""

_TOP_FIELDS: Final = ("currency", "listen", "public_url", "store", "trusted_proxies", "redact_numbers")


def diff(old: Policy, new: Policy) -> list[str]:
    """Every difference that matters, a sentence each; empty if the two decide alike."""
    return [
        *_fields(old, new),
        *_upstreams(old, new),
        *_tools(old, new),
        *_trust(old, new),
        *_limits(old, new),
        *_rest(old, new),
    ]


def _split(
    old: Mapping[str, Named], new: Mapping[str, Named]
) -> tuple[list[str], list[str], list[tuple[str, Named, Named]]]:
    """The names that were added, those that were removed, and what both have and is not the same."""
    changed = [(name, old[name], new[name]) for name in new if name in old and old[name] != new[name]]
    return [name for name in new if name not in old], [name for name in old if name not in new], changed


def _change(what: str, before: Value, after: Value, say: Callable[[Value], str]) -> list[str]:
    return [] if before == after else [f"{what} changes from {say(before)} to {say(after)}."]


def _fields(old: Policy, new: Policy) -> list[str]:
    sentences = []
    for field in _TOP_FIELDS:
        for sentence in _change(f"`{field}`", getattr(old, field), getattr(new, field), _plain):
            restart = " The gateway must be restarted for it." if field in NEEDS_RESTART else ""
            sentences.append(sentence + restart)
    if old.currency != new.currency:
        sentences.append(f"Every budget starts at zero in {new.currency}.")
    if old.store != new.store:
        sentences.append(
            "Every counter, key and session stays in the old store; the new one starts with what it holds."
        )
    return sentences


def _plain(value: object) -> str:
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return join_and([f"`{item}`" for item in value]) or "none"
        case None | "":
            return "none"
        case _:
            return f"`{value}`"


def _upstreams(old: Policy, new: Policy) -> list[str]:
    added, removed, changed = _split(old.upstreams, new.upstreams)
    return [
        *(f"upstream `{name}` is added: {new.upstreams[name].url}." for name in added),
        *(f"upstream `{name}` is removed." for name in removed),
        *(sentence for name, before, after in changed for sentence in _upstream(name, before, after)),
    ]


def _upstream(name: str, before: Upstream, after: Upstream) -> list[str]:
    what = f"upstream `{name}`: its"
    return [
        *_change(f"{what} `url`", before.url, after.url, _plain),
        *_change(f"{what} `timeout`", before.timeout_us, after.timeout_us, describe_duration),
        *_change(f"{what} `connect_timeout`", before.connect_timeout_us, after.connect_timeout_us, describe_duration),
        *_change(f"{what} `credential`", before.credential, after.credential, _plain),
        *_change(f"{what} `credential_header`", before.credential_header, after.credential_header, _plain),
        *_change(f"{what} `credential_prefix`", before.credential_prefix, after.credential_prefix, _plain),
        *_change(f"{what} `connections`", before.connections, after.connections, _plain),
    ]


def _tools(old: Policy, new: Policy) -> list[str]:
    added, removed, changed = _split(old.tools, new.tools)
    return [
        *(f"tool `{name}` is added: {new.tools[name].route}, {_price(new.tools[name].price, new)}." for name in added),
        *(f"tool `{name}` is removed: calls of it are refused." for name in removed),
        *(sentence for name, before, after in changed for sentence in _tool(name, before, after, old, new)),
    ]


def _tool(name: str, before: Tool, after: Tool, old: Policy, new: Policy) -> list[str]:
    what = f"tool `{name}`: its"
    price = [] if before.price == after.price else [_price_change(name, before.price, after.price, old, new)]
    return [
        *_change(f"{what} `route`", before.route, after.route, _plain),
        *_change(f"{what} `upstream`", before.upstream, after.upstream, _plain),
        *_change(f"{what} `arguments`", before.arguments, after.arguments, _arguments),
        *_change(f"{what} `extra`", before.extra_arguments, after.extra_arguments, _extra),
        *_change(f"{what} `target`", before.target, after.target, _plain),
        *price,
        *_change(f"{what} `risk`", before.risk.value, after.risk.value, _plain),
        *_change(f"{what} `idempotent`", before.idempotent, after.idempotent, _plain),
        *_change(f"{what} `anonymous`", before.anonymous, after.anonymous, _plain),
        *_change(f"{what} `polling`", before.polling, after.polling, _plain),
        *_change(f"{what} `max_body`", before.max_body_bytes, after.max_body_bytes, _bytes),
        *_change(f"{what} `timeout`", before.timeout_us, after.timeout_us, _timeout),
    ]


def _arguments(arguments: tuple[Argument, ...]) -> str:
    return join_and([f"`{argument.name}: {_argument(argument)}`" for argument in arguments]) or "none"


def _argument(argument: Argument) -> str:
    optional = "" if argument.required else " optional"
    return f"{argument.source}.{argument.member} {argument.type}{optional}"


def _extra(allowed: bool) -> str:  # noqa: FBT001 - a formatter takes the value it formats
    return "`allow`" if allowed else "`refuse`"


def _bytes(size_bytes: int) -> str:
    return f"{size_bytes:,} bytes"


def _timeout(timeout_us: int | None) -> str:
    return "the upstream's" if timeout_us is None else describe_duration(timeout_us)


def _price(price: Price | None, policy: Policy) -> str:
    if price is None:
        return "unpriced"
    if price.hold_micros == 0:
        return "free"
    money = format_micros(price.hold_micros, policy.currency)
    statuses = [str(status) for status in sorted(price.free_on)]
    free = f", nothing on status {join_and(statuses)}" if statuses else ""
    if price.actual is ActualSource.HOLD:
        return f"{money} a call{free}"
    return f"{money} held and the actual cost from `{price.actual.value}.{price.actual_name}`{free}"


def _price_change(name: str, before: Price | None, after: Price | None, old: Policy, new: Policy) -> str:
    words = f"tool `{name}`: its `price` changes from {_price(before, old)} to {_price(after, new)}"
    if before is None or after is None or old.currency != new.currency or before.hold_micros == after.hold_micros:
        return f"{words}."
    return f"{words}: {'dearer' if after.hold_micros > before.hold_micros else 'cheaper'}."


def _limits(old: Policy, new: Policy) -> list[str]:
    added, removed, _ = _split(old.limits, new.limits)
    kept = [(old.limits[name], new.limits[name]) for name in new.limits if name in old.limits]
    return [
        *(explain_added(new.limits[name], new) for name in added),
        *(explain_removed(old.limits[name], old) for name in removed),
        *(explain_changed(before, after, old, new) for before, after in kept if before != after),
    ]


def _trust(old: Policy, new: Policy) -> list[str]:
    added, removed, changed = _split(old.trust, new.trust)
    ledger = _change("`ledger`", old.ledger, new.ledger, _plain) if old.trust and new.trust else []
    if ledger and old.ledger:
        ledger.append(f"Contracts whose limits name `{old.ledger}` are refused.")
    return [
        *ledger,
        *(explain_added_issuer(new.trust[name]) for name in added),
        *(explain_removed_issuer(old.trust[name]) for name in removed),
        *(sentence for _, before, after in changed for sentence in explain_changed_issuer(before, after, old, new)),
    ]


def _rest(old: Policy, new: Policy) -> list[str]:
    before, after = old.sessions, new.sessions
    return [
        *_change("`proof.window`", old.proof.window_us, new.proof.window_us, describe_duration),
        *_change("`proof.nonces`", old.proof.nonces, new.proof.nonces, _plain),
        *_change("`sessions.lifetime`", before.lifetime_us, after.lifetime_us, describe_duration),
        *_change("`sessions.idle`", before.idle_us, after.idle_us, describe_duration),
        *_change("`sessions.open_per_caller`", before.open_per_caller, after.open_per_caller, _plain),
        *_change("`sessions.budget`", _session_budget(old), _session_budget(new), _plain),
        *_change("`sessions.calls`", before.max_calls, after.max_calls, _plain),
        *_change("`audit.redact`", old.audit.redact, new.audit.redact, _plain),
    ]


def _session_budget(policy: Policy) -> str:
    micros = policy.sessions.max_budget_micros
    return "" if micros is None else format_micros(micros, policy.currency)
