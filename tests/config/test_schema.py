"""The published JSON Schema: up to date, true to what is accepted, and complete enough to help an editor."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from remit.config.compile import Loaded
from remit.config.load import read_document
from remit.config.schema import FUTURE_FIELDS, SHAPES, PolicyShape, published_schema
from remit.errors import PolicyError
from tests.config.json_schema import misfits
from tests.config.sample import BASE, added, attempt
from tests.config.test_problems import CASES

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "schema" / "policy.schema.json"
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def schema() -> dict[str, Any]:
    return dict(json.loads(published_schema()))


def fits(text: str) -> list[str]:
    found = schema()
    return list(misfits(read_document(text, source="policy").data, found, found))


def test_the_published_file_is_what_this_version_makes() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == published_schema()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_the_schema_accepts_every_example(path: Path) -> None:
    assert fits(path.read_text(encoding="utf-8")) == []


def test_the_schema_accepts_the_sample() -> None:
    assert fits(BASE) == []


@pytest.mark.parametrize(("section", "line"), [case[:2] for case in CASES], ids=[case[1] for case in CASES])
def test_the_schema_refuses_what_the_models_refuse(section: str, line: str) -> None:
    text = added(section, line)
    try:
        PolicyShape.model_validate(read_document(text, source="policy").data)
    except ValidationError:
        assert fits(text) != []


def test_the_schema_refuses_most_texts_that_cannot_be_read() -> None:
    wrong = [
        ("limits", "l: {rate: 60/min}"), ("limits", "l: {quota: -5/day}"), ("limits", "l: {quota: 1e3/day}"),
        ("limits", "l: {budget: 5 usd/day}"), ("limits", "l: {}"), ("limits", "l: {quota: 5/hour, budget: 5 USD}"),
        ("limits", "l: {quota: 5/hour, tools: ['p*']}"), ("limits", "l: {quota: 5/hour, warn_at: [1000.5%]}"),
        ("tools", "x: {route: FETCH /x, upstream: api, price: free}"), ("tools", "x y: {route: GET /x, upstream: a, price: free}"),
        ("tools", "x: {route: GET /x, upstream: api, price: 1.58}"), ("top", "sessions: {lifetime: 1 year}"),
        ("top", "ledger: api.example.com"), ("top", "proof: {window: soon}"),
        ("upstreams", "u: {url: http://a/b}"), ("upstreams", "u: {url: http://a, credential: sk-live-1}"),
    ]  # fmt: skip
    for section, line in wrong:
        assert fits(added(section, line)) != [], line


ACCEPTED = [
    ("limits", "l: {rate: 60/minute, burst: 5, max_wait: 2 seconds, per: agent}"),
    ("limits", "l: {quota: 500, per: [user, tool], mode: observe, strictness: strict}"),
    ("limits", "l: {quota: 1000/15m}"),
    ("limits", "l: {quota: 1000/400 days}"),
    ("limits", "l: {budget: 0.000001 USD/year, timezone: Asia/Kathmandu, warn_at: [99.9%]}"),
    ("limits", "l: {units: 10/week, weigh: {pay: 2}, tools: ['*']}"),
    ("limits", "l: {failures: 0/second, agents: ['key:a.b@c']}"),
    ("limits", "l: {concurrent: 0}"),
    ("limits", "l: {only: 'sat,sun 00:00-24:00 UTC'}"),
    ("tools", "x.y-z: {route: GET /, upstream: api, price: {hold: 1 USD}, max_body: 5, timeout: 1 hour}"),
    ("tools", "x: {route: PATCH /x, upstream: api, price: free, max_body: 5 KiB, timeout: 24h}"),
    (
        "top",
        "trust: {issuers: {a.b: {iss: 'urn:a', jwks_file: /k, tools: [pay, '*'], lifetime: 1 hour, budget: 5 USD}}}",
    ),
    ("top", "trust: {issuers: {a: {iss: 'urn:a', jwks_file: k, tools: [ask], orgs: [x@y], plain_jwt: true}}}"),
    ("top", "proof: {window: 5s, nonces: true}"),
    ("upstreams", "u: {url: 'http://[::1]:80/', credential: secret:a-b_c, credential_prefix: ''}"),
]


@pytest.mark.parametrize(("section", "line"), ACCEPTED, ids=[line for _, line in ACCEPTED])
def test_what_is_accepted_fits_the_schema(section: str, line: str) -> None:
    text = added(section, line)
    assert isinstance(attempt(text), Loaded)
    assert fits(text) == []


@given(st.data())
def test_whatever_is_accepted_of_a_damaged_example_fits_the_schema(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(EXAMPLES)).read_text(encoding="utf-8")
    at, length = data.draw(st.integers(0, len(text) - 1)), data.draw(st.integers(0, 8))
    damaged = text[:at] + data.draw(st.text(" 0a1/d", max_size=3)) + text[at + length :]
    assert isinstance(attempt(damaged), PolicyError) or fits(damaged) == []


def described(node: Mapping[str, Any], where: str = "$") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, field in node.get("properties", {}).items():
        yield f"{where}.{name}", field
    for name, definition in node.get("$defs", {}).items():
        yield from described(definition, name)


def test_every_field_is_described_and_most_have_an_example() -> None:
    fields = dict(described(schema()))
    assert len(fields) > 50
    assert [where for where, field in fields.items() if not str(field.get("description", "")).endswith(".")] == []
    has_example = [
        where
        for where, f in fields.items()
        if {"examples", "enum", "const", "$ref"} & f.keys() or f.get("type") == "boolean"
    ]
    assert fields.keys() == set(has_example)


def test_an_example_in_the_schema_fits_its_own_field() -> None:
    found = schema()
    for where, field in described(found):
        for example in field.get("examples", ()):
            assert list(misfits(example, field, found)) == [], where


def test_a_field_that_is_left_out_is_not_a_field_that_is_null() -> None:
    assert "null" not in published_schema()
    assert fits(BASE + "audit:\n") == ["$.audit $ref"]


def test_no_field_is_both_here_and_planned() -> None:
    for _, shape in SHAPES:
        assert not FUTURE_FIELDS.get(shape, frozenset()) & shape.model_fields.keys()
