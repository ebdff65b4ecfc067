"""Stand-ins for a frame tagger: one that hears loudness, and activity made by hand."""

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.tagging.front_end import LogMel
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, Sounding
from tests.tagging.tiny_yamnet import LoudTagger

EVENT_CLASSES = ("Bark", "Bell", "Dog", "Door", "Knock", "Speech", "Thump, thud")
SILENT = -8.0
DIMENSIONS = 3


def sounding(steps: int, *heard: tuple[str, int, int, float], anything: float | None = None) -> Sounding:
    """Activity with logits of -8, and each class at its own logit from one step to another.

    `anything` is the logit of any event where one of them sounds; None for the highest of them.
    """
    classes = np.full((steps, len(EVENT_CLASSES)), SILENT, np.float32)
    any_event, onset = np.full(steps, SILENT, np.float32), np.full(steps, SILENT, np.float32)
    for name, first, stop, logit in heard:
        column = classes[first:stop, EVENT_CLASSES.index(name)]
        column[:] = np.maximum(column, logit)
        any_event[first:stop] = np.maximum(any_event[first:stop], logit if anything is None else anything)
        onset[first] = logit
    return Sounding(classes, any_event, onset, np.zeros((steps, DIMENSIONS), np.float32))


def no_names(pooled: NDArray[np.float32]) -> NDArray[np.float32]:
    """Names that add nothing to the activity."""
    return np.zeros((len(pooled), len(EVENT_CLASSES)), np.float32)


class LoudFrameTagger(LoudTagger):
    """A frame tagger that hears one class in whatever is loud enough.

    Attributes:
        frames: how many frames it was given.
        longest: the most at once.
    """

    def __init__(self, name: str = "Dog", level: float = 0.0) -> None:
        super().__init__(name, level)
        self._name = name
        self._threshold = level
        self.frames = self.longest = 0

    @property
    def event_classes(self) -> tuple[str, ...]:
        return EVENT_CLASSES

    def sounding(self, frames: LogMel) -> Sounding:
        assert len(frames) % FRAMES_PER_STEP == 0
        self.frames += len(frames)
        self.longest = max(self.longest, len(frames))
        loud = frames[:, 10:30].mean(axis=1).reshape(-1, FRAMES_PER_STEP).max(axis=1)
        logits = np.asarray(4.0 * (loud - self._threshold), np.float32)
        classes = np.full((len(logits), len(EVENT_CLASSES)), SILENT, np.float32)
        classes[:, EVENT_CLASSES.index(self._name)] = logits
        return Sounding(classes, logits, logits, np.zeros((len(logits), DIMENSIONS), np.float32))

    def names(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        return no_names(pooled)
