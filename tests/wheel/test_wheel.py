"""What users install works without the checkout it was built from.

The wheel is built from the sources, installed into a fresh environment beside the distributions that it declares (and
those alone: a forgotten dependency fails here), and tried from an empty folder. No network: the declared distributions
are linked in from the environment that runs the tests.
"""

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
MAX_SECONDS = 60

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(MAX_SECONDS)]

IMPORT_EVERYTHING = """
import importlib, pkgutil, remit
for module in pkgutil.walk_packages(remit.__path__, "remit."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(remit.__file__)
"""


@dataclass(frozen=True, slots=True)
class Installed:
    """The wheel, the environment it was installed into, and an empty folder to try it from."""

    wheel: Path
    environment: Path
    elsewhere: Path

    def run(self, command: str, *arguments: str) -> str:
        """Run a command of the environment; return what it printed."""
        return _run(self.environment / "bin" / command, *arguments, folder=self.elsewhere)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    _run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, folder=folder)
    [wheel] = folder.glob("*.whl")
    environment = folder / "environment"
    venv.create(environment, with_pip=False, symlinks=True)
    packages = sysconfig.get_path("purelib", vars={"base": str(environment)})
    _link(_runtime_distributions(), Path(packages))
    python = environment / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--quiet", "--disable-pip-version-check")
    _run(*pip, "install", "--no-deps", "--no-index", "--force-reinstall", wheel, folder=folder)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    return Installed(wheel=wheel, environment=environment, elsewhere=elsewhere)


def test_the_wheel_carries_types_and_licence_but_no_tests(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    version = importlib.metadata.version("remit")
    assert tops == {"remit", f"remit-{version}.dist-info"}
    assert "remit/py.typed" in names
    assert f"remit-{version}.dist-info/licenses/LICENSE" in names


def test_the_wheel_carries_every_file_of_the_package(installed: Installed) -> None:
    source = ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "remit").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected <= set(zipfile.ZipFile(installed.wheel).namelist())


def test_every_module_imports_with_declared_dependencies_alone(installed: Installed) -> None:
    where = installed.run("python", "-c", IMPORT_EVERYTHING).strip()
    assert where.startswith(str(installed.environment))


def test_the_installed_command_tells_its_version(installed: Installed) -> None:
    assert importlib.metadata.version("remit") in installed.run("remit", "--version").split()


def _run(*command: object, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MAX_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _runtime_distributions() -> Iterable[importlib.metadata.Distribution]:
    """Yield what a user gets with `pip install remit`: its requirements and theirs, extras left out."""
    waiting, seen = ["remit"], {"remit"}
    while waiting:
        for line in importlib.metadata.requires(waiting.pop()) or ():
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if needed and name not in seen:
                seen.add(name)
                waiting.append(name)
                yield importlib.metadata.distribution(name)


def _link(distributions: Iterable[importlib.metadata.Distribution], packages: Path) -> None:
    for distribution in distributions:
        tops = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
        for top in tops:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution.locate_file(top))))
