"""What is written is a valid structured field (read back by an independent parser); keys are read in both spellings."""

import http_sf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.money import CURRENCY_DECIMALS
from remit.core.reading import MAX_INTEGER
from remit.errors import BadRequest, UsageError
from remit.http.fields import (
    MAX_FIELD_INTEGER,
    BudgetReport,
    QuotaPolicy,
    ServiceLimit,
    format_budget,
    format_rate_limit,
    format_rate_limit_policy,
    parse_idempotency_key,
)
from tests.core_leaves.work import refused

SECOND_US = 1_000_000

names = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=20)
amounts = st.integers(0, MAX_INTEGER)
durations = st.none() | st.integers(1, MAX_INTEGER)
policies = st.builds(QuotaPolicy, name=names, quota=amounts, window_us=durations, unit=st.none() | names)
limits = st.builds(ServiceLimit, name=names, remaining=amounts, reset_us=durations)


def seconds(duration_us: int) -> int:
    return min(MAX_FIELD_INTEGER, (duration_us + SECOND_US - 1) // SECOND_US)


def test_the_rate_limit_fields_look_as_in_the_draft() -> None:
    minute = QuotaPolicy(name="burst", quota=100, window_us=60 * SECOND_US)
    daily = QuotaPolicy(name="daily", quota=1000, window_us=86_400 * SECOND_US, unit="content-bytes")
    assert format_rate_limit_policy([minute, daily]) == '"burst";q=100;w=60, "daily";q=1000;w=86400;qu="content-bytes"'
    assert format_rate_limit([ServiceLimit(name="burst", remaining=9, reset_us=3 * SECOND_US)]) == '"burst";r=9;t=3'
    assert format_rate_limit([ServiceLimit(name="in-flight", remaining=2)]) == '"in-flight";r=2'


def test_nothing_to_say_is_an_empty_field() -> None:
    assert format_rate_limit([]) == format_rate_limit_policy([]) == ""


def test_times_are_rounded_up_to_whole_seconds() -> None:
    assert format_rate_limit([ServiceLimit(name="x", remaining=0, reset_us=1)]) == '"x";r=0;t=1'
    assert format_rate_limit([ServiceLimit(name="x", remaining=0, reset_us=0)]) == '"x";r=0;t=0'
    assert format_rate_limit_policy([QuotaPolicy(name="x", quota=1, window_us=250_000)]) == '"x";q=1;w=1'


def test_more_spent_than_allowed_leaves_nothing_and_never_a_negative_number() -> None:
    assert format_rate_limit([ServiceLimit(name="x", remaining=-5)]) == '"x";r=0'


@given(st.lists(policies, min_size=1, max_size=4))
def test_every_rate_limit_policy_is_a_structured_list(items: list[QuotaPolicy]) -> None:
    parsed = http_sf.parse(format_rate_limit_policy(items).encode(), tltype="list")
    assert parsed == [
        (
            item.name,
            {"q": min(item.quota, MAX_FIELD_INTEGER)}
            | ({} if item.window_us is None else {"w": seconds(item.window_us)})
            | ({} if item.unit is None else {"qu": item.unit}),
        )
        for item in items
    ]


@given(st.lists(limits, min_size=1, max_size=4))
def test_every_rate_limit_is_a_structured_list(items: list[ServiceLimit]) -> None:
    parsed = http_sf.parse(format_rate_limit(items).encode(), tltype="list")
    assert parsed == [
        (
            item.name,
            {"r": min(item.remaining, MAX_FIELD_INTEGER)}
            | ({} if item.reset_us is None else {"t": seconds(item.reset_us)}),
        )
        for item in items
    ]


@given(st.none() | amounts, st.none() | amounts, st.none() | amounts, st.sampled_from(sorted(CURRENCY_DECIMALS)))
def test_every_budget_is_a_structured_dictionary(
    remaining: int | None, cost: int | None, reserved: int | None, currency: str
) -> None:
    report = BudgetReport(currency=currency, remaining_micros=remaining, cost_micros=cost, reserved_micros=reserved)
    amounts = {"remaining": remaining, "cost": cost, "reserved": reserved}
    expected: dict[str, object] = {
        name: (min(value, MAX_FIELD_INTEGER), {}) for name, value in amounts.items() if value is not None
    }
    expected |= {"unit": (currency, {}), "decimals": (6, {})}
    assert http_sf.parse(format_budget(report).encode(), tltype="dictionary") == expected


def test_a_budget_reads_as_documented() -> None:
    report = BudgetReport(currency="USD", remaining_micros=4_650_000, cost_micros=350_000)
    assert format_budget(report) == 'remaining=4650000, cost=350000, unit="USD", decimals=6'
    assert format_budget(BudgetReport(currency="USD", cost_micros=350_000)) == 'cost=350000, unit="USD", decimals=6'


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x=1", "a\nb", "a\x00", "é", "a\x7f", "\u202e"])
def test_a_name_that_would_break_a_header_is_never_written(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be written into a header"):
        format_rate_limit([ServiceLimit(name=name, remaining=1)])
    with pytest.raises(UsageError, match="cannot be written into a header"):
        format_rate_limit_policy([QuotaPolicy(name="x", quota=1, unit=name)])


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        (b'"8e03978e-40d5-43dd-bc93-6894a57f9324"', "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (b"8e03978e-40d5-43dd-bc93-6894a57f9324", "8e03978e-40d5-43dd-bc93-6894a57f9324"),
        (b"a", "a"),
        (b'"with space"', "with space"),
        (b'"a\\"b\\\\c"', 'a"b\\c'),
        (b'"a,b;c"', "a,b;c"),
        (b"x" * 255, "x" * 255),
        (b'"' + b'\\"' * 255 + b'"', '"' * 255),
    ],
)
def test_an_idempotency_key_is_read_quoted_or_bare(raw: bytes, key: str) -> None:
    assert parse_idempotency_key(raw) == key


@given(names)
def test_a_quoted_key_is_what_an_independent_parser_reads(key: str) -> None:
    assert parse_idempotency_key(http_sf.ser((key, {})).encode()) == key


@pytest.mark.parametrize(
    "raw",
    [b"", b'"', b'""', b'"a', b'a"', b'"a"b', b'"a";x=1', b'"a" ', b'"a", "b"', b"a,b", b"a, b", b"a;x=1", b"a b", b" a", b"a\t", b'"a\tb"',
     b"a\\b", b'"a\\b"', b'"a\\', b"\xc3\xa9", b'"\xc3\xa9"', b"a\x00", b'"\x7f"', b"a\r\nb", b"x" * 256, b'"' + b"x" * 256 + b'"',
     b"x" * 1_000_000, b'"' + b"\\" * 1_000_000],
    ids=lambda raw: ascii(raw[:12]),
)  # fmt: skip
def test_an_idempotency_key_in_any_other_spelling_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest, match="Idempotency-Key"):
        parse_idempotency_key(raw)
    work = refused(lambda: parse_idempotency_key(raw))
    assert work.peak_bytes < 20_000
