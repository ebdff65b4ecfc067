"""What every view on the time axis shares: the gutter, the transform, wheel and middle button, marked area, playhead."""

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPixmap, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from recomposer_studio.studio.document import Document
from recomposer_studio.studio.snapping import Snap
from recomposer_studio.studio.theme import Shades, shades
from recomposer_studio.studio.time_view import TimeView

GUTTER = 104
"""Pixels on the left for names and scales; the same in every view, so that the time axes agree."""


class Strip(QWidget):
    """A view over the time axis. Subclasses draw in `paint_plot` and `paint_gutter`.

    Signals:
        seek_requested: the person put the playhead at a time in seconds.
        pointed: the pointer is at (time in s, frequency in Hz or -1).
    """

    seek_requested = Signal(float)
    pointed = Signal(float, float)

    def __init__(self, document: Document, view: TimeView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document, self.view = document, view
        self.playhead_s = 0.0
        self.snap = Snap(document)
        self._pan: tuple[float, float] | None = None
        self._layer: QPixmap | None = None
        self._layer_fits = False
        # Everything is painted here: Qt need not fill the ground beneath.
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMouseTracking(True)
        # A click leaves the text field that had the focus: single letters are commands again.
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        view.changed.connect(self._view_changed)
        document.area_changed.connect(self.update)
        document.opened.connect(self.update)

    # --- the transform -----------------------------------------------------------------------------------------------

    @property
    def plot(self) -> QRect:
        """The part right of the gutter."""
        return QRect(GUTTER, 0, max(self.width() - GUTTER, 1), self.height())

    def x_of(self, time_s: float) -> float:
        """Pixel column of a time."""
        return GUTTER + self.view.x(time_s, self.plot.width())

    def time_at(self, x: float) -> float:
        """Time at a pixel column."""
        return self.view.time(x - GUTTER, self.plot.width())

    def set_playhead(self, time_s: float) -> None:
        """Moves the playhead; only the two narrow columns are drawn again, from the layer beneath it."""
        if time_s != self.playhead_s:
            for at in (self.playhead_s, time_s):
                super().update(QRect(int(self.x_of(at)) - 3, 0, 7, self.height()))
            self.playhead_s = time_s

    def update(self, *where: object) -> None:
        """Something else than the playhead changed: everything is drawn anew."""
        self._layer_fits = False
        super().update(*where)

    def _view_changed(self) -> None:
        # Names and scales on the left stay as they are.
        self._layer_fits = False
        super().update(self.plot)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Another palette or font."""
        self._layer_fits = False
        super().changeEvent(event)

    # --- drawing -----------------------------------------------------------------------------------------------------

    def paint_plot(self, painter: QPainter, shade: Shades, exposed: QRect) -> None:
        """Draws the content; clipped to the plot."""
        raise NotImplementedError

    def paint_gutter(self, painter: QPainter, shade: Shades) -> None:
        """Draws names or scales into the gutter."""

    def area_rect(self) -> QRectF | None:
        """Where the marked area is drawn; the height of the view unless a subclass knows frequencies."""
        area = self.document.area
        if area is None:
            return None
        return QRectF(self.x_of(area.start_s), 0, self.x_of(area.end_s) - self.x_of(area.start_s), self.height())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Everything, and the playhead on top."""
        painter = QPainter(self)
        shade = shades(self.palette())
        exposed = event.rect()
        ratio = self.devicePixelRatioF()
        if exposed.width() < self.width() // 4 and ratio.is_integer():
            # A step of the playhead, many times a second: all that lies beneath is copied. Between whole scales a copy
            # would not lie on the same pixels.
            layer = self._layer_beneath(ratio, shade)
            source = QRectF(exposed.x() * ratio, exposed.y() * ratio, exposed.width() * ratio, exposed.height() * ratio)
            painter.drawPixmap(QRectF(exposed), layer, source)
        else:
            self._paint_beneath(painter, shade, exposed)
        if self.document.source is not None:
            painter.setClipRect(self.plot & exposed)
            painter.setPen(shade.playhead)
            at = int(self.x_of(self.playhead_s))
            painter.drawLine(at, 0, at, self.height())
        painter.end()

    def _layer_beneath(self, ratio: float, shade: Shades) -> QPixmap:
        size = QSize(round(self.width() * ratio), round(self.height() * ratio))
        layer = self._layer
        if layer is None or layer.size() != size or layer.devicePixelRatio() != ratio:
            layer = self._layer = QPixmap(size)
            layer.setDevicePixelRatio(ratio)
            self._layer_fits = False
        if not self._layer_fits:
            self._layer_fits = True
            painter = QPainter(layer)
            painter.setFont(self.font())
            self._paint_beneath(painter, shade, self.rect())
            painter.end()
        return layer

    def _paint_beneath(self, painter: QPainter, shade: Shades, exposed: QRect) -> None:
        """Ground, content, marked area, gutter."""
        painter.fillRect(exposed, shade.ground)
        if self.document.source is not None:
            painter.setClipRect(self.plot & exposed)
            self.paint_plot(painter, shade, exposed)
            marked = self.area_rect()
            if marked is not None:
                painter.fillRect(marked, shade.marked)
                painter.setPen(QColor(255, 255, 255, 150) if shade.ground.lightness() < 128 else shade.wave)
                painter.drawRect(marked.adjusted(0, 0, -1, -1))
            painter.setClipping(False)
            if exposed.left() < GUTTER:
                painter.setClipRect(QRect(0, 0, GUTTER - 1, self.height()))
                self.paint_gutter(painter, shade)
                painter.setClipping(False)
        painter.setPen(shade.line)
        painter.drawLine(GUTTER - 1, 0, GUTTER - 1, self.height())

    # --- wheel and middle button -------------------------------------------------------------------------------------

    def scroll_rows(self, pixels: int) -> bool:
        """Scrolls up or down where the view has more than fits; tells whether it did."""
        return False

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 - Qt's name
        """Ctrl zooms at the pointer; the wheel scrolls, through rows where there are more than fit, else in time."""
        turn = event.angleDelta()
        modifiers = event.modifiers()
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self.view.zoom(1.25 ** ((turn.y() or turn.x()) / 120), self.time_at(event.position().x()))
        elif turn.x() or modifiers & (Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.AltModifier):
            self.view.scroll(-(turn.x() or turn.y()) / 120 * 0.1)
        elif not self.scroll_rows(-turn.y() // 3):
            self.view.scroll(-turn.y() / 120 * 0.1)
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """The middle button takes hold of the picture."""
        if event.button() == Qt.MouseButton.MiddleButton:
            self._pan = (event.position().x(), self.view.start_s)
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Pans, or tells where the pointer is."""
        if self._pan is not None:
            from_x, start_s = self._pan
            moved = (event.position().x() - from_x) / self.plot.width() * self.view.span_s
            self.view.show_span(start_s - moved, self.view.span_s)
        elif self.document.source is not None:
            self.pointed.emit(self.time_at(event.position().x()), self.frequency_at(event.position().toPoint()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802 - Qt's name
        """Lets go."""
        if event.button() == Qt.MouseButton.MiddleButton and self._pan is not None:
            self._pan = None
            self.unsetCursor()

    def frequency_at(self, point: QPoint) -> float:
        """Frequency under the pointer in Hz, -1 where the view has none."""
        return -1.0
