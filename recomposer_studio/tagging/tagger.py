"""What every tagger is to the rest of the program, whichever network it runs."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.tagging.front_end import FRAMES_PER_S, LogMel, Patches

FRAMES_PER_STEP = 4
"""Log-mel frames in a step of a `FrameTagger`."""
STEPS_PER_S = FRAMES_PER_S / FRAMES_PER_STEP


@dataclass(frozen=True)
class Tags:
    """What a tagger says of patches.

    Attributes:
        scores: (n, classes) float32 from 0 to 1, each class for itself.
        embeddings: (n, dimensions) float32; near one another for patches that sound alike.
    """

    scores: NDArray[np.float32]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True)
class Sounding:
    """What sounds in a run of steps of 40 ms.

    Attributes:
        classes: (steps, classes) float32 logits: the chance that a class sounds is their sigmoid, and of one event's mean
            logits, with `FrameTagger.names` added, the softmax tells how likely each class is its name.
        any_event: (steps,) logits of any event, whichever its class.
        onset: (steps,) logits of an event's onset.
        features: (steps, dimensions) float32 what each step sounds like, of which `FrameTagger.names` is asked.
    """

    classes: NDArray[np.float32]
    any_event: NDArray[np.float32]
    onset: NDArray[np.float32]
    features: NDArray[np.float32]


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


@runtime_checkable
class FrameTagger(Tagger, Protocol):
    """A tagger that also tells when each class sounds, not in which patch alone."""

    @property
    def event_classes(self) -> tuple[str, ...]:
        """Display names of the classes that `sounding` tells of."""
        ...

    def sounding(self, frames: LogMel) -> Sounding:
        """What sounds in (n, 64) frames, n a multiple of 4; trained on about ten seconds at once."""
        ...

    def names(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """What (n, 2 dimensions) `pooled` boxes may be called: (n, classes) logits, to be added to the mean logits in them."""
        ...


def pooled(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """The features of a box, (steps, dimensions), as one row: their means, then their maxima."""
    return np.concatenate([features.mean(axis=0), features.max(axis=0)])
