"""Periods tile time in every zone, one reset each; daily windows follow the clock on the wall."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.schedule import (
    DAY_US,
    HOUR_US,
    MAX_NOW_US,
    MINUTE_US,
    WEEK_US,
    Calendar,
    CalendarUnit,
    OnlyWindow,
    Period,
    describe_only,
    openings,
    parse_only,
    period_at,
    period_pair,
)
from remit.core.zones import load_zone, zone_names
from remit.errors import UsageError
from tests.core_leaves.work import refused

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US = 1_000_000

# Zones with something odd in 2020-2040: midnight skipped or repeated, half-hour and two-hour shifts, Ramadan, 45 minutes.
ODD_ZONES = (
    "Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/Nuuk", "America/Santiago",
    "America/Scoresbysund", "America/St_Johns", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut", "Asia/Gaza", "Asia/Tehran",
    "Atlantic/Azores", "Australia/Lord_Howe", "Pacific/Chatham",
)  # fmt: skip

START_US = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US
END_US = int(datetime(2040, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US

instants = st.integers(START_US, END_US)
units = st.sampled_from(CalendarUnit)
zones = st.sampled_from(sorted(zone_names())) | st.sampled_from(ODD_ZONES)


def us(text: str, zone: str = "UTC", fold: int = 0) -> int:
    """Return the instant of a wall-clock time, by a route of its own: seconds through `timestamp()`.

    The dates below lie in the past, where a new release of the table changes nothing.
    """
    return int(datetime.fromisoformat(text).replace(tzinfo=load_zone(zone), fold=fold).timestamp()) * SECOND_US


def local(at_us: int, zone: ZoneInfo) -> datetime:
    return (EPOCH + timedelta(microseconds=at_us)).astimezone(zone)


def offset(at_us: int, zone: ZoneInfo) -> timedelta:
    return local(at_us, zone).utcoffset() or timedelta()


def near_shifts(zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    """Yield the weeks of 2020-2040 in which a zone changes its offset."""
    for start_us in range(START_US, END_US, WEEK_US):
        if offset(start_us, zone) != offset(start_us + WEEK_US, zone):
            yield start_us, start_us + WEEK_US


def zones_with_rules_of_their_own() -> list[str]:
    """Return one name for each distinct table: links and zones that only differ before 1970 are left out."""
    folder = files("tzdata").joinpath("zoneinfo")
    tables = {folder.joinpath(*name.split("/")).read_bytes(): name for name in sorted(zone_names())}
    return sorted(tables.values())


@given(units, zones, instants)
@settings(max_examples=300)
def test_an_instant_lies_in_its_period_and_every_instant_of_it_agrees(
    unit: CalendarUnit, zone: str, now_us: int
) -> None:
    calendar = Calendar(unit, zone)
    period = period_at(calendar, now_us)
    assert period.start_us <= now_us < period.end_us
    for other_us in (period.start_us, (period.start_us + period.end_us) // 2, period.end_us - 1):
        assert period_at(calendar, other_us) == period


@given(units, zones, instants)
@settings(max_examples=300)
def test_the_next_period_begins_where_the_current_one_ends(unit: CalendarUnit, zone: str, now_us: int) -> None:
    calendar = Calendar(unit, zone)
    current, following = period_pair(calendar, now_us)
    assert current == period_at(calendar, now_us)
    assert following.start_us == current.end_us < following.end_us
    assert period_at(calendar, current.end_us) == following


def days_between(zone: str, start_us: int, end_us: int) -> list[Period]:
    calendar = Calendar(CalendarUnit.DAY, zone)
    days = [period_at(calendar, start_us)]
    while days[-1].end_us < end_us:
        days.append(period_at(calendar, days[-1].end_us))
    return days


def check_days(zone: str, days: list[Period]) -> None:
    """Each day begins at the first instant of a new date, and no date is begun twice or left out."""
    rules = load_zone(zone)
    assert [day.end_us for day in days[:-1]] == [day.start_us for day in days[1:]]
    dates = [local(day.start_us, rules).date() for day in days]
    assert dates == [dates[0] + timedelta(days=count) for count in range(len(dates))]
    for day, begun in zip(days, dates, strict=True):
        assert local(day.start_us - 1, rules).date() == begun - timedelta(days=1)
        assert 21 * HOUR_US <= day.end_us - day.start_us <= 27 * HOUR_US


def test_every_zone_has_one_reset_a_day_through_every_shift_from_2020_to_2040() -> None:
    shifts = 0
    for zone in zones_with_rules_of_their_own():
        for start_us, end_us in near_shifts(load_zone(zone)):
            check_days(zone, days_between(zone, start_us, end_us))
            shifts += 1
    assert shifts > 1000


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_an_odd_zone_has_as_many_days_as_dates(zone: str) -> None:
    days = days_between(zone, us("2023-01-01T12:00"), us("2027-01-01T12:00"))
    check_days(zone, days)
    assert len(days) == 1462


@pytest.mark.parametrize(
    ("zone", "day", "starts", "hours"),
    [
        ("Europe/Berlin", "2024-03-31", "2024-03-30T23:00", 23),
        ("Europe/Berlin", "2024-10-27", "2024-10-26T22:00", 25),
        ("UTC", "2024-02-29", "2024-02-29T00:00", 24),
        ("Asia/Kolkata", "2024-06-01", "2024-05-31T18:30", 24),
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00", 23),  # 00:00 does not exist: the day begins at 01:00
        ("America/Havana", "2024-11-03", "2024-11-03T04:00", 25),  # 00:00 comes twice: the day begins at the first
        ("Asia/Beirut", "2024-10-26", "2024-10-25T21:00", 25),  # 23:00 comes twice, before midnight
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30", 25),  # back from 00:01 to 23:01 the day before
        ("Antarctica/Troll", "2024-03-31", "2024-03-31T00:00", 22),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00", 24),  # 30 December never was
    ],
)
def test_a_day_begins_at_the_first_instant_of_its_date(zone: str, day: str, starts: str, hours: int) -> None:
    noon_us = us(f"{day}T12:00", zone)
    assert period_at(Calendar(CalendarUnit.DAY, zone), noon_us) == Period(
        start_us=us(starts), end_us=us(starts) + hours * HOUR_US
    )


def test_an_hour_repeated_before_midnight_belongs_to_the_day_already_begun() -> None:
    calendar = Calendar(CalendarUnit.DAY, "America/St_Johns")
    second_2330_us = us("2010-11-06T23:30", "America/St_Johns", fold=1)
    assert period_at(calendar, second_2330_us) == period_at(calendar, us("2010-11-07T12:00", "America/St_Johns"))


def test_a_date_that_a_zone_skipped_has_no_period() -> None:
    current, following = period_pair(Calendar(CalendarUnit.DAY, "Pacific/Apia"), us("2011-12-29T12:00", "Pacific/Apia"))
    assert current.end_us == following.start_us == us("2011-12-30T10:00")
    assert local(following.start_us, load_zone("Pacific/Apia")).date() == date(2011, 12, 31)


@pytest.mark.parametrize(
    ("unit", "now", "starts", "ends"),
    [
        (CalendarUnit.WEEK, "2024-11-23T22:00", "2024-11-17T23:00", "2024-11-24T23:00"),
        (CalendarUnit.WEEK, "2024-11-24T23:00", "2024-11-24T23:00", "2024-12-01T23:00"),
        (CalendarUnit.MONTH, "2024-02-29T12:00", "2024-01-31T23:00", "2024-02-29T23:00"),
        (CalendarUnit.MONTH, "2024-03-31T21:59", "2024-02-29T23:00", "2024-03-31T22:00"),
        (CalendarUnit.MONTH, "2024-12-31T22:59", "2024-11-30T23:00", "2024-12-31T23:00"),
        (CalendarUnit.YEAR, "2024-12-31T23:00", "2024-12-31T23:00", "2025-12-31T23:00"),
        (CalendarUnit.HOUR, "2024-11-21T22:30", "2024-11-21T22:00", "2024-11-21T23:00"),
        (CalendarUnit.MINUTE, "2024-11-21T22:30", "2024-11-21T22:30", "2024-11-21T22:31"),
    ],
)
def test_periods_of_berlin_begin_and_end_by_its_calendar(unit: CalendarUnit, now: str, starts: str, ends: str) -> None:
    assert period_at(Calendar(unit, "Europe/Berlin"), us(now)) == Period(start_us=us(starts), end_us=us(ends))


def test_hours_begin_on_the_local_hour_and_a_half_hour_shift_begins_a_short_one() -> None:
    kolkata = period_at(Calendar(CalendarUnit.HOUR, "Asia/Kolkata"), us("2024-06-01T12:10"))
    assert kolkata == Period(start_us=us("2024-06-01T11:30"), end_us=us("2024-06-01T12:30"))
    shift_us = us("2024-04-06T15:00")  # Lord Howe goes back from 02:00 to 01:30
    before, after = period_pair(Calendar(CalendarUnit.HOUR, "Australia/Lord_Howe"), shift_us - 1)
    assert before == Period(start_us=shift_us - HOUR_US, end_us=shift_us)
    assert after == Period(start_us=shift_us, end_us=shift_us + HOUR_US // 2)


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "Europe/Berlin", "Antarctica/Troll"])
@pytest.mark.parametrize(("unit", "length_us"), [(CalendarUnit.HOUR, HOUR_US), (CalendarUnit.MINUTE, MINUTE_US)])
def test_short_periods_tile_a_shift_and_are_never_longer_than_they_should_be(
    zone: str, unit: CalendarUnit, length_us: int
) -> None:
    calendar = Calendar(unit, zone)
    for start_us, end_us in list(near_shifts(load_zone(zone)))[:4]:
        middle_us = next(at for at in range(start_us, end_us, HOUR_US) if offset(at, load_zone(zone)) != offset(
            at + HOUR_US, load_zone(zone)))  # fmt: skip
        period = period_at(calendar, middle_us - 2 * HOUR_US)
        while period.end_us < middle_us + 3 * HOUR_US:
            following = period_at(calendar, period.end_us)
            assert following.start_us == period.end_us
            assert 0 < following.end_us - following.start_us <= length_us
            period = following


@pytest.mark.parametrize("now_us", [-1, MAX_NOW_US, 2**53, 2**63, 10**30])
def test_a_clock_outside_the_calendar_is_refused(now_us: int) -> None:
    with pytest.raises(UsageError, match="clock is out of range"):
        period_at(Calendar(CalendarUnit.DAY), now_us)
    with pytest.raises(UsageError, match="clock is out of range"):
        openings(parse_only("02:00-04:00 UTC"), now_us)


@pytest.mark.parametrize("unit", CalendarUnit)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Niue"])
def test_the_first_and_the_last_instant_have_periods_that_fit_the_ledger(unit: CalendarUnit, zone: str) -> None:
    for now_us in (0, 1, MAX_NOW_US - 1):
        current, following = period_pair(Calendar(unit, zone), now_us)
        assert 0 <= current.start_us <= now_us < current.end_us < following.end_us < 2**53
        assert openings(parse_only(f"22:00-04:00 {zone}"), now_us).horizon_us < 2**53


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Mars/Olympus",
        "europe/berlin",
        "../zones",
        "Europe/../UTC",
        "/etc/passwd",
        "Europe",
        "zone.tab",
        "UTC ",
        "A" * 1_000_000,
    ],
)
def test_a_zone_that_is_not_in_the_pinned_table_is_refused(name: str) -> None:
    work = refused(lambda: Calendar(CalendarUnit.DAY, name))
    assert "is not a time zone" in work.message
    assert work.peak_bytes < 100_000


def test_zones_come_from_the_pinned_table_and_not_from_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    load_zone.cache_clear()
    monkeypatch.setattr("zoneinfo.TZPATH", ())
    assert load_zone("Europe/Berlin") is load_zone("Europe/Berlin")
    assert load_zone("Europe/Berlin") is not ZoneInfo("Europe/Berlin")
    assert load_zone("Europe/Berlin").key == "Europe/Berlin"


def is_open(window: OnlyWindow, at_us: int) -> bool:
    """The rule, said directly: the wall clock lies inside a window that started on one of its days."""
    wall = local(at_us, load_zone(window.timezone)).replace(tzinfo=None)
    minutes = (window.until_minute - window.from_minute) % 1440 or 1440
    for day in (wall.date(), wall.date() - timedelta(days=1)):
        opens = datetime.combine(day, time.min) + timedelta(minutes=window.from_minute)
        if day.weekday() in window.days and opens <= wall < opens + timedelta(minutes=minutes):
            return True
    return False


@st.composite
def windows(draw: st.DrawFn) -> OnlyWindow:
    from_minute = draw(st.integers(0, 1439))
    until_minute = draw(st.integers(0, 1440).filter(lambda minute: minute != from_minute))
    days = draw(st.sets(st.integers(0, 6), min_size=1))
    return OnlyWindow(
        from_minute=from_minute, until_minute=until_minute, timezone=draw(zones), days=tuple(sorted(days))
    )


@given(windows(), instants, st.lists(st.integers(0, 8 * DAY_US), min_size=20, max_size=20))
@settings(max_examples=150)
def test_a_window_is_open_exactly_when_the_wall_clock_says_so(
    window: OnlyWindow, now_us: int, steps_us: list[int]
) -> None:
    answer = openings(window, now_us)
    assert answer.horizon_us >= now_us + 8 * DAY_US
    edges = [edge for span in answer.spans for edge in span if edge < answer.horizon_us]
    probes = [now_us + step_us for step_us in steps_us] + edges + [edge - 1 for edge in edges]
    for at_us in probes:
        if at_us >= now_us:
            assert any(start <= at_us < end for start, end in answer.spans) == is_open(window, at_us)


@given(windows(), instants)
def test_spans_are_in_order_apart_and_not_over_yet(window: OnlyWindow, now_us: int) -> None:
    spans = openings(window, now_us).spans
    assert all(start < end and end > now_us for start, end in spans)
    assert all(before[1] < after[0] for before, after in pairwise(spans))


def spans_of(text: str, now: str) -> list[tuple[str, str]]:
    answer = openings(parse_only(text), us(now))
    return [
        ((EPOCH + timedelta(microseconds=start)).strftime("%d %H:%M"), (EPOCH + timedelta(microseconds=end)).strftime("%d %H:%M"))
        for start, end in answer.spans
    ]  # fmt: skip


def test_hours_that_a_shift_skips_never_open() -> None:
    assert spans_of("02:00-04:00 Europe/Berlin", "2024-03-30T12:00")[:2] == [
        ("31 01:00", "31 02:00"),
        ("01 00:00", "01 02:00"),
    ]
    assert spans_of("02:15-02:45 Europe/Berlin", "2024-03-30T12:00")[0] == ("01 00:15", "01 00:45")


def test_hours_that_a_shift_repeats_open_twice() -> None:
    assert spans_of("02:15-02:45 Europe/Berlin", "2024-10-26T12:00")[:2] == [
        ("27 00:15", "27 00:45"),
        ("27 01:15", "27 01:45"),
    ]
    assert spans_of("02:00-04:00 Europe/Berlin", "2024-10-26T12:00")[0] == ("27 00:00", "27 03:00")


def test_a_window_over_midnight_belongs_to_the_day_it_starts() -> None:
    assert spans_of("fri 22:00-02:00 UTC", "2026-11-21T01:00")[:2] == [
        ("20 22:00", "21 02:00"),
        ("27 22:00", "28 02:00"),
    ]
    assert spans_of("sat 22:00-02:00 UTC", "2026-11-21T01:00")[0] == ("21 22:00", "22 02:00")


def test_whole_days_in_a_row_are_one_span() -> None:
    assert spans_of("sat,sun 00:00-24:00 UTC", "2026-11-20T01:00")[0] == ("21 00:00", "23 00:00")
    always = openings(parse_only("00:00-24:00 UTC"), us("2026-11-20T01:00"))
    assert always.spans == ((us("2026-11-18T00:00"), always.horizon_us),)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("02:00-04:00 Europe/Berlin", "02:00 to 04:00 Europe/Berlin every day"),
        ("mon-fri 22:00-06:00 UTC", "22:00 to 06:00 UTC on mon, tue, wed, thu, fri"),
        ("sat-mon 00:00-24:00 UTC", "00:00 to 24:00 UTC on mon, sat, sun"),
        ("wed,mon 09:30-17:45 Asia/Tokyo", "09:30 to 17:45 Asia/Tokyo on mon, wed"),
    ],
)
def test_a_window_is_read_and_said_again(text: str, words: str) -> None:
    assert describe_only(parse_only(text)) == words


@pytest.mark.parametrize(
    "text",
    ["", "02:00-04:00", "UTC 02:00-04:00", "2:00-4:00 UTC", "02:00-02:00 UTC", "24:00-02:00 UTC", "02:00-24:01 UTC", "02:60-04:00 UTC",
     "02:00 - 04:00 UTC", "02:00–04:00 UTC", "02:00-04:00  UTC", "02:00-04:00 Nowhere", "Mon 02:00-04:00 UTC", "mon- 02:00-04:00 UTC",
     "-mon 02:00-04:00 UTC", "mon,,tue 02:00-04:00 UTC", "mon;tue 02:00-04:00 UTC", ", 02:00-04:00 UTC", "02-04 UTC", "٠٢:00-04:00 UTC",
     "02:00-04:00-06:00 UTC", "02:00:00-04:00 UTC", "mon 02:00-04:00 UTC x", "mon," * 300_000 + "mon 02:00-04:00 UTC"],
)  # fmt: skip
def test_a_window_in_any_other_spelling_is_refused(text: str) -> None:
    assert refused(lambda: parse_only(text)).calls < 150


@pytest.mark.parametrize(
    ("from_minute", "until_minute", "days"),
    [(-1, 60, (0,)), (1440, 60, (0,)), (0, 1441, (0,)), (60, 60, (0,)), (0, 60, ()), (0, 60, (7,)), (0, 60, (-1,))],
)
def test_a_window_that_could_never_open_cannot_be_made(
    from_minute: int, until_minute: int, days: tuple[int, ...]
) -> None:
    with pytest.raises(UsageError):
        OnlyWindow(from_minute=from_minute, until_minute=until_minute, days=days)
