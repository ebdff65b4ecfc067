"""What may lie, or vanish, where projects and working folders are looked for."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.store.database import open_file, set_fact
from recomposer_studio.project.store.home import Home
from recomposer_studio.project.store.journal import Journal, copy_project
from recomposer_studio.project.store.reader import Reader
from recomposer_studio.project.store.recorder import Recorder
from tests.project.states import make_recording, project_of, same


@pytest.fixture
def left_behind(tmp_path, source):
    """A home with one piece of work in it."""
    home = Home(tmp_path / "projects")
    recorder = Recorder(home)
    recorder.record(project_of(source))
    recorder.flush()
    recorder.close(keep=True)
    return home


def test_a_folder_that_vanishes_meanwhile_hides_no_work(left_behind, monkeypatch):
    gone = left_behind.folder / "99990101-000000-00000000"
    listed = [*left_behind.folder.iterdir(), gone]
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter(listed))
    (left,) = left_behind.left()
    left.place.leave()


def test_a_damaged_time_hides_no_work(left_behind, source, tmp_path):
    place = left_behind.new()
    journal = Journal(place.database)
    journal.write(project_of(source))
    set_fact(journal._connection, "edited", "the day before yesterday")
    journal.close()
    place.leave()
    lefts = left_behind.left()
    assert [left.steps for left in lefts] == [4, 4]
    for left in lefts:
        left.place.leave()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.recomposer")
    with pytest.raises(InputError, match="not an ordinary file"):
        open_file(tmp_path / "a.recomposer")


@pytest.mark.parametrize("way", ["gone", "changed"])
def test_a_recording_that_cannot_be_taken_in_costs_no_edit(tmp_path, way):
    """It is told once, is not in the project and is tried again; the edits are kept, and the file can be opened."""
    said: list[str] = []
    path = make_recording(tmp_path)
    original = path.read_bytes()
    recorder = Recorder(Home(tmp_path / "projects"), failed=said.append)
    with Source.open(path) as source:
        plain = project_of(source)
        project = replace(plain, recording=replace(plain.recording, embedded=True))
        if way == "gone":
            path.unlink()
        else:
            path.write_bytes(original[:-2] + b"\x01\x02")
        target = tmp_path / "a.recomposer"
        try:
            for index in (1, 2):
                recorder.record(replace(project, history=replace(project.history, index=index)))
                copy_project(recorder.flush(), target)
                with Reader(open_file(target), target) as reader:
                    assert not reader.recording.embedded
                    assert reader.project(source).history.index == index
            assert len(said) == 1
            assert "cannot be kept in the project now" in said[0]
            path.write_bytes(original)
            recorder.record(project)
            copy_project(recorder.flush(), target)
            with Reader(open_file(target), target) as reader:
                assert reader.recording.embedded
                reader.extract_recording(tmp_path / "out.wav")
                assert same(reader.project(source), project)
            assert (tmp_path / "out.wav").read_bytes() == original
        finally:
            recorder.close(keep=False)
