"""Targets: what RFC 3986 says is equal is one spelling, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.contracts.uris import normalise_target, request_target
from remit.errors import UsageError


@pytest.mark.parametrize(
    ("uri", "spelling"),
    [
        ("https://a.example", "https://a.example/"),
        ("HTTP://A.example:80/", "http://a.example/"),
        ("https://a.example:80/", "https://a.example:80/"),
        ("https://a.example/%7Euser/%2f%C3%a9", "https://a.example/~user/%2F%C3%A9"),
        ("https://a.example/a/b/../c/./d", "https://a.example/a/c/d"),
        ("https://a.example/../../x", "https://a.example/x"),
        ("https://a.example/a/..", "https://a.example/"),
        ("https://a.example/a/b/.", "https://a.example/a/b/"),
        ("https://a.example/%2e%2e/x", "https://a.example/x"),
        ("https://a.example/...", "https://a.example/..."),
        ("https://a.example/.hidden", "https://a.example/.hidden"),
        ("https://a.example//x", "https://a.example//x"),
        ("https://[2001:DB8::1]:443/", "https://[2001:db8::1]/"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x"),
        ("https://a.example./", "https://a.example./"),
        ("https://a.example/a;b=c,d@e:f", "https://a.example/a;b=c,d@e:f"),
    ],
)
def test_a_target_has_one_spelling(uri: str, spelling: str) -> None:
    assert normalise_target(uri) == spelling


@pytest.mark.parametrize(
    "uri",
    [
        "", "a.example/x", "//a.example/x", "ftp://a.example/", "https:/a.example/", "https:///x", "https://a.example?x",
        "https://a.example/x?", "https://a.example/#", "https://u@a.example/", "https://u:p@a.example/",
        "https://a.example:x/", "https://a.example:123456/", "https://a.example:-1/", "https://a.example:00443/",
        "https://a.example:\u0661/", "https://é.example/", "https://a%2eexample/", "https://[::1/", "https://[::1]x/",
        "https://[g::]/", "https://a.example/%", "https://a.example/%4", "https://a.example/%zz", "https://a.example/\\x",
        "https://a.example/x y", "https://a.example/\n", "https://a.example/é", "javascript://a.example/",
        "https://a.example/" + "x" * 9000,
    ],
    ids=lambda uri: ascii(uri)[:40],
)  # fmt: skip
def test_what_has_no_spelling_is_refused(uri: str) -> None:
    with pytest.raises(UsageError):
        normalise_target(uri)


@given(st.text(alphabet="aA%2eEfF/.~-:@7x", max_size=30))
def test_the_spelling_of_a_spelling_is_itself(path: str) -> None:
    try:
        once = request_target("https://a.example", "/" + path)
    except UsageError:
        return
    assert normalise_target(once) == once


def test_an_origin_with_or_without_a_slash_is_the_same() -> None:
    assert request_target("https://a.example/", "/x") == request_target("https://a.example", "/x")
