"""Names of files, labels, rows and takes are shown as they are: no markup, no pictures from the disk."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QAbstractItemModel, QAbstractListModel, Qt
from PySide6.QtGui import Qt as GuiQt
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLabel, QMessageBox, QWidget

from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.studio import project_saving
from recomposer_studio.studio.plain import as_plain
from recomposer_studio.studio.views.export_dialog import ExportDialog

EVIL = "<b>evil</b><img src='file:///x.png'>"


def evil_roll():
    events = [
        Event(f"{EVIL}{k}", action, EVIL, 0.5 + k, 0.9 + k, f"{EVIL} row {k}")
        for k, action in enumerate((Action.DELETE, Action.ENHANCE, Action.KEEP))
    ]
    return EventRoll(tuple(events))


def rich(root: QWidget) -> list[str]:
    """What below a widget would show the evil text as markup."""
    found = []
    for widget in (root, *root.findChildren(QWidget)):
        name = f"{type(widget.parent()).__name__}/{type(widget).__name__} {widget.accessibleName()[:40]!r}"
        if isinstance(widget, QLabel) and "evil" in widget.text() and widget.textFormat() != Qt.TextFormat.PlainText:
            found.append(f"label of {name}")
        found += [f"tip of {name}"] * _marked(widget.toolTip())
        if isinstance(widget, QAbstractItemView) and widget.model() is not None:
            found += [f"item of {name}"] * any(_marked(tip) for tip in _tips(widget.model()))
    return found


def _marked(text: object) -> bool:
    return isinstance(text, str) and "<b>evil" in text and GuiQt.mightBeRichText(text)


def _tips(model: QAbstractItemModel) -> list[object]:
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount()  # which lists hide
    places = [model.index(row, column) for row in range(model.rowCount()) for column in range(columns)]
    return [model.data(place, Qt.ItemDataRole.ToolTipRole) for place in places]


@pytest.fixture
def evil(qtbot, opened):
    """A window full of names that look like markup, with a take."""
    opened.document.change_roll(EVIL, evil_roll())
    opened.generating.generate()
    qtbot.waitUntil(lambda: not opened.generating.running and len(opened.document.takes) == 1, timeout=20_000)
    entry = replace(opened.document.takes[0], name=EVIL, note=EVIL)
    opened.document.change(EVIL, replace(opened.document.state, takes=(entry,)))
    opened.settings = replace(opened.settings, recent_files=(f"/tmp/{EVIL}.wav",))
    opened.welcome.show_recent(opened.settings.recent_files)
    return opened


def test_nothing_in_the_window_takes_a_name_for_markup(qtbot, evil):
    for event in (*evil.document.roll.events, None):
        evil.document.select([event.id] if event is not None else [e.id for e in evil.document.roll.events])
        evil.messages.fail(f"{EVIL}: cannot be read")
        evil._pointed(0.6, 1000.0)
        QApplication.processEvents()
        assert rich(evil) == []


def test_nothing_in_the_export_dialog_takes_a_name_for_markup(qtbot, evil):
    dialog = ExportDialog(evil.document.takes[0].take, EVIL, evil)
    qtbot.addWidget(dialog)
    dialog._fail(f"'{EVIL}' would clip")
    assert rich(dialog) == []


def test_the_question_about_changes_shows_the_name_as_it_is(monkeypatch, evil):
    asked = []
    monkeypatch.setattr(project_saving, "name_of", lambda window: EVIL)
    monkeypatch.setattr(QMessageBox, "question", lambda *a: asked.append(a[2]) or QMessageBox.StandardButton.Cancel)
    evil.may_close()
    assert asked
    for words in asked:
        assert EVIL not in words and "&lt;b&gt;evil" in words


def test_what_looks_like_markup_is_escaped_and_the_rest_untouched():
    for text in ("a < b & c", "Dog", "", "x\ny", "5 > 3"):
        assert as_plain(text) == text
    assert as_plain("<b>x</b>\ny & z") == "<qt>&lt;b&gt;x&lt;/b&gt;<br>y &amp; z</qt>"
