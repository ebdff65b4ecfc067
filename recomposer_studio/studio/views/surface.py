"""A strip with boxes on it: select, draw, move, resize, mark an area. The picture and the roll differ only in height."""

from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QWidget

from recomposer_studio.roll.event import Event, EventRoll
from recomposer_studio.studio import verbs
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.scale import FrequencyScale
from recomposer_studio.studio.time_view import TimeView
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.strip import GUTTER, Strip

REACH = 6.0
"""Pixels on either side of an edge that take hold of it."""
_SLACK = 3.0
"""Pixels the pointer has to move before a click becomes a drag."""
_serial = count(1)


@dataclass
class _Drag:
    """A gesture with the left button.

    Attributes:
        kind: "area", "draw", "marquee", "move", or the sides of a resize out of l, r, t, b.
        start: where it began, in pixels.
        base: the roll when it began.
        chosen: ids of the events that are moved or resized.
        key: its merge key, so that a gesture is one step of undo.
        moved: whether it went beyond a click.
        now: where it is.
    """

    kind: str
    start: QPointF
    base: EventRoll
    chosen: tuple[str, ...]
    key: str
    moved: bool = False
    now: QPointF | None = None


class Surface(Strip):
    """A strip with boxes.

    Signals:
        drawn: the person drew a new box: an `Area` and the row it belongs to, or None.
        edit_requested: a box was double-clicked.
        menu_requested: the context menu is wanted at a global point.
    """

    drawn = Signal(object, object)
    edit_requested = Signal()
    menu_requested = Signal(object)

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(document, view, parent)
        self.scale = FrequencyScale()
        self.drawing = False
        self._drag: _Drag | None = None
        self._edges: tuple[EventRoll, NDArray[np.float64], NDArray[np.float64]] | None = None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        document.roll_changed.connect(self.update)
        document.selection_changed.connect(self.update)

    # --- for subclasses ----------------------------------------------------------------------------------------------

    def box(self, event: Event) -> QRectF:
        """Where an event lies, in pixels."""
        raise NotImplementedError

    def resizable(self, event: Event) -> str:
        """The sides that can be dragged: l, r and, where the view shows frequencies, t and b."""
        return "lr"

    def area_between(self, a: QPointF, b: QPointF) -> Area:
        """The area that a drag marks."""
        first, last = sorted((self.time_at(a.x()), self.time_at(b.x())))
        return Area(first, last)

    def row_at(self, point: QPointF) -> str | None:
        """The row that a box drawn here belongs to, None for a new one."""
        return None

    def height_share(self, pixels: float) -> float:
        """The share of the frequency scale that a vertical distance stands for; 0 where the view has none."""
        return 0.0

    # --- finding boxes -----------------------------------------------------------------------------------------------

    def events_in_view(self) -> list[Event]:
        """Events of the roll that touch the time on the screen."""
        roll = self.document.roll
        if self._edges is None or self._edges[0] is not roll:
            times = np.array([(event.start_s, event.end_s) for event in roll.events]).reshape(-1, 2)
            self._edges = roll, times[:, 0], times[:, 1]
        _, starts, ends = self._edges
        inside = np.flatnonzero((starts < self.view.end_s) & (ends > self.view.start_s))
        return [roll.events[number] for number in inside]

    def event_at(self, point: QPointF) -> Event | None:
        """The topmost event under a point; of several the selected one, else the smallest."""
        at_s, reach_s = self.time_at(point.x()), REACH / self.plot.width() * self.view.span_s
        near = [e for e in self.events_in_view() if e.start_s - reach_s <= at_s <= e.end_s + reach_s]
        hit = [event for event in near if self.box(event).adjusted(-2, -2, 2, 2).contains(point)]
        if not hit:
            return None
        return min(hit, key=lambda event: (event.id not in self.document.selected, self._size(event)))

    def _size(self, event: Event) -> float:
        rect = self.box(event)
        return rect.width() * rect.height()

    def handle_at(self, point: QPointF) -> tuple[Event, str] | None:
        """The selected event and the sides whose edges are within reach."""
        for event in self.document.selected_events:
            rect = self.box(event)
            if not rect.adjusted(-REACH, -REACH, REACH, REACH).contains(point):
                continue
            reach = min(REACH, max(rect.width() / 3, 2.0))
            near = {
                "l": abs(point.x() - rect.left()) <= (REACH if point.x() < rect.left() else reach),
                "r": abs(point.x() - rect.right()) <= (REACH if point.x() > rect.right() else reach),
                "t": abs(point.y() - rect.top()) <= REACH,
                "b": abs(point.y() - rect.bottom()) <= REACH,
            }
            sides = "".join(side for side in self.resizable(event) if near[side])
            if sides:
                return event, sides.replace("lr", "r")
        return None

    # --- the mouse ---------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Begins a gesture."""
        super().mousePressEvent(event)
        if event.button() != Qt.MouseButton.LeftButton or self.document.source is None or event.position().x() < GUTTER:
            return
        self.setFocus(Qt.FocusReason.MouseFocusReason)
        point, modifiers = event.position(), event.modifiers()
        extend = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        roll = self.document.roll
        handle, hit = self.handle_at(point), self.event_at(point)
        kind = "area"
        chosen: tuple[str, ...] = ()
        if self.drawing or modifiers & Qt.KeyboardModifier.ControlModifier:
            kind = "draw"
        elif handle is not None:
            kind, chosen = handle[1], (handle[0].id,)
        elif hit is not None:
            self._select(hit, extend)
            kind, chosen = "move", self.document.selected
        elif extend:
            kind = "marquee"
        self._drag = _Drag(kind, point, roll, chosen, f"drag {next(_serial)}")

    def _select(self, hit: Event, extend: bool) -> None:
        selected = self.document.selected
        if extend:
            rest = tuple(event_id for event_id in selected if event_id != hit.id)
            self.document.select(rest if hit.id in selected else (*rest, hit.id))
        elif hit.id not in selected:
            self.document.select((hit.id,))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Goes on with a gesture, or shows what one would do here."""
        super().mouseMoveEvent(event)
        drag, point = self._drag, event.position()
        if drag is None:
            self._show_cursor(point)
            return
        if not drag.moved and (point - drag.start).manhattanLength() <= _SLACK:
            return
        drag.moved, drag.now = True, point
        if drag.kind in ("area", "draw", "marquee"):
            self.document.mark(self.area_between(drag.start, point))
        elif drag.kind == "move":
            self._move(drag, point)
        else:
            self._resize(drag, point)

    def _move(self, drag: _Drag, point: QPointF) -> None:
        if not drag.chosen:
            return
        by_s = (point.x() - drag.start.x()) / self.plot.width() * self.view.span_s
        share = self.height_share(drag.start.y() - point.y())
        duration_s = self.document.duration_s
        roll = verbs.move(drag.base, drag.chosen, by_s, share, self.scale, duration_s)
        self.document.change_roll(self.tr("Move"), roll, drag.key)

    def _resize(self, drag: _Drag, point: QPointF) -> None:
        event = drag.base.event(drag.chosen[0])
        time_s = self.time_at(point.x())
        changed = event
        if "l" in drag.kind:
            changed = replace(changed, start_s=min(time_s, event.end_s - verbs.SHORTEST_S))
        if "r" in drag.kind:
            changed = replace(changed, end_s=max(time_s, event.start_s + verbs.SHORTEST_S))
        hz = self.frequency_at(point.toPoint())
        if "t" in drag.kind and hz >= 0:
            whole = hz >= self.scale.top_hz
            changed = replace(changed, high_hz=None if whole else max(hz, (event.low_hz or 0.0) + 20.0))
        if "b" in drag.kind and hz >= 0:
            top = event.high_hz or self.scale.top_hz
            changed = replace(changed, low_hz=None if hz <= 0 else min(hz, top - 20.0))
        self.document.change_roll(self.tr("Resize"), drag.base.with_event(changed), drag.key)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Ends a gesture."""
        super().mouseReleaseEvent(event)
        drag, self._drag = self._drag, None
        if drag is None or event.button() != Qt.MouseButton.LeftButton:
            self._drag = drag
            return
        self.update()
        point = event.position()
        if not drag.moved:
            self._click(drag, point, event.modifiers())
        elif drag.kind == "draw":
            area = self.area_between(drag.start, point)
            self.document.mark(None)
            if area.span_s >= verbs.SHORTEST_S:
                self.drawn.emit(area, self.row_at(drag.start))
        elif drag.kind == "marquee":
            self.document.mark(None)
            frame = QRectF(drag.start, point).normalized()
            inside = tuple(e.id for e in self.events_in_view() if self.box(e).intersects(frame))
            self.document.select((*self.document.selected, *inside))
        elif drag.kind == "area":
            self.document.select(())

    def _click(self, drag: _Drag, point: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        hit = self.event_at(point)
        if drag.kind == "draw" and hit is not None:
            self._select(hit, bool(modifiers & Qt.KeyboardModifier.ShiftModifier))
        elif drag.kind == "move" and hit is not None and not modifiers & Qt.KeyboardModifier.ShiftModifier:
            self.document.select((hit.id,))
        elif drag.kind in ("area", "draw"):
            self.document.select(())
            self.document.mark(None)
            self.seek_requested.emit(self.time_at(point.x()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """On a box: its fields are wanted."""
        if self.event_at(event.position()) is not None:
            self.edit_requested.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802 - Qt's name
        """The menu of what lies under the pointer."""
        hit = self.event_at(QPointF(event.pos()))
        if hit is not None and hit.id not in self.document.selected:
            self.document.select((hit.id,))
        if hit is not None:
            self.menu_requested.emit(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Escape takes back a gesture that is under way."""
        if event.key() == Qt.Key.Key_Escape and self._drag is not None:
            drag, self._drag = self._drag, None
            if drag.kind in ("area", "draw", "marquee"):
                self.document.mark(None)
            elif drag.moved and self.document.roll != drag.base:
                self.document.undo_stack.undo()
            return
        super().keyPressEvent(event)

    def _show_cursor(self, point: QPointF) -> None:
        shape = Qt.CursorShape.CrossCursor if self.drawing else Qt.CursorShape.ArrowCursor
        if not self.drawing and point.x() >= GUTTER and self.document.source is not None:
            handle = self.handle_at(point)
            if handle is not None:
                shape = {
                    "l": Qt.CursorShape.SizeHorCursor, "r": Qt.CursorShape.SizeHorCursor,
                    "t": Qt.CursorShape.SizeVerCursor, "b": Qt.CursorShape.SizeVerCursor,
                    "lt": Qt.CursorShape.SizeFDiagCursor, "rb": Qt.CursorShape.SizeFDiagCursor,
                }.get(handle[1], Qt.CursorShape.SizeBDiagCursor)  # fmt: skip
            elif self.event_at(point) is not None:
                shape = Qt.CursorShape.SizeAllCursor
        self.setCursor(shape)
