"""The event roll: a lane for every row, on the picture's time axis."""

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import QWidget

from recomposer_studio.roll.event import Event, EventRoll
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.theme import Shades
from recomposer_studio.studio.time_view import TimeView
from recomposer_studio.studio.views.boxes import paint_handles, paint_in_lane
from recomposer_studio.studio.views.strip import GUTTER
from recomposer_studio.studio.views.surface import Surface

LANE = 28


class RollLanes(Surface):
    """The lanes. There is always an empty one at the bottom to draw a new row in.

    Signals:
        extent_changed: the number of lanes or the place of the view changed.
    """

    extent_changed = Signal()

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(document, view, parent)
        self.setAccessibleName(self.tr("Event roll"))
        self.setAccessibleDescription(self.tr("A lane for every row; the rows table lists the same events"))
        self.top = 0
        self._lanes: tuple[EventRoll, dict[str, int]] | None = None
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
        return max(0, (len(self.lanes) + 1) * LANE - self.height())

    def scroll_to(self, top: int) -> None:
        """Puts the upper edge of the view at a pixel of the roll."""
        top = min(max(top, 0), self.hidden_pixels)
        if top != self.top:
            self.top = top
            self.update()
            self.extent_changed.emit()

    def reveal(self, event: Event) -> None:
        """Scrolls up or down until an event's lane is seen."""
        y = self.lanes[event.row] * LANE
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
        left, right = self.x_of(event.start_s), self.x_of(event.end_s)
        return QRectF(left, self.lanes[event.row] * LANE - self.top + 3, max(right - left, 3.0), LANE - 6)

    def row_at(self, point: QPointF) -> str | None:
        """The row whose lane lies under a point."""
        number = int(point.y() + self.top) // LANE
        return next((row for row, lane in self.lanes.items() if lane == number), None)

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
        lanes = self.lanes
        shown = [event for event in self.events_in_view() if first <= lanes[event.row] <= last]
        for event in sorted(shown, key=lambda event: event.id in selected):
            paint_in_lane(painter, self.box(event), event, event.id in selected, shade, metrics)
        for event in shown:
            if event.id in selected:
                paint_handles(painter, self.box(event), event, "lr")
        if not lanes:
            painter.setPen(shade.faint)
            words = self.tr("Mark a stretch in the picture and press Ctrl+B, or hold Ctrl and drag: that is a row.")
            painter.drawText(self.plot, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, words)

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
