"""The reference pages say what the code does."""

from pathlib import Path

from remit.core.reasons import REASONS, Reason

DOCS = Path(__file__).parents[2] / "docs"


def test_every_reason_has_a_heading_with_its_status_in_the_order_of_precedence() -> None:
    text = (DOCS / "reference" / "reasons.md").read_text()
    headings = [line.removeprefix("## `").removesuffix("`") for line in text.splitlines() if line.startswith("## `")]
    assert headings == [reason.value for reason in Reason]
    for reason in Reason:
        section = text.split(f"## `{reason.value}`")[1].split("## `")[0].strip()
        about = REASONS[reason]
        wait = "terminal" if about.terminal else "may lift by waiting"
        assert section == f"{about.status} · {wait} · {about.title}. {about.help}"


def test_the_glossary_is_in_order_and_defines_each_word_once() -> None:
    rows = [
        line.split("|")[1].strip() for line in (DOCS / "glossary.md").read_text().splitlines() if line.startswith("| ")
    ]
    words = rows[1:]
    assert words == sorted(set(words))
