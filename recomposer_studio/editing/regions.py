"""Boxes, regions and windows: which samples an event may touch and which frames tell about it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import OVERLAP, BandGrid
from recomposer_studio.roll.event import Action, Event

_FloatArray = NDArray[np.float64]

CONTEXT_FRAMES = 120
"""Frames of surroundings on either side of a box that a separation sees: more than repair's context and a mask head's reach;
a listener would hear further (2.1 s)."""


@dataclass(frozen=True)
class Region:
    """The samples [start, stop) that an event may change: its box grown by the fade, cut at the ends of the file."""

    start: int
    stop: int

    @staticmethod
    def of(event: Event, rate_hz: int, frames: int, fade_s: float) -> "Region":
        """The region of an event in a file of `frames` samples."""
        start = int(np.floor((event.start_s - fade_s) * rate_hz))
        stop = int(np.ceil((event.end_s + fade_s) * rate_hz))
        return Region(max(0, start), min(frames, stop))

    def overlaps(self, other: "Region") -> bool:
        """Whether both hold a common sample."""
        return self.start < other.stop and other.start < self.stop


def fade_window(event: Event, region: Region, rate_hz: int, fade_s: float) -> _FloatArray:
    """One inside the box, a raised cosine down to zero over the fade on either side; shape (region samples,)."""
    t = np.arange(region.start, region.stop) / rate_hz
    if fade_s <= 0:
        return ((t >= event.start_s) & (t < event.end_s)).astype(np.float64)
    rise = (t - (event.start_s - fade_s)) / fade_s
    fall = ((event.end_s + fade_s) - t) / fade_s
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(np.minimum(rise, fall), 0.0, 1.0))


def active_frames(start_s: float, end_s: float, first_frame: int, frames: int, hop_s: float) -> NDArray[np.bool_]:
    """Frames whose share decides the samples of a box: its own and half a window on either side; shape (frames,)."""
    half_window_s = OVERLAP // 2 * hop_s
    times = (first_frame + np.arange(frames)) * hop_s
    # A millionth of a hop: the same frames at every rate although times are rounded.
    slack = 1e-6 * hop_s
    return (times > start_s - half_window_s - slack) & (times < end_s + half_window_s + slack)


@dataclass(frozen=True)
class Window:
    """The frames [first, first + frames) of the band grid that an event's separation reads."""

    first: int
    frames: int

    @staticmethod
    def around(event: Event, grid: BandGrid) -> "Window":
        """The box of an event with its surroundings."""
        first = int(np.floor(event.start_s / grid.hop_s)) - CONTEXT_FRAMES
        last = int(np.ceil(event.end_s / grid.hop_s)) + CONTEXT_FRAMES
        return Window(first, last - first + 1)


def groups(events: Iterable[Event], regions: dict[str, Region]) -> list[list[Event]]:
    """Events in runs whose regions overlap, directly or through others, in the order of time.

    A muted *keep* is in none: it protects nothing, and nothing of it is rendered that could be heard later.
    """
    events = (event for event in events if not (event.muted and event.action is Action.KEEP))
    runs: list[list[Event]] = []
    end = -1
    for event in sorted(events, key=lambda event: (regions[event.id].start, event.id)):
        if regions[event.id].start >= end:
            runs.append([])
        runs[-1].append(event)
        end = max(end, regions[event.id].stop)
    return runs


def company(group: Iterable[Event], regions: dict[str, Region], event: Event) -> tuple[Event, ...]:
    """The other events of a group, edited and kept, whose regions overlap an event's, in the order of their ids.

    The order of the roll must not matter to a result, so it is not used.
    """
    mine = regions[event.id]
    others = [other for other in group if other.id != event.id and regions[other.id].overlaps(mine)]
    return tuple(sorted(others, key=lambda other: other.id))
