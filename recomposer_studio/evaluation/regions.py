"""The signals and regions that both distances share.

Regions of an edit with the box [start, end): target is the box, skirt is half a second on either side, nontarget is the
rest.
"""

import numpy as np
import soxr
from numpy.typing import NDArray

from recomposer_studio.errors import InputError

SKIRT_S = 0.5

Box = tuple[float, float]


def mono_at(samples: NDArray[np.floating], rate_hz: int, wanted_hz: int) -> NDArray[np.float64]:
    """Channel mean of (frames,) or (channels, frames), resampled to `wanted_hz`: (frames,) float64.

    Raises:
        InputError: there are no samples, or some are not finite.
    """
    signal = np.asarray(samples, np.float64)
    signal = signal.mean(axis=0) if signal.ndim == 2 else signal
    if signal.size == 0 or not np.isfinite(signal).all():
        raise InputError("a signal to compare is empty or holds values that are not finite; render it again.")
    return signal if rate_hz == wanted_hz else soxr.resample(signal, rate_hz, wanted_hz)


def changed_span(first: NDArray[np.floating], second: NDArray[np.floating], tolerance: float = 0.0) -> tuple[int, int]:
    """Samples [start, stop) outside of which two signals differ by at most `tolerance`; (0, 0) if nowhere."""
    changed = np.flatnonzero(np.abs(first - second) > tolerance)
    return (int(changed[0]), int(changed[-1]) + 1) if len(changed) else (0, 0)
