"""What the token decoder asks of a codec. A checkpoint names its codec; `build.py` makes it."""

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


class Codec(Protocol):
    """Sound as a grid of integers: a few levels of codes for every frame, coarse to fine.

    Frame `t` stands for the samples [t, t + 1) * `hop`. Both directions are functions of their arguments alone.
    """

    @property
    def rate_hz(self) -> int:
        """Sample rate of the waveforms."""

    @property
    def hop(self) -> int:
        """Samples of a token frame."""

    @property
    def levels(self) -> int:
        """Codebook levels of a frame; the first is the coarsest."""

    @property
    def codebooks(self) -> "Tensor":
        """What the codes stand for, (levels, codes, n): a frame is the sum of its codes' vectors, and maybe a constant."""

    @property
    def silence(self) -> NDArray[np.int64]:
        """The codes of a silent frame, shape (levels,)."""

    def encode(self, wave: NDArray[np.floating]) -> NDArray[np.int64]:
        """Codes of a mono waveform: (samples,) to (levels, frames), frames = samples rounded up to whole frames."""

    def decode(self, tokens: NDArray[np.integer], seed: int = 0) -> NDArray[np.float32]:
        """A mono waveform: (k, frames), k at most `levels`, to (frames * hop,).

        Args:
            tokens: codes of the first k levels; fewer levels sound coarser.
            seed: chooses the noise in noisy sounds.
        """
