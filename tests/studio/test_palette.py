import pytest
import shiboken6
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QAccessible, QAction
from PySide6.QtWidgets import QApplication, QMenu

from recomposer_studio.studio.actions import MENUS
from recomposer_studio.studio.views.palette import Palette, commands, search
from tests.studio.test_window import nameless


@pytest.fixture
def palette(qtbot, rolled):
    qtbot.keyClick(rolled, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    palette = rolled.findChild(Palette)
    yield palette
    if shiboken6.isValid(palette):
        palette.close()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def lines(palette) -> list[str]:
    return [palette.list.model().index(row, 0).data() for row in range(palette.list.model().rowCount())]


def test_every_action_of_the_menus_is_in_it(palette, rolled):
    actions = {id(command.action) for command in palette._known}
    for _, _, entries in MENUS:
        for entry in entries:
            if entry.id and entry.id != "palette":
                assert id(rolled.actions_[entry.id]) in actions, entry.id
    words = " ".join(command.words for command in palette._known)
    assert "View: Colours: Magma" in words and "Take 3" in words and "View: Panels: History" in words
    assert "&" not in words


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("gener", "Takes: Generate"),
        ("zoom in", "View: Zoom in"),
        ("selct all", "Edit: Select all boxes"),
        ("magma", "View: Colours: Magma"),
        ("rename", "Rows: Rename the row"),
    ],
)
def test_a_few_letters_find_it(palette, typed, wanted):
    palette.field.setText(typed)
    assert any(line.startswith(wanted) for line in lines(palette)[:3]), lines(palette)[:5]


def test_return_does_what_is_chosen_and_closes_first(qtbot, palette, rolled):
    qtbot.keyClicks(palette.field, "select all b")
    qtbot.keyClick(palette.field, Qt.Key.Key_Return)
    assert len(rolled.document.selected) == 3
    assert not any(other.isVisible() for other in rolled.findChildren(Palette))


def test_arrows_choose_and_escape_changes_nothing(qtbot, palette, rolled):
    before = rolled.document.state
    qtbot.keyClick(palette.field, Qt.Key.Key_Down)
    assert palette.list.currentIndex().row() == 1
    qtbot.keyClick(palette.field, Qt.Key.Key_Escape)
    assert not any(other.isVisible() for other in rolled.findChildren(Palette))
    assert rolled.document.state == before


def test_keys_are_shown_and_spoken(palette):
    palette.field.setText("zoom in")
    index = palette.list.model().index(0, 0)
    assert index.data(Qt.ItemDataRole.AccessibleTextRole) == "View: Zoom in, Ctrl+=, Ctrl++"
    assert QAccessible.queryAccessibleInterface(palette.field).text(QAccessible.Text.Name)
    assert palette.grab().width() > 300
    assert nameless(palette) == []


def test_what_cannot_be_done_comes_last_and_does_nothing(qtbot, palette, rolled):
    palette.field.setText("export take")
    model = palette.list.model()
    row = next(row for row, line in enumerate(lines(palette)) if line.startswith("File: Export take"))
    enabled = [bool(model.index(k, 0).flags() & Qt.ItemFlag.ItemIsEnabled) for k in range(model.rowCount())]
    assert not enabled[row]
    assert enabled == sorted(enabled, reverse=True)
    palette._take(model.index(row, 0))
    assert palette.isVisible()


def test_nothing_typed_keeps_the_order_of_the_menus(qapp):
    menu = QMenu("&One")
    for words in ("&First", "Second ...", "Third"):
        menu.addAction(words)
    menu.addSeparator()
    loose = QAction("Loose")
    known = commands([menu], [loose, menu.actions()[0]])
    assert [command.words for command in known] == ["One: First", "One: Second", "One: Third", "Loose"]
    assert search(" ", known) == known
    menu.deleteLater()
