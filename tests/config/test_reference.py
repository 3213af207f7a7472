"""The reference of the policy file: complete, and every example in it loads."""

import re
from pathlib import Path

import pytest
import yaml

from remit.config.compile import load_policy
from remit.config.load import Plain, read_document
from remit.config.schema import FUTURE_FIELDS, FUTURE_VALUES, SHAPES
from remit.core.policy import Dimension

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "policy.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FIELDS = [
    ".".join([*("<name>" if part == "*" else part for part in pattern), field])
    for pattern, shape in SHAPES
    for field in shape.model_fields
]


def merged(base: Plain, over: Plain) -> Plain:
    """An example that shows a part of a policy, put into the policy at the top of the page."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{name: merged(base.get(name), value) for name, value in over.items()}}
    return over


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_has_a_heading(field: str) -> None:
    assert HEADINGS.count(f"`{field}`") == 1


def test_every_heading_of_a_field_is_a_field() -> None:
    assert sorted(heading.strip("`") for heading in HEADINGS if heading.startswith("`")) == sorted(FIELDS)


def test_the_page_begins_with_a_whole_policy() -> None:
    assert load_policy(EXAMPLES[0]).warnings == ()


@pytest.mark.parametrize("example", EXAMPLES[1:], ids=lambda example: example.splitlines()[0])
def test_every_example_fits_into_that_policy(example: str) -> None:
    base, part = (read_document(text, source="policy.md").data for text in (EXAMPLES[0], example))
    whole = yaml.safe_dump(merged(base, part), sort_keys=False)
    assert load_policy(whole).policy.tools


def test_every_dimension_is_in_the_table() -> None:
    section = PAGE.partition("### `limits.<name>.per`")[2].partition("\n### ")[0]
    assert [dimension for dimension in Dimension if f"`{dimension.value}`" not in section] == []


def test_everything_that_is_planned_is_named() -> None:
    section = PAGE.partition("## What is not supported yet")[2]
    planned = {name for names in (*FUTURE_FIELDS.values(), *FUTURE_VALUES.values()) for name in names}
    assert [name for name in sorted(planned) if f"`{name}`" not in section] == []


def test_links_inside_the_page_lead_somewhere() -> None:
    slugs: list[str] = []
    for heading in HEADINGS:
        slug = re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")
        slugs.append(f"{slug}-{slugs.count(slug)}" if slug in slugs else slug)
    assert [link for link in re.findall(r"\]\(#([^)]+)\)", PAGE) if link not in slugs] == []


def test_links_to_files_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PAGE)
    assert links
    assert [link for link in links if not (ROOT / "docs" / "reference" / link).exists()] == []
