from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QAccessible, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QLineEdit,
    QMessageBox,
    QPlainTextEdit,
    QTextBrowser,
    QWidget,
)

from recomposer_studio.roll.file import format_roll
from recomposer_studio.studio.actions import MENUS
from recomposer_studio.studio.views.export_dialog import ExportDialog
from tests.editing.scenes import noise, write
from tests.studio.rolls import ROLL

CONTROLS = (
    QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit, QTextBrowser,
)  # fmt: skip


def nameless(root: QWidget) -> list[str]:
    """Controls a screen reader could not tell: without a name, and not an inner part of a named one."""
    found = []
    for widget in root.findChildren(QWidget):
        parent = widget.parentWidget()
        inner = isinstance(widget, QLineEdit) and isinstance(parent, QAbstractSpinBox | QComboBox)
        qt_made = widget.objectName().startswith("qt_") or type(widget).__name__ in (
            "QDockWidgetTitleButton",
            "QHeaderView",
        )
        if isinstance(parent, QAbstractItemView | QTextBrowser | QPlainTextEdit) or (
            parent and parent.objectName().startswith("qt_")
        ):
            continue
        inner = inner or isinstance(parent, QLineEdit)
        spoken = QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)
        if isinstance(widget, CONTROLS) and not (inner or qt_made or spoken):
            found.append(f"{type(widget).__name__} in {type(parent).__name__} {getattr(widget, 'text', str)()}")
    return found


def test_every_control_has_a_name_for_a_screen_reader(qtbot, rolled):
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running)
    rolled.document.select(("b",))
    rolled.actions_["export"].trigger()
    assert nameless(rolled) == []
    assert len(rolled.findChildren(QAbstractButton)) > 20
    rolled.findChild(ExportDialog).close()


def test_every_key_belongs_to_one_action():
    keys = [key for _, _, entries in MENUS for entry in entries for key in entry.keys]
    assert len(keys) == len(set(keys))


def test_the_window_begins_empty_and_teaches(window):
    assert window.pages.currentWidget() is window.welcome
    assert not window.docks[0].isVisible()
    assert not window.actions_["generate"].isEnabled()
    assert nameless(window) == []


def test_there_is_a_meter_only_where_something_can_be_heard(window, recording):
    window.show()
    assert not window.status.meters.isVisible()
    window.open(recording)
    assert window.status.meters.isVisible()


def test_a_recent_file_is_offered_and_opens(qtbot, window, recording):
    window.open(recording)
    other = type(window)(window.settings_file, lambda rate: None)
    qtbot.addWidget(other)
    assert other.settings.recent_files == (str(recording.resolve()),)
    other.shut_down()


def drop(window, *paths: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(50, 50), Qt.DropAction.CopyAction, mime, buttons, keys)
    window.dragEnterEvent(enter)
    assert enter.isAccepted()
    window.dropEvent(QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, mime, buttons, keys))


def test_a_recording_and_its_roll_are_dropped_together(window, recording, tmp_path):
    (tmp_path / "roll.json").write_text(format_roll(ROLL), encoding="utf-8")
    drop(window, tmp_path / "roll.json", recording)
    assert window.document.roll == ROLL
    assert window.pages.currentWidget() is window.timeline


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("movie.mp4", b"\0\0\0\x18ftypmp42" + bytes(100), "M4A/MP4"),
        ("text.wav", b"this is no sound", "wav"),
        ("empty.wav", b"", "empty"),
        ("roll.json", b"{}", "recording first"),
    ],
)
def test_what_cannot_be_opened_is_told_in_one_sentence(window, tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    assert not window.open(tmp_path / name)
    assert words in window.messages.text
    assert "\n" not in window.messages.text
    window.messages.close_button.click()
    assert window.messages.text == ""


@pytest.mark.parametrize("answer", [QMessageBox.StandardButton.Cancel, QMessageBox.StandardButton.Discard])
def test_unsaved_boxes_are_not_lost_without_a_question(rolled, tmp_path, monkeypatch, answer):
    asked = []
    monkeypatch.setattr(QMessageBox, "question", lambda *_: asked.append(1) or answer)
    other = write(tmp_path / "other.wav", noise(1, 1.0, 8_000), 8_000)
    assert rolled.open(other) == (answer == QMessageBox.StandardButton.Discard)
    assert asked
    assert (rolled.document.roll == ROLL) == (answer == QMessageBox.StandardButton.Cancel)


def test_help_opens_and_closes(window):
    for action_id in ("keys", "about"):
        window.actions_[action_id].trigger()
        dialogs = [child for child in window.findChildren(QDialog) if child.isVisible()]
        assert len(dialogs) == 1
        assert nameless(dialogs[0]) == []
        dialogs[0].close()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.mark.parametrize("theme", ["dark", "light", "system"])
def test_every_theme_draws_every_state(qtbot, rolled, theme):
    rolled.set_theme(theme)
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running)
    rolled.document.select(("a",))
    image = rolled.grab().toImage()
    # Something was drawn: the picture alone has hundreds of colours.
    colours = {image.pixel(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)}
    assert len(colours) > 100


def test_an_error_is_not_pushed_away_by_news(window):
    window.messages.fail("this went wrong")
    window.messages.tell("this is good to know")
    assert window.messages.text == "This went wrong"
    window.messages.close_button.click()
    assert window.messages.text == "This is good to know"
    window.messages.close_button.click()
    assert window.messages.text == ""
