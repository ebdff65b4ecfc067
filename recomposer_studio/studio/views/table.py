"""The rows as a table: the same events in words, sortable, editable, and what a screen reader reads."""

from dataclasses import fields

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event
from recomposer_studio.studio import verbs
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.theme import ACTION_SIGNS, text_colour
from recomposer_studio.studio.views.class_field import ClassField, taken_for

_Index = QModelIndex | QPersistentModelIndex
_NUMBERS = {"start_s": 3, "end_s": 3, "low_hz": 0, "high_hz": 0, "level_db": 1, "by_db": 1}
_EMPTY_MEANS_NONE = {"low_hz", "high_hz", "by_db"}
_EVENT_FIELDS = {field.name for field in fields(Event)}


class EventTable(QAbstractTableModel):
    """The events of a document.

    Signals:
        refused: an edit was refused; a sentence.
    """

    refused = Signal(str)
    COLUMNS = ("action", "label", "taken for", "start_s", "end_s", "low_hz", "high_hz", "level_db", "by_db", "row")

    def __init__(self, document: Document) -> None:
        super().__init__(document)
        self.document = document
        self._events: tuple[Event, ...] = ()
        document.roll_changed.connect(self._update)
        document.opened.connect(self._update)

    def _update(self) -> None:
        events = self.document.roll.events
        if [event.id for event in events] == [event.id for event in self._events]:
            changed = [row for row, (a, b) in enumerate(zip(events, self._events, strict=True)) if a is not b]
            self._events = events
            if changed:
                last = len(self.COLUMNS) - 1
                self.dataChanged.emit(self.index(changed[0], 0), self.index(changed[-1], last))
            return
        self.beginResetModel()
        self._events = events
        self.endResetModel()

    def event_at(self, row: int) -> Event:
        """The event of a row."""
        return self._events[row]

    def row_of(self, event_id: str) -> int:
        """The row of an event, -1 when there is none."""
        return next((row for row, event in enumerate(self._events) if event.id == event_id), -1)

    def rowCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: N802, B008 - Qt's name and default
        """One row an event."""
        return 0 if parent.isValid() else len(self._events)

    def columnCount(self, parent: _Index = QModelIndex()) -> int:  # noqa: N802, B008 - Qt's name and default
        """The columns."""
        return 0 if parent.isValid() else len(self.COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:  # noqa: N802 - Qt's name
        """Titles with units."""
        titles = (
            self.tr("Action"), self.tr("Class"), self.tr("Taken for"), self.tr("Start (s)"), self.tr("End (s)"),
            self.tr("From (Hz)"), self.tr("To (Hz)"), self.tr("Level (dB)"), self.tr("By (dB)"), self.tr("Row"),
        )  # fmt: skip
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return titles[section]
        return super().headerData(section, orientation, role)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Words for people, numbers for sorting."""
        if not index.isValid():
            return None
        event, name = self._events[index.row()], self.COLUMNS[index.column()]
        value = taken_for(event.label) if name == "taken for" else getattr(event, name)
        if role == Qt.ItemDataRole.UserRole:
            return -1.0 if value is None else value
        if role == Qt.ItemDataRole.EditRole:
            return "" if value is None else str(round(value, 4) if isinstance(value, float) else value)
        if role == Qt.ItemDataRole.DisplayRole:
            return self._words(event, name, value)
        if role == Qt.ItemDataRole.ForegroundRole and name == "action":
            return text_colour(event.action)
        if role == Qt.ItemDataRole.TextAlignmentRole and name in _NUMBERS:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _words(self, event: Event, name: str, value: object) -> str:
        if name == "action":
            return f"{ACTION_SIGNS[event.action]}  {action_words(self)[event.action]}"
        if name == "level_db" and (event.action in (Action.DELETE, Action.KEEP) or event.by_db is not None):
            return ""
        if value is None:
            return ""
        return f"{value:.{_NUMBERS[name]}f}" if isinstance(value, float) else str(value)

    def flags(self, index: _Index) -> Qt.ItemFlag:
        """All but the derived column can be edited."""
        base = super().flags(index)
        editable = self.COLUMNS[index.column()] in _EVENT_FIELDS
        return base | Qt.ItemFlag.ItemIsEditable if editable else base

    def setData(self, index: _Index, value: object, role: int = Qt.ItemDataRole.EditRole) -> bool:  # noqa: N802 - Qt's name
        """One edit, one step of undo; what does not fit is refused in words."""
        if role != Qt.ItemDataRole.EditRole or not index.isValid():
            return False
        event, name = self._events[index.row()], self.COLUMNS[index.column()]
        text = str(value).strip()
        if text == str(self.data(index, Qt.ItemDataRole.EditRole)):
            # The editor shows fewer digits than the event has.
            return True
        try:
            new: object = Action(text) if name == "action" else text
            if name in _NUMBERS:
                new = None if not text and name in _EMPTY_MEANS_NONE else float(text.replace(",", "."))
            if name == "end_s" and isinstance(new, float):
                new = min(new, self.document.duration_s)
            roll = verbs.change(self.document.roll, [event.id], **{name: new})
        except ValueError:
            self.refused.emit(self.tr("'{0}' is not a number; the value stays as it was.").format(text))
            return False
        except InputError as error:
            self.refused.emit(str(error))
            return False
        self.document.change_roll(self.tr("Edit {0}").format(event.label), roll)
        return True


def action_words(translator: QAbstractItemModel | QWidget) -> dict[Action, str]:
    """The actions in the person's language."""
    return {
        Action.INSERT: translator.tr("Insert"),
        Action.DELETE: translator.tr("Delete"),
        Action.ENHANCE: translator.tr("Enhance"),
        Action.KEEP: translator.tr("Keep"),
    }


class _ActionDelegate(QStyledItemDelegate):
    """A list of the four actions."""

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:  # noqa: N802 - Qt's name
        """The list."""
        box = QComboBox(parent)
        box.setAccessibleName(self.tr("Action"))
        for action, words in action_words(parent).items():
            box.addItem(words, action.value)
        return box

    def setEditorData(self, editor: QWidget, index: _Index) -> None:  # noqa: N802 - Qt's name
        """Shows the present action."""
        assert isinstance(editor, QComboBox)
        editor.setCurrentIndex(editor.findData(index.data(Qt.ItemDataRole.EditRole)))

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: _Index) -> None:  # noqa: N802 - Qt's name
        """Takes the chosen one."""
        assert isinstance(editor, QComboBox)
        model.setData(index, editor.currentData(), Qt.ItemDataRole.EditRole)


class _FieldDelegate(QStyledItemDelegate):
    """The usual field, with the name of its column."""

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:  # noqa: N802 - Qt's name
        """The field."""
        field = super().createEditor(parent, option, index)
        field.setAccessibleName(str(index.model().headerData(index.column(), Qt.Orientation.Horizontal)))
        return field


class _ClassDelegate(QStyledItemDelegate):
    """The class field with its completion."""

    def __init__(self, parent: "RowsPanel") -> None:
        super().__init__(parent)
        self._panel = parent

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:  # noqa: N802 - Qt's name
        """The field."""
        field = ClassField(parent)
        field.recent, field.trained = self._panel.recent, self._panel.trained
        return field


class RowsPanel(QWidget):
    """The table with its filter; its selection is the document's."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.recent: tuple[str, ...] = ()
        self.trained: frozenset[str] = frozenset()
        self.table = EventTable(document)
        self._sorted = QSortFilterProxyModel(self)
        self._sorted.setSourceModel(self.table)
        self._sorted.setSortRole(Qt.ItemDataRole.UserRole)
        self._sorted.setFilterKeyColumn(-1)
        self._sorted.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(self.tr("Filter rows"))
        self.filter.setAccessibleName(self.tr("Filter rows"))
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._sorted.setFilterFixedString)
        self.grid = QTableView()
        self.grid.setAccessibleName(self.tr("Rows table"))
        self.grid.setModel(self._sorted)
        self.grid.setSortingEnabled(True)
        self.grid.sortByColumn(EventTable.COLUMNS.index("start_s"), Qt.SortOrder.AscendingOrder)
        self.grid.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.grid.setAlternatingRowColors(True)
        self.grid.setMinimumHeight(4 * self.fontMetrics().height())
        self.grid.verticalHeader().hide()
        self.grid.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + 9)
        header = self.grid.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        for column, width in enumerate((96, 124, 148, 70, 70, 78, 70, 78, 66)):
            self.grid.setColumnWidth(column, width)
        self._action_delegate, self._class_delegate = _ActionDelegate(self), _ClassDelegate(self)
        self.grid.setItemDelegate(_FieldDelegate(self))
        self.grid.setItemDelegateForColumn(0, self._action_delegate)
        self.grid.setItemDelegateForColumn(1, self._class_delegate)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.addWidget(self.filter)
        layout.addWidget(self.grid)
        self._busy = False
        self.grid.selectionModel().selectionChanged.connect(self._selected_here)
        document.selection_changed.connect(self._selected_there)
        self.table.modelReset.connect(self._selected_there)

    def _selected_here(self) -> None:
        if not self._busy:
            self._busy = True
            rows = [self._sorted.mapToSource(index).row() for index in self.grid.selectionModel().selectedRows()]
            self.document.select([self.table.event_at(row).id for row in rows])
            self._busy = False

    def _selected_there(self) -> None:
        if self._busy:
            return
        self._busy = True
        chosen = QItemSelection()
        last = QModelIndex()
        for event_id in self.document.selected:
            row = self.table.row_of(event_id)
            if row >= 0:
                last = self._sorted.mapFromSource(self.table.index(row, 0))
                chosen.select(last, last)
        mode = QItemSelectionModel.SelectionFlag
        self.grid.selectionModel().select(chosen, mode.ClearAndSelect | mode.Rows)
        if last.isValid():
            self.grid.scrollTo(last)
        self._busy = False
