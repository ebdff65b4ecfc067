"""The critic: which of several candidates sounds most like what was asked for.

No network: statistics of a sound's log band powers and a linear discriminant (Fisher 1936; one covariance for all classes), which
was fitted to real events and their labels alone. No other classifier had a part in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.codec.mel_rvq import log_bands
from recomposer_studio.errors import InputError

_ENVELOPE = 16
STATISTICS = 5 * BANDS + _ENVELOPE + 4
"""Numbers that a sound is judged by."""

_SOUNDING = 9.2
"""What lies further below the loudest frame is silence, in nepers of power (40 dB)."""
_SOFTEST, _LOUDEST = -9.0, 6.0
_FARTHEST = 4.0
_NAMES = ("centre", "spread", "projection", "means")

_FloatArray = NDArray[np.float64]


def statistics(log_power: NDArray[np.floating]) -> _FloatArray:
    """What a sound is judged by, (STATISTICS,): neither loudness nor silence around it counts.

    Spectrum (mean over frames, mean over power, of the onset), its spread and its restlessness over time, the envelope, length, where the
    power lies in time, how peaked spectrum and envelope are.

    Args:
        log_power: natural log of the band power, (bands, frames).
    """
    levels = np.log(np.exp(log_power).sum(axis=0))
    sounding = np.flatnonzero(levels > levels.max() - _SOUNDING)
    part = np.asarray(log_power, np.float64)[:, sounding[0] : sounding[-1] + 1]
    power = np.exp(part)
    per_frame = power.sum(axis=0)
    level = np.log(per_frame.mean() / BANDS)
    shape = np.clip(part - level, _SOFTEST, _LOUDEST)
    frames = shape.shape[1]
    weight = per_frame / per_frame.sum()
    onset = shape[:, : max(2, min(6, frames // 4))].mean(axis=1)
    steps = np.abs(np.diff(shape, axis=1)).mean(axis=1) if frames > 1 else np.zeros(BANDS)
    envelope = np.interp(np.linspace(0, frames - 1, _ENVELOPE), np.arange(frames), np.log(per_frame / BANDS) - level)
    rest = (
        np.log(frames),
        (weight * np.arange(frames)).sum() / frames,
        (shape.max(axis=0) - shape.mean(axis=0)).mean(),
        envelope.max() - envelope.mean(),
    )
    return np.concatenate(
        [shape.mean(axis=1), (shape * weight).sum(axis=1), shape.std(axis=1), onset, steps, envelope, rest]
    )


@dataclass(frozen=True)
class Critic:
    """A linear discriminant over `statistics`.

    Attributes:
        classes: class name -> its row in `means`.
        centre: mean of the statistics, (STATISTICS,) float32.
        spread: their scale, (STATISTICS,) float32.
        projection: to a space in which every class has unit covariance, (STATISTICS, dimensions) float32.
        means: of the classes there, (classes, dimensions) float32.
    """

    classes: Mapping[str, int]
    centre: NDArray[np.float32]
    spread: NDArray[np.float32]
    projection: NDArray[np.float32]
    means: NDArray[np.float32]

    @staticmethod
    def from_tensors(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "Critic":
        """The critic of a checkpoint.

        Raises:
            InputError: tensors are missing, unknown or of another size.
        """
        damaged = InputError("the checkpoint's critic does not fit its configuration; get the checkpoint again")
        if set(config) != {"classes"} or set(tensors) != set(_NAMES):
            raise damaged
        classes = {str(name): row for name, row in config["classes"].items()}
        arrays = {name: tensor.numpy().astype(np.float32) for name, tensor in tensors.items()}
        dimensions = arrays["means"].shape[-1]
        sizes = ((STATISTICS,), (STATISTICS,), (STATISTICS, dimensions), (len(classes), dimensions))
        if any(arrays[name].shape != size for name, size in zip(_NAMES, sizes, strict=True)):
            raise damaged
        if sorted(classes.values()) != list(range(len(classes))):
            raise damaged
        if not all(np.isfinite(array).all() for array in arrays.values()) or not (arrays["spread"] > 0).all():
            raise damaged
        return Critic(classes, **arrays)

    def config(self) -> dict[str, Any]:
        """The configuration that `from_tensors` takes."""
        return {"classes": dict(self.classes)}

    def tensors(self) -> dict[str, Tensor]:
        """The tensors that `from_tensors` takes."""
        return {name: torch.from_numpy(getattr(self, name)) for name in _NAMES}

    def distances(self, values: _FloatArray) -> _FloatArray:
        """Squared Mahalanobis distance to the mean of every class: statistics (STATISTICS,) to (classes,)."""
        relative = np.clip((values - self.centre) / self.spread, -_FARTHEST, _FARTHEST)
        # A plain sum and no matrix product, whose last bits depend on the number of threads.
        place = (relative[:, None] * self.projection).sum(axis=0)
        return np.asarray(((place - self.means) ** 2).sum(axis=1))

    def scores(self, values: _FloatArray) -> _FloatArray:
        """Log of the chance of every class, all alike before: statistics (STATISTICS,) to (classes,)."""
        likelihood = -0.5 * self.distances(values)
        return np.asarray(likelihood - np.logaddexp.reduce(likelihood))

    def score(self, wave: NDArray[np.floating], rate_hz: int, class_name: str) -> float:
        """How much a sound (samples,) is like a class: log of the chance that it is of the class, plus its log likelihood in it.

        The chance alone says that it is no other class's, not that it is near to its own: most sounds are all but sure, and then far ones
        win by nothing.

        Raises:
            KeyError: the critic does not know the class.
        """
        values, row = statistics(log_bands(wave, rate_hz)), self.classes[class_name]
        return float(self.scores(values)[row] - 0.5 * self.distances(values)[row])
