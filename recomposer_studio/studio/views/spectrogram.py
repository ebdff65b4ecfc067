"""The picture: dB tiles through a colour table, with the boxes on it."""

import numpy as np
from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetrics, QImage, QPainter
from PySide6.QtWidgets import QWidget

from recomposer_studio.roll.event import Action, Event
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.scale import FrequencyScale, ScaleKind
from recomposer_studio.studio.theme import ACTION_COLOURS, Shades, picture_table
from recomposer_studio.studio.tiles import FLOOR_DB, Picture
from recomposer_studio.studio.time_view import TimeView
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.boxes import caption, paint_handles, paint_on_picture, tag_rect
from recomposer_studio.studio.views.strip import GUTTER
from recomposer_studio.studio.views.surface import Surface

_LEAST_HEIGHT_HZ = 40.0
_CROWD = 120
"""More boxes than this on the screen are drawn as plain frames."""


class Spectrogram(Surface):
    """The spectrogram of what is heard."""

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(document, view, parent)
        self.setAccessibleName(self.tr("Spectrogram"))
        self.setAccessibleDescription(self.tr("Frequency over time; the rows table lists the same boxes"))
        self.picture: Picture | None = None
        self._colours, self._range_db = "aurora", 80
        self._table: list[int] = []
        self._image: tuple[object, QImage] | None = None
        self._version = 0

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As much as there is."""
        return QSize(900, 380)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Enough to see something."""
        return QSize(320, 120)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def show_picture(self, picture: Picture | None) -> None:
        """Shows other tiles, or the same ones after they grew."""
        self.picture = picture
        self._version += 1
        self._recolour()

    def set_kind(self, kind: ScaleKind) -> None:
        """Changes the frequency scale of picture, axis and boxes."""
        self.scale = FrequencyScale(kind, self.scale.top_hz)
        self.update()

    def set_top(self, top_hz: float) -> None:
        """Another recording: its highest frequency."""
        self.scale = FrequencyScale(self.scale.kind, top_hz)
        self.update()

    def set_colours(self, name: str, range_db: int) -> None:
        """Changes colour table and dynamic range; no tile is touched."""
        self._colours, self._range_db = name, range_db
        self._recolour()

    def _recolour(self) -> None:
        # A quiet recording is shown as bright as a loud one; silence stays dark.
        top_db = min(max(self.picture.loudest_db, -60.0), 0.0) if self.picture else 0.0
        self._table = picture_table(self._colours, self._range_db, top_db)
        self._image = None
        self.update()

    def level_at(self, time_s: float, hz: float) -> float | None:
        """Level of the picture at a point in dB, None outside of it."""
        if self.picture is None or hz < 0:
            return None
        hop_s = self.picture.grid.hop / self.picture.grid.rate_hz
        share = float(self.scale.share(hz))
        column = self.picture.render(time_s, hop_s, 1, 256, self.scale)
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
        whole_low, whole_high = bottom >= self.height() - 2, top <= 2
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
        self._paint_boxes(painter)

    def _rendered(self, picture: Picture) -> QImage:
        width, height = self.plot.width(), max(self.height(), 1)
        key = (self._version, self.view.start_s, self.view.span_s, width, height, self.scale)
        if self._image is None or self._image[0] != key:
            pixels = picture.render(self.view.start_s, self.view.span_s, width, height, self.scale)
            pixels = np.ascontiguousarray(pixels)
            image = QImage(pixels.data, width, height, width, QImage.Format.Format_Indexed8)
            image.setColorTable(self._table)
            # Converted once, drawn often: each step of the playhead draws a part of it again.
            self._image = key, image.convertToFormat(QImage.Format.Format_RGB32)
        return self._image[1]

    def boxes(self, events: list[Event]) -> list[QRectF]:
        """Where many events lie, see `box`; one transform for all of them is quicker than one for each."""
        height, top_hz = self.height(), self.scale.top_hz
        spans = np.array([(event.start_s, event.end_s) for event in events]).reshape(-1, 2)
        left, right = (GUTTER + (spans.T - self.view.start_s) / self.view.span_s * self.plot.width()).tolist()
        limits = [(top_hz if e.high_hz is None else min(e.high_hz, top_hz), e.low_hz or 0.0) for e in events]
        hz = np.minimum(np.array(limits).reshape(-1, 2), top_hz)
        ys = height * (1.0 - self.scale.share(hz))
        ys[[event.low_hz is None for event in events], 1] = height
        top, bottom = np.maximum(ys, 0.0).T.tolist()
        return [
            QRectF(x, y, max(to_x - x, 3.0), max(to_y - y, 3.0))
            for x, to_x, y, to_y in zip(left, right, top, bottom, strict=True)
        ]

    def _paint_boxes(self, painter: QPainter) -> None:
        font = QFont(self.font())
        font.setPointSizeF(max(font.pointSizeF() - 1, 7))
        painter.setFont(font)
        metrics = QFontMetrics(font)
        tags: list[QRectF] = []
        events = self.events_in_view()
        selected = set(self.document.selected)
        pairs = list(zip(events, self.boxes(events), strict=True))
        if len(events) > _CROWD:
            # No names would fit: plain frames, all of a colour at once.
            for action in Action:
                painter.setPen(ACTION_COLOURS[action])
                painter.drawRects([rect.toRect() for event, rect in pairs if event.action is action])
            pairs = [(event, rect) for event, rect in pairs if event.id in selected]
        for event, rect in sorted(pairs, key=lambda pair: pair[0].id in selected):
            tag = tag_rect(rect, caption(event), metrics)
            free = not any(tag.intersects(other) for other in tags)
            named = event.id in selected or (free and (len(events) <= 40 or tag.width() <= rect.width()))
            if named:
                tags.append(tag)
            paint_on_picture(painter, rect, event, event.id in selected, named, metrics)
        for event, rect in pairs:
            if event.id in selected:
                paint_handles(painter, rect, event, self.resizable(event))

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
