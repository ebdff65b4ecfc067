"""Triangular dither for samples that lose bits: noise that makes the rounding error independent of the sound.

TPDF with a peak of one step on either side is the smallest noise that frees mean and variance of the error from the signal (Lipshitz, Wannamaker
and Vanderkooy 1992). It comes from a counter, so that a stretch of a file gets the noise it would have within the whole.
"""

import numpy as np
from numpy.typing import NDArray

_BLOCK_FRAMES = 16_384


def tpdf(key: int, start: int, stop: int, channels: int) -> NDArray[np.float64]:
    """Noise of frames `start` to `stop` (half-open).

    Args:
        key: seed, 128 bits; another one gives independent noise.
        start: first frame, counted from the beginning of the recording.
        stop: end.
        channels: number of channels.

    Returns:
        (stop - start, channels), triangular between -1 and 1 steps of the format.
    """
    out = np.empty((stop - start, channels))
    for block in range(start // _BLOCK_FRAMES, -(-stop // _BLOCK_FRAMES)):
        origin = block * _BLOCK_FRAMES
        # Raw bits, not `random`: numpy may change how it makes floats of them, the bits stay.
        raw = np.random.Philox(key=key, counter=[0, block, 0, 0]).random_raw(_BLOCK_FRAMES * channels)
        noise = ((raw >> np.uint64(32)).astype(np.float64) - (raw & np.uint64(0xFFFFFFFF)).astype(np.float64)) / 2.0**32
        first, last = max(start, origin), min(stop, origin + _BLOCK_FRAMES)
        out[first - start : last - start] = noise.reshape(_BLOCK_FRAMES, channels)[first - origin : last - origin]
    return out
