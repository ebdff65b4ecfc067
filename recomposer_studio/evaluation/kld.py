"""KLD: how differently a classifier hears the edit and the desired sound, by region.

16 kHz mono, patches of 15,600 samples every 0.1 s, class scores (YAMNet: 521) + 1e-6 normalised to sum 1, KL(desired || estimate) in
nats. Mean over the patches whose centre lies in the box (the nearest one if none does); nontarget is the mean over
patches whose centre is further than 0.9875 s from the box, so that they see nothing of it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.evaluation.regions import Box, changed_span, mono_at
from recomposer_studio.evaluation.scorers import Scorer
from recomposer_studio.tagging.front_end import PATCH_SAMPLES

RATE_HZ = 16000
HOP = 1600
CENTRE_S = PATCH_SAMPLES / 2 / RATE_HZ
FAR_S = 0.9875
FLOOR = 1e-6

# Resampling spreads a change by rounding errors; what lies 140 dB below full scale is taken for unchanged.
_UNCHANGED = 1e-7


@dataclass(frozen=True)
class Kld:
    """The distance in nats in the box and far from it (0 where no patch is far)."""

    target: float
    nontarget: float


class KldReference:
    """The desired signal with its scores, against which any number of estimates is measured.

    Args:
        desired: samples (frames,) or (channels, frames).
        rate_hz: their sample rate.
        scorer: the classifier.

    Raises:
        InputError: the signal is empty or not finite.
    """

    def __init__(self, desired: NDArray[np.floating], scorer: Scorer, rate_hz: int = 32000) -> None:
        """Scores the desired signal."""
        self.scorer = scorer
        self._signal = _padded(desired, rate_hz)
        self._scores = scorer.scores(_patches(self._signal))

    @property
    def desired_scores(self) -> NDArray[np.float32]:
        """Scores (patches, classes) of the desired signal; patch i is centred at i / 10 + 0.4875 s."""
        return self._scores

    def scores(self, estimate: NDArray[np.floating], rate_hz: int = 32000) -> NDArray[np.float32]:
        """Scores (patches, classes) of an estimate; patches in which nothing changed are not scored again.

        Raises:
            InputError: the signal is empty or not finite.
        """
        signal = _padded(estimate, rate_hz)
        shared = min(len(signal), len(self._signal))
        start, stop = changed_span(signal[:shared], self._signal[:shared], _UNCHANGED)
        patches = _patches(signal)
        first_sample = np.arange(len(patches)) * HOP
        touched = (first_sample < stop) & (first_sample + PATCH_SAMPLES > start) | (
            first_sample + PATCH_SAMPLES > shared
        )
        out = np.empty((len(patches), self._scores.shape[1]), np.float32)
        known = np.flatnonzero(~touched)
        out[known] = self._scores[known]
        if touched.any():
            out[touched] = self.scorer.scores(patches[touched])
        return out

    def distance(self, estimate: NDArray[np.floating], box: Box, rate_hz: int = 32000) -> Kld:
        """KLD of an estimate in the regions of a box (start, end) in seconds.

        Raises:
            InputError: the signal is empty or not finite.
        """
        return divergence(self._scores, self.scores(estimate, rate_hz), box)


def divergence(desired: NDArray[np.floating], estimate: NDArray[np.floating], box: Box) -> Kld:
    """KLD by region from two score matrices (patches, classes), one patch every 0.1 s.

    Args:
        desired: scores of the desired signal.
        estimate: scores of the estimate; surplus patches of the longer one are left out.
        box: (start, end) in seconds.
    """
    patches = min(len(desired), len(estimate))
    p, q = _distribution(desired[:patches]), _distribution(estimate[:patches])
    nats = (p * np.log(p / q)).sum(axis=1)
    centres = _centres(patches)
    far = (centres < box[0] - FAR_S) | (centres >= box[1] + FAR_S)
    return Kld(float(nats[patches_inside(patches, box)].mean()), float(nats[far].mean()) if far.any() else 0.0)


def patches_inside(patches: int, box: Box) -> NDArray[np.bool_]:
    """Which of a signal's patches count as inside a box: centred in it, or the nearest one if none is; (patches,)."""
    centres = _centres(patches)
    inside = (centres >= box[0]) & (centres < box[1])
    if not inside.any():
        away = np.abs(centres - 0.5 * (box[0] + box[1]))
        inside = away == away.min()
    return inside


def _centres(patches: int) -> NDArray[np.float64]:
    return np.asarray(np.arange(patches) * (HOP / RATE_HZ) + CENTRE_S, np.float64)


def _distribution(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    lifted = scores.astype(np.float64) + FLOOR
    return lifted / lifted.sum(axis=1, keepdims=True)


def _padded(samples: NDArray[np.floating], rate_hz: int) -> NDArray[np.float32]:
    signal = mono_at(samples, rate_hz, RATE_HZ).astype(np.float32)
    return np.pad(signal, (0, max(0, PATCH_SAMPLES - len(signal))))


def _patches(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.lib.stride_tricks.sliding_window_view(signal, PATCH_SAMPLES)[::HOP]
