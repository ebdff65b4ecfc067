"""A sound card that asks for frames only when a test tells it to."""

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.studio.mixer import Mixer
from recomposer_studio.studio.output import Wanted


class HandOutput:
    """Stands for a stream; `pull` is the callback."""

    def __init__(self, out_hz: int | None = None) -> None:
        self.name, self.rate_hz, self.channels, self.latency_s = "by hand", out_hz or 0, 2, 0.0
        self._wanted_hz = out_hz
        self._beats = 0
        self.wanted: list[Wanted] = []
        self.mixer: Mixer | None = None
        self.closed = False

    def open(self, wanted: Wanted) -> tuple["HandOutput", str]:
        """What a player calls to get a stream."""
        self.wanted.append(wanted)
        self.rate_hz = self._wanted_hz or wanted.rate_hz
        self.closed = False
        return self, ""

    def start(self, mixer: Mixer) -> None:
        """Remembers whom to ask."""
        self.mixer = mixer

    def close(self) -> None:
        """Forgets."""
        self.closed, self.mixer = True, None

    def failure(self) -> str:
        """Nothing goes wrong here."""
        return ""

    def beats(self) -> int:
        """A test asks for frames as slowly as it likes and is not taken for a lost device."""
        self._beats += 1
        return self._beats

    def pull(self, frames: int, piece: int = 512) -> NDArray[np.float32]:
        """The next frames, (frames, 2), asked for in pieces as a sound card does."""
        assert self.mixer is not None
        out = np.full((frames, 2), np.nan, np.float32)
        for start in range(0, frames, piece):
            self.mixer.fill(out[start : start + piece])
        return out
