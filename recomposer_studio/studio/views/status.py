"""The line at the bottom: pointer, recording, level, progress."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QSizePolicy, QWidget

from recomposer_studio.studio.document import Document
from recomposer_studio.studio.metering import FLOOR_DB, Levels
from recomposer_studio.studio.views.meters import Meters


class Status(QWidget):
    """What is under the pointer, what is open, how loud it is, how far the work is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pointer, self.document = self._label(self.tr("Under the pointer")), self._label(self.tr("Recording"))
        self.playhead, self.level = self._label(self.tr("Playhead")), self._label(self.tr("Level"))
        self.level.setMinimumWidth(self.fontMetrics().horizontalAdvance("-00.0 dBFS"))
        self.meters = Meters()
        self.channels = self._label(self.tr("How the channels are heard"))
        self.playhead.setMinimumWidth(self.fontMetrics().horizontalAdvance("0:00:00.000"))
        self.work = self._label(self.tr("Work in progress"))
        self.progress = QProgressBar()
        self.progress.setAccessibleName(self.tr("Progress"))
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        # No higher than the words beside it: a higher one would move the whole window when it comes and goes.
        self.progress.setFixedSize(170, self.fontMetrics().height())
        self.progress.hide()
        self.pointer.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 1, 8, 1)
        layout.setSpacing(16)
        layout.addWidget(self.pointer, 1)
        for widget in (
            self.work, self.progress, self.meters, self.level, self.playhead, self.document, self.channels,
        ):  # fmt: skip
            layout.addWidget(widget)
        self._rendering = False

    def _label(self, name: str) -> QLabel:
        label = QLabel()
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setAccessibleName(name)
        return label

    def show_pointer(self, time_s: float, hz: float, level_db: float | None, names: list[str]) -> None:
        """What lies under the pointer."""
        parts = [clock(time_s)]
        if hz >= 0:
            parts.append(f"{hz:,.0f} Hz".replace(",", "\u202f"))
        if level_db is not None:
            parts.append(f"{level_db:.0f} dB")
        self.pointer.setText("   ".join([*parts, ", ".join(names[:4])]))

    def show_document(self, document: Document) -> None:
        """What is open."""
        source = document.source
        self.meters.setVisible(source is not None)
        if source is None:
            self.document.setText("")
            self.pointer.setText("")
            self.playhead.setText("")
            return
        kind = source.format
        depth = f"{kind.bits}-bit" if kind.is_integer else ("lossy" if kind.is_lossy else f"{kind.bits}-bit float")
        words = (
            f"{source.rate_hz / 1000:g} kHz  {source.channels} ch  {kind.container} {depth}  {clock(source.duration_s)}"
        )
        self.document.setText(words)

    def show_playhead(self, time_s: float) -> None:
        """Where the playhead is."""
        self.playhead.setText(clock(time_s))

    def show_levels(self, levels: Levels) -> None:
        """How loud it is."""
        self.meters.show_levels(levels)
        peak_db = self.meters.peak_db
        self.level.setText(f"{peak_db:.1f} dBFS" if peak_db > FLOOR_DB else "")

    def show_channels(self, words: str) -> None:
        """How a recording of more than two channels is heard."""
        self.channels.setText(words)
        self.channels.setVisible(bool(words))

    def show_progress(self, share: float, left_s: float, what: str) -> None:
        """How far a render is."""
        self._rendering = True
        self.progress.setRange(0, 1000)
        self.progress.setValue(round(share * 1000))
        self.progress.show()
        left = "" if left_s < 0 else self.tr(", {0} s left").format(max(1, round(left_s)))
        self.work.setText(f"{what}{left}  ({self.tr('Esc cancels')})")

    def show_busy(self, rendering: bool) -> None:
        """A render began or ended."""
        self._rendering = rendering
        self.progress.setVisible(rendering)
        self.work.setText(self.tr("Rendering") if rendering else "")

    def show_analysis(self, share: float) -> None:
        """How far the picture is, unless a render needs the place."""
        if not self._rendering:
            self.progress.setVisible(share < 1.0)
            self.progress.setValue(round(share * 1000))
            self.work.setText(self.tr("Drawing the picture") if share < 1.0 else "")


def clock(time_s: float) -> str:
    """A time as minutes, seconds and milliseconds."""
    minutes, seconds = divmod(max(time_s, 0.0), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{seconds:06.3f}" if hours else f"{minutes}:{seconds:06.3f}"
