"""The pixels of a picture show what sounds, where it sounds, in memory that does not grow."""

import numpy as np
import pytest

from recomposer_studio.audio.axes import FrequencyAxis
from recomposer_studio.audio.overview import overview


class Memory:
    """A recording in memory that notes how much is read at once."""

    def __init__(self, samples: np.ndarray, rate_hz: int = 48_000) -> None:
        self.samples = np.atleast_2d(samples)
        self.rate_hz = rate_hz
        self.frames = self.samples.shape[1]
        self.largest = 0
        self.total = 0

    def read(self, start: int, stop: int) -> np.ndarray:
        assert 0 <= start <= stop <= self.frames
        self.largest = max(self.largest, stop - start)
        self.total += stop - start
        return self.samples[:, start:stop].copy()


@pytest.mark.parametrize("hz", [120.0, 1_000.0, 9_000.0])
@pytest.mark.parametrize("rate_hz", [44_100, 192_000])
def test_a_sine_shows_at_its_frequency_with_its_level(hz: float, rate_hz: int) -> None:
    axis = FrequencyAxis(rate_hz / 2, 300)
    reader = Memory(0.5 * np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz), rate_hz)
    view = overview(reader, 0.0, 1.0, 100, axis)
    middle = view.power[:, 50]
    assert abs(int(middle.argmax()) + 0.5 - axis.y(hz)) <= 3
    assert 10 * np.log10(middle.max()) == pytest.approx(-6.02, abs=1.5)  # a bin beside the sine is up to 1.4 dB lower
    np.testing.assert_allclose(view.high[10:90], 0.5, atol=0.02)
    np.testing.assert_allclose(view.low[10:90], -0.5, atol=0.02)


@pytest.mark.parametrize("frames", [3_000, 48_000, 400_000, 2_000_000])
def test_a_click_shows_in_its_column_of_any_length(frames: int) -> None:
    samples = np.zeros(frames)
    at = frames * 2 // 3
    samples[at] = 0.9
    view = overview(Memory(samples), 0.0, frames / 48_000, 200, FrequencyAxis(24_000, 64))
    column = at * 200 // frames
    assert view.high[column] == 0.9
    assert np.count_nonzero(view.high) <= 1 + 200 // frames
    loudness = view.power.sum(axis=0)
    reach = 1_100 * 200 / frames + 1  # half a window to both sides
    assert loudness[column] > 0
    assert not loudness[np.abs(np.arange(200) - column) > reach].any()


def test_the_waveform_is_that_of_every_sample() -> None:
    samples = np.random.default_rng(0).standard_normal((2, 10_007))
    view = overview(Memory(samples), 0.0, 10_007 / 48_000, 97, FrequencyAxis(24_000, 16))
    edges = np.ceil(np.arange(98) * 10_007 / 97 - 1e-6).astype(int)
    for column in range(97):
        part = samples[:, edges[column] : edges[column + 1]]
        assert (view.low[column], view.high[column]) == (part.min(), part.max())


def test_a_part_is_that_part() -> None:
    samples = np.zeros(48_000)
    samples[24_000:24_010] = 1.0
    view = overview(Memory(samples), 0.5, 0.5 + 20 / 48_000, 200, FrequencyAxis(24_000, 16))
    np.testing.assert_array_equal(view.high[:99], 1.0)  # each sample is ten columns wide
    np.testing.assert_array_equal(view.high[101:], 0.0)
    # A start between two samples shows the one that sounds there.
    view = overview(Memory(samples), 24_009.5 / 48_000, 24_011 / 48_000, 30, FrequencyAxis(24_000, 16))
    np.testing.assert_array_equal(view.high[:9], 1.0)
    np.testing.assert_array_equal(view.high[11:], 0.0)


def test_one_sample() -> None:
    view = overview(Memory(np.array([0.5]), 44_100), 0.0, 1 / 44_100, 50, FrequencyAxis(22_050, 16))
    np.testing.assert_array_equal(view.high, 0.5)
    assert (view.power > 0).all()


def test_beyond_the_end_there_is_silence() -> None:
    view = overview(Memory(np.full(4_800, 0.3)), 0.0, 1.0, 100, FrequencyAxis(24_000, 16))
    np.testing.assert_array_equal(view.high[:10], 0.3)
    np.testing.assert_array_equal(view.high[11:], 0.0)
    assert not view.power[:, 20:].any()


def test_above_half_the_rate_there_is_nothing() -> None:
    axis = FrequencyAxis(48_000, 100)
    reader = Memory(np.random.default_rng(0).standard_normal(8_000), 8_000)
    power = overview(reader, 0.0, 1.0, 20, axis).power
    edge = int(axis.y(4_000.0))
    assert not power[: edge - 1].any()
    assert (power[edge + 1 :] > 0).all()


def test_channels_are_averaged_in_power() -> None:
    tone = np.sin(2 * np.pi * 1_000 * np.arange(48_000) / 48_000)
    axis = FrequencyAxis(24_000, 50)
    mono = overview(Memory(tone), 0.0, 1.0, 10, axis).power
    opposite = overview(Memory(np.stack([tone, -tone, 0 * tone, 0 * tone])), 0.0, 1.0, 10, axis).power
    np.testing.assert_allclose(opposite, mono / 2, rtol=1e-4, atol=1e-12)


def test_reads_stay_small_and_few_however_long_the_recording() -> None:
    axis = FrequencyAxis(24_000, 16)
    short, long = Memory(np.zeros(48_000 * 20)), Memory(np.zeros(48_000 * 60))
    overview(short, 0.0, 20.0, 100, axis)
    overview(long, 0.0, 60.0, 100, axis)
    assert short.largest == pytest.approx(long.largest, rel=0.05)
    assert long.total < 1.05 * long.frames
