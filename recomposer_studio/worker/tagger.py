"""The `Tagger` that a child process answers: ONNX Runtime never comes into the window's process."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.tagging.front_end import FRAMES_PER_S, PATCH_FRAMES, LogMel, Patches
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, Sounding, Tagger, Tags
from recomposer_studio.worker.frames import Frame
from recomposer_studio.worker.messages import TaggerFacts, names_frame, read_tagger_greeting, sounding_frame, tag_frame
from recomposer_studio.worker.remote import PATIENCE, Patience, Remote, never, python

COMMAND = python("recomposer_studio.worker.listener")
"""What runs the child; one argument follows, the tagger's name. A frozen application gives its own command, which calls
`listener.main`."""

_AT_ONCE = 64
"""Patches in a request: 1.6 MB."""
_TOO_LARGE = "this stretch is too long for the detector"


class RemoteTagger(Remote[TaggerFacts]):
    """A tagger in a child process, see `Remote`. `ears` gives it the form of a `Tagger` for one piece of work."""

    WHO = "detector"
    INSTEAD = ""
    EXCHANGED = "the detector was exchanged while it was in use; detect again"

    @classmethod
    def start(
        cls,
        name: str,
        *,
        cancelled: Callable[[], bool] = never,
        patience: Patience = PATIENCE,
        command: Sequence[str] = COMMAND,
    ) -> Self:
        """Starts a child, returns when it has loaded the tagger.

        Args:
            name: the tagger, see `tagging.choice`.
            cancelled: polled while waiting.
            patience: how long the child may take.
            command: what runs the child; the name is appended.

        Raises:
            InputError: the tagger is not installed or cannot be loaded.
            WorkerLost: the child could not start, or did not in time.
            Cancelled: `cancelled()` returned true.
        """
        tagger = cls([*command, name], patience)
        tagger.wait_until_ready(cancelled)
        return tagger

    def _read_greeting(self, frame: Frame) -> TaggerFacts:
        return read_tagger_greeting(frame)

    @property
    def facts(self) -> TaggerFacts:
        """What it said of itself."""
        return self._known

    def ears(self, cancelled: Callable[[], bool] = never) -> Tagger:
        """A `Tagger`, and a `FrameTagger` where the network is one.

        Args:
            cancelled: polled while it listens, which then ends as `Cancelled`.
        """
        return FrameEars(self, cancelled) if self._known.event_classes else Ears(self, cancelled)

    def tags(self, patches: Patches, cancelled: Callable[[], bool]) -> Tags:
        """Scores and embeddings of (n, 96, 64) patches; any n, also 0. They are sent in blocks.

        Raises:
            WorkerLost: the child died, hung or talked nonsense.
            Cancelled: `cancelled()` returned true, or `cancel` was called.
        """
        facts = self._known
        scores = np.empty((len(patches), len(facts.classes)), np.float32)
        embeddings = np.empty((len(patches), facts.dimensions), np.float32)
        for at in range(0, len(patches), _AT_ONCE):
            block = patches[at : at + _AT_ONCE]
            scores[at : at + len(block)], embeddings[at : at + len(block)] = self._ask(
                partial(tag_frame, patches=block),
                cancelled,
                len(block) * PATCH_FRAMES / FRAMES_PER_S,
                _TOO_LARGE,
                _shaped((len(block), len(facts.classes)), (len(block), facts.dimensions)),
            )
        return Tags(scores, embeddings)

    def sounding(self, frames: LogMel, cancelled: Callable[[], bool]) -> Sounding:
        """What sounds in (n, 64) frames, n a multiple of 4.

        Raises:
            InputError: there are too many of them.
            WorkerLost: the child died, hung or talked nonsense.
            Cancelled: `cancelled()` returned true, or `cancel` was called.
        """
        steps = len(frames) // FRAMES_PER_STEP
        return Sounding(
            *self._ask(
                lambda number: sounding_frame(number, frames),
                cancelled,
                len(frames) / FRAMES_PER_S,
                _TOO_LARGE,
                _shaped((steps, len(self._known.event_classes)), (steps,), (steps,), (steps, self._known.dimensions)),
            )
        )

    def names(self, pooled: NDArray[np.float32], cancelled: Callable[[], bool]) -> NDArray[np.float32]:
        """What (n, 2 dimensions) boxes may be called.

        Raises:
            WorkerLost: the child died, hung or talked nonsense.
            Cancelled: `cancelled()` returned true, or `cancel` was called.
        """
        (logits,) = self._ask(
            partial(names_frame, pooled=pooled),
            cancelled,
            1.0,
            _TOO_LARGE,
            _shaped((len(pooled), len(self._known.event_classes))),
        )
        return logits


class Ears:
    """A remote tagger for one piece of work; a `Tagger`."""

    def __init__(self, remote: RemoteTagger, cancelled: Callable[[], bool]) -> None:
        """Args: remote: who listens; cancelled: polled while it does."""
        self._remote, self._cancelled = remote, cancelled

    @property
    def name(self) -> str:
        """What reports call it."""
        return self._remote.facts.name

    @property
    def digest(self) -> str:
        """SHA-256 of its weights in hexadecimal."""
        return self._remote.facts.digest

    @property
    def classes(self) -> tuple[str, ...]:
        """Display names of the classes, in the order of the scores."""
        return self._remote.facts.classes

    def tag(self, patches: Patches) -> Tags:
        """See `RemoteTagger.tags`."""
        return self._remote.tags(patches, self._cancelled)


class FrameEars(Ears):
    """Likewise; a `FrameTagger`."""

    @property
    def event_classes(self) -> tuple[str, ...]:
        """Display names of the classes that `sounding` tells of."""
        return self._remote.facts.event_classes

    def sounding(self, frames: LogMel) -> Sounding:
        """See `RemoteTagger.sounding`."""
        return self._remote.sounding(frames, self._cancelled)

    def names(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `RemoteTagger.names`."""
        return self._remote.names(pooled, self._cancelled)


def _shaped(*shapes: tuple[int, ...]) -> Callable[[tuple[NDArray[Any], ...]], bool]:
    """Whether arrays are float32 of these shapes."""

    def fits(arrays: tuple[NDArray[Any], ...]) -> bool:
        return [array.shape for array in arrays] == list(shapes) and all(a.dtype == np.float32 for a in arrays)

    return fits
