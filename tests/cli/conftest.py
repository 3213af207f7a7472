"""What the command-line tests share: a folder with a policy in it, and `remit` run in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.living import Gateway, running_gateway
from tests.cli.shell import POLICY, Shell


@pytest.fixture(autouse=True)
def _no_policy_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REMIT_POLICY", raising=False)
    monkeypatch.delenv("REMIT_TRACEBACK", raising=False)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands are started in, with a policy called `policy.yaml`."""
    (tmp_path / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def remit(folder: Path, capsys: pytest.CaptureFixture[str]) -> Shell:
    """The command line, in that folder."""
    return Shell(folder, capsys)


@pytest.fixture
def gateway(folder: Path) -> Iterator[Gateway]:
    """A gateway of that policy, in a thread of this process, before an upstream that always charges 0.30 USD."""
    with running_gateway(folder / "policy.yaml") as gateway:
        yield gateway
