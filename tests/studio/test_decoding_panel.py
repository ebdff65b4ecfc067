"""The Decoding panel: what it shows is the next take's recipe, and it always works."""

import threading

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMessageBox

from recomposer_studio.model import catalogue
from recomposer_studio.project.recipe import Decoding, Recipe, Renderer
from recomposer_studio.studio.views.decoding_panel import DecodingPanel
from tests.studio.remote import Remote, start


@pytest.fixture
def panel(qtbot) -> DecodingPanel:
    panel = DecodingPanel()
    qtbot.addWidget(panel)
    panel.resize(380, 260)
    panel.show()
    return panel


def enter(field, text: str) -> None:
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def test_it_begins_with_the_defaults(panel):
    assert panel.recipe == Recipe()
    assert not panel.reset.isEnabled()
    assert (panel.top_k.text(), panel.levels.text()) == ("all", "all")


def test_what_is_entered_is_the_recipe_and_reset_takes_it_back(qtbot, panel):
    with qtbot.waitSignal(panel.changed):
        enter(panel.seed, "12")
    enter(panel.temperature, "0.7")
    enter(panel.guidance, "4.5")
    enter(panel.top_p, "0.9")
    enter(panel.top_k, "40")
    enter(panel.fade, "25")
    enter(panel.candidates, "3")
    panel.renderer.setCurrentIndex(2)
    panel.renderer.activated.emit(2)
    assert panel.recipe == Recipe(12, Renderer.MODEL, Decoding(0.7, 40, 0.9, 4.5, 0, 3), 0.025)
    panel.roll_seed.click()
    assert panel.recipe.seed == 13
    with qtbot.waitSignal(panel.changed):
        panel.reset.click()
    assert panel.recipe == Recipe()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("temperature", "99"),
        ("top_p", "7"),
        ("guidance", "-3"),
        ("top_k", "999999"),
        ("candidates", "0"),
        ("seed", "abc"),
    ],
)
def test_nothing_else_can_be_entered(panel, name, text):
    enter(getattr(panel, name), text)
    recipe = panel.recipe
    assert recipe.seed >= 0 and Decoding(**vars(recipe.decoding)) == recipe.decoding


def test_a_recipe_is_shown_whole(panel):
    recipe = Recipe(5, Renderer.REPAIR, Decoding(0.0, 3, 0.5, 1.0, 2, 12), 0.1)
    panel.set_recipe(recipe)
    assert panel.recipe == recipe
    # Repair makes no sounds.
    assert not panel.temperature.isEnabled() and panel.fade.isEnabled()


def test_the_models_own_limits_count(panel):
    checkpoint = catalogue.default()
    if checkpoint is None:
        pytest.skip("no checkpoint is shipped")
    panel.set_checkpoint(checkpoint)
    assert (panel.levels.maximum(), panel.top_k.maximum()) == (6, 512)
    panel.set_checkpoint(None)
    assert panel.levels.maximum() == 64


def test_every_field_explains_itself(panel):
    for field in (panel.seed, panel.temperature, panel.guidance, panel.top_p, panel.top_k, panel.levels, panel.fade):
        assert field.accessibleName() and len(field.toolTip().split()) > 8
    assert panel.renderer.toolTip() and panel.device.toolTip()
    # Nothing is cut off at the width of the dock.
    assert panel.horizontalScrollBar().maximum() == 0


def test_a_take_is_made_with_it_and_each_recording_keeps_its_own(qtbot, rolled, recording, tmp_path, monkeypatch):
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Discard)
    panel = rolled.decoding
    enter(panel.seed, "41")
    rolled.timeline.spectrogram.setFocus()
    qtbot.keyClick(rolled, "g")
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    assert rolled.document.takes[0].take.recipe == Recipe(41)
    other = tmp_path / "other.wav"
    other.write_bytes(recording.read_bytes())
    assert rolled.open(other) and panel.recipe == Recipe()
    assert rolled.open(recording) and panel.recipe == Recipe(41)


def test_the_device_is_chosen_remembered_and_told(qtbot, rolled):
    wishes, remote = [], Remote()
    start(rolled, remote)
    rolled.generating.models.start = lambda wish, cancelled: wishes.append(wish) or remote
    panel = rolled.decoding
    panel.device.setCurrentIndex(2)
    panel.device.activated.emit(2)
    assert rolled.settings_file.read().device == "cuda"
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    assert wishes[0].device == "cuda"
    # The process could only come up on the CPU.
    assert "runs on the CPU" in rolled.messages.text
    assert "CPU" in panel.used.text() and rolled.document.takes[0].device == "cpu"


def test_a_device_that_was_remembered_is_used(qtbot, window):
    window.remember(device="cpu")
    other = type(window)(window.settings_file, lambda wanted: None)
    qtbot.addWidget(other)
    assert other.generating.device == "cpu" and other.decoding.device.currentText() == "CPU"
    other.shut_down()


def test_nothing_waits_while_the_model_loads(qtbot, rolled):
    go, remote = threading.Event(), Remote()
    start(rolled, remote, go)
    rolled.generating.generate()
    qtbot.waitUntil(lambda: len(rolled.document.takes) == 1)
    enter(rolled.decoding.seed, "3")
    assert rolled.decoding.recipe.seed == 3
    go.set()
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    assert rolled.document.takes[0].take.recipe.seed == 0
