"""Multi-scale spectral distortion: how far the spectrum of an edit lies from the desired one, by region.

32 kHz mono. For every window of 2048, 1024, 512, 256, 128 and 64 samples: periodic Hann, hop a quarter, no padding,
magnitude, 64 triangular HTK-mel bands over 0-16 kHz (bands without a bin are left out), natural logarithm of at least
1e-3, mean absolute difference over the bands. A frame belongs to the region that holds its centre; the mean over a
region's frames is summed over windows.
"""

from collections.abc import Sequence
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
_SAMPLES_AT_ONCE = 1 << 16


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
        return by_region(self.frames(estimate, rate_hz), box)


def by_region(frames: Sequence[NDArray[np.floating]], box: Box) -> Msd:
    """MSD in the regions of a box from the differences of every window, as `MsdReference.frames` gives them.

    Args:
        frames: differences (frames,) for every window of `WINDOWS`.
        box: (start, end) in seconds.
    """
    start_s, end_s = box
    sums = np.zeros(3)
    for n, values in zip(WINDOWS, frames, strict=True):
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
    mel = _mel(window)
    hann = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)).astype(np.float32)
    views = np.lib.stride_tricks.sliding_window_view(np.asarray(signal, np.float32), window)[:: window // 4]
    out = np.empty((len(views), len(mel.bands)), np.float32)
    step = max(1, _SAMPLES_AT_ONCE // window)
    for first in range(0, len(views), step):
        spectrum = np.fft.rfft(views[first : first + step] * hann, axis=1)
        # Several times as fast as `abs`, whose care about overflow no sound needs.
        magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2)
        out[first : first + step] = np.log(np.maximum(mel.of(magnitude), FLOOR))
    return out


@dataclass(frozen=True)
class _Mel:
    """Triangular mel bands of one window, worked out with running sums instead of a product of matrices.

    A product of this size goes to several threads, which on a busy machine wait for one another many times as long as
    they work. Between two edges e and g the rising share of a bin at f is (f - e) / (g - e), the falling one the rest;
    so every triangle follows from the sums of m and of f m between neighbouring edges.

    Attributes:
        hz: frequency of every bin, (bins,).
        edges: frequencies of the edges, (66,).
        first: first bin at or above every edge, (66,); bin 0 stands for a sum of nothing.
        bands: which of the 64 bands hold a bin.
    """

    hz: NDArray[np.float64]
    edges: NDArray[np.float64]
    first: NDArray[np.intp]
    bands: NDArray[np.intp]

    def of(self, magnitude: NDArray[np.floating]) -> NDArray[np.float64]:
        """Mel magnitudes (frames, bands) of (frames, bins)."""
        sums = np.zeros((2, len(magnitude), len(self.hz) + 1))
        np.cumsum(magnitude, axis=1, out=sums[0, :, 1:])
        np.cumsum(magnitude * self.hz, axis=1, out=sums[1, :, 1:])
        whole, moment = np.diff(sums[:, :, self.first], axis=2)
        rising = (moment - self.edges[:-1] * whole) / np.diff(self.edges)
        return np.asarray((rising[:, :-1] + (whole - rising)[:, 1:])[:, self.bands])


@lru_cache(maxsize=len(WINDOWS))
def _mel(window: int) -> _Mel:
    top = 2595.0 * np.log10(1.0 + RATE_HZ / 2 / 700.0)
    edges = 700.0 * (10.0 ** (np.linspace(0.0, top, BANDS + 2) / 2595.0) - 1.0)
    hz = np.linspace(0.0, RATE_HZ / 2, window // 2 + 1)
    # A bin on an outer edge weighs nothing; rounding must not make a band of it.
    inside = (hz[:, None] > edges[:-2] + 1e-6) & (hz[:, None] < edges[2:] - 1e-6)
    return _Mel(hz, edges, np.searchsorted(hz, edges), np.flatnonzero(inside.any(axis=0)))
