"""`remit limits`: counters in words, whatever their keys hold, and how a frozen one opens again."""

import shlex
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from remit.cli.cells import describe_cell, split_key
from remit.core.cell_keys import cell_key
from remit.core.policy import Dimension, Limit, Policy, Quota
from remit.core.units import Rolling
from remit.engine.guard import Engine
from tests.cli.shell import Shell, admitted, with_engine

PER = (Dimension.AGENT, Dimension.TOOL)
POLICY = Policy(
    digest="x",
    currency="USD",
    tools={},
    limits={"transfers": Limit(name="transfers", rule=Quota(3, Rolling(3_600_000_000)), per=PER)},
)


async def _spend_two(engine: Engine) -> None:
    await (await admitted(engine)).commit(cost_micros=300_000)
    await (await admitted(engine)).lose("the upstream timed out")


async def _overspend(engine: Engine) -> None:
    await (await admitted(engine)).commit(cost_micros=11_000_000)


def test_no_counters_is_said_in_words(remit: Shell) -> None:
    remit.key()
    assert remit("limits").out == "no counter has counted anything yet\n"
    assert remit("limits", "--frozen").out == "nothing is frozen\n"


def test_counters_are_shown_in_words(remit: Shell, folder: Path) -> None:
    with_engine(folder, _spend_two)
    ran = remit("limits")
    assert [" ".join(line.split()) for line in ran.lines] == [
        "LIMIT FOR PERIOD USED HELD MAX OVER STATE",
        "org-money org acme day (Europe/Berlin) 0.65 USD 0 10.00 USD - open",
        "transfers agent pay, tool payments.transfer, org acme any hour 2 calls 0 3 calls - open",
    ]


def test_counters_as_json_name_their_dimensions(remit: Shell, folder: Path) -> None:
    with_engine(folder, _spend_two)
    [cell] = [cell for cell in remit("limits", "--json").json if cell["limit"] == "transfers"]
    assert cell["values"] == {"agent": "pay", "tool": "payments.transfer"}
    assert (cell["used"], cell["max"], cell["frozen"]) == (2, 3, False)


def test_a_frozen_counter_is_thawed_by_the_command_that_is_shown(remit: Shell, folder: Path) -> None:
    with_engine(folder, _overspend)
    ran = remit("limits", "--frozen")
    assert "frozen" in ran.out
    [line] = [line.strip() for line in ran.lines if line.strip().startswith("remit limits thaw")]
    thawed = remit(*shlex.split(line)[1:], "--reason", "compared with the bank")
    assert (thawed.code, thawed.out) == (0, "`org-money` for org acme is open again\n")
    assert remit("limits", "--frozen").out == "nothing is frozen\n"
    again = remit(*shlex.split(line)[1:])
    assert again.out == "`org-money` for org acme was not frozen; nothing has changed\n"
    assert remit("audit", "tail").out.count("thawed") == 1


def test_a_counter_that_does_not_exist_is_one_sentence(remit: Shell) -> None:
    remit.key()
    ran = remit("limits", "thaw", "1:-,3:abc")
    assert ran.code == 1
    assert ran.err.startswith("remit: there is no such counter")


@given(st.lists(st.text(max_size=20), min_size=1, max_size=9))
def test_a_key_is_taken_apart_into_what_it_was_made_of(parts: list[str]) -> None:
    assert split_key(cell_key(*parts)) == parts


@given(st.text(max_size=60) | st.from_regex(r"([0-9]{1,3}:[a-z]{0,9},?){1,8}"))
def test_a_key_of_another_make_is_never_an_error(key: str) -> None:
    cell = describe_cell(key, POLICY)
    assert cell.counts
    assert isinstance(cell.period, str)
    assert cell_key(*split_key(key)) in (key, "")


def test_a_key_says_whom_it_counts_whatever_the_policy_says_now() -> None:
    window = "rolling 3600000000"
    known = describe_cell(cell_key("acme", "transfers", "quota", window, "calls", "agent=pay", "tool=pay.out"), POLICY)
    assert (known.counts, known.period, known.max) == ("agent pay, tool pay.out, org acme", "any hour", 3)
    other = describe_cell(cell_key("-", "transfers", "budget", window, "USD", "target=a=b"), POLICY)
    assert (other.counts, other.max) == ("target a=b", None)
    gone = describe_cell(cell_key("-", "gone", "concurrent", "-", "slots"), POLICY)
    assert (gone.counts, gone.period, gone.max) == ("everybody", "at a time", None)
    session = describe_cell(cell_key("-", "session", "budget", "life", "USD", "session=ses_x"), POLICY)
    assert (session.counts, session.period) == ("session ses_x", "in all")
