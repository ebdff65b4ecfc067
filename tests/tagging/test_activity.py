"""Foreground from background."""

import numpy as np
import pytest

from recomposer_studio.tagging.activity import ActivityOptions, runs, stretches
from recomposer_studio.tagging.front_end import RATE_HZ, log_mel


def scene(onset_s: float, length_s: float, over_db: float, seed: int = 0, seconds: float = 10.0) -> np.ndarray:
    """Noise at -40 dBFS with a louder noise burst in it."""
    rng = np.random.default_rng(seed)
    samples = 0.01 * rng.standard_normal(int(seconds * RATE_HZ))
    first, last = int(onset_s * RATE_HZ), int((onset_s + length_s) * RATE_HZ)
    samples[first:last] += 0.01 * 10 ** (over_db / 20) * rng.standard_normal(last - first)
    return samples.astype(np.float32)


@pytest.mark.parametrize("length_s", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("onset_s", [0.8, 4.321])
def test_a_burst_is_found_where_it_is(onset_s: float, length_s: float):
    (found,) = stretches(log_mel(scene(onset_s, length_s, 15.0)), 0.0)
    assert found.start_s == pytest.approx(onset_s, abs=0.05)
    assert found.end_s == pytest.approx(onset_s + length_s, abs=0.05)
    assert found.excess_db > 8.0


def test_times_count_from_the_given_start():
    frames = log_mel(scene(4.0, 0.5, 15.0))
    (found,), (later,) = stretches(frames, 0.0), stretches(frames, 100.0)
    assert later.start_s == pytest.approx(found.start_s + 100.0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("level", [1e-5, 0.01, 0.5])
def test_steady_noise_has_no_foreground(seed: int, level: float):
    noise = level * np.random.default_rng(seed).standard_normal(20 * RATE_HZ)
    assert stretches(log_mel(noise.astype(np.float32)), 0.0) == []


def test_a_slow_swell_has_no_foreground():
    noise = np.random.default_rng(0).standard_normal(40 * RATE_HZ)
    swell = 0.01 * 10 ** (6 * np.sin(2 * np.pi * np.arange(len(noise)) / len(noise)) / 20)
    assert stretches(log_mel((swell * noise).astype(np.float32)), 0.0) == []


def test_silence_and_inaudible_sounds_have_no_foreground():
    assert stretches(log_mel(np.zeros(RATE_HZ, np.float32)), 0.0) == []
    quiet = 10 ** (-100 / 20) * scene(4.0, 0.5, 20.0) / 0.1
    assert stretches(log_mel(quiet.astype(np.float32)), 0.0) == []
    assert stretches(np.empty((0, 64), np.float32), 0.0) == []


def test_a_short_pause_belongs_to_the_sound_and_a_long_one_parts_it():
    samples = np.maximum(scene(3.0, 0.3, 15.0), 0) + scene(3.4, 0.3, 15.0, 1)
    assert len(stretches(log_mel(samples), 0.0)) == 1
    samples = scene(3.0, 0.3, 15.0) + scene(4.0, 0.3, 15.0, 1)
    assert len(stretches(log_mel(samples), 0.0)) == 2
    assert len(stretches(log_mel(samples), 0.0, ActivityOptions(gap_s=1.0))) == 1


def test_runs_are_half_open():
    assert runs(np.array([], bool)) == []
    assert runs(np.array([True, True, False, True])) == [(0, 2), (3, 4)]
    assert runs(np.array([False, True, False])) == [(1, 2)]
