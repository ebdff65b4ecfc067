"""The two axes of a picture: one transform each for the image, its labels and the boxes on it."""

import math
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray


def mel(hz: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
    """HTK mel (Young et al., The HTK Book, 5.6): 2595 log10(1 + f / 700 Hz)."""
    return 2595.0 * np.log10(1.0 + hz / 700.0)


@dataclass(frozen=True)
class FrequencyAxis:
    """A mel-spaced frequency axis that runs downwards from `top_hz` to 0 Hz.

    Attributes:
        top_hz: frequency at the upper edge.
        pixels: height in pixels.
    """

    top_hz: float
    pixels: int

    @overload
    def y(self, hz: float) -> float: ...
    @overload
    def y(self, hz: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def y(self, hz: float | NDArray[np.float64]) -> float | NDArray[np.float64]:
        """Pixels below the upper edge."""
        return self.pixels * (1.0 - mel(hz) / mel(self.top_hz))

    def hz(self, y: NDArray[np.float64]) -> NDArray[np.float64]:
        """The frequency at `y` pixels below the upper edge."""
        return 700.0 * (10.0 ** (mel(self.top_hz) * (1.0 - y / self.pixels) / 2595.0) - 1.0)

    def ticks(self, spacing: int) -> list[tuple[float, str]]:
        """(frequency in Hz, label) at least `spacing` pixels apart, from below."""
        chosen: list[tuple[float, str]] = []
        last_y = self.pixels + float(spacing)
        for hz in (0, 100, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000):
            y = self.y(float(hz))
            if hz <= self.top_hz and last_y - y >= spacing:
                chosen.append((float(hz), f"{hz // 1_000} kHz" if hz >= 1_000 else f"{hz} Hz"))
                last_y = y
        return chosen


_CLOCK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400)


@dataclass(frozen=True)
class TimeAxis:
    """A linear time axis.

    Attributes:
        start_s: time at the left edge.
        end_s: time at the right edge, later than `start_s`.
        left: pixel column of the left edge.
        pixels: width in pixels.
    """

    start_s: float
    end_s: float
    left: int
    pixels: int

    def x(self, time_s: float) -> float:
        """Pixel column of a time."""
        return self.left + self.pixels * (time_s - self.start_s) / (self.end_s - self.start_s)

    def ticks(self, spacing: int) -> list[tuple[float, str]]:
        """(time in seconds, label) at round times at least `spacing` pixels apart."""
        span_s = self.end_s - self.start_s
        least_s = span_s * spacing / self.pixels
        in_clock = self.end_s >= 60 and least_s > 0.5
        if in_clock:
            step_s = next(
                (float(step) for step in _CLOCK_STEPS_S if step >= least_s), 86_400.0 * math.ceil(least_s / 86_400)
            )
        else:
            power = 10.0 ** math.floor(math.log10(least_s))
            step_s = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least_s * (1 - 1e-9))
        first, last = math.ceil(self.start_s / step_s - 1e-6), math.floor(self.end_s / step_s + 1e-6)
        return [(k * step_s, self._label(k * step_s, step_s, in_clock)) for k in range(first, last + 1)]

    def _label(self, time_s: float, step_s: float, in_clock: bool) -> str:
        if in_clock:
            minutes, seconds = divmod(round(time_s), 60)
            hours, minutes = divmod(minutes, 60)
            return f"{hours}:{minutes:02}:{seconds:02}" if self.end_s >= 3_600 else f"{minutes}:{seconds:02}"
        in_ms = self.end_s < 0.1
        scale, unit = (1_000.0, "ms") if in_ms else (1.0, "s")
        decimals = max(0, -math.floor(math.log10(step_s * scale) + 1e-9))
        return f"{time_s * scale:.{decimals}f} {unit}"
