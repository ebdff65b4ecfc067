"""YAMNet's front end: log-mel frames of a 16 kHz mono signal, worked out once per recording and cut into patches at any hop.

Formulas: the front end published with YAMNet (TensorFlow Models, `features.py`, and TensorFlow's
`linear_to_mel_weight_matrix`): magnitude spectrum of 25 ms periodic Hann windows every 10 ms, 64 HTK-mel bands from 125
to 7500 Hz whose triangles are straight in mel, natural logarithm of band + 0.001.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np
import soxr
from numpy.typing import NDArray

from recomposer_studio.audio.source import BLOCK_FRAMES, Source

RATE_HZ = 16_000
FRAME = 400
"""Samples in a frame."""
HOP = 160
"""Samples from frame to frame."""
FRAMES_PER_S = RATE_HZ // HOP
BANDS = 64
PATCH_FRAMES = 96
"""Frames in a patch: 0.96 s by their onsets."""
PATCH_SAMPLES = (PATCH_FRAMES - 1) * HOP + FRAME
"""Samples that one patch needs: 15,600; a shorter recording is padded with silence."""
PATCH_CENTRE_S = PATCH_FRAMES / FRAMES_PER_S / 2
"""From a patch's first frame to its centre."""
LOW_HZ, HIGH_HZ = 125.0, 7_500.0
LOG_OFFSET = 1e-3

_FFT = 512
_FRAMES_AT_ONCE = 2_048

Samples = NDArray[np.float32]
"""(n,) mono samples at 16 kHz, full scale 1.0."""
LogMel = NDArray[np.float32]
"""(frames, 64), one row every 10 ms."""
Patches = NDArray[np.float32]
"""(n, 96, 64)."""


def log_mel(samples: Samples) -> LogMel:
    """The log-mel frames that lie wholly within the samples.

    Args:
        samples: (n,) mono at 16 kHz.

    Returns:
        (1 + (n - 400) // 160, 64) float32; no row for fewer than 400 samples. Silence gives log(0.001).
    """
    if len(samples) < FRAME:
        return np.empty((0, BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(samples, np.float32), FRAME)[::HOP]
    out = np.empty((len(frames), BANDS), np.float32)
    for at in range(0, len(frames), _FRAMES_AT_ONCE):  # the windows overlap: at once they would fill much memory
        spectrum = np.fft.rfft(frames[at : at + _FRAMES_AT_ONCE] * _window(), _FFT, axis=1)
        out[at : at + _FRAMES_AT_ONCE] = np.log(np.abs(spectrum) @ mel_weights() + np.float32(LOG_OFFSET))
    return out


def patches(frames: LogMel, hop: int) -> Patches:
    """The whole patches in a run of frames, every `hop` frames; a view without copying."""
    if len(frames) < PATCH_FRAMES:
        return np.empty((0, PATCH_FRAMES, BANDS), np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(frames, PATCH_FRAMES, axis=0)[::hop]
    return windows.transpose(0, 2, 1)


def mono(source: Source, block_frames: int = BLOCK_FRAMES) -> Iterator[Samples]:
    """The recording at 16 kHz, its channels averaged, in blocks; sample k lies k / 16000 s after the start.

    Raises:
        InputError: the recording cannot be decoded.
    """
    stream = soxr.ResampleStream(source.rate_hz, RATE_HZ, 1, np.float32, "HQ") if source.rate_hz != RATE_HZ else None
    for start in range(0, source.frames, block_frames):
        stop = min(start + block_frames, source.frames)
        block = source.read(start, stop).mean(axis=0).astype(np.float32)
        yield block if stream is None else stream.resample_chunk(block, last=stop == source.frames)


def log_mel_blocks(blocks: Iterator[Samples], hop: int) -> Iterator[LogMel]:
    """The log-mel frames of a signal that arrives in blocks, padded with silence to whole patches.

    Together the blocks hold 96 + k * hop frames, as many as it takes for the patches to reach the end of the signal.

    Args:
        blocks: the signal, one after the other.
        hop: frames from patch to patch.
    """
    rest, samples = np.empty(0, np.float32), 0
    for block in blocks:
        samples += len(block)
        rest = np.concatenate([rest, block])
        frames = log_mel(rest)
        rest = rest[len(frames) * HOP :]
        if len(frames):
            yield frames
    hops = -(-max(0, samples - PATCH_SAMPLES) // (hop * HOP))
    missing = PATCH_SAMPLES + hops * hop * HOP - samples
    frames = log_mel(np.concatenate([rest, np.zeros(max(0, missing), np.float32)]))
    if len(frames):
        yield frames


@cache
def mel_weights() -> NDArray[np.float32]:
    """(257, 64) weights from the bins of a 512-point spectrum to the bands; the row of 0 Hz is zero."""
    bins = _mel(np.arange(_FFT // 2 + 1) * (RATE_HZ / _FFT))[:, None]
    edges = np.linspace(_mel(np.array(LOW_HZ)), _mel(np.array(HIGH_HZ)), BANDS + 2)
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    weights = np.maximum(0.0, np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)))
    weights[0] = 0.0
    return np.asarray(weights, np.float32)


@cache
def _window() -> NDArray[np.float32]:
    return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(FRAME) / FRAME), np.float32)


def _mel(hz: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(1127.0 * np.log(1.0 + hz / 700.0))
