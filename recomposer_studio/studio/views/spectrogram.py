"""The picture: dB tiles through a colour table, with the boxes on it."""

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFont, QImage, QMouseEvent, QPainter, QWheelEvent
from PySide6.QtWidgets import QWidget

from recomposer_studio.roll.event import Event
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.scale import FrequencyScale, ScaleKind
from recomposer_studio.studio.theme import Shades, picture_table
from recomposer_studio.studio.tiles import FLOOR_DB, Picture
from recomposer_studio.studio.time_view import TimeView
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.box_index import BoxIndex
from recomposer_studio.studio.views.boxes import Captions, paint_handles, paint_on_picture, paint_plainly, paint_tag
from recomposer_studio.studio.views.captions import place
from recomposer_studio.studio.views.strip import GUTTER
from recomposer_studio.studio.views.suggested import paint_on_picture as paint_suggestion
from recomposer_studio.studio.views.surface import Surface

_LEAST_HEIGHT_HZ = 40.0
_BEYOND = 2_000.0
"""Edges that lie further outside of the picture than this, in pixels, are drawn there: Qt is slow with distant lines."""
_MANY, _CROWD = 24, 120
"""More boxes than this on the screen have short captions; more than that are drawn as plain frames."""


class _Shown:
    """What was drawn last.

    Args:
        pixel_s: seconds in a pixel.
        scale: the frequencies.
        pixels: (height, width) colours, which `image` shows without a copy.
        ratio: the screen's own pixels in one of the window's.
    """

    def __init__(self, pixel_s: float, scale: FrequencyScale, pixels: NDArray[np.uint32], ratio: float) -> None:
        self.first = 0
        self._pixel_s, self._scale, self.pixels = pixel_s, scale, pixels
        height, width = pixels.shape
        self.image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        self.image.setDevicePixelRatio(ratio)

    def fits(self, pixel_s: float, width: int, height: int, scale: FrequencyScale) -> bool:
        """Whether it can be scrolled to a view like this."""
        # Scrolling moves the start in floating point; the span stays the very same number.
        return self._pixel_s == pixel_s and self.pixels.shape == (height, width) and self._scale == scale


class Spectrogram(Surface):
    """The spectrogram of what is heard.

    Signals:
        range_changed: another part of the frequencies is shown.
    """

    range_changed = Signal()

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(document, view, parent)
        self.setObjectName("spectrogram")
        self.setAccessibleName(self.tr("Spectrogram"))
        self.setAccessibleDescription(self.tr("Frequency over time; the rows table lists the same boxes"))
        self.picture: Picture | None = None
        self._colours, self._range_db = "aurora", 80
        self._table = np.zeros(256, np.uint32)
        self._shown: _Shown | None = None
        self._captions = Captions()
        self._axis_grip: tuple[float, FrequencyScale] | None = None

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As much as there is."""
        return QSize(900, 380)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Enough to see something."""
        return QSize(320, 80)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def show_picture(self, picture: Picture | None) -> None:
        """Shows other tiles, or the same ones after they grew."""
        self.picture = picture
        self._recolour()

    def set_kind(self, kind: ScaleKind) -> None:
        """Changes the frequency scale of picture, axis and boxes, and shows all of it."""
        self.show_range(FrequencyScale(kind, self.scale.top_hz))

    def set_top(self, top_hz: float) -> None:
        """Another recording: its highest frequency."""
        self.show_range(FrequencyScale(self.scale.kind, top_hz))

    def show_range(self, scale: FrequencyScale) -> None:
        """Shows a part of the frequencies: `scale.zoomed` and `scale.scrolled` make one."""
        if scale != self.scale:
            self.scale = scale
            self.update()
            self.range_changed.emit()

    def set_colours(self, name: str, range_db: int) -> None:
        """Changes colour table and dynamic range; no tile is touched."""
        self._colours, self._range_db = name, range_db
        self._recolour()

    def _recolour(self) -> None:
        # A quiet recording is shown as bright as a loud one; silence stays dark.
        top_db = min(max(self.picture.loudest_db, -60.0), 0.0) if self.picture else 0.0
        self._table = np.array(picture_table(self._colours, self._range_db, top_db), np.uint32)
        self._shown = None
        self.update()

    def level_at(self, time_s: float, hz: float) -> float | None:
        """Level of the picture at a point in dB, None outside of it."""
        if self.picture is None or hz < 0:
            return None
        hop_s = self.picture.grid.hop / self.picture.grid.rate_hz
        whole = FrequencyScale(self.scale.kind, self.scale.top_hz)
        share = float(whole.share(hz))
        column = self.picture.render(time_s, hop_s, 1, 256, whole)
        return FLOOR_DB + float(column[min(int((1.0 - share) * 256), 255), 0]) / 255 * -FLOOR_DB

    # --- geometry ----------------------------------------------------------------------------------------------------

    def box(self, event: Event) -> QRectF:
        """Where an event lies."""
        return self.boxes([event])[0]

    def resizable(self, event: Event) -> str:
        """All four sides."""
        return "lrtb"

    def frequency_at(self, point: QPoint) -> float:
        """Frequency under a point."""
        return self.scale.hz_at(point.y(), max(self.height(), 1))

    def height_share(self, pixels: float) -> float:
        """Pixels as a share of the height."""
        return pixels / max(self.height(), 1)

    def area_between(self, a: QPointF, b: QPointF) -> Area:
        """Time and frequency; a drag that stays low is meant for the time alone."""
        area = super().area_between(a, b)
        top, bottom = sorted((a.y(), b.y()))
        low, high = self.frequency_at(QPoint(0, round(bottom))), self.frequency_at(QPoint(0, round(top)))
        if bottom - top < 12 or high - low < _LEAST_HEIGHT_HZ:
            return area
        whole_low = bottom >= self.height() - 2 and self.scale.low <= 0.0
        whole_high = top <= 2 and self.scale.high >= 1.0
        if whole_low and whole_high:
            return area
        return Area(area.start_s, area.end_s, 0.0 if whole_low else low, self.scale.top_hz if whole_high else high)

    def area_rect(self) -> QRectF | None:
        """The marked area with its frequencies."""
        rect, area = super().area_rect(), self.document.area
        if rect is not None and area is not None and area.low_hz is not None and area.high_hz is not None:
            top, bottom = self.scale.y(area.high_hz, self.height()), self.scale.y(area.low_hz, self.height())
            rect.setTop(top)
            rect.setBottom(bottom)
        return rect

    # --- drawing -----------------------------------------------------------------------------------------------------

    def paint_plot(self, painter: QPainter, shade: Shades, exposed: QRect) -> None:
        """The picture, then the boxes."""
        if self.picture is not None:
            painter.drawImage(GUTTER, 0, self._rendered(self.picture))
        self._paint_suggestions(painter)
        self._paint_boxes(painter)
        self.paint_guide(painter, shade)

    def _rendered(self, picture: Picture) -> QImage:
        """The picture on the screen. After a scroll only the columns that came in are worked out.

        Its pixels are the screen's own. Columns lie on a grid of whole pixels from the start of the recording, so that what is
        kept still fits.
        """
        ratio = self.devicePixelRatioF()
        width, height = math.ceil(self.plot.width() * ratio), math.ceil(max(self.height(), 1) * ratio)
        pixel_s = self.view.span_s / (self.plot.width() * ratio)
        first = round(self.view.start_s / pixel_s)
        shown = self._shown
        if shown is None or not shown.fits(pixel_s, width, height, self.scale):
            shown = self._shown = _Shown(pixel_s, self.scale, np.empty((height, width), np.uint32), ratio)
            left, right = 0, width
        elif first == shown.first:
            return shown.image
        elif abs(first - shown.first) >= width:
            left, right = 0, width
        elif first > shown.first:
            shown.pixels[:, : shown.first - first] = shown.pixels[:, first - shown.first :]
            left, right = width - (first - shown.first), width
        else:
            shown.pixels[:, shown.first - first :] = shown.pixels[:, : first - shown.first]
            left, right = 0, shown.first - first
        shown.first = first
        levels = picture.render((first + left) * pixel_s, (right - left) * pixel_s, right - left, height, self.scale)
        shown.pixels[:, left:right] = self._table[levels]
        return shown.image

    def boxes(self, events: list[Event]) -> list[QRectF]:
        """Where events lie, see `box`."""
        index = BoxIndex(events)
        return [QRectF(*edges) for edges in self._places(index, np.arange(len(events))).tolist()]

    def _places(self, index: BoxIndex, numbers: NDArray[np.intp]) -> NDArray[np.float64]:
        """Left, top, width and height of events, (n, 4); one transform for all is quicker than one for each."""
        height, top_hz = self.height(), self.scale.top_hz
        spans = np.stack([index.starts[numbers], index.ends[numbers]])
        left, right = (GUTTER + (spans - self.view.start_s) / self.view.span_s * self.plot.width()).clip(
            -_BEYOND, self.width() + _BEYOND
        )
        limits = np.stack([index.highs[numbers], index.lows[numbers]])
        unlimited = np.isnan(limits)
        ys = height * (1.0 - self.scale.share(np.minimum(np.where(unlimited, 0.0, limits), top_hz)))
        # A box without limits has the height of the picture, whatever part of it is shown.
        ys[0, unlimited[0]], ys[1, unlimited[1]] = 0.0, height
        top, bottom = ys.clip(-_BEYOND, height + _BEYOND)
        return np.stack([left, top, np.maximum(right - left, 3.0), np.maximum(bottom - top, 3.0)], axis=1)

    def _paint_suggestions(self, painter: QPainter) -> None:
        suggested = self.suggestions_in_view()
        focused = self.suggestions.focused if self.suggestions is not None else None
        font = painter.font().key() if len(suggested) <= _CROWD else ""
        for event, rect in zip(suggested, self.boxes(suggested), strict=True):
            paint_suggestion(painter, rect, event, event is focused, font)

    def _paint_boxes(self, painter: QPainter) -> None:
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() - 1, 7))
        painter.setFont(font)
        index, selected = self.index, set(self.document.selected)
        numbers = index.inside(self.view.start_s, self.view.end_s)
        places = self._places(index, numbers)
        plain = (
            np.array([index.events[n].id not in selected for n in numbers.tolist()], bool) if selected else slice(None)
        )
        crowded = len(numbers) > _CROWD
        paint_plainly(painter, places[plain], index.looks[numbers][plain], not crowded)
        pairs = []
        if selected or not crowded:
            pairs = [
                (index.events[n], QRectF(*edges)) for n, edges in zip(numbers.tolist(), places.tolist(), strict=True)
            ]
        chosen = [pair for pair in pairs if pair[0].id in selected]
        for event, rect in chosen:
            paint_on_picture(painter, rect, event)
        # In a crowd no names would fit; those of the selected boxes find the best places.
        others = [] if crowded else [pair for pair in pairs if pair[0].id not in selected]
        self._paint_tags(painter, chosen[::-1][:_CROWD] + others)
        for event, rect in chosen[:_CROWD]:
            paint_handles(painter, rect, event, self.resizable(event))

    def _paint_tags(self, painter: QPainter, pairs: list[tuple[Event, QRectF]]) -> None:
        """The captions, of which none hides another while there is room; many on the screen are cut short."""
        if not pairs:
            return
        room = max(self.plot.width() * 8 // len(pairs), 30) if len(pairs) > _MANY else None
        captions = self._captions
        captions.begin(painter.font(), None if room is None else room // 10 * 10)
        tags = [captions.of(event) for event, _ in pairs]
        spots = place([rect for _, rect in pairs], [width for _, width in tags], captions.height, QRectF(self.plot))
        for tag in spots[::-1]:
            event, rect = pairs[tag.number]
            paint_tag(painter, tag, rect, event, tags[tag.number][0])

    # --- frequency zoom ----------------------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Ctrl+Shift zooms in frequency; on the axis the wheel scrolls it, and Ctrl zooms."""
        turn = (event.angleDelta().y() or event.angleDelta().x()) / 120
        keys = event.modifiers()
        control, shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
        on_axis = event.position().x() < GUTTER
        if keys & control and (keys & shift or on_axis):
            self.show_range(self.scale.zoomed(1.25**turn, 1.0 - event.position().y() / max(self.height(), 1)))
        elif on_axis:
            self.show_range(self.scale.scrolled(0.1 * turn))
        else:
            super().wheelEvent(event)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """On the axis: takes hold of it."""
        if event.button() == Qt.MouseButton.LeftButton and event.position().x() < GUTTER:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._axis_grip = event.position().y(), self.scale
            return
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Drags the axis."""
        if self._axis_grip is not None:
            from_y, scale = self._axis_grip
            self.show_range(scale.scrolled((event.position().y() - from_y) / max(self.height(), 1)))
            return
        super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Lets go of the axis."""
        if self._axis_grip is not None and event.button() == Qt.MouseButton.LeftButton:
            self._axis_grip = None
            return
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """On the axis: shows all frequencies."""
        if event.position().x() < GUTTER:
            self.show_range(FrequencyScale(self.scale.kind, self.scale.top_hz))
        else:
            super().mouseDoubleClickEvent(event)

    def paint_gutter(self, painter: QPainter, shade: Shades) -> None:
        """The frequency axis."""
        painter.setPen(shade.faint)
        height = max(self.height(), 1)
        half = painter.fontMetrics().height() / 2
        for hz, label in self.scale.ticks(height, 2 * int(half) + 6):
            y = self.scale.y(hz, height)
            painter.drawLine(QPointF(GUTTER - 6, y), QPointF(GUTTER - 1, y))
            middle = min(max(y, half), height - half)
            spot = QRectF(0, middle - half, GUTTER - 10, 2 * half)
            painter.drawText(spot, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label)
