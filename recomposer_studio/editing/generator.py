"""What the engine asks of a model. The engine knows no network: the caller fills this protocol in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.project.recipe import Decoding
from recomposer_studio.roll.event import Action, Event


@dataclass(frozen=True)
class BoxView:
    """What is seen of an event's box in one channel of its window.

    Attributes:
        power: band power, (bands, frames) float64, on the band grid.
        hop_s: seconds from frame to frame.
        active: frames of the box, (frames,) bool (`regions.active_frames`).
        others_active: frames of the other events' boxes, (others, frames) bool.
        busy: frames that are no surroundings: beyond the file, or covered by another edit's box, (frames,) bool.
        repair: the share that spectral repair gives the event, (bands, frames) in [0, 1].
    """

    power: NDArray[np.float64]
    hop_s: float
    active: NDArray[np.bool_]
    others_active: NDArray[np.bool_]
    busy: NDArray[np.bool_]
    repair: NDArray[np.float64]


@dataclass(frozen=True)
class MaskRequest(BoxView):
    """One event in one channel of its window.

    Attributes:
        event: the event to separate.
        others: the other events whose regions overlap this one's, edited and kept, in the order of `others_active`.
    """

    event: Event
    others: tuple[Event, ...]


@dataclass(frozen=True)
class SoundRequest:
    """A sound to generate inside a scene.

    Attributes:
        event: what to generate; its box lies at `box_start_s` in the window.
        power: band power of the window's channel mean, (bands, frames) float64.
        hop_s: seconds from frame to frame.
        box_start_s: start of the box from the window's first frame, in seconds.
        duration_s: length of the box in seconds.
        seed: the event's seed.
        decoding: sampling settings.
        cancelled: polled at every generated frame.
        exemplar: a sound that the event is to resemble, mono at the generator's rate, (samples,) float32; or None.
    """

    event: Event
    power: NDArray[np.float64]
    hop_s: float
    box_start_s: float
    duration_s: float
    seed: int
    decoding: Decoding
    cancelled: Callable[[], bool]
    exemplar: NDArray[np.float32] | None = None


class Generator(Protocol):
    """A loaded model. Results depend on the request alone: not on threads, company or process."""

    @property
    def name(self) -> str:
        """The checkpoint's name."""

    @property
    def digest(self) -> str:
        """SHA-256 of the weights and configuration, in hex."""

    @property
    def classes(self) -> frozenset[str]:
        """Class names that the checkpoint was trained on."""

    @property
    def better_than_repair(self) -> frozenset[Action]:
        """Actions in which the checkpoint beat spectral repair on validation scenes."""

    @property
    def rate_hz(self) -> int:
        """Sample rate of generated sounds."""

    def share(self, request: MaskRequest) -> NDArray[np.float64]:
        """Share of the power that belongs to the event, (bands, frames) in [0, 1], zero outside its box.

        The engine scales the shares of overlapping events, so that together they claim at most all there is.
        """

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        """A mono sound of `duration_s` at `rate_hz`, shape (samples,), peak at most 1.

        Raises:
            InputError: the model takes no exemplars, and there is one.
            Cancelled: `request.cancelled()` returned true.
        """
