import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QApplication

from recomposer_studio.studio.settings import SettingsFile
from recomposer_studio.studio.window import Window


@pytest.fixture
def again(qtbot, window, recording, output):
    """Closes the window and starts anew with what it remembered."""
    made = []

    def start() -> Window:
        window.closeEvent(QCloseEvent())
        other = Window(SettingsFile(window.settings_file.path), output.open)
        other.generating.find_checkpoint = lambda: None
        other.resize(1400, 850)
        other.show()
        qtbot.waitExposed(other)
        made.append(other)
        other.open(recording)
        qtbot.waitUntil(lambda: not other.imaging.busy)
        return other

    yield start
    for other in made:
        other.shut_down()
        other.document.undo_stack.clear()
        other.hide()
        other.deleteLater()
    QApplication.processEvents()


def dock(window, name: str):
    return next(dock for dock in window.docks if dock.objectName() == name)


def test_closed_and_moved_panels_are_so_at_the_next_start(opened, again):
    dock(opened, "history").close()
    opened.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, dock(opened, "takes"))
    other = again()
    assert not dock(other, "history").isVisible() and dock(other, "rows").isVisible()
    assert other.dockWidgetArea(dock(other, "takes")) == Qt.DockWidgetArea.LeftDockWidgetArea


def test_panels_stay_closed_when_another_recording_is_opened(opened, recording):
    dock(opened, "history").close()
    opened.open(recording)
    assert not dock(opened, "history").isVisible()
    dock(opened, "history").toggleViewAction().trigger()
    assert dock(opened, "history").isVisible()


def test_the_menu_puts_all_panels_back(opened):
    for panel in opened.docks:
        panel.close()
    opened.panels.reset()
    assert all(panel.isVisible() for panel in opened.docks)
    assert opened.dockWidgetArea(dock(opened, "takes")) == Qt.DockWidgetArea.RightDockWidgetArea
    assert opened.settings_file.read().layout == ""


def test_a_layout_of_other_panels_is_not_used(opened, again):
    opened.remember(layout="00ff00")
    opened.panels._shown = False  # nothing is kept at closing
    other = again()
    assert all(panel.isVisible() for panel in other.docks)


def test_the_window_fits_on_a_small_screen(opened):
    # 1920 x 1080 at twice the size, less the frame of the window and a bar.
    least = opened.minimumSizeHint()
    assert least.width() <= 960 and least.height() <= 500


@pytest.mark.parametrize(("menu", "entry", "size", "hop_s"), [(0, "8192", 8192, 0.01), (1, "5 ms", 512, 0.005)])
def test_window_and_step_of_the_analysis_change_at_once(qtbot, opened, menu, entry, size, hop_s):
    before = opened.imaging.picture
    menus = [a.menu() for a in opened.actions_.menus["view"].actions() if a.menu() and "nalysis" in a.menu().title()]
    next(action for action in menus[menu].actions() if action.text() == entry).trigger()
    picture = opened.imaging.picture
    assert picture is not before
    qtbot.waitUntil(lambda: not opened.imaging.busy)
    assert picture.grid.size == (size if menu == 0 else before.grid.size)
    assert picture.grid.hop / picture.grid.rate_hz == pytest.approx(hop_s)
    assert opened.timeline.spectrogram.picture is picture
    # The tone of 1500 Hz is still where the axis says.
    spectrogram = opened.timeline.spectrogram
    assert spectrogram.level_at(1.1, 1_500.0) > spectrogram.level_at(1.1, 2_500.0) + 20
    stored = opened.settings_file.read()
    assert (stored.window_size, stored.hop_ms) == ((8192, 0.0) if menu == 0 else (0, 5.0))


def test_a_take_has_its_picture_with_another_window_too(qtbot, rolled):
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running and not rolled.imaging.busy)
    rolled.imaging.set_analysis(4096, 0.0)
    qtbot.waitUntil(lambda: not rolled.imaging.busy and len(rolled.imaging._takes) == 1)
    assert rolled.imaging.picture.grid.size == 4096
    assert rolled.imaging.picture is not rolled.imaging._original
