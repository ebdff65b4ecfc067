"""How a suggestion looks: a faint, finely dashed box with a question mark and its confidence, unlike any box of the roll."""

from functools import lru_cache

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen

from recomposer_studio.roll.event import Event
from recomposer_studio.studio.theme import Shades
from recomposer_studio.studio.views.captions import LaneRoom
from recomposer_studio.studio.views.strip import GUTTER

SUGGESTED = QColor(204, 121, 187)
"""After Okabe and Ito's reddish purple, which no action has."""
_DASHES = [3.0, 3.0]
_ANY = 10_000
"""Room for any caption."""
_LEAST = 4
"""Fewer characters than the mark, one letter and an ellipsis say nothing."""
_DARK = QColor(0, 0, 0, 150)


def paint_in_lane(
    painter: QPainter, rect: QRectF, event: Event, focused: bool, shade: Shades, room: LaneRoom, font: str
) -> None:
    """A suggestion on the roll: its words stand in the box, behind it or before it, where there is room for most of them.

    Args:
        painter: where to.
        rect: the box.
        event: what it stands for.
        focused: whether the keys act on it.
        shade: the colours in use.
        room: what is free of the lane; suggestions come from left to right.
        font: key of the font in use.
    """
    tint = QColor(SUGGESTED)
    tint.setAlpha(70 if focused else 22)
    painter.fillRect(rect, tint)
    _frame(painter, rect.toAlignedRect(), focused)
    stretches = [(left + 5, right - 4) for left, right in room.around(rect.left(), rect.right())]
    fitted = [_caption(event, int(right - left), font) for left, right in stretches]
    best = max(range(len(fitted)), key=lambda number: fitted[number][1])
    (words, width), (left, right) = fitted[best], stretches[best]
    if not words:
        return
    if right <= rect.left():  # before the box: close to it
        left = right - width
    painter.setPen(shade.text if focused else shade.faint)
    painter.drawText(QRectF(left, rect.top(), width + 2, rect.height()), Qt.AlignmentFlag.AlignVCenter, words)
    room.write(left + width + 3)


def paint_on_picture(painter: QPainter, rect: QRectF, event: Event, focused: bool, font: str) -> None:
    """A suggestion on the picture: a thin dashed frame with a dark seam.

    Its words stand at the lower edge, away from those of the boxes.

    Args:
        painter: where to.
        rect: the box.
        event: what it stands for.
        focused: whether the keys act on it; then its words are always there.
        font: key of the font in use; empty where there is no room for words.
    """
    frame = rect.toAlignedRect()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(_DARK)
    painter.drawRect(frame.adjusted(-1, -1, 0, 0))
    _frame(painter, frame, focused)
    if not font and not focused:
        return
    words, width = _caption(event, _ANY if focused else int(rect.width() - 14), font or painter.font().key())
    if not words:
        return
    height = painter.fontMetrics().height() + 2
    left = max(rect.left() + 3, float(GUTTER + 3))
    spot = QRectF(left, rect.bottom() - height - 3, width + 8, height)
    painter.fillRect(spot, QColor(16, 17, 20, 215 if focused else 140))
    painter.setPen(QColor(240, 241, 244) if focused else SUGGESTED.lighter(125))
    painter.drawText(spot.adjusted(4, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, words)


def _frame(painter: QPainter, rect: QRect, focused: bool) -> None:
    pen = QPen(SUGGESTED, 1)
    if not focused:
        pen.setDashPattern(_DASHES)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(pen)
    # Lines one pixel wide, which Qt draws ten times as fast as wide ones.
    for inset in range(3 if focused else 1):
        painter.drawRect(rect.adjusted(inset, inset, -inset - 1, -inset - 1))


def _caption(event: Event, room: int, font: str) -> tuple[str, int]:
    """A question mark, the label, and where there is room how sure the detector is, cut short to fit; and its width in pixels."""
    return _fitted(event.label, event.confidence or 0.0, max(room, 0), font)


@lru_cache(maxsize=5_000)
def _fitted(label: str, confidence: float, room: int, font: str) -> tuple[str, int]:
    """Words that fit and their width; empty where nothing does. Kept, as every step of a scroll asks for all of them."""
    known = QFont()
    known.fromString(font)
    metrics = QFontMetrics(known)
    # What it is comes first; how sure that is stands in the bar too.
    whole, name = f"? {label} {confidence:.0%}", f"? {label}"
    words = next((words for words in (whole, name) if metrics.horizontalAdvance(words) <= room), "")
    words = words or metrics.elidedText(name, Qt.TextElideMode.ElideRight, room)
    width = metrics.horizontalAdvance(words)
    return (words, width) if width <= room and len(words) >= _LEAST else ("", 0)
