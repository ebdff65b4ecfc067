"""Projects in the window: opened by every way in, saved, offered after a crash, found again."""

import shutil
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QDialog, QFileDialog, QLabel, QMessageBox, QPushButton

from recomposer_studio.project.store.home import Home
from recomposer_studio.roll.file import format_roll
from recomposer_studio.studio import project_window
from recomposer_studio.studio.settings import SettingsFile
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.recovery_dialog import RecoveryDialog
from recomposer_studio.studio.views.relink_dialog import RelinkDialog
from recomposer_studio.studio.window import Window
from tests.editing.scenes import event, noise, roll, write
from tests.studio.remote import Remote, start
from tests.studio.rolls import ROLL

_BUTTONS = QMessageBox.StandardButton


def answer_with(monkeypatch, path):
    """The file dialogs' answer."""
    for name in ("getSaveFileName", "getOpenFileName"):
        monkeypatch.setattr(QFileDialog, name, lambda *_: (str(path), ""))


def dialog_of(window, kind):
    found = [child for child in window.findChildren(kind) if child.isVisible()]
    return found[0] if found else None


def nameless(dialog):
    return [type(w).__name__ for w in dialog.findChildren(QPushButton) + dialog.findChildren(QLabel) if not w.text()]


@pytest.fixture
def others(qtbot, tmp_path, output):
    """Further windows with the same settings and working folders."""
    made = []

    def make():
        window = Window(SettingsFile(tmp_path / "settings.json"), output.open)
        window.generating.find_checkpoint = lambda: None
        qtbot.addWidget(window)
        window.show()
        made.append(window)
        return window

    yield make
    for window in made:
        window.shut_down()
        window.hide()


@pytest.fixture
def saved(qtbot, rolled, tmp_path, monkeypatch):
    """A window with a project that was saved with its menu."""
    answer_with(monkeypatch, tmp_path / "song")
    qtbot.waitUntil(lambda: rolled.projects.present.recording.sha256 != "")
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    rolled.actions_["save_project"].trigger()
    qtbot.waitUntil(lambda: not rolled.projects.saving and not rolled.projects.dirty)
    return rolled


def opened_in(qtbot, window, path):
    assert window.open(path)
    qtbot.waitUntil(lambda: not window.projects.busy, timeout=10_000)
    assert window.projects.path == path, window.messages.text
    return window


def test_saving_names_the_window_and_the_recent_files(saved, tmp_path):
    path = tmp_path / "song.recomposer"
    assert path.is_file()
    assert saved.windowTitle() == "song.recomposer[*] \u2013 Recomposer Studio"
    assert not saved.isWindowModified()
    assert saved.settings.recent_files[0] == str(path)
    assert saved.messages.text == f"Saved {path}."
    saved.document.change_roll("one more", saved.document.roll.with_event(event("n", "keep", 0.5, 0.6)))
    assert saved.isWindowModified()
    saved.actions_["save_project"].trigger()
    assert saved.projects.saving


def test_a_project_opens_where_it_was(qtbot, saved, others, tmp_path):
    saved.document.select(("b",))
    saved.document.mark(Area(1.0, 1.5, 500.0, 2_000.0))
    saved.timeline.view.show_span(0.5, 2.0)
    saved.listening.seek(1.25)
    texts = [saved.document.undo_stack.text(number) for number in range(saved.document.undo_stack.count())]
    saved.close()
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    view = window.timeline.view
    assert (view.start_s, view.span_s, window.listening.position_s) == (0.5, 2.0, 1.25)
    assert (window.document.selected, window.document.area) == (("b",), Area(1.0, 1.5, 500.0, 2_000.0))
    assert window.document.current_take.name == "Take 1"
    assert [window.document.undo_stack.text(number) for number in range(window.history.model().rowCount() - 1)] == texts
    window.actions_["undo"].trigger()
    assert window.document.takes == ()
    window.actions_["redo"].trigger()
    qtbot.waitUntil(lambda: not window.imaging.busy, timeout=20_000)


def test_a_roll_for_a_read_only_project_is_refused_and_stays_as_it_is(qtbot, saved, others, tmp_path, monkeypatch):
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    other = tmp_path / "other.json"
    other.write_text(format_roll(roll(event("z", "keep", 0.1, 0.3))), encoding="utf-8")
    before = other.read_bytes()
    assert not window.open(other)
    assert "is read-only here" in window.messages.text
    answer_with(monkeypatch, "")
    window.actions_["save_roll"].trigger()
    assert other.read_bytes() == before


def test_refused_editing_leaves_what_is_marked_and_selected(qtbot, saved, others, tmp_path):
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    document, actions = window.document, window.actions_
    area = Area(0.2, 0.6)
    document.mark(area)
    document.select(("a", "b"))
    actions["copy"].trigger()
    window.listening.seek(1.2)
    for name in ("new", "duplicate", "split", "join", "paste", "insert"):
        window.messages.clear()
        actions[name].trigger()
        assert "is read-only here" in window.messages.text, name
        assert (document.selected, document.area) == (("a", "b"), area), name


def test_a_read_only_project_offers_nothing_that_would_be_refused_in_the_end(
    qtbot, saved, others, tmp_path, monkeypatch
):
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    window.document.hear(1)
    line = window.takes.mix.line("a")
    names = ("generate", "variations", "rerun", "paste_recipe", "duplicate_take", "detect", "find_similar")
    buttons = (window.takes.rerun, window.takes.variations, window.detect_bar.detect, line.more)
    window.document.select(("a",))
    assert not any(window.actions_[name].isEnabled() for name in names)
    assert not any(button.isEnabled() for button in buttons)
    answer_with(monkeypatch, tmp_path / "copy.recomposer")
    window.actions_["save_project_as"].trigger()
    qtbot.waitUntil(lambda: not window.projects.saving and not window.document.read_only)
    assert all(window.actions_[name].isEnabled() for name in names)
    assert all(button.isEnabled() for button in buttons)


def test_what_is_typed_in_a_read_only_project_waits_for_the_copy(qtbot, saved, others, tmp_path, monkeypatch):
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    window.document.hear(1)
    window.takes.note.setFocus()
    qtbot.keyClicks(window.takes.note, "good")
    answer_with(monkeypatch, tmp_path / "copy.recomposer")
    window.actions_["save_project_as"].trigger()
    qtbot.waitUntil(lambda: not window.projects.saving and not window.document.read_only)
    assert "read-only" not in window.messages.text and window.takes.note.text() == "good"
    window.actions_["save_project"].trigger()
    assert window.document.takes[0].note == "good"


def test_what_was_still_being_found_does_not_bring_discarded_work_back(rolled, monkeypatch):
    stopped = []
    monkeypatch.setattr(rolled.detecting, "cancel", lambda: stopped.append(rolled.projects.dirty))
    monkeypatch.setattr(QMessageBox, "question", lambda *_: _BUTTONS.Discard)
    assert rolled.may_close()
    assert stopped == [True]


def test_a_take_that_is_refused_does_not_change_what_is_heard(qtbot, saved, others, tmp_path):
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    window.document.hear(0)
    window.generating.generate()
    qtbot.waitUntil(lambda: not window.generating.running, timeout=20_000)
    assert "is read-only here" in window.messages.text
    assert (len(window.document.takes), window.document.heard) == (1, 0)


def test_a_project_can_be_dropped(qtbot, saved, others, tmp_path):
    saved.close()
    window = others()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path / "song.recomposer"))])
    drop = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    with qtbot.waitSignal(window.projects.opened, timeout=10_000):
        window.dropEvent(drop)
    assert len(window.document.takes) == 1


def test_the_open_dialog_takes_projects(qtbot, saved, others, monkeypatch, tmp_path):
    saved.close()
    window = others()
    answer_with(monkeypatch, tmp_path / "song.recomposer")
    with qtbot.waitSignal(window.projects.opened, timeout=10_000):
        window.actions_["open"].trigger()
    assert window.windowTitle().startswith("song.recomposer")


def test_a_second_window_says_that_it_is_read_only(qtbot, saved, others, tmp_path):
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    assert "read-only" in window.messages.text
    assert "(read-only)" in window.windowTitle()
    assert not window.actions_["save_project"].isEnabled()
    assert not window.actions_["generate"].isEnabled()
    window.messages.clear()
    window.document.select(("a",))
    window.actions_["mute"].trigger()
    assert "read-only" in window.messages.text
    assert not window.document.roll.event("a").muted
    window.close()
    assert Home(window.settings_file.data_folder / "projects").left() == []


def test_a_named_project_is_saved_when_the_window_closes(qtbot, saved, others, tmp_path):
    saved.document.change_roll("one more", saved.document.roll.with_event(event("n", "keep", 0.5, 0.6)))
    assert saved.close()
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    assert [each.id for each in window.document.roll.events] == ["a", "b", "k", "n"]
    assert not window.projects.dirty


def test_what_cannot_be_saved_on_closing_is_asked_about_and_offered_later(qtbot, saved, others, monkeypatch, tmp_path):
    answers = [_BUTTONS.No, _BUTTONS.Yes]
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *words: asked.append(words[2]) or answers.pop(0))
    saved.document.change_roll("one more", saved.document.roll.with_event(event("n", "keep", 0.5, 0.6)))

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("recomposer_studio.audio.atomic.os.replace", denied)
        assert not saved.close()
        assert "no permission" in saved.messages.text
        assert saved.close()
    assert "offered at the next start" in asked[0]
    window = others()
    window.projects.find_left()
    qtbot.waitUntil(lambda: dialog_of(window, RecoveryDialog) is not None, timeout=10_000)
    dialog = dialog_of(window, RecoveryDialog)
    assert "song.recomposer" in dialog.list.item(0).text()
    with qtbot.waitSignal(window.projects.opened, timeout=10_000):
        dialog.open_button.click()
    assert [each.id for each in window.document.roll.events] == ["a", "b", "k", "n"]
    assert window.windowTitle().startswith("song.recomposer")


def test_that_work_is_kept_is_not_promised_where_it_is_not(saved, monkeypatch):
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *words: asked.append(words[2]) or _BUTTONS.No)

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(saved.projects._recorder._journal, "write", full)
        saved.document.change_roll("one more", saved.document.roll.with_event(event("n", "keep", 0.5, 0.6)))
        assert not saved.close()
    assert "will be lost" in asked[0]
    assert saved.close()
    assert len(asked) == 1


@pytest.mark.parametrize("answer", [_BUTTONS.Save, _BUTTONS.Discard, _BUTTONS.Cancel])
def test_work_without_a_file_is_asked_about(rolled, tmp_path, monkeypatch, answer):
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answer)
    answer_with(monkeypatch, tmp_path / "new.recomposer")
    assert rolled.close() == (answer != _BUTTONS.Cancel)
    assert (tmp_path / "new.recomposer").is_file() == (answer == _BUTTONS.Save)
    if answer != _BUTTONS.Cancel:
        assert Home(rolled.settings_file.data_folder / "projects").left() == []


def test_nothing_is_asked_when_nothing_was_done(opened, monkeypatch):
    monkeypatch.setattr(QMessageBox, "question", lambda *_: pytest.fail("asked"))
    assert opened.close()


@pytest.fixture
def rendering(qtbot):
    """Lets a window show a preview whose model is still being loaded, until the end of the test or `set`."""
    loaded = threading.Event()

    def begin(window):
        count = len(window.document.takes)
        start(window, Remote(), loaded)
        window.document.change_roll("more", roll(*ROLL.events, event("i", "insert", 3.2, 3.6, "Siren")))
        window.generating.generate()
        qtbot.waitUntil(lambda: len(window.document.takes) == count + 1, timeout=20_000)
        # A thread that was stopped ends once the model is there.
        cancel = window.generating._turn.job.cancel
        window.generating._turn.job.cancel = lambda: (cancel(), loaded.set())
        return loaded

    yield begin
    loaded.set()


def test_closing_during_a_render_keeps_nothing_that_was_discarded(rolled, rendering, monkeypatch):
    rendering(rolled)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: _BUTTONS.Discard)
    assert rolled.close()
    assert Home(rolled.settings_file.data_folder / "projects").left() == []


def test_closing_during_a_render_brings_the_project_file_up_to_date(qtbot, saved, others, rendering, tmp_path):
    rendering(saved)
    assert saved.close()
    assert Home(saved.settings_file.data_folder / "projects").left() == []
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    assert [entry.left_out for entry in window.document.takes] == [
        (),
        ("Siren is not in it: the render was stopped before",),
    ]
    assert not window.projects.dirty


def test_closing_during_a_render_saves_what_is_there_of_it(qtbot, rolled, others, rendering, monkeypatch, tmp_path):
    rendering(rolled)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: _BUTTONS.Save)
    answer_with(monkeypatch, tmp_path / "new.recomposer")
    assert rolled.close()
    assert Home(rolled.settings_file.data_folder / "projects").left() == []
    window = opened_in(qtbot, others(), tmp_path / "new.recomposer")
    assert "Siren is not in it" in window.document.takes[0].left_out[0]


def test_a_render_goes_on_when_the_window_stays(qtbot, rolled, rendering, monkeypatch):
    loaded = rendering(rolled)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: _BUTTONS.Cancel)
    assert not rolled.close()
    assert rolled.generating.running
    loaded.set()
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    assert not rolled.document.takes[0].preview


def test_a_render_brings_nothing_back_while_a_project_opens(qtbot, saved, others, rendering, monkeypatch, tmp_path):
    saved.close()
    window = others()
    assert window.open(tmp_path / "street.wav")
    loaded = rendering(window)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: _BUTTONS.Discard)
    monkeypatch.setattr(window.projects, "_restore", lambda *given: later.append(given))
    restore, later = type(window.projects)._restore, []
    assert window.open(tmp_path / "song.recomposer")
    loaded.set()
    qtbot.waitUntil(lambda: bool(later) and not window.generating.running and not window.generating.leaving)
    restore(window.projects, *later[0])
    window.close()
    assert Home(window.settings_file.data_folder / "projects").left() == []


def left_behind(window):
    """Ends a window as a crash does, but for its threads."""
    window.projects._recorder.flush()
    window.projects._recorder.close(keep=True)
    window.projects._recorder = None
    window.shut_down()
    window.document.undo_stack.clear()


def test_a_crash_is_offered_and_can_wait_or_be_thrown_away(qtbot, rolled, others, monkeypatch):
    left_behind(rolled)
    window = others()
    window.projects.find_left()
    qtbot.waitUntil(lambda: dialog_of(window, RecoveryDialog) is not None, timeout=10_000)
    dialog = dialog_of(window, RecoveryDialog)
    assert "street.wav\nnever saved" in dialog.list.item(0).text()
    assert nameless(dialog) == []
    dialog.later_button.click()
    qtbot.waitUntil(lambda: dialog_of(window, RecoveryDialog) is None)
    window.actions_["recover"].trigger()
    qtbot.waitUntil(lambda: dialog_of(window, RecoveryDialog) is not None, timeout=10_000)
    monkeypatch.setattr(QMessageBox, "question", lambda *_: _BUTTONS.Yes)
    dialog_of(window, RecoveryDialog).discard_button.click()
    qtbot.waitUntil(lambda: dialog_of(window, RecoveryDialog) is None)
    window.actions_["recover"].trigger()
    qtbot.waitUntil(lambda: "no unsaved work" in window.messages.text, timeout=10_000)


def test_a_missing_recording_is_found_with_the_dialog(qtbot, saved, others, recording, monkeypatch, tmp_path):
    saved.close()
    (tmp_path / "away").mkdir()
    moved = Path(shutil.move(recording, tmp_path / "away" / "a &lt; b.wav"))
    window = others()
    assert window.open(tmp_path / "song.recomposer")
    qtbot.waitUntil(lambda: dialog_of(window, RelinkDialog) is not None, timeout=10_000)
    dialog = dialog_of(window, RelinkDialog)
    assert "street.wav is not where it was" in dialog.words.text()
    assert not dialog.use_button.isEnabled()
    # Another recording first.
    wrong = write(tmp_path / "wrong.wav", noise(1, 1.0, 8_000), 8_000)
    answer_with(monkeypatch, wrong)
    dialog.find_button.click()
    qtbot.waitUntil(lambda: dialog.use_button.isEnabled(), timeout=10_000)
    assert "other bytes" in dialog.verdict.text()
    assert dialog.verdict.textFormat() == Qt.TextFormat.PlainText
    answer_with(monkeypatch, moved)
    with qtbot.waitSignal(window.projects.opened, timeout=10_000):
        dialog.find_button.click()
    assert window.document.source.path == moved
    assert dialog_of(window, QDialog) is None


def test_a_recording_that_does_not_fit_leaves_the_window_as_it_was(qtbot, saved, others, recording, tmp_path):
    saved.close()
    write(recording, noise(1, 1.0, 8_000), 8_000)
    window = others()
    assert window.open(tmp_path / "song.recomposer")
    qtbot.waitUntil(lambda: dialog_of(window, RelinkDialog) is not None, timeout=10_000)
    dialog_of(window, RelinkDialog).use_button.click()
    qtbot.waitUntil(lambda: "does not fit" in window.messages.text, timeout=10_000)
    assert window.document.source is None
    assert not window.projects.busy


def test_cancelling_the_search_opens_nothing(qtbot, saved, others, recording, tmp_path):
    saved.close()
    recording.unlink()
    window = others()
    assert window.open(tmp_path / "song.recomposer")
    qtbot.waitUntil(lambda: dialog_of(window, RelinkDialog) is not None, timeout=10_000)
    dialog_of(window, RelinkDialog).reject()
    assert window.document.source is None
    assert not window.projects.busy
    assert not (tmp_path / "song.recomposer.lock").exists()


def test_the_recording_of_an_open_project_can_be_chosen_anew(qtbot, saved, monkeypatch, tmp_path):
    texts = saved.document.undo_stack.count()
    other = write(tmp_path / "other.wav", noise(2, 4.0, 16_000, seed=8), 16_000, "PCM_16")
    answer_with(monkeypatch, other)
    saved.actions_["relink"].trigger()
    dialog = dialog_of(saved, RelinkDialog)
    dialog.find_button.click()
    qtbot.waitUntil(lambda: dialog.use_button.isEnabled(), timeout=10_000)
    dialog.use_button.click()
    qtbot.waitUntil(lambda: saved.document.source.path == other, timeout=10_000)
    assert "made in another context" in saved.messages.text
    assert "made in another context" in saved.takes.list.line(1).facts
    assert saved.document.undo_stack.count() == texts
    # A take that is rendered now is of today.
    saved.generating.generate()
    qtbot.waitUntil(lambda: not saved.generating.running, timeout=20_000)
    assert "context" not in saved.takes.list.line(2).facts
    assert "context" in saved.takes.list.line(1).facts


def test_the_recording_can_be_kept_in_the_project(qtbot, saved, others, recording, tmp_path):
    saved.actions_["embed"].trigger()
    assert saved.projects.embedded
    saved.close()
    recording.unlink()
    window = opened_in(qtbot, others(), tmp_path / "song.recomposer")
    assert window.actions_["embed"].isChecked()
    window.actions_["embed"].trigger()
    assert window.actions_["embed"].isChecked()
    assert "stay in it" in window.messages.text


def test_a_damaged_project_is_one_sentence(qtbot, window, tmp_path):
    (tmp_path / "bad.recomposer").write_bytes(b"SQLite format 3\0" + bytes(500))
    assert window.open(tmp_path / "bad.recomposer")
    qtbot.waitUntil(lambda: window.messages.text != "", timeout=10_000)
    assert "no project" in window.messages.text
    assert window.document.source is None


def test_a_view_that_makes_no_sense_is_passed_over(rolled):
    view = project_window.View(float("nan"), float("inf"), -1.0, ("nobody",), (3.0, 1.0, None, None), 77, True)
    project_window.show(rolled, view)
    assert (rolled.document.selected, rolled.document.area, rolled.document.heard) == ((), None, 0)


def test_a_suffix_is_added_and_not_over_another_project(rolled, monkeypatch, tmp_path):
    (tmp_path / "taken.recomposer").write_bytes(b"something")
    answer_with(monkeypatch, tmp_path / "taken")
    monkeypatch.setattr(QMessageBox, "question", lambda *_: _BUTTONS.No)
    rolled.actions_["save_project_as"].trigger()
    assert (tmp_path / "taken.recomposer").read_bytes() == b"something"
    assert not rolled.projects.saving


def _type_end(qtbot, window):
    spin = window.inspector._spins["end_s"]
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, "1.9")
    return lambda document: document.roll.event("a").end_s == 1.9


def _type_class(qtbot, window):
    window.inspector.edit_class()
    qtbot.keyClicks(window.inspector.class_field, "Siren")
    window.inspector.class_field.completer().popup().hide()
    return lambda document: document.roll.event("a").label == "Siren"


def _type_note(qtbot, window):
    window.takes.note.setFocus()
    qtbot.keyClicks(window.takes.note, "the best")
    return lambda document: document.takes[0].note == "the best"


def _type_name(qtbot, window):
    window.takes.list.setFocus()
    window.takes.list.editItem(window.takes.list.item(1))
    qtbot.keyClicks(window.focusWidget(), "the one")
    return lambda document: document.takes[0].name == "the one"


_FIELDS = pytest.mark.parametrize("typing", [_type_end, _type_class, _type_note, _type_name])


@_FIELDS
def test_what_stands_in_a_field_is_saved(qtbot, saved, others, tmp_path, typing):
    saved.document.select(("a",))
    is_there = typing(qtbot, saved)
    saved.actions_["save_project"].trigger()
    assert is_there(saved.document)
    qtbot.waitUntil(lambda: not saved.projects.saving and not saved.projects.dirty)
    saved.close()
    assert is_there(opened_in(qtbot, others(), tmp_path / "song.recomposer").document)


@_FIELDS
def test_what_stands_in_a_field_is_saved_on_leaving(qtbot, saved, others, tmp_path, typing):
    saved.document.select(("a",))
    is_there = typing(qtbot, saved)
    saved.close()
    assert is_there(opened_in(qtbot, others(), tmp_path / "song.recomposer").document)
