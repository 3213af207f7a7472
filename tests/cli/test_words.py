"""What `remit` says of itself, and what it says when it was not understood."""

import subprocess
import sys
from pathlib import Path

import pytest

from remit import __version__
from remit.cli import failures, main
from remit.cli.catalogue import COMMANDS
from remit.cli.command import parser_of
from remit.errors import (
    AuditBroken,
    PolicyError,
    RemitError,
    StoreBusy,
    StoreCorrupt,
    StoreUnavailable,
    UnknownItem,
    UsageError,
)
from tests.cli.shell import Shell

LIGHT = """
import sys
from remit.cli.catalogue import COMMANDS, overview
overview()
print(*(name for name in ("asyncio", "pydantic", "yaml", "cryptography", "sqlite3", "uvloop") if name in sys.modules))
"""


def test_remit_alone_lists_every_command_on_one_screen(remit: Shell) -> None:
    ran = remit()
    assert ran.code == 0
    assert len(ran.lines) <= 40
    assert all(f"  {command.words} " in ran.out for command in COMMANDS)
    assert max(map(len, ran.lines)) <= 100


def test_the_version_is_one_line(remit: Shell) -> None:
    assert remit("--version").out == f"remit {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_every_command_explains_itself_with_an_example(remit: Shell, command: object) -> None:
    words = next(known.words for known in COMMANDS if known is command)
    ran = remit(*words.split(), "--help")
    assert ran.code == 0
    assert ran.out.startswith(f"usage: remit {words}")
    assert f"example:\n  {next(known.example for known in COMMANDS if known is command)}" in ran.out


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_the_example_of_a_command_is_one_that_it_understands(command: object) -> None:
    import shlex

    known = next(known for known in COMMANDS if known is command)
    line = known.example.removeprefix("KEY=$(").removesuffix(")").partition(" > ")[0]
    words = shlex.split(line)[1:]
    assert " ".join(words).startswith(known.words)
    parser_of(known).parse_args(words[len(known.words.split()) :])


def test_a_group_alone_lists_what_it_has(remit: Shell) -> None:
    ran = remit("keys")
    assert ran.code == 0
    assert "keys revoke" in ran.out
    assert "audit" not in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["kyes"], "there is no command `kyes`, did you mean `keys`?"),
        (["keys", "crate"], "`remit keys` has no `crate`, did you mean `create`?"),
        (["--policy", "x", "holds"], "the command comes first"),
        (["holds", "--bogus"], "unrecognized arguments: --bogus"),
        (["keys", "create"], "required: --agent, --tools"),
        (["keys", "create", "--agent", "a", "--tools", "x", "--expires", "soon"], "`soon` is not a duration"),
        (["audit", "tail", "-n", "-5"], "argument -n/--lines"),
        (["gateway", "policy.yaml", "--listen", "8080"], "argument --listen"),
        (["holds", "resolve", "dec_1"], "one of the arguments --spent --released is required"),
        (["policy", "check"], "required: POLICY"),
    ],
)
def test_a_wrong_word_or_flag_is_one_sentence_and_exit_code_2(remit: Shell, words: list[str], said: str) -> None:
    ran = remit(*words)
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.startswith("remit: ")
    assert ran.err.count("\n") == 1
    assert ran.out == ""


def test_a_hostile_argument_cannot_write_to_the_terminal(remit: Shell) -> None:
    for words in (["\x1b[2Jkeys"], ["holds", "--\x1b]0;x\x07"], ["keys", "\x9b31m"], ["why", "\x1b[1m"]):
        ran = remit(*words)
        assert ran.code != 0
        assert all(char.isprintable() or char == "\n" for char in ran.err)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (PolicyError([(3, "x")]), 2),
        (StoreBusy("x"), 3),
        (StoreCorrupt("x"), 3),
        (StoreUnavailable("x"), 3),
        (UnknownItem("x"), 1),
        (AuditBroken("x"), 1),
        (RemitError("x"), 1),
    ],
)
def test_the_kind_of_an_error_is_its_exit_code(error: RemitError, code: int) -> None:
    assert failures.exit_code(error) == code


def test_problems_of_a_policy_are_written_as_compilers_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(PolicyError([(3, "one"), (0, "two")], source="p.yaml")) == 2
    assert capsys.readouterr().err == "p.yaml:3: one\np.yaml: two\n"


def test_a_bug_is_a_sentence_and_its_traceback_is_only_shown_on_demand(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failures.report(ValueError("odd\x1b")) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "please report it" in said
    assert "\x1b" not in said
    monkeypatch.setenv("REMIT_TRACEBACK", "1")
    assert failures.report(ValueError("odd")) == 1
    assert "ValueError: odd" in capsys.readouterr().err


def test_an_error_of_the_system_names_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(PermissionError(13, "Permission denied", "/x/out.jsonl")) == 1
    assert capsys.readouterr().err == "remit: `/x/out.jsonl` cannot be used: permission denied\n"


def test_ctrl_c_is_quiet_and_exits_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("remit.cli.run", interrupted)
    assert main(["holds"]) == 130
    assert capsys.readouterr() == ("", "")


def test_the_list_of_commands_loads_nothing_heavy() -> None:
    # `import remit` itself is measured elsewhere; this is about the command line on top of it.
    code = (
        f"import sys, types; sys.modules['remit'] = m = types.ModuleType('remit'); m.__path__ = {_package()!r}\n{LIGHT}"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert ran.stdout.strip() == ""


def _package() -> list[str]:
    import remit

    return [str(Path(path)) for path in remit.__path__]


def test_a_closed_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m remit policy schema | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, check=False)
    assert ran.stderr == ""
    assert int(ran.stdout) in (0, 141)


def test_a_full_disk_under_stdout_is_one_sentence() -> None:
    command = [sys.executable, "-m", "remit", "policy", "schema"]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert ran.returncode == 1
    assert ran.stderr == "remit: the system refused: no space left on device\n"
