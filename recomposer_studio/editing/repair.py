"""Spectral repair: the background of a box is guessed from its surroundings, the excess is taken for the event.

Classical, needs no model and takes milliseconds. It is the preview, the fallback, and the zero point of the mask head.
"""

import numpy as np
from numpy.typing import NDArray

CONTEXT_S = 0.5
"""Surroundings that are looked at on either side of a box, in seconds."""
GUARD_S = 0.03
"""Part of the surroundings next to the box that is left out: boxes are drawn by hand and events leak."""
NOISE = (2.0, 6.0)
"""Power over the background, as factors, between which the claim fades in: below is the background's own fluctuation."""
ENOUGH_FRAMES = 10
"""Fewer quiet frames than this (0.1 s) on both sides together say nothing about the background."""

_FloatArray = NDArray[np.float64]
_BoolArray = NDArray[np.bool_]


def _background(power: _FloatArray, inside: _BoolArray, busy: _BoolArray, hop_s: float) -> _FloatArray | None:
    """Log power (bands, frames) of the background under a box, or None when the surroundings hold too little."""
    frames = np.flatnonzero(inside)
    first, last = int(frames[0]), int(frames[-1])
    reach, guard = round(CONTEXT_S / hop_s), round(GUARD_S / hop_s)
    times = np.arange(power.shape[1])
    before = (times < first - guard) & (times >= first - guard - reach) & ~busy
    after = (times > last + guard) & (times <= last + guard + reach) & ~busy
    if before.sum() + after.sum() < ENOUGH_FRAMES:
        return None
    means = [
        (times[side].mean(), np.log(power[:, side].mean(axis=1) + 1e-12))
        for side in (before, after)
        if side.sum() >= ENOUGH_FRAMES // 2
    ]
    if len(means) < 2:
        return np.broadcast_to(np.log(power[:, before | after].mean(axis=1) + 1e-12)[:, None], power.shape)
    (left_at, left), (right_at, right) = means
    return left[:, None] + (right - left)[:, None] * (times - left_at) / (right_at - left_at)


def repair_share(
    power: _FloatArray, inside: _BoolArray, busy: _BoolArray, hop_s: float, *, protect: bool = False
) -> _FloatArray:
    """Share of the power that exceeds the interpolated surroundings.

    Args:
        power: band power of one channel, (bands, frames).
        inside: frames of the event's box, (frames,).
        busy: frames that are no surroundings because an edit covers them, (frames,).
        hop_s: seconds from frame to frame.
        protect: for *keep* events: without surroundings claim nothing, instead of all that exceeds the quietest tenth.

    Returns:
        Shares in [0, 1], (bands, frames), zero outside the box.
    """
    share = np.zeros_like(power)
    if not inside.any():
        return share
    background = _background(power, inside, busy, hop_s)
    if background is None:
        if protect:
            return share
        background = np.log(np.quantile(power[:, inside], 0.1, axis=1) + 1e-12)[:, None] * np.ones_like(power)
    over = np.log(power[:, inside] + 1e-12) - background[:, inside]
    low, high = np.log(NOISE)
    share[:, inside] = np.maximum(0.0, 1.0 - np.exp(-over)) * np.clip((over - low) / (high - low), 0.0, 1.0)
    return share
