"""Meters: a bar for every channel of the output, and a light that remembers a clip."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from recomposer_studio.studio.metering import FLOOR_DB, Levels
from recomposer_studio.studio.theme import is_dark, shades

_LOWEST_DB = -60.0
_FALL_DB_PER_TICK = 1.5
_BAR = 110
_MARKS_DB = (-48, -36, -24, -12, -6)
_LIT = "QPushButton { background: #c8102e; color: #ffffff; font-weight: bold; border: 1px solid #c8102e; border-radius: 3px; }"


class Meters(QWidget):
    """Peak (line) and mean of the last 0.4 s (bar) of every channel, and the clip light.

    The light stays on until it is clicked or playing starts.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bars = _Bars()
        self.bars.setAccessibleName(self.tr("Level meter"))
        self.bars.setToolTip(self.tr("Level of every channel: peak (line), mean of the last 0.4 s (bar)"))
        self.clip = QPushButton(self.tr("CLIP"))
        self.clip.setFlat(True)
        self.clip.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.clip.setFixedWidth(self.clip.fontMetrics().horizontalAdvance(self.clip.text()) + 14)
        self.clip.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Ignored)
        self.clip.clicked.connect(self.reset_clip)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self.bars)
        layout.addWidget(self.clip)
        self.clipped = False
        self._show_clip()

    @property
    def peak_db(self) -> float:
        """The highest peak that is shown, `FLOOR_DB` for none."""
        return max(self.bars.peaks, default=FLOOR_DB)

    def show_levels(self, levels: Levels) -> None:
        """Shows what was played since the last time."""
        self.bars.show_levels(levels)
        if levels.clipped and not self.clipped:
            self.clipped = True
            self._show_clip()

    def reset_clip(self) -> None:
        """Puts the light out."""
        self.clipped = False
        self._show_clip()

    def _show_clip(self) -> None:
        state = self.tr("the sound passed full scale; click to reset") if self.clipped else self.tr("no clip")
        self.clip.setAccessibleName(self.tr("Clip light: {0}").format(state))
        self.clip.setToolTip(self.tr("Clip light: {0}").format(state))
        self.clip.setStyleSheet(_LIT if self.clipped else "")
        self.clip.setEnabled(self.clipped)


class _Bars(QWidget):
    """The bars."""

    def __init__(self) -> None:
        super().__init__()
        self.peaks: tuple[float, ...] = ()
        self._means: tuple[float, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_levels(self, levels: Levels) -> None:
        """Peaks fall slowly."""
        former = self.peaks if len(self.peaks) == len(levels.peak_db) else (FLOOR_DB,) * len(levels.peak_db)
        peaks = tuple(max(now, old - _FALL_DB_PER_TICK) for now, old in zip(levels.peak_db, former, strict=True))
        if (peaks, levels.mean_db) != (self.peaks, self._means):
            self.peaks, self._means = peaks, levels.mean_db
            self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """A small strip."""
        return QSize(_BAR, 14)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        """Draws the bars; the last 6 dB stand out by their colour and by a mark."""
        painter = QPainter(self)
        colours = shades(self.palette())
        loud = QColor(240, 170, 60) if is_dark(self.palette()) else QColor(196, 110, 0)
        width, count = float(self.width()), max(2, len(self.peaks))
        height = (self.height() - (count - 1)) / count
        for number in range(count):
            lane = QRectF(0.0, number * (height + 1), width, height)
            painter.fillRect(lane, colours.line)
            if number < len(self._means):
                reach = _x(self._means[number], width)
                knee = _x(-6.0, width)
                painter.fillRect(QRectF(0.0, lane.top(), min(reach, knee), height), colours.wave)
                if reach > knee:
                    painter.fillRect(QRectF(knee, lane.top(), reach - knee, height), loud)
            if number < len(self.peaks) and self.peaks[number] > _LOWEST_DB:
                at = min(_x(self.peaks[number], width), width - 2)
                painter.fillRect(QRectF(at, lane.top(), 2.0, height), colours.text)
        for mark_db in _MARKS_DB:
            painter.fillRect(QRectF(_x(mark_db, width), 0.0, 1.0, float(self.height())), colours.ground)


def _x(level_db: float, width: float) -> float:
    """Where a level lies on a bar."""
    return width * min(1.0, max(0.0, 1.0 - level_db / _LOWEST_DB))
