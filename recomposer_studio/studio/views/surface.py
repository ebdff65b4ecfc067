"""A strip with boxes on it: select, draw, move, resize, mark an area. The picture and the roll differ only in height."""

from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QMouseEvent, QPainter, QPen
from PySide6.QtWidgets import QWidget

from recomposer_studio.roll.event import Event, EventRoll
from recomposer_studio.studio import verbs
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.scale import FrequencyScale
from recomposer_studio.studio.snapping import REACH_PIXELS
from recomposer_studio.studio.suggestions import Suggestions
from recomposer_studio.studio.theme import Shades
from recomposer_studio.studio.time_view import TimeView
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.box_index import BoxIndex
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
        playhead_s: where the playhead was when it began.
        grip: the event that is held.
        moved: whether it went beyond a click.
        guide_s: the time that it caught on, or None.
        lanes: how many lanes further down what is held is to go.
    """

    kind: str
    start: QPointF
    base: EventRoll
    chosen: tuple[str, ...]
    key: str
    playhead_s: float
    grip: str = ""
    moved: bool = False
    guide_s: float | None = None
    lanes: int = 0


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
        self.suggestions: Suggestions | None = None
        self._drag: _Drag | None = None
        self._index: tuple[EventRoll, BoxIndex] | None = None
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

    def lanes_between(self, a: QPointF, b: QPointF) -> int:
        """How many lanes the second point lies below the first; 0 where the view has none."""
        return 0

    def height_share(self, pixels: float) -> float:
        """The share of the frequency scale that a vertical distance stands for; 0 where the view has none."""
        return 0.0

    # --- suggestions -------------------------------------------------------------------------------------------------

    def show_suggestions(self, suggestions: Suggestions) -> None:
        """Shows what the detector suggests."""
        self.suggestions = suggestions
        suggestions.changed.connect(self.update)

    def suggestion_box(self, event: Event) -> QRectF:
        """Where a suggestion lies, in pixels."""
        return self.box(event)

    def suggestions_in_view(self) -> list[Event]:
        """Suggestions that are shown and touch the time on the screen; the one in focus last."""
        if self.suggestions is None:
            return []
        focused = self.suggestions.focused
        inside = [
            event
            for event in self.suggestions.visible
            if event.start_s < self.view.end_s and event.end_s > self.view.start_s and event is not focused
        ]
        return [*inside, focused] if focused is not None else inside

    def suggestion_at(self, point: QPointF) -> Event | None:
        """The smallest suggestion under a point."""
        near = [(self.suggestion_box(event), event) for event in self.suggestions_in_view()]
        hit = [(rect.width(), event) for rect, event in near if rect.adjusted(-2, -2, 2, 2).contains(point)]
        return min(hit, key=lambda pair: pair[0])[1] if hit else None

    # --- finding boxes -----------------------------------------------------------------------------------------------

    @property
    def index(self) -> BoxIndex:
        """The events of the roll as arrays."""
        roll = self.document.roll
        if self._index is None or self._index[0] is not roll:
            self._index = roll, BoxIndex(roll.events)
        return self._index[1]

    def events_in_view(self) -> list[Event]:
        """Events of the roll that touch the time on the screen."""
        index = self.index
        return [index.events[number] for number in index.inside(self.view.start_s, self.view.end_s).tolist()]

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

    # --- drawing -----------------------------------------------------------------------------------------------------

    def paint_guide(self, painter: QPainter, shade: Shades) -> None:
        """The time that a dragged edge caught on."""
        if self._drag is not None and self._drag.moved and self._drag.guide_s is not None:
            painter.setPen(QPen(shade.playhead, 1, Qt.PenStyle.DashLine))
            at = int(self.x_of(self._drag.guide_s))
            painter.drawLine(at, 0, at, self.height())

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
        grip = ""
        if self.drawing or modifiers & Qt.KeyboardModifier.ControlModifier:
            kind = "draw"
        elif handle is not None:
            # All that is selected is resized along with the box whose edge is held.
            kind, chosen, grip = handle[1], self.document.selected, handle[0].id
        elif hit is not None:
            self._select(hit, extend)
            kind, chosen, grip = "move", self.document.selected, hit.id
        elif extend:
            kind = "marquee"
        self._drag = _Drag(kind, point, roll, chosen, f"drag {next(_serial)}", self.snap.playhead_s, grip)

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
        drag.moved = True
        snapping = self.snap.on != bool(event.modifiers() & Qt.KeyboardModifier.AltModifier)
        if drag.kind in ("area", "draw"):
            self.document.mark(self._caught_area(drag, point, snapping))
        elif drag.kind == "marquee":
            self.document.mark(self.area_between(drag.start, point))
        elif drag.kind == "move":
            self._move(drag, point, snapping)
        else:
            self._resize(drag, point, snapping)
        self.update()

    def _reach_s(self) -> float:
        return REACH_PIXELS / self.plot.width() * self.view.span_s

    def _caught(self, drag: _Drag, times_s: tuple[float, ...], on: bool) -> float:
        """How far times have to move to lie on what is near them, 0 without snapping; remembers the guide line."""
        drag.guide_s = None
        if not on:
            return 0.0
        edges = self.snap.edges(drag.playhead_s, drag.chosen, drag.kind in ("area", "draw"))
        shift_s = self.snap.shift(times_s, self._reach_s(), edges)
        landed = [time_s + shift_s for time_s in times_s if np.abs(edges - (time_s + shift_s)).min() < 1e-9]
        drag.guide_s = landed[0] if landed else None
        return shift_s

    def _caught_area(self, drag: _Drag, point: QPointF, on: bool) -> Area:
        """The area of a drag, with its ends on what is near them."""
        area = self.area_between(drag.start, point)
        duration_s = self.document.duration_s
        ends = [area.start_s, area.end_s]
        # The end under the pointer last: the guide line is its.
        for number in (0, 1) if point.x() >= drag.start.x() else (1, 0):
            ends[number] = min(max(ends[number] + self._caught(drag, (ends[number],), on), 0.0), duration_s)
        if ends[1] - ends[0] < verbs.SHORTEST_S:
            return area
        return replace(area, start_s=ends[0], end_s=ends[1])

    def _move(self, drag: _Drag, point: QPointF, snapping: bool) -> None:
        if not drag.chosen:
            return
        by_s = (point.x() - drag.start.x()) / self.plot.width() * self.view.span_s
        held = drag.base.event(drag.grip)
        by_s += self._caught(drag, (held.start_s + by_s, held.end_s + by_s), snapping)
        share = self.height_share(drag.start.y() - point.y())
        drag.lanes = self.lanes_between(drag.start, point)
        duration_s = self.document.duration_s
        roll = verbs.move(drag.base, drag.chosen, by_s, share, self.scale, duration_s)
        self.document.change_roll(self.tr("Move"), roll, drag.key)

    def _resize(self, drag: _Drag, point: QPointF, snapping: bool) -> None:
        held = drag.base.event(drag.grip)
        edge_s = held.start_s if "l" in drag.kind else held.end_s
        by_s = self.time_at(point.x()) - edge_s
        if "l" in drag.kind or "r" in drag.kind:
            by_s += self._caught(drag, (edge_s + by_s,), snapping)
        by_share = 0.0
        if "t" in drag.kind or "b" in drag.kind:
            high_hz = self.scale.top_hz if held.high_hz is None else held.high_hz
            edge = float(self.scale.share(high_hz if "t" in drag.kind else held.low_hz or 0.0))
            by_share = 1.0 - point.y() / max(self.height(), 1) - edge
        roll = verbs.resize(drag.base, drag.chosen, drag.kind, by_s, by_share, self.scale, self.document.duration_s)
        self.document.change_roll(self.tr("Resize"), roll, drag.key)

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
            area = self.document.area or self.area_between(drag.start, point)
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
        elif drag.kind == "move" and drag.lanes:
            roll = verbs.to_lane(self.document.roll, drag.chosen, drag.lanes)
            self.document.change_roll(self.tr("Move"), roll, drag.key)

    def _click(self, drag: _Drag, point: QPointF, modifiers: Qt.KeyboardModifier) -> None:
        hit = self.event_at(point)
        if drag.kind == "draw" and hit is not None:
            self._select(hit, bool(modifiers & Qt.KeyboardModifier.ShiftModifier))
        elif drag.kind == "move" and hit is not None and not modifiers & Qt.KeyboardModifier.ShiftModifier:
            self.document.select((hit.id,))
        elif self.suggestions is not None and (suggested := self.suggestion_at(point)) is not None:
            self.suggestions.focus(suggested.id)
        elif drag.kind in ("area", "draw"):
            if self.suggestions is not None:
                self.suggestions.focus("")
            self.document.select(())
            self.document.mark(None)
            self.seek_requested.emit(self.time_at(point.x()))

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """On a box: its fields are wanted; on a suggestion: it is accepted."""
        if self.event_at(event.position()) is not None:
            self.edit_requested.emit()
        elif self.suggestions is not None and self.suggestion_at(event.position()) is not None:
            self.suggestions.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802 - Qt's name
        """The menu of what lies under the pointer."""
        hit = self.event_at(QPointF(event.pos()))
        if hit is not None and hit.id not in self.document.selected:
            self.document.select((hit.id,))
        if hit is None and self.suggestions is not None:
            hit = self.suggestion_at(QPointF(event.pos()))
            if hit is not None:
                self.suggestions.focus(hit.id)
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
