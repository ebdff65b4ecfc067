"""Shared fixtures."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run and on every machine; no limit on seconds, which differ between machines.
settings.register_profile("pinned", derandomize=True, deadline=None)
settings.load_profile("pinned")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with test recordings and reference weights; tests that need it skip elsewhere."""
    folder = Path(os.environ.get("RECOMPOSER_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    if not (folder / "data" / "manifest.csv").is_file():
        pytest.skip("needs the shared recordings (set RECOMPOSER_SHARED to their folder)")
    return folder
