"""Variants of events."""

import numpy as np

from recomposer_studio.training.variants import PEAK, normalised, variant
from tests.training.tiny_library import tone

_RATE_HZ = 32_000


def test_a_variant_has_the_peak_another_length_and_another_pitch() -> None:
    sound = tone(0.5, 1000.0, 0)
    rng = np.random.default_rng(0)
    variants = [variant(sound, _RATE_HZ, rng) for _ in range(12)]
    pitches = []
    for other in variants:
        assert np.abs(other).max() == np.float32(PEAK)
        pitch_hz = np.argmax(np.abs(np.fft.rfft(other, 65536))) * _RATE_HZ / 65536
        # Pitch and speed change together, by at most three semitones.
        assert abs(pitch_hz / 1000.0 * len(other) / len(sound) - 1.0) < 0.01
        assert 0.83 < pitch_hz / 1000.0 < 1.2
        pitches.append(pitch_hz)
    assert max(pitches) / min(pitches) > 1.1


def test_a_variant_belongs_to_its_seed() -> None:
    sound = tone(0.2, 500.0, 1)
    first, again, other = (variant(sound, _RATE_HZ, np.random.default_rng(seed)) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert len(other) != len(first) or (other != first).any()


def test_silence_stays_silent() -> None:
    assert not normalised(np.zeros(10)).any()
    assert not variant(np.zeros(1000), _RATE_HZ, np.random.default_rng(0)).any()
