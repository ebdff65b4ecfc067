"""What the keys do that move and resize boxes, rows, the view and the focus: everything the mouse can do with them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from recomposer_studio.studio.snapping import GRID_S
from recomposer_studio.studio.views.palette import show_palette

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

_STEP_PIXELS = 4
"""A key moves an edge by this much on the screen, but not by less than the grid."""


def moves(window: "Window") -> dict[str, Callable[..., None]]:
    """Action id -> what it does to a window."""
    timeline, editing = window.timeline, window.editing

    def step_s() -> float:
        pixel_s = timeline.view.span_s / timeline.spectrogram.plot.width()
        return max(1, round(_STEP_PIXELS * pixel_s / GRID_S)) * GRID_S

    def step() -> float:
        return _STEP_PIXELS / max(timeline.spectrogram.height(), 1)

    def nudge(across: int, up: int) -> Callable[[], None]:
        return lambda: editing.nudge(across * step_s(), up * step(), timeline.spectrogram.scale)

    def stretch(sides: str, by: int) -> Callable[[], None]:
        return lambda: editing.stretch(sides, by * step_s(), by * step(), timeline.spectrogram.scale)

    return {
        "snap": lambda on: _set_snapping(window, on),
        "earlier": nudge(-1, 0),
        "later": nudge(1, 0),
        "higher": nudge(0, 1),
        "lower": nudge(0, -1),
        "start_earlier": stretch("l", -1),
        "start_later": stretch("l", 1),
        "end_earlier": stretch("r", -1),
        "end_later": stretch("r", 1),
        "top_higher": stretch("t", 1),
        "top_lower": stretch("t", -1),
        "bottom_higher": stretch("b", 1),
        "bottom_lower": stretch("b", -1),
        "lane_up": lambda: editing.to_lane(-1),
        "lane_down": lambda: editing.to_lane(1),
        "rename_row": timeline.lanes.rename,
        "row_up": lambda: timeline.lanes.move_row(-1),
        "row_down": lambda: timeline.lanes.move_row(1),
        "zoom_frequency_in": lambda: timeline.zoom_frequency(1.5),
        "zoom_frequency_out": lambda: timeline.zoom_frequency(1 / 1.5),
        "zoom_frequency_all": timeline.zoom_all_frequencies,
        "scroll_up": lambda: timeline.scroll_frequency(0.25),
        "scroll_down": lambda: timeline.scroll_frequency(-0.25),
        "next_pane": lambda: _next_pane(window, 1),
        "previous_pane": lambda: _next_pane(window, -1),
        "palette": lambda: show_palette(window),
    }


def _set_snapping(window: "Window", on: bool) -> None:
    window.timeline.snap.on = on
    window.remember(snap=on)


def _next_pane(window: "Window", by: int) -> None:
    """Puts the focus into the next part of the window; the Tab key goes on inside of it."""
    inside = [window.detect_bar, window.pages.currentWidget(), *(dock.widget() for dock in window.docks if _seen(dock))]
    panes = [pane for pane in inside if pane is not None]
    if not window.tool_bar.isHidden():
        panes.insert(0, window.tool_bar)
    focus = QApplication.focusWidget()
    present = next((n for n, pane in enumerate(panes) if focus is not None and pane.isAncestorOf(focus)), -1)
    for step in range(1, len(panes) + 1):
        inner = _first_inside(panes[(present + by * step) % len(panes)])
        if inner is not None:
            inner.setFocus(Qt.FocusReason.TabFocusReason)
            return


def _seen(dock: QWidget) -> bool:
    # The part of a dock that lies behind another's tab is not seen.
    return dock.isVisible() and not dock.visibleRegion().isEmpty()


def _first_inside(pane: QWidget) -> QWidget | None:
    """The first control of a pane that takes the focus with the Tab key."""
    candidates = [pane, *pane.findChildren(QWidget)]
    picture = [widget for widget in candidates if widget.objectName() == "spectrogram"]
    for widget in picture + candidates:
        takes = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if takes and widget.isEnabled() and widget.isVisibleTo(pane.window()) and widget.focusProxy() is None:
            return widget
    return None
