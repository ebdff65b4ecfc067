"""What is heard: removed sounds, matched takes, the blind test, meters, devices and what is said about them."""

import numpy as np
import pytest

from recomposer_studio.audio.loudness import loudness_lufs
from recomposer_studio.studio.metering import Levels
from recomposer_studio.studio.mixer import FADE_S
from recomposer_studio.studio.output import GONE, NO_DEVICE, Device
from recomposer_studio.studio.views.abx_dialog import AbxDialog
from tests.editing.scenes import noise, write
from tests.studio.test_window import nameless

FADE = round(FADE_S * 16_000)


@pytest.fixture
def taken(qtbot, rolled):
    """Two takes: the second has the dog 12 dB louder."""
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    rolled.actions_["duplicate_take"].trigger()
    rolled.document.mix("mix", "b", gain_db=12.0)
    return rolled


def play(qtbot, window, output, at_s: float) -> None:
    window.listening.seek(at_s)
    window.listening.toggle()
    ready(qtbot, output)
    output.pull(512)


def ready(qtbot, output) -> None:
    mixer = output.mixer
    qtbot.waitUntil(lambda: all(number in mixer.bank.blocks for number in mixer.blocks_ahead()[:8]))


def heard_next(output, frames: int = 512) -> tuple[int, np.ndarray]:
    # Room for a fade that is under way and the one that waits for it.
    output.pull(4 * FADE, FADE)
    at = output.mixer.position
    return at, output.pull(frames)


def want(read, at: int, frames: int = 512, gain: float = 1.0) -> np.ndarray:
    return read(at, at + frames).T.astype(np.float32) * np.float32(gain)


# --- what was removed -------------------------------------------------------------------------------------------------


def test_what_was_removed_of_one_event_is_heard_alone_and_live(qtbot, taken, output):
    document = taken.document
    document.hear(1)
    play(qtbot, taken, output, 1.05)
    line = taken.takes.mix.line("a")
    line.removed.click()
    assert document.removed == "a"
    qtbot.waitUntil(lambda: len(output.mixer.bank.sounds) == 4)
    ready(qtbot, output)
    layer = document.takes[0].take.layer("a")

    def removed(start: int, stop: int) -> np.ndarray:
        return layer.removed[:, start - layer.start : stop - layer.start]

    at, got = heard_next(output)
    assert np.array_equal(got, want(removed, at))
    assert np.abs(got).max() > 0.01
    # It follows the amount, and is heard although the event is muted.
    bank = output.mixer.bank
    document.mix("mix", "a", amount=0.5, muted=True)
    qtbot.waitUntil(lambda: output.mixer.bank is not bank)
    ready(qtbot, output)
    at, got = heard_next(output)
    assert np.array_equal(got, want(removed, at, gain=0.5))
    assert line.removed.isChecked()
    line.removed.click()
    assert document.removed == ""
    output.pull(512)
    at, got = heard_next(output)
    assert np.array_equal(got, want(document.takes[0].take.read, at))
    # Anything else that is chosen ends it, too.
    line.removed.click()
    qtbot.keyClick(taken.timeline.spectrogram, "0")
    assert document.removed == ""
    # Two changes right after one another: the second's fade waits for the first's.
    ready(qtbot, output)
    output.pull(512)
    at, got = heard_next(output)
    assert np.array_equal(got, want(document.source.read, at))


# --- matched takes ----------------------------------------------------------------------------------------------------


def test_takes_are_matched_among_themselves_and_never_with_the_original(qtbot, taken, output):
    document, matching = taken.document, taken.listening.matching
    document.hear(0)
    play(qtbot, taken, output, 2.55)
    taken.takes.match.click()
    qtbot.waitUntil(lambda: not matching.measuring and bool(matching._known))
    first, second = document.takes
    spans = [(layer.start, layer.stop) for layer in first.take.layers]
    loud = [loudness_lufs([e.take.read(*span) for span in spans], 16_000) for e in (first, second)]
    assert loud[1] - loud[0] > 1.0
    # From the original to a take: as it is.
    document.hear(1)
    at, got = heard_next(output)
    assert np.array_equal(got, want(first.take.read, at))
    # From take to take: at one loudness, and the offset is told.
    document.hear(2)
    assert matching.offset_db(second) == pytest.approx(loud[0] - loud[1], abs=1e-6)
    assert f"{loud[0] - loud[1]:+.1f} dB" in taken.takes.list.line(2).facts
    assert "+0.0 dB" in taken.takes.list.line(1).facts
    at, got = heard_next(output)
    np.testing.assert_allclose(got, want(second.take.read, at, gain=10 ** ((loud[0] - loud[1]) / 20)), atol=1e-7)
    # Over the original the second take is as it is, and the reference.
    document.hear(0)
    at, got = heard_next(output)
    assert np.array_equal(got, want(document.source.read, at))
    document.hear(2)
    at, got = heard_next(output)
    assert np.array_equal(got, want(second.take.read, at))
    assert matching.offset_db(first) == pytest.approx(loud[1] - loud[0], abs=1e-6)
    # Mixed anew it is measured anew.
    document.mix("mix", "b", gain_db=0.0)
    qtbot.waitUntil(lambda: not matching.measuring and abs(matching.offset_db(document.takes[0])) < 1e-9)
    taken.takes.match.click()
    assert matching.offset_db(document.takes[0]) is None
    assert "dB" not in taken.takes.list.line(1).facts
    # Nothing of it is a step of the history.
    assert document.undo_stack.undoText().startswith("mix")


# --- the blind test ---------------------------------------------------------------------------------------------------


def test_a_blind_test_from_first_to_last(qtbot, taken, output):
    document, levels = taken.document, []
    taken.listening.levelled.connect(levels.append)
    document.hear(1)
    qtbot.keyClick(taken.timeline.spectrogram, "b")
    dialog = taken.findChild(AbxDialog)
    assert (dialog.a.currentText(), dialog.b.currentText()) == ("Original", "Take 1")
    assert nameless(dialog) == []
    dialog.b.setCurrentIndex(0)
    assert not dialog.begin.isEnabled()
    dialog.b.setCurrentIndex(2)
    dialog.length.setValue(6)
    dialog.begin.click()
    mixer = output.mixer
    # What the two edit, with a second on either side.
    assert mixer.loop == (0, pytest.approx(3.91 * 16_000, abs=2))
    reads = {False: document.source.read, True: document.takes[1].take.read}
    answers = [True, False, True, True, False, False]
    right, looks, xs = 0, [], []
    for said_b in answers:
        taken.listening.seek(2.6)
        ready(qtbot, output)
        is_b = dialog.test.x_is_b
        for button, key, of in zip(dialog.sounds, "abx", (False, True, is_b), strict=True):
            qtbot.keyClick(dialog, key)
            assert button.isChecked()
            at, got = heard_next(output, 200)
            assert np.array_equal(got, want(reads[of], at, 200))
        # X looks alike whatever it is; the list and the meter tell nothing.
        xs.append(is_b)
        looks.append([button.grab().toImage() for button in (*dialog.sounds, dialog.is_a, dialog.is_b)])
        assert looks[-1] == looks[0]
        assert document.heard == 1
        assert all(level == Levels() for level in levels)
        right += is_b == said_b
        qtbot.keyClick(dialog, "2" if said_b else "1")
    assert [trial.was_b for trial in dialog.test.trials] == xs
    assert f"{right} of 6 right, p = " in dialog.state.text()
    assert not dialog.sounds[2].isEnabled()
    dialog.close()
    output.pull(512)
    assert mixer.loop is None
    taken.listening.toggle()
    # The take's own sound is made ready beside the window: what comes before it is silence.
    ready(qtbot, output)

    def the_plain_take_is_heard() -> bool:
        at, got = heard_next(output)
        return np.array_equal(got, want(document.takes[0].take.read, at))

    qtbot.waitUntil(the_plain_take_is_heard)


def test_a_take_that_is_finished_meanwhile_does_not_disturb_a_blind_test(qtbot, taken, output):
    document = taken.document
    qtbot.keyClick(taken.timeline.spectrogram, "b")
    dialog = taken.findChild(AbxDialog)
    dialog.begin.click()
    dialog.sounds[0].click()
    taken.listening.seek(2.6)
    ready(qtbot, output)
    output.pull(512)
    taken.actions_["duplicate_take"].trigger()
    qtbot.waitUntil(lambda: len(output.mixer.bank.sounds) == 4)
    ready(qtbot, output)
    at, got = heard_next(output)
    assert np.array_equal(got, want(document.source.read, at))
    dialog.reject()
    assert document.heard == 3


def test_without_a_take_there_is_nothing_to_test(rolled):
    rolled.actions_["abx"].trigger()
    assert "no take yet" in rolled.messages.text
    assert rolled.findChild(AbxDialog) is None


# --- meters -----------------------------------------------------------------------------------------------------------


def test_the_clip_light_stays_until_it_is_clicked_or_playing_starts(qtbot, rolled, output):
    meters = rolled.status.meters
    rolled.listening.player.set_gain(40.0)
    play(qtbot, rolled, output, 1.0)
    output.pull(2048)
    qtbot.waitUntil(lambda: meters.clipped)
    assert meters.peak_db > 0.0
    assert "dBFS" in rolled.status.level.text()
    assert "click to reset" in meters.clip.accessibleName()
    rolled.listening.player.set_gain(0.001)
    output.pull(2048)
    rolled.listening.toggle()
    output.pull(2048)
    qtbot.waitUntil(lambda: not rolled.listening.player.playing)
    assert meters.clipped
    qtbot.waitUntil(lambda: rolled.status.level.text() == "")
    meters.clip.click()
    assert not meters.clipped
    meters.show_levels(Levels((1.0,), (0.0,), True))
    assert meters.clipped
    rolled.listening.toggle()
    assert not meters.clipped


# --- devices ----------------------------------------------------------------------------------------------------------

DEVICES = (Device("A: one", "one", "A", 2, True), Device("A: two & three", "two & three", "A", 8, False))


@pytest.fixture
def devices(rolled):
    """The window's device menu, with two devices."""
    looks = []
    rolled.device_menu._list_devices = lambda refresh: looks.append(refresh) or DEVICES
    rolled.device_menu.looks = looks
    return rolled.device_menu


def test_a_device_is_chosen_remembered_and_used(qtbot, rolled, output, devices):
    play(qtbot, rolled, output, 1.0)
    devices.aboutToShow.emit()
    qtbot.waitUntil(lambda: devices._job is None)
    assert devices.looks == [False]
    words = [action.text() for action in devices.actions() if action.isCheckable()]
    assert words == ["As the &system", "one  \u2013  A", "two && three  \u2013  A"]
    at_s = rolled.listening.position_s
    next(action for action in devices.actions() if "two" in action.text()).trigger()
    assert rolled.settings_file.read().output_device == "A: two & three"
    assert output.wanted[-1].device == "A: two & three"
    assert rolled.listening.player.playing
    assert rolled.listening.position_s == pytest.approx(at_s, abs=1e-4)
    # Opened a second time it knows them; looking again lets go of the stream first.
    devices.aboutToShow.emit()
    assert devices.looks == [False]
    devices.look_anew()
    qtbot.waitUntil(lambda: devices._job is None)
    assert devices.looks == [False, True]
    assert output.closed
    assert rolled.listening.position_s == pytest.approx(at_s, abs=1e-4)


def test_a_device_that_went_stays_in_the_menu_as_not_there(qtbot, rolled, devices):
    rolled.remember(output_device="B: gone")
    devices.look_anew()
    qtbot.waitUntil(lambda: devices._job is None)
    chosen = [action.text() for action in devices.actions() if action.isChecked()]
    assert chosen == ["B: gone (not there)"]


@pytest.mark.parametrize(
    ("reason", "words"),
    [("", "the default device by hand is used now, press Space to go on"), (NO_DEVICE, "playing is silent")],
)
def test_a_lost_device_is_told_in_one_sentence_and_the_playhead_stays(
    qtbot, rolled, output, monkeypatch, reason, words
):
    play(qtbot, rolled, output, 1.5)
    at_s = rolled.listening.position_s
    monkeypatch.setattr(rolled.listening.player, "_open_output", lambda wanted: (output.open(wanted)[0], reason))
    monkeypatch.setattr(output, "beats", lambda: -1)
    qtbot.waitUntil(lambda: not rolled.listening.player.playing)
    monkeypatch.undo()
    qtbot.waitUntil(lambda: "does not answer" in rolled.messages.text)
    assert words in rolled.messages.text
    assert rolled.messages.text.count(".") == 1
    assert rolled.timeline.spectrogram.playhead_s == pytest.approx(at_s, abs=0.05)


def test_a_chosen_device_that_is_not_there_is_told(qtbot, rolled, output, monkeypatch):
    monkeypatch.setattr(rolled.listening.player, "_open_output", lambda wanted: (output.open(wanted)[0], GONE))
    rolled.listening.set_device("B: gone")
    rolled.listening.toggle()
    assert "not there" in rolled.messages.text and "by hand" in rolled.messages.text


def test_how_many_channels_are_heard_is_told(qtbot, window, output, tmp_path):
    window.open(write(tmp_path / "six.wav", noise(6, 1.0, 8_000, 3), 8_000))
    assert not window.status.channels.isVisible()
    window.listening.toggle()
    assert window.status.channels.text() == "heard folded to stereo"
    window.listening.toggle()
    output.channels = 6
    window.listening.set_device("six")
    assert window.status.channels.text() == "all 6 channels heard"
    window.open(write(tmp_path / "two.wav", noise(2, 1.0, 8_000, 3), 8_000))
    assert not window.status.channels.isVisible()
