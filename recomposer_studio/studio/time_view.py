"""The one transform between time and pixel columns, shared by every view."""

from PySide6.QtCore import QObject, Signal


class TimeView(QObject):
    """The stretch of time that is on the screen: one for all views.

    Signals:
        changed: start or span changed.
    """

    changed = Signal()
    LEAST_SPAN_S = 0.005

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.duration_s = 1.0
        self.start_s = 0.0
        self.span_s = 1.0

    @property
    def end_s(self) -> float:
        """Time at the right edge."""
        return self.start_s + self.span_s

    def x(self, time_s: float, width: int) -> float:
        """Pixel column of a time in a view `width` pixels wide."""
        return (time_s - self.start_s) / self.span_s * width

    def time(self, x: float, width: int) -> float:
        """Time at a pixel column, within the recording."""
        return min(max(self.start_s + x / max(width, 1) * self.span_s, 0.0), self.duration_s)

    def reset(self, duration_s: float) -> None:
        """Shows a recording of this length whole."""
        self.duration_s = max(duration_s, self.LEAST_SPAN_S)
        self.start_s, self.span_s = 0.0, self.duration_s
        self.changed.emit()

    def show_span(self, start_s: float, span_s: float) -> None:
        """Shows a stretch, moved and cut so that it lies within the recording."""
        span_s = min(max(span_s, self.LEAST_SPAN_S), self.duration_s)
        start_s = min(max(start_s, 0.0), self.duration_s - span_s)
        if (start_s, span_s) != (self.start_s, self.span_s):
            self.start_s, self.span_s = start_s, span_s
            self.changed.emit()

    def zoom(self, factor: float, around_s: float) -> None:
        """Shows `factor` times less; the time `around_s` stays where it is on the screen."""
        span_s = min(max(self.span_s / factor, self.LEAST_SPAN_S), self.duration_s)
        share = (around_s - self.start_s) / self.span_s
        self.show_span(around_s - share * span_s, span_s)

    def scroll(self, share: float) -> None:
        """Moves by a share of what is on the screen."""
        self.show_span(self.start_s + share * self.span_s, self.span_s)

    def reveal(self, start_s: float, end_s: float) -> None:
        """Scrolls just as far as needed to show an interval, and widens the view where it is too narrow."""
        margin = 0.05 * self.span_s
        if end_s - start_s > 0.9 * self.span_s:
            self.show_span(start_s - 0.1 * (end_s - start_s), 1.2 * (end_s - start_s))
        elif start_s < self.start_s:
            self.show_span(start_s - margin, self.span_s)
        elif end_s > self.end_s:
            self.show_span(end_s + margin - self.span_s, self.span_s)
