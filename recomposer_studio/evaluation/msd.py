"""Multi-scale spectral distortion: how far the spectrum of an edit lies from the desired one, by region.

32 kHz mono. For every window of 2048, 1024, 512, 256, 128 and 64 samples: periodic Hann, hop a quarter, no padding,
magnitude, 64 triangular HTK-mel bands over 0-16 kHz (bands without a bin are left out), natural logarithm of at least
1e-3, mean absolute difference over the bands. A frame belongs to the region that holds its centre; the mean over a
region's frames is summed over windows.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.regions import SKIRT_S, Box, changed_span, mono_at

RATE_HZ = 32000
WINDOWS = (2048, 1024, 512, 256, 128, 64)
BANDS = 64
FLOOR = 1e-3

# Frames of one transform: large enough to be fast, small enough to stay in the cache.
_SAMPLES_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Msd:
    """The distance in the three regions; 0 where a region holds no frame."""

    target: float
    skirt: float
    nontarget: float


class MsdReference:
    """The desired signal with its spectra, against which any number of estimates is measured.

    Args:
        desired: samples (frames,) or (channels, frames).
        rate_hz: their sample rate.

    Raises:
        InputError: empty, not finite or shorter than one window of 64 ms.
    """

    def __init__(self, desired: NDArray[np.floating], rate_hz: int = RATE_HZ) -> None:
        """Computes the spectra of the desired signal."""
        self._signal = mono_at(desired, rate_hz, RATE_HZ)
        if len(self._signal) < WINDOWS[0]:
            raise InputError("the distance needs at least 64 ms of sound; give a longer recording.")
        self._spectra = [log_mel(self._signal, n) for n in WINDOWS]

    def frames(self, estimate: NDArray[np.floating], rate_hz: int = RATE_HZ) -> list[NDArray[np.float64]]:
        """Mean absolute log-mel difference (frames,) for every window n of `WINDOWS`.

        Frame i is centred at (i n / 4 + n / 2) / 32000 seconds.

        Raises:
            InputError: the estimate is empty, not finite or shorter than one window.
        """
        signal = mono_at(estimate, rate_hz, RATE_HZ)
        length = min(len(signal), len(self._signal))
        if length < WINDOWS[0]:
            raise InputError("the distance needs at least 64 ms of sound; give a longer recording.")
        # Frames that see no changed sample differ by exactly zero: an edit costs what it changes, not the length of the
        # scene.
        start, stop = changed_span(signal[:length], self._signal[:length])
        differences = []
        for n, desired in zip(WINDOWS, self._spectra, strict=True):
            hop = n // 4
            total = (length - n) // hop + 1
            out = np.zeros(total)
            first, last = max(0, (start - n) // hop + 1), min(total, -(-stop // hop))
            if stop > start and last > first:
                part = log_mel(signal[first * hop : (last - 1) * hop + n], n)
                out[first:last] = np.abs(part - desired[first:last]).mean(axis=1)
            differences.append(out)
        return differences

    def distance(self, estimate: NDArray[np.floating], box: Box, rate_hz: int = RATE_HZ) -> Msd:
        """MSD of an estimate in the regions of a box (start, end) in seconds.

        Raises:
            InputError: the estimate is empty, not finite or shorter than one window.
        """
        start_s, end_s = box
        sums = np.zeros(3)
        for n, values in zip(WINDOWS, self.frames(estimate, rate_hz), strict=True):
            centres = (np.arange(len(values)) * (n // 4) + n / 2) / RATE_HZ
            target = (centres >= start_s) & (centres < end_s)
            near = (centres >= start_s - SKIRT_S) & (centres < end_s + SKIRT_S)
            for i, region in enumerate((target, near & ~target, ~near)):
                sums[i] += values[region].mean() if region.any() else 0.0
        return Msd(*(float(v) for v in sums))


def msd(desired: NDArray[np.floating], estimate: NDArray[np.floating], box: Box, rate_hz: int = RATE_HZ) -> Msd:
    """MSD of one estimate; keep an `MsdReference` to compare several with the same desired signal."""
    return MsdReference(desired, rate_hz).distance(estimate, box, rate_hz)


def log_mel(signal: NDArray[np.floating], window: int) -> NDArray[np.float32]:
    """Natural log of the mel magnitudes of a 32 kHz signal: (frames, bands) float32.

    Args:
        signal: samples (frames,), at least `window` of them.
        window: window length in samples; the hop is a quarter of it.
    """
    hann, weights = _analysis(window)
    views = np.lib.stride_tricks.sliding_window_view(np.asarray(signal, np.float32), window)[:: window // 4]
    out = np.empty((len(views), weights.shape[1]), np.float32)
    step = max(1, _SAMPLES_AT_ONCE // window)
    for first in range(0, len(views), step):
        magnitude = np.abs(np.fft.rfft(views[first : first + step] * hann, axis=1))
        out[first : first + step] = np.log(np.maximum(magnitude @ weights, FLOOR))
    return out


@lru_cache(maxsize=len(WINDOWS))
def _analysis(window: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Periodic Hann (window,) and mel weights (bins, bands) without the bands that hold no bin."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    top = 2595.0 * np.log10(1.0 + RATE_HZ / 2 / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, BANDS + 2) / 2595.0) - 1.0)
    bins = np.linspace(0.0, RATE_HZ / 2, window // 2 + 1)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0.0, np.minimum(rising, falling))
    return hann.astype(np.float32), weights[:, weights.sum(axis=0) > 0].astype(np.float32)
