"""What the policy keeps out of the log is kept out of every place where it could stand."""

import pytest

from remit.audit.encoding import MAX_ARGUMENT_CHARS
from remit.audit.redact import MAX_PATHS, REDACTED, Redaction, ToolRedaction
from remit.core.strict_json import read_json
from remit.errors import UsageError

SOURCES = {"card": "body.card", "amount": "body.amount", "to": "path.to", "note": "query.note", "who": "header.X-Who"}


def of(*paths: str, **sources: str) -> ToolRedaction:
    return Redaction.parse(paths).of_tool(sources or SOURCES)


def test_a_named_argument_is_hidden_and_the_others_are_not() -> None:
    shown = of("body.card").arguments({"card": "4111111111111111", "amount": 5})
    assert shown == {"card": REDACTED, "amount": "5"}


def test_an_argument_below_a_hidden_object_is_hidden_too() -> None:
    redaction = of("body.payment", number="body.payment.card.number", other="body.payments")
    assert (redaction.hides("number"), redaction.hides("other")) == (True, False)


def test_only_the_named_member_of_an_object_is_hidden() -> None:
    redaction = of("body.order.card", order="body.order")
    shown = redaction.arguments({"order": read_json(b'{"id": 7, "card": "4111"}', max_bytes=100)})
    assert shown == {"order": '{"id": 7, "card": [redacted]}'}


@pytest.mark.parametrize("path", ["body.cards.number", "body.cards.*.number", "body.*.number"])
def test_a_member_is_hidden_in_every_item_of_an_array(path: str) -> None:
    redaction = of(path, cards="body.cards")
    shown = redaction.arguments({"cards": read_json(b'[{"number": 1, "x": 0.5}, {"number": 2}]', max_bytes=100)})
    assert shown == {"cards": '[{"number": [redacted], "x": 0.5}, {"number": [redacted]}]'}


def test_a_star_hides_whatever_stands_there() -> None:
    assert of("body.*").arguments({"card": "4111", "amount": 5, "to": "x"}) == {
        "card": REDACTED,
        "amount": REDACTED,
        "to": "x",
    }


def test_header_fields_are_named_without_regard_to_case() -> None:
    assert of("header.x-WHO").hides("who")
    assert not of("body.CARD").hides("card")


def test_a_hidden_argument_is_hidden_as_the_target_as_well() -> None:
    assert of("body.card").target("4111", argument="card") == REDACTED
    assert of("body.card").target("acct", argument="to") == "acct"
    assert of("body.card").target("", argument="card") == ""


def test_a_hidden_argument_is_blotted_out_of_the_path_however_it_was_escaped() -> None:
    redaction = of("path.to")
    assert redaction.path("/pay/anna/now", {"to": "anna"}) == "/pay/[redacted]/now"
    assert redaction.path("/pay/%61nna/now", {"to": "anna"}) == "/pay/[redacted]/now"


def test_a_path_in_which_the_hidden_argument_cannot_be_found_is_hidden_whole() -> None:
    redaction = of("path.to")
    assert redaction.path("/pay/0.350/now", {"to": 350_000}) == REDACTED
    assert redaction.path("/pay/anna/now", {}) == REDACTED


def test_of_a_query_only_the_names_are_kept() -> None:
    assert of("body.card").path("/pay?note=4111&code=x&bare&=z", {}) == "/pay?note=...&code=...&...&=..."
    assert of("path.to").path("/pay/anna?note=1", {"to": "anna"}) == "/pay/[redacted]?note=..."


def test_values_are_written_as_people_read_them() -> None:
    values: dict[str, object] = {
        "a": True,
        "b": None,
        "c": 12,
        "d": "text",
        "e": read_json(b"0.350", max_bytes=9),
        "f": [1, "x"],
    }
    assert of().arguments(values) == {"a": "true", "b": "null", "c": "12", "d": "text", "e": "0.350", "f": '[1, "x"]'}


def test_an_object_that_is_no_json_is_named_by_its_type_alone() -> None:
    class Tricky:
        def __repr__(self) -> str:
            raise RuntimeError("must not be asked")

    assert of().arguments({"a": Tricky(), "b": 2**5000}) == {"a": "a Tricky", "b": "a number too large to write"}


def test_writing_out_a_huge_or_deep_value_is_bounded() -> None:
    deep: list[object] = []
    for _ in range(500):
        deep = [deep]
    wide = {f"k{n}": list(range(1000)) for n in range(1000)}
    shown = of().arguments({"deep": deep, "wide": wide})
    assert len(shown["deep"]) < 100
    assert len(shown["wide"]) < 40 * MAX_ARGUMENT_CHARS


@pytest.mark.parametrize(
    "path", ["", "card", "body", "body.", ".card", "body..card", "cookie.x", "body.a\nb", "body." + "x" * 300]
)
def test_a_path_that_names_no_place_is_refused(path: str) -> None:
    with pytest.raises(UsageError, match="redact"):
        Redaction.parse([path])


def test_more_paths_than_the_bound_are_refused() -> None:
    with pytest.raises(UsageError, match="257 paths"):
        Redaction.parse(["body.x"] * (MAX_PATHS + 1))
