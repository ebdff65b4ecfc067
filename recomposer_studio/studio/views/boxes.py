"""How an event looks: colour, pattern, sign and words say its action, so that no one of them has to be seen."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QFont, QFontMetrics, QImage, QPainter, QPen

from recomposer_studio.roll.event import Action, Event
from recomposer_studio.studio.theme import ACTION_COLOURS, ACTION_SIGNS, Shades
from recomposer_studio.studio.views.box_index import ACTIONS
from recomposer_studio.studio.views.captions import LaneTag, Tag

_PATTERNS = {
    Action.INSERT: Qt.BrushStyle.NoBrush,
    Action.DELETE: Qt.BrushStyle.DiagCrossPattern,
    Action.ENHANCE: Qt.BrushStyle.BDiagPattern,
    Action.KEEP: Qt.BrushStyle.HorPattern,
}
_DASHES = {Action.DELETE: [9.0, 5.0], Action.KEEP: [2.0, 3.0]}
HANDLE = 7.0
_MUTED = QColor(172, 174, 182)
SEAM = QColor(0, 0, 0, 250)
TAG_GROUND, TAG_TEXT = QColor(16, 17, 20, 225), QColor(240, 241, 244)


def caption(event: Event) -> str:
    """Sign, label and, where a detector said so, how sure it was."""
    sure = "" if event.confidence is None else f" {event.confidence:.0%}"
    return f"{ACTION_SIGNS[event.action]} {event.label}{sure}"


def colour(event: Event) -> QColor:
    """The event's colour."""
    return _MUTED if event.muted else ACTION_COLOURS[event.action]


def lane_colour(event: Event, shade: Shades) -> QColor:
    """The event's colour on a lane: darker on a light ground, where it would be faint."""
    own = colour(event)
    return own if shade.ground.lightness() < 128 else own.darker(170)


def _outline(painter: QPainter, rect: QRect, event: Event, own: QColor, thick: bool) -> None:
    """A frame of lines one pixel wide, which Qt draws ten times as fast as wide ones: two of them, or three."""
    pen = QPen(own, 1)
    if event.action in _DASHES:
        pen.setDashPattern(_DASHES[event.action])
    painter.setPen(pen)
    for inset in range(3 if thick else 2):
        painter.drawRect(rect.adjusted(inset, inset, -inset - 1, -inset - 1))


def paint_in_lane(
    painter: QPainter,
    rect: QRectF,
    event: Event,
    selected: bool,
    shade: Shades,
    metrics: QFontMetrics,
    tag: LaneTag,
) -> None:
    """A box on the roll: tinted, patterned, captioned inside, or beside it where it is short.

    Args:
        painter: where to.
        rect: the box.
        event: what it stands for.
        selected: whether it is selected.
        shade: the colours in use.
        metrics: of the font in use.
        tag: the place of its caption.
    """
    own = lane_colour(event, shade)
    tint = QColor(own)
    tint.setAlpha(110 if selected else 64)
    painter.fillRect(rect, tint)
    pattern = QColor(own)
    pattern.setAlpha(120)
    if _PATTERNS[event.action] is not Qt.BrushStyle.NoBrush:
        painter.fillRect(rect, QBrush(pattern, _PATTERNS[event.action]))
    _outline(painter, rect.toAlignedRect(), event, own, selected)
    words = caption(event)
    spot = tag.spot
    painter.setPen(shade.text)
    if tag.inside:
        ground = QColor(shade.lane)
        ground.setAlpha(205)
        painter.fillRect(spot, ground)
        spot = spot.adjusted(2, 0, 0, 0)
    elif spot.width() < text_width(words, metrics):
        words = metrics.elidedText(words, Qt.TextElideMode.ElideRight, int(spot.width()))
    painter.drawText(spot, Qt.AlignmentFlag.AlignVCenter, words)


def paint_on_picture(painter: QPainter, rect: QRectF, event: Event) -> None:
    """A selected box on the picture: an outline with a dark seam that shows on every colour table."""
    frame = rect.toAlignedRect()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(SEAM)
    painter.drawRects([frame.adjusted(-1, -1, 0, 0), frame.adjusted(3, 3, -4, -4)])
    _outline(painter, frame, event, colour(event), True)
    tint = QColor(colour(event))
    tint.setAlpha(18)
    painter.fillRect(rect, tint)


def paint_plainly(painter: QPainter, places: NDArray[np.float64], looks: NDArray[np.intp], seams: bool) -> None:
    """Many boxes on the picture: all that look alike at once, which is several times quicker than one by one.

    Args:
        painter: where to.
        places: left, top, width and height of each, (n, 4).
        looks: number of the action in `ACTIONS` of each, -1 where it is muted.
        seams: whether each has dark seams and a line two pixels wide, or is one thin line.
    """
    painter.setBrush(Qt.BrushStyle.NoBrush)
    corners = np.floor(places[:, :2])
    # As QRectF.toAlignedRect: the smallest whole pixels around.
    whole = np.concatenate([corners, np.ceil(places[:, :2] + places[:, 2:]) - corners], axis=1).astype(int)

    def draw(chosen: NDArray[np.bool_], inset: int) -> None:
        inner = whole[chosen] + (inset, inset, -2 * inset - 1, -2 * inset - 1)
        painter.drawRects([QRect(*edges) for edges in inner.tolist()])

    if seams:
        painter.setPen(SEAM)
        everything = np.ones(len(whole), bool)
        draw(everything, -1)
        draw(everything, 2)
    for look in np.unique(looks).tolist():
        action = ACTIONS[look]
        pen = QPen(_MUTED if look < 0 else ACTION_COLOURS[action], 1)
        if seams and look >= 0 and action in _DASHES:
            pen.setDashPattern(_DASHES[action])
        painter.setPen(pen)
        draw(looks == look, 0)
        if seams:
            draw(looks == look, 1)


class Captions:
    """The captions of events and their widths, worked out once and not at every step of a scroll."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Event, str, float]] = {}
        self._style: tuple[str, float, int | None] | None = None
        self._metrics: QFontMetrics | None = None
        self._room: int | None = None
        self.height = 0.0

    def begin(self, font: QFont, room: int | None) -> None:
        """What follows is written in a font and cut to a width in pixels, or not at all."""
        style = font.family(), font.pointSizeF(), room
        if style != self._style:
            self._style, self._room, self._metrics = style, room, QFontMetrics(font)
            self._known.clear()
            self.height = self._metrics.height() + 2.0

    def of(self, event: Event) -> tuple[str, float]:
        """Words and width of an event's tag."""
        known = self._known.get(event.id)
        if known is not None and known[0] is event:
            return known[1], known[2]
        assert self._metrics is not None
        words = caption(event)
        if self._room is not None and self._metrics.horizontalAdvance(words) > self._room:
            words = self._metrics.elidedText(words, Qt.TextElideMode.ElideRight, self._room)
        if len(self._known) > 10_000:
            self._known.clear()
        width = self._metrics.horizontalAdvance(words) + 12.0
        self._known[event.id] = event, words, width
        return words, width


def paint_tag(painter: QPainter, tag: Tag, box: QRectF, event: Event, words: str) -> None:
    """The caption of a box on the picture, with a line to the box where it lies away from it."""
    spot = tag.spot
    if tag.away:
        painter.setPen(colour(event))
        x = min(max(spot.left() + 1, box.left()), box.right())
        y = box.top() if spot.bottom() <= box.top() else min(box.bottom(), spot.top())
        painter.drawLine(QPointF(spot.left() + 1, spot.center().y()), QPointF(x, y))
    painter.drawImage(spot.topLeft().toPoint(), _tag_image(painter, words, colour(event), spot))


_tags: dict[tuple[str, int, str, int, float], QImage] = {}


def _tag_image(painter: QPainter, words: str, mark: QColor, spot: QRectF) -> QImage:
    """A caption drawn once: scrolling copies it."""
    font, ratio = painter.font(), painter.device().devicePixelRatio()
    key = words, mark.rgb(), f"{font.family()} {font.pointSizeF()}", round(spot.height()), ratio
    image = _tags.get(key)
    if image is None:
        if len(_tags) > 500:
            _tags.clear()
        width, height = round(spot.width()), round(spot.height())
        # No QPixmap: these outlive the application at the end of the program.
        image = QImage(round(width * ratio), round(height * ratio), QImage.Format.Format_ARGB32_Premultiplied)
        image.setDevicePixelRatio(ratio)
        image.fill(Qt.GlobalColor.transparent)
        inner = QPainter(image)
        inner.setFont(font)
        inner.fillRect(QRectF(0, 0, width, height), TAG_GROUND)
        inner.fillRect(QRectF(0, 0, 3, height), mark)
        inner.setPen(TAG_TEXT)
        inner.drawText(QRectF(7, 0, width, height), Qt.AlignmentFlag.AlignVCenter, words)
        inner.end()
        _tags[key] = image
    return image


_widths: dict[tuple[str, int], float] = {}


def text_width(words: str, metrics: QFontMetrics) -> float:
    """How wide words are; measured once for a font, as painting asks at every step."""
    key = words, metrics.height() * 1_000 + metrics.averageCharWidth()
    width = _widths.get(key)
    if width is None:
        if len(_widths) > 5_000:
            _widths.clear()
        width = _widths[key] = float(metrics.horizontalAdvance(words))
    return width


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
