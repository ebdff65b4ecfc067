"""A short run of packaging/kill_test.py, and that it would notice."""

import importlib.util
import json
import shutil
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "packaging" / "kill_test.py"
SESSIONS = ((1, 0.5), (2, 1.6))
"""Seed and longest session in seconds; the last one lives for most of it."""


@pytest.fixture(scope="module")
def kill_test():
    spec = importlib.util.spec_from_file_location("kill_test", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def killed(kill_test, tmp_path_factory):
    """(the folder of a few killed sessions, what was found of them)."""
    folder = tmp_path_factory.mktemp("killed")
    return folder, [kill_test.run_once(folder, seed, longest_s, 1.0) for seed, longest_s in SESSIONS]


@pytest.fixture
def left(killed, tmp_path):
    """A copy of what they left."""
    return Path(shutil.copytree(killed[0], tmp_path / "left"))


def test_nothing_older_than_a_second_is_lost(killed):
    assert sum(result["edits"] for result in killed[1]) > 5


def test_the_check_notices_what_is_missing(kill_test, left):
    kill_test.check(left, time.time(), 1.0)
    with (left / "log").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"at_s": time.time() - 2, "print": "an edit that is nowhere"}) + "\n")
    with pytest.raises(kill_test.LossError, match="1 edits were lost"):
        kill_test.check(left, time.time(), 1.0)


def test_the_check_notices_what_never_was(kill_test, left):
    (left / "log").write_bytes(b"")
    with pytest.raises(kill_test.LossError, match="never had"):
        kill_test.check(left, time.time(), 1.0)


def test_the_check_notices_damage(kill_test, left):
    paths = [*(left / "home").glob("*/work.sqlite"), *left.glob("*.recomposer")]
    assert paths
    for path in paths:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    for path in (left / "home").glob("*/work.sqlite-*"):
        path.unlink()
    with pytest.raises((kill_test.LossError, kill_test.InputError)):
        kill_test.check(left, time.time(), 1.0)
