"""The reference definition of both distances, when the shared material is there, and a small made-up collection."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

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


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's data folder without a tagger, whatever is installed on the machine."""
    folder = tmp_path_factory.mktemp("user-data")
    monkeypatch.setenv("RECOMPOSER_DATA", str(folder))
    return folder
