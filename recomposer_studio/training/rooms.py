"""What a scene does to every event in it: one room and one low-pass for all, a pitch and a tilt for each.

All of it is linear and applied to an event once, in one short transform, before levels are set: both sides of an edited
pair and every stem therefore agree exactly.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import soxr

RATE_HZ = 32000
MAX_TAIL_S = 0.4

_TAIL_START_S = 0.015


@dataclass(frozen=True)
class Room:
    """A synthetic room: a few early reflections and an exponentially decaying noise tail.

    Attributes:
        seed: fixes reflections and tail.
        decay_s: time for the tail to fall by 60 dB.
        direct_db: level of the direct sound over the tail.
    """

    seed: int
    decay_s: float
    direct_db: float

    @property
    def tail_frames(self) -> int:
        """Samples by which an event grows."""
        return round(min(MAX_TAIL_S, 0.7 * self.decay_s) * RATE_HZ)


@lru_cache(maxsize=4)
def room_response(room: Room) -> np.ndarray:
    """Impulse response (1 + tail frames,) float32; the direct sound is its first sample and has height 1."""
    rng = np.random.default_rng([7, room.seed])
    frames = room.tail_frames
    response = np.zeros(frames + 1, np.float32)
    first = min(frames, round(_TAIL_START_S * RATE_HZ))
    tail = rng.standard_normal(frames - first, np.float32)
    tail *= np.exp(np.float32(-np.log(1000.0) / (room.decay_s * RATE_HZ)) * np.arange(frames - first, dtype=np.float32))
    tail[1:] = 0.5 * (tail[1:] + tail[:-1])
    energy = float(tail @ tail)
    if energy > 0:
        response[first:frames] = tail * np.sqrt(10.0 ** (-room.direct_db / 10.0) / energy)
    taps = rng.integers(32, max(33, first), 7)
    response[taps] += (
        rng.choice([-1.0, 1.0], 7) * 0.5 * 10.0 ** (-room.direct_db / 40.0) * np.exp(-taps / 320.0)
    ).astype(np.float32)
    response[0] = 1.0
    return response


def fast_length(frames: int) -> int:
    """A length of at least `frames` that a Fourier transform handles quickly (2, 3 or 5 times a power of two)."""
    return min(odd * 2 ** max(0, (-(-frames // odd) - 1).bit_length()) for odd in (1, 3, 5))


def low_pass_gain(frames: int, cutoff_hz: float) -> np.ndarray:
    """Zero-phase gain (frames // 2 + 1,) float32 of a soft low-pass, -6 dB at `cutoff_hz`, 48 dB an octave."""
    ratio = np.fft.rfftfreq(frames, 1.0 / RATE_HZ).astype(np.float32) / np.float32(cutoff_hz)
    squared = ratio * ratio
    fourth = squared * squared
    return 1.0 / (1.0 + fourth * fourth)


def tilt_gain(frames: int, db_per_octave: float) -> np.ndarray:
    """Zero-phase gain (frames // 2 + 1,) float32: `db_per_octave` around 1 kHz, flat below 125 Hz and above 8 kHz."""
    octaves = np.clip(np.log2(np.maximum(np.fft.rfftfreq(frames, 1.0 / RATE_HZ), 1.0) / 1000.0), -3.0, 3.0)
    return (10.0 ** (db_per_octave / 20.0 * octaves)).astype(np.float32)


def shifted(sound: np.ndarray, semitones: float) -> np.ndarray:
    """Played faster or slower: pitch rises by `semitones`, length falls in proportion. (frames,) float32."""
    if semitones == 0.0:
        return sound
    return soxr.resample(sound, RATE_HZ * 2.0 ** (semitones / 12.0), RATE_HZ, quality="LQ").astype(np.float32)


def shifted_frames(frames: int, semitones: float) -> int:
    """At most so many samples has `shifted` of a sound of `frames` samples."""
    return frames if semitones == 0.0 else int(np.ceil(frames * 2.0 ** (-semitones / 12.0))) + 1


def in_room(sound: np.ndarray, room: Room | None, low_pass_hz: float | None, tilt_db: float) -> np.ndarray:
    """The sound in a room, low-passed and tilted: (frames + tail,) float32."""
    if room is None and low_pass_hz is None and tilt_db == 0.0:
        return sound
    frames = len(sound) + (room.tail_frames if room else 0)
    size = fast_length(frames + 64)
    spectrum = np.fft.rfft(sound, size)
    if room is not None:
        spectrum *= _room_spectrum(room, size)
    if low_pass_hz is not None:
        spectrum *= low_pass_gain(size, low_pass_hz)
    if tilt_db:
        spectrum *= _tilt(size, tilt_db)
    return np.fft.irfft(spectrum, size)[:frames].astype(np.float32, copy=False)


@lru_cache(maxsize=16)
def _room_spectrum(room: Room, size: int) -> np.ndarray:
    return np.fft.rfft(room_response(room), size)


@lru_cache(maxsize=64)
def _tilt(size: int, db_per_octave: float) -> np.ndarray:
    return tilt_gain(size, db_per_octave)
