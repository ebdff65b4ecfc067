"""Colours: the window in light and dark, the actions, the tables of the picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette, qRgb
from PySide6.QtWidgets import QApplication

from recomposer_studio.audio.picture import colour_table
from recomposer_studio.roll.event import Action
from recomposer_studio.studio.tiles import FLOOR_DB

ACTION_COLOURS = {
    # After Okabe and Ito's palette, told apart in all kinds of colour vision.
    Action.INSERT: QColor(0, 200, 148),
    Action.DELETE: QColor(255, 142, 66),
    Action.ENHANCE: QColor(104, 178, 255),
    Action.KEEP: QColor(244, 222, 110),
}
ACTION_SIGNS = {Action.INSERT: "+", Action.DELETE: "\u00d7", Action.ENHANCE: "\u2191", Action.KEEP: "="}
"""Beside colour and pattern, a sign in every box."""

COLOUR_STOPS: dict[str, tuple[tuple[int, int, int], ...]] = {
    "viridis": ((68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142), (31, 158, 137),
                (53, 183, 121), (109, 205, 89), (180, 222, 44), (253, 231, 37)),
    "magma": ((0, 0, 4), (40, 17, 89), (101, 26, 128), (158, 47, 127), (213, 73, 105), (246, 120, 92), (254, 180, 123), (252, 253, 191)),
    "cividis": ((0, 32, 76), (0, 52, 110), (61, 78, 107), (95, 104, 109), (125, 130, 118), (160, 155, 117), (203, 186, 105), (255, 233, 69)),
    "grey": ((8, 8, 10), (250, 250, 250)),
    "paper": ((252, 252, 252), (20, 20, 24)),
}  # fmt: skip
COLOUR_NAMES = ("aurora", *COLOUR_STOPS)


def picture_table(name: str, range_db: int, top_db: float = 0.0) -> list[int]:
    """256 colours for the bytes of a picture: the range below `top_db` spread over a colour table."""
    if name in COLOUR_STOPS:
        stops = np.array(COLOUR_STOPS[name], np.float64)
        at = np.linspace(0, len(stops) - 1, 256)
        table = np.stack([np.interp(at, np.arange(len(stops)), stops[:, part]) for part in range(3)], axis=1)
    else:
        table = colour_table().astype(np.float64)
    level_db = FLOOR_DB + np.arange(256) / 255 * -FLOOR_DB
    index = np.clip(np.round((level_db - (top_db - range_db)) / range_db * 255), 0, 255).astype(int)
    return [qRgb(*(int(part) for part in table[k])) for k in index]


@dataclass(frozen=True)
class Shades:
    """Colours of the drawn views, from the palette in use."""

    ground: QColor
    lane: QColor
    line: QColor
    text: QColor
    faint: QColor
    wave: QColor
    marked: QColor
    playhead: QColor


def is_dark(palette: QPalette) -> bool:
    """Whether a palette has light text on a dark ground."""
    return palette.color(QPalette.ColorRole.Window).lightness() < 128


def text_colour(action: Action) -> QColor:
    """An action's colour as text: darker on a light ground, so that it can be read."""
    colour = ACTION_COLOURS[action]
    return colour if is_dark(QGuiApplication.palette()) else colour.darker(210)


def shades(palette: QPalette) -> Shades:
    """The colours of the drawn views."""
    if is_dark(palette):
        return Shades(
            QColor(24, 25, 29), QColor(30, 32, 37), QColor(58, 61, 69), QColor(226, 228, 233), QColor(150, 154, 164),
            QColor(126, 148, 226), QColor(255, 255, 255, 44), QColor(255, 92, 92),
        )  # fmt: skip
    return Shades(
        QColor(250, 250, 252), QColor(241, 242, 246), QColor(206, 208, 215), QColor(28, 28, 32), QColor(96, 100, 110),
        QColor(66, 84, 160), QColor(30, 60, 160, 40), QColor(204, 0, 34),
    )  # fmt: skip


def _palette(dark: bool) -> QPalette:
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    colours = (
        {
            role.Window: "#26282e", role.WindowText: "#e2e4e9", role.Base: "#1b1d21", role.AlternateBase: "#22242a",
            role.Text: "#e2e4e9", role.Button: "#33363e", role.ButtonText: "#e2e4e9", role.BrightText: "#ff6b6b",
            role.Highlight: "#3d6fd9", role.HighlightedText: "#ffffff", role.ToolTipBase: "#3a3d46",
            role.ToolTipText: "#f0f1f4", role.PlaceholderText: "#8e929d", role.Link: "#8fb4ff",
            role.Light: "#464a54", role.Midlight: "#3b3e47", role.Mid: "#2b2d33", role.Dark: "#17181b",
        }
        if dark
        else {
            role.Window: "#f1f2f5", role.WindowText: "#1c1c20", role.Base: "#ffffff", role.AlternateBase: "#f5f6f9",
            role.Text: "#1c1c20", role.Button: "#e8e9ee", role.ButtonText: "#1c1c20", role.BrightText: "#b00020",
            role.Highlight: "#2f62cf", role.HighlightedText: "#ffffff", role.ToolTipBase: "#ffffff",
            role.ToolTipText: "#1c1c20", role.PlaceholderText: "#6f737d", role.Link: "#1d4fc0",
            role.Light: "#ffffff", role.Midlight: "#f7f7fa", role.Mid: "#b9bcc6", role.Dark: "#9a9da8",
        }
    )  # fmt: skip
    palette = QPalette()
    for part, colour in colours.items():
        palette.setColor(part, QColor(colour))
    dim = QColor("#777b86" if dark else "#8d919b")
    for part in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(group.Disabled, part, dim)
    palette.setColor(group.Disabled, role.Highlight, dim)
    return palette


_SIGNS = Path(__file__).resolve().parent / "signs"

_SHEET = """
QPushButton:checked, QToolButton:checked { background: palette(highlight); color: palette(highlighted-text);
    border: 1px solid palette(highlight); border-radius: 3px; padding: 3px 7px; }
QToolBar { spacing: 3px; padding: 3px; }
QToolBar QToolButton { padding: 4px 9px; }
QDockWidget::title { padding: 5px 8px; font-weight: bold; }
QCheckBox::indicator, QListView::indicator { width: 13px; height: 13px; border: 1px solid EDGE; border-radius: 3px;
    background: palette(base); }
QCheckBox::indicator:checked, QCheckBox::indicator:indeterminate, QListView::indicator:checked {
    background-color: palette(highlight); border-color: palette(highlight); }
QCheckBox::indicator:checked, QListView::indicator:checked { image: url("SIGNS/tick.svg"); }
QCheckBox::indicator:indeterminate { image: url("SIGNS/dash.svg"); }
QListView::indicator { width: 11px; height: 11px; }
QListView::indicator:checked { border-color: EDGE; }
QCheckBox::indicator:checked:disabled, QCheckBox::indicator:indeterminate:disabled, QListView::indicator:checked:disabled {
    background-color: DIM; border-color: DIM; }
QMenu { border: 1px solid EDGE; }
QMenu::separator { height: 1px; margin: 2px 6px; background: DIM; }
QToolTip { padding: 4px; }
QDialogButtonBox, QMessageBox { dialogbuttonbox-buttons-have-icons: 0; }
"""
"""What Fusion shows too faintly on a dark ground, and a little more room."""


def apply_theme(app: QApplication, theme: str) -> None:
    """Dresses the application: "dark", "light", or "system" for what the desktop uses."""
    system_dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
    dark = theme == "dark" or (theme == "system" and system_dark)
    sheet = _SHEET.replace("EDGE", "#8e929d" if dark else "#84889a").replace("DIM", "#6a6e79" if dark else "#84889a")
    sheet = sheet.replace("SIGNS", _SIGNS.as_posix())
    if app.styleSheet() == sheet:
        return  # Dressing every widget anew takes Qt a third of a second.
    app.setStyle("Fusion")
    app.setPalette(_palette(dark))
    app.setStyleSheet(sheet)
