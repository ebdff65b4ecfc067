"""A text that always takes up two lines, so that nothing below it moves when it changes."""

from PySide6.QtCore import QPoint, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QTextLayout, QTextOption
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget


class TwoLines(QLabel):
    """A label two lines high: shorter texts leave the second one empty, longer ones are cut, to be read in full in the tool tip.

    Args:
        parent: its owner.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed))

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As wide as the text in one line, two lines high."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.text()), 2 * metrics.lineSpacing())

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """Two lines of a few letters."""
        metrics = self.fontMetrics()
        return QSize(8 * metrics.averageCharWidth(), 2 * metrics.lineSpacing())

    def heightForWidth(self, _: int) -> int:  # noqa: N802 - Qt's name
        """Two lines, which a label with wrapping is asked for at every width."""
        return 2 * self.fontMetrics().lineSpacing()

    def lines(self) -> list[str]:
        """What stands in the two lines at the present width."""
        layout = QTextLayout(self.text(), self.font())
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.beginLayout()
        line = layout.createLine()
        if line.isValid():
            line.setLineWidth(self.width())
        layout.endLayout()
        first = line.textLength() if line.isValid() else 0
        rest = self.text()[first:].strip()
        return [
            self.text()[:first].rstrip(),
            self.fontMetrics().elidedText(rest, Qt.TextElideMode.ElideRight, self.width()),
        ]

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draws the two lines."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        metrics = self.fontMetrics()
        for number, words in enumerate(self.lines()):
            painter.drawText(QPoint(0, metrics.ascent() + number * metrics.lineSpacing()), words)
