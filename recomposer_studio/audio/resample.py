"""Changing the sample rate of generated sound without moving it in time."""

from math import gcd

import numpy as np
import soxr
from numpy.typing import NDArray


def common_grid(rate_a: int, rate_b: int) -> tuple[int, int]:
    """The smallest numbers of frames at two rates that last equally long.

    A window that starts at a multiple of them starts on a whole frame at both rates, so that resampling it does not
    shift it: `common_grid(44100, 32000)` is (441, 320).

    Raises:
        ValueError: a rate is not positive.
    """
    if rate_a <= 0 or rate_b <= 0:
        raise ValueError(f"sample rates are positive, not {rate_a} and {rate_b}")
    common = gcd(rate_a, rate_b)
    return rate_a // common, rate_b // common


def resample(x: NDArray[np.float64], from_hz: int, to_hz: int) -> NDArray[np.float64]:
    """Band-limited resampling with soxr's "VHQ" recipe (linear phase, delay compensated; the same bytes every time).

    Frame k of the result lies k / to_hz seconds after the first frame of `x`. Beyond its ends `x` is taken as silent.

    Args:
        x: (channels, n) samples.
        from_hz: rate of `x`.
        to_hz: rate wanted.

    Returns:
        (channels, m) with m = round(n * to_hz / from_hz), halves up; a copy when the rates are equal.

    Raises:
        ValueError: a rate is not positive or `x` is not two-dimensional.
    """
    if x.ndim != 2:
        raise ValueError(f"expected (channels, frames), got {x.shape}")
    step_from, step_to = common_grid(from_hz, to_hz)
    if step_from == step_to:
        return x.copy()
    frames = x.shape[1]
    wanted = (2 * frames * step_to + step_from) // (2 * step_from)
    # soxr rounds lengths its own way and gives nothing for very short sounds: silence behind fills up to `wanted`.
    padding = 2 * step_from // step_to + 2
    padded = np.zeros((frames + padding, x.shape[0]))
    padded[:frames] = x.T
    return np.ascontiguousarray(soxr.resample(padded, from_hz, to_hz, "VHQ")[:wanted].T)
