"""What a person's hands do: drags with the mouse on the timeline."""

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from recomposer_studio.studio.views.spectrogram import Spectrogram


def drag(
    widget: QWidget,
    start: tuple[float, float],
    end: tuple[float, float],
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier,
) -> None:
    """Presses at one point, moves in steps, lets go at another; points in pixels."""
    a, b = QPoint(round(start[0]), round(start[1])), QPoint(round(end[0]), round(end[1]))
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, modifiers, a)
    for step in range(1, 7):
        at = a + QPoint(round((b.x() - a.x()) * step / 6), round((b.y() - a.y()) * step / 6))
        # QTest.mouseMove holds no button.
        event = QMouseEvent(
            QEvent.Type.MouseMove,
            QPointF(at),
            QPointF(widget.mapToGlobal(at)),
            Qt.MouseButton.NoButton,
            Qt.MouseButton.LeftButton,
            modifiers,
        )
        QApplication.sendEvent(widget, event)
    QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, modifiers, b)


def spot(picture: Spectrogram, time_s: float, hz: float) -> tuple[float, float]:
    """The pixel of a time and a frequency on the picture."""
    return picture.x_of(time_s), picture.scale.y(hz, picture.height())
