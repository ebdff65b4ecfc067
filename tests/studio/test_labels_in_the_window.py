"""Labels of other programs, as a person opens, drops, accepts and saves them."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QTranslator, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QFileDialog, QMessageBox

from recomposer_studio.roll.event import Action
from recomposer_studio.roll.file import format_roll
from recomposer_studio.studio import label_files
from tests.editing.scenes import event, roll
from tests.studio.rolls import ROLL

AUDACITY = "1.0\t1.5\tdelete Bell\n2.5\t2.9\tDog\n3.0\t3.0\tpoint\n"


def drop(window, *paths: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(1, 1), Qt.DropAction.CopyAction, data, buttons, keys))


def test_a_recording_dropped_with_its_labels_has_rows(qtbot, window, recording):
    labels = recording.with_suffix(".txt")
    labels.write_text(AUDACITY, encoding="utf-8")
    drop(window, labels, recording)
    roll = window.document.roll
    assert [(event.action, event.label) for event in roll.events] == [(Action.DELETE, "Bell"), (Action.KEEP, "Dog")]
    assert window.messages.text == "Loaded 2 boxes from street.txt. 1 label without a length was left out."
    assert not window.document.unsaved and window.document.roll_file.path is None
    window.document.undo_stack.undo()
    assert window.document.roll.events == ()


def test_labels_beside_a_recording_are_offered(qtbot, window, recording):
    labels = recording.with_suffix(".tsv")
    labels.write_text("onset\toffset\tevent_label\n1.0\t1.5\tBell\n", encoding="utf-8")
    assert window.open(recording)
    assert window.messages.text == "There are labels beside the recording: street.tsv."
    assert window.document.roll.events == ()
    window.messages.buttons[0].click()
    assert [event.label for event in window.document.roll.events] == ["Bell"]
    assert window.messages.text == "Loaded 1 box from street.tsv."


def test_the_own_roll_is_offered_first(tmp_path):
    recording = tmp_path / "a.wav"
    assert label_files.beside(recording) is None
    for name in ("a.txt", "a.json", "b.csv"):
        (tmp_path / name).write_text("", encoding="utf-8")
    assert label_files.beside(recording) == tmp_path / "a.json"


def test_a_roll_that_undo_took_away_leaves_its_file_alone(rolled, tmp_path, monkeypatch):
    other, asked = tmp_path / "other.json", []
    other.write_text(format_roll(roll(event("z", "keep", 0.1, 0.3, "Rain"))), encoding="utf-8")
    before = other.read_bytes()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: asked.append("") or ("", ""))
    assert rolled.open(other)
    rolled.actions_["undo"].trigger()
    rolled.actions_["save_roll"].trigger()
    assert rolled.document.roll == ROLL and rolled.document.unsaved
    assert asked == [""] and other.read_bytes() == before
    rolled.actions_["redo"].trigger()
    assert rolled.document.roll_file.path == other and not rolled.document.unsaved


def test_labels_that_cannot_be_read_change_nothing(rolled, tmp_path):
    bad = tmp_path / "bad.txt"
    bad.write_text("1.0\tx\n", encoding="utf-8")
    late = tmp_path / "late.txt"
    late.write_text("1.0\t99.0\tDog\n", encoding="utf-8")
    for path, words in ((bad, "no labels that last"), (late, "past the end of the recording")):
        assert not rolled.open(path)
        assert words in rolled.messages.text and rolled.document.roll == ROLL


@pytest.mark.parametrize(("name", "whole"), [("r.csv", True), ("r.txt", False), ("r.json", True), ("r", True)])
def test_a_roll_saved_as_labels_is_saved_only_if_all_of_it_is_there(rolled, tmp_path, monkeypatch, name, whole):
    asked = []
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *a: asked.append(a[3]) or (str(tmp_path / name), ""))
    rolled.actions_["save_roll_as"].trigger()
    assert "*.TextGrid" in asked[0] and rolled.document.unsaved is not whole
    assert ("no place for everything" in rolled.messages.text) is not whole
    written = tmp_path / (name if "." in name else f"{name}.json")
    before = rolled.document.roll
    assert rolled.open(written)
    labels = [(event.action, event.label, event.start_s) for event in rolled.document.roll.events]
    assert labels == [(event.action, event.label, event.start_s) for event in before.events]
    assert (rolled.document.roll == before) is whole


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes])
def test_a_roll_that_is_saved_without_an_ending_asks_before_it_replaces(rolled, tmp_path, monkeypatch, answer):
    there, asked = tmp_path / "r.json", []
    there.write_text("precious", encoding="utf-8")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "r"), ""))
    monkeypatch.setattr(QMessageBox, "question", lambda *a: asked.append(a[2]) or answer)
    rolled.actions_["save_roll"].trigger()
    assert asked == ["r.json exists. Replace it?"]
    assert (there.read_text(encoding="utf-8") == "precious") is (answer == QMessageBox.StandardButton.No)
    assert (rolled.document.roll_file.path == there) is (answer == QMessageBox.StandardButton.Yes)


def test_a_name_of_no_format_is_refused(rolled, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "r.doc"), ""))
    rolled.actions_["save_roll_as"].trigger()
    assert "no labels are written with this ending" in rolled.messages.text and not (tmp_path / "r.doc").exists()


class _Loud(QTranslator):
    """A language in which everything is shouted."""

    def translate(self, context, source, disambiguation="", n=-1):
        return source.upper()

    def isEmpty(self):  # noqa: N802 - Qt's name
        return False


def test_the_names_of_the_formats_can_be_translated(qapp, window):
    plain = label_files.filters(window)
    assert "Raven selections (*.selections.txt)" in plain
    loud = _Loud()
    qapp.installTranslator(loud)
    try:
        assert "RAVEN SELECTIONS (*.selections.txt)" in label_files.filters(window)
    finally:
        qapp.removeTranslator(loud)
