"""The band grid: one time-frequency grid for masks at every sample rate.

Frames lie at absolute multiples of a 10 ms hop, so a result never depends on where a window began. 64 triangular HTK-mel bands span
0-16 kHz; 40 ms windows put bins 25 Hz apart at every rate, so a band means the same thing at 8 kHz and at 192 kHz.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

BANDS = 64
TOP_HZ = 16_000.0
FRAMES_PER_S = 100
OVERLAP = 4

_FloatArray = NDArray[np.float64]
_ComplexArray = NDArray[np.complex128]


def mel_from_hz(hz: _FloatArray | float) -> _FloatArray:
    """HTK mel of a frequency in Hz: 2595 log10(1 + f / 700)."""
    return 2595.0 * np.log10(1.0 + np.asarray(hz, np.float64) / 700.0)


def hz_from_mel(mel: _FloatArray | float) -> _FloatArray:
    """Inverse of `mel_from_hz`."""
    return 700.0 * (10.0 ** (np.asarray(mel, np.float64) / 2595.0) - 1.0)


def band_centres_hz() -> _FloatArray:
    """Centre of every band in Hz, shape (64,)."""
    return hz_from_mel(np.linspace(0.0, float(mel_from_hz(TOP_HZ)), BANDS + 2))[1:-1]


@dataclass(frozen=True)
class BandGrid:
    """The grid at one sample rate. `BandGrid.at(rate_hz)` returns a shared instance."""

    rate_hz: int

    @staticmethod
    @lru_cache(maxsize=16)
    def at(rate_hz: int) -> "BandGrid":
        """The grid for a rate in Hz."""
        return BandGrid(rate_hz)

    @property
    def hop(self) -> int:
        """Samples from frame to frame (10 ms, rounded to whole samples)."""
        return max(1, round(self.rate_hz / FRAMES_PER_S))

    @property
    def n_fft(self) -> int:
        """Samples in a window, centred on its frame."""
        return OVERLAP * self.hop

    @property
    def hop_s(self) -> float:
        """Seconds from frame to frame."""
        return self.hop / self.rate_hz

    @cached_property
    def window(self) -> _FloatArray:
        """Periodic Hann, shape (n_fft,); used for analysis and synthesis."""
        return np.asarray(0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(self.n_fft) / self.n_fft), np.float64)

    @cached_property
    def frequencies_hz(self) -> _FloatArray:
        """Frequency of every bin, shape (bins,)."""
        return np.asarray(np.arange(self.n_fft // 2 + 1) * (self.rate_hz / self.n_fft), np.float64)

    @cached_property
    def _neighbours(self) -> tuple[NDArray[np.intp], _FloatArray]:
        """For every bin the upper of its two neighbouring bands and that band's weight; outer bands hold beyond their centres."""
        centres = band_centres_hz()
        f = np.clip(self.frequencies_hz, centres[0], centres[-1])
        upper = np.clip(np.searchsorted(centres, f, side="right"), 1, BANDS - 1)
        return upper, (f - centres[upper - 1]) / (centres[upper] - centres[upper - 1])

    @cached_property
    def _gather(self) -> tuple[tuple[int, int, _FloatArray], ...]:
        """For every band the bins it reads, as (first, last + 1, weights); none above 16 kHz."""
        upper, share = self._neighbours
        weights = np.zeros((len(share), BANDS))
        weights[np.arange(len(share)), upper - 1] = 1.0 - share
        weights[np.arange(len(share)), upper] = share
        weights[self.frequencies_hz > TOP_HZ] = 0.0
        parts = []
        for band in range(BANDS):
            bins = np.flatnonzero(weights[:, band])
            first, stop = (int(bins[0]), int(bins[-1]) + 1) if len(bins) else (0, 0)
            parts.append((first, stop, weights[first:stop, band]))
        return tuple(parts)

    def span(self, first_frame: int, frames: int) -> tuple[int, int]:
        """Samples [start, stop) that the windows of a run of frames touch; start may be negative."""
        half = self.n_fft // 2
        return first_frame * self.hop - half, (first_frame + frames - 1) * self.hop + half

    def frame_times_s(self, first_frame: int, frames: int) -> _FloatArray:
        """Centre of every frame in seconds."""
        return np.asarray((first_frame + np.arange(frames)) * self.hop_s, np.float64)

    def stft(self, samples: _FloatArray) -> _ComplexArray:
        """Spectrum of the samples of `span`: (..., n) to (..., frames, bins), a full-scale sine having magnitude 1."""
        windows = np.lib.stride_tricks.sliding_window_view(samples, self.n_fft, axis=-1)[..., :: self.hop, :]
        return np.fft.rfft(windows * self.window, axis=-1) * (2.0 / self.window.sum())

    def istft(self, spectrum: _ComplexArray) -> _FloatArray:
        """Samples of `span` from (..., frames, bins), by weighted overlap-add.

        Exact for an unchanged spectrum wherever four windows overlap (1.5 hops inside the span's ends).
        """
        pieces = np.fft.irfft(spectrum, n=self.n_fft, axis=-1) * self.window * (self.window.sum() / 2.0 / 1.5)
        frames = spectrum.shape[-2]
        out = np.zeros((*spectrum.shape[:-2], frames + OVERLAP - 1, self.hop))
        for part in range(OVERLAP):
            out[..., part : part + frames, :] += pieces[..., part * self.hop : (part + 1) * self.hop]
        return out.reshape(*spectrum.shape[:-2], -1)

    def power(self, spectrum: _ComplexArray) -> _FloatArray:
        """Band power (..., bands, frames) of a spectrum (..., frames, bins)."""
        energy = spectrum.real**2 + spectrum.imag**2
        bands = [np.einsum("...b,b->...", energy[..., a:b], weights) for a, b, weights in self._gather]
        return np.stack(bands, axis=-2)

    def to_bins(self, band_values: _FloatArray) -> _FloatArray:
        """Values per band (..., bands, frames) as a smooth curve over bins (..., frames, bins)."""
        # Two neighbours a bin: indexing is exact and, unlike a matrix product, the same for any number of threads.
        upper, share = self._neighbours
        values = np.moveaxis(band_values, -2, -1)
        return values[..., upper - 1] * (1.0 - share) + values[..., upper] * share
