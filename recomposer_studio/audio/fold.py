"""Many channels on few loudspeakers: which channel is heard where."""

import numpy as np
from numpy.typing import NDArray

_HALF = float(np.sqrt(0.5))
_LEFT, _RIGHT, _CENTRE, _LEFT_BACK, _RIGHT_BACK, _NONE = (
    (1.0, 0.0), (0.0, 1.0), (_HALF, _HALF), (_HALF, 0.0), (0.0, _HALF), (0.0, 0.0),
)  # fmt: skip
_STEREO: dict[int, tuple[tuple[float, float], ...]] = {
    2: (_LEFT, _RIGHT),
    3: (_LEFT, _RIGHT, _CENTRE),
    4: (_LEFT, _RIGHT, _LEFT_BACK, _RIGHT_BACK),
    5: (_LEFT, _RIGHT, _CENTRE, _LEFT_BACK, _RIGHT_BACK),
    6: (_LEFT, _RIGHT, _CENTRE, _NONE, _LEFT_BACK, _RIGHT_BACK),
    8: (_LEFT, _RIGHT, _CENTRE, _NONE, _LEFT_BACK, _RIGHT_BACK, _LEFT_BACK, _RIGHT_BACK),
}
"""Left and right of every channel in the order of WAVE files, weighted as in ITU-R BS.775-3, table 2: centre and surround 3 dB
lower, low-frequency effects left out."""


def fold(channels: int, outputs: int) -> NDArray[np.float64]:
    """Weights of every channel in every output, (outputs, channels).

    Mono is heard on all sides; as many channels as outputs, or fewer, go one to one; more are folded to stereo on the first two
    outputs, layouts without a common name by turns left and right; a single output gets the mean of that.
    """
    if channels == 1:
        return np.ones((outputs, 1))
    if channels <= outputs:
        return np.eye(outputs, channels)
    turns = tuple(_LEFT if number % 2 == 0 else _RIGHT for number in range(channels))
    stereo = np.array(_STEREO.get(channels, turns)).T
    if outputs == 1:
        return stereo.mean(axis=0, keepdims=True)
    return np.vstack([stereo, np.zeros((outputs - 2, channels))])


def folded(samples: NDArray[np.float64], outputs: int) -> NDArray[np.float64]:
    """Samples (channels, n) as the outputs hear them, (outputs, n); untouched where nothing has to be added."""
    channels = len(samples)
    if channels == outputs:
        return samples
    if channels == 1:
        return np.broadcast_to(samples, (outputs, samples.shape[1]))
    return fold(channels, outputs) @ samples
