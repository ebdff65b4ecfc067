from dataclasses import dataclass

import numpy as np
import pytest

from recomposer_studio.studio.scale import FrequencyScale, ScaleKind
from recomposer_studio.studio.tiles import FLOOR_DB, TILE, Grid, Picture, analyse

RATE = 16_000


@dataclass
class Sound:
    samples: np.ndarray
    rate_hz: int = RATE

    @property
    def frames(self) -> int:
        return self.samples.shape[1]

    def read(self, start: int, stop: int) -> np.ndarray:
        assert 0 <= start <= stop <= self.frames
        return self.samples[:, start:stop]


def drawn(sound: Sound, spans=None, picture: Picture | None = None) -> Picture:
    picture = picture or Picture.empty(Grid.of(sound.rate_hz, sound.frames))
    shares = list(analyse(sound, picture, spans))
    assert shares[-1] == 1.0
    return picture


def db(byte: int) -> float:
    return FLOOR_DB + byte / 255 * -FLOOR_DB


def sine(hz: float, seconds: float, level: float = 1.0) -> Sound:
    t = np.arange(round(seconds * RATE)) / RATE
    return Sound(level * np.sin(2 * np.pi * hz * t)[None])


@pytest.mark.parametrize("kind", list(ScaleKind))
@pytest.mark.parametrize("hz", [300.0, 1_000.0, 5_000.0])
def test_a_sine_lies_where_the_axis_says_and_has_its_level(kind, hz):
    scale = FrequencyScale(kind, RATE / 2)
    column = drawn(sine(hz, 2.0, 0.5)).render(0.5, 1.0, 10, 600, scale)[:, 5]
    brightest = np.flatnonzero(column == column.max()).mean()
    # Half an analysis bin and half a row of the picture.
    slack = 2 + abs(scale.y(hz - 16, 600) - scale.y(hz + 16, 600))
    assert brightest == pytest.approx(scale.y(hz, 600), abs=slack)
    # A sine between two bins loses 1.4 dB to the window, and more where rows are blended.
    assert db(column.max()) == pytest.approx(-7.0, abs=2.0)


def test_a_click_is_seen_at_every_zoom():
    samples = np.zeros((2, RATE * 300))
    samples[0, RATE * 200] = 0.9
    picture = drawn(Sound(samples))
    scale = FrequencyScale(ScaleKind.MEL, RATE / 2)
    for span_s in (300.0, 120.0, 30.0, 3.0):
        start_s = 200.0 - span_s * 0.6 if span_s < 300 else 0.0
        image = picture.render(start_s, span_s, 500, 64, scale)
        at = round((200.0 - start_s) / span_s * 500)
        around = image[:, max(at - 8, 0) : at + 9]
        assert around.max() == image.max() > 100
        _, high = picture.peaks(start_s, span_s, 500)
        assert high.max() == np.float32(0.9)
        assert abs(int(high.argmax()) - at) <= 1


def test_silence_and_what_lies_beyond_the_end_are_dark():
    picture = drawn(sine(1000, 1.0))
    image = picture.render(0.0, 2.0, 200, 50, FrequencyScale(ScaleKind.MEL, RATE / 2))
    assert image[:, :95].max() > 200
    assert image[:, 102:].max() == 0
    assert drawn(Sound(np.zeros((1, RATE)))).loudest_db == FLOOR_DB


@pytest.mark.parametrize("frames", [1, 159, 160, 161, TILE * 160, TILE * 160 + 1, 7 * TILE * 160 + 77])
def test_any_length_fills_every_level(frames):
    rng = np.random.default_rng(frames)
    sound = Sound(rng.uniform(-0.5, 0.5, (1, frames)))
    picture = drawn(sound)
    grid = picture.grid
    for level in range(1, grid.levels):
        below = picture.columns(level - 1, 0, grid.count(level - 1))
        want = np.maximum.reduceat(below, np.arange(0, len(below), 4), axis=0)
        assert np.array_equal(picture.columns(level, 0, grid.count(level)), want)
    for low, high in zip(picture.low, picture.high, strict=True):
        assert low.min() == np.float32(sound.samples.min())
        assert high.max() == np.float32(sound.samples.max())


def test_the_peaks_are_those_of_the_samples():
    rng = np.random.default_rng(1)
    sound = Sound(rng.uniform(-1, 1, (2, RATE * 10)))
    low, high = drawn(sound).peaks(0.0, 10.0, 100)
    pieces = sound.samples.reshape(2, 100, -1)
    assert np.array_equal(low, pieces.min(axis=(0, 2)).astype(np.float32))
    assert np.array_equal(high, pieces.max(axis=(0, 2)).astype(np.float32))


def test_the_picture_of_a_take_is_that_of_its_sound_and_leaves_the_originals_alone():
    rng = np.random.default_rng(2)
    before = rng.uniform(-0.1, 0.1, (1, RATE * 30))
    after = before.copy()
    spans = [(RATE * 4, RATE * 5), (RATE * 20 + 7, RATE * 20 + 900)]
    for start, stop in spans:
        after[:, start:stop] *= 3
    original = drawn(Sound(before))
    kept = [[tile.copy() for tile in level] for level in original.tiles]
    take = drawn(Sound(after), spans, original.branch())
    whole = drawn(Sound(after))
    for level in range(take.grid.levels):
        count = take.grid.count(level)
        assert np.array_equal(take.columns(level, 0, count), whole.columns(level, 0, count))
    assert all(np.array_equal(a, b) for a, b in zip(take.high, whole.high, strict=True))
    assert all(
        np.array_equal(a, b)
        for was, now in zip(kept, original.tiles, strict=True)
        for a, b in zip(was, now, strict=True)
    )


def test_analysis_stops_when_asked():
    sound = sine(440, 60.0)
    picture = Picture.empty(Grid.of(RATE, sound.frames))
    assert list(analyse(sound, picture, None, lambda: True)) == []
    assert picture.render(0, 60, 50, 20, FrequencyScale(ScaleKind.MEL, RATE / 2)).max() == 0


def test_memory_is_bounded_for_very_long_recordings():
    grid = Grid.of(48_000, 48_000 * 3600 * 24)
    assert grid.columns <= 400_000
