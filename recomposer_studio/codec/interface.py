"""What the token decoder asks of a codec. A checkpoint names its codec; `build.py` makes it."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Codec(Protocol):
    """Sound as a grid of integers: a few levels of codes for every frame, coarse to fine.

    Frame `t` stands for the samples [t, t + 1) * `rate_hz` / `frame_rate_hz`. Both directions are functions of their
    arguments alone.
    """

    @property
    def rate_hz(self) -> int:
        """Sample rate of the waveforms."""

    @property
    def frame_rate_hz(self) -> int:
        """Token frames per second."""

    @property
    def levels(self) -> int:
        """Codebook levels of a frame; the first is the coarsest."""

    @property
    def codebook_size(self) -> int:
        """Codes on every level."""

    @property
    def silence(self) -> NDArray[np.int64]:
        """The codes of a silent frame, shape (levels,)."""

    def encode(self, wave: NDArray[np.floating]) -> NDArray[np.int64]:
        """Codes of a mono waveform: (samples,) to (levels, frames), frames = samples rounded up to whole frames."""

    def decode(self, tokens: NDArray[np.integer], seed: int = 0) -> NDArray[np.float32]:
        """A mono waveform: (k, frames), k at most `levels`, to (frames * rate_hz / frame_rate_hz,).

        Args:
            tokens: codes of the first k levels; fewer levels sound coarser.
            seed: chooses the noise in noisy sounds.
        """
