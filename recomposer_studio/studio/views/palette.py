"""The command palette: every action by a few letters of its name, with its keys beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPoint, QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QPainter, QPalette, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFrame,
    QLineEdit,
    QListView,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)
from rapidfuzz import fuzz, process, utils

if TYPE_CHECKING:
    from PySide6.QtCore import QModelIndex, QPersistentModelIndex

    from recomposer_studio.studio.window import Window

    _Index = QModelIndex | QPersistentModelIndex

_LINES = 14
_BOUND_TO = 55.0
_COMMAND, _KEYS = Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class Command:
    """An action as the palette shows it.

    Attributes:
        words: the menus it stands in and its own words.
        keys: its short-cuts, in the person's language.
        action: what it triggers.
    """

    words: str
    keys: str
    action: QAction


def _plain(words: str) -> str:
    return words.replace("&", "").removesuffix("...").strip()


def commands(menus: Iterable[QMenu], more: Sequence[QAction]) -> list[Command]:
    """Every action of the menus and their submenus, then others that stand in none; each once."""
    found: dict[int, Command] = {}

    def add(action: QAction, path: tuple[str, ...]) -> None:
        if action.isSeparator() or not action.text() or not action.isVisible() or id(action) in found:
            return
        keys = ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())
        found[id(action)] = Command(": ".join((*path, _plain(action.text()))), keys, action)

    def walk(menu: QMenu, path: tuple[str, ...]) -> None:
        path = (*path, _plain(menu.title()))
        for action in menu.actions():
            inner = action.menu()
            if isinstance(inner, QMenu):
                walk(inner, path)
            else:
                add(action, path)

    for menu in menus:
        walk(menu, ())
    for action in more:
        add(action, ())
    return list(found.values())


def search(typed: str, known: Sequence[Command]) -> list[Command]:
    """The commands that a few letters may mean, the likeliest first; nothing typed gives all in their order.

    What cannot be done at the moment comes last.
    """
    chosen = list(known)
    if typed.strip():
        typed = typed.strip().lower()
        words = [command.words.lower() for command in known]
        found = process.extract(
            typed, words, scorer=fuzz.WRatio, processor=utils.default_process, limit=None, score_cutoff=_BOUND_TO
        )

        def rank(word: str, score: float) -> tuple[bool, bool, float, int]:
            own = word.rpartition(": ")[2]
            return not own.startswith(typed), f" {typed}" not in f" {word}", -score, len(word)

        chosen = [known[place] for word, _, place in sorted(found, key=lambda hit: rank(hit[0], hit[1]))]
    return sorted(chosen, key=lambda command: not command.action.isEnabled())


class _Line(QStyledItemDelegate):
    """The words on the left, the keys on the right."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: "_Index") -> None:
        """Draws the line as the style does, then the keys."""
        super().paint(painter, option, index)
        keys = str(index.data(_KEYS) or "")
        if keys:
            painter.save()
            there = bool(index.flags() & Qt.ItemFlag.ItemIsEnabled)
            group = QPalette.ColorGroup.Active if there else QPalette.ColorGroup.Disabled
            chosen = bool(option.state & QStyle.StateFlag.State_Selected)
            role = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text
            painter.setPen(option.palette.color(group, role))
            spot = option.rect.adjusted(0, 0, -10, 0)
            painter.drawText(spot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, keys)
            painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: "_Index") -> QSize:  # noqa: N802 - Qt's name
        """A little air, and room for the keys."""
        size = super().sizeHint(option, index)
        keys = option.fontMetrics.horizontalAdvance(str(index.data(_KEYS) or ""))
        return QSize(size.width() + keys + 40, size.height() + 6)


class Palette(QDialog):
    """The field and the list below it. Return does what is chosen, Esc closes.

    Args:
        known: what can be found.
        parent: the window.
    """

    def __init__(self, known: Sequence[Command], parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self._known = known
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Find a command"))
        self.setAccessibleName(self.tr("Find a command"))
        self.field = QLineEdit()
        self.field.setPlaceholderText(self.tr("Type a few letters of a command ..."))
        self.field.setAccessibleName(self.tr("Command"))
        self.field.setAccessibleDescription(self.tr("Arrow keys choose, Return does it, Escape closes"))
        self.field.setClearButtonEnabled(True)
        self.list = QListView()
        self.list.setAccessibleName(self.tr("Commands"))
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setUniformItemSizes(True)
        # The field keeps the focus: what is chosen in the list is told by its selection.
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._model = QStandardItemModel(self)
        self.list.setModel(self._model)
        self._delegate = _Line(self)
        self.list.setItemDelegate(self._delegate)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self.field)
        layout.addWidget(self.list)
        self.field.textChanged.connect(self._search)
        self.field.installEventFilter(self)
        self.list.clicked.connect(self._take)
        self.list.activated.connect(self._take)
        self._search("")
        line = self.list.sizeHintForRow(0)
        self.resize(
            max(560, 46 * self.fontMetrics().averageCharWidth()), _LINES * line + self.field.sizeHint().height() + 28
        )

    def _search(self, typed: str) -> None:
        self._model.clear()
        for command in search(typed, self._known):
            item = QStandardItem(command.words)
            checked = command.action.isCheckable() and command.action.isChecked()
            if checked:
                item.setText(f"{command.words}  \u2713")
            spoken = f"{command.words}, {command.keys}" if command.keys else command.words
            item.setData(spoken, Qt.ItemDataRole.AccessibleTextRole)
            item.setData(command, _COMMAND)
            item.setData(command.keys, _KEYS)
            item.setEnabled(command.action.isEnabled())
            self._model.appendRow(item)
        if self._model.rowCount():
            self.list.setCurrentIndex(self._model.index(0, 0))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        """Arrow keys and Return act on the list while the field has the focus."""
        if watched is self.field and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            key = event.key()
            if key in (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_PageDown, Qt.Key.Key_PageUp):
                QApplication.sendEvent(self.list, event)
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
                self._take(self.list.currentIndex())
                return True
        return super().eventFilter(watched, event)

    def _take(self, index: "_Index") -> None:
        command = index.data(_COMMAND) if index.isValid() else None
        if isinstance(command, Command) and command.action.isEnabled():
            # Closed first: what the command opens or focuses stays in front.
            self.close()
            command.action.trigger()


def show_palette(window: "Window") -> None:
    """Opens the palette under the upper edge of a window."""
    menus = [action.menu() for action in window.menuBar().actions()]
    known = commands([menu for menu in menus if isinstance(menu, QMenu)], window.actions())
    palette = Palette([command for command in known if command.action is not window.actions_["palette"]], window)
    palette.resize(min(palette.width(), window.width() - 40), min(palette.height(), window.height() - 100))
    palette.move(window.mapToGlobal(QPoint((window.width() - palette.width()) // 2, 70)))
    palette.show()
    palette.field.setFocus()
