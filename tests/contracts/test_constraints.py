"""The nine constraints: what satisfies each, and what is refused when a contract is read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core.constraint_reading import read_constraint, read_tools
from remit.core.constraints import MAX_CHECK_EFFORT, Subject, arguments_refusal, check
from remit.core.contract_steps import ContractError, Effort, Step
from remit.core.strict_json import JsonValue, json_equal, read_json
from remit.core.value_keys import money_value, value_key
from remit.errors import BadRequest
from tests.contracts.strategies import Raw, constraint_values, json_values, raw_constraints


def read(text: str) -> JsonValue:
    return read_json(text.encode(), max_bytes=100_000)


def passes(constraint: str, value: str) -> bool:
    return check(read_constraint(read(constraint)), Subject(read(value)), Effort(MAX_CHECK_EFFORT))


def kind(name: str, members: str = "") -> str:
    return f'{{"constraint_type":"{name}"{"," if members else ""}{members}}}'


ONE, TEN = kind("exact", '"value":1'), kind("range", '"min":0,"max":10')


@pytest.mark.parametrize(
    ("constraint", "good", "bad"),
    [
        (kind("exact", '"value":1'), "1 1.0 1e0 10e-1", "2 true null [] [1] 1.5"),
        (kind("exact", '"value":true'), "true", "1 false null"),
        (kind("exact", '"value":null'), "null", "false 0 [] {}"),
        (kind("exact", '"value":"a"'), '"a"', '"A" "a\\u0000" ["a"] 1'),
        (kind("exact", '"value":0.35'), "0.35 35e-2 0.350", "0.36 0 1"),
        (kind("range", '"min":1,"max":5'), "1 5 1.0 5.0 4.99", '0 6 5.01 0.99 "3" true null [3]'),
        (kind("range", '"min":1,"min_inclusive":false'), "1.1 2", "1 1.0 0"),
        (kind("range", '"max":5,"max_inclusive":false'), "4.99 -7", "5 5.0 6"),
        (kind("range", '"min":-1.5'), "-1.5 -1 9007199254740991", "-1.51 -2"),
        (kind("range"), "0 -5 1.5", '"1" true null {}'),
        (kind("range", '"min":5,"max":1'), "", "0 1 3 5 6"),
        (kind("one_of", '"values":[1,"a",[2]]'), '1 1.0 "a" [2] [2.0]', "2 true [1] [] null"),
        (kind("one_of", '"values":[]'), "", "1 null []"),
        (kind("not_one_of", '"excluded":[1,"a"]'), '2 true null [1] "A"', '1 1.0 1e0 "a"'),
        (kind("not_one_of", '"excluded":[]'), "1 null []", ""),
        (kind("contains", '"required":[1,2]'), "[1,2] [2,3,1.0]", '[1] [] 1 "12" {"1":2}'),
        (kind("contains", '"required":[]'), "[] [1]", "1 null {}"),
        (kind("subset", '"allowed":[1,2]'), "[] [1] [2,1,1]", "[3] [1,3] 1 {} null"),
        (kind("subset", '"allowed":[]'), "[]", "[1] null"),
        (kind("wildcard"), '1 null [] {} "x" true', ""),
        (
            kind("all", f'"constraints":[{TEN},{kind("not_one_of", chr(34) + "excluded" + chr(34) + ":[5]")}]'),
            "4 6",
            "5 11",
        ),
        (kind("any", f'"constraints":[{ONE},{kind("range", chr(34) + "min" + chr(34) + ":5")}]'), "1 5 9", "2 4.9"),
    ],
)
def test_a_constraint_accepts_what_its_definition_says(constraint: str, good: str, bad: str) -> None:
    assert [value for value in good.split() if not passes(constraint, value)] == []
    assert [value for value in bad.split() if passes(constraint, value)] == []


@pytest.mark.parametrize(
    ("constraint", "step"),
    [
        (kind("regex", '"pattern":"a*"'), Step.UNKNOWN_CONSTRAINT),
        (kind("Exact", '"value":1'), Step.UNKNOWN_CONSTRAINT),
        (kind("exact", '"value":1,"note":"x"'), Step.UNKNOWN_CONSTRAINT),
        (kind("wildcard", '"value":1'), Step.UNKNOWN_CONSTRAINT),
        (kind("range", '"maximum":5'), Step.UNKNOWN_CONSTRAINT),
        (kind("exact"), Step.CAPABILITY_MALFORMED),
        (kind("exact", '"value":[1]'), Step.CAPABILITY_MALFORMED),
        (kind("exact", '"value":{}'), Step.CAPABILITY_MALFORMED),
        (kind("range", '"min":"1"'), Step.CAPABILITY_MALFORMED),
        (kind("range", '"min":true'), Step.CAPABILITY_MALFORMED),
        (kind("range", '"max":null'), Step.CAPABILITY_MALFORMED),
        (kind("range", '"min":1,"min_inclusive":1'), Step.CAPABILITY_MALFORMED),
        (kind("range", '"max_inclusive":"no"'), Step.CAPABILITY_MALFORMED),
        (kind("one_of"), Step.CAPABILITY_MALFORMED),
        (kind("one_of", '"values":"abc"'), Step.CAPABILITY_MALFORMED),
        (kind("not_one_of", '"excluded":{}'), Step.CAPABILITY_MALFORMED),
        (kind("contains", '"required":null'), Step.CAPABILITY_MALFORMED),
        (kind("subset", '"allowed":1'), Step.CAPABILITY_MALFORMED),
        (kind("all"), Step.CAPABILITY_MALFORMED),
        (kind("all", '"constraints":[]'), Step.CAPABILITY_MALFORMED),
        (kind("any", '"constraints":[]'), Step.CAPABILITY_MALFORMED),
        (kind("any", '"constraints":{}'), Step.CAPABILITY_MALFORMED),
        (kind("all", '"constraints":[1]'), Step.CAPABILITY_MALFORMED),
        ("{}", Step.CAPABILITY_MALFORMED),
        ('{"constraint_type":5}', Step.CAPABILITY_MALFORMED),
        ("[]", Step.CAPABILITY_MALFORMED),
        ("null", Step.CAPABILITY_MALFORMED),
        (kind("exact", f'"value":"{"x" * 4097}"'), Step.CAPABILITY_MALFORMED),
        (kind("one_of", f'"values":[["{"é" * 2049}"]]'), Step.CAPABILITY_MALFORMED),
        (kind("exact", '"value":500.00000000000000001'), Step.CAPABILITY_MALFORMED),
        (kind("range", '"max":0.1234567890123456'), Step.CAPABILITY_MALFORMED),
    ],
)
def test_a_constraint_that_is_not_exactly_one_refuses_the_contract(constraint: str, step: Step) -> None:
    with pytest.raises(ContractError) as caught:
        read_constraint(read(constraint))
    assert caught.value.step is step


def nested(depth: int) -> Raw:
    tree: Raw = {"constraint_type": "wildcard"}
    for _ in range(depth - 1):
        tree = {"constraint_type": "all", "constraints": [tree]}
    return tree


def test_constraints_may_be_nested_thirty_two_deep_and_no_deeper() -> None:
    assert check(read_constraint(nested(32)), Subject(1), Effort(100))
    with pytest.raises(ContractError) as caught:
        read_constraint(nested(33))
    assert caught.value.step is Step.CONSTRAINT_TOO_DEEP


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "attenuating_agent_token"},
        {"type": "attenuating_agent_token", "tools": []},
        {"type": "attenuating_agent_token", "tools": {}, "locations": ["https://api.example.com"]},
        {"type": "attenuating_agent_token", "tools": {"": {}}},
        {"type": "attenuating_agent_token", "tools": {"é" * 129: {}}},
        {"type": "attenuating_agent_token", "tools": {"a": []}},
        {"type": "attenuating_agent_token", "tools": {"a": None}},
        {"type": "attenuating_agent_token", "tools": {f"t{number}": {} for number in range(257)}},
        {"type": "attenuating_agent_token", "tools": {"a": {f"a{number}": nested(1) for number in range(65)}}},
        {"type": "attenuating_agent_token", "tools": {"a": {"x" * 257: nested(1)}}},
    ],
)
def test_a_capability_that_is_not_exactly_one_is_refused(entry: dict[str, JsonValue]) -> None:
    with pytest.raises(ContractError) as caught:
        read_tools(entry)
    assert caught.value.step is Step.CAPABILITY_MALFORMED


PAY = read_tools(
    {
        "type": "attenuating_agent_token",
        "tools": {"pay": {"amount": read(TEN), "note": {"constraint_type": "wildcard"}}, "any": {}},
    }
)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('{"amount":5,"note":"x"}', None),
        ('{"amount":5,"note":500.00000000000000001}', None),
        ('{"amount":5}', "missing"),
        ('{"note":1}', "missing"),
        ("{}", "missing"),
        ('{"amount":5,"note":1,"to":"x"}', "not among them"),
        ('{"amount":11,"note":1}', "not what the contract allows"),
        ('{"amount":"5","note":1}', "not what the contract allows"),
        ('{"amount":9.99999999999999999,"note":1}', "cannot be judged"),
    ],
)
def test_named_arguments_are_the_whole_call(arguments: str, problem: str | None) -> None:
    members = read(arguments)
    assert isinstance(members, dict)
    refusal = arguments_refusal(PAY["pay"], members, tool="pay")
    assert (refusal is None) if problem is None else (refusal is not None and problem in refusal)


def test_a_tool_without_constraints_takes_any_arguments() -> None:
    assert arguments_refusal(PAY["any"], {"whatever": 1}, tool="any") is None
    assert arguments_refusal(PAY["any"], {}, tool="any") is None


def test_an_argument_that_takes_too_much_work_to_compare_is_refused() -> None:
    clause: Raw = {"constraint_type": "subset", "allowed": [1]}
    constraint = read_constraint(
        {"constraint_type": "all", "constraints": [{"constraint_type": "subset", "allowed": [1]}] * 1000}
    )
    long: list[JsonValue] = [1] * 5
    assert arguments_refusal({"a": constraint}, {"a": long}, tool="t") is None
    many = read_constraint({"constraint_type": "all", "constraints": [{**clause, "allowed": list(range(1000))}] * 300})
    refusal = arguments_refusal({"a": many}, {"a": list(range(1000))}, tool="t")
    assert refusal is not None
    assert "too much work" in refusal


@given(json_values(), json_values())
@settings(max_examples=50, deadline=None)
def test_two_values_have_one_key_if_and_only_if_they_are_equal_in_json(left: JsonValue, right: JsonValue) -> None:
    assert (value_key(left) == value_key(right)) == json_equal(left, right)


@given(raw=raw_constraints(), value=constraint_values(), shuffle=st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_clauses_and_values_changes_nothing(raw: Raw, value: JsonValue, shuffle: st.DataObject) -> None:
    expected = check(read_constraint(raw), Subject(value), Effort(10_000))
    assert check(read_constraint(shuffled(raw, shuffle)), Subject(value), Effort(10_000)) is expected


def shuffled(value: object, chance: object) -> JsonValue:
    """The same constraint with every array and object in another order."""
    if isinstance(value, dict):
        items = [(name, shuffled(member, chance)) for name, member in value.items()]
        chance.shuffle(items)  # type: ignore[attr-defined]  # a `random.Random`
        return dict(items)
    if isinstance(value, list):
        members = [shuffled(item, chance) if isinstance(item, dict) else item for item in value]
        chance.shuffle(members)  # type: ignore[attr-defined]  # as above
        return members
    return value  # type: ignore[return-value]  # a scalar is left as it is


def test_a_number_with_too_many_digits_has_no_key() -> None:
    with pytest.raises(BadRequest, match="significant digits"):
        value_key(read("[0.1234567890123456]"))
    assert value_key(read("0.123456789012345")) == ("number", 123456789012345, 15)


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "0"), (350_000, "0.35"), (5_000_000, "5.0"), (500_000_001, "500.000001")]
)
def test_money_is_compared_as_the_number_that_the_caller_wrote(micros: int, text: str) -> None:
    assert value_key(money_value(micros)) == value_key(read(text))
