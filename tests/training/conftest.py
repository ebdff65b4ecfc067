"""One small collection for all tests of this folder, and trainings on one thread."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

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


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As training does: small networks on several threads mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
