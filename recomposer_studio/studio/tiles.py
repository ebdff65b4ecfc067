"""The recording as a picture in memory: dB tiles with a pyramid of maxima, and the extremes of the samples.

One column covers 10 ms (longer in recordings over an hour, so that memory stays bounded), one row a step on the mel
axis; a byte holds 0.47 dB. A level of the pyramid keeps the largest value of four columns of the level below, so that a
click is seen in an hour of silence.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import hz_from_mel, mel_from_hz
from recomposer_studio.audio.overview import Reader
from recomposer_studio.studio.scale import FrequencyScale

ROWS = 320
TILE = 1024
"""Columns in a tile."""
FACTOR = 4
"""Columns of one level that make one of the next."""
PEAKS = 8
"""Pairs of extremes in a column."""
FLOOR_DB = -120.0
HOP_S = 0.01
MOST_COLUMNS = 400_000

Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Grid:
    """Where the columns of a picture lie.

    Attributes:
        rate_hz: sample rate.
        frames: length of the recording.
        peak: samples in a pair of extremes.
        size: samples in an analysis window.
    """

    rate_hz: int
    frames: int
    peak: int
    size: int

    @staticmethod
    def of(rate_hz: int, frames: int, size: int = 0, hop_s: float = 0.0) -> "Grid":
        """The grid for a recording.

        Args:
            rate_hz: sample rate.
            frames: length of the recording.
            size: samples in an analysis window; 0 for the power of two closest to 45 ms.
            hop_s: seconds between columns, 0 for `HOP_S`; more in recordings that would have over `MOST_COLUMNS`.
        """
        peak = max(round(rate_hz * (hop_s or HOP_S) / PEAKS), math.ceil(frames / MOST_COLUMNS / PEAKS), 1)
        return Grid(rate_hz, frames, peak, size or 1 << max(5, round(math.log2(0.045 * rate_hz))))

    @property
    def hop(self) -> int:
        """Samples in a column."""
        return self.peak * PEAKS

    @property
    def columns(self) -> int:
        """Columns of the finest level."""
        return -(-self.frames // self.hop)

    @property
    def levels(self) -> int:
        """Levels of the pyramid; the coarsest fits into one tile."""
        return 1 + max(0, math.ceil(math.log(max(self.columns / TILE, 1.0), FACTOR)))

    def count(self, level: int) -> int:
        """Columns of a level."""
        return -(-self.columns // FACTOR**level)


@dataclass(frozen=True)
class Picture:
    """Tiles and sample extremes, filled from the left by `analyse`.

    Attributes:
        grid: where the columns lie.
        tiles: by level and number, (TILE, ROWS) bytes; dark until analysed.
        low: by level, least sample of every `peak` samples (times FACTOR at each level).
        high: by level, greatest sample likewise.
    """

    grid: Grid
    tiles: list[list[Bytes]] = field(repr=False)
    low: list[NDArray[np.float32]] = field(repr=False)
    high: list[NDArray[np.float32]] = field(repr=False)

    @staticmethod
    def empty(grid: Grid) -> "Picture":
        """A dark picture; its tiles share one dark array until they are filled."""
        dark = np.zeros((TILE, ROWS), np.uint8)
        dark.flags.writeable = False
        counts = [grid.count(level) for level in range(grid.levels)]
        pairs = [-(-grid.frames // (grid.peak * FACTOR**level)) for level in range(grid.levels + 1)]
        return Picture(
            grid,
            [[dark] * -(-count // TILE) for count in counts],
            [np.zeros(count, np.float32) for count in pairs],
            [np.zeros(count, np.float32) for count in pairs],
        )

    def branch(self) -> "Picture":
        """A picture that shares all tiles and replaces its own ones, for a take."""
        return Picture(
            self.grid,
            [list(level) for level in self.tiles],
            [low.copy() for low in self.low],
            [high.copy() for high in self.high],
        )

    def columns(self, level: int, first: int, stop: int) -> Bytes:
        """(stop - first, ROWS) columns of a level; the interval must lie within it."""
        pieces = []
        for number in range(first // TILE, -(-stop // TILE)):
            start = number * TILE
            pieces.append(self.tiles[level][number][max(first - start, 0) : stop - start])
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def store(self, first: int, columns: Bytes, low: NDArray[np.float32], high: NDArray[np.float32]) -> None:
        """Puts analysed columns of the finest level in place and brings the coarser levels up to date.

        A tile is replaced, never written into: the screen may be reading it.
        """
        stop = first + len(columns)
        self._put(0, first, columns)
        pair = first * PEAKS
        self.low[0][pair : pair + len(low)], self.high[0][pair : pair + len(high)] = low, high
        last = pair + len(low)
        for level in range(1, self.grid.levels):
            first, stop = first // FACTOR, -(-stop // FACTOR)
            left, right = first * FACTOR, min(stop * FACTOR, self.grid.count(level - 1))
            starts = np.arange(0, right - left, FACTOR)
            self._put(level, first, np.maximum.reduceat(self.columns(level - 1, left, right), starts, axis=0))
        for level in range(1, len(self.low)):
            pair, last = pair // FACTOR, -(-last // FACTOR)
            below = slice(pair * FACTOR, last * FACTOR)
            starts = np.arange(0, len(self.low[level - 1][below]), FACTOR)
            self.low[level][pair:last] = np.minimum.reduceat(self.low[level - 1][below], starts)
            self.high[level][pair:last] = np.maximum.reduceat(self.high[level - 1][below], starts)

    def _put(self, level: int, first: int, columns: Bytes) -> None:
        stop = first + len(columns)
        for number in range(first // TILE, -(-stop // TILE)):
            start = number * TILE
            tile = self.tiles[level][number].copy()
            left, right = max(first, start), min(stop, start + TILE)
            tile[left - start : right - start] = columns[left - first : right - first]
            tile.flags.writeable = False
            self.tiles[level][number] = tile

    def render(self, start_s: float, span_s: float, width: int, height: int, scale: FrequencyScale) -> Bytes:
        """(height, width) bytes of a stretch, top row first, dark beyond the end of the recording.

        A pixel shows the largest of its columns, or blends two where columns are wider than pixels.
        """
        per_s = self.grid.rate_hz / self.grid.hop
        level = _level_for(span_s * per_s / width, self.grid.levels)
        per_s /= FACTOR**level
        count = self.grid.count(level)
        edges = (start_s + np.arange(width + 1) * (span_s / width)) * per_s
        if span_s * per_s >= width:
            starts = np.clip(np.floor(edges[:-1]).astype(np.intp), 0, count - 1)
            first, stop = int(starts[0]), min(math.ceil(edges[-1]), count)
            across = _largest(self.columns(level, first, max(stop, first + 1)), starts - first)
        else:
            middles = np.clip((edges[:-1] + edges[1:]) / 2 - 0.5, 0, count - 1)
            below = np.floor(middles).astype(np.intp)
            first = int(below[0])
            block = self.columns(level, first, min(int(below[-1]) + 2, count))
            above = np.minimum(below + 1, first + len(block) - 1)
            across = _blend(block[below - first], block[above - first], (middles - below)[:, None])
        shown = np.ascontiguousarray(across.T)
        rows = np.clip(mel_row(self.grid.rate_hz, scale.hz(1.0 - (np.arange(height) + 0.5) / height)), 0, ROWS - 1)
        below = np.floor(rows).astype(np.intp)
        out = _blend(shown[below], shown[np.minimum(below + 1, ROWS - 1)], (rows - below)[:, None])
        out[:, edges[:-1] >= count] = 0
        return out

    def peaks(self, start_s: float, span_s: float, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Least and greatest sample of every pixel of a stretch, each (width,); pixels of `peak` samples or more."""
        per_s = self.grid.rate_hz / self.grid.peak
        level = _level_for(span_s * per_s / width, len(self.low))
        per_s /= FACTOR**level
        count = len(self.low[level])
        starts = np.clip(
            np.floor((start_s + np.arange(width) * (span_s / width)) * per_s).astype(np.intp), 0, count - 1
        )
        first, stop = int(starts[0]), min(max(math.ceil((start_s + span_s) * per_s), int(starts[-1]) + 1), count)
        return (
            np.minimum.reduceat(self.low[level][first:stop], starts - first),
            np.maximum.reduceat(self.high[level][first:stop], starts - first),
        )

    @property
    def loudest_db(self) -> float:
        """The level of the brightest point, in steps of ten dB upwards."""
        highest = max(int(tile.max()) for tile in self.tiles[-1])
        return 10.0 * math.ceil((FLOOR_DB + highest / 255 * -FLOOR_DB) / 10.0)


def _level_for(units_per_pixel: float, levels: int) -> int:
    """The coarsest level of a pyramid that still has a value for every pixel."""
    return max(0, min(levels - 1, math.floor(math.log(max(units_per_pixel, 1.0), FACTOR) + 1e-9)))


def _largest(columns: Bytes, starts: NDArray[np.intp]) -> Bytes:
    """The largest of every run of columns; a few gathers are quicker than `reduceat` over short runs."""
    last = np.maximum(np.append(starts[1:], len(columns)) - 1, starts)
    out = columns[starts]
    for step in range(1, int((last - starts).max()) + 1):
        np.maximum(out, columns[np.minimum(starts + step, last)], out=out)
    return out


def _blend(a: Bytes, b: Bytes, share: NDArray[np.float64]) -> Bytes:
    """Between two bytes in 1/256 steps; integers keep it quick enough to scroll."""
    weight = np.round(share * 256).astype(np.uint16)
    return ((a * (256 - weight) + b * weight) >> 8).astype(np.uint8)


def mel_row(rate_hz: int, hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The row of a frequency, from below; row k is centred on (k + 0.5) / ROWS of the mel axis."""
    return mel_from_hz(hz) / float(mel_from_hz(rate_hz / 2)) * ROWS - 0.5


class _Rows:
    """Which bins of a spectrum make a row: the largest of those inside, or a blend of two where none is."""

    def __init__(self, rate_hz: int, size: int) -> None:
        top = float(mel_from_hz(rate_hz / 2))
        edges = hz_from_mel(np.arange(ROWS + 1) / ROWS * top) * size / rate_hz
        bins = size // 2 + 1
        starts = np.clip(np.ceil(edges[:-1] - 1e-9), 0, bins - 1).astype(np.intp)
        stops = np.clip(np.ceil(edges[1:] - 1e-9), 0, bins).astype(np.intp)
        middle = np.clip((edges[:-1] + edges[1:]) / 2, 0, bins - 1)
        self._below = np.minimum(np.floor(middle), bins - 2).astype(np.intp)
        self._weight = (middle - self._below).astype(np.float32)
        # Rows grow wider with frequency: from the first one with a bin of its own on, all have one.
        empty = np.flatnonzero(stops <= starts)
        self._from = int(empty[-1]) + 1 if len(empty) else 0
        self._starts = starts[self._from :]

    def pool(self, power: NDArray[np.float32]) -> NDArray[np.float32]:
        """(columns, bins) -> (columns, ROWS)."""
        below = self._below[: self._from]
        weight = self._weight[: self._from]
        blended = power[:, below] * (1 - weight) + power[:, below + 1] * weight
        if len(self._starts) == 0:
            return blended
        return np.concatenate([blended, np.maximum.reduceat(power, self._starts, axis=1)], axis=1)


def analyse(
    reader: Reader,
    picture: Picture,
    spans: list[tuple[int, int]] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[float]:
    """Fills a picture tile by tile.

    Args:
        reader: the recording or a take.
        picture: what to fill.
        spans: sample intervals that differ from what is there, None for everything.
        cancelled: polled between pieces of a tile.

    Yields:
        The share that is done, after every tile.
    """
    grid = picture.grid
    rows = _Rows(grid.rate_hz, grid.size)
    window = np.hanning(grid.size + 1)[:-1].astype(np.float32)
    window *= 2.0 / window.sum()  # |X|^2 of a sine at full scale is 1
    wanted = [
        (max((start - grid.size) // grid.hop, 0), min(-(-(stop + grid.size) // grid.hop), grid.columns))
        for start, stop in ([(0, grid.frames)] if spans is None else spans)
    ]
    total, done = sum(stop - first for first, stop in wanted), 0
    batch = max(16, 2**18 // grid.size)
    for first, stop in wanted:
        for left in range(first, stop, TILE):
            right = min(left + TILE, stop)
            parts = []
            for start in range(left, right, batch):
                if cancelled():
                    return
                parts.append(_columns(reader, grid, rows, window, start, min(start + batch, right)))
            picture.store(left, *(np.concatenate(pieces) for pieces in zip(*parts, strict=True)))
            done += right - left
            yield done / total


def _columns(
    reader: Reader, grid: Grid, rows: _Rows, window: NDArray[np.float32], first: int, stop: int
) -> tuple[Bytes, NDArray[np.float32], NDArray[np.float32]]:
    """Columns [first, stop): bytes (n, ROWS), least and greatest sample of each."""
    hop, size = grid.hop, grid.size
    start = first * hop + hop // 2 - size // 2
    length = (stop - first - 1) * hop + size
    inside = max(start, 0), min(max(start + length, stop * hop), grid.frames)
    samples = reader.read(*inside).astype(np.float32)
    padded = np.zeros((len(samples), max(length, stop * hop - start)), np.float32)
    padded[:, inside[0] - start : inside[1] - start] = samples
    power = np.zeros((stop - first, size // 2 + 1), np.float32)
    for channel in padded:
        cut = np.lib.stride_tricks.sliding_window_view(channel, size)[: length - size + 1 : hop]
        spectrum = np.fft.rfft(cut * window)
        power += (spectrum.real**2 + spectrum.imag**2) / len(padded)
    decibels = 10.0 * np.log10(np.maximum(rows.pool(power), 1e-12))
    level = np.clip(np.round((decibels - FLOOR_DB) * (255.0 / -FLOOR_DB)), 0, 255).astype(np.uint8)
    own = samples[:, first * hop - inside[0] : min(stop * hop, grid.frames) - inside[0]]
    starts = np.arange(0, own.shape[1], grid.peak)
    low = np.minimum.reduceat(own.min(axis=0), starts).astype(np.float32)
    high = np.maximum.reduceat(own.max(axis=0), starts).astype(np.float32)
    return level, low, high
