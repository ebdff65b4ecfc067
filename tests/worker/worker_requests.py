"""Requests as the engine makes them."""

from collections.abc import Callable

import numpy as np

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.editing.generator import MaskRequest, SoundRequest
from recomposer_studio.editing.repair import repair_share
from recomposer_studio.project.recipe import Decoding
from recomposer_studio.roll.event import Action, Event

FRAMES = 200


def event(label: str, action: Action = Action.DELETE, id: str = "one") -> Event:
    """An event over frames 80 to 120."""
    return Event(id=id, action=action, label=label, start_s=0.8, end_s=1.2, row=id)


def mask_request(label: str = "Bark", others: int = 0, seed: int = 0) -> MaskRequest:
    """A box in noise, with `others` events that overlap it."""
    power = np.random.default_rng(seed).exponential(size=(BANDS, FRAMES))
    power[:, 80:120] *= 9.0
    times = np.arange(FRAMES)
    active, busy = (times >= 80) & (times < 120), times < 3
    company = tuple(event("Door", Action.KEEP, f"other {number}") for number in range(others))
    others_active = np.zeros((others, FRAMES), np.bool_)
    others_active[:, 100:140] = True
    repair = repair_share(power, active, busy, 0.01)
    return MaskRequest(power, 0.01, active, others_active, busy, repair, event(label), company)


def sound_request(
    duration_s: float = 0.13, seed: int = 7, cancelled: Callable[[], bool] = lambda: False, label: str = "Bark"
) -> SoundRequest:
    """A sound to insert."""
    power = np.random.default_rng(0).exponential(size=(BANDS, FRAMES))
    decoding = Decoding(temperature=0.9, guidance=1.25)
    return SoundRequest(event(label, Action.INSERT), power, 0.01, 0.8, duration_s, seed, decoding, cancelled)
