"""Secrets come from the environment or a file, and show themselves nowhere."""

from pathlib import Path

import pytest

from remit.config.secrets import MAX_SECRET_BYTES, Secret, read_secret_file, resolve_secret, secret_variable
from remit.errors import UsageError

VALUE = "sk-live-4f9c0a"


def unread(path: str) -> bytes:
    raise AssertionError(f"nothing should be read from {path}")


def refusal(environ: dict[str, str], content: bytes = b"") -> str:
    with pytest.raises(UsageError) as raised:
        resolve_secret("openai", environ, lambda path: content)
    return str(raised.value)


def test_a_secret_comes_from_its_variable() -> None:
    assert resolve_secret("openai", {"REMIT_SECRET_OPENAI": VALUE}, unread) == VALUE


def test_the_variable_is_the_name_in_capitals() -> None:
    assert secret_variable("openai-eu_2") == "REMIT_SECRET_OPENAI_EU_2"


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_a_secret_comes_from_the_file_that_its_variable_names(tmp_path: Path, ending: bytes) -> None:
    path = tmp_path / "openai.key"
    path.write_bytes(VALUE.encode() + ending)
    assert resolve_secret("openai", {"REMIT_SECRET_OPENAI_FILE": str(path)}, read_secret_file) == VALUE


def test_a_secret_goes_into_a_header_but_never_into_a_repr() -> None:
    secret = resolve_secret("openai", {"REMIT_SECRET_OPENAI": VALUE}, unread)
    assert f"Bearer {secret}" == f"Bearer {VALUE}"
    assert repr(secret) == "Secret(...)"
    assert VALUE not in repr([secret]) + repr({"key": secret}) + f"{secret!r}"


def test_a_missing_secret_says_what_to_set() -> None:
    assert refusal({}) == (
        "the secret `openai` is missing: set `REMIT_SECRET_OPENAI`, or set `REMIT_SECRET_OPENAI_FILE` to the path of a "
        "file that holds it"
    )


def test_a_secret_that_is_given_twice_is_refused() -> None:
    environ = {"REMIT_SECRET_OPENAI": VALUE, "REMIT_SECRET_OPENAI_FILE": "key"}
    assert "is given twice" in refusal(environ)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "is empty"),
        (f"{VALUE} two", "must be one line without spaces"),
        (f"{VALUE}\r\nx-evil: 1", "must be one line without spaces"),
        (f"{VALUE}\x00", "must be one line without spaces"),
        (f"{VALUE}ü", "must be one line without spaces"),
        (f"{VALUE}\udcff", "must be one line without spaces"),
        (VALUE * 1000, f"is longer than {MAX_SECRET_BYTES} bytes"),
    ],
)
def test_a_secret_that_no_header_can_carry_is_refused_without_showing_it(value: str, says: str) -> None:
    from_variable = refusal({"REMIT_SECRET_OPENAI": value})
    from_file = refusal({"REMIT_SECRET_OPENAI_FILE": "key"}, value.encode("utf-8", "surrogateescape"))
    for text in (from_variable, from_file):
        assert says in text
        assert VALUE not in text
    assert "`REMIT_SECRET_OPENAI`" in from_variable
    assert "the file that `REMIT_SECRET_OPENAI_FILE` names" in from_file


@pytest.mark.parametrize("path", ["no-such-file", "", "a\0b"])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be read from .*REMIT_SECRET_OPENAI_FILE"):
        resolve_secret("openai", {"REMIT_SECRET_OPENAI_FILE": path}, read_secret_file)


def test_an_endless_file_is_read_no_further_than_a_secret_may_be_long() -> None:
    assert len(read_secret_file("/dev/zero")) == MAX_SECRET_BYTES + 1


def test_a_secret_is_text() -> None:
    assert Secret("a") == "a"
