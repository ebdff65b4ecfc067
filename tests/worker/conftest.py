"""What every test of the worker needs: children that find the project, and no process or thread left behind."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session", autouse=True)
def children_find_the_project() -> Iterator[None]:
    """Also when the project is not installed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])))
        yield


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Every process and thread that a test starts is gone at its end; those of a module's fixtures are there before."""
    processes, threads = set(psutil.Process().children(recursive=True)), set(threading.enumerate())
    yield
    assert set(psutil.Process().children(recursive=True)) <= processes
    assert set(threading.enumerate()) <= threads
