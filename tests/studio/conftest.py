"""Windows are drawn into memory, nothing is played, and no test leaves a thread behind or a warning of Qt unread."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication

from recomposer_studio.studio.settings import SettingsFile
from recomposer_studio.studio.theme import apply_theme
from recomposer_studio.studio.window import Window
from tests.editing.scenes import burst, noise, write
from tests.studio.hand_output import HandOutput
from tests.studio.rolls import ROLL

# The offscreen platform says these about every window and every list that drops down.
_HARMLESS = (
    "This plugin does not support propagateSizeHints",
    "This plugin does not support raise()",
    "This plugin does not support grabbing the keyboard",
)


@pytest.fixture(autouse=True)
def tidy(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that leaves a thread, or that made Qt complain."""
    before = set(threading.enumerate())
    qtlog = request.getfixturevalue("qtlog") if "qtbot" in request.fixturenames else None
    yield
    left = [thread.name for thread in threading.enumerate() if thread not in before and thread.is_alive()]
    # A QThread shows up as a dummy once Python code ran in it; it is gone from Qt's side by then.
    assert [name for name in left if not name.startswith("Dummy")] == []
    if qtlog is not None:
        said = [record.message for record in qtlog.records if not record.message.startswith(_HARMLESS)]
        assert said == []


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Four seconds of stereo noise with two tones in it."""
    rate = 16_000
    samples = noise(2, 4.0, rate, seed=3, level=0.01)
    samples += burst(1.0, 0.5, 4.0, rate, 1500.0) + burst(2.5, 0.4, 4.0, rate, 3000.0)
    return write(tmp_path / "street.wav", np.clip(samples, -1, 1), rate, "PCM_16")


@pytest.fixture
def output() -> HandOutput:
    """The sound card of `window`."""
    return HandOutput()


@pytest.fixture
def window(qtbot, tmp_path: Path, output: HandOutput) -> Iterator[Window]:
    """A window on the screen, with nothing open."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    apply_theme(app, "dark")
    window = Window(SettingsFile(tmp_path / "settings.json"), output.open)
    # No test waits for a model that happens to be installed.
    window.generating.find_checkpoint = lambda: None
    # The hand's output is there at once; a busy machine must not let the window go on without it.
    window.listening.player.patience_s = 30.0
    window.resize(1400, 850)
    window.show()
    qtbot.waitExposed(window)
    yield window
    window.shut_down()
    window.document.undo_stack.clear()
    window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    window.hide()
    window.deleteLater()
    app.processEvents()
    # Outside of an event loop Qt keeps what is to be deleted, and every later window would be slower by it.
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def opened(qtbot, window: Window, recording: Path) -> Window:
    """A window with `recording` open and its picture finished."""
    assert window.open(recording)
    qtbot.waitUntil(lambda: not window.imaging.busy, timeout=20_000)
    return window


@pytest.fixture
def rolled(opened: Window) -> Window:
    """The same window with three events in the roll."""
    opened.document.change_roll("roll", ROLL)
    opened.timeline.spectrogram.setFocus()
    return opened
