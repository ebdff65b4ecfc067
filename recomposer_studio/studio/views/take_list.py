"""The list of the versions: two lines each, with stars and a lock that are clicked where they are."""

import math
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPalette,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import (
    QAbstractItemDelegate,
    QAbstractItemView,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from recomposer_studio.project.state import MAX_STARS
from recomposer_studio.studio.plain import as_plain
from recomposer_studio.studio.theme import is_dark, shades

_LINE = Qt.ItemDataRole.UserRole
_MARGIN, _STAR, _LOCK = 7, 15, 20
_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class TakeLine:
    """What a line shows besides its name.

    Attributes:
        number: its key.
        facts: the second line; empty for the original, which has no stars and no lock.
        stars: rating.
        locked: whether it is protected.
        more: the tool tip.
    """

    number: int
    facts: str = ""
    stars: int = 0
    locked: bool = False
    more: str = ""


class TakeList(QListWidget):
    """The original on top, then the takes; a line's text is its name, which F2 or a double-click edits.

    Signals:
        starred: (row, number of stars) was clicked.
        lock_switched: the lock of a row was clicked.
        remove_requested: Del was pressed on the current line.
        name_left: the field over a name is gone.
    """

    starred = Signal(int, int)
    lock_switched = Signal(int)
    remove_requested = Signal()
    name_left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed | QAbstractItemView.EditTrigger.DoubleClicked)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Lines(self))

    def show_lines(self, lines: list[tuple[str, TakeLine]]) -> None:
        """Shows names and lines; items stay where they are."""
        while self.count() > len(lines):
            self.takeItem(self.count() - 1)
        for row, (name, line) in enumerate(lines):
            if row == self.count():
                new = QListWidgetItem()
                if row:
                    new.setFlags(new.flags() | Qt.ItemFlag.ItemIsEditable)
                self.addItem(new)
            item = self.item(row)
            item.setText(name)
            item.setData(_LINE, line)
            item.setToolTip(as_plain(line.more))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, self._spoken(name, line))

    @property
    def naming(self) -> bool:
        """Whether a name is being edited."""
        return self.state() == QAbstractItemView.State.EditingState

    def closeEditor(self, editor: QWidget, hint: QAbstractItemDelegate.EndEditHint) -> None:  # noqa: N802 - Qt's name
        """Tells that the field is gone."""
        super().closeEditor(editor, hint)
        self.name_left.emit()

    def line(self, row: int) -> TakeLine:
        """What a row shows."""
        line = self.item(row).data(_LINE)
        assert isinstance(line, TakeLine)
        return line

    def _spoken(self, name: str, line: TakeLine) -> str:
        parts = [f"{line.number} {name}", line.facts]
        if line.stars:
            parts.append(self.tr("1 star") if line.stars == 1 else self.tr("{0} stars").format(line.stars))
        if line.locked:
            parts.append(self.tr("locked"))
        return ", ".join(part for part in parts if part)

    def _clicked_on(self, event: QMouseEvent) -> tuple[int, int] | None:
        """(row, star) or (row, -1) for the lock, where the mouse is on one."""
        point = event.position().toPoint()
        item = self.itemAt(point)
        if item is None or event.button() != Qt.MouseButton.LeftButton or not self.line(self.row(item)).facts:
            return None
        rect, row = self.visualItemRect(item), self.row(item)
        if lock_rect(rect).contains(point):
            return row, -1
        for number in range(1, MAX_STARS + 1):
            if star_rect(rect, number).contains(point):
                return row, number
        return None

    def event(self, event: QEvent) -> bool:
        """Here Del is for the take, not for the boxes."""
        # Qt's own "Delete" is Ctrl+D too on some systems, which means something else here.
        plain = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier
        if isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Delete and event.modifiers() in plain:
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self.remove_requested.emit()
                return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Rates or locks; elsewhere chooses what is heard."""
        place = self._clicked_on(event)
        if place is None:
            super().mousePressEvent(event)
            return
        row, number = place
        if number < 0:
            self.lock_switched.emit(row)
        else:
            # The last star once more takes the rating away.
            self.starred.emit(row, 0 if self.line(row).stars == number else number)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Two fast clicks on a star are two clicks."""
        if self._clicked_on(event) is None:
            super().mouseDoubleClickEvent(event)
        else:
            self.mousePressEvent(event)


def lock_rect(line: QRect) -> QRect:
    """Where the lock of a line is."""
    return QRect(line.right() - _MARGIN - _LOCK + 4, line.top() + 3, _LOCK, line.height() // 2)


def star_rect(line: QRect, number: int) -> QRect:
    """Where a star of a line is, 1 for the first."""
    right = lock_rect(line).left() - 5 - (MAX_STARS - number) * _STAR
    return QRect(right - _STAR, line.top() + 3, _STAR, line.height() // 2)


class _Lines(QStyledItemDelegate):
    """Draws the lines."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:  # noqa: N802 - Qt's name
        """Two lines of text, one for the original."""
        line = index.data(_LINE)
        count = 2 if isinstance(line, TakeLine) and line.facts else 1
        return QSize(100, count * option.fontMetrics.lineSpacing() + 9)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        """Number and name, under it the facts; on the right stars and lock."""
        line, widget = index.data(_LINE), option.widget
        if not isinstance(line, TakeLine) or widget is None:
            return
        widget.style().drawPrimitive(QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, widget)
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        colours = shades(option.palette)
        role = QPalette.ColorRole.HighlightedText if chosen else QPalette.ColorRole.Text
        text = option.palette.color(role)
        faint = text if chosen else colours.faint
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        first = self._first_line(option, line)
        number_width = option.fontMetrics.horizontalAdvance("00 ")
        painter.setPen(faint)
        painter.drawText(first, Qt.AlignmentFlag.AlignVCenter, str(line.number))
        font = option.font
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(text)
        place = first.adjusted(number_width, 0, 0, 0)
        name = painter.fontMetrics().elidedText(str(index.data()), Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, name)
        if line.facts:
            font.setBold(False)
            painter.setFont(font)
            painter.setPen(faint)
            second = QRect(place.left(), first.bottom(), option.rect.right() - _MARGIN - place.left(), first.height())
            facts = painter.fontMetrics().elidedText(line.facts, Qt.TextElideMode.ElideRight, second.width())
            painter.drawText(second, Qt.AlignmentFlag.AlignVCenter, facts)
            gold = text if chosen else QColor(242, 190, 64) if is_dark(option.palette) else QColor(178, 116, 0)
            dim = QColor(faint)
            dim.setAlpha(120)
            for number in range(1, MAX_STARS + 1):
                _draw_star(painter, QRectF(star_rect(option.rect, number)), gold if number <= line.stars else None, dim)
            _draw_lock(painter, QRectF(lock_rect(option.rect)), line.locked, text if line.locked else dim)
        painter.restore()

    def updateEditorGeometry(  # noqa: N802 - Qt's name
        self, editor: QWidget, option: QStyleOptionViewItem, index: _Index
    ) -> None:
        """The name is edited where it stands."""
        line = index.data(_LINE)
        if isinstance(line, TakeLine):
            number_width = option.fontMetrics.horizontalAdvance("00 ")
            editor.setGeometry(self._first_line(option, line).adjusted(number_width - 3, -1, 0, 3))

    def _first_line(self, option: QStyleOptionViewItem, line: TakeLine) -> QRect:
        rect = option.rect
        right = star_rect(rect, 1).left() - 4 if line.facts else rect.right() - _MARGIN
        top = rect.top() + 4
        return QRect(QPoint(rect.left() + _MARGIN, top), QPoint(right, top + option.fontMetrics.lineSpacing()))


def _draw_star(painter: QPainter, rect: QRectF, colour: QColor | None, dim: QColor) -> None:
    """A filled star, or the outline of one that is not given."""
    centre, radius = rect.center(), 0.42 * rect.width()
    points = []
    for corner in range(10):
        angle = math.pi * (corner / 5 - 0.5)
        reach = radius if corner % 2 == 0 else 0.45 * radius
        points.append(QPointF(centre.x() + reach * math.cos(angle), centre.y() + reach * math.sin(angle)))
    painter.setPen(QPen(colour or dim, 1.0))
    painter.setBrush(colour if colour is not None else Qt.BrushStyle.NoBrush)
    painter.drawPolygon(QPolygonF(points))


def _draw_lock(painter: QPainter, rect: QRectF, locked: bool, colour: QColor) -> None:
    """A padlock, open or closed."""
    centre = rect.center()
    body = QRectF(centre.x() - 4.5, centre.y() - 1.0, 9.0, 7.0)
    shackle = QPainterPath()
    left, right = centre.x() - 3.0, centre.x() + 3.0
    if not locked:
        left, right = left + 5.5, right + 5.5
    shackle.moveTo(left, body.top())
    shackle.lineTo(left, body.top() - 2.0)
    shackle.arcTo(QRectF(left, body.top() - 5.0, right - left, 6.0), 180.0, -180.0)
    shackle.lineTo(right, body.top() if locked else body.top() - 1.5)
    painter.setPen(QPen(colour, 1.4))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPath(shackle)
    painter.setBrush(colour if locked else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(body, 1.2, 1.2)
