"""Where the edges of boxes catch: on other boxes, the playhead, the selection, and the grid of the model's frames."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.studio.document import Document

GRID_S = 0.01
"""The frames of masks and detector lie this far apart, see `audio/bands.py`."""
REACH_PIXELS = 8.0


class Snap:
    """Draws times to what is near them; one for all views.

    Args:
        document: whose boxes and selection attract.

    Attributes:
        on: whether times are drawn at all; Alt turns it round for the moment.
        playhead_s: where the playhead is.
    """

    def __init__(self, document: Document) -> None:
        self._document = document
        self.on = True
        self.playhead_s = 0.0

    def edges(self, playhead_s: float, moving: Collection[str] = (), marking: bool = False) -> NDArray[np.float64]:
        """Times that attract, in seconds.

        Args:
            playhead_s: where the playhead was when the drag began: it follows the selection, and would hold it back.
            moving: ids of the events that are being changed, which do not attract themselves.
            marking: whether the selection is being changed, which does not attract itself either.
        """
        document = self._document
        times = [0.0, document.duration_s, playhead_s]
        if document.area is not None and not marking:
            times += [document.area.start_s, document.area.end_s]
        for event in document.roll.events:
            if event.id not in moving:
                times += [event.start_s, event.end_s]
        return np.array(times)

    def shift(self, times_s: Collection[float], reach_s: float, edges: NDArray[np.float64]) -> float:
        """How far the times have to move together so that one of them lies on an edge, or else the first on the grid.

        Args:
            times_s: start and end of what is moved, or the one edge.
            reach_s: an edge further away than this does not attract.
            edges: the times that attract.

        Returns:
            Seconds to the right.
        """
        gaps = (edges[:, None] - np.array(list(times_s))[None]).ravel()
        nearest = float(gaps[np.abs(gaps).argmin()])
        if abs(nearest) <= reach_s:
            return nearest
        first = next(iter(times_s))
        return round(first / GRID_S) * GRID_S - first
