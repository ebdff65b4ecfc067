"""From the numbers that the sound card's thread leaves behind to what a meter shows."""

import math
from collections import deque
from dataclasses import dataclass

from recomposer_studio.studio.mixer import Mixer

SHORT_TERM_S = 0.4
"""The mean is taken over this time, like a momentary loudness."""
FLOOR_DB = -90.0


@dataclass(frozen=True)
class Levels:
    """What a meter shows, per channel of the output, in dB relative to full scale, at least `FLOOR_DB`.

    Attributes:
        peak_db: largest sample since the last reading.
        mean_db: root of the mean square over the last `SHORT_TERM_S`.
        clipped: whether a sample passed full scale since the last reading.
    """

    peak_db: tuple[float, ...] = ()
    mean_db: tuple[float, ...] = ()
    clipped: bool = False


def decibel(power: float) -> float:
    """A mean square in dB, at least `FLOOR_DB`."""
    return max(FLOOR_DB, 10.0 * math.log10(power)) if power > 0.0 else FLOOR_DB


class Metering:
    """Reads one mixer; the callback only adds to sums, and what happened between two readings is their difference.

    Args:
        mixer: what is read.
        rate_hz: its rate.
    """

    def __init__(self, mixer: Mixer, rate_hz: int) -> None:
        self._mixer, self._window = mixer, round(SHORT_TERM_S * rate_hz)
        self._clips = mixer.clips
        self._past = deque([(mixer.counted, mixer.energy.copy())])

    def read(self) -> Levels:
        """The levels since the last reading."""
        mixer = self._mixer
        peaks = mixer.peaks.copy()
        mixer.peaks[:] = 0.0
        energy, counted = mixer.energy.copy(), mixer.counted
        self._past.append((counted, energy))
        # The newest reading that is a whole window old stays the first one.
        while len(self._past) > 1 and counted - self._past[1][0] >= self._window:
            self._past.popleft()
        first, before = self._past[0]
        frames = counted - first
        means = (energy - before) / frames if frames else energy * 0.0
        clips, self._clips = self._clips, mixer.clips
        return Levels(
            tuple(decibel(float(peak) ** 2) for peak in peaks),
            tuple(decibel(float(mean)) for mean in means),
            self._clips > clips,
        )
