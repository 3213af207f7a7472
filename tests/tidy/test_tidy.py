"""The project keeps its own house rules: every rule of `rules.py`, over every file it concerns."""

import pytest

from tests.tidy import rules
from tests.tidy.tree import ROOT, modules, text_files

# The rules for what is shipped; the demo is read by newcomers first, so it keeps those about shape as well.
SHIPPED = [
    rules.everything_public_is_explained,
    rules.no_state_in_modules,
    rules.words_are_ours,
]
SHAPE = [
    rules.file_is_short,
    rules.bodies_are_short,
    rules.nesting_is_shallow,
    rules.file_name_says_something,
]
CORE = [
    rules.clock_is_asked_by_others,
    rules.numbers_are_integers,
]


@pytest.mark.parametrize("rule", SHIPPED)
def test_shipped_code_keeps_the_rule(rule: rules.Rule) -> None:
    assert rules.broken(rule, modules("src")) == []


@pytest.mark.parametrize("rule", SHAPE)
def test_code_has_the_shape_we_agreed_on(rule: rules.Rule) -> None:
    assert rules.broken(rule, modules("src", "demo")) == []


@pytest.mark.parametrize("rule", CORE)
def test_the_core_keeps_its_stricter_rules(rule: rules.Rule) -> None:
    assert rules.broken(rule, modules("src/remit/core")) == []


def test_every_suppression_says_why_it_is_there() -> None:
    assert rules.broken(rules.suppressions_are_explained, modules("src", "tests", "demo")) == []


def test_every_test_is_named_by_a_sentence() -> None:
    assert rules.broken(rules.names_are_sentences, modules("tests")) == []


def test_test_files_stay_short_enough_to_read() -> None:
    assert rules.broken(rules.file_is_short, modules("tests")) == []


def test_every_lint_rule_switched_off_has_its_reason() -> None:
    assert list(rules.ignored_rules_have_reasons((ROOT / "pyproject.toml").read_text(encoding="utf-8"))) == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    assert [problem for path, text in text_files() for problem in rules.text_travels(path, text)] == []
