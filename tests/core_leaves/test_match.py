"""Names from an allow-list, patterns without regular expressions, routes with one meaning each."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.match import (
    METHODS,
    Literal,
    Parameter,
    Route,
    RouteMatch,
    RouteTable,
    WrongMethod,
    check_identifier,
    check_tool_name,
    is_identifier,
    is_tool_name,
    parse_route,
    parse_tool_patterns,
)
from remit.errors import UsageError
from tests.core_leaves.work import refused

MEGABYTE = 1_000_000

LOOKALIKES = (
    "аdmin", "ａｄｍｉｎ", "ad\u200bmin", "\u202enimda", "é", "e\u0301", "straße", "admin ", " admin", "admin\n", "admin\x00", "",
    "a b", "a:b", "a|b", "{x}", "../admin", "a/b", "a\\b", "a*", "a`b", "a'b", 'a"b', "a;b", "a,b", "²", "x" * 129, "x" * MEGABYTE,
)  # fmt: skip


@pytest.mark.parametrize("name", ["payments.transfer", "a", "A-b_c.9", "x" * 128, "risk.validate.eu", "getWeather"])
def test_a_tool_name_is_a_dotted_ascii_word(name: str) -> None:
    assert check_tool_name(name) == name


@pytest.mark.parametrize(
    "name", [*LOOKALIKES, ".", ".a", "a.", "a..b", "a@b", "a+b"], ids=lambda name: ascii(name[:12])
)
def test_any_other_tool_name_is_refused(name: str) -> None:
    work = refused(lambda: check_tool_name(name))
    assert not is_tool_name(name)
    assert work.calls < 300
    assert work.peak_bytes < 20_000


@pytest.mark.parametrize("name", ["alice@example.com", "risk-check", "0.9_x+y", "x" * 128, "."])
def test_an_identifier_is_an_ascii_word(name: str) -> None:
    assert check_identifier(name, what="agent") == name


@pytest.mark.parametrize("name", LOOKALIKES, ids=lambda name: ascii(name[:12]))
def test_any_other_identifier_is_refused_and_the_message_says_which_kind(name: str) -> None:
    work = refused(lambda: check_identifier(name, what="agent"))
    assert not is_identifier(name)
    assert work.message.startswith("the agent `")
    assert work.message.isprintable()
    assert work.peak_bytes < 20_000


@pytest.mark.parametrize(
    ("pattern", "covered", "not_covered"),
    [
        ("payments.*", ["payments.transfer", "payments.eu.transfer"], ["payments", "paymentsx.a", "Payments.transfer", "x.payments.a"]),
        ("payments.transfer", ["payments.transfer"], ["payments.transfer2", "payments.transfer.x", "payments"]),
        ("*", ["a", "payments.transfer"], []),
        ("a.b.*", ["a.b.c"], ["a.b", "a.c", "a.bc.d"]),
    ],
)  # fmt: skip
def test_a_pattern_covers_whole_dotted_parts(pattern: str, covered: list[str], not_covered: list[str]) -> None:
    patterns = parse_tool_patterns([pattern])
    assert all(patterns.match(tool) for tool in covered)
    assert not any(patterns.match(tool) for tool in not_covered)


def test_a_set_of_patterns_covers_what_any_of_them_covers_and_an_empty_one_nothing() -> None:
    patterns = parse_tool_patterns(["risk.validate", "payments.*"])
    assert patterns.match("risk.validate")
    assert patterns.match("payments.transfer")
    assert not patterns.match("risk.other")
    assert not parse_tool_patterns([]).match("anything")


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "**",
        ".*",
        "pay*",
        "*.transfer",
        "payments.*.x",
        "payments.**",
        "a..*",
        "payments.?",
        "[ab]",
        "^a$",
        "*" * MEGABYTE,
    ],
)
def test_a_pattern_with_a_star_elsewhere_is_refused(pattern: str) -> None:
    assert "is not a tool pattern" in refused(lambda: parse_tool_patterns([pattern])).message


def test_a_route_is_a_method_and_whole_segments() -> None:
    route = parse_route("POST /reports/{id}/pdf")
    assert route == Route("POST", (Literal("reports"), Parameter("id"), Literal("pdf")))
    assert str(route) == "POST /reports/{id}/pdf"
    assert route.parameters == ("id",)
    assert parse_route("GET /").segments == ()


@pytest.mark.parametrize(
    "text",
    [
        "", "POST", "/x", "POST x", "POST  /x", "post /x", "CONNECT /x", "OPTIONS /x", "TRACE /x", "* /x", "GET http://h/x", "GET /x/",
        "GET //x", "GET /./x", "GET /../x", "GET /{}", "GET /{id", "GET /id}", "GET /{i-d}", "GET /a{id}", "GET /{id}b", "GET /:id",
        "GET /*", "GET /a*", "GET /a;b", "GET /a%20b", "GET /a b", "GET /a?x=1", "GET /a#b", "GET /a\\b", "GET /é", "GET /{id}/{id}",
        "GET /{é}", "GET " + "/a" * 65, "GET /" + "a" * MEGABYTE, "GET " + "/a" * MEGABYTE, "GET /" + "a" * 257,
    ],
    ids=lambda text: ascii(text[:16]),
)  # fmt: skip
def test_a_route_in_any_other_spelling_is_refused(text: str) -> None:
    work = refused(lambda: parse_route(text))
    assert len(work.message) < 200
    assert work.peak_bytes < 40_000


def table(*routes: str) -> RouteTable:
    return RouteTable([parse_route(route) for route in routes])


def found(routes: RouteTable, method: str, path: str) -> tuple[str, dict[str, str]] | None:
    match = routes.match(method, path[1:].split("/") if path != "/" else [])
    return (str(routes.routes[match.index]), dict(match.parameters)) if isinstance(match, RouteMatch) else None


def test_a_literal_beats_a_parameter_and_the_other_way_is_still_found() -> None:
    routes = table("GET /a/{x}/c", "GET /a/b/d", "GET /{y}/b/e", "GET /{y}")
    assert found(routes, "GET", "/a/b/d") == ("GET /a/b/d", {})
    assert found(routes, "GET", "/a/b/c") == ("GET /a/{x}/c", {"x": "b"})
    assert found(routes, "GET", "/a/b/e") == ("GET /{y}/b/e", {"y": "a"})
    assert found(routes, "GET", "/a") == ("GET /{y}", {"y": "a"})
    assert found(routes, "GET", "/a/b/f") is None


@pytest.mark.parametrize("path", ["/Transfer", "/TRANSFER", "/transfer/", "/transfer/x", "/", "/transfe", "/transfer2"])
def test_a_path_that_differs_in_case_or_in_a_slash_is_unknown(path: str) -> None:
    assert table("POST /transfer").match("POST", path[1:].split("/") if path != "/" else []) is None


def test_an_empty_segment_is_no_value_for_a_parameter() -> None:
    routes = table("GET /reports/{id}")
    assert routes.match("GET", ("reports", "")) is None
    assert found(routes, "GET", "/reports/7") == ("GET /reports/{id}", {"id": "7"})


def test_the_root_path_can_be_a_route() -> None:
    assert found(table("GET /"), "GET", "/") == ("GET /", {})
    assert table("GET /").match("GET", ("",)) is None


def test_a_head_is_judged_as_its_get_unless_it_has_a_route_of_its_own() -> None:
    routes = table("GET /report", "GET /other", "HEAD /other")
    assert routes.match("HEAD", ["report"]) == RouteMatch(index=0, parameters={}, head_as_get=True)
    assert routes.match("HEAD", ["other"]) == RouteMatch(index=2, parameters={}, head_as_get=False)
    assert table("POST /report").match("HEAD", ["report"]) == WrongMethod(("POST",))


def test_a_known_path_with_another_method_says_which_are_allowed() -> None:
    routes = table("GET /a/{x}", "DELETE /a/{x}", "POST /a/b")
    assert routes.match("PUT", ["a", "b"]) == WrongMethod(("GET", "HEAD", "POST", "DELETE"))
    assert routes.match("POST", ["a", "c"]) == WrongMethod(("GET", "HEAD", "DELETE"))
    assert routes.match("get", ["a", "c"]) == WrongMethod(("GET", "HEAD", "DELETE"))
    assert routes.match("PUT", ["b"]) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [("GET /a", "GET /a"), ("GET /a/{x}", "GET /a/{y}"), ("GET /", "GET /"), ("PUT /{a}/b", "PUT /{c}/b")],
)
def test_two_routes_for_the_same_requests_cannot_be_compiled(first: str, second: str) -> None:
    with pytest.raises(UsageError, match="are the same"):
        table(first, second)


def test_routes_that_overlap_beyond_measure_are_refused_instead_of_filling_memory() -> None:
    both_ways = [[f"{{p{at}}}" if bits >> at & 1 else "a" for at in range(12)] for bits in range(2**12)]
    routes = [parse_route(f"GET /{'/'.join(way)}/{bits}") for bits, way in enumerate(both_ways)]
    assert RouteTable(routes[:64]).routes
    assert "overlap too much" in refused(lambda: RouteTable(routes)).message
    with pytest.raises(UsageError, match="more than 10000 routes"):
        RouteTable([Route("GET", ())] * 10_001)


def reference(routes: Sequence[Route], method: str, path: Sequence[str]) -> int | None:
    """Try every route; of those that fit, take the one whose leftmost difference is a literal."""
    fitting = [
        ([isinstance(part, Parameter) for part in route.segments], index)
        for index, route in enumerate(routes)
        if route.method == method
        and len(route.segments) == len(path)
        and all(
            isinstance(part, Parameter) or part.text == text for part, text in zip(route.segments, path, strict=True)
        )
    ]
    return min(fitting)[1] if fitting else None


parts = st.sampled_from(["a", "b", "c", "{p}"])
templates = st.lists(parts, max_size=5).map(
    lambda chosen: "/" + "/".join(f"{{p{at}}}" if part == "{p}" else part for at, part in enumerate(chosen))
)
route_sets = st.lists(st.tuples(st.sampled_from(["GET", "POST", "HEAD"]), templates), unique=True, max_size=12)


@given(route_sets, st.sampled_from(METHODS), st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=5))
@settings(max_examples=300)
def test_a_table_finds_what_trying_every_route_would_find(
    templates: list[tuple[str, str]], method: str, path: list[str]
) -> None:
    routes = [parse_route(f"{verb} {template}") for verb, template in templates]
    match = RouteTable(routes).match(method, path)
    own = reference(routes, method, path)
    if own is None and method == "HEAD":
        as_get = reference(routes, "GET", path)
        assert not isinstance(match, RouteMatch) or (match.index == as_get and match.head_as_get)
        assert (as_get is not None) == isinstance(match, RouteMatch)
    else:
        assert (match.index if isinstance(match, RouteMatch) else None) == own


def test_matching_takes_one_step_a_segment_however_many_routes_there_are() -> None:
    routes = RouteTable([parse_route(f"GET /{'/'.join('a' * 20)}/{at}/{{id}}") for at in range(2000)])
    path = [*("a" * 20), "1999", "x"]
    assert found(routes, "GET", "/" + "/".join(path)) == (str(routes.routes[1999]), {"id": "x"})
    assert routes.match("GET", ["a"] * MEGABYTE) is None
