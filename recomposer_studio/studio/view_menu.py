"""The parts of the menus that are made of choices: scale, colours, range, theme, panels, recent files, takes 1 to 9."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu

from recomposer_studio.studio.scale import ScaleKind
from recomposer_studio.studio.theme import COLOUR_NAMES

if TYPE_CHECKING:
    from recomposer_studio.studio.window import Window

_RANGES_DB = (40, 60, 80, 100, 120)
_WINDOWS = (256, 512, 1024, 2048, 4096, 8192, 16384)
_HOPS_MS = (2.5, 5.0, 10.0, 20.0, 50.0)
_MOST_TAKES = 9


def fill_view_menu(window: "Window", menu: QMenu) -> None:
    """Adds the choices to the View menu, and what else is made of them elsewhere."""
    settings = window.settings
    kinds = {
        ScaleKind.MEL: window.tr("Mel"),
        ScaleKind.LOG: window.tr("Logarithmic"),
        ScaleKind.LINEAR: window.tr("Linear"),
    }
    _choice(
        menu.addMenu(window.tr("&Frequency")),
        ((words, kind.value) for kind, words in kinds.items()),
        settings.scale,
        lambda value: _set_scale(window, str(value)),
    )
    _choice(
        menu.addMenu(window.tr("&Colours")),
        ((name.capitalize(), name) for name in COLOUR_NAMES),
        settings.colours,
        lambda value: _set_colours(window, str(value), window.settings.range_db),
    )
    _choice(
        menu.addMenu(window.tr("&Dynamic range")),
        ((f"{range_db} dB", range_db) for range_db in _RANGES_DB),
        settings.range_db,
        lambda value: _set_colours(window, window.settings.colours, int(str(value))),
    )
    sizes = [(window.tr("As suits the recording"), 0), *((str(size), size) for size in _WINDOWS)]
    _choice(
        menu.addMenu(window.tr("Analysis &window")),
        sizes,
        settings.window_size,
        lambda value: _set_analysis(window, int(str(value)), window.settings.hop_ms),
    )
    steps = [
        (window.tr("As suits the recording"), 0.0),
        *((window.tr("{0} ms").format(f"{hop_ms:g}"), hop_ms) for hop_ms in _HOPS_MS),
    ]
    _choice(
        menu.addMenu(window.tr("Analysis s&tep")),
        steps,
        settings.hop_ms,
        lambda value: _set_analysis(window, window.settings.window_size, float(str(value))),
    )
    themes = (
        (window.tr("As the &system"), "system"), (window.tr("&Light"), "light"), (window.tr("&Dark"), "dark"),
    )  # fmt: skip
    _choice(menu.addMenu(window.tr("&Theme")), themes, settings.theme, lambda value: window.set_theme(str(value)))
    panels = menu.addMenu(window.tr("&Panels"))
    panels.addActions([dock.toggleViewAction() for dock in window.docks])
    panels.addSeparator()
    panels.addAction(window.tr("&Put all back")).triggered.connect(lambda _=False: window.panels.reset())
    _recent_menu(window)
    _take_keys(window)


def _choice(
    menu: QMenu, entries: Iterable[tuple[str, object]], present: object, chosen: Callable[[object], None]
) -> None:
    """A menu of which one entry is checked."""
    menu.setAccessibleName(menu.title().replace("&", ""))
    group = QActionGroup(menu)
    for words, value in entries:
        action = QAction(words, menu)
        action.setCheckable(True)
        action.setChecked(value == present)
        action.triggered.connect(lambda _=False, value=value: chosen(value))
        group.addAction(action)
        menu.addAction(action)


def _set_scale(window: "Window", kind: str) -> None:
    window.timeline.set_kind(ScaleKind(kind))
    window.remember(scale=kind)


def _set_colours(window: "Window", colours: str, range_db: int) -> None:
    window.timeline.spectrogram.set_colours(colours, range_db)
    window.remember(colours=colours, range_db=range_db)


def _set_analysis(window: "Window", size: int, hop_ms: float) -> None:
    window.remember(window_size=size, hop_ms=hop_ms)
    window.imaging.set_analysis(size, hop_ms / 1_000)


def _recent_menu(window: "Window") -> None:
    file_menu = window.actions_.menus["file"]
    recent = QMenu(window.tr("Open &recent"), file_menu)
    recent.setAccessibleName(window.tr("Open recent"))

    def fill() -> None:
        recent.clear()
        for name in window.settings.recent_files:
            action = recent.addAction(Path(name).name)
            action.setToolTip(name)
            action.triggered.connect(lambda _=False, path=name: window.open(Path(path)))
        recent.setEnabled(bool(window.settings.recent_files))

    file_menu.aboutToShow.connect(fill)
    fill()
    file_menu.insertMenu(window.actions_["demo"], recent)


def _take_keys(window: "Window") -> None:
    """The keys 1 to 9."""
    for number in range(1, _MOST_TAKES + 1):
        action = QAction(window.tr("Take {0}").format(number), window)
        action.setShortcut(QKeySequence(str(number)))
        action.triggered.connect(lambda _=False, number=number: _hear(window, number))
        window.addAction(action)


def _hear(window: "Window", number: int) -> None:
    if number <= len(window.document.takes):
        window.document.hear(number)
