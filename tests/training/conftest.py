"""One small collection for all tests of this folder."""

from pathlib import Path

import pytest

from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest
from tests.training.tiny_library import write_library


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny-library")
    write_library(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_cache(tiny_folder: Path) -> AudioCache:
    return AudioCache(load_manifest(tiny_folder))
