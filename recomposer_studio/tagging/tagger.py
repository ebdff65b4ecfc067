"""What every tagger is to the rest of the program, whichever network it runs."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.tagging.front_end import Patches


@dataclass(frozen=True)
class Tags:
    """What a tagger says of patches.

    Attributes:
        scores: (n, classes) float32 from 0 to 1, each class for itself.
        embeddings: (n, dimensions) float32; near one another for patches that sound alike.
    """

    scores: NDArray[np.float32]
    embeddings: NDArray[np.float32]


class Tagger(Protocol):
    """Scores patches of YAMNet's log-mel (see `front_end`) for sound classes."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of its weights in hexadecimal: results of one digest are comparable."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Display names of the classes, in the order of the scores."""
        ...

    def tag(self, patches: Patches) -> Tags:
        """Scores and embeddings of (n, 96, 64) patches; any n, also 0."""
        ...
