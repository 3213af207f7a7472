"""Reading YAML: what is read is what a person sees, and hostile text ends early with a line."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.config.load import MAX_DEPTH, MAX_FILE_BYTES, MAX_VALUES, Document, read_document
from remit.errors import PolicyError


def attempt(content: str | bytes) -> Document | PolicyError:
    try:
        return read_document(content, source="policy.yaml")
    except PolicyError as error:
        return error


def refusals(content: str | bytes) -> list[tuple[int, str]]:
    with pytest.raises(PolicyError) as raised:
        read_document(content, source="policy.yaml")
    return raised.value.problems


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("0", 0),
        ("42", 42),
        ("-7", -7),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("n", "n"),
        ("02:00", "02:00"),
        ("12:30:45", "12:30:45"),
        ("1.58", "1.58"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        ("010", "010"),
        ("0o17", "0o17"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("+5", "+5"),
        ("2026-01-01", "2026-01-01"),
        ("50%", "50%"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("'true'", "true"),
        ('"42"', "42"),
        ("9" * 30, "9" * 30),
        ("GET /jobs/{id}", "GET /jobs/{id}"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says_and_never_a_float(written: str, meant: object) -> None:
    assert read_document(f"key: {written}", source="policy").data == {"key": meant}


def test_names_stay_the_text_that_was_written() -> None:
    document = read_document("on: 1\nyes: 2\n404: 3\n1.5: 4\nnull: 5\n02:00: 6", source="policy")
    assert document.data == {"on": 1, "yes": 2, "404": 3, "1.5": 4, "null": 5, "02:00": 6}


def test_every_name_and_item_knows_its_line() -> None:
    document = read_document("a: 1\nb:\n  c: {d: 2}\n  e:\n    - x\n    - {f: y}\n", source="policy")
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("b",): 2,
        ("b", "c"): 3,
        ("b", "c", "d"): 3,
        ("b", "e"): 4,
        ("b", "e", 0): 5,
        ("b", "e", 1): 6,
        ("b", "e", 1, "f"): 6,
    }


def test_windows_line_ends_and_a_byte_order_mark_are_read_like_any_other() -> None:
    document = read_document("\ufeffa: 1\r\nb: 2\r\n", source="policy")
    assert document.data == {"a": 1, "b": 2}
    assert document.lines["b",] == 2


def test_a_name_that_stands_twice_is_reported_and_the_rest_is_read() -> None:
    document = read_document("a: 1\nb: {c: 1, c: 2}\na: {d: 3}\nc: 4\n", source="policy")
    assert document.data == {"a": 1, "b": {"c": 1}, "c": 4}
    assert document.problems == [
        (2, "`b.c` stands twice: it is already in line 2"),
        (3, "`a` stands twice: it is already in line 1"),
    ]


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("a: &x 1\nb: 2", 1, "the anchor `&x`"),
        ("b: 1\na: *x", 2, "the alias `*x`"),
        ("a:\n  <<: {b: 1}", 2, "the merge key `<<`"),
        ("a: !!python/object/apply:os.system [ls]", 1, "a tag"),
        ("!!python/object:x.Y\na: 1", 1, "a tag"),
        ("a: !secret x", 1, "a tag"),
        ("a: ! x", 1, "a tag"),
        ("%YAML 1.1\n---\na: 1", 1, "a policy has no directives"),
        ("%TAG ! tag:example.com,2000:\n---\na: 1", 1, "a policy has no directives"),
        ("a: 1\n---\nb: 2", 2, "only one policy fits in a file"),
        ("a: 1\n...\nb: 2", 3, "only one policy fits in a file"),
        ("? [a, b]\n: c", 1, "a name is plain text"),
        ("? {a: b}\n: c", 1, "a name is plain text"),
        ("a: 1\n'': 2", 2, "a name is missing"),
        ("a:\n\tb: 1", 2, "indent with spaces"),
        ("a: {\n\tb: 1}", 2, "indent with spaces"),
        ("a: 1\nb: 'x", 2, "close them"),
        ("a: {b: 1", 1, "close them"),
        ("a: {b: GET /x/{id}}", 1, "in quotes"),
        ("a: b: c", 1, "a `:` does not belong here"),
        ("a\nb: 1", 2, "a `:` does not belong here"),
        ("a:\n  b: 1\n c: 2", 3, "the indentation does not fit"),
        ("a: @x", 1, "must be in quotes"),
        ("a: `x`", 1, "must be in quotes"),
        ("a: *", 1, "must be in quotes"),
        ("a: - b", 1, "write the list as `[a, b]`"),
        ('a: "\\q"', 1, "an unknown escape"),
        ("a: 1\nb: \x00", 2, "an invisible character (U+0000) in column 4"),
        ("a: 1\nb: x\x1b[2J", 2, "an invisible character (U+001B)"),
        ("# \u202e hidden\na: 1", 1, "an invisible character (U+202E)"),
        ("# x\u2028b: 1\na: 1", 1, "an invisible character (U+2028)"),
        ("# x\x85b: 1\na: 1", 1, "an invisible character (U+0085)"),
        ("a: 1\rb: 2", 1, "an invisible character (U+000D)"),
        ("a: \ufeffb", 1, "an invisible character (U+FEFF)"),
        ("a: \ud800", 0, "half a character"),
        (b"a: 1\nb: \xff", 2, "this is not UTF-8 text"),
        ("a: 1".encode("utf-16"), 1, "this is not UTF-8 text"),
        (b"", 0, "the file is empty"),
        ("\n \n", 0, "the file is empty"),
    ],
)
def test_what_could_be_misread_is_refused_on_its_line(content: str | bytes, line: int, says: str) -> None:
    problems = refusals(content)
    assert problems[0][0] == line
    assert says in problems[0][1]


def test_all_refused_constructs_are_listed_at_once() -> None:
    problems = refusals("a: &x 1\nb: *x\nc: !t 2\nd: {<<: 1}\n")
    assert [line for line, _ in problems] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        ("a: " + "[" * 100_000, 1, f"more than {MAX_DEPTH} levels"),
        ("a: " + "{b: " * 100_000, 1, f"more than {MAX_DEPTH} levels"),
        ("\n".join(" " * depth + "a:" for depth in range(200)), MAX_DEPTH + 1, f"more than {MAX_DEPTH} levels"),
        ("a: [" + "1," * 100_000 + "]", 1, f"more than {MAX_VALUES} values"),
        ("a" * 1_000_000 + ": 1", 1, "put the text in quotes"),
        ("a: " + "x" * MAX_FILE_BYTES, 0, "the file is larger than"),
        ("a: &a [x, x]\n" + "\n".join(f"b{n}: [*a, *a]" for n in range(1000)), 1, "the anchor `&a`"),
    ],
    ids=["flow depth", "mapping depth", "block depth", "values", "long name", "size", "aliases"],
)
def test_hostile_text_ends_at_its_bound(content: str, line: int, says: str) -> None:
    started = time.process_time()
    problems = refusals(content)
    assert time.process_time() - started < 20
    assert problems[0][0] == line
    assert says in problems[0][1]
    assert len(problems) <= 101


@given(st.text(alphabet=st.sampled_from("abc:{}[]&*!|>-'\"%#,? \n\t01~<"), max_size=60))
def test_any_text_is_read_or_refused_with_lines(text: str) -> None:
    read = attempt(text)
    if isinstance(read, PolicyError):
        assert read.problems
        assert all(0 <= line <= text.count("\n") + 2 for line, _ in read.problems)
    else:
        assert all(line >= 1 for line in read.lines.values())


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    read = attempt(content)
    assert isinstance(read, Document) or read.problems


def test_no_message_shows_words_of_the_parser() -> None:
    for content in ("a: @x", "a: b: c", "a: {b", "a: 'x", "\tb", "a: *", "- a\nb: 1", "a: >x", "a: %x"):
        assert all("token" not in text and "scanning" not in text for _, text in refusals(content))
