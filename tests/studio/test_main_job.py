"""The main job as a person does it: open, draw, name, generate, listen, mix, export, undo."""

import json

import numpy as np
import pytest
import soundfile
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QPlainTextEdit

from recomposer_studio.roll.event import Action
from recomposer_studio.studio.mixer import FADE_S
from recomposer_studio.studio.views.export_dialog import ExportDialog
from tests.studio.hands import drag, spot


def generate(qtbot, window) -> None:
    qtbot.keyClick(window, "g")
    qtbot.waitUntil(lambda: not window.generating.running, timeout=30_000)


def heard_samples(output, frames=2000) -> np.ndarray:
    return output.pull(frames)


@pytest.fixture
def boxed(qtbot, opened):
    """The tone at 1 s is marked on the picture and made a row."""
    picture = opened.timeline.spectrogram
    drag(picture, spot(picture, 0.95, 2_500.0), spot(picture, 1.55, 900.0))
    qtbot.keyClick(opened, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
    return opened


def test_a_marked_stretch_becomes_a_row_and_asks_for_its_class(qtbot, boxed):
    (event,) = boxed.document.roll.events
    assert (event.start_s, event.end_s) == (pytest.approx(0.95, abs=0.01), pytest.approx(1.55, abs=0.01))
    assert (event.low_hz, event.high_hz) == (pytest.approx(900, rel=0.02), pytest.approx(2_500, rel=0.02))
    assert boxed.document.selected == (event.id,)
    assert boxed.document.area is None
    field = boxed.inspector.class_field
    assert field.hasFocus()
    qtbot.keyClicks(field, "church bells")
    field.completer().popup().hide()
    qtbot.keyClick(field, Qt.Key.Key_Return)
    (event,) = boxed.document.roll.events
    assert (event.label, event.row) == ("church bells", "church bells")
    assert "Church bell" in boxed.inspector._taken.text()
    # Single letters are commands again.
    qtbot.waitUntil(boxed.timeline.spectrogram.hasFocus)
    qtbot.keyClick(boxed, "k")
    assert boxed.document.roll.events[0].action is Action.KEEP
    # The box on the picture lies where it was drawn: axis, picture and boxes share one transform.
    picture = boxed.timeline.spectrogram
    assert picture.box(event).top() == pytest.approx(spot(picture, 0, 2_500.0)[1], abs=1.5)


def test_from_the_box_to_a_take_that_is_heard(qtbot, boxed, output):
    document = boxed.document
    boxed.timeline.spectrogram.setFocus()
    qtbot.keyClick(boxed, "x")
    assert document.roll.events[0].action is Action.DELETE
    generate(qtbot, boxed)
    assert [entry.name for entry in document.takes] == ["Take 1"]
    assert document.heard == 1
    take = document.takes[0].take
    inside, outside = slice(16_500, 23_000), slice(30_000, 39_000)
    before, after = document.source.read(0, 64_000), take.read(0, 64_000)
    assert np.abs(after[:, inside]).mean() < 0.5 * np.abs(before[:, inside]).mean()
    assert np.array_equal(after[:, outside], before[:, outside])

    # Listening: original, take and difference at one shared position, sample by sample.
    boxed.listening.seek(1.0)
    qtbot.keyClick(boxed, Qt.Key.Key_Space)
    fade = round(FADE_S * output.rate_hz)
    mixer = output.mixer
    qtbot.waitUntil(lambda: all(n in mixer.bank.blocks for n in mixer.blocks_ahead()[:8]))
    at, versions = 16_000, {"1": after, "0": before}
    output.pull(512)
    at += 512
    for key in "010":
        qtbot.keyClick(boxed, key)
        got = output.pull(1024)
        want = versions[key][:, at : at + 1024].T.astype(np.float32)
        assert np.array_equal(got[fade:], want[fade:])
        at += 1024
    qtbot.keyClick(boxed, "1")
    qtbot.keyClick(boxed, "d")
    assert document.difference
    qtbot.waitUntil(lambda: len(mixer.bank.sounds) == 3)
    output.pull(512)
    got, at = output.pull(512), at + 512
    assert np.allclose(got, (before - after)[:, at : at + 512].T, atol=1e-6)
    qtbot.keyClick(boxed, Qt.Key.Key_Space)
    output.pull(1024)
    qtbot.waitUntil(lambda: boxed.actions_["play"].iconText() == "Play")
    assert boxed.listening.position_s == 1.0


def test_the_mix_acts_at_once_and_can_be_undone(qtbot, boxed, output):
    document = boxed.document
    boxed.timeline.spectrogram.setFocus()
    generate(qtbot, boxed)
    (event,) = document.roll.events
    line = boxed.takes.mix.line(event.id)
    boxed.listening.seek(1.1)
    boxed.listening.toggle()
    mixer = output.mixer
    qtbot.waitUntil(lambda: len(mixer.bank.blocks) > 8)
    output.pull(512)
    for value in (80, 40, 0):
        line.amount.setValue(value)
    qtbot.waitUntil(lambda: mixer.bank.sounds[1] is document.takes[0].take and len(mixer.bank.blocks) > 8)
    output.pull(512)
    at = mixer.position
    # An amount of nothing is the original.
    assert np.allclose(output.pull(512), document.source.read(at, at + 512).T, atol=1e-6)
    assert document.undo_stack.undoText().startswith("Mix")
    qtbot.keyClick(boxed, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert document.takes[0].take.layer(event.id).event.amount == 1.0
    assert line.amount.value() == 100
    line.mute.click()
    assert document.takes[0].take.layer(event.id).event.muted
    line.mute.click()
    line.solo.click()
    assert document.takes[0].take.solo == {event.id}


def test_a_take_and_its_stems_are_exported(qtbot, boxed, tmp_path):
    document = boxed.document
    boxed.timeline.spectrogram.setFocus()
    qtbot.keyClick(boxed, "e")
    generate(qtbot, boxed)
    boxed.actions_["export"].trigger()
    dialog = boxed.findChild(ExportDialog)
    assert "16-bit" in dialog.format_label.text() and "as the recording" in dialog.format_label.text()
    dialog.file.setText(str(tmp_path / "out.wav"))
    dialog.stems.setChecked(True)
    dialog.folder.setText(str(tmp_path / "stems"))
    dialog.bits.setCurrentIndex(3)
    with qtbot.waitSignal(dialog.exported, timeout=20_000):
        dialog.write.click()
    take, rate = soundfile.read(tmp_path / "out.wav", always_2d=True)
    assert rate == 16_000
    assert np.allclose(take.T, document.takes[0].take.read(0, 64_000), atol=1e-6)
    stems = [soundfile.read(path, always_2d=True)[0] for path in (tmp_path / "stems").glob("*.wav")]
    assert len(stems) == 2
    assert np.allclose(sum(stems), take, atol=1e-6)
    assert "out.wav" in boxed.messages.text


def test_everything_can_be_undone_to_the_beginning(qtbot, boxed):
    document = boxed.document
    boxed.timeline.spectrogram.setFocus()
    qtbot.keyClick(boxed, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    lanes = boxed.timeline.lanes
    box = lanes.box(document.selected_events[0])
    drag(lanes, (box.center().x(), box.center().y()), (box.center().x() + 60, box.center().y()))
    generate(qtbot, boxed)
    count = document.undo_stack.count()
    assert count == 4
    assert boxed.history.model().rowCount() == count + 1
    for _ in range(count):
        qtbot.keyClick(boxed, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (document.roll.events, document.takes, document.heard) == ((), (), 0)
    for _ in range(count):
        qtbot.keyClick(boxed, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert (len(document.roll.events), len(document.takes)) == (2, 1)


def test_another_seed_makes_another_take_and_the_recipe_tells(qtbot, boxed):
    document = boxed.document
    boxed.timeline.spectrogram.setFocus()
    generate(qtbot, boxed)
    boxed.takes.rerun.click()
    qtbot.waitUntil(lambda: not boxed.generating.running, timeout=30_000)
    assert [entry.take.recipe.seed for entry in document.takes] == [0, 1]
    assert document.heard == 2
    boxed.takes.recipe.click()
    dialog = next(child for child in boxed.findChildren(QDialog) if child.findChild(QPlainTextEdit))
    recipe = json.loads(dialog.findChild(QPlainTextEdit).toPlainText())
    assert recipe["recipe"]["seed"] == 1
    assert recipe["roll"]["events"][0]["id"] == document.roll.events[0].id
    dialog.close()
    qtbot.keyClick(boxed.timeline.spectrogram, Qt.Key.Key_Tab)
    assert document.heard == 1
    qtbot.keyClick(boxed.timeline.spectrogram, Qt.Key.Key_Tab)
    assert document.heard == 2


def test_takes_are_renamed_and_noted(qtbot, boxed):
    document = boxed.document
    boxed.timeline.spectrogram.setFocus()
    generate(qtbot, boxed)
    boxed.takes.list.item(1).setText("without bell")
    assert document.takes[0].name == "without bell"
    boxed.takes.note.setFocus()
    qtbot.keyClicks(boxed.takes.note, "good 0")
    qtbot.keyClick(boxed.takes.note, Qt.Key.Key_Return)
    assert document.takes[0].note == "good 0"
    assert document.heard == 1


def test_the_roll_is_saved_and_comes_back(qtbot, boxed, tmp_path, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "roll.json"), ""))
    assert boxed.document.unsaved
    boxed.actions_["save_roll"].trigger()
    assert not boxed.document.unsaved
    made = boxed.document.roll
    qtbot.keyClick(boxed, Qt.Key.Key_Delete)
    assert boxed.document.roll.events == ()
    assert boxed.open(tmp_path / "roll.json")
    assert boxed.document.roll == made


def test_boxes_travel_as_text(qtbot, boxed):
    boxed.timeline.spectrogram.setFocus()
    qtbot.keyClick(boxed, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert json.loads(QApplication.clipboard().text())["format_version"] == 1
    boxed.listening.seek(2.0)
    qtbot.keyClick(boxed, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    first, second = boxed.document.roll.events
    assert second.start_s == pytest.approx(2.0)
    assert second.label == first.label
    QApplication.clipboard().setText("no boxes")
    qtbot.keyClick(boxed, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert "holds no boxes" in boxed.messages.text


def test_a_proposal_is_taken_with_the_arrow_keys(qtbot, boxed):
    field = boxed.inspector.class_field
    qtbot.keyClicks(field, "sire")
    popup = field.completer().popup()
    assert popup.isVisible()
    qtbot.keyClick(popup, Qt.Key.Key_Down)
    wanted = popup.currentIndex().data(Qt.ItemDataRole.UserRole)
    assert wanted.lower().startswith("siren")
    qtbot.keyClick(popup, Qt.Key.Key_Return)
    qtbot.waitUntil(boxed.timeline.spectrogram.hasFocus)
    assert boxed.document.roll.events[0].label == wanted
    assert boxed.settings.recent_labels == (wanted,)


def test_a_click_on_the_timeline_leaves_the_text_field(qtbot, boxed):
    field = boxed.inspector.class_field
    assert field.hasFocus()
    ruler = boxed.timeline.ruler
    qtbot.mouseClick(ruler, Qt.MouseButton.LeftButton, pos=QPoint(round(ruler.x_of(2.0)), 5))
    assert not field.hasFocus()
    assert boxed.listening.position_s == pytest.approx(2.0, abs=0.01)


def test_what_was_typed_is_not_replaced_by_something_longer(qtbot, boxed):
    field = boxed.inspector.class_field
    count = boxed.document.undo_stack.count()
    qtbot.keyClicks(field, "hiss")
    popup = field.completer().popup()
    qtbot.keyClick(popup if popup.isVisible() else field, Qt.Key.Key_Return)
    qtbot.waitUntil(boxed.timeline.spectrogram.hasFocus)
    assert boxed.document.roll.events[0].label.lower() == "hiss"
    assert boxed.document.undo_stack.count() == count + 1


def test_moving_the_playhead_draws_the_same_as_drawing_everything(qtbot, boxed):
    boxed.timeline.spectrogram.setFocus()
    boxed.document.select(())
    for step in range(20):
        boxed.listening.seek(0.9 + 0.05 * step)
        QApplication.processEvents()
    for strip in boxed.timeline.strips:
        stepwise = boxed.screen().grabWindow(boxed.winId()).toImage()
        strip.update()
        QApplication.processEvents()
        assert boxed.screen().grabWindow(boxed.winId()).toImage() == stepwise
