"""The strips above the picture: the whole recording, the time axis, the waveform."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from recomposer_studio.audio.axes import TimeAxis
from recomposer_studio.audio.overview import Reader
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.snapping import REACH_PIXELS
from recomposer_studio.studio.theme import Shades
from recomposer_studio.studio.tiles import Picture
from recomposer_studio.studio.time_view import TimeView
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.strip import GUTTER, Strip

_Floats = NDArray[np.float32]


class _MarkingStrip(Strip):
    """A strip on which a drag marks time and a click puts the playhead."""

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(document, view, parent)
        self._from_x: float | None = None
        self._from_playhead_s = 0.0

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Begins to mark."""
        super().mousePressEvent(event)
        inside = event.position().x() >= GUTTER and self.document.source is not None
        if event.button() == Qt.MouseButton.LeftButton and inside:
            self._from_x, self._from_playhead_s = event.position().x(), self.snap.playhead_s

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Marks."""
        super().mouseMoveEvent(event)
        if self._from_x is not None and abs(event.position().x() - self._from_x) > 3:
            first, last = sorted((self.time_at(self._from_x), self.time_at(event.position().x())))
            if self.snap.on != bool(event.modifiers() & Qt.KeyboardModifier.AltModifier):
                reach_s = REACH_PIXELS / self.plot.width() * self.view.span_s
                edges = self.snap.edges(self._from_playhead_s, marking=True)
                first, last = (at_s + self.snap.shift((at_s,), reach_s, edges) for at_s in (first, last))
            if first < last:
                self.document.mark(Area(max(first, 0.0), min(last, self.document.duration_s)))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """A click seeks."""
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and self._from_x is not None:
            if abs(event.position().x() - self._from_x) <= 3:
                self.document.mark(None)
                self.seek_requested.emit(self.time_at(event.position().x()))
            self._from_x = None


class Ruler(_MarkingStrip):
    """The time axis."""

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(document, view, parent)
        self.setAccessibleName(self.tr("Time axis"))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """One line of text."""
        return QSize(900, self.fontMetrics().height() + 8)

    def paint_plot(self, painter: QPainter, shade: Shades, exposed: QRect) -> None:
        """Ticks at round times."""
        axis = TimeAxis(self.view.start_s, self.view.end_s, GUTTER, self.plot.width())
        bottom = self.height()
        for time_s, label in axis.ticks(100):
            x = axis.x(time_s)
            painter.setPen(shade.line)
            painter.drawLine(QPointF(x, bottom - 6), QPointF(x, bottom))
            painter.setPen(shade.text)
            painter.drawText(QPointF(x + 4, bottom - 6), label)


class Waveform(_MarkingStrip):
    """The samples of what is heard: their extremes, or they themselves where they lie far enough apart."""

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(document, view, parent)
        self.setAccessibleName(self.tr("Waveform"))
        self.picture: Picture | None = None
        self.reader: Reader | None = None
        self._cache: tuple[Reader, int, NDArray[np.float64]] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A strip."""
        return QSize(900, 90)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A thin strip."""
        return QSize(320, 32)

    def show_picture(self, picture: Picture | None, reader: Reader | None) -> None:
        """Shows another sound."""
        self.picture, self.reader, self._cache = picture, reader, None
        self.update()

    def paint_plot(self, painter: QPainter, shade: Shades, exposed: QRect) -> None:
        """Middle line and wave."""
        middle, half = self.height() / 2, self.height() / 2 - 3
        painter.setPen(shade.line)
        painter.drawLine(QPointF(GUTTER, middle), QPointF(self.width(), middle))
        if self.picture is None:
            return
        grid = self.picture.grid
        per_pixel = self.view.span_s * grid.rate_hz / self.plot.width()
        if per_pixel >= grid.peak:
            low, high = self.picture.peaks(self.view.start_s, self.view.span_s, self.plot.width())
            paint_peaks(painter, shade.wave, GUTTER, middle, half, low, high)
        elif self.reader is not None:
            self._paint_samples(painter, shade, middle, half, per_pixel)

    def _paint_samples(self, painter: QPainter, shade: Shades, middle: float, half: float, per_pixel: float) -> None:
        assert self.reader is not None
        rate, width = self.reader.rate_hz, self.plot.width()
        first = max(0, int(self.view.start_s * rate) - 1)
        stop = min(self.reader.frames, int(self.view.end_s * rate) + 2)
        samples = self._samples(first, stop)
        if per_pixel >= 3:
            starts = ((np.arange(width) * per_pixel + self.view.start_s * rate).astype(np.intp) - first).clip(
                0, samples.shape[1] - 1
            )
            low = np.minimum.reduceat(samples.min(axis=0), starts).astype(np.float32)
            high = np.maximum.reduceat(samples.max(axis=0), starts).astype(np.float32)
            paint_peaks(painter, shade.wave, GUTTER, middle, half, low, high)
            return
        xs = [self.x_of(number / rate) for number in range(first, stop)]
        painter.setPen(shade.wave)
        for channel in samples:
            points = [QPointF(x, middle - half * float(value)) for x, value in zip(xs, channel, strict=True)]
            painter.drawPolyline(QPolygonF(points))

    def _samples(self, first: int, stop: int) -> NDArray[np.float64]:
        """Samples on the screen; a stretch around them is kept, so that scrolling does not read at every step."""
        reader = self.reader
        assert reader is not None
        if self._cache is not None and self._cache[0] is reader:
            _, start, kept = self._cache
            if start <= first and stop <= start + kept.shape[1]:
                return kept[:, first - start : stop - start]
        room = stop - first
        start, end = max(0, first - room), min(reader.frames, stop + room)
        kept = reader.read(start, end)
        self._cache = reader, start, kept
        return kept[:, first - start : stop - start]

    def paint_gutter(self, painter: QPainter, shade: Shades) -> None:
        """Full scale in dB."""
        painter.setPen(shade.faint)
        right = Qt.AlignmentFlag.AlignRight
        painter.drawText(QRectF(0, 2, GUTTER - 10, 20), right | Qt.AlignmentFlag.AlignTop, "0 dBFS")
        if self.height() >= 4 * painter.fontMetrics().height():
            painter.drawText(QRectF(0, 0, GUTTER - 10, self.height()), right | Qt.AlignmentFlag.AlignVCenter, "-\u221e")


class Overview(Strip):
    """The whole recording, and a frame around what is on the screen that can be dragged."""

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(document, view, parent)
        self.setAccessibleName(self.tr("Overview"))
        self.picture: Picture | None = None
        self._wave: tuple[object, QImage] | None = None
        self._grip_s: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A thin strip."""
        return QSize(900, 34)

    def show_picture(self, picture: Picture | None) -> None:
        """Shows another sound."""
        self.picture, self._wave = picture, None
        self.update()

    def x_of(self, time_s: float) -> float:
        """Pixel column of a time; here the whole recording has room."""
        return GUTTER + time_s / self.view.duration_s * self.plot.width()

    def time_at(self, x: float) -> float:
        """Time at a pixel column."""
        share = (x - GUTTER) / self.plot.width()
        return min(max(share, 0.0), 1.0) * self.view.duration_s

    def paint_plot(self, painter: QPainter, shade: Shades, exposed: QRect) -> None:
        """The wave, the edited stretches, and the frame."""
        middle = self.height() / 2
        duration_s, width = self.view.duration_s, self.plot.width()
        if self.picture is not None and duration_s * self.picture.grid.rate_hz / width >= self.picture.grid.peak:
            # The whole recording stays where it is while the view moves: drawn once, copied often.
            key = width, self.height(), shade.faint.rgba()
            if self._wave is None or self._wave[0] != key:
                low, high = self.picture.peaks(0.0, duration_s, width)
                self._wave = key, peaks_image(shade.faint, middle, middle - 3, low, high)
            painter.drawImage(GUTTER, 0, self._wave[1])
        frame = QRectF(self.x_of(self.view.start_s), 1, self.view.span_s / duration_s * width, self.height() - 2)
        dim = QColor(shade.ground)
        dim.setAlpha(150)
        painter.fillRect(QRectF(GUTTER, 0, frame.left() - GUTTER, self.height()), dim)
        painter.fillRect(QRectF(frame.right(), 0, self.width() - frame.right(), self.height()), dim)
        painter.setPen(shade.wave)
        painter.drawRoundedRect(frame.adjusted(0, 0, -1, -1), 3, 3)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Takes hold of the frame, or brings it here."""
        if event.button() != Qt.MouseButton.LeftButton or self.document.source is None:
            return
        at = self.time_at(event.position().x())
        if not self.view.start_s <= at <= self.view.end_s:
            self.view.show_span(at - self.view.span_s / 2, self.view.span_s)
        self._grip_s = at - self.view.start_s

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Drags the frame."""
        if self._grip_s is not None:
            self.view.show_span(self.time_at(event.position().x()) - self._grip_s, self.view.span_s)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Lets go."""
        self._grip_s = None


def paint_peaks(
    painter: QPainter, colour: QColor, left: int, middle: float, half: float, low: _Floats, high: _Floats
) -> None:
    """A wave as the band between its extremes, a pixel a column.

    Args:
        painter: where to.
        colour: of the band.
        left: the first pixel column.
        middle: the line of silence in pixels.
        half: pixels of full scale.
        low: least sample of every column.
        high: greatest sample likewise.
    """
    painter.drawImage(left, 0, peaks_image(colour, middle, half, low, high))


def peaks_image(colour: QColor, middle: float, half: float, low: _Floats, high: _Floats) -> QImage:
    """The same as an image on a transparent ground."""
    height = round(2 * middle)
    tops = np.round(middle - half * np.clip(high, -1, 1)).astype(np.int16)
    bottoms = np.maximum(np.round(middle - half * np.clip(low, -1, 1)).astype(np.int16), tops + 1)
    rows = np.arange(height, dtype=np.int16)[:, None]
    # One comparison for all pixels is quicker than a polygon of thousands of points.
    pixels = ((rows >= tops) & (rows < bottoms)) * np.uint32(colour.rgba())
    image = QImage(pixels.data, len(low), height, 4 * len(low), QImage.Format.Format_ARGB32_Premultiplied)
    # The image shows the array's memory and does not own it.
    return image.copy()
