"""How an event looks: colour, pattern, sign and words say its action, so that no one of them has to be seen."""

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFontMetrics, QPainter, QPen

from recomposer_studio.roll.event import Action, Event
from recomposer_studio.studio.theme import ACTION_COLOURS, ACTION_SIGNS, Shades
from recomposer_studio.studio.views.strip import GUTTER

_PATTERNS = {
    Action.INSERT: Qt.BrushStyle.NoBrush,
    Action.DELETE: Qt.BrushStyle.DiagCrossPattern,
    Action.ENHANCE: Qt.BrushStyle.BDiagPattern,
    Action.KEEP: Qt.BrushStyle.HorPattern,
}
_DASHES = {Action.DELETE: [9.0, 5.0], Action.KEEP: [2.0, 3.0]}
HANDLE = 7.0
_MUTED = QColor(140, 142, 150)
_SEAM = QColor(0, 0, 0, 170)


def caption(event: Event) -> str:
    """Sign, label and, where a detector said so, how sure it was."""
    sure = "" if event.confidence is None else f" {event.confidence:.2f}"
    return f"{ACTION_SIGNS[event.action]} {event.label}{sure}"


def colour(event: Event) -> QColor:
    """The event's colour."""
    return _MUTED if event.muted else ACTION_COLOURS[event.action]


def _outline(painter: QPainter, rect: QRect, event: Event, thick: bool) -> None:
    """A frame of lines one pixel wide, which Qt draws ten times as fast as wide ones: two of them, or three."""
    pen = QPen(colour(event), 1)
    if event.action in _DASHES:
        pen.setDashPattern(_DASHES[event.action])
    painter.setPen(pen)
    for inset in range(3 if thick else 2):
        painter.drawRect(rect.adjusted(inset, inset, -inset - 1, -inset - 1))


def paint_in_lane(
    painter: QPainter, rect: QRectF, event: Event, selected: bool, shade: Shades, metrics: QFontMetrics
) -> None:
    """A box on the roll: tinted, patterned, captioned inside, or behind it where it is short."""
    tint = QColor(colour(event))
    tint.setAlpha(110 if selected else 64)
    painter.fillRect(rect, tint)
    pattern = QColor(colour(event))
    pattern.setAlpha(120)
    if _PATTERNS[event.action] is not Qt.BrushStyle.NoBrush:
        painter.fillRect(rect, QBrush(pattern, _PATTERNS[event.action]))
    _outline(painter, rect.toAlignedRect(), event, selected)
    words = caption(event)
    width = metrics.horizontalAdvance(words)
    # Not the clip: while the playhead moves, that is only a narrow column.
    visible_left = max(rect.left(), GUTTER)
    room = rect.right() - visible_left - 8
    if width <= room:
        spot = QRectF(visible_left + 4, rect.top() + 2, width + 4, rect.height() - 4)
        ground = QColor(shade.lane)
        ground.setAlpha(205)
        painter.fillRect(spot, ground)
        painter.setPen(shade.text)
        painter.drawText(spot.adjusted(2, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, words)
    else:
        painter.setPen(shade.text)
        spot = QRectF(rect.right() + 5, rect.top(), width + 4, rect.height())
        painter.drawText(spot, Qt.AlignmentFlag.AlignVCenter, words)


def paint_on_picture(
    painter: QPainter, rect: QRectF, event: Event, selected: bool, named: bool, metrics: QFontMetrics
) -> None:
    """A box on the picture: an outline with a dark seam that shows on every colour table, and a tag."""
    frame = rect.toAlignedRect()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(_SEAM)
    painter.drawRect(frame.adjusted(-1, -1, 0, 0))
    inner = 3 if selected else 2
    painter.drawRect(frame.adjusted(inner, inner, -inner - 1, -inner - 1))
    _outline(painter, frame, event, selected)
    if selected:
        tint = QColor(colour(event))
        tint.setAlpha(18)
        painter.fillRect(rect, tint)
    if named:
        words = caption(event)
        tag = tag_rect(rect, words, metrics)
        painter.fillRect(tag, QColor(16, 17, 20, 215))
        painter.fillRect(QRectF(tag.left(), tag.top(), 3, tag.height()), colour(event))
        painter.setPen(QColor(240, 241, 244))
        painter.drawText(tag.adjusted(7, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, words)


def tag_rect(rect: QRectF, words: str, metrics: QFontMetrics) -> QRectF:
    """Where the tag of a box on the picture lies: inside its upper left corner."""
    return QRectF(rect.left() + 3, rect.top() + 3, metrics.horizontalAdvance(words) + 12, metrics.height() + 2)


def paint_handles(painter: QPainter, rect: QRectF, event: Event, sides: str) -> None:
    """The knobs of a selected box on the sides l, r, t, b that can be dragged."""
    points = {
        "l": QPointF(rect.left(), rect.center().y()),
        "r": QPointF(rect.right(), rect.center().y()),
        "t": QPointF(rect.center().x(), rect.top()),
        "b": QPointF(rect.center().x(), rect.bottom()),
    }
    painter.setPen(QPen(QColor(0, 0, 0, 180), 1))
    painter.setBrush(QColor(255, 255, 255))
    for side in sides:
        at = points[side]
        painter.drawRect(QRectF(at.x() - HANDLE / 2, at.y() - HANDLE / 2, HANDLE, HANDLE))
    painter.setBrush(Qt.BrushStyle.NoBrush)
