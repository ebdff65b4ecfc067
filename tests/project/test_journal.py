"""Working databases and project files hold exactly what was handed over."""

import sqlite3
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.state import State
from recomposer_studio.project.store.contents import History, Project, Recording, Step, View
from recomposer_studio.project.store.database import open_file, open_working
from recomposer_studio.project.store.journal import Journal, copy_project
from recomposer_studio.project.store.reader import Reader
from tests.editing.scenes import noise, write
from tests.project.states import histories, make_recording, project_of, same, take_of


def read(path, source):
    with Reader(open_file(path), path) as reader:
        return reader.project(source)


def written(folder, project):
    journal = Journal(folder / "work.sqlite")
    journal.write(project)
    return journal


@given(data=st.data())
@settings(max_examples=15)
def test_every_history_comes_back_to_the_bit(source, data):
    history = data.draw(histories(source))
    project = Project(Recording.of(source, source.sha256()), history, View(heard=1), frozenset({"k"}))
    with tempfile.TemporaryDirectory() as name:
        journal = written(Path(name), project)
        copy_project(journal.path, Path(name) / "a.recomposer")
        journal.close()
        back = read(Path(name) / "a.recomposer", source)
    assert same(back, project)


@given(data=st.data())
@settings(max_examples=8)
def test_only_the_last_of_many_moments_counts(source, data):
    """Moments in any order, as undo, redo and new steps after an undo make them; swept in between."""
    moments = data.draw(st.lists(histories(source), min_size=1, max_size=4))
    recording = Recording.of(source, source.sha256())
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name) / "work.sqlite")
        for history in moments:
            cut = data.draw(st.integers(0, len(history.steps)))
            journal.write(Project(recording, history))
            if data.draw(st.booleans()):
                journal.sweep()
            history = replace(history, steps=history.steps[:cut], index=min(history.index, cut))
            journal.write(Project(recording, history))
        copy_project(journal.path, Path(name) / "a.recomposer")
        journal.close()
        assert same(read(Path(name) / "a.recomposer", source).history, history)


def test_what_states_share_is_stored_once_and_shared_again(source, tmp_path):
    project = project_of(source)
    journal = written(tmp_path, project)
    copy_project(journal.path, tmp_path / "a.recomposer")
    journal.close()
    states = read(tmp_path / "a.recomposer", source).history.states()
    assert states[2].takes[0] is states[3].takes[0]
    assert states[1].roll is states[4].roll
    with sqlite3.connect(tmp_path / "a.recomposer") as connection:
        assert connection.execute("SELECT count(*) FROM array").fetchone() == (4,)
        assert connection.execute("SELECT count(*) FROM value WHERE kind = 'take'").fetchone() == (2,)
    connection.close()


def test_a_mix_writes_no_sound_again(source, tmp_path):
    project = project_of(source)
    journal = written(tmp_path, project)
    entry = project.history.state.takes[0]
    mixed = replace(entry, take=entry.take.adjusted("a", amount=0.5))
    state = replace(project.history.state, takes=(mixed,))
    steps = (*project.history.steps, Step("mix", state))
    journal.write(replace(project, history=replace(project.history, steps=steps, index=5)))
    journal.close()
    with sqlite3.connect(tmp_path / "work.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM array").fetchone() == (4,)
    connection.close()


def test_what_no_state_reaches_leaves_the_project_file(source, tmp_path):
    project = project_of(source)
    journal = written(tmp_path, project)
    journal.write(replace(project, history=History(next_take=9)))
    copy_project(journal.path, tmp_path / "before.recomposer")
    journal.sweep()
    copy_project(journal.path, tmp_path / "after.recomposer")
    # What is undone and overwritten can come back with a later step.
    journal.write(project)
    copy_project(journal.path, tmp_path / "again.recomposer")
    journal.close()
    words = project.history.steps[2].after.takes[0].take.layers[0].removed.tobytes()[:64]
    assert words in (tmp_path / "before.recomposer").read_bytes()
    assert words not in (tmp_path / "after.recomposer").read_bytes()
    assert same(read(tmp_path / "again.recomposer", source), project)


def test_a_preview_comes_back_as_a_finished_take(source, tmp_path):
    state = State(takes=(replace(take_of(source), preview=True),))
    journal = written(tmp_path, Project(Recording.of(source), History(State(), (Step("take", state),), 1, 2)))
    copy_project(journal.path, tmp_path / "a.recomposer")
    journal.close()
    assert not read(tmp_path / "a.recomposer", source).history.state.takes[0].preview


def test_a_failed_write_changes_nothing_and_can_be_repeated(source, tmp_path, monkeypatch):
    project = project_of(source)
    journal = written(tmp_path, replace(project, history=History()))
    with monkeypatch.context() as patch:
        patch.setattr(journal._values, "_write_array", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
        with pytest.raises(OSError, match="No space"):
            journal.write(project)
    with Reader(open_working(journal.path), journal.path) as reader:
        assert reader.project(source).history == History()
    journal.write(project)
    with Reader(open_working(journal.path), journal.path) as reader:
        assert same(reader.project(source), project)
    journal.close()


def test_looking_around_is_no_change(source, tmp_path):
    project = project_of(source)
    journal = written(tmp_path, project)
    assert journal.revision == 1
    journal.write(replace(project, view=View(start_s=0.2)))
    assert journal.revision == 1
    journal.write(replace(project, history=replace(project.history, index=1)))
    assert journal.revision == 2
    journal.close()


def test_an_embedded_recording_travels_in_the_file(source, tmp_path):
    project = project_of(source)
    journal = written(tmp_path, replace(project, recording=replace(project.recording, embedded=True)))
    copy_project(journal.path, tmp_path / "a.recomposer")
    journal.write(project)
    journal.sweep()
    copy_project(journal.path, tmp_path / "without.recomposer")
    journal.close()
    with Reader(open_file(tmp_path / "a.recomposer"), tmp_path / "a.recomposer") as reader:
        reader.extract_recording(tmp_path / "out.wav")
    assert (tmp_path / "out.wav").read_bytes() == source.path.read_bytes()
    assert (tmp_path / "without.recomposer").stat().st_size < (tmp_path / "a.recomposer").stat().st_size


def test_a_copy_that_cannot_be_made_leaves_the_old_one(source, tmp_path, monkeypatch):
    project = project_of(source)
    journal = written(tmp_path, project)
    target = tmp_path / "a.recomposer"
    copy_project(journal.path, target)
    before = target.read_bytes()
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="No space"):
        copy_project(journal.path, target)
    journal.close()
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.recomposer", "work.sqlite"]


def test_a_project_with_another_recording_is_refused_in_one_sentence(source, tmp_path):
    journal = written(tmp_path, project_of(source))
    copy_project(journal.path, tmp_path / "a.recomposer")
    journal.close()
    with (
        Source.open(write(tmp_path / "short.wav", noise(2, 0.2, 8_000), 8_000)) as short,
        pytest.raises(InputError, match=r"does not fit short\.wav \(its box 'Regen .' ends at 0\.4 s"),
    ):
        read(tmp_path / "a.recomposer", short)
    other = make_recording(tmp_path, "other.wav", seed=4)
    with Source.open(other) as fitting:
        assert len(read(tmp_path / "a.recomposer", fitting).history.steps) == 4
