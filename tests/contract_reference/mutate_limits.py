"""Mutations of the limits that a link carries: every typo that would mean "unlimited" to a reader that shrugs."""

from random import Random
from typing import Final, cast

from tests.contract_reference import families
from tests.contract_reference.forge import Case, Draft, Loose, Raw, as_loose, copy_json, pick
from tests.contract_reference.mutate_links import any_draft
from tests.contract_reference.mutate_text import entry_of, tools_of

Limit = dict[str, Loose]


def _with_limits(rng: Random, case: Case) -> tuple[Draft, dict[str, Loose], list[Loose]] | None:
    """A link that carries limits, its entry and its list; limits are given to one that has none."""
    draft = any_draft(rng, case)
    tools = list(tools_of(draft))
    details = draft.claims["authorization_details"]
    if not tools or not isinstance(details, list):
        return None
    entry = entry_of(draft, "remit_limits")
    if entry is None:
        entry = {"type": "remit_limits", "ledger": families.LEDGER}
        details.append(entry)
    if not entry.get("limits"):
        sound = cast("list[Loose]", families.sound_limits(rng.choice(tools)))
        entry["limits"] = as_loose(rng.sample(sound, rng.randrange(1, len(sound) + 1)))
    return draft, entry, cast("list[Loose]", entry["limits"])


def bend_a_limit(rng: Random, case: Case) -> None:
    found = _with_limits(rng, case)
    if found is None:
        return
    limit = cast(Limit, rng.choice(found[2]))
    name = rng.choice(list(limit))
    match rng.randrange(4):
        case 0:
            limit.pop(name)
        case 1:
            limit[rng.choice((name.upper(), name + "s", name[:-1], name + " "))] = limit.pop(name)
        case 2:
            limit[
                rng.choice(
                    ("maximum", "window", "scope", "per", "calendar", "timezone", "rate", "burst", "unit", "max")
                )
            ] = pick(rng, 1, "1", "P1D", "day", "UTC", "10/minute", "USD", None)
        case _:
            limit[name] = pick(
                rng, None, True, -1, 1.5, "", "x", [], {}, 0, Raw("NaN"), Raw("1e400"), Raw("5.0"), Raw("-0")
            )


AMOUNTS: Final = (
    "0", "0.00", "1", "1.5", "1.", ".5", "-1", "+1", "01", "1e3", "1,5", " 1", "1 ", "NaN", "Infinity", "0.0000001", "0.000001",
    "9007199254.740991", "9007199254.740992", "9007199255", "١", "1_0", 1, 1.5, "00.5", "1.0000000", None, "",
)  # fmt: skip
COUNTS: Final = (
    0, 1, 100, 2**53 - 1, 2**53, -1, Raw("-0"), Raw("5.0"), Raw("1e2"), "5", True, None, [5], Raw("9007199254740993"),
)  # fmt: skip
RATES: Final = (
    "10/minute", "1/second", "1/hour", "1/day", "10/min", "10 / minute", "10/Minute", "10/minutes", "1.5/minute", "-1/minute",
    "/minute", "10/", "10", 10, "10/week", "10/month", "010/minute", "+1/minute", "1e3/minute", "", None, "10/minute ",
)  # fmt: skip
PERIODS: Final = (
    "P1D", "P30D", "PT1H", "PT90M", "PT30S", "P0D", "PT0S", "P1W", "P1M", "P1Y", "PT1D", "P1H", "p1d", "P1.5D", "P-1D", "P01D",
    "P1DT1H", "PT1H30M", "PT", "P", "", "1D", "P1D ", "P١D", 86400, None, "day", "life",
)  # fmt: skip


def bend_an_amount(rng: Random, case: Case) -> None:
    """What a limit says in numbers and forms, around every bound."""
    found = _with_limits(rng, case)
    if found is None:
        return
    choices: list[Limit] = [
        {"id": "l", "meter": "cost", "unit": "USD", "max": pick(rng, *AMOUNTS)},
        {"id": "l", "meter": rng.choice(("calls", "units", "bytes", "llm_tokens")), "max": pick(rng, *COUNTS)},
        {"id": "l", "meter": "calls", "rate": pick(rng, *RATES)},
        {"id": "l", "meter": "calls", "rate": "10/minute", "burst": pick(rng, 1, 3, *COUNTS[4:])},
        {"id": "l", "meter": "calls", "max": 5, "per": pick(rng, *PERIODS)},
        {
            "id": "l", "meter": "calls", "max": 5,
            "calendar": pick(rng, "day", "week", "month", "year", "Day", "hour", "", None, 1),
            "timezone": pick(rng, "Europe/Berlin", "UTC", "Mars/Base", "europe/berlin", "", None, 1, "../etc", "CET"),
        },
        {
            "id": "l", "max": "5", "meter": pick(rng, "cost", "Cost", "money", "calls", "", None),
            "unit": pick(rng, "USD", "EUR", "usd", "US", "USDT", "", None, "XYZ"),
        },
        {"id": pick(rng, "l", "", "a b", "x" * 128, "x" * 129, "ä", None, 1, "a/b", "a:b"), "meter": "calls", "max": 5},
    ]  # fmt: skip
    found[1]["limits"] = [as_loose(rng.choice(choices))]


def bend_the_list(rng: Random, case: Case) -> None:
    found = _with_limits(rng, case)
    if found is None:
        return
    _draft, entry, limits = found
    match rng.randrange(5):
        case 0:
            limits.append(copy_json(rng.choice(limits)))
        case 1:
            count = rng.choice((31, 32, 33))
            entry["limits"] = [{"id": f"l{number}", "meter": "calls", "max": number} for number in range(count)]
        case 2:
            limits.insert(0, pick(rng, None, 1, "x", [], {}))
        case 3:
            entry["limits"] = pick(rng, None, {}, "x", 1, [], [limits])
        case _:
            entry.pop("limits")


def bend_limited_tools(rng: Random, case: Case) -> None:
    found = _with_limits(rng, case)
    if found is None:
        return
    tools: list[object] = list(tools_of(found[0]))
    limit = cast(Limit, rng.choice(found[2]))
    limit["tools"] = pick(
        rng, tools, tools[:1], [], None, [*tools, "z"], ["z"], ["*"], ["payments.*"], tools[0], [1], [[]], tools[:1] * 2,
        [str(tools[0]).upper()], {}, [None], [""],
    )  # fmt: skip


def bend_the_entry(rng: Random, case: Case) -> None:
    found = _with_limits(rng, case)
    if found is None:
        return
    draft, entry, _limits = found
    match rng.randrange(5):
        case 0:
            entry["ledger"] = pick(
                rng, "https://other.test", families.LEDGER + "/", families.LEDGER.upper(), "", None, 1, []
            )
        case 1:
            entry.pop(rng.choice(list(entry)))
        case 2:
            entry[rng.choice(("limit", "Limits", "crit", "note", "tools"))] = pick(rng, [], {}, 1, "x")
        case 3:
            cast("list[Loose]", draft.claims["authorization_details"]).append(copy_json(entry))
        case _:
            entry["type"] = pick(rng, "remit_limit", "Remit_limits", "remit_limits ", None)


WINDOW: Final[dict[str, Loose]] = {"days": ["mon"], "from": "02:00", "to": "04:00"}


def bend_the_schedule(rng: Random, case: Case) -> None:
    found = _with_limits(rng, case)
    if found is None:
        return
    window = cast(dict[str, Loose], copy_json(WINDOW))
    schedule: dict[str, Loose] = {"timezone": "Europe/Berlin", "windows": [window]}
    found[1]["schedule"] = schedule
    match rng.randrange(7):
        case 0:
            window[rng.choice(("from", "to"))] = pick(
                rng, "24:00", "00:00", "04:00", "02:00", "2:00", "25:00", "23:59", "02:60", "0200", "", None, 2, "02:00:00", "٠٢:٠٠"
            )  # fmt: skip
        case 1:
            window["days"] = pick(
                rng, [], ["mon", "mon"], ["Mon"], ["monday"], "mon", None, [1], ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
            )  # fmt: skip
        case 2:
            window[rng.choice(("day", "until", "timezone"))] = "mon"
        case 3:
            window.pop(rng.choice(list(window)))
        case 4:
            schedule["windows"] = pick(rng, [], None, {}, window, [None], [window, window], "x", [window] * 200)
        case 5:
            schedule["timezone"] = pick(
                rng, "UTC", "Mars/Base", "", None, 1, "europe/berlin", "Etc/GMT+1", "/etc/passwd", "posixrules"
            )
        case _:
            found[1]["schedule"] = pick(
                rng, None, {}, [], "x", {"windows": []}, {"timezone": "UTC"}, {**schedule, "note": 1}
            )


MUTATIONS: Final = (
    bend_a_limit, bend_a_limit, bend_an_amount, bend_an_amount, bend_an_amount, bend_the_list, bend_limited_tools, bend_the_entry,
    bend_the_schedule,
)  # fmt: skip
