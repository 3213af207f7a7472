"""Money as integers: millionths of a currency unit, read and written without a float in between.

One amount is `micros`, an integer from 0 to 2^53-1 counting millionths of the currency's unit (0.35 USD is 350 000
micros), always beside its ISO 4217 currency; amounts of two currencies never meet. Text is read by a bounded parser of
our own, because `float` rounds, and `Decimal` accepts exponents that take minutes to expand. What is written reads back
to the same integer.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from remit.core.reading import MAX_INTEGER, is_digits, shown
from remit.core.strict_json import ExactNumber, JsonValue
from remit.errors import UsageError

DECIMALS: Final = 6
"""Micro-units have six decimals."""

MICROS_PER_UNIT: Final = 10**DECIMALS

_MAX_WHOLE_DIGITS: Final = 18
_MAX_AMOUNT_CHARS: Final = _MAX_WHOLE_DIGITS + 1 + DECIMALS
_CODE_CHARS: Final = 3

# ISO 4217 list one as published on 2026-01-01, without funds, metals, test and no-currency codes.
_NO_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_TWO_DECIMALS: Final = """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE
    CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR
    KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB
    PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY
    TTD TWD TZS UAH USD UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""
_THREE_DECIMALS: Final = "BHD IQD JOD KWD LYD OMR TND"
_FOUR_DECIMALS: Final = "UYW"

CURRENCY_DECIMALS: Final = MappingProxyType(
    {
        code: decimals
        for codes, decimals in ((_NO_DECIMALS, 0), (_TWO_DECIMALS, 2), (_THREE_DECIMALS, 3), (_FOUR_DECIMALS, 4))
        for code in codes.split()
    }
)
"""Every currency that Remit knows, with the decimals of its minor unit (ISO 4217)."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency: `micros` millionths of its unit, 0 to 2^53-1. Raises `UsageError` when out of range."""

    micros: int
    currency: str

    def __post_init__(self) -> None:
        check_currency(self.currency)
        if type(self.micros) is not int or not 0 <= self.micros <= MAX_INTEGER:
            raise UsageError("an amount must be an integer of millionths between 0 and 2^53-1")

    def __str__(self) -> str:
        return format_micros(self.micros, self.currency)


def check_currency(code: str) -> str:
    """Return `code` if it is a currency in the ISO 4217 table, else raise `UsageError`."""
    if len(code) != _CODE_CHARS or code not in CURRENCY_DECIMALS:
        raise UsageError(f"{shown(code)} is not a known currency: write its ISO 4217 code in capitals, such as `USD`")
    return code


def parse_amount(text: str) -> int:
    """Return the micros that a plain decimal spells: 1 to 18 digits, and maybe a point with 1 to 6 more.

    At most 2^53-1 micros; no sign, exponent, underscore, space, comma or other script. The length is judged first.
    Raises `UsageError`.
    """
    whole, point, fraction = text.partition(".") if len(text) <= _MAX_AMOUNT_CHARS else ("", "", "")
    if not _is_plain(whole, _MAX_WHOLE_DIGITS) or (point and not _is_plain(fraction, DECIMALS)):
        raise UsageError(
            f"{shown(text)} is not an amount: write plain digits with at most six decimals, such as `0.35`"
        )
    return _checked(int(whole) * MICROS_PER_UNIT + int(fraction.ljust(DECIMALS, "0")), text)


def parse_money(text: str) -> Money:
    """Read an amount, one space and a currency, such as `0.35 USD`. Raises `UsageError`."""
    amount, space, currency = text.partition(" ") if len(text) <= _MAX_AMOUNT_CHARS + 4 else ("", "", "")
    if not space:
        raise UsageError(f"{shown(text)} is not money: write an amount and a currency, such as `0.35 USD`")
    return Money(parse_amount(amount), check_currency(currency))


def parse_money_json(value: JsonValue) -> int:
    """Return the micros of a JSON number of whole units (`0.35` is 350 000) that `strict_json` decoded.

    Text, booleans, negative numbers and numbers finer than a millionth are refused with `UsageError`.
    """
    if type(value) is not int and not isinstance(value, ExactNumber):
        raise UsageError("an amount in JSON must be a number")
    coefficient, decimals = (value, 0) if isinstance(value, int) else value.scaled()
    text = str(value) if isinstance(value, int) else value.text
    if coefficient < 0 or decimals > DECIMALS:
        raise UsageError(f"{shown(text)} is not an amount: it must not be negative and has at most six decimals")
    return _checked(coefficient * 10 ** (DECIMALS - decimals), text)


def format_micros(micros: int, currency: str) -> str:
    """Write `micros` as people read it: `0.35 USD`, `1.000001 USD`, `12 JPY`, `-0.50 EUR`.

    At least the currency's own decimals, at most six, never rounded: the text reads back to the same integer.
    """
    whole, part = divmod(abs(micros), MICROS_PER_UNIT)
    fraction = f"{part:0{DECIMALS}d}".rstrip("0").ljust(CURRENCY_DECIMALS[check_currency(currency)], "0")
    sign = "-" if micros < 0 else ""
    return f"{sign}{whole}{'.' if fraction else ''}{fraction} {currency}"


def ceil_div(numerator: int, divisor: int) -> int:
    """Divide integers and round up: what is held must cover what may be spent. `divisor` is above 0."""
    return -(-numerator // divisor)


def _is_plain(digits: str, most: int) -> bool:
    return len(digits) <= most and is_digits(digits)


def _checked(micros: int, text: str) -> int:
    if micros > MAX_INTEGER:
        raise UsageError(f"{shown(text)} is too large: the most is 9007199254.740991")
    return micros
