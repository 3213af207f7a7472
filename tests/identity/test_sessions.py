"""Sessions: one run with a budget of its own, usable only by whoever opened it, and only while it lasts."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.caller import CredentialKind
from remit.errors import CredentialError, StoreCorrupt, UsageError
from remit.identity.api_keys import new_key
from remit.identity.callers import anonymous_caller, caller_of_key
from remit.identity.sessions import (
    SessionBounds,
    SessionRecord,
    SessionWish,
    check_session_id,
    close_session,
    decode,
    encode,
    open_session,
    use_session,
)

NOW_US = 1_795_297_387_123_456
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
BOUNDS = SessionBounds(lifetime_us=24 * HOUR_US, idle_us=HOUR_US, budget_micros=5_000_000, calls=200)
OPENER = "abcdefghijklmnop"


def opened(wish: SessionWish | None = None, bounds: SessionBounds = BOUNDS, *, fill: int = 7) -> SessionRecord:
    return open_session(
        lambda count: bytes([fill] * count), wish or SessionWish(), bounds, opener=OPENER, currency="USD", now_us=NOW_US
    )


@given(st.binary(min_size=16, max_size=16))
def test_a_session_id_has_128_random_bits_and_is_recognised(random: bytes) -> None:
    session = open_session(
        lambda count: random[:count], SessionWish(), BOUNDS, opener=OPENER, currency="USD", now_us=NOW_US
    )
    assert check_session_id(session.session_id) == session.session_id
    assert (session.session_id[:4], len(session.session_id)) == ("ses_", 30)


def test_different_randomness_gives_different_ids() -> None:
    assert opened(fill=1).session_id != opened(fill=2).session_id


def test_who_asks_for_nothing_gets_the_most_that_is_allowed() -> None:
    session = opened()
    assert (session.expires_us, session.idle_us) == (NOW_US + 24 * HOUR_US, HOUR_US)
    assert (session.budget_micros, session.calls, session.currency) == (5_000_000, 200, "USD")


def test_who_asks_for_less_gets_less() -> None:
    session = opened(SessionWish(lifetime_us=MINUTE_US, idle_us=HOUR_US, budget_micros=0, calls=1))
    assert (session.expires_us, session.idle_us) == (NOW_US + MINUTE_US, MINUTE_US)
    assert (session.budget_micros, session.calls) == (0, 1)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (SessionWish(lifetime_us=24 * HOUR_US + 1), "lifetime of a session must be above zero and at most 1 day"),
        (SessionWish(lifetime_us=0), "lifetime"),
        (SessionWish(idle_us=-1), "idle time of a session must be above zero and at most 1 hour"),
        (SessionWish(idle_us=HOUR_US + 1), "idle time"),
        (SessionWish(budget_micros=5_000_001), "budget of a session must not be negative and at most 5.00 USD"),
        (SessionWish(budget_micros=-1), "budget"),
        (SessionWish(calls=201), "number of calls of a session must not be negative and at most 200"),
        (SessionWish(calls=-1), "number of calls"),
    ],
    ids=str,
)
def test_a_wish_beyond_the_bounds_is_refused_with_the_bound(wish: SessionWish, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        opened(wish)


def test_without_a_bound_any_amount_that_can_be_counted_is_allowed() -> None:
    free = replace(BOUNDS, budget_micros=None, calls=None)
    assert opened(SessionWish(budget_micros=2**53 - 1), free).budget_micros == 2**53 - 1
    assert (opened(bounds=free).budget_micros, opened(bounds=free).calls) == (None, None)
    with pytest.raises(UsageError, match="too large to count"):
        opened(SessionWish(calls=2**53), free)


@pytest.mark.parametrize("opener", ["", "a b", "x" * 129])
def test_only_a_caller_with_a_proper_id_can_open_one(opener: str) -> None:
    with pytest.raises(UsageError, match="verified id"):
        open_session(bytes, SessionWish(), BOUNDS, opener=opener, currency="USD", now_us=NOW_US)


def test_a_session_ends_at_its_absolute_time_however_busy_it_is() -> None:
    session = opened()
    end_us = NOW_US + 24 * HOUR_US
    assert session.is_open(end_us - 1, last_used_us=end_us - 1)
    assert not session.is_open(end_us, last_used_us=end_us - 1)


def test_a_session_ends_when_it_lies_idle_to_the_microsecond() -> None:
    session = opened()
    used_us = NOW_US + 5 * HOUR_US
    assert session.is_open(used_us + HOUR_US - 1, last_used_us=used_us)
    assert not session.is_open(used_us + HOUR_US, last_used_us=used_us)
    assert session.ends_us(used_us) == used_us + HOUR_US


def test_a_session_that_was_never_used_lies_idle_from_its_opening() -> None:
    assert opened().is_open(NOW_US + HOUR_US - 1, last_used_us=0)
    assert not opened().is_open(NOW_US + HOUR_US, last_used_us=0)


def test_a_closed_session_is_over_at_once_and_keeps_its_first_end() -> None:
    session = close_session(opened(), NOW_US + 5)
    assert not session.is_open(NOW_US + 5, last_used_us=NOW_US + 4)
    assert close_session(session, NOW_US + 9) == session


def test_a_session_is_used_only_by_whoever_opened_it() -> None:
    session = opened()
    assert use_session(session, caller_id=OPENER, now_us=NOW_US, last_used_us=NOW_US) == session


def test_strangers_cannot_tell_an_unknown_session_from_one_of_somebody_else() -> None:
    session = opened()
    said = set()
    for record, caller_id, now_us in (
        (None, OPENER, NOW_US),
        (session, "somebody-else", NOW_US),
        (session, OPENER, NOW_US + HOUR_US),
        (close_session(session, NOW_US), OPENER, NOW_US),
    ):
        with pytest.raises(CredentialError) as caught:
            use_session(record, caller_id=caller_id, now_us=now_us, last_used_us=NOW_US)
        said.add((str(caught.value), caught.value.reason))
    assert said == {("the session is not known here, or has ended; open a new one", "session_required")}


@pytest.mark.parametrize(
    "text", ["", "ses_", "a" * 30, "ses_" + "A" * 26, "ses_" + "a" * 27, "ses_" + "é" * 26, "s" * 10**6]
)
def test_text_that_is_no_session_id_is_refused_before_it_is_looked_up(text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        check_session_id(text)
    assert caught.value.reason == "session_required"


def test_a_session_record_survives_its_store() -> None:
    for session in (opened(), close_session(opened(), NOW_US)):
        assert decode(encode(session)) == session


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"currency": "XXX"}, {"session_id": "x"}, {"calls": -1}, {"more": 1}], ids=str
)
def test_a_stored_session_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    members = {**msgspec.to_builtins(opened()), **change}
    with pytest.raises(StoreCorrupt):
        decode(msgspec.json.encode(members))
    with pytest.raises(StoreCorrupt):
        decode(b" " * 5000 + encode(opened()))


def test_a_caller_is_made_of_what_its_key_was_made_for_and_nothing_else() -> None:
    record = new_key(bytes, now_us=0, agent="risk-check", tools=["payments.*"], user="anna", label="a label").record
    caller = caller_of_key(record, address="192.0.2.0/24", session=opened())
    assert (caller.kind, caller.id, caller.agent, caller.user) == (
        CredentialKind.API_KEY,
        record.key_id,
        "risk-check",
        "anna",
    )
    assert (caller.org, caller.tier, caller.tools, caller.address) == (None, None, ("payments.*",), "192.0.2.0/24")
    assert caller.session is not None
    assert (caller.session.id, caller.session.budget_micros) == (opened().session_id, 5_000_000)
    assert caller_of_key(record, address="192.0.2.0/24").session is None


def test_an_anonymous_caller_is_known_by_its_address_and_may_call_nothing_by_name() -> None:
    caller = anonymous_caller("192.0.2.0/24")
    assert (caller.kind, caller.id, caller.tools, caller.agent) == (CredentialKind.NONE, "192.0.2.0/24", None, None)
