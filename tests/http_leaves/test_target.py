"""One path has one spelling: what two parsers might read differently never becomes a target."""

import urllib.parse
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.match import RouteTable, parse_route
from remit.errors import BadRequest
from remit.http.target import MAX_QUERY_PARAMETERS, MAX_TARGET_BYTES, Target, parse_query, parse_target, single
from tests.core_leaves.work import refused

MEGABYTE = 1_000_000


def test_a_target_is_split_and_kept_as_it_came() -> None:
    raw = b"/reports/2026/caf%C3%A9%20list?x=1&y=%2F"
    assert parse_target(raw) == Target(
        path="/reports/2026/caf%C3%A9%20list", segments=("reports", "2026", "café list"), query=b"x=1&y=%2F", raw=raw
    )
    assert parse_target(b"/").segments == ()
    assert parse_target(b"/v1/chat:run@x").segments == ("v1", "chat:run@x")


def test_the_two_hex_cases_of_an_escape_are_one_segment() -> None:
    assert parse_target(b"/caf%c3%a9").segments == parse_target(b"/caf%C3%A9").segments == ("café",)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"?", b"*", b"transfer", b"http://other/transfer", b"//other/transfer", b"HTTP://x", b"\\transfer", b" /transfer", b"?x=1",
        b"//transfer", b"/a//b", b"/a//", b"/.", b"/..", b"/./transfer", b"/a/../transfer", b"/a/..", b"/a/.", b"/%2e/transfer",
        b"/%2e%2e/transfer", b"/%2E%2e/transfer", b"/.%2e/transfer", b"/a%2fb", b"/a%2Fb", b"/a%5cb", b"/a%5Cb", b"/a\\b", b"/a%00",
        b"/a%252e", b"/a%25", b"/%252e%252e/transfer", b"/%74ransfer", b"/%54ransfer", b"/a%7Eb", b"/a%2Db", b"/a%5Fb", b"/a%30",
        b"/a%c0%ae", b"/a%c0%af", b"/%e0%80%af", b"/a%ff", b"/a%ed%a0%80", b"/a%f4%90%80%80", b"/a%c3", b"/a%u002f", b"/a%", b"/a%2", b"/a%zz",
        b"/a% 2f", b"/a%+2f", b"/a;b", b"/transfer;x=1", b"/;/transfer", b"/a%3bb", b"/a%3Bb", b"/a#b", b"/transfer#", b"/a?x#y", b"/a\tb", b"/a\nb",
        b"/a\rb", b"/a b", b"/a\x00", b"/a\x7f", b"/a%0a", b"/a%0D%0A", b"/a%09", b"/a%7f", b"/a%1b", b"/a%C2%85", b"/a%C2%9b", b"/caf\xc3\xa9", b"/a\xa0",
        b'/a"b', b"/a<b>", b"/a^b", b"/a`b", b"/a{b}", b"/a|b", b"/a[0]", b"/transfer?", b"/?", b"/a?x y", b"/a?x\xc3\xa9", b"/a?x\r\ny",
        b"/a?x;y", b"/a?\x00", b"/a" * 65,
    ],
)  # fmt: skip
def test_a_target_that_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_target(raw)
    assert refusal.value.status == 400
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 160


def test_a_trailing_slash_is_another_path_that_no_route_matches() -> None:
    routes = RouteTable([parse_route("POST /transfer"), parse_route("POST /transfer/{to}")])
    assert parse_target(b"/transfer/").segments == ("transfer", "")
    assert routes.match("POST", parse_target(b"/transfer/").segments) is None
    assert routes.match("POST", parse_target(b"/transfer").segments) is not None


@given(st.binary(max_size=60).map(lambda tail: b"/" + tail))
@settings(max_examples=300)
def test_a_target_that_passes_is_its_own_only_spelling(raw: bytes) -> None:
    try:
        target = parse_target(raw)
    except BadRequest:
        return
    assert target.raw == raw
    assert raw == target.path.encode() + (b"?" + target.query if target.query else b"")
    assert all(segment not in (".", "..") and not set("/\\%;\0").intersection(segment) for segment in target.segments)
    assert "" not in target.segments[:-1]


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters="/\\%;"), min_size=1, max_size=8
)


@given(st.lists(words.filter(lambda word: word not in (".", "..")), min_size=1, max_size=5))
def test_what_a_client_encodes_is_read_back(segments: list[str]) -> None:
    raw = "/" + "/".join(urllib.parse.quote(segment, safe="!$&'()*+,=:@") for segment in segments)
    assert parse_target(raw.encode()).segments == tuple(segments)
    fully_encoded = "/" + "/".join(urllib.parse.quote(segment, safe="") for segment in segments)
    assert parse_target(fully_encoded.encode()).segments == tuple(segments)


@pytest.mark.parametrize(
    "raw",
    [b"/" * MEGABYTE, b"/" + b"a" * MEGABYTE, b"/" + b"%41" * 300_000, b"/a" * 500_000, b"/?" + b"a" * MEGABYTE, b"/" + b"\xff" * MEGABYTE],
)  # fmt: skip
def test_a_long_target_is_refused_before_it_is_read(raw: bytes) -> None:
    work = refused(lambda: parse_target(raw))
    assert work.message == f"the request-target is longer than {MAX_TARGET_BYTES} bytes"
    assert work.calls < 20
    assert work.peak_bytes < 20_000


def test_a_long_target_has_its_own_status() -> None:
    assert parse_target(b"/" + b"a" * (MAX_TARGET_BYTES - 1)).segments
    with pytest.raises(BadRequest) as refusal:
        parse_target(b"/" + b"a" * MAX_TARGET_BYTES)
    assert refusal.value.status == 414


@pytest.mark.parametrize(
    ("raw", "pairs"),
    [
        (b"", ()),
        (b"a=1&b=2", (("a", "1"), ("b", "2"))),
        (b"a=1&a=2", (("a", "1"), ("a", "2"))),
        (b"a", (("a", ""),)),
        (b"a=", (("a", ""),)),
        (b"a=b=c", (("a", "b=c"),)),
        (b"a[]=1&a[b]=2", (("a[]", "1"), ("a[b]", "2"))),
        (b"q=a+b%2Bc%20d", (("q", "a b+c d"),)),
        (b"q=%C3%A9%26%3D%3B%25", (("q", "é&=;%"),)),
        (b"%61=1", (("a", "1"),)),
        (b'f={"cost":1}', (("f", '{"cost":1}'),)),
        (b"u=/x?y", (("u", "/x?y"),)),
    ],
)
def test_a_query_is_read_literally_and_in_order(raw: bytes, pairs: tuple[tuple[str, str], ...]) -> None:
    assert parse_query(raw) == pairs


@pytest.mark.parametrize(
    "raw",
    [b"a=1;b=2", b"a=1&&b=2", b"&a=1", b"a=1&", b"=1", b"&", b"a=%", b"a=%4", b"a=%zz", b"a=%u0041", b"a=%ff", b"a=%c0%af", b"a=%ed%a0%80",
     b"a=%00", b"a=\x00", b"a=1#b", b"a= 1", b"a=\xc3\xa9", b"a=1\r\n"],
)  # fmt: skip
def test_a_query_that_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse_query(raw)
    assert refusal.value.status == 400


def test_a_query_has_a_bounded_number_of_parameters() -> None:
    assert len(parse_query(b"&".join([b"a=1"] * MAX_QUERY_PARAMETERS))) == MAX_QUERY_PARAMETERS
    for many in (b"&".join([b"a"] * (MAX_QUERY_PARAMETERS + 1)), b"&" * 8000, b"a=1&" * 250_000):
        assert refused(partial(parse_query, many)).calls < 20


def test_a_repeated_parameter_has_no_single_value() -> None:
    query = parse_query(b"a=1&b=2&b=3&c[]=4&d=5&d[]=6&D=7")
    assert single(query, "a") == "1"
    assert single(query, "missing") is None
    assert single(query, "c") is None
    assert single(query, "D") == "7"
    for name in ("b", "d"):
        with pytest.raises(BadRequest, match="appears more than once"):
            single(query, name)


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6), words),
        max_size=6,
    )
)
def test_what_a_client_puts_into_a_query_is_read_back(pairs: list[tuple[str, str]]) -> None:
    assert parse_query(urllib.parse.urlencode(pairs).encode()) == tuple(pairs)
