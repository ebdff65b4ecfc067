import threading

import numpy as np
import pytest
from PySide6.QtCore import Qt

from recomposer_studio.project.embedded import embedded_recipe
from recomposer_studio.studio.output import NO_PORTAUDIO, SilentOutput
from recomposer_studio.studio.views.export_dialog import ExportDialog
from recomposer_studio.worker.lost import WorkerLost
from tests.editing.scenes import event, noise, roll, write
from tests.studio.remote import Remote, start


def test_the_preview_is_there_before_the_model_and_gives_way_to_it(qtbot, rolled):
    document, go, remote = rolled.document, threading.Event(), Remote()
    document.change_roll("more", document.roll.with_event(event("i", "insert", 3.2, 3.6, "Dog")))
    start(rolled, remote, go)
    qtbot.keyClick(rolled, "g")
    qtbot.waitUntil(lambda: len(document.takes) == 1)
    preview = document.takes[0]
    assert preview.preview and {layer.renderer for layer in preview.take.layers} == {"repair"}
    assert rolled.status.progress.isVisible()
    # What the person mixes meanwhile is kept.
    document.mix("mix", "a", amount=0.5)
    go.set()
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    (final,) = document.takes
    assert {layer.renderer for layer in final.take.layers} == {"mask", "tokens"}
    assert final.take.layer("a").event.amount == 0.5
    assert not final.preview
    # The process stays for the next take, and ends with the window.
    assert not remote.closed
    rolled.generating.stop()
    assert remote.closed


def test_cancelling_frees_the_window_at_once_and_keeps_the_preview(qtbot, rolled):
    go, remote = threading.Event(), Remote()
    start(rolled, remote, go)
    qtbot.keyClick(rolled, "g")
    qtbot.waitUntil(lambda: len(rolled.document.takes) == 1)
    qtbot.keyClick(rolled, Qt.Key.Key_Escape)
    assert not rolled.generating.running
    assert rolled.actions_["generate"].isEnabled()
    assert not rolled.document.takes[0].preview
    go.set()
    qtbot.waitUntil(lambda: not rolled.generating.leaving)
    assert len(rolled.document.takes) == 1


def test_a_lost_model_is_told_and_the_preview_stays(qtbot, rolled):
    class Dying(Remote):
        def share(self, request):
            raise WorkerLost("the process of the model ran out of memory", "cpu")

    start(rolled, Dying())
    qtbot.keyClick(rolled, "g")
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    assert "ran out of memory" in rolled.messages.text
    assert "take by spectral repair stays" in rolled.messages.text
    assert not rolled.document.takes[0].preview


def test_rows_that_nothing_can_render_are_named(qtbot, opened):
    opened.document.change_roll("i", roll(event("i", "insert", 1, 2, "Bell")))
    opened.generating.generate()
    assert "Insert Bell was left out" in opened.messages.text
    opened.document.change_roll("none", roll())
    opened.generating.generate()
    assert "nothing to render" in opened.messages.text
    assert opened.document.takes == ()


@pytest.fixture
def clipped(qtbot, opened, tmp_path):
    """A window with a take, and the export dialog that says how it clips."""
    loud = write(tmp_path / "loud.wav", np.clip(noise(1, 3.0, 8_000, 1, 0.02), -1, 1), 8_000, "PCM_16")
    opened.document.undo_stack.clear()
    opened.open(loud)
    opened.document.change_roll("r", roll(event("a", "enhance", 1.0, 1.4, "Dog", by_db=40.0)))
    opened.generating.generate()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=20_000)
    opened.document.mix("louder", "a", gain_db=40.0)
    opened.actions_["export"].trigger()
    dialog = opened.findChild(ExportDialog)
    dialog.file.setText(str(tmp_path / "out.wav"))
    dialog.write.click()
    qtbot.waitUntil(lambda: dialog.as_float.isVisible() and dialog.write.isEnabled(), timeout=20_000)
    return opened, dialog


def test_a_clip_is_told_with_two_ways_out(qtbot, clipped, tmp_path):
    window, dialog = clipped
    assert "would clip" in dialog.problem.text()
    assert not (tmp_path / "out.wav").exists()
    assert "Lower 'Dog' by" in dialog.lower_button.text()
    with qtbot.waitSignal(dialog.exported, timeout=20_000):
        dialog.lower_button.click()
    assert (tmp_path / "out.wav").exists()
    assert window.document.takes[0].take.layer("a").event.gain_db < 40.0


@pytest.mark.parametrize("event_id", ["a", "z"])
def test_the_take_of_the_dialog_is_lowered_though_another_one_has_come(qtbot, clipped, tmp_path, event_id):
    window, dialog = clipped
    document = window.document
    document.change_roll("r", roll(event(event_id, "delete", 2.0, 2.4, "Bell")))
    window.generating.generate()
    qtbot.waitUntil(lambda: not window.generating.running, timeout=20_000)
    second = document.current_take
    assert second.id == 2
    with qtbot.waitSignal(dialog.exported, timeout=20_000):
        dialog.lower_button.click()
    assert document.takes[0].take.layer("a").event.gain_db < 40.0
    assert document.takes[1] is second and document.current_take is second
    assert [event["label"] for event in embedded_recipe(tmp_path / "out.wav")["roll"]["events"]] == ["Dog"]


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (lambda window: window.actions_["lock"].trigger(), "Take 1 is locked"),
        (lambda window: window.actions_["remove_take"].trigger(), "no longer in the list"),
        (lambda window: setattr(window.document, "read_only", True), "read-only here"),
    ],
)
def test_what_cannot_be_lowered_is_told_in_the_dialog(clipped, tmp_path, trouble, told):
    window, dialog = clipped
    trouble(window)
    dialog.lower_button.click()
    assert told in dialog.problem.text() and window.messages.text == ""
    assert not dialog.lower_button.isVisible() and dialog.as_float.isVisible()
    assert not (tmp_path / "out.wav").exists()
    dialog.reject()


def test_an_export_that_cannot_be_written_says_why(qtbot, rolled, recording):
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running)
    rolled.actions_["export"].trigger()
    dialog = rolled.findChild(ExportDialog)
    dialog.file.setText(str(recording))
    dialog.write.click()
    qtbot.waitUntil(lambda: dialog.problem.isVisible() and dialog.write.isEnabled())
    assert "never overwritten" in dialog.problem.text()
    dialog.file.setText(str(recording.parent / "take.docx"))
    assert "no sound file" in dialog.problem.text()
    dialog.close()


def test_without_a_device_the_playhead_moves_and_it_is_said_once(qtbot, window, recording):
    window.listening.player._open_output = lambda wanted: (SilentOutput(wanted.rate_hz), NO_PORTAUDIO)
    window.open(recording)
    told = []
    window.listening.told.connect(told.append)
    window.listening.toggle()
    qtbot.waitUntil(lambda: window.timeline.spectrogram.playhead_s > 0.05)
    window.listening.toggle()
    qtbot.waitUntil(lambda: not window.listening.player.playing)
    window.listening.toggle()
    window.listening.toggle()
    assert len(told) == 1
    assert "PortAudio" in told[0]


def test_the_picture_follows_what_is_heard(qtbot, rolled):
    view, picture = rolled.timeline.view, rolled.timeline.spectrogram

    def shown() -> np.ndarray:
        return picture.picture.render(view.start_s, view.span_s, 400, 100, picture.scale)

    original = shown()
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running and not rolled.imaging.busy)
    take = shown()
    changed = np.flatnonzero((take != original).any(axis=0)) / 400 * 4.0
    assert changed.min() > 0.9 and changed.max() < 3.1
    rolled.document.mix("none", "a", amount=0.0)
    rolled.document.mix("none", "b", amount=0.0)
    qtbot.waitUntil(lambda: np.array_equal(shown(), original))
    rolled.document.undo_stack.undo()
    rolled.document.undo_stack.undo()
    qtbot.waitUntil(lambda: np.array_equal(shown(), take))
    rolled.document.hear(1, True)
    qtbot.waitUntil(lambda: shown()[:, :80].max() == 0 and shown().max() > 0)
    rolled.document.hear(0)
    assert np.array_equal(shown(), original)
