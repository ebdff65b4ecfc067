"""Intervals over scenes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Z = 1.6448536
"""Quantile of the normal distribution at 95 %."""


class Interval(NamedTuple):
    """A figure and the ends of its 90 % interval."""

    value: float
    low: float
    high: float


def bootstrap_ratio(
    estimates: Sequence[float] | NDArray[np.floating],
    inputs: Sequence[float] | NDArray[np.floating],
    seed: int = 0,
    draws: int = 4000,
) -> Interval:
    """Sum of the estimates over sum of the inputs, with its 90 % bootstrap interval over scenes.

    Args:
        estimates: distance of the editor's output, one a scene.
        inputs: distance of the unprocessed input in the same scenes.
        seed: fixes the resampling.
        draws: resampled sets of scenes.

    Returns:
        Ratio, 5th and 95th percentile; all NaN when the inputs sum to zero or there are no scenes.

    Raises:
        ValueError: the two differ in length.
    """
    above, below = np.asarray(estimates, np.float64), np.asarray(inputs, np.float64)
    if above.shape != below.shape:
        raise ValueError("every scene needs an estimate and an input")
    if below.sum() <= 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    sums = _resampled(np.stack([above, below]), seed, draws)
    usable = sums[:, 1] > 0
    low, high = np.percentile(sums[usable, 0] / sums[usable, 1], [5.0, 95.0])
    return Interval(float(above.sum() / below.sum()), float(low), float(high))


def bootstrap_mean(values: Sequence[float] | NDArray[np.floating], seed: int = 0, draws: int = 4000) -> Interval:
    """Mean over scenes with its 90 % bootstrap interval; all NaN without scenes."""
    samples = np.asarray(values, np.float64)
    if not len(samples):
        return Interval(float("nan"), float("nan"), float("nan"))
    low, high = np.percentile(_resampled(samples[None], seed, draws)[:, 0] / len(samples), [5.0, 95.0])
    return Interval(float(samples.mean()), float(low), float(high))


def share_interval(times: int, scenes: int) -> Interval:
    """How often something happened, with the 90 % score interval of a share (Wilson 1927); all NaN without scenes.

    Resampling would give a share of none or of all scenes no width at all.
    """
    if scenes == 0:
        return Interval(math.nan, math.nan, math.nan)
    share, spread = times / scenes, _Z**2 / scenes
    centre = (share + spread / 2.0) / (1.0 + spread)
    half = _Z * math.sqrt(share * (1.0 - share) / scenes + _Z**2 / (4.0 * scenes**2)) / (1.0 + spread)
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def _resampled(values: NDArray[np.float64], seed: int, draws: int) -> NDArray[np.float64]:
    """Sums (draws, rows) of scenes drawn with replacement from (rows, scenes)."""
    scenes = values.shape[1]
    chosen = np.random.default_rng(seed).integers(scenes, size=(draws, scenes))
    return values[:, chosen].sum(axis=2).T
