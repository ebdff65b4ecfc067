"""The events of a roll as arrays, so that finding and placing those on the screen does not go through all of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.roll.event import Action, Event

_Floats = NDArray[np.float64]
ACTIONS = tuple(Action)


class BoxIndex:
    """Edges and looks of events.

    Args:
        events: the events.

    Attributes:
        events: the same.
        starts: start of each in seconds.
        ends: end of each in seconds.
        lows: lower limit of each in Hz, NaN without one.
        highs: upper limit of each in Hz, NaN without one.
        looks: number of the action in `ACTIONS`, -1 where it is muted.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        values = [
            (e.start_s, e.end_s, np.nan if e.low_hz is None else e.low_hz, np.nan if e.high_hz is None else e.high_hz)
            for e in events
        ]
        self.starts, self.ends, self.lows, self.highs = np.array(values).reshape(-1, 4).T
        self.looks = np.array([-1 if e.muted else ACTIONS.index(e.action) for e in events], np.intp)

    def inside(self, start_s: float, end_s: float) -> NDArray[np.intp]:
        """Numbers of the events that touch an interval."""
        return np.flatnonzero((self.starts < end_s) & (self.ends > start_s))
