"""Where a recording stands out from its own background: stretches of energy with exact onsets, whatever the sound is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.tagging.front_end import FRAME, FRAMES_PER_S, LOG_OFFSET, RATE_HZ, LogMel

CENTRE_S = FRAME / RATE_HZ / 2
"""From a frame's first sample to its middle, which is where its energy is taken to lie."""


@dataclass(frozen=True)
class ActivityOptions:
    """How foreground is told from background; the defaults gave the best boxes on composed validation scenes.

    Attributes:
        smoothing_frames: power is averaged over so many frames of 10 ms.
        floor_s: the background of a band is its median power over so many seconds either way; what lasts longer is
            background itself.
        margin_db: so much above the background counts as nothing.
        on_db: `excess` at which a stretch is taken ...
        off_db: ... and the excess at which it begins and ends.
        gap_s: shorter pauses belong to the stretch.
        shortest_s: shorter stretches are left out.
        cap_db: excess of one band beyond this counts no more.
        hearing_db: what is quieter than a full-scale sine by this is inaudible, so a band's floor never lies lower.
    """

    smoothing_frames: int = 5
    floor_s: float = 15.0
    margin_db: float = 2.0
    on_db: float = 8.0
    off_db: float = 2.5
    gap_s: float = 0.15
    shortest_s: float = 0.06
    cap_db: float = 30.0
    hearing_db: float = -80.0


@dataclass(frozen=True)
class Stretch:
    """A stretch of foreground.

    Attributes:
        start_s: its onset.
        end_s: its end.
        excess_db: largest `excess` in it.
    """

    start_s: float
    end_s: float
    excess_db: float


_FULL_SCALE = 100.0  # magnitude of the strongest band for a full-scale sine: half the window's sum of 200
_FLOOR_SKIP = 4
_FLOOR_STEP = 100  # the floor is worked out every second; it moves slowly


def standing_out(frames: LogMel, options: ActivityOptions) -> NDArray[np.float64]:
    """(frames, bands) what stands out from the background of each band, in dB, 0 where nothing does."""
    power = np.square(np.maximum(np.exp(frames.astype(np.float64)) - LOG_OFFSET, 0.0))
    levels = 10.0 * np.log10(
        _averaged(power, options.smoothing_frames) + (_FULL_SCALE * 10 ** (options.hearing_db / 20)) ** 2
    )
    at = range(0, len(frames), _FLOOR_STEP)
    reach = round(options.floor_s * FRAMES_PER_S)
    # Every fourth frame tells as much: they overlap and are averaged. Medians along the last axis are several times as fast.
    few = np.ascontiguousarray(levels[::_FLOOR_SKIP].T)
    spans = [slice(max(0, i - reach) // _FLOOR_SKIP, -(-(i + reach) // _FLOOR_SKIP)) for i in at]
    floors = np.stack([np.median(few[:, span], axis=1) for span in spans])
    # Between two of them the nearer one holds: no drift of the floor is mistaken for a slow onset.
    nearest = np.minimum(np.arange(len(frames)) + _FLOOR_STEP // 2, len(frames) - 1) // _FLOOR_STEP
    above = levels - floors[np.minimum(nearest, len(at) - 1)] - options.margin_db
    return np.asarray(np.clip(above, 0.0, options.cap_db), np.float64)


def excess(frames: LogMel, options: ActivityOptions) -> NDArray[np.float64]:
    """(frames,) root mean square over the bands of what stands out from their background, in dB.

    The root mean square lets a few strong bands, a beep or a thump, count for more than many weak ones.
    """
    return np.asarray(np.sqrt(np.square(standing_out(frames, options)).mean(axis=1)), np.float64)


def stretches(frames: LogMel, start_s: float, options: ActivityOptions | None = None) -> list[Stretch]:
    """The foreground of a run of frames, in order and without overlaps.

    Args:
        frames: (n, 64) log-mel; a few seconds at least, for the background to be known.
        start_s: time of the first frame's first sample.
        options: what counts.
    """
    options = options or ActivityOptions()
    if not len(frames):
        return []
    above = excess(frames, options)
    found: list[Stretch] = []
    for first, stop in runs(above > options.off_db):
        strongest = float(above[first:stop].max())
        if strongest <= options.on_db:
            continue
        onset, end = (start_s + frame / FRAMES_PER_S + CENTRE_S for frame in (first, stop))
        if found and onset - found[-1].end_s <= options.gap_s:
            last = found.pop()
            onset, strongest = last.start_s, max(last.excess_db, strongest)
        found.append(Stretch(onset, end, strongest))
    return [stretch for stretch in found if stretch.end_s - stretch.start_s >= options.shortest_s]


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """The runs of true entries as half-open intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _averaged(values: NDArray[np.float64], frames: int) -> NDArray[np.float64]:
    """The mean over `frames` neighbours along the first axis; the ends repeat."""
    before = frames // 2
    padded = np.pad(values, ((before, frames - 1 - before), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, frames, axis=0)
    return np.asarray(windows.mean(axis=-1), np.float64)
