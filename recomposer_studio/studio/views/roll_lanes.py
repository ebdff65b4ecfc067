"""The event roll: a lane for every row, on the picture's time axis."""

from collections import defaultdict

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import MAX_TEXT_LENGTH, Event, EventRoll
from recomposer_studio.studio import verbs
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.suggestions import Suggestions
from recomposer_studio.studio.theme import Shades, is_dark
from recomposer_studio.studio.time_view import TimeView
from recomposer_studio.studio.views.boxes import caption, paint_handles, paint_in_lane, text_width
from recomposer_studio.studio.views.captions import LaneRoom, LaneTag, place_in_lane
from recomposer_studio.studio.views.strip import GUTTER
from recomposer_studio.studio.views.suggested import SUGGESTED
from recomposer_studio.studio.views.suggested import paint_in_lane as paint_suggestion
from recomposer_studio.studio.views.surface import Surface

LANE = 28
_BEYOND = 2_000.0
"""Edges that lie further outside of the view than this, in pixels, are drawn there: Qt is slow with distant lines."""


class RollLanes(Surface):
    """The lanes. There is always an empty one at the bottom to draw a new row in.

    Names are dragged up and down to put the rows into another order, and double-clicked to change them.

    Signals:
        extent_changed: the number of lanes or the place of the view changed.
        refused: a name cannot be given; a sentence.
    """

    extent_changed = Signal()
    refused = Signal(str)

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(document, view, parent)
        self.setAccessibleName(self.tr("Event roll"))
        self.setAccessibleDescription(self.tr("A lane for every row; the rows table lists the same events"))
        self.top = 0
        self._lanes: tuple[EventRoll, dict[str, int]] | None = None
        self._suggested: tuple[EventRoll, tuple[Event, ...], dict[str, int]] | None = None
        self._row_drag: tuple[str, float] | None = None
        self._row_place: int | None = None
        self._naming: QLineEdit | None = None
        document.roll_changed.connect(self._extent)
        document.opened.connect(self._extent)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Six lanes."""
        return QSize(900, 6 * LANE)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Two lanes."""
        return QSize(320, 2 * LANE)

    @property
    def lanes(self) -> dict[str, int]:
        """Row -> number of its lane."""
        roll = self.document.roll
        if self._lanes is None or self._lanes[0] is not roll:
            self._lanes = roll, {row: number for number, row in enumerate(roll.rows())}
        return self._lanes[1]

    @property
    def hidden_pixels(self) -> int:
        """How far the view can be scrolled."""
        return max(0, (len(self.lanes) + 1 + len(self.suggested_lanes)) * LANE - self.height())

    @property
    def suggested_lanes(self) -> dict[str, int]:
        """Row of suggestions that the roll has not -> number of its lane, below the empty one."""
        roll, visible = self.document.roll, self.suggestions.visible if self.suggestions is not None else ()
        if self._suggested is None or self._suggested[0] is not roll or self._suggested[1] is not visible:
            rows = dict.fromkeys(event.row for event in visible if event.row not in self.lanes)
            numbers = {row: number for number, row in enumerate(rows, start=len(self.lanes) + 1)}
            self._suggested = roll, visible, numbers
        return self._suggested[2]

    def show_suggestions(self, suggestions: Suggestions) -> None:
        """Shows what the detector suggests."""
        super().show_suggestions(suggestions)
        suggestions.changed.connect(self._suggestions_changed)

    def _suggestions_changed(self) -> None:
        focused = self.suggestions.focused if self.suggestions is not None else None
        if focused is not None:
            self._reveal_lane(self._suggested_lane(focused))
        self._extent()

    def _suggested_lane(self, event: Event) -> int:
        lane = self.lanes.get(event.row)
        return self.suggested_lanes.get(event.row, 0) if lane is None else lane

    def suggestion_box(self, event: Event) -> QRectF:
        """Where a suggestion lies."""
        return self._spot(event, self._suggested_lane(event))

    def scroll_to(self, top: int) -> None:
        """Puts the upper edge of the view at a pixel of the roll."""
        top = min(max(top, 0), self.hidden_pixels)
        if top != self.top:
            self.top = top
            self.update()
            self.extent_changed.emit()

    def reveal(self, event: Event) -> None:
        """Scrolls up or down until an event's lane is seen."""
        self._reveal_lane(self.lanes[event.row])

    def _reveal_lane(self, number: int) -> None:
        y = number * LANE
        if y < self.top:
            self.scroll_to(y)
        elif y + LANE > self.top + self.height():
            self.scroll_to(y + LANE - self.height())

    def scroll_rows(self, pixels: int) -> bool:
        """Scrolls through the lanes where there are more than fit."""
        if self.hidden_pixels == 0:
            return False
        self.scroll_to(self.top + pixels)
        return True

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        """More or fewer lanes fit."""
        super().resizeEvent(event)
        self._extent()

    def _extent(self) -> None:
        self.top = min(self.top, self.hidden_pixels)
        self.extent_changed.emit()

    # --- geometry ----------------------------------------------------------------------------------------------------

    def box(self, event: Event) -> QRectF:
        """Where an event lies."""
        return self._spot(event, self.lanes[event.row])

    def _spot(self, event: Event, lane: int) -> QRectF:
        left, right = max(self.x_of(event.start_s), -_BEYOND), min(self.x_of(event.end_s), self.width() + _BEYOND)
        return QRectF(left, lane * LANE - self.top + 3, max(right - left, 3.0), LANE - 6)

    def row_at(self, point: QPointF) -> str | None:
        """The row whose lane lies under a point."""
        number = self._lane_at(point.y())
        return next((row for row, lane in self.lanes.items() if lane == number), None)

    def _lane_at(self, y: float) -> int:
        """Number of the lane at a height, the empty one at the bottom included."""
        return min(max(int(y + self.top) // LANE, 0), len(self.lanes))

    def lanes_between(self, a: QPointF, b: QPointF) -> int:
        """How many lanes the second point lies below the first."""
        return self._lane_at(b.y()) - self._lane_at(a.y())

    # --- the names of the rows ---------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """On a name: takes hold of the row."""
        row = self.row_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and event.position().x() < GUTTER and row is not None:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._row_drag, self._row_place = (row, event.position().y()), None
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Drags a row to another place."""
        if self._row_drag is None:
            # Names that are too long for their place can be read whole.
            row = self.row_at(event.position()) if event.position().x() < GUTTER else None
            self.setToolTip(row or "")
            super().mouseMoveEvent(event)
            return
        from_y = self._row_drag[1]
        if self._row_place is not None or abs(event.position().y() - from_y) > LANE / 4:
            self._row_place = min(self._lane_at(event.position().y()), len(self.lanes) - 1)
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Lets go of a row; a click on a name selects its boxes."""
        if self._row_drag is None or event.button() != Qt.MouseButton.LeftButton:
            super().mouseReleaseEvent(event)
            return
        (row, _), place = self._row_drag, self._row_place
        self._row_drag = self._row_place = None
        self.unsetCursor()
        self.update()
        if place is not None:
            self.place_row(row, place)
        elif row in self.lanes:
            inside = [other.id for other in self.document.roll.rows()[row]]
            extend = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.document.select((*self.document.selected, *inside) if extend else inside)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """On a name: changes it."""
        row = self.row_at(event.position())
        if event.position().x() < GUTTER and row is not None:
            self.rename(row)
        else:
            super().mouseDoubleClickEvent(event)

    def place_row(self, row: str, place: int) -> None:
        """Puts a row at another place in the order."""
        self.document.change_roll(self.tr("Move row {0}").format(row), verbs.place_row(self.document.roll, row, place))

    @property
    def row_in_focus(self) -> str | None:
        """The row of the box that was selected last."""
        chosen = self.document.selected
        return next((event.row for event in self.document.roll.events if chosen and event.id == chosen[-1]), None)

    def move_row(self, by: int) -> None:
        """Moves the row in focus up or down."""
        row = self.row_in_focus
        if row is not None:
            self.place_row(row, self.lanes[row] + by)

    def rename(self, row: str | None = None) -> None:
        """Puts a field over a row's name, that of the row in focus when None."""
        row = self.row_in_focus if row is None else row
        if row is None or self._naming is not None:
            return
        field = self._naming = QLineEdit(row, self)
        field.setAccessibleName(self.tr("Name of the row"))
        field.setMaxLength(MAX_TEXT_LENGTH)
        field.setGeometry(2, self.lanes[row] * LANE - self.top, max(GUTTER * 2, 180), LANE)
        field.selectAll()
        field.show()
        field.setFocus(Qt.FocusReason.OtherFocusReason)
        field.editingFinished.connect(lambda: self._named(row))

    def _named(self, row: str) -> None:
        field, self._naming = self._naming, None
        if field is None:
            return
        name = field.text()
        if field.hasFocus():
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        field.deleteLater()
        if name.strip() and row in self.lanes:
            try:
                roll = verbs.rename_row(self.document.roll, row, name)
            except InputError as error:
                self.refused.emit(str(error))
            else:
                self.document.change_roll(self.tr("Rename row {0}").format(row), roll)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Escape leaves a name as it was, and lets go of a row."""
        if event.key() == Qt.Key.Key_Escape and (self._naming is not None or self._row_drag is not None):
            field, self._naming = self._naming, None
            self._row_drag = self._row_place = None
            if field is not None:
                field.deleteLater()
                self.setFocus(Qt.FocusReason.OtherFocusReason)
            self.update()
            return
        super().keyPressEvent(event)

    # --- drawing -----------------------------------------------------------------------------------------------------

    def paint_plot(self, painter: QPainter, shade: Shades, exposed: QRect) -> None:
        """Every second lane shaded, then the boxes."""
        first, last = self.top // LANE, (self.top + self.height()) // LANE
        for number in range(first, last + 1):
            y = number * LANE - self.top
            if number % 2 == 0:
                painter.fillRect(GUTTER, y, self.plot.width(), LANE, shade.lane)
            painter.setPen(shade.line)
            painter.drawLine(GUTTER, y + LANE - 1, self.width(), y + LANE - 1)
        selected = set(self.document.selected)
        metrics = painter.fontMetrics()
        suggested = self.suggestions_in_view()
        focused = self.suggestions.focused if self.suggestions is not None else None
        lanes = self.lanes
        shown = [event for event in self.events_in_view() if first <= lanes[event.row] <= last]
        shown.sort(key=lambda event: (lanes[event.row], event.start_s))
        boxes = [self.box(event) for event in shown]
        tags = self._tags(shown, boxes, metrics)
        drawn: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for event, box, tag in zip(shown, boxes, tags, strict=True):
            drawn[event.row] += [(box.left(), box.right()), (tag.spot.left(), tag.spot.right())]
        by_row: dict[str, list[tuple[Event, QRectF]]] = defaultdict(list)
        for event in sorted(suggested, key=lambda event: event.start_s):
            lane = self._suggested_lane(event)
            if first <= lane <= last:
                by_row[event.row].append((event, self._spot(event, lane)))
        font, visible = painter.font().key(), (float(GUTTER), float(self.width() - 1))
        for row, there in by_row.items():
            room = LaneRoom(drawn[row], [(box.left(), box.right()) for _, box in there], visible)
            for event, box in there:
                paint_suggestion(painter, box, event, event is focused, shade, room, font)
        for number in sorted(range(len(shown)), key=lambda number: shown[number].id in selected):
            event = shown[number]
            paint_in_lane(painter, boxes[number], event, event.id in selected, shade, metrics, tags[number])
        for event in shown:
            if event.id in selected:
                paint_handles(painter, self.box(event), event, "lr")
        self._paint_target(painter, shade)
        self.paint_guide(painter, shade)
        if not lanes and not suggested:
            painter.setPen(shade.faint)
            words = self.tr("Mark a stretch in the picture and press Ctrl+B, or hold Ctrl and drag: that is a row.")
            painter.drawText(self.plot, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)

    def _tags(self, shown: list[Event], boxes: list[QRectF], metrics: QFontMetrics) -> list[LaneTag]:
        """Where the captions of events go, which come lane by lane and in the order of time: none touches the one before."""
        tags: list[LaneTag] = []
        left = float(GUTTER)
        for number, (event, box) in enumerate(zip(shown, boxes, strict=True)):
            if number == 0 or shown[number - 1].row != event.row:
                left = float(GUTTER)
            last = number + 1 == len(shown) or shown[number + 1].row != event.row
            right = float(self.width()) if last else boxes[number + 1].left()
            visible = float(GUTTER), float(self.width() - 1)
            tag = place_in_lane(box, text_width(caption(event), metrics), (left, right), visible)
            left = max(left, box.right(), tag.spot.right())
            tags.append(tag)
        return tags

    def _paint_target(self, painter: QPainter, shade: Shades) -> None:
        """The lane that a dragged box would go to."""
        drag = self._drag
        if drag is None or not drag.moved or not drag.lanes:
            return
        number = self._lane_at(drag.start.y()) + drag.lanes
        spot = QRectF(GUTTER, number * LANE - self.top, self.plot.width(), LANE)
        painter.fillRect(spot, shade.marked)
        row = next((row for row, lane in self.lanes.items() if lane == number), None)
        painter.setPen(shade.text)
        words = self.tr("To {0}").format(row) if row is not None else self.tr("To a row of its own")
        painter.drawText(spot.adjusted(8, 0, -8, 0), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, words)

    def paint_gutter(self, painter: QPainter, shade: Shades) -> None:
        """The names of the rows."""
        metrics = painter.fontMetrics()
        focus = {event.row for event in self.document.selected_events}
        for row, number in self.lanes.items():
            y = number * LANE - self.top
            if -LANE < y < self.height():
                painter.setPen(shade.text if row in focus else shade.faint)
                name = metrics.elidedText(row, Qt.TextElideMode.ElideRight, GUTTER - 16)
                spot = QRectF(6, y, GUTTER - 14, LANE)
                painter.drawText(spot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name)
        for row, number in self.suggested_lanes.items():
            y = number * LANE - self.top
            if -LANE < y < self.height():
                painter.setPen(SUGGESTED if is_dark(self.palette()) else SUGGESTED.darker(150))
                name = metrics.elidedText(f"? {row}", Qt.TextElideMode.ElideRight, GUTTER - 16)
                spot = QRectF(6, y, GUTTER - 14, LANE)
                painter.drawText(spot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, name)
        if self._row_drag is not None and self._row_place is not None:
            down = self._row_place > self.lanes[self._row_drag[0]]
            y = (self._row_place + down) * LANE - self.top
            painter.fillRect(QRectF(0, y - 1, GUTTER, 3), shade.wave)
