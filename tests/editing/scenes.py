"""Small recordings for the engine's tests."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from recomposer_studio.roll.event import Action, Event, EventRoll


def noise(channels: int, seconds: float, rate_hz: int, seed: int = 0, level: float = 0.02) -> NDArray[np.float64]:
    """Independent white noise, (channels, frames)."""
    return level * np.random.default_rng(seed).standard_normal((channels, round(seconds * rate_hz)))


def burst(start_s: float, length_s: float, seconds: float, rate_hz: int, hz: float = 1500.0) -> NDArray[np.float64]:
    """A decaying tone, (frames,), peak below 0.3."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz - start_s
    return np.where(
        (t >= 0) & (t < length_s), 0.3 * np.sin(2 * np.pi * hz * t) * np.exp(-3 * np.maximum(t, 0) / length_s), 0
    )


def write(path: Path, samples: NDArray[np.float64], rate_hz: int, subtype: str = "FLOAT") -> Path:
    """Writes (channels, frames) samples."""
    soundfile.write(path, samples.T, rate_hz, subtype)
    return path


def event(event_id: str, action: str, start_s: float, end_s: float, label: str = "Dog", **more: object) -> Event:
    """An event on a row of its own unless told otherwise."""
    more.setdefault("row", event_id)
    return Event(event_id, Action(action), label, start_s, end_s, **more)  # type: ignore[arg-type]


def roll(*events: Event) -> EventRoll:
    """A roll of events."""
    return EventRoll(events)
