"""What went wrong, as a sentence on stderr and an exit code: the one place where exceptions meet the terminal."""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from remit.errors import BadRequest, CredentialError, PolicyError, RemitError, StoreError, UsageError

REFUSED = 1
WRONG_INPUT = 2
STORE_TROUBLE = 3
INTERRUPTED = 130
PIPE_CLOSED = 141
"""What a shell shows for a program that ended because nobody read its output any more."""

TRACEBACK = "REMIT_TRACEBACK"
"""Set to 1, this environment variable adds the traceback of an error that is a bug of remit itself."""

MAX_LINE_CHARS = 2000

_CODES: tuple[tuple[type[RemitError], int], ...] = (
    (UsageError, WRONG_INPUT),
    (PolicyError, WRONG_INPUT),
    (BadRequest, WRONG_INPUT),
    (CredentialError, WRONG_INPUT),
    (StoreError, STORE_TROUBLE),
)


def exit_code(error: RemitError) -> int:
    """The exit code of one of our own errors."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), REFUSED)


def report(error: Exception) -> int:
    """Say what went wrong and return the exit code."""
    if isinstance(error, BrokenPipeError):
        _let_go_of_stdout()
        return PIPE_CLOSED
    _flush_quietly()
    if isinstance(error, PolicyError):
        complain_of_policy(error)
        return WRONG_INPUT
    if isinstance(error, RemitError):
        complain(str(error))
        return exit_code(error)
    if isinstance(error, OSError):
        complain(_of_system(error))
        return REFUSED
    if os.environ.get(TRACEBACK) == "1":
        traceback.print_exception(error)
    complain(f"a bug of remit itself (`{type(error).__name__}: {error}`): please report it; {TRACEBACK}=1 shows where")
    return REFUSED


def complain(text: str) -> None:
    """`remit: text` on stderr."""
    first, *others = text.splitlines() or [""]
    _write_errors([f"remit: {first}", *(f"  {line}" for line in others)])


def complain_of_policy(error: PolicyError) -> None:
    """One line for each problem, as compilers write them: `payments.yaml:12: …`."""
    _write_errors(str(error).splitlines())


def warn_of_policy(source: str, warnings: Iterable[tuple[int, str]]) -> None:
    """What is allowed in a policy but probably not meant, a line each."""
    _write_errors(
        f"{source}:{line}: warning: {text}" if line else f"{source}: warning: {text}" for line, text in warnings
    )


def note(text: str) -> None:
    """Something worth knowing that is not the answer: on stderr, so that the answer can be piped."""
    _write_errors([text])


def prepare_streams() -> None:
    """Make sure that stdin, stdout and stderr exist, and escape what their encoding lacks rather than fail on it.

    A stream that the caller closed is opened on nothing: the next file or socket would else get its number, and whatever
    is printed with it.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _of_system(error: OSError) -> str:
    said = (error.strerror or str(error) or "the system did not say why").lower()
    return f"`{error.filename}` cannot be used: {said}" if error.filename else f"the system refused: {said}"


def _write_errors(lines: Iterable[str]) -> None:
    from remit.audit.safe_text import clean

    with contextlib.suppress(OSError, ValueError):
        for line in lines:
            print(clean(line, max_chars=MAX_LINE_CHARS), file=sys.stderr)
        sys.stderr.flush()


def _flush_quietly() -> None:
    """What was already said belongs before the complaint; if it cannot be written, the complaint is what matters."""
    try:
        sys.stdout.flush()
    except OSError:
        _let_go_of_stdout()


def _let_go_of_stdout() -> None:
    """Nobody reads any more, and the interpreter must not notice when it flushes at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
