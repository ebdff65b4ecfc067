"""The row check tells what the detector hears before and after, and owns up where that says nothing."""

import numpy as np
import pytest
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import Cancelled
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.project.take import Layer, Take
from recomposer_studio.roll.event import Event
from recomposer_studio.studio.row_check import check_rows
from recomposer_studio.tagging.front_end import LogMel
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, Sounding
from tests.editing.scenes import burst, event, noise, roll, write
from tests.studio.ears import BELL_HZ, FakeEars, ToneTagger, band, listen_with

RATE = 16_000
BELL = burst(1.0, 0.5, 4.0, RATE, 1500.0)


@pytest.fixture
def source(tmp_path):
    samples = noise(1, 4.0, RATE, seed=3, level=0.001) + BELL
    with Source.open(write(tmp_path / "bell.wav", samples, RATE)) as source:
        yield source


def take(source: Source, *events: Event, removed: np.ndarray) -> Take:
    layers = []
    for one in events:
        start, stop = round(one.start_s * RATE), round(one.end_s * RATE)
        sound = removed[None, start:stop].astype(np.float32)
        placed = one.action == "insert"
        layers.append(
            Layer(one, start, stop, None if placed else sound, sound if placed else None, "repair", one.id, 0)
        )
    return Take(source, roll(*events), Recipe(), "repair", tuple(layers))


def test_a_sound_that_is_gone_is_seen_to_be(source):
    (check,) = check_rows(
        take(source, event("a", "delete", 0.9, 1.6, "Bell"), removed=BELL), ToneTagger(), lambda: False
    )
    assert check.class_name == "Bell" and check.judged
    assert check.before > 0.8 and check.after < 0.1


def test_the_mix_of_the_take_counts(source):
    bell = take(source, event("a", "delete", 0.9, 1.6, "Bell"), removed=BELL)
    (check,) = check_rows(bell.adjusted("a", muted=True), ToneTagger(), lambda: False)
    assert check.after == check.before


def test_what_was_not_heard_before_is_not_judged_but_an_insert_is(source):
    quiet = event("q", "delete", 2.5, 3.0, "Bell")
    new = event("i", "insert", 3.0, 3.6, "Bark")
    beep = burst(3.0, 0.5, 4.0, RATE, 3000.0)
    checks = check_rows(take(source, quiet, new, removed=beep), ToneTagger(), lambda: False)
    assert [check.judged for check in checks] == [False, True]
    assert checks[1].before < 0.1 < checks[1].after


def test_a_class_that_the_detector_does_not_know_is_not_judged(source):
    (check,) = check_rows(
        take(source, event("a", "delete", 0.9, 1.6, "Rain"), removed=BELL), ToneTagger(), lambda: False
    )
    assert check.class_name == "" and not check.judged


def test_classes_below_count_too(source):
    # Of the classes that the tagger knows, Bark lies below Dog.
    beep = burst(3.0, 0.5, 4.0, RATE, 3000.0)
    (check,) = check_rows(
        take(source, event("i", "insert", 3.0, 3.6, "Dog"), removed=beep), ToneTagger(), lambda: False
    )
    assert check.class_name == "Dog" and check.after > 0.3


class StepTones(ToneTagger):
    """Also a tagger of frames, of one class."""

    event_classes = ("Bell",)

    def sounding(self, frames: LogMel) -> Sounding:
        level = frames[:, band(BELL_HZ)].reshape(-1, FRAMES_PER_STEP).max(axis=1)
        return Sounding(np.where(level > 0, 2.0, -4.0).astype(np.float32)[:, None], level, level, level[:, None])

    def names(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.zeros((len(pooled), 1), np.float32)


def test_a_frame_tagger_is_asked_about_the_box_alone(source):
    bell = take(source, event("a", "delete", 0.9, 1.6, "Bell"), removed=BELL)
    (check,) = check_rows(bell, StepTones(), lambda: False)
    assert check.before == pytest.approx(0.881, abs=1e-3) and check.after == pytest.approx(0.018, abs=1e-3)
    # The bell rings beside this box, not in it; a patch around it would hear it.
    beside = take(source, event("b", "delete", 1.7, 2.0, "Bell"), removed=0 * BELL)
    (check,) = check_rows(beside, StepTones(), lambda: False)
    assert not check.judged and check_rows(beside, ToneTagger(), lambda: False)[0].judged
    # Classes that it has no activity for are heard in patches.
    (check,) = check_rows(take(source, event("c", "insert", 1, 2, "Bark"), removed=BELL), StepTones(), lambda: False)
    assert check.class_name == "Bark"


def test_it_is_cancelled_between_rows(source):
    with pytest.raises(Cancelled):
        check_rows(take(source, event("a", "delete", 0.9, 1.6, "Bell"), removed=BELL), ToneTagger(), lambda: True)


def test_the_takes_panel_shows_it_until_the_mix_changes(qtbot, rolled):
    listen_with(rolled, FakeEars())
    assert not rolled.actions_["check_rows"].isEnabled()
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    line = rolled.takes.mix.line("a")
    assert line.check.isHidden()
    rolled.actions_["check_rows"].trigger()
    qtbot.waitUntil(lambda: not rolled.detecting.running, timeout=20_000)
    assert line.check.text().startswith("Detector: Bell  0.") and "\u2192" in line.check.text()
    rolled.document.mix("mix", "a", amount=0.5)
    assert line.check.isHidden()
