"""A take is dragged out of the list as a file; what is not finished in time is ready the next time."""

import os
import threading
import time
from pathlib import Path

import pytest
import soundfile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QDrag
from PySide6.QtWidgets import QApplication

from recomposer_studio.project.embedded import embedded_recipe
from recomposer_studio.studio.take_drag import KEPT_S
from tests.editing.scenes import noise, write
from tests.studio.hands import drag


@pytest.fixture
def dragged(qtbot, rolled, tmp_path, monkeypatch):
    """A window with a take, and the files that drags offer."""
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running and len(rolled.document.takes) == 1, timeout=20_000)
    rolled.take_drag.folder = tmp_path / "dragged"
    offered: list[Path] = []
    monkeypatch.setattr(QDrag, "exec", lambda self, *_: offered.append(Path(self.mimeData().urls()[0].toLocalFile())))
    return rolled, offered


def pull(window, row: int) -> None:
    """Presses on a line of the list and moves away from it."""
    takes = window.takes.list
    at = takes.visualItemRect(takes.item(row)).center() - QPoint(40, 0)
    drag(takes.viewport(), (at.x(), at.y()), (at.x(), at.y() + 60))


def test_a_take_that_is_held_goes_along_as_a_file(qtbot, dragged, monkeypatch):
    window, offered = dragged
    monkeypatch.setattr(window.take_drag, "_held", lambda: True)
    pull(window, 1)
    qtbot.waitUntil(lambda: len(offered) == 1, timeout=20_000)
    assert offered[0].name == "street - Take 1.wav"
    assert (
        soundfile.info(offered[0]).subtype == "PCM_16"
        and embedded_recipe(offered[0])["recording"]["name"] == "street.wav"
    )
    pull(window, 1)
    assert offered[1] == offered[0]
    # Another mix is another file.
    window.document.mix("m", window.document.roll.events[1].id, gain_db=-3.0)
    pull(window, 1)
    qtbot.waitUntil(lambda: len(offered) == 3, timeout=20_000)
    assert offered[2] != offered[0] and offered[2].read_bytes() != offered[0].read_bytes()


def test_who_lets_go_finds_it_ready(qtbot, dragged, monkeypatch):
    window, offered = dragged
    monkeypatch.setattr(window.take_drag, "_held", lambda: False)
    pull(window, 1)
    qtbot.waitUntil(lambda: "drag it again" in window.messages.text, timeout=20_000)
    assert offered == []
    pull(window, 1)
    assert len(offered) == 1


def test_the_original_is_not_dragged_and_a_click_is_none(qtbot, dragged):
    window, offered = dragged
    pull(window, 0)
    takes = window.takes.list
    qtbot.mouseClick(
        takes.viewport(), Qt.MouseButton.LeftButton, pos=takes.visualItemRect(takes.item(1)).center() - QPoint(40, 0)
    )
    assert offered == [] and not window.take_drag.folder.exists() and window.document.heard == 1


def test_what_was_dragged_long_ago_goes(qtbot, dragged, monkeypatch):
    window, offered = dragged
    monkeypatch.setattr(window.take_drag, "_held", lambda: True)
    for name, age_s in (("old", KEPT_S + 60), ("new", 60)):
        place = window.take_drag.folder / name
        place.mkdir(parents=True)
        os.utime(place, (time.time() - age_s,) * 2)
    pull(window, 1)
    qtbot.waitUntil(lambda: len(offered) == 1, timeout=20_000)
    kept = {path.name for path in window.take_drag.folder.iterdir()}
    assert "new" in kept and "old" not in kept


def test_a_take_that_clips_is_told_and_no_former_file_goes_along(qtbot, dragged, monkeypatch):
    window, offered = dragged
    monkeypatch.setattr(window.take_drag, "_held", lambda: True)
    pull(window, 1)
    qtbot.waitUntil(lambda: len(offered) == 1, timeout=20_000)
    window.document.mix("loud", "b", gain_db=90.0)
    pull(window, 1)
    qtbot.waitUntil(lambda: "would clip" in window.messages.text, timeout=20_000)
    qtbot.waitUntil(lambda: window.take_drag._job is None, timeout=20_000)
    assert len(offered) == 1 and "write float with Export" in window.messages.text


def test_a_folder_that_cannot_be_written_is_told(qtbot, dragged, tmp_path):
    window, offered = dragged
    (tmp_path / "file").write_text("", encoding="utf-8")
    window.take_drag.folder = tmp_path / "file" / "dragged"
    pull(window, 1)
    assert "use Export instead" in window.messages.text and offered == []


def test_opening_another_recording_ends_a_drag_without_a_word(qtbot, dragged, monkeypatch, tmp_path):
    window, offered = dragged
    left = threading.Event()

    def export(take, *_, **__):
        left.wait()
        take.source.read(0, 1)

    monkeypatch.setattr("recomposer_studio.studio.exporting.export_take", export)
    pull(window, 1)
    other = write(tmp_path / "other.wav", noise(1, 1.0, 8_000), 8_000, "PCM_16")
    window.document.open(other)
    left.set()
    qtbot.waitUntil(lambda: window.take_drag._job is None, timeout=20_000)
    assert window.messages.text == "" and offered == []
    assert QApplication.overrideCursor() is None
