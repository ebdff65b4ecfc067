"""Variants of an event recording: unique audio is short, so every event is heard at other pitches, with other tilts."""

import numpy as np
import soxr
from numpy.typing import NDArray

PEAK = 0.7
"""Peak of every event that a codec or decoder is trained on; the engine sets levels itself."""
_SEMITONES = 3.0
_TILT_DB_PER_OCTAVE = 1.5
_FULL_TILT_HZ = 1000.0


def normalised(wave: NDArray[np.floating], peak: float = PEAK) -> NDArray[np.float32]:
    """The sound scaled to a peak; silence stays."""
    return (wave * (peak / max(float(np.abs(wave).max(initial=0.0)), 1e-9))).astype(np.float32)


def variant(wave: NDArray[np.floating], rate_hz: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A variant at peak 0.7: pitch and speed up to 3 semitones off, spectrum tilted up to 1.5 dB an octave.

    Args:
        wave: samples (n,).
        rate_hz: their rate.
        rng: draws the variant.

    Returns:
        Samples, as many as the new speed gives.
    """
    speed = 2.0 ** (rng.uniform(-_SEMITONES, _SEMITONES) / 12.0)
    sound = soxr.resample(np.asarray(wave, np.float64), rate_hz, rate_hz / speed)
    tilt = rng.uniform(-_TILT_DB_PER_OCTAVE, _TILT_DB_PER_OCTAVE)
    spectrum = np.fft.rfft(sound, 2 * len(sound))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(2 * len(sound), 1.0 / rate_hz), 50.0) / _FULL_TILT_HZ)
    spectrum *= 10.0 ** (tilt * octaves / 20.0)
    return normalised(np.fft.irfft(spectrum)[: len(sound)])
