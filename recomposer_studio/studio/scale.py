"""The one transform between frequency and height; picture, axis and boxes all use it and nothing else."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import hz_from_mel, mel_from_hz

LOWEST_LOG_HZ = 30.0
LEAST_PART = 1 / 40
"""The picture shows at least this share of the whole frequency range."""
_TICKS_HZ = (0, 50, 100, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000)
_STEPS_HZ = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 2_500, 5_000, 10_000, 20_000, 50_000, 100_000,
)  # fmt: skip


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
        top_hz: the highest frequency there is, half the sample rate.
        low: where the picture begins, as a share of the whole range on this scale.
        high: where it ends, likewise; 0 and 1 show everything.
    """

    kind: ScaleKind = ScaleKind.MEL
    top_hz: float = 24_000.0
    low: float = 0.0
    high: float = 1.0

    def _warp(self, hz: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.kind is ScaleKind.MEL:
            return mel_from_hz(hz)
        if self.kind is ScaleKind.LOG:
            return np.log(np.maximum(hz, LOWEST_LOG_HZ))
        return hz

    @cached_property
    def _ends(self) -> tuple[float, float]:
        """Both ends of what is shown, warped."""
        bottom, top = self._warp(np.array([0.0, self.top_hz]))
        span = float(top - bottom)
        return float(bottom) + self.low * span, float(bottom) + self.high * span

    @property
    def part(self) -> float:
        """The share of the whole range that is shown."""
        return self.high - self.low

    @property
    def reach(self) -> tuple[float, float]:
        """The heights of 0 Hz and of `top_hz`; outside of 0 to 1 where only a part is shown."""
        return -self.low / self.part, (1.0 - self.low) / self.part

    def zoomed(self, factor: float, around: float) -> "FrequencyScale":
        """Showing `factor` times less; the frequency at the height `around` stays where it is."""
        part = min(max(self.part / factor, LEAST_PART), 1.0)
        return self._shown(self.low + around * (self.part - part), part)

    def scrolled(self, by: float) -> "FrequencyScale":
        """Showing what lies higher, by a share of what is shown."""
        return self._shown(self.low + by * self.part, self.part)

    def _shown(self, low: float, part: float) -> "FrequencyScale":
        low = min(max(low, 0.0), 1.0 - part)
        return FrequencyScale(self.kind, self.top_hz, low, min(low + part, 1.0))

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
        """(frequency in Hz, label) at least `spacing` pixels apart, from below; all inside the picture."""
        low_hz, high_hz = self.hz_at(height, height), self.hz_at(0.0, height)
        candidates: list[float] = [float(hz) for hz in _TICKS_HZ if low_hz <= hz <= high_hz]
        if self.kind is ScaleKind.LINEAR or len(candidates) < 4:
            # Steps that suit the lower end, where they lie widest; what gets too close further up is left out.
            least = (high_hz - low_hz) * spacing / height
            if self.kind is not ScaleKind.LINEAR:
                least = self.hz_at(height - spacing, height) - low_hz
            step = next((step for step in _STEPS_HZ if step >= least), _STEPS_HZ[-1])
            candidates = [float(k * step) for k in range(int(np.ceil(low_hz / step)), int(high_hz // step) + 1)]
        chosen: list[tuple[float, str]] = []
        last_y = height + float(spacing)
        for hz in candidates:
            y = self.y(hz, height)
            if last_y - y >= spacing:
                chosen.append((hz, f"{hz / 1_000:g} kHz" if hz >= 1_000 else f"{hz:g} Hz"))
                last_y = y
        return chosen
