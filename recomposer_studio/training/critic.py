"""Fitting the critic: a closed form over the events of a split, done in a minute or two."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.codec.mel_rvq import log_bands
from recomposer_studio.model.checkpoint import write_part
from recomposer_studio.model.critic import Critic, statistics
from recomposer_studio.training.cache import AudioCache, SplitAudio
from recomposer_studio.training.manifest import load_manifest
from recomposer_studio.training.variants import normalised, variant

DIMENSIONS = 24
LONGEST_S = 2.4
"""Longer events are cut, as for the decoder."""
_VARIANTS = 3
_SHRINKAGE = 0.3
"""Share of a sphere in the covariance: there are fewer independent recordings than would be needed to know it well."""
_DRAWN_IN = 2.0
"""A class is drawn to the mean of all as if it had so many events more there."""
_LEAST_SPREAD = 0.1
_FARTHEST = 4.0


@dataclass(frozen=True)
class CriticTraining:
    """What `train_critic` needs.

    Attributes:
        data: the manifest of recordings, or its folder.
        out: checkpoint folder.
        seed: of the variants.
        share_alike: use recordings under CC BY-SA too.
        cache: folder that keeps decoded recordings between runs, or None.
    """

    data: Path
    out: Path
    seed: int = 0
    share_alike: bool = False
    cache: Path | None = None


def fit(values: NDArray[np.float64], names: Sequence[str], weights: NDArray[np.float64]) -> Critic:
    """A critic from numbers (n, of one sound) about sounds, their classes and how much each counts."""
    known = sorted(set(names))
    rows = {name: row for row, name in enumerate(known)}
    of = np.array([rows[name] for name in names])
    centre, spread = values.mean(axis=0), values.std(axis=0) + _LEAST_SPREAD
    relative = np.clip((values - centre) / spread, -_FARTHEST, _FARTHEST)
    counts = np.bincount(of, weights)
    means = np.stack([weights[of == row] @ relative[of == row] for row in range(len(known))])
    means /= (counts + _DRAWN_IN)[:, None]
    rest = relative - means[of]
    within = (rest * weights[:, None]).T @ rest / weights.sum()
    within = (1.0 - _SHRINKAGE) * within + _SHRINKAGE * np.trace(within) / len(within) * np.eye(len(within))
    size, axes = np.linalg.eigh(within)
    white = axes / np.sqrt(size)
    placed = means @ white
    _, between = np.linalg.eigh((placed * counts[:, None]).T @ placed)
    projection = white @ between[:, ::-1][:, :DIMENSIONS]
    parts = (centre, spread, projection, means @ projection)
    return Critic(rows, *(np.ascontiguousarray(part, np.float32) for part in parts))


def fit_events(audio: SplitAudio, seed: int = 0) -> Critic:
    """A critic from the events of a split, each as it is and in variants; a recording counts by the root of its events."""
    rng = np.random.default_rng(seed)
    per_source = Counter(event.source_id for event in audio.events)
    values, names, weights = [], [], []
    for event in audio.events:
        wave = audio.read(event.key, 0, round(LONGEST_S * 32_000))
        for number in range(_VARIANTS):
            sound = normalised(wave) if number == 0 else variant(wave, 32_000, rng)
            values.append(statistics(log_bands(sound, 32_000)))
            names.append(event.class_name)
            weights.append(per_source[event.source_id] ** -0.5)
    return fit(np.stack(values), names, np.array(weights))


def train_critic(options: CriticTraining) -> None:
    """Fits a critic to the train split and puts it into a checkpoint.

    Raises:
        InputError: the recordings cannot be read, or the folder cannot be written.
    """
    library = load_manifest(options.data, share_alike=options.share_alike)
    critic = fit_events(AudioCache(library, options.cache).split("train"), options.seed)
    write_part(options.out, "critic", critic.config(), critic.tensors())
