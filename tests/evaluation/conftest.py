"""The reference definition of both distances, when the shared material is there, and a small made-up collection."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation import scorers
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import Library, load_manifest
from tests.training.tiny_library import write_library


@pytest.fixture(scope="session")
def reference(shared: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_metrics", shared / "facts" / "metrics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-library")
    write_library(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_library(tiny_folder: Path) -> Library:
    return load_manifest(tiny_folder)


@pytest.fixture(scope="session")
def tiny_cache(tiny_library: Library) -> AudioCache:
    return AudioCache(tiny_library)


def no_tagger(*arguments: object) -> NoReturn:
    raise InputError("no tagger here")


@pytest.fixture(scope="session", autouse=True)
def no_classifier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No YAMNet, whatever is installed on the machine, and a built-in tagger that cannot run; for wider fixtures too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOMPOSER_DATA", str(tmp_path_factory.mktemp("user-data")))
        patch.setattr(scorers, "load_builtin", no_tagger)
        yield


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's data folder of the test's own."""
    folder = tmp_path_factory.mktemp("user-data")
    monkeypatch.setenv("RECOMPOSER_DATA", str(folder))
    return folder
