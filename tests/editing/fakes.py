"""A generator of known sounds and shares: what the engine does with a model's answers is tested apart from any model."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.editing.generator import MaskRequest, SoundRequest
from recomposer_studio.errors import Cancelled
from recomposer_studio.roll.event import Action


@dataclass
class KnownGenerator:
    """Claims a constant share of every box and makes seeded noise, or an impulse a given time after the box starts."""

    claimed: float = 0.5
    impulse_s: float | None = None
    rate_hz: int = 32_000
    name: str = "known"
    digest: str = "00"
    device: str = "cpu"
    classes: frozenset[str] = frozenset({"Dog"})
    better_than_repair: frozenset[Action] = frozenset({Action.DELETE, Action.ENHANCE})
    frames_seen: list[int] = field(default_factory=list)

    def share(self, request: MaskRequest) -> NDArray[np.float64]:
        """The constant share inside the box."""
        self.frames_seen.append(request.power.shape[1])
        return np.where(request.active, self.claimed, 0.0) * np.ones_like(request.power)

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        """Noise that the seed decides, or an impulse."""
        if request.cancelled():
            raise Cancelled
        length = round(request.duration_s * self.rate_hz)
        if self.impulse_s is not None:
            sound = np.zeros(length, np.float32)
            sound[round(self.impulse_s * self.rate_hz)] = 1.0
            return sound
        noise = np.random.default_rng(np.random.Philox(key=request.seed)).standard_normal(length)
        return (0.1 * noise).astype(np.float32)
