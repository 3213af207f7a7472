"""API keys: unguessable, recognisable, shown once, and ended exactly when they are said to end."""

import re
from collections.abc import Callable
from itertools import product

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.key_format import (
    BASE62_ALPHABET,
    KEY_CHARS,
    KEY_ID_ALPHABET,
    KEY_PATTERN,
    base62,
    checksum,
    looks_like_key,
)
from remit.errors import CredentialError, StoreCorrupt, UsageError
from remit.identity import api_keys
from remit.identity.api_keys import (
    KeyRecord,
    NewKey,
    ParsedKey,
    authenticate,
    decode,
    encode,
    matches,
    new_key,
    parse,
    revoke,
    rotate,
)

NOW_US = 1_795_297_387_123_456
HOUR_US = 3_600_000_000


def counting(start: int = 1) -> Callable[[int], bytes]:
    """Bytes that never repeat, the same in every run."""
    state = start

    def random_bytes(count: int) -> bytes:
        nonlocal state
        state += 1
        return bytes((state * 131 + at * 29) % 256 for at in range(count))

    return random_bytes


def made(**changes: object) -> NewKey:
    arguments = {"now_us": NOW_US, "agent": "risk-check", "tools": ["payments.*"], **changes}
    return new_key(counting(), **arguments)  # type: ignore[arg-type] # every test gives what it is about


KEY = made(user="anna", org="acme", tier="basic", label="for the demo")
PARSED = parse(KEY.text)


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=24, max_size=24))
def test_every_key_that_is_made_can_be_read_and_opens_its_record(id_bytes: bytes, secret_bytes: bytes) -> None:
    drawn = iter((id_bytes, secret_bytes))
    key = new_key(lambda _: next(drawn), now_us=NOW_US, agent="a", tools=["*"])
    parsed = parse(key.text)
    assert parsed.key_id == key.record.key_id
    assert len(key.text) == KEY_CHARS
    assert re.fullmatch(KEY_PATTERN, key.text)
    assert matches(key.record, parsed, NOW_US)


def test_a_key_has_its_documented_form() -> None:
    assert re.fullmatch(r"remit_[a-z2-7]{16}_[0-9A-Za-z]{33}[0-9A-Za-z]{6}", KEY.text)
    assert KEY.record.prefix == KEY.text[:22]
    assert KEY.record.tools == ("payments.*",)
    assert (KEY.record.version, KEY.record.created_us, KEY.record.expires_us) == (1, NOW_US, None)


def test_a_key_takes_its_randomness_from_where_it_is_told() -> None:
    asked: list[int] = []

    def random_bytes(count: int) -> bytes:
        asked.append(count)
        return bytes(count)

    key = new_key(random_bytes, now_us=0, agent="a", tools=["*"])
    assert asked == [10, 24]  # 80 bits that may be shown, 192 that may not
    assert key.text.startswith("remit_aaaaaaaaaaaaaaaa_000000000000000000000000000000000")


def test_every_wrong_character_of_a_key_is_refused_before_anything_is_looked_up() -> None:
    for place, other in product(range(KEY_CHARS), BASE62_ALPHABET + "_-. \n"):
        if KEY.text[place] != other:
            with pytest.raises(CredentialError):
                parse(KEY.text[:place] + other + KEY.text[place + 1 :])


@given(st.integers(0, KEY_CHARS - 2))
def test_two_neighbours_that_changed_places_are_noticed(place: int) -> None:
    swapped = KEY.text[:place] + KEY.text[place + 1] + KEY.text[place] + KEY.text[place + 2 :]
    if swapped != KEY.text:
        with pytest.raises(CredentialError):
            parse(swapped)


@given(st.text(max_size=100) | st.text(alphabet=BASE62_ALPHABET + "_", min_size=56, max_size=56).map("remit_".__add__))
def test_made_up_text_is_refused_and_never_repeated_in_the_message(text: str) -> None:
    with pytest.raises(CredentialError) as caught:
        parse(text)
    assert len(text) < 8 or text not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        KEY.text + "a",
        KEY.text[:-1],
        " " + KEY.text,
        KEY.text + "\n",
        KEY.text.upper(),
        KEY.text.replace("remit_", "remit-"),
        KEY.text[:-1] + "é",
        "remit_" * 1_000_000,
        KEY.text.replace("a", "а"),  # the second is Cyrillic
    ],
    ids=range(10),
)
def test_a_key_in_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(CredentialError):
        parse(text)


def test_the_secret_is_in_no_representation_and_not_in_what_is_stored() -> None:
    secret = PARSED.secret
    rotated = rotate(KEY.record, counting(50), now_us=NOW_US, overlap_us=HOUR_US)
    shown = f"{KEY!r}{PARSED!r}{KEY.record!r}{KEY}{PARSED}{rotated!r}{encode(KEY.record)!r}"
    assert secret not in shown
    assert parse(rotated.text).secret not in shown
    assert KEY.record.secrets[0].hash.hex() not in shown


def test_the_hash_is_bound_to_the_key_so_that_it_is_worth_nothing_in_another() -> None:
    other = new_key(counting(90), now_us=NOW_US, agent="b", tools=["*"])
    stolen = msgspec.structs.replace(other.record, secrets=KEY.record.secrets)
    assert not matches(stolen, ParsedKey(other.record.key_id, PARSED.secret), NOW_US)
    assert not matches(stolen, PARSED, NOW_US)


def test_a_key_is_good_until_the_microsecond_it_expires() -> None:
    key = made(expires_us=NOW_US + HOUR_US)
    parsed = parse(key.text)
    assert matches(key.record, parsed, NOW_US + HOUR_US - 1)
    assert not matches(key.record, parsed, NOW_US + HOUR_US)
    with pytest.raises(CredentialError, match="has expired"):
        authenticate(key.record, parsed, NOW_US + HOUR_US)


def test_a_revoked_key_is_refused_for_good_and_keeps_its_first_time_of_death() -> None:
    revoked = revoke(KEY.record, NOW_US + 5)
    assert not matches(revoked, PARSED, NOW_US)
    assert (revoked.revoked_us, revoked.version) == (NOW_US + 5, 2)
    assert revoke(revoked, NOW_US + 9) == revoked
    with pytest.raises(CredentialError) as caught:
        authenticate(revoked, PARSED, NOW_US)
    assert caught.value.reason == "revoked"
    with pytest.raises(UsageError, match="was revoked"):
        rotate(revoked, counting(), now_us=NOW_US, overlap_us=0)


def test_a_rotated_key_keeps_its_id_and_both_secrets_until_the_overlap_ends() -> None:
    rotated = rotate(KEY.record, counting(50), now_us=NOW_US, overlap_us=HOUR_US)
    new = parse(rotated.text)
    assert (new.key_id, rotated.record.version) == (PARSED.key_id, 2)
    end_us = NOW_US + HOUR_US
    assert matches(rotated.record, PARSED, NOW_US)
    assert matches(rotated.record, PARSED, end_us - 1)
    assert not matches(rotated.record, PARSED, end_us)
    assert matches(rotated.record, new, NOW_US)
    assert matches(rotated.record, new, end_us + 400 * 24 * HOUR_US)


def test_an_overlap_of_zero_ends_every_old_secret_at_once() -> None:
    rotated = rotate(KEY.record, counting(50), now_us=NOW_US, overlap_us=0)
    assert not matches(rotated.record, PARSED, NOW_US)
    assert matches(rotated.record, parse(rotated.text), NOW_US)
    assert len(rotated.record.secrets) == 1


def test_a_later_rotation_never_lengthens_the_life_of_an_older_secret() -> None:
    first = rotate(KEY.record, counting(50), now_us=NOW_US, overlap_us=HOUR_US)
    second = rotate(first.record, counting(60), now_us=NOW_US + 1, overlap_us=100 * HOUR_US)
    assert not matches(second.record, PARSED, NOW_US + HOUR_US)
    assert matches(second.record, parse(first.text), NOW_US + 50 * HOUR_US)
    shortened = rotate(first.record, counting(60), now_us=NOW_US + 1, overlap_us=5)
    assert not matches(shortened.record, PARSED, NOW_US + 6)


def test_a_fourth_live_secret_is_refused_until_one_has_ended() -> None:
    record = KEY.record
    for start in (50, 60):
        record = rotate(record, counting(start), now_us=NOW_US, overlap_us=HOUR_US).record
    with pytest.raises(UsageError, match="3 live secrets"):
        rotate(record, counting(70), now_us=NOW_US + HOUR_US - 1, overlap_us=HOUR_US)
    after = rotate(record, counting(70), now_us=NOW_US + HOUR_US, overlap_us=HOUR_US).record
    assert len(after.secrets) == 2
    assert len(rotate(record, counting(70), now_us=NOW_US, overlap_us=0).record.secrets) == 1


@pytest.mark.parametrize("overlap_us", [-1, 2**53])
def test_an_overlap_that_cannot_be_is_refused(overlap_us: int) -> None:
    with pytest.raises(UsageError, match="overlap"):
        rotate(KEY.record, counting(), now_us=NOW_US, overlap_us=overlap_us)


def test_an_expired_key_cannot_be_rotated_back_to_life() -> None:
    key = made(expires_us=NOW_US + 1)
    with pytest.raises(UsageError, match="has expired"):
        rotate(key.record, counting(), now_us=NOW_US + 1, overlap_us=0)


def test_strangers_cannot_tell_an_unknown_id_from_a_wrong_secret_or_a_revoked_key() -> None:
    wrong = ParsedKey(PARSED.key_id, "0" * 33)
    messages = set()
    for record in (None, KEY.record, revoke(KEY.record, NOW_US), made(expires_us=NOW_US + 1).record):
        with pytest.raises(CredentialError) as caught:
            authenticate(record, wrong, NOW_US + 1)
        messages.add((str(caught.value), caught.value.reason))
    assert len(messages) == 1


def test_whoever_knows_the_secret_is_let_in() -> None:
    assert authenticate(KEY.record, PARSED, NOW_US) == KEY.record


def test_every_secret_is_compared_in_constant_time_whichever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    record = rotate(KEY.record, counting(50), now_us=NOW_US, overlap_us=HOUR_US)
    third = rotate(record.record, counting(60), now_us=NOW_US, overlap_us=HOUR_US)
    compared: list[int] = []

    def spy(left: bytes, right: bytes) -> bool:
        compared.append(len(left))
        return left == right

    monkeypatch.setattr(api_keys, "compare_digest", spy)
    for presented in (PARSED, parse(third.text), ParsedKey(PARSED.key_id, "0" * 33)):
        compared.clear()
        matches(third.record, presented, NOW_US)
        assert compared == [32, 32, 32]
    compared.clear()
    with pytest.raises(CredentialError):
        authenticate(None, PARSED, NOW_US)
    assert compared == [32]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"agent": ""}, "agent"),
        ({"agent": "a" * 129}, "agent"),
        ({"agent": "risk\ncheck"}, "agent"),
        ({"agent": "rіsk"}, "agent"),  # a Cyrillic letter
        ({"user": "anna smith"}, "user"),
        ({"org": "a:b"}, "org"),
        ({"tier": "\x1b[31m"}, "tier"),
        ({"tools": []}, "tools"),
        ({"tools": ["a"] * 257}, "tools"),
        ({"tools": ["pay*"]}, "pattern"),
        ({"label": "a\nb"}, "label"),
        ({"label": "a" * 129}, "label"),
        ({"expires_us": NOW_US}, "expired"),
    ],
    ids=str,
)
def test_a_key_for_something_that_cannot_be_is_not_made(changes: dict[str, object], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        made(**changes)


@pytest.mark.parametrize(
    "record", [KEY.record, revoke(KEY.record, 5), rotate(KEY.record, counting(), now_us=5, overlap_us=9).record]
)
def test_a_record_survives_its_store(record: KeyRecord) -> None:
    assert decode(encode(record)) == record
    assert encode(decode(encode(record))) == encode(record)


def spoiled() -> dict[str, bytes]:
    good = encode(KEY.record)
    return {
        "empty": b"",
        "no JSON": b"\xff\xfe",
        "torn": good[:-5],
        "format of the future": good.replace(b'"format":1', b'"format":2'),
        "unknown member": good.replace(b'"label"', b'"lapel":1,"label"'),
        "no secrets": msgspec.json.encode(msgspec.structs.replace(KEY.record, secrets=())),
        "four secrets": msgspec.json.encode(msgspec.structs.replace(KEY.record, secrets=KEY.record.secrets * 4)),
        "short hash": msgspec.json.encode(
            msgspec.structs.replace(
                KEY.record, secrets=(msgspec.structs.replace(KEY.record.secrets[0], hash=b"short"),)
            )
        ),
        "bad agent": good.replace(b"risk-check", b"risk check"),
        "bad version": good.replace(b'"version":1', b'"version":0'),
        "huge": b" " * 70_000 + good,
    }


@pytest.mark.parametrize("name", spoiled())
def test_a_stored_record_that_contradicts_itself_is_refused(name: str) -> None:
    with pytest.raises(StoreCorrupt):
        decode(spoiled()[name])


def test_the_scanner_pattern_finds_keys_in_files_and_nothing_that_is_not_one() -> None:
    text = f'key = "{KEY.text}"\n# remit_gateway_requests_total, {KEY.record.prefix}\n{KEY.text}x'
    assert re.findall(KEY_PATTERN, text) == [KEY.text]


@pytest.mark.parametrize(
    "text", [KEY.text, KEY.text.upper(), KEY.text[:-20], f"/x/{KEY.text}?y", KEY.text.replace("_", "%5f")]
)
def test_what_is_left_of_a_key_is_still_recognised(text: str) -> None:
    assert looks_like_key(text)


@pytest.mark.parametrize("text", ["", "remit_", KEY.record.prefix, "remit_gateway_requests_total", PARSED.secret])
def test_what_gives_nothing_away_is_not_taken_for_a_key(text: str) -> None:
    assert not looks_like_key(text)


@given(st.integers(0, 2**32 - 1))
def test_numbers_in_base62_sort_and_read_back(number: int) -> None:
    text = base62(number, width=6)
    value = 0
    for digit in text:
        value = value * 62 + BASE62_ALPHABET.index(digit)
    assert (value, len(text)) == (number, 6)


def test_the_checksum_is_the_published_crc32_in_base62() -> None:
    assert checksum("123456789") == base62(0xCBF43926, width=6)  # the check value of CRC-32/ISO-HDLC
    assert len(set(KEY_ID_ALPHABET)) == 32
    assert len(set(BASE62_ALPHABET)) == 62
