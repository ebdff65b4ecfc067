"""What can be listened to besides the recording: a take, what it changed, what one event removed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.project.take import Part, Take

_REMOVED = Part("removed")


@dataclass(frozen=True)
class _OfTake:
    """Something as long as a take's recording."""

    take: Take

    @property
    def rate_hz(self) -> int:
        """Sample rate."""
        return self.take.source.rate_hz

    @property
    def frames(self) -> int:
        """Length in frames."""
        return self.take.source.frames


@dataclass(frozen=True)
class TakeSound(_OfTake):
    """A take as something that is read from start to end like a recording."""

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Frames as (channels, n)."""
        return self.take.read(start, stop)


@dataclass(frozen=True)
class Difference(_OfTake):
    """What a take took away and added, as original minus take."""

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Frames as (channels, n); silence outside the edited regions."""
        return -self.take.change(start, stop)


@dataclass(frozen=True)
class Removed(_OfTake):
    """What one event took out of the recording, at its present amount, also while it is muted.

    Attributes:
        take: the take.
        event_id: an event that has a layer in it.
    """

    event_id: str

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Frames as (channels, n); silence outside the event's region."""
        layer = self.take.layer(self.event_id)
        out = np.zeros((self.take.source.channels, stop - start))
        first, last = max(start, layer.start), min(stop, layer.stop)
        if first < last:
            window = slice(first - layer.start, last - layer.start)
            out[:, first - start : last - start] = self.take.contribution(layer, window, _REMOVED)
        return out
