"""Where a recording is looked for; what a file says of places is followed only so far."""

from dataclasses import replace
from pathlib import Path

import pytest

from recomposer_studio.errors import Cancelled
from recomposer_studio.project.store.contents import Recording
from recomposer_studio.project.store.locate import compare, digest, find, lying, places
from tests.project.states import make_recording


@pytest.fixture
def recording(source):
    return Recording.of(source, source.sha256())


@pytest.mark.parametrize(
    "relative",
    ["../a.wav", "b/../../a.wav", "/etc/passwd", "C:/a.wav", "C:a.wav", "..\\a.wav", "\\\\server\\a.wav", "//server/a.wav", "a\0b"],
)  # fmt: skip
def test_a_relative_path_stays_below_the_project(recording, tmp_path, relative):
    there = replace(recording, relative=relative, path="")
    assert places(there, tmp_path / "a.recomposer") == []
    assert not find(there, tmp_path / "a.recomposer").same


@pytest.mark.parametrize("path", ["\\\\server\\share\\a.wav", "//server/share/a.wav", "a.wav", "", "/a\0b"])
def test_an_absolute_path_is_on_this_machine(recording, tmp_path, path):
    assert places(replace(recording, path=path), tmp_path / "a.recomposer") == []


def test_the_copy_beside_the_project_comes_first(recording, tmp_path):
    (tmp_path / "sounds").mkdir()
    make_recording(tmp_path / "sounds")
    found = find(replace(recording, relative="sounds/street.wav"), tmp_path / "a.recomposer")
    assert (found.path, found.same) == (tmp_path / "sounds" / "street.wav", True)


def test_the_same_bytes_elsewhere_beat_other_bytes_beside_the_project(recording, source, tmp_path):
    make_recording(tmp_path, seed=5)
    found = find(replace(recording, relative="street.wav"), tmp_path / "a.recomposer")
    assert (found.path, found.same) == (source.path, True)


def test_other_bytes_are_found_and_told_apart(recording, tmp_path):
    other = make_recording(tmp_path, seed=5)
    found = find(replace(recording, path=str(other)), None)
    assert (found.path, found.same, found.sha256) == (other, False, digest(other))


def test_without_a_hash_the_length_decides(recording, tmp_path):
    assert compare(replace(recording, sha256=""), make_recording(tmp_path, seed=5)).same


def test_the_place_is_kept_from_the_folder_of_the_project(recording, source, tmp_path):
    folder = source.path.parent
    assert lying(recording, folder / "a.recomposer").relative == "street.wav"
    assert lying(recording, folder.parent / "a.recomposer").relative == f"{folder.name}/street.wav"
    assert lying(recording, tmp_path / "a.recomposer").relative == ""
    # Of one that is kept in the project: where it lay, for files that were named relative to it.
    assert lying(replace(recording, embedded=True), folder / "a.recomposer").relative == "street.wav"
    copy = replace(recording, embedded=True, path=str(tmp_path / "recording.wav"), origin=recording.path)
    assert lying(copy, folder / "a.recomposer").relative == "street.wav"
    assert lying(copy, tmp_path / "a.recomposer").relative == ""


def test_comparing_can_be_stopped(recording, source):
    with pytest.raises(Cancelled):
        compare(recording, Path(source.path), lambda: True)
