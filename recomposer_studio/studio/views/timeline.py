"""The middle of the window: overview, time axis, waveform, picture and roll, one under the other on one time axis."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QScrollBar, QSplitter, QVBoxLayout, QWidget

from recomposer_studio.audio.overview import Reader
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.scale import FrequencyScale, ScaleKind
from recomposer_studio.studio.snapping import Snap
from recomposer_studio.studio.suggestions import Suggestions
from recomposer_studio.studio.tiles import Picture
from recomposer_studio.studio.time_view import TimeView
from recomposer_studio.studio.views.roll_lanes import LANE, RollLanes
from recomposer_studio.studio.views.spectrogram import Spectrogram
from recomposer_studio.studio.views.strip import Strip
from recomposer_studio.studio.views.surface import Surface
from recomposer_studio.studio.views.waveform import Overview, Ruler, Waveform

_STEPS = 100_000
"""Resolution of the horizontal scroll bar."""


class Timeline(QWidget):
    """All strips, with their scroll bars.

    Signals:
        seek_requested: the playhead shall go to a time in seconds.
        pointed: the pointer is at (time in s, frequency in Hz or -1).
        drawn: a new box was drawn: an `Area` and a row or None.
        edit_requested: a box was double-clicked.
        menu_requested: a context menu is wanted at a global point.
    """

    seek_requested = Signal(float)
    pointed = Signal(float, float)
    drawn = Signal(object, object)
    edit_requested = Signal()
    menu_requested = Signal(object)

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.document = document
        self.view = TimeView(self)
        self.overview = Overview(document, self.view)
        self.ruler = Ruler(document, self.view)
        self.waveform = Waveform(document, self.view)
        self.spectrogram = Spectrogram(document, self.view)
        self.lanes = RollLanes(document, self.view)
        self.strips: tuple[Strip, ...] = (self.overview, self.ruler, self.waveform, self.spectrogram, self.lanes)
        self.surfaces: tuple[Surface, ...] = (self.spectrogram, self.lanes)
        self.snap = Snap(document)
        for strip in self.strips:
            strip.snap = self.snap
        self._across = QScrollBar(Qt.Orientation.Horizontal)
        self._across.setAccessibleName(self.tr("Scroll through time"))
        self._down = QScrollBar(Qt.Orientation.Vertical)
        self._down.setAccessibleName(self.tr("Scroll through the rows"))
        self._high = QScrollBar(Qt.Orientation.Vertical)
        self._high.setAccessibleName(self.tr("Scroll through the frequencies"))
        self._lay_out()
        for strip in self.strips:
            strip.seek_requested.connect(self.seek_requested)
            strip.pointed.connect(self.pointed)
        for surface in self.surfaces:
            surface.drawn.connect(self.drawn)
            surface.edit_requested.connect(self.edit_requested)
            surface.menu_requested.connect(self.menu_requested)
        self.view.changed.connect(self._show_place)
        self._across.valueChanged.connect(self._scroll_across)
        self._down.valueChanged.connect(self.lanes.scroll_to)
        self.lanes.extent_changed.connect(self._show_rows)
        self._high.valueChanged.connect(self._scroll_high)
        self.spectrogram.range_changed.connect(self._show_range)
        self._show_range()
        document.opened.connect(self._opened)
        document.selection_changed.connect(self._reveal)

    def _lay_out(self) -> None:
        bar = self._down.sizeHint().width()
        pair = QWidget()
        picture = QWidget()
        for holder, strip, beside in ((pair, self.lanes, self._down), (picture, self.spectrogram, self._high)):
            row = QGridLayout(holder)
            row.setContentsMargins(0, 0, 0, 0)
            row.setSpacing(0)
            row.addWidget(strip, 0, 0)
            row.addWidget(beside, 0, 1)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setChildrenCollapsible(False)
        # The scroll bar of the roll takes its width from all strips: their time axes have to agree.
        splitter.addWidget(_with_margin(self.waveform, bar))
        splitter.addWidget(picture)
        splitter.addWidget(pair)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 6)
        splitter.setStretchFactor(2, 3)
        splitter.setSizes([70, 330, 5 * LANE + 6])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addWidget(_with_margin(self.overview, bar))
        layout.addWidget(_with_margin(self.ruler, bar))
        layout.addWidget(splitter, 1)
        layout.addWidget(self._across)

    # --- what is shown -----------------------------------------------------------------------------------------------

    def show_picture(self, picture: Picture | None, reader: Reader | None) -> None:
        """Shows the sound that is heard, or more of it as the analysis goes on."""
        self.waveform.show_picture(picture, reader)
        self.spectrogram.show_picture(picture)
        self.overview.show_picture(picture)

    def set_playhead(self, time_s: float, follow: bool) -> None:
        """Moves the playhead; with `follow` the view turns the page when the playhead leaves it.

        A playhead that was outside already, because the person looks elsewhere, turns nothing.
        """
        was_s, view = self.ruler.playhead_s, self.view
        self.snap.playhead_s = time_s
        for strip in self.strips:
            strip.set_playhead(time_s)
        if follow and view.start_s <= was_s <= view.end_s and not view.start_s <= time_s <= view.end_s:
            view.show_span(time_s, view.span_s)

    def set_kind(self, kind: ScaleKind) -> None:
        """Changes the frequency scale."""
        self.spectrogram.set_kind(kind)

    def set_drawing(self, drawing: bool) -> None:
        """Changes between the tools: draw boxes, or select and mark."""
        for surface in self.surfaces:
            surface.drawing = drawing
            surface.setCursor(Qt.CursorShape.CrossCursor if drawing else Qt.CursorShape.ArrowCursor)

    def show_suggestions(self, suggestions: Suggestions) -> None:
        """Shows what the detector suggests on picture and roll."""
        for surface in self.surfaces:
            surface.show_suggestions(suggestions)

    def _opened(self) -> None:
        source = self.document.source
        if source is not None:
            self.spectrogram.set_top(source.rate_hz / 2)
            self.view.reset(source.duration_s)
        self.set_playhead(0.0, False)
        self._show_place()

    def _reveal(self) -> None:
        events = self.document.selected_events
        if events and self.document.selected:
            focus = next((event for event in events if event.id == self.document.selected[-1]), events[-1])
            self.lanes.reveal(focus)

    # --- scroll bars -------------------------------------------------------------------------------------------------

    def _show_place(self) -> None:
        view = self.view
        page = max(1, round(view.span_s / view.duration_s * _STEPS))
        self._across.blockSignals(True)
        self._across.setRange(0, _STEPS - page)
        self._across.setPageStep(page)
        self._across.setSingleStep(max(1, page // 20))
        self._across.setValue(round(view.start_s / view.duration_s * _STEPS))
        self._across.blockSignals(False)

    def _scroll_across(self, value: int) -> None:
        self.view.show_span(value / _STEPS * self.view.duration_s, self.view.span_s)

    def _show_range(self) -> None:
        scale = self.spectrogram.scale
        page = round(scale.part * _STEPS)
        self._high.blockSignals(True)
        self._high.setRange(0, _STEPS - page)
        self._high.setPageStep(page)
        self._high.setSingleStep(max(1, page // 20))
        self._high.setValue(round((1.0 - scale.high) * _STEPS))
        self._high.blockSignals(False)

    def _scroll_high(self, value: int) -> None:
        scale = self.spectrogram.scale
        self.spectrogram.show_range(scale.scrolled((1.0 - value / _STEPS - scale.high) / scale.part))

    def zoom_frequency(self, factor: float) -> None:
        """Shows `factor` times less of the frequencies, around the selected boxes or the middle of the picture."""
        scale = self.spectrogram.scale
        limits = [
            hz for event in self.document.selected_events for hz in (event.low_hz, event.high_hz) if hz is not None
        ]
        middle = float(scale.share(sum(limits) / len(limits))) if limits else 0.5
        self.spectrogram.show_range(scale.zoomed(factor, middle if 0.0 <= middle <= 1.0 else 0.5))

    def scroll_frequency(self, by: float) -> None:
        """Shows what lies higher, by a share of what is shown."""
        self.spectrogram.show_range(self.spectrogram.scale.scrolled(by))

    def zoom_all_frequencies(self) -> None:
        """Shows all frequencies."""
        scale = self.spectrogram.scale
        self.spectrogram.show_range(FrequencyScale(scale.kind, scale.top_hz))

    def _show_rows(self) -> None:
        self._down.blockSignals(True)
        self._down.setRange(0, self.lanes.hidden_pixels)
        self._down.setPageStep(max(self.lanes.height(), 1))
        self._down.setSingleStep(LANE)
        self._down.setValue(self.lanes.top)
        self._down.blockSignals(False)


def _with_margin(widget: QWidget, right: int) -> QWidget:
    holder = QWidget()
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(0, 0, right, 0)
    layout.addWidget(widget)
    return holder
