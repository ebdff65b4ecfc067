"""A listening child for tests: the real loop around a fake tagger. Its argument says what to play."""

import sys
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.front_end import LogMel, Patches
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, Sounding, Tags
from recomposer_studio.worker import listener, serving


@dataclass
class PatchTagger:
    """Scores patches by their mean; a patch that holds a code does what the code says."""

    name: str = "fake"
    digest: str = "00"
    classes: tuple[str, ...] = ("Bark", "Beep, bleep")

    def tag(self, patches: Patches) -> Tags:
        """Two scores and three numbers a patch."""
        first = float(patches[0, 0, 0]) if len(patches) else 0.0
        if first == MEMORY:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 1")
        if first == STUCK:
            print("begun")
            threading.Event().wait()
        if first == NONSENSE:
            return Tags(np.zeros((len(patches), 7), np.float32), np.zeros((len(patches), 3), np.float32))
        means = patches.mean(axis=(1, 2), dtype=np.float32)
        return Tags(np.stack([means, 1 - means], axis=1), np.stack([means, means * 2, means * 3], axis=1))


@dataclass
class StepTagger(PatchTagger):
    """Likewise, and a tagger of frames."""

    event_classes: tuple[str, ...] = ("Bark",)

    def sounding(self, frames: LogMel) -> Sounding:
        """Sums of steps of frames."""
        steps = np.asarray(frames.reshape(-1, FRAMES_PER_STEP, frames.shape[1]).sum(axis=(1, 2)), np.float32)
        return Sounding(steps[:, None], steps * 2, steps * 3, np.repeat(steps[:, None], 3, axis=1))

    def names(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sums of what boxes sound like."""
        return np.asarray(pooled.sum(axis=1, keepdims=True), np.float32)


MEMORY, STUCK, NONSENSE = -1001.0, -1002.0, -1003.0


def main() -> None:
    """Plays the part that the argument names."""
    serving.BEAT_S = 0.05

    def load() -> PatchTagger:
        if sys.argv[1] == "refused":
            raise InputError("there is no such tagger; choose another")
        return StepTagger() if sys.argv[1] == "steps" else PatchTagger()

    listener.serve(load)


if __name__ == "__main__":
    main()
