"""Amounts are integers: what is written reads back, and what is not a plain amount is refused at a glance."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.money import (
    CURRENCY_DECIMALS,
    MICROS_PER_UNIT,
    Money,
    ceil_div,
    check_currency,
    format_micros,
    parse_amount,
    parse_money,
    parse_money_json,
)
from remit.core.reading import MAX_INTEGER
from remit.core.strict_json import JsonValue, read_json
from remit.errors import UsageError
from tests.core_leaves.work import refused

amounts = st.integers(min_value=0, max_value=MAX_INTEGER)
currencies = st.sampled_from(sorted(CURRENCY_DECIMALS))

NOT_AMOUNTS = (
    "", ".", "1.", ".5", "-1", "+1", "-0", "1e3", "1E+1000000", "NaN", "Infinity", "inf", "1_000", "1,000", "1 000", " 1",
    "1 ", "1\n", "0x1", "1.0000001", "١", "1.٢", "１", "1..2", "1.2.3", "9007199254.740992", "999999999999999999",
    "9" * 19, "9" * 4301, "9" * 1_000_000, "0." + "0" * 1_000_000,
)  # fmt: skip


@given(amounts, currencies)
def test_what_is_written_reads_back_to_the_same_money(micros: int, currency: str) -> None:
    assert parse_money(format_micros(micros, currency)) == Money(micros, currency)
    assert str(Money(micros, currency)) == format_micros(micros, currency)


@given(amounts, currencies)
def test_an_amount_is_written_with_at_least_its_currencys_decimals_and_none_too_many(
    micros: int, currency: str
) -> None:
    fraction = format_micros(micros, currency).split(" ")[0].partition(".")[2]
    least = CURRENCY_DECIMALS[currency]
    assert least <= len(fraction) <= 6
    assert len(fraction) == least or not fraction.endswith("0")


@given(st.decimals(min_value=0, max_value=9_000_000_000, places=6))
def test_an_amount_equals_exact_decimal_arithmetic(amount: Decimal) -> None:
    assert parse_amount(f"{amount:f}") == int(amount * MICROS_PER_UNIT)


@pytest.mark.parametrize("text", NOT_AMOUNTS, ids=lambda text: f"{text[:12]!r}-{len(text)}")
def test_what_is_not_a_plain_amount_is_refused_after_a_glance(text: str) -> None:
    work = refused(lambda: parse_amount(text))
    assert "amount" in work.message or "too large" in work.message
    assert work.calls < 60
    assert work.peak_bytes < 20_000


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("0.35 USD", Money(350_000, "USD")),
        ("0 USD", Money(0, "USD")),
        ("007.5 EUR", Money(7_500_000, "EUR")),
        ("12 JPY", Money(12_000_000, "JPY")),
        ("1.234 KWD", Money(1_234_000, "KWD")),
        ("0.000001 USD", Money(1, "USD")),
        ("9007199254.740991 USD", Money(MAX_INTEGER, "USD")),
    ],
)
def test_money_is_an_amount_and_a_currency(text: str, money: Money) -> None:
    assert parse_money(text) == money


@pytest.mark.parametrize(
    "text",
    ["", "1", "USD", "1USD", "1  USD", " 1 USD", "1 USD ", "1 usd", "1 Usd", "1 XXX", "1 XTS", "1 US", "1 USDT", "USD 1",
     "1\tUSD", "1\u00a0USD", "$1", "1 $", "1 USD 2 EUR", "1 ＵＳＤ", "-1 USD", "1" * 1_000_000],
)  # fmt: skip
def test_money_in_any_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_money(text)


@pytest.mark.parametrize("code", ["", "usd", "XXX", "XAU", "BTC", "US", "USDC", "U$D", "A" * 1_000_000])
def test_a_currency_outside_the_table_is_refused(code: str) -> None:
    with pytest.raises(UsageError, match="not a known currency"):
        check_currency(code)


@pytest.mark.parametrize(
    ("currency", "text"),
    [("USD", "0.50 USD"), ("JPY", "0.5 JPY"), ("KWD", "0.500 KWD"), ("UYW", "0.5000 UYW"), ("CLP", "0.5 CLP")],
)
def test_every_currency_has_its_own_decimals(currency: str, text: str) -> None:
    assert format_micros(500_000, currency) == text


def test_a_whole_amount_without_minor_units_has_no_point_and_a_debt_has_a_sign() -> None:
    assert format_micros(3_000_000, "JPY") == "3 JPY"
    assert format_micros(-1_500_000, "USD") == "-1.50 USD"


@pytest.mark.parametrize("micros", [-1, 2**53, True, 1.0, "1", None])
def test_money_is_made_of_integers_in_range_only(micros: object) -> None:
    with pytest.raises(UsageError):
        Money(micros, "USD")  # type: ignore[arg-type]  # what a caller without types may pass


@given(amounts)
def test_a_json_number_of_units_becomes_the_same_micros_as_its_text(micros: int) -> None:
    text = format_micros(micros, "JPY").removesuffix(" JPY")
    assert parse_money_json(read_json(text.encode(), max_bytes=100)) == micros == parse_amount(text)


@pytest.mark.parametrize(
    "raw", [b"true", b"null", b'"1"', b"[1]", b"{}", b"-1", b"-0.5", b"0.0000001", b"9007199255", b"1e15", b"1e-7"]
)
def test_json_that_is_no_amount_is_refused(raw: bytes) -> None:
    value: JsonValue = read_json(raw, max_bytes=100)
    with pytest.raises(UsageError):
        parse_money_json(value)


def test_a_json_exponent_that_stays_exact_is_an_amount() -> None:
    assert parse_money_json(read_json(b"35e-2", max_bytes=100)) == 350_000


@given(st.integers(min_value=0, max_value=MAX_INTEGER), st.integers(min_value=1, max_value=MAX_INTEGER))
def test_division_for_holds_rounds_up(numerator: int, divisor: int) -> None:
    quotient = ceil_div(numerator, divisor)
    assert quotient * divisor >= numerator > (quotient - 1) * divisor
