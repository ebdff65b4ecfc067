"""Detection as a person does it: press Detect, move the slider, accept and reject with keys."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QFontMetrics
from PySide6.QtTest import QTest

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action
from recomposer_studio.studio.detecting import Listener
from recomposer_studio.studio.views.suggested import SUGGESTED, _fitted
from recomposer_studio.worker.lost import WorkerLost
from tests.editing.scenes import burst, event, noise, roll, write
from tests.studio.ears import FakeEars, listen_with

KEY = Qt.Key


@pytest.fixture
def hearing(opened):
    """A window with a detector and an open recording with a bell and a bark."""
    listen_with(opened, FakeEars())
    opened.timeline.spectrogram.setFocus()
    return opened


def detect(qtbot, window) -> None:
    qtbot.keyClick(window, KEY.Key_D, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert window.detecting.running
    qtbot.waitUntil(lambda: not window.detecting.running, timeout=20_000)


def labels(boxes) -> list[str]:
    return [box.label for box in boxes.events]


def test_detected_rows_are_suggestions_with_a_confidence(qtbot, hearing):
    detect(qtbot, hearing)
    document, bar = hearing.document, hearing.detect_bar
    assert labels(document.suggestions) == ["Bell", "Bark"]
    assert document.roll.events == ()
    bell = document.suggestions.events[0]
    assert abs(bell.start_s - 1.0) < 0.06 and abs(bell.end_s - 1.5) < 0.06
    assert bell.action is Action.KEEP and 0.3 < bell.confidence < 0.6
    assert "2 suggestions" in bar.count.text()
    assert not document.unsaved
    document.undo_stack.undo()
    assert document.suggestions.events == () and not bar.threshold.isVisible()


def test_they_are_drawn_on_picture_and_roll(qtbot, hearing):
    lanes, picture = hearing.timeline.lanes, hearing.timeline.spectrogram

    def tinted(widget) -> int:
        image = widget.grab().toImage().convertToFormat(widget.grab().toImage().Format.Format_RGB32)
        pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
        wanted = np.array([SUGGESTED.blue(), SUGGESTED.green(), SUGGESTED.red()])
        return int((np.abs(pixels[:, :, :3].astype(int) - wanted).max(axis=2) <= 2).sum())

    assert tinted(lanes) == 0
    detect(qtbot, hearing)
    assert tinted(lanes) > 50 and tinted(picture) > 50
    hearing.detect_bar.threshold.setValue(100)
    assert tinted(lanes) == 0


def test_the_slider_hides_at_once_and_is_remembered(qtbot, hearing):
    detect(qtbot, hearing)
    bar = hearing.detect_bar
    with qtbot.waitSignal(bar.threshold_chosen):
        bar.threshold.setValue(30)
        assert [event.label for event in hearing.suggestions.visible] == ["Bell"]
        assert "1 of 2 suggestions" in bar.count.text()
    assert hearing.settings_file.read().threshold == pytest.approx(0.3)
    bar.threshold.setValue(90)
    assert "hidden" in bar.count.text() and not bar.accept_all.isEnabled()


def test_keys_go_through_accept_and_reject(qtbot, hearing, output):
    detect(qtbot, hearing)
    document, picture = hearing.document, hearing.timeline.spectrogram
    assert not hearing.actions_["accept"].isEnabled()
    qtbot.keyClick(picture, KEY.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert hearing.suggestions.focused.label == "Bell"
    assert hearing.listening.player.playing
    assert "Return accepts" in hearing.detect_bar.count.text()
    hearing.listening.toggle()
    qtbot.keyClick(picture, KEY.Key_Return)
    assert labels(document.roll) == ["Bell"] and hearing.suggestions.focused.label == "Bark"
    qtbot.keyClick(picture, KEY.Key_Backspace)
    assert document.suggestions.events == () and labels(document.roll) == ["Bell"]
    qtbot.keyClick(hearing, KEY.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert labels(document.suggestions) == ["Bark"]


@pytest.mark.parametrize(
    ("key", "action"), [("x", Action.DELETE), ("i", Action.INSERT), ("e", Action.ENHANCE), ("k", Action.KEEP)]
)
def test_an_action_key_accepts_with_it(qtbot, hearing, key, action):
    detect(qtbot, hearing)
    hearing.suggestions.focus(hearing.suggestions.visible[0].id)
    qtbot.keyClick(hearing.timeline.spectrogram, key)
    (event,) = hearing.document.roll.events
    assert event.action is action
    assert hearing.document.selected == (event.id,)


def test_the_mouse_focuses_and_accepts(qtbot, hearing):
    detect(qtbot, hearing)
    lanes = hearing.timeline.lanes
    bark = hearing.suggestions.visible[1]
    middle = lanes.suggestion_box(bark).center().toPoint()
    QTest.mouseClick(lanes, Qt.MouseButton.LeftButton, pos=middle)
    assert hearing.suggestions.focused is bark
    QTest.mouseClick(lanes, Qt.MouseButton.LeftButton, pos=QPoint(middle.x() + 200, middle.y()))
    assert hearing.suggestions.focused is None
    QTest.mouseClick(hearing.timeline.spectrogram, Qt.MouseButton.LeftButton, pos=QPoint(middle.x(), 40))
    assert hearing.suggestions.focused is bark
    QTest.mouseDClick(lanes, Qt.MouseButton.LeftButton, pos=middle)
    assert labels(hearing.document.roll) == ["Bark"]


def test_the_buttons_do_what_the_keys_do(qtbot, hearing):
    hearing.detect_bar.detect.click()
    qtbot.waitUntil(lambda: not hearing.detecting.running, timeout=20_000)
    bar = hearing.detect_bar
    bar.accept_all.click()
    assert labels(hearing.document.roll) == ["Bell", "Bark"]
    hearing.document.undo_stack.undo()
    hearing.suggestions.focus(hearing.suggestions.visible[0].id)
    bar.reject.click()
    bar.accept.click()
    assert labels(hearing.document.roll) == ["Bark"] and hearing.document.suggestions.events == ()


def test_detecting_again_replaces_what_nobody_accepted(qtbot, hearing):
    detect(qtbot, hearing)
    hearing.suggestions.focus(hearing.suggestions.visible[0].id)
    hearing.suggestions.accept()
    detect(qtbot, hearing)
    # The bell has its box.
    assert labels(hearing.document.suggestions) == ["Bark"] and labels(hearing.document.roll) == ["Bell"]
    hearing.suggestions.accept_all()
    detect(qtbot, hearing)
    assert hearing.document.suggestions.events == ()
    assert "Nothing new" in hearing.messages.text


def test_nothing_found_is_said(qtbot, hearing, tmp_path):
    quiet = write(tmp_path / "quiet.wav", noise(1, 3.0, 16_000, 1, 0.01), 16_000, "PCM_16")
    assert hearing.open(quiet)
    detect(qtbot, hearing)
    assert "No sound stands out" in hearing.messages.text


def test_suggestions_come_while_it_listens_and_stay_after_a_cancel(qtbot, opened, tmp_path):
    rate = 16_000
    long = noise(1, 70.0, rate, seed=3, level=0.01)
    for start_s in (2.0, 20.0, 50.0):
        long += burst(start_s, 0.5, 70.0, rate)
    hold = threading.Event()
    ears = FakeEars(hold)
    listen_with(opened, ears)
    assert opened.open(write(tmp_path / "long.wav", long, rate, "PCM_16"))
    # The first window is heard in some requests, which the hold lets through one by one.
    hold.set()
    document, bar = opened.document, opened.detect_bar
    document.suggestions_changed.connect(hold.clear)
    opened.detecting.detect()
    qtbot.waitUntil(lambda: len(document.suggestions.events) == 2, timeout=20_000)
    assert opened.detecting.running and bar.progress.isVisible() and bar.cancel.isVisible()
    qtbot.waitUntil(lambda: "listens" in bar.work.text())
    assert not bar.detect.isVisible()
    qtbot.keyClick(opened, KEY.Key_Escape)
    assert not opened.detecting.running and opened.actions_["detect"].isEnabled()
    qtbot.waitUntil(lambda: not opened.detecting.leaving, timeout=20_000)
    assert len(document.suggestions.events) == 2 and opened.messages.text == ""
    # The process stays for the next time, and ends with the window.
    assert not ears.closed
    opened.detecting.stop()
    assert ears.closed


def test_another_recording_ends_listening(qtbot, opened, recording):
    hold = threading.Event()
    listen_with(opened, FakeEars(hold))
    opened.detecting.detect()
    opened.document.undo_stack.clear()
    assert opened.open(recording)
    assert not opened.detecting.running
    hold.set()
    qtbot.waitUntil(lambda: not opened.detecting.leaving, timeout=20_000)
    assert opened.document.suggestions.events == ()


def test_a_lost_detector_is_told(qtbot, opened):
    def lose(name, cancelled):
        raise WorkerLost("the process of the detector ran out of memory", "cpu", instead="")

    opened.detecting.taggers.start = lose
    opened.detecting.detect()
    qtbot.waitUntil(lambda: not opened.detecting.running, timeout=20_000)
    assert opened.messages.text == "The process of the detector ran out of memory; try again"
    assert opened.detect_bar.detect.isVisible()


def test_find_similar_suggests_beside_what_is_there(qtbot, hearing, tmp_path):
    rate = 16_000
    twice = noise(1, 6.0, rate, seed=3, level=0.01) + burst(1.0, 0.4, 6.0, rate) + burst(4.0, 0.4, 6.0, rate)
    assert hearing.open(write(tmp_path / "twice.wav", twice, rate, "PCM_16"))
    detect(qtbot, hearing)
    first, second = hearing.suggestions.visible
    hearing.suggestions.focus(first.id)
    hearing.suggestions.accept(Action.DELETE)
    hearing.suggestions.focus(second.id)
    hearing.suggestions.reject()
    hearing.document.select((first.id,))
    hearing.actions_["find_similar"].trigger()
    qtbot.waitUntil(lambda: not hearing.detecting.running, timeout=20_000)
    assert hearing.document.undo_stack.undoText() == "Find similar"
    found = hearing.document.suggestions
    best = max(found.events, key=lambda event: event.confidence)
    assert best.label == "Bell" and abs(best.start_s - 4.0) < 0.06
    assert all(event.start_s > 3.0 for event in found.events)
    hearing.document.select((first.id,))
    hearing.actions_["find_similar"].trigger()
    qtbot.waitUntil(lambda: not hearing.detecting.running, timeout=20_000)
    assert hearing.document.suggestions == found


def test_suggestions_of_an_opened_project_keep_their_ids(qtbot, hearing):
    # What another start of the program suggested is still there.
    former = event("heard-1", "keep", 3.0, 3.3, "Rain", confidence=0.5)
    bell = event("b", "delete", 1.0, 1.5, "Bell")
    hearing.document.change("given", replace(hearing.document.state, roll=roll(bell), suggestions=roll(former)))
    hearing.detecting.find_similar(bell)
    qtbot.waitUntil(lambda: not hearing.detecting.running, timeout=20_000)
    assert hearing.document.suggestions.event("heard-1") == former
    detect(qtbot, hearing)
    assert labels(hearing.document.suggestions) == ["Bark"]


def test_without_a_detector_it_can_be_installed(qtbot, opened, tmp_path, monkeypatch):
    monkeypatch.setenv("RECOMPOSER_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(opened.detecting, "listeners", lambda: [Listener("yamnet", "YAMNet", False)])
    opened.detect_bar.refresh()
    bar = opened.detect_bar
    assert bar.install.isVisible() and not bar.detect.isEnabled() and not bar.tagger.isVisible()
    opened.detecting.detect()
    assert "No detector is installed" in opened.messages.text
    opened.messages.clear()
    _, from_file = bar.install.menu().actions()
    wanted = []
    bar.file_wanted.disconnect()
    bar.file_wanted.connect(lambda: wanted.append(True))
    from_file.trigger()
    assert wanted == [True]
    opened.detecting.install_yamnet(str(tmp_path / "nothing.tflite"))
    assert bar.progress.isVisible() and "YAMNet" in bar.work.text()
    qtbot.waitUntil(lambda: not opened.detecting.running, timeout=30_000)
    assert "there is no such file" in opened.messages.text


def test_the_chosen_detector_is_remembered(qtbot, opened, monkeypatch):
    both = [Listener("builtin", "Built-in", True), Listener("yamnet", "YAMNet", True)]
    monkeypatch.setattr(opened.detecting, "listeners", lambda: both)
    bar = opened.detect_bar
    bar.refresh()
    assert bar.tagger.currentText() == "Built-in" and not bar.install.isVisible()
    bar.tagger.setCurrentIndex(1)
    bar.tagger.activated.emit(1)
    assert opened.detecting.listener.name == "yamnet"
    assert opened.settings_file.read().tagger == "yamnet"


def test_a_tagger_that_cannot_be_loaded_says_why(qtbot, opened):
    def refuse(name, cancelled):
        raise InputError("the built-in tagger needs the package onnxruntime; install it")

    opened.detecting.taggers.start = refuse
    opened.detecting.detect()
    qtbot.waitUntil(lambda: not opened.detecting.running, timeout=20_000)
    assert "needs the package onnxruntime" in opened.messages.text


def test_the_bar_says_it_shorter_in_a_narrow_window(qtbot, hearing):
    bar = hearing.detect_bar
    hearing.resize(1_500, 800)
    qtbot.waitUntil(lambda: bar.count.shown == bar.count.text())
    assert "how sure that is" in bar.count.shown
    hearing.detecting.detect()
    qtbot.waitUntil(lambda: not hearing.detecting.running, timeout=20_000)
    hearing.suggestions.focus(hearing.suggestions.visible[0].id)
    for width in range(1_500, 150, -50):
        bar.count.resize(width, 20)
        shown = bar.count.shown
        assert bar.count.fontMetrics().horizontalAdvance(shown) <= width
        # Whole words: an ellipsis only where nothing shorter is left to say.
        assert "\u2026" not in shown
        assert "sure" in shown
    assert "Return accepts" in bar.count.text()


def test_a_narrow_suggestion_shows_its_name_before_its_confidence(qapp):
    font = qapp.font().key()
    metrics = QFontMetrics(qapp.font())
    whole = _fitted("Dog", 0.94, 10_000, font)
    assert whole[0] == "? Dog 94%"
    named = metrics.horizontalAdvance("? Dog")
    assert _fitted("Dog", 0.94, named, font)[0] == "? Dog"
    words, width = _fitted("Vehicle horn, car horn, honking", 0.94, 60, font)
    assert words.startswith("? V") and words.endswith("\u2026") and width <= 60
    assert _fitted("Dog", 0.94, 8, font) == ("", 0)
