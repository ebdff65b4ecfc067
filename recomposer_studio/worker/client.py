"""The engine's `Generator`, answered by a child process: a model that dies, hangs or fills the memory takes no window with it."""

from collections.abc import Callable, Sequence
from math import ceil, floor
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.editing.generator import MaskRequest, SoundRequest
from recomposer_studio.roll.event import Action
from recomposer_studio.worker.frames import Frame
from recomposer_studio.worker.messages import Facts, mask_frame, read_greeting, sound_frame
from recomposer_studio.worker.remote import PATIENCE, Patience, Remote, never, python

COMMAND = python("recomposer_studio.worker.child")
"""What runs the child; two arguments follow, the checkpoint's folder and the device. A frozen application gives its own command, which
calls `child.main`."""


_FRAMES_PER_S = 50
"""Of every codec that a token decoder works with."""
_SAMPLES_SHARE = 0.1
"""So much of the time that a sound takes goes into the samples of its candidates."""


class RemoteGenerator(Remote[Facts]):
    """A checkpoint that is loaded in a child process, see `Remote`."""

    WHO = "model"
    INSTEAD = "spectral repair"
    EXCHANGED = "the checkpoint was exchanged while it was in use; choose it again"

    @classmethod
    def start(
        cls,
        folder: str | Path,
        device: str = "auto",
        *,
        cancelled: Callable[[], bool] = never,
        patience: Patience = PATIENCE,
        command: Sequence[str] = COMMAND,
    ) -> Self:
        """Starts a child, returns when it has loaded the checkpoint.

        Args:
            folder: the checkpoint.
            device: `auto`, `cpu` or `cuda`.
            cancelled: polled while waiting.
            patience: how long the child may take.
            command: what runs the child; folder and device are appended.

        Raises:
            InputError: the checkpoint cannot be loaded, or there is no such device.
            WorkerLost: the child could not start, or did not in time.
            Cancelled: `cancelled()` returned true.
        """
        generator = cls([*command, str(Path(folder).resolve()), device], patience, device)
        generator.wait_until_ready(cancelled)
        return generator

    def _read_greeting(self, frame: Frame) -> Facts:
        return read_greeting(frame)

    @property
    def _present_device(self) -> str:
        return self._facts.device if self._facts else self._wanted_device

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self._known.name

    @property
    def classes(self) -> frozenset[str]:
        """Class names that the checkpoint was trained on."""
        return self._known.classes

    @property
    def better_than_repair(self) -> frozenset[Action]:
        """Actions in which the checkpoint beat spectral repair on validation scenes."""
        return self._known.better_than_repair

    @property
    def rate_hz(self) -> int:
        """Sample rate of generated sounds."""
        return self._known.rate_hz

    @property
    def device(self) -> str:
        """Where the model runs: `cpu` or `cuda`."""
        return self._known.device

    @property
    def can_insert(self) -> bool:
        """Whether the checkpoint can make sounds."""
        return self._known.can_insert

    def share(self, request: MaskRequest) -> NDArray[np.float64]:
        """Share of the power that belongs to the event, (bands, frames) in [0, 1], zero outside its box.

        Raises:
            InputError: the model refuses the request, or it is too large.
            WorkerLost: the child died, hung or talked nonsense.
            Cancelled: `cancel` was called.
        """
        return self._one(
            lambda number: mask_frame(number, request),
            never,
            request.power.shape[1] * request.hop_s,
            lambda answer: answer.dtype == np.float64 and answer.shape == request.power.shape,
        )

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        """A mono sound of `duration_s` at `rate_hz`, shape (samples,), peak at most 1.

        Raises:
            InputError: the model refuses the request, or it is too large.
            WorkerLost: the child died, hung or talked nonsense.
            Cancelled: `cancel` was called, or `request.cancelled()` returned true, which is polled once for every frame that is finished:
                whoever counts the polls knows how far the sound is.
        """
        return self._one(
            lambda number: sound_frame(number, request),
            request.cancelled,
            request.power.shape[1] * request.hop_s,
            lambda answer: answer.dtype == np.float32 and answer.ndim == 1,
            _finished_frames(request),
        )

    def _one(
        self,
        frame: Callable[[int], Frame],
        cancelled: Callable[[], bool],
        window_s: float,
        fits: Callable[[NDArray[Any]], bool],
        stepped: Callable[[], bool] | None = None,
    ) -> NDArray[Any]:
        """The one array that answers a request, see `_ask`."""
        too_large = f"an event whose surroundings last {window_s:.0f} s is too long for the model; shorten it"
        (answer,) = self._ask(
            frame, cancelled, window_s, too_large, lambda arrays: len(arrays) == 1 and fits(arrays[0]), stepped
        )
        return answer


def _finished_frames(request: SoundRequest) -> Callable[[], bool]:
    """What is to be called for every step of a sound: polls `request.cancelled` once for every frame that is finished.

    A step is a frame of all candidates, which is decoded side by side, or afterwards the samples of one candidate. Candidates that are not made, as
    long boxes have fewer, leave their share for the end.
    """
    frames, candidates = max(1, ceil(request.duration_s * _FRAMES_PER_S)), request.decoding.candidates
    steps = polls = 0

    def step() -> bool:
        nonlocal steps, polls
        steps += 1
        # The first step is the child's own, before it begins.
        decoded = min(steps - 1, frames) / frames
        sounding = min(max(steps - 1 - frames, 0), candidates) / candidates
        due = floor(frames * ((1.0 - _SAMPLES_SHARE) * decoded + _SAMPLES_SHARE * sounding) + 1e-9)
        while polls < due:
            polls += 1
            if request.cancelled():
                return True
        return False

    return step
