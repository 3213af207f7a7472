"""What `import remit` offers: what `__all__` says, each name explained, and nothing by accident."""

import importlib.metadata
import types

import remit


def test_every_public_name_exists_and_is_explained() -> None:
    unexplained = [name for name in remit.__all__ if not getattr(getattr(remit, name), "__doc__", None)]
    assert unexplained == []


def test_nothing_is_public_by_accident() -> None:
    public = {
        name
        for name, value in vars(remit).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }
    assert public <= set(remit.__all__)


def test_each_public_name_is_listed_once() -> None:
    assert len(set(remit.__all__)) == len(remit.__all__)


def test_the_version_comes_from_one_place() -> None:
    assert importlib.metadata.version("remit") == remit.__version__
