"""The one transform between frequency and height; picture, axis and boxes all use it and nothing else."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import hz_from_mel, mel_from_hz

LOWEST_LOG_HZ = 30.0
_TICKS_HZ = (0, 50, 100, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000)
_LINEAR_STEPS_HZ = (500, 1_000, 2_000, 2_500, 5_000, 10_000, 20_000, 50_000, 100_000)


class ScaleKind(StrEnum):
    """How frequency is spread over the height of the picture."""

    MEL = "mel"
    LOG = "log"
    LINEAR = "linear"


@dataclass(frozen=True)
class FrequencyScale:
    """Frequency against height: 0 is the bottom of the picture, 1 its top.

    Attributes:
        kind: the spreading.
        top_hz: frequency at the top, half the sample rate.
    """

    kind: ScaleKind = ScaleKind.MEL
    top_hz: float = 24_000.0

    def _warp(self, hz: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.kind is ScaleKind.MEL:
            return mel_from_hz(hz)
        if self.kind is ScaleKind.LOG:
            return np.log(np.maximum(hz, LOWEST_LOG_HZ))
        return hz

    @cached_property
    def _ends(self) -> tuple[float, float]:
        low, top = self._warp(np.array([0.0, self.top_hz]))
        return float(low), float(top)

    def share(self, hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Height of a frequency in Hz, 0 to 1 within the picture."""
        low, top = self._ends
        return (self._warp(np.asarray(hz, np.float64)) - low) / (top - low)

    def hz(self, share: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Frequency in Hz at a height."""
        low, top = self._ends
        warped = low + np.asarray(share, np.float64) * (top - low)
        if self.kind is ScaleKind.MEL:
            return hz_from_mel(warped)
        return np.exp(warped) if self.kind is ScaleKind.LOG else warped

    def y(self, hz: float, height: int) -> float:
        """Pixels below the top of a picture `height` pixels high."""
        return height * (1.0 - float(self.share(hz)))

    def hz_at(self, y: float, height: int) -> float:
        """Frequency at `y` pixels below the top."""
        return float(np.clip(self.hz(1.0 - y / height), 0.0, self.top_hz))

    def ticks(self, height: int, spacing: int = 22) -> list[tuple[float, str]]:
        """(frequency in Hz, label) at least `spacing` pixels apart, from below."""
        candidates: tuple[int, ...] = _TICKS_HZ
        if self.kind is ScaleKind.LINEAR:
            least = self.top_hz * spacing / height
            step = next((step for step in _LINEAR_STEPS_HZ if step >= least), _LINEAR_STEPS_HZ[-1])
            candidates = tuple(range(0, int(self.top_hz) + 1, step))
        chosen: list[tuple[float, str]] = []
        last_y = height + float(spacing)
        for hz in candidates:
            y = self.y(float(hz), height)
            if hz <= self.top_hz and last_y - y >= spacing:
                chosen.append((float(hz), f"{hz / 1_000:g} kHz" if hz >= 1_000 else f"{hz} Hz"))
                last_y = y
        return chosen
