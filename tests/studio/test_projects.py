"""The open project without a window: steps become durable, come back, and survive what happens to files meanwhile."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.project.store.contents import View
from recomposer_studio.project.store.database import open_file
from recomposer_studio.project.store.home import Home
from recomposer_studio.project.store.locate import Found
from recomposer_studio.project.store.reader import Reader
from recomposer_studio.studio import project_jobs, projects
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.project_jobs import Outcome
from recomposer_studio.studio.projects import Projects
from tests.editing.scenes import event, noise, roll, write
from tests.project.states import make_recording, same, take_of


class Desk:
    """A document with its projects, and what was said."""

    def __init__(self, qtbot, folder: Path) -> None:
        self.qtbot = qtbot
        self.document = Document()
        self.view = View()
        self.projects = Projects(self.document, Home(folder), lambda: self.view, self._show)
        self.shown, self.told, self.failed, self.missing, self.left = [], [], [], [], []
        self.projects.told.connect(self.told.append)
        self.projects.failed.connect(self.failed.append)
        self.projects.missing.connect(self.missing.append)
        self.projects.left_found.connect(self.left.extend)

    def _show(self, view):
        self.view = view
        self.shown.append(view)

    def edit(self, times=1):
        for number in range(times):
            count = len(self.document.roll.events)
            added = self.document.roll.with_event(event(f"e{count}", "keep", 0.01 * count, 0.01 * count + 0.1))
            self.document.change_roll(f"box {count}", added)
            assert number < times

    def add_take(self):
        entry = take_of(self.document.source, self.document.new_take_id(), len(self.document.takes))
        self.document.put_take(f"Generate {entry.name}", entry)

    def open(self, path):
        with self.qtbot.waitSignal(self.projects.opened, timeout=10_000):
            assert self.projects.open(path)

    def save(self, path=None):
        assert self.projects.save(path)
        self.qtbot.waitUntil(lambda: not self.projects.dirty and not self.projects.saving, timeout=10_000)

    def save_now(self, path=None, **how):
        """Saves, and tells how it ended."""
        ended = []
        assert self.projects.save(path, ended=ended.append, **how)
        self.qtbot.waitUntil(lambda: bool(ended), timeout=10_000)
        return ended[0]

    def find_left(self):
        self.left.clear()
        with self.qtbot.waitSignal(self.projects.left_found, timeout=10_000):
            self.projects.find_left()
        return self.left

    def recover(self, left):
        with self.qtbot.waitSignal(self.projects.opened, timeout=10_000):
            assert self.projects.recover(left)

    def texts(self):
        stack = self.document.undo_stack
        return [stack.text(number) for number in range(stack.count())], stack.index()

    def crash(self):
        """Ends without saving, as a killed process does."""
        self.projects._recorder.flush()
        self.projects._recorder.close(keep=True)
        self.projects._recorder = None
        if self.projects._lock is not None:
            self.projects._lock.unlock()
        self.close()

    def close(self):
        self.projects.close()
        self.document.close()


@pytest.fixture
def desks(qtbot, tmp_path):
    made = []

    def make():
        made.append(Desk(qtbot, tmp_path / "home"))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def street(tmp_path):
    return make_recording(tmp_path)


@pytest.fixture
def desk(qtbot, desks, street):
    desk = desks()
    desk.document.open(street)
    qtbot.waitUntil(lambda: desk.projects.present.recording.sha256 != "")
    return desk


@pytest.fixture
def saved(desk, tmp_path):
    """A project file with three steps and a take, of which the last step is undone."""
    desk.edit(2)
    desk.add_take()
    desk.edit()
    desk.document.undo_stack.undo()
    desk.view = View(0.1, 0.2, 0.15, ("e0",), (0.1, 0.3, None, None), 1, False)
    desk.save(tmp_path / "song.recomposer")
    return tmp_path / "song.recomposer"


def read(path, source):
    with Reader(open_file(path), path) as reader:
        return reader.project(source)


def test_a_project_comes_back_with_its_history_and_what_was_looked_at(desk, desks, saved):
    state, texts = desk.document.state, desk.texts()
    desk.close()
    other = desks()
    other.open(saved)
    assert other.texts() == texts == (["box 0", "box 1", "Generate Take 1", "box 2"], 3)
    assert other.shown == [desk.view]
    assert same(replace(other.document.state, takes=()), replace(state, takes=()))
    assert other.document.takes[0].take.source is other.document.source
    assert not other.projects.dirty
    other.document.undo_stack.redo()
    assert [each.id for each in other.document.roll.events] == ["e0", "e1", "e2"]
    for _ in range(4):
        other.document.undo_stack.undo()
    assert other.document.state.roll.events == ()
    assert other.document.new_take_id() == 2
    other.edit()
    assert other.texts() == (["box 0"], 1)


@pytest.mark.parametrize("way", ["steps", "undo", "redo", "jump", "merge", "new branch"])
def test_every_way_to_change_is_kept_after_a_crash(desk, desks, way):
    desk.edit(3)
    stack = desk.document.undo_stack
    match way:
        case "undo":
            stack.undo()
        case "redo":
            stack.undo()
            stack.undo()
            stack.redo()
        case "jump":
            stack.setIndex(0)
        case "merge":
            for number in range(1, 6):
                moved = desk.document.roll.with_event(event("e0", "keep", 0.01 * number, 0.2))
                desk.document.change_roll("drag", moved, "drag 1")
        case "new branch":
            stack.setIndex(1)
            desk.document.change_roll("other", roll(event("x", "delete", 0.1, 0.2)))
    state, texts = desk.document.state, desk.texts()
    desk.crash()
    other = desks()
    (left,) = other.find_left()
    assert (left.project, left.steps) == (None, len(texts[0]))
    other.recover(left)
    assert other.texts() == texts
    assert same(other.document.state, state)
    assert other.projects.path is None
    assert other.projects.dirty


def test_recovered_work_belongs_to_its_project_again(desk, desks, saved):
    desk.edit()
    state = desk.document.state
    desk.crash()
    other = desks()
    (left,) = other.find_left()
    assert left.project == saved
    other.recover(left)
    assert same(other.document.state.roll, state.roll)
    assert (other.projects.path, other.projects.dirty) == (saved, True)
    other.save()
    assert same(read(saved, other.document.source).history.state.roll, state.roll)
    other.close()
    assert desks().find_left() == []


def test_what_was_recovered_stays_on_offer_until_it_is_safe_again(desk, desks, monkeypatch):
    desk.edit(2)
    desk.crash()
    other = desks()
    (left,) = other.find_left()
    other.recover(left)
    # The old folder goes once the new one holds everything.
    other.qtbot.waitUntil(lambda: not left.place.folder.exists(), timeout=10_000)
    other.crash()
    (again,) = desks().find_left()
    assert again.steps == 2
    again.place.leave()


def test_to_open_and_to_look_leaves_nothing(desk, desks, saved):
    desk.close()
    other = desks()
    other.open(saved)
    other.view = View(0.2, 0.1)
    other.projects.note_view()
    other.crash()
    assert desks().find_left() == []


def test_a_dropped_project_is_gone(desk, desks):
    desk.edit()
    assert desk.projects.unsaved
    desk.projects.drop()
    desk.close()
    assert desks().find_left() == []


def test_an_edit_after_the_question_is_kept(desk, desks):
    desk.edit()
    desk.projects.drop()
    desk.edit()
    desk.close()
    (left,) = desks().find_left()
    left.place.leave()


def test_a_second_window_is_read_only_and_can_save_a_copy(desk, desks, saved, tmp_path):
    refused = []
    other = desks()
    other.open(saved)
    assert other.document.read_only
    other.document.refused.connect(refused.append)
    other.edit()
    assert len(other.document.roll.events) == 2
    assert "read-only" in refused[0]
    before = saved.read_bytes()
    other.save(tmp_path / "copy.recomposer")
    assert not other.document.read_only
    other.edit()
    other.save()
    assert len(read(tmp_path / "copy.recomposer", other.document.source).history.state.roll.events) == 3
    assert saved.read_bytes() == before
    # And the first one goes on.
    desk.edit()
    desk.save()
    assert len(read(saved, desk.document.source).history.steps) == 4


def test_nobody_saves_over_a_project_that_is_open_elsewhere(desk, desks, saved, tmp_path):
    other = desks()
    other.document.open(make_recording(tmp_path, "other.wav", 3))
    other.edit()
    assert other.save_now(saved) is Outcome.FAILED
    assert "open in another window" in other.failed[0]


def test_a_closed_project_is_free(desk, desks, saved):
    desk.close()
    assert not saved.with_name(saved.name + ".lock").exists()
    other = desks()
    other.open(saved)
    assert not other.document.read_only


def test_the_project_file_follows_when_nothing_happens(desk, saved, monkeypatch):
    monkeypatch.setattr(projects, "IDLE_MS", 20)
    desk.edit()
    assert desk.projects.dirty
    desk.qtbot.waitUntil(lambda: not desk.projects.dirty, timeout=10_000)
    assert len(read(saved, desk.document.source).history.state.roll.events) == 3


def test_a_folder_moves_with_its_project(desk, desks, saved, street, tmp_path):
    desk.close()
    (tmp_path / "elsewhere").mkdir()
    for path in (saved, street):
        shutil.move(path, tmp_path / "elsewhere" / path.name)
    other = desks()
    other.open(tmp_path / "elsewhere" / saved.name)
    assert other.document.source.path == tmp_path / "elsewhere" / street.name


def test_a_recording_that_moved_is_asked_for(desk, desks, saved, street, tmp_path):
    desk.close()
    (tmp_path / "far" / "away").mkdir(parents=True)
    moved = Path(shutil.move(street, tmp_path / "far" / "away" / "renamed.wav"))
    other = desks()
    assert other.projects.open(saved)
    other.qtbot.waitUntil(lambda: bool(other.missing), timeout=10_000)
    (opening,) = other.missing
    assert opening.found.path is None
    answers = []
    other.projects.compare(opening.reader.recording, moved, answers.append)
    other.qtbot.waitUntil(lambda: bool(answers), timeout=10_000)
    assert answers[0].same
    with other.qtbot.waitSignal(other.projects.opened):
        other.projects.proceed(opening, answers[0])
    assert other.document.elsewhere == frozenset()
    assert other.told == []
    # The new place is a change: it is saved.
    assert read(saved, other.document.source).recording.path == str(street)
    other.save()
    assert read(saved, other.document.source).recording.path == str(moved)


def test_a_changed_recording_keeps_the_takes_and_marks_them(desk, desks, saved, tmp_path):
    desk.close()
    make_recording(tmp_path, seed=9)
    other = desks()
    assert other.projects.open(saved)
    other.qtbot.waitUntil(lambda: bool(other.missing), timeout=10_000)
    (opening,) = other.missing
    assert opening.found.path is not None
    assert not opening.found.same
    with other.qtbot.waitSignal(other.projects.opened):
        other.projects.proceed(opening, opening.found)
    assert other.document.made_elsewhere(other.document.takes[0].take)
    assert "made in another context" in other.told[0]
    other.save()
    other.close()
    third = desks()
    third.open(saved)
    assert third.document.made_elsewhere(third.document.takes[0].take)
    # A layer that was rendered anew, from the recording as it is, is of today.
    third.document.vouch_for(third.document.takes[0].take)
    assert not third.document.made_elsewhere(third.document.takes[0].take)


def test_giving_up_leaves_everything_as_it_was(desk, desks, saved, street, tmp_path):
    desk.close()
    street.unlink()
    other = desks()
    other.document.open(make_recording(tmp_path, "other.wav", 3))
    other.edit()
    assert other.projects.open(saved)
    other.qtbot.waitUntil(lambda: bool(other.missing), timeout=10_000)
    other.projects.give_up(other.missing[0])
    assert not other.projects.busy
    assert len(other.document.roll.events) == 1
    assert not saved.with_name(saved.name + ".lock").exists()


def test_a_recording_that_changes_while_it_is_open(desk, saved, tmp_path, monkeypatch):
    monkeypatch.setattr(projects, "SETTLE_MS", 20)
    texts = desk.texts()
    make_recording(tmp_path, seed=9)
    desk.qtbot.waitUntil(lambda: bool(desk.told), timeout=10_000)
    assert "made in another context" in desk.told[0]
    assert desk.document.made_elsewhere(desk.document.takes[0].take)
    assert desk.texts() == texts
    assert desk.document.takes[0].take.source is desk.document.source
    assert desk.projects.path == saved
    desk.edit()
    desk.save()
    assert len(read(saved, desk.document.source).history.steps) == 4


def test_a_recording_that_no_longer_fits_is_told_and_work_stays(desk, saved, tmp_path, monkeypatch):
    monkeypatch.setattr(projects, "SETTLE_MS", 20)
    write(tmp_path / "street.wav", noise(1, 0.5, 16_000), 16_000)
    desk.qtbot.waitUntil(lambda: bool(desk.failed), timeout=10_000)
    assert "16000 Hz and 1 channels" in desk.failed[0]
    assert len(desk.document.takes) == 1
    desk.edit()
    make_recording(tmp_path)
    desk.save()
    assert len(read(saved, desk.document.source).history.steps) == 4


def test_a_recording_that_goes_and_comes_back(desk, saved, street, tmp_path, monkeypatch):
    monkeypatch.setattr(projects, "SETTLE_MS", 20)
    monkeypatch.setattr(projects, "COME_BACK_MS", 20)
    moved = Path(shutil.move(street, tmp_path / "away.wav"))
    desk.qtbot.waitUntil(lambda: bool(desk.failed), timeout=10_000)
    assert "is gone" in desk.failed[0]
    desk.edit()
    shutil.move(moved, street)
    desk.qtbot.waitUntil(lambda: not desk.projects._gone, timeout=10_000)
    desk.save()
    assert len(desk.failed) == 1
    assert desk.document.elsewhere == frozenset()


def test_a_recording_that_comes_back_unreadable_is_opened_when_it_is_whole(desk, saved, street, tmp_path, monkeypatch):
    monkeypatch.setattr(projects, "SETTLE_MS", 20)
    monkeypatch.setattr(projects, "COME_BACK_MS", 20)
    former = desk.document.source
    moved = Path(shutil.move(street, tmp_path / "away.wav"))
    desk.qtbot.waitUntil(lambda: bool(desk.failed), timeout=10_000)

    def held(path):
        raise InputError(f"{path}: another program holds it.")

    with monkeypatch.context() as patch:
        patch.setattr(project_jobs.Source, "open", held)
        shutil.copyfile(moved, street)
        desk.qtbot.waitUntil(lambda: len(desk.failed) == 2, timeout=10_000)
    assert "holds it" in desk.failed[1]
    assert desk.document.source is former
    os.utime(street)
    desk.qtbot.waitUntil(lambda: desk.document.source is not former, timeout=10_000)
    assert desk.document.elsewhere == frozenset()
    desk.save()


def test_an_embedded_recording_needs_no_file(desk, desks, saved, street):
    desk.projects.set_embedded(True)
    desk.save()
    desk.close()
    original = street.read_bytes()
    street.unlink()
    other = desks()
    other.open(saved)
    assert other.document.source.path.read_bytes() == original
    assert other.projects.embedded
    other.projects.set_embedded(False)
    assert other.projects.embedded
    assert "stay in it" in other.failed[0]
    other.edit()
    other.save()
    other.close()
    third = desks()
    third.open(saved)
    assert len(third.document.roll.events) == 3


def test_a_project_that_cannot_be_saved_is_kept_and_saved_later(desk, desks, saved, monkeypatch):
    before = saved.read_bytes()
    desk.edit()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        assert desk.save_now() is Outcome.FAILED
        assert "No space left" in desk.failed[0]
        assert desk.projects.dirty
        assert saved.read_bytes() == before
    assert desk.save_now() is Outcome.SAVED
    assert len(read(saved, desk.document.source).history.state.roll.events) == 3


def test_a_damaged_project_changes_nothing(desk, saved, tmp_path):
    broken = tmp_path / "broken.recomposer"
    broken.write_bytes(saved.read_bytes()[:30_000])
    texts = desk.texts()
    assert desk.projects.open(broken)
    desk.qtbot.waitUntil(lambda: bool(desk.failed), timeout=10_000)
    assert "damaged" in desk.failed[0]
    assert (desk.texts(), desk.projects.path, desk.projects.busy) == (texts, saved, False)
    assert not broken.with_name(broken.name + ".lock").exists()


def test_a_project_in_a_folder_where_nothing_can_be_written_opens(desk, desks, saved, monkeypatch):
    desk.close()

    class Unwritable(project_jobs.QLockFile):
        def tryLock(self, timeout=0):  # noqa: N802 - Qt's name
            return False

        def error(self):
            return project_jobs.QLockFile.LockError.PermissionError

    monkeypatch.setattr(project_jobs, "QLockFile", Unwritable)
    other = desks()
    other.open(saved)
    assert not other.document.read_only
    other.edit()

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.replace", denied)
    assert other.save_now() is Outcome.FAILED
    assert "no permission" in other.failed[0]


def test_found_without_a_path_is_no_answer(desk, saved):
    desk.projects.relink(Found(None))
    assert desk.told == desk.failed == []


def test_what_is_opened_meanwhile_stays_open(desk, desks, saved, tmp_path):
    desk.close()
    other = desks()
    assert other.projects.open(saved)
    other.document.open(make_recording(tmp_path, "other.wav", 3))
    other.qtbot.waitUntil(lambda: not other.projects._jobs, timeout=10_000)
    assert other.document.source.path.name == "other.wav"
    assert (other.projects.path, other.projects.busy) == (None, False)
    assert not saved.with_name(saved.name + ".lock").exists()


def test_a_recording_that_is_gone_cannot_be_taken_in(desk, saved, street):
    street.unlink()
    desk.projects.set_embedded(True)
    assert not desk.projects.embedded
    assert "is gone" in desk.failed[0]


def test_recovered_work_does_not_replace_what_was_saved_since(desk, desks, saved):
    desk.edit()
    desk.crash()
    other = desks()
    (left,) = other.find_left()
    later_s = left.edited.timestamp() + 60
    os.utime(saved, (later_s, later_s))
    other.recover(left)
    assert other.projects.path is None
    assert "was saved after" in other.told[0]
    assert len(other.document.roll.events) == 3
