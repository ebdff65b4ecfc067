"""A recording boiled down to the pixels of a picture, in memory that does not grow with its length."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.axes import FrequencyAxis

BATCH_POINTS = 2**19
"""Points transformed at once: 256 windows at 48 kHz, fewer and longer ones at higher rates."""


class Reader(Protocol):
    """Something whose samples can be read piecewise: a `Source`, or a take."""

    @property
    def rate_hz(self) -> int:
        """Sample rate."""

    @property
    def frames(self) -> int:
        """Length in frames."""

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Frames `start` to `stop` as (channels, n), full scale 1.0."""


@dataclass(frozen=True)
class Overview:
    """The columns of a picture.

    Attributes:
        power: (rows, columns) largest power within each pixel, mean of the channels; a sine at full scale has 1.
        low: (columns,) least sample of all channels.
        high: (columns,) greatest sample of all channels.
    """

    power: NDArray[np.float32]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def overview(reader: Reader, start_s: float, end_s: float, columns: int, axis: FrequencyAxis) -> Overview:
    """Spectrogram and waveform of an interval, as many columns wide as asked for.

    A window of about 45 ms moves by half its length, or from column to column where those lie closer; a column shows
    the largest power of its windows, so that a click is seen in an hour of silence.

    Args:
        reader: the recording; nothing sounds beyond its end.
        start_s: start of the interval in seconds.
        end_s: end of the interval in seconds.
        columns: width in pixels.
        axis: frequency axis, which also tells the height.
    """
    rate = reader.rate_hz
    size = 1 << max(4, round(np.log2(0.045 * rate)))
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    window *= 2.0 / window.sum()  # |X|^2 of a sine at full scale is 1
    per_column = (end_s - start_s) * rate / columns
    windows = max(1, int(np.ceil(per_column / (size // 2))))
    rows = _Rows(axis, rate, size)
    power = np.zeros((axis.pixels, columns), np.float32)
    wave = _Wave(start_s * rate, per_column, columns)
    batch = max(1, BATCH_POINTS // size)
    for first in range(0, columns * windows, batch):
        index = np.arange(first, min(first + batch, columns * windows))
        centres = np.round(start_s * rate + (index + 0.5) / windows * per_column).astype(np.int64)
        lowest = int(centres[0]) - size // 2
        samples = _read_padded(reader, lowest, int(centres[-1]) + size // 2)
        wave.add(samples, lowest, reader.frames)
        spectral = np.zeros((len(index), size // 2 + 1), np.float32)
        for channel in samples.astype(np.float32):
            cut = np.lib.stride_tricks.sliding_window_view(channel, size)[centres - centres[0]]
            spectrum = np.fft.rfft(cut * window)
            spectral += (spectrum.real**2 + spectrum.imag**2) / len(samples)
        column, starts = np.unique(index // windows, return_index=True)
        largest = rows.pool(np.maximum.reduceat(spectral, starts, axis=0))
        power[:, column] = np.maximum(power[:, column], largest)
    low, high = wave.filled()
    return Overview(power, low, high)


def _read_padded(reader: Reader, start: int, stop: int) -> NDArray[np.float64]:
    """Frames `start` to `stop`, with silence before the beginning and behind the end."""
    first = min(max(start, 0), reader.frames)
    last = min(max(stop, first), reader.frames)
    inside = reader.read(first, last)
    padded = np.zeros((inside.shape[0], stop - start))
    if last > first:
        padded[:, first - start : last - start] = inside
    return padded


class _Rows:
    """Which bins of a spectrum make a row of pixels: the largest of those inside, or a blend where none is."""

    def __init__(self, axis: FrequencyAxis, rate_hz: int, size: int) -> None:
        edges = axis.hz(np.arange(axis.pixels + 1, dtype=np.float64)) * size / rate_hz
        upper, lower = edges[:-1], edges[1:]
        bins = size // 2 + 1
        self._starts = np.clip(np.ceil(lower - 1e-9), 0, bins - 1).astype(np.intp)
        self._stops = np.clip(np.ceil(upper - 1e-9), 0, bins).astype(np.intp)
        middle = np.clip((upper + lower) / 2, 0, bins - 1)
        self._below = np.minimum(np.floor(middle), bins - 2).astype(np.intp)
        self._weight = (middle - self._below).astype(np.float32)
        self._pooled = self._stops > self._starts
        self._silent = lower > bins - 1

    def pool(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """(columns, bins) -> (rows, columns)."""
        below, weight = self._below, self._weight
        rows = (power[:, below] * (1 - weight) + power[:, below + 1] * weight).T
        for row in np.flatnonzero(self._pooled):
            rows[row] = power[:, self._starts[row] : self._stops[row]].max(axis=1)
        rows[self._silent] = 0
        return rows


class _Wave:
    """The extremes of the samples of each column, collected from overlapping pieces that follow each other."""

    def __init__(self, first: float, per_column: float, columns: int) -> None:
        self._edges = np.ceil(first + np.arange(columns + 1) * per_column - 1e-6).astype(np.int64)
        self._held = max(0, int(first))  # the sample that sounds when the picture begins
        self._low = np.full(columns, np.inf)
        self._high = np.full(columns, -np.inf)
        self._done = self._held
        self._before = 0.0, 0.0

    def add(self, samples: NDArray[np.float64], start: int, frames: int) -> None:
        """Take in the frames of `samples`, the first of which is frame `start`, that were not seen before."""
        stop = min(start + samples.shape[1], frames, int(self._edges[-1]))
        if stop <= self._done:
            return
        new = samples[:, self._done - start : stop - start]
        least, greatest = new.min(axis=0), new.max(axis=0)
        first, last = np.searchsorted(self._edges, (self._done, stop - 1), side="right") - 1
        if first < 0:  # the held sample lies before the first edge
            self._before = float(least[0]), float(greatest[0])
            if last < 0:
                self._done = stop
                return
        column = np.arange(max(first, 0), last + 1)
        column = column[self._edges[column + 1] > np.maximum(self._edges[column], self._done)]
        starts = np.maximum(self._edges[column], self._done) - self._done
        self._low[column] = np.minimum(self._low[column], np.minimum.reduceat(least, starts))
        self._high[column] = np.maximum(self._high[column], np.maximum.reduceat(greatest, starts))
        self._done = stop

    def filled(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The extremes; a column without a sample of its own shows the one that still sounds."""
        low, high = self._before
        for column in range(len(self._low)):
            if np.isinf(self._low[column]):
                beyond = self._edges[column] > self._done
                self._low[column], self._high[column] = (0.0, 0.0) if beyond else (low, high)
            low, high = self._low[column], self._high[column]
        return self._low, self._high
