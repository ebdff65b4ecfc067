"""Projects that others reach too: files that change while they are open, locks of other computers, drives that are slow."""

import os
import shutil
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QMessageBox

from recomposer_studio.errors import Cancelled
from recomposer_studio.project.store import database, journal
from recomposer_studio.project.store.database import open_file
from recomposer_studio.project.store.journal import copy_project
from recomposer_studio.project.store.reader import Reader
from recomposer_studio.project.store.version import Replaced
from recomposer_studio.studio import jobs, project_jobs, project_saving, project_window, projects
from recomposer_studio.studio.project_jobs import Outcome
from recomposer_studio.studio.project_lock import release
from recomposer_studio.studio.views.relink_dialog import RelinkDialog
from recomposer_studio.studio.views.saving_dialog import SavingDialog
from tests.editing.scenes import event
from tests.studio.test_projects import desk, desks, read, saved, street  # noqa: F401 - fixtures
from tests.studio.test_projects_window import answer_with, dialog_of, others  # noqa: F401 - fixtures
from tests.studio.test_projects_window import saved as saved_window  # noqa: F401 - a fixture

_LOCK = b"4711\nRecomposer Studio\nmixer-2\n0123456789abcdef\n\n"
"""What a window on another computer leaves when that is switched off."""


@pytest.fixture
def other_version(desks, saved, tmp_path):  # noqa: F811
    """Bytes of the project as another computer has saved it."""
    copy = shutil.copy(saved, tmp_path / "copy.recomposer")
    other = desks()
    other.open(copy)
    other.edit()
    other.save()
    other.close()
    return copy.read_bytes()


def change_from_outside(path: Path, data: bytes) -> None:
    """As a program does that synchronises folders."""
    beside = path.with_name("beside")
    beside.write_bytes(data)
    os.replace(beside, path)


def until_stopped(cancelled):
    """What a drive does that does not answer."""
    while not cancelled():
        time.sleep(0.002)
    raise Cancelled


def click(box, words):
    next(button for button in box.buttons() if words in button.text().replace("&", "")).click()


# --- the file changes -------------------------------------------------------------------------------------------------


def test_a_file_that_changed_outside_is_not_written_over(desk, saved, other_version):  # noqa: F811
    change_from_outside(saved, other_version)
    desk.edit()
    assert desk.save_now() is Outcome.REPLACED
    assert saved.read_bytes() == other_version
    assert desk.projects.dirty
    # Nor the next time.
    assert desk.save_now() is Outcome.REPLACED


def test_both_versions_can_be_kept(desk, saved, other_version, tmp_path):  # noqa: F811
    change_from_outside(saved, other_version)
    desk.edit()
    steps = len(desk.projects.present.history.steps)
    assert desk.save_now() is Outcome.REPLACED
    assert desk.save_now(tmp_path / "mine.recomposer") is Outcome.SAVED
    assert saved.read_bytes() == other_version
    assert len(read(tmp_path / "mine.recomposer", desk.document.source).history.steps) == steps
    desk.edit()
    assert desk.save_now() is Outcome.SAVED


def test_the_other_version_can_be_replaced(desk, saved, other_version):  # noqa: F811
    change_from_outside(saved, other_version)
    desk.edit()
    assert desk.save_now(over=True) is Outcome.SAVED
    assert len(read(saved, desk.document.source).history.steps) == len(desk.projects.present.history.steps)
    desk.edit()
    assert desk.save_now() is Outcome.SAVED


def test_an_opened_project_that_changed_outside_is_noticed(desk, desks, saved, other_version):  # noqa: F811
    desk.close()
    again = desks()
    again.open(saved)
    change_from_outside(saved, other_version)
    again.edit()
    assert again.save_now() is Outcome.REPLACED


def test_what_was_written_in_its_place_without_a_mark_is_noticed(desk, saved):  # noqa: F811
    saved.write_bytes(b"something else")
    desk.edit()
    assert desk.save_now() is Outcome.REPLACED
    assert saved.read_bytes() == b"something else"


def test_a_file_that_changes_while_it_is_saved_is_noticed(desk, saved, other_version, monkeypatch):  # noqa: F811
    vacuum = journal._vacuum

    def slow(*arguments):
        vacuum(*arguments)
        change_from_outside(saved, other_version)

    monkeypatch.setattr(journal, "_vacuum", slow)
    desk.edit()
    assert desk.save_now() is Outcome.REPLACED
    assert saved.read_bytes() == other_version


def test_the_same_bytes_written_anew_are_no_other_version(desk, saved):  # noqa: F811
    change_from_outside(saved, saved.read_bytes())
    os.utime(saved, (1, 1))
    desk.edit()
    assert desk.save_now() is Outcome.SAVED


def test_a_file_that_was_removed_is_made_again(desk, saved):  # noqa: F811
    saved.unlink()
    desk.edit()
    assert desk.save_now() is Outcome.SAVED
    assert saved.is_file()


def test_saving_by_itself_tells_it_once(desk, saved, other_version, monkeypatch):  # noqa: F811
    monkeypatch.setattr(projects, "IDLE_MS", 20)
    change_from_outside(saved, other_version)
    desk.edit()
    desk.qtbot.waitUntil(lambda: bool(desk.failed), timeout=10_000)
    desk.qtbot.wait(150)
    assert len(desk.failed) == 1
    assert "save under another name" in desk.failed[0]
    assert saved.read_bytes() == other_version


def edited(window):
    window.document.change_roll("one more", window.document.roll.with_event(event("n", "keep", 0.5, 0.6)))


def answer_box(monkeypatch, words):
    """Answers the question about the changed file; returns what was asked."""
    asked = []

    def execute(box):
        asked.append(f"{box.text()} {box.informativeText()}")
        assert all(button.accessibleName() for button in box.buttons())
        click(box, words)

    monkeypatch.setattr(QMessageBox, "exec", execute)
    return asked


@pytest.mark.parametrize("words", ["Save as", "Replace", "Cancel"])
def test_the_person_decides_what_becomes_of_the_other_version(qtbot, saved_window, tmp_path, monkeypatch, words):  # noqa: F811
    window, path, other = saved_window, tmp_path / "song.recomposer", b"something else"
    change_from_outside(path, other)
    edited(window)
    asked = answer_box(monkeypatch, words)
    answer_with(monkeypatch, tmp_path / "mine.recomposer")
    window.actions_["save_project"].trigger()
    qtbot.waitUntil(lambda: bool(asked) and not window.projects.saving, timeout=10_000)
    assert "song.recomposer" in asked[0]
    assert (path.read_bytes() == other) == (words != "Replace")
    assert (tmp_path / "mine.recomposer").exists() == (words == "Save as")
    assert window.projects.dirty == (words == "Cancel")


@pytest.mark.parametrize(("words", "closes"), [("Replace", True), ("Discard", True), ("Cancel", False)])
def test_closing_asks_about_the_other_version(saved_window, tmp_path, monkeypatch, words, closes):  # noqa: F811
    path = tmp_path / "song.recomposer"
    change_from_outside(path, b"something else")
    edited(saved_window)
    asked = answer_box(monkeypatch, words)
    assert saved_window.close() == closes
    assert len(asked) == 1
    assert (path.read_bytes() != b"something else") == (words == "Replace")


def test_closing_asks_nothing_where_only_the_view_has_moved(saved_window, tmp_path, monkeypatch):  # noqa: F811
    path = tmp_path / "song.recomposer"
    change_from_outside(path, b"something else")
    saved_window.timeline.view.show_span(0.1, 0.3)
    assert saved_window.projects.stale and not saved_window.projects.dirty
    asked = answer_box(monkeypatch, "Cancel")
    assert saved_window.close()
    assert not asked
    assert path.read_bytes() == b"something else"


# --- slow drives ------------------------------------------------------------------------------------------------------


def test_a_copy_can_be_stopped_and_leaves_the_file_as_it_was(desk, saved):  # noqa: F811
    before = saved.read_bytes()
    desk.edit()
    working = desk.projects._recorder.flush()
    with pytest.raises(Cancelled):
        copy_project(working, saved, cancelled=lambda: True)
    assert saved.read_bytes() == before
    assert {path.name for path in saved.parent.iterdir() if path.is_file()} == {
        "street.wav",
        saved.name,
        f"{saved.name}.lock",
    }


@pytest.mark.parametrize(
    ("answer", "closes"), [(QMessageBox.StandardButton.No, False), (QMessageBox.StandardButton.Yes, True)]
)
def test_closing_does_not_wait_for_a_slow_drive(qtbot, saved_window, tmp_path, monkeypatch, answer, closes):  # noqa: F811
    window, before = saved_window, (tmp_path / "song.recomposer").read_bytes()
    monkeypatch.setattr(project_saving, "DIALOG_MS", 0)
    edited(window)
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *words: asked.append(words[2]) or answer)

    def copy(working, target, known, cancelled, progress):
        progress(0.25)
        until_stopped(cancelled)

    monkeypatch.setattr(project_jobs, "copy_project", copy)
    seen = []

    def stop():
        dialog = dialog_of(window, SavingDialog)
        if dialog is None or dialog.progress.value() != 250:
            return
        seen.append(dialog.words.text())
        ticking.stop()
        dialog.cancel_button.click()

    ticking = QTimer()
    ticking.timeout.connect(stop)
    ticking.start(10)
    assert window.close() == closes
    assert "Saving song.recomposer" in seen[0]
    assert ["was stopped" in words and "offered at the next start" in words for words in asked] == [True]
    assert (tmp_path / "song.recomposer").read_bytes() == before
    monkeypatch.undo()


def test_a_window_that_stays_saves_later(qtbot, desk, saved, monkeypatch):  # noqa: F811
    with monkeypatch.context() as patch:
        patch.setattr(project_jobs, "copy_project", lambda *arguments: until_stopped(arguments[3]))
        desk.edit()
        ended = []
        assert desk.projects.save(ended=ended.append)
        desk.projects.stop_saving()
        qtbot.waitUntil(lambda: bool(ended), timeout=10_000)
    assert ended == [Outcome.STOPPED]
    assert desk.failed == []
    assert desk.save_now() is Outcome.SAVED


def test_opening_can_be_stopped(qtbot, desks, desk, saved, monkeypatch):  # noqa: F811
    desk.close()
    other = desks()
    reading = threading.Event()

    def slow(self, source, cancelled):
        reading.set()
        until_stopped(cancelled)

    with monkeypatch.context() as patch:
        patch.setattr(Reader, "project", slow)
        assert other.projects.open(saved)
        qtbot.waitUntil(reading.is_set, timeout=10_000)
        other.projects.stop_opening()
        assert not other.projects.busy
        qtbot.waitUntil(lambda: not other.projects._jobs, timeout=10_000)
    assert (other.document.source, other.failed) == (None, [])
    assert not saved.with_name(f"{saved.name}.lock").exists()
    assert other.find_left() == []
    assert list(other.projects._home.folder.iterdir()) == []
    other.open(saved)  # and again


def test_every_part_of_reading_can_be_stopped(desk, saved, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(database, "_STEPS_PER_LOOK", 10)
    with pytest.raises(Cancelled):
        open_file(saved, lambda: True)
    with Reader(open_file(saved), saved) as reader, pytest.raises(Cancelled):
        reader.project(desk.document.source, lambda: True)
    desk.projects.set_embedded(True)
    desk.save()
    with Reader(open_file(saved), saved) as reader, pytest.raises(Cancelled):
        reader.extract_recording(tmp_path / "out.wav", lambda: True)
    assert not (tmp_path / "out.wav").exists()


def test_a_project_that_takes_its_time_offers_to_stop(qtbot, saved_window, others, tmp_path, monkeypatch):  # noqa: F811
    saved_window.close()
    window = others()
    monkeypatch.setattr(project_window, "OPENING_MS", 10)
    monkeypatch.setattr(Reader, "project", lambda self, source, cancelled: until_stopped(cancelled))
    assert window.open(tmp_path / "song.recomposer")
    qtbot.waitUntil(lambda: bool(window.messages.text), timeout=10_000)
    assert window.messages.text == "Opening song.recomposer ..."
    window.messages.buttons[0].click()
    assert not window.projects.busy
    assert window.messages.text == ""
    qtbot.waitUntil(lambda: not window.projects._jobs, timeout=10_000)


def test_another_project_is_refused_while_one_opens(qtbot, saved_window, others, tmp_path, monkeypatch):  # noqa: F811
    saved_window.close()
    shutil.copy(tmp_path / "song.recomposer", tmp_path / "two.recomposer")
    window = others()
    monkeypatch.setattr(project_window, "OPENING_MS", 10)
    monkeypatch.setattr(Reader, "project", lambda self, source, cancelled: until_stopped(cancelled))
    assert window.open(tmp_path / "song.recomposer")
    qtbot.waitUntil(lambda: bool(window.messages.text), timeout=10_000)
    assert not window.open(tmp_path / "two.recomposer")
    assert window.messages.text == (
        "Another project is just being opened; wait for it, or press Esc, and open two.recomposer again."
    )
    window.messages.close_button.click()
    assert window.messages.text == "Opening song.recomposer ..."
    window.messages.buttons[0].click()
    assert not window.projects.busy and window.messages.text == ""
    qtbot.waitUntil(lambda: not window.projects._jobs, timeout=10_000)


def test_escape_stops_opening(qtbot, saved_window, others, tmp_path, monkeypatch):  # noqa: F811
    saved_window.close()
    window = others()
    monkeypatch.setattr(Reader, "project", lambda self, source, cancelled: until_stopped(cancelled))
    assert window.open(tmp_path / "song.recomposer")
    assert window.actions_["cancel"].isEnabled()
    window.actions_["cancel"].trigger()
    assert not window.projects.busy
    qtbot.waitUntil(lambda: not window.projects._jobs, timeout=10_000)


def test_another_recording_is_opened_off_the_window_s_thread(qtbot, saved_window, tmp_path, monkeypatch):  # noqa: F811
    other = shutil.copy(saved_window.document.source.path, tmp_path / "moved.wav")
    threads = []
    opening = project_jobs.Source.open
    monkeypatch.setattr(
        project_jobs.Source, "open", lambda path: threads.append(threading.current_thread()) or opening(path)
    )
    answer_with(monkeypatch, other)
    saved_window.actions_["relink"].trigger()
    dialog_of(saved_window, RelinkDialog).find_button.click()
    qtbot.waitUntil(lambda: saved_window.document.source.path == other, timeout=10_000)
    assert threads[0] is not threading.main_thread()


def test_comparing_shows_how_far_it_is_and_ends_with_its_dialog(qtbot, saved_window, tmp_path, monkeypatch):  # noqa: F811
    def slow(recording, path, cancelled, progress):
        time.sleep(0.1)
        progress(0.5)
        until_stopped(cancelled)

    monkeypatch.setattr(project_jobs, "compare", slow)
    answer_with(monkeypatch, tmp_path / "street.wav")
    saved_window.actions_["relink"].trigger()
    dialog = dialog_of(saved_window, RelinkDialog)
    dialog.find_button.click()
    qtbot.waitUntil(lambda: dialog.progress.value() == 500, timeout=10_000)
    assert dialog.progress.isVisible()
    dialog.reject()
    qtbot.waitUntil(lambda: not saved_window.projects._jobs, timeout=10_000)


# --- locks ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def locked(desk, saved):  # noqa: F811
    """A project that another computer has locked."""
    desk.close()
    lock = saved.with_name(f"{saved.name}.lock")
    lock.write_bytes(_LOCK)
    os.utime(lock, (1_700_000_000, 1_700_000_000))
    return lock


@pytest.mark.parametrize("remove", [True, False])
def test_the_lock_of_another_computer_is_asked_about(desks, locked, saved, remove):  # noqa: F811
    other = desks()
    with other.qtbot.waitSignal(other.projects.locked, timeout=10_000) as asked:
        assert other.projects.open(saved)
    (opening,) = asked.args
    assert (opening.holder.computer, opening.holder.since.timestamp()) == ("mixer-2", 1_700_000_000)
    with other.qtbot.waitSignal(other.projects.opened, timeout=10_000):
        other.projects.unlock(opening, remove)
    assert other.document.read_only != remove
    assert (b"mixer-2" in locked.read_bytes()) != remove
    if remove:
        other.edit()
        assert other.save_now() is Outcome.SAVED
        other.close()
        assert not locked.exists()


def test_a_lock_that_somebody_took_meanwhile_is_not_removed(desks, locked, saved):  # noqa: F811
    other = desks()
    with other.qtbot.waitSignal(other.projects.locked, timeout=10_000) as asked:
        assert other.projects.open(saved)
    locked.write_bytes(_LOCK.replace(b"mixer-2", b"mixer-3"))
    with other.qtbot.waitSignal(other.projects.opened, timeout=10_000):
        other.projects.unlock(asked.args[0], True)
    assert other.document.read_only
    assert b"mixer-3" in locked.read_bytes()


def test_nobody_saves_over_what_another_computer_has_locked(desks, locked, saved, street):  # noqa: F811
    other = desks()
    other.document.open(street)
    other.edit()
    assert other.save_now(saved) is Outcome.FAILED
    assert "the computer mixer-2 has locked this project since 2023-11-1" in other.failed[0]


@pytest.mark.parametrize(
    ("words", "read_only"), [("Open read-only", True), ("Remove the lock", False), ("Cancel", None)]
)
def test_the_dialog_says_who_and_when(qtbot, saved_window, others, tmp_path, words, read_only):  # noqa: F811
    saved_window.close()
    (tmp_path / "song.recomposer.lock").write_bytes(_LOCK)
    window = others()
    assert window.open(tmp_path / "song.recomposer")
    qtbot.waitUntil(lambda: dialog_of(window, QMessageBox) is not None, timeout=10_000)
    box = dialog_of(window, QMessageBox)
    assert "mixer-2 has locked song.recomposer since" in box.text()
    assert all(button.accessibleName() for button in box.buttons())
    click(box, words)
    qtbot.waitUntil(lambda: not window.projects.busy, timeout=10_000)
    assert (window.document.read_only if window.document.source else None) == read_only


def test_replaced_is_one_sentence_with_its_remedy(desk, saved):  # noqa: F811
    known = desk.projects._version
    saved.write_bytes(b"other")
    with pytest.raises(Replaced, match=r"another program or computer has changed this project .* to keep both"):
        copy_project(desk.projects._recorder.flush(), saved, known)


@pytest.fixture
def dead_drive(monkeypatch):
    """A drive that answers nothing, not even that it was stopped, until the event is set."""
    answers, asked = threading.Event(), threading.Event()

    def copy(working, target, known, cancelled, progress):
        asked.set()
        answers.wait(60.0)
        if cancelled():
            raise Cancelled
        pytest.fail("nobody stopped it")

    monkeypatch.setattr(project_jobs, "copy_project", copy)
    monkeypatch.setattr(projects, "LEAVE_MS", 50)
    yield answers, asked
    answers.set()
    assert jobs._left == [] or all(job.wait(10_000) for job in jobs._left)
    assert not jobs.left_behind()


def test_closing_leaves_a_dead_drive_behind(qtbot, saved_window, dead_drive, others, tmp_path, monkeypatch):  # noqa: F811
    window, path = saved_window, tmp_path / "song.recomposer"
    before, (answers, asked) = path.read_bytes(), dead_drive
    monkeypatch.setattr(project_saving, "DIALOG_MS", 0)
    monkeypatch.setattr(QMessageBox, "question", lambda *words: QMessageBox.StandardButton.Yes)
    edited(window)
    there = window.document.roll

    def stop():
        dialog = dialog_of(window, SavingDialog)
        if dialog is not None and asked.is_set():
            dialog.cancel_button.click()

    ticking = QTimer()
    ticking.timeout.connect(stop)
    ticking.start(20)
    assert window.close()
    ticking.stop()
    assert not answers.is_set()
    assert jobs.left_behind()
    assert path.read_bytes() == before
    # Nothing is lost: the work is offered at the next start, when the drive answers again.
    answers.set()
    assert all(job.wait(10_000) for job in jobs._left)
    monkeypatch.undo()
    other = others()
    with qtbot.waitSignal(other.projects.left_found, timeout=10_000) as found:
        other.projects.find_left()
    (left,) = found.args[0]
    assert other.projects.recover(left)
    qtbot.waitUntil(lambda: not other.projects.busy, timeout=10_000)
    assert other.document.roll == there


def test_a_save_that_was_left_behind_lets_go_of_its_lock(qtbot, desk, desks, saved, dead_drive):  # noqa: F811
    answers, asked = dead_drive
    desk.edit()
    assert desk.projects.save()
    assert asked.wait(10.0)
    desk.projects._leave()
    assert saved.with_name(f"{saved.name}.lock").exists()
    assert jobs.left_behind()
    answers.set()
    assert all(job.wait(10_000) for job in jobs._left)
    assert not saved.with_name(f"{saved.name}.lock").exists()
    assert desk.failed == []


def test_a_lock_on_a_drive_that_never_answers_is_not_waited_for():
    class Stuck:
        def __init__(self):
            self.answers = threading.Event()

        def unlock(self):
            self.answers.wait(60.0)

    lock = Stuck()
    release(lock, 0.01)
    assert not lock.answers.is_set()
    lock.answers.set()
    for thread in threading.enumerate():
        if thread.name == "unlock":
            thread.join(10.0)
