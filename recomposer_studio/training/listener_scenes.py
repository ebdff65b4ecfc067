"""Scenes for the listener, put together from band powers alone.

A mask needs phases, cross terms and exact levels, so its scenes are composed as sound. To know a class from another, powers on the band grid
are enough: thousands of scenes a minute, each of whose cells says whose power it holds. The power of a sum is the sum of the powers and a cross
term, which is drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.audio.bands import BANDS, BandGrid
from recomposer_studio.model.listener import PAIR, STEP
from recomposer_studio.model.mask import level_planes
from recomposer_studio.training.cache import RATE_HZ, SplitAudio

FRAMES = 256
"""Frames of a scene, 2.56 s."""
MOST_SOUNDS = 4

_EVENT_S, _BACKGROUND_S = 8.0, 20.0
_LONGEST = 200
_MARGIN = 5
_COUNTS = (0.25, 0.4, 0.25, 0.1)
_TOGETHER = 0.7
_LEVEL_DB, _PAIR_LEVEL_DB = (-6.0, 14.0), (0.0, 13.0)
_SECOND_LAYER, _LAYER_DB = 0.4, (-10.0, 0.0)
_SHIFTED, _SHIFT_BANDS, _SPEED = 0.6, 3.0, (0.8, 1.25)
_EQ_DB, _SCENE_EQ_DB, _EQ_WAVES = 3.0, 4.0, 3
_SCENE_EQ, _HIDDEN = 0.5, 0.5
_CROSS = 0.25
_TRAINED_WEIGHT = 2.5
_ENOUGH_FRAMES = 10

_FloatArray = NDArray[np.float64]


def log_power(samples: NDArray[np.float32]) -> NDArray[np.float16]:
    """Logarithm of the band power of a whole sound at 32 kHz, (bands, frames)."""
    grid = BandGrid.at(RATE_HZ)
    start, stop = grid.span(0, len(samples) // grid.hop + 1)
    padded = np.pad(samples, (-start, max(0, stop - len(samples))))[: stop - start]
    return np.log(np.maximum(grid.power(grid.stft(padded.astype(np.float64))), 1e-12)).astype(np.float16)


@dataclass(frozen=True)
class SoundBank:
    """The recordings of a split as band powers.

    Attributes:
        events: class -> its sources -> their events, each (bands, frames).
        weights: how readily each class is drawn, in the order of `events`; they sum to 1.
        backgrounds: each (bands, frames).
    """

    events: Mapping[str, Sequence[Sequence[NDArray[np.float16]]]]
    weights: _FloatArray
    backgrounds: Sequence[NDArray[np.float16]]

    @staticmethod
    def of(audio: SplitAudio, trained: Sequence[str], classes: Sequence[str] | None = None) -> "SoundBank":
        """Reads a split.

        Args:
            audio: the split.
            trained: classes with recordings enough, which are drawn more often.
            classes: classes that are drawn at all, None for all.
        """
        found: dict[str, dict[str, list[NDArray[np.float16]]]] = {}
        for event in audio.events:
            if classes is None or event.class_name in classes:
                power = log_power(audio.read(event.key, 0, round(_EVENT_S * RATE_HZ)))
                found.setdefault(event.class_name, {}).setdefault(event.source_id, []).append(power)
        events = {name: tuple(map(tuple, found[name].values())) for name in sorted(found)}
        weights = np.array(
            [len(sources) ** 0.5 * (_TRAINED_WEIGHT if name in trained else 1.0) for name, sources in events.items()]
        )
        frames = round(_BACKGROUND_S * RATE_HZ)
        backgrounds = tuple(log_power(audio.read(file.key, 0, frames)) for file in audio.backgrounds)
        return SoundBank(events, weights / weights.sum(), backgrounds)

    def background(self, rng: np.random.Generator) -> NDArray[np.float16]:
        """A run of `FRAMES` frames of a background, repeated where it is shorter."""
        whole = self.backgrounds[int(rng.integers(len(self.backgrounds)))]
        start = int(rng.integers(0, max(1, whole.shape[1] - FRAMES)))
        return np.take(whole, range(start, start + FRAMES), axis=1, mode="wrap")

    def event(self, rng: np.random.Generator, besides: str | None = None) -> tuple[str, NDArray[np.float16]]:
        """A class, another than `besides`, and an event of it: each source as often as the others."""
        names = list(self.events)
        weights = self.weights * np.array([name != besides for name in names])
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        sources = self.events[name]
        source = sources[int(rng.integers(len(sources)))]
        return name, source[int(rng.integers(len(source)))]


@dataclass(frozen=True)
class ListenerBatch:
    """Scenes as tensors.

    Attributes:
        planes: (batch, 2, bands, frames).
        classes: of up to four sounds, (batch, 4); -1 for none.
        shares: of the sounds and last of the background in the power of every cell, (batch, 5, bands / 2, steps).
    """

    planes: Tensor
    classes: Tensor
    shares: Tensor


def draw_batch(
    bank: SoundBank, classes: Mapping[str, int], rng: np.random.Generator, size: int, *, pairs: bool = False
) -> ListenerBatch:
    """Draws scenes.

    Args:
        bank: the recordings.
        classes: name -> number.
        rng: source of all chance.
        size: scenes.
        pairs: for validation: two sounds of different classes that lie over one another, unchanged; otherwise one to four, shifted, stretched
            and through equalisers.
    """
    scenes = [_scene(bank, classes, rng, pairs) for _ in range(size)]
    planes, numbers, shares = (torch.from_numpy(np.stack(part)) for part in zip(*scenes, strict=True))
    return ListenerBatch(planes, numbers, shares)


def _scene(
    bank: SoundBank, classes: Mapping[str, int], rng: np.random.Generator, pairs: bool
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    background = _background(bank, rng, pairs)
    numbers = np.full(MOST_SOUNDS, -1, np.int64)
    sounds = np.zeros((MOST_SOUNDS, BANDS, FRAMES))
    busy = np.zeros(FRAMES, np.bool_)
    anchor: tuple[int, int] | None = None
    name: str | None = None
    for number in range(2 if pairs else 1 + int(rng.choice(len(_COUNTS), p=_COUNTS))):
        name, recorded = bank.event(rng, name if pairs else None)
        power = recorded.astype(np.float64)
        if not pairs and rng.random() < _SHIFTED:
            power = _shifted(power, rng.uniform(-_SHIFT_BANDS, _SHIFT_BANDS), rng.uniform(*_SPEED))
        power = np.exp(power[:, :_LONGEST] + (0.0 if pairs else _equaliser(rng, _EQ_DB)))
        length = power.shape[1]
        start = _onset(rng, length, anchor, pairs or rng.random() < _TOGETHER)
        anchor = anchor or (start, start + length)
        under = background[:, start : start + length].mean()
        level_db = rng.uniform(*(_PAIR_LEVEL_DB if pairs else _LEVEL_DB))
        sounds[number, :, start : start + length] = power / power.mean() * under * 10.0 ** (level_db / 10.0)
        numbers[number] = classes[name]
        busy[start : start + length] = True
    cross = np.clip(rng.normal(0.0, _CROSS, (MOST_SOUNDS, BANDS, FRAMES)), -2 * _CROSS, 2 * _CROSS)
    mixture = background + sounds.sum(0) + (2.0 * np.sqrt(sounds * background) * cross).sum(0)
    colour = np.zeros((BANDS, 1)) if pairs or rng.random() >= _SCENE_EQ else _equaliser(rng, _SCENE_EQ_DB)
    level = np.log(np.maximum(mixture, 1e-9 * mixture.mean())) + colour
    around = level[:, ~busy] if (~busy).sum() >= _ENOUGH_FRAMES else np.log(background) + colour
    planes = np.stack(level_planes(level, around.mean(axis=1, keepdims=True))).astype(np.float32)
    if not pairs and rng.random() < _HIDDEN:
        first = int(rng.integers(0, BANDS - 8))
        planes[:, first : first + int(rng.integers(2, 8))] = 0.0
    cells = np.concatenate([sounds, background[None]])
    cells = cells.reshape(len(cells), BANDS // PAIR, PAIR, FRAMES // STEP, STEP).sum(axis=(2, 4))
    return planes, numbers, (cells / cells.sum(axis=0)).astype(np.float32)


def _background(bank: SoundBank, rng: np.random.Generator, plain: bool) -> _FloatArray:
    total = np.zeros((BANDS, FRAMES))
    for layer in range(1 + int(rng.random() < _SECOND_LAYER)):
        power = np.exp(bank.background(rng).astype(np.float64) + (0.0 if plain else _equaliser(rng, _EQ_DB)))
        total += power / power.mean() * 10.0 ** ((rng.uniform(*_LAYER_DB) if layer else 0.0) / 10.0)
    return total / total.mean()


def _onset(rng: np.random.Generator, length: int, anchor: tuple[int, int] | None, together: bool) -> int:
    """First frame of a sound: the first one's anywhere, the others' mostly somewhere on it."""
    if anchor is None:
        return int(rng.integers(_MARGIN, max(_MARGIN + 1, FRAMES - length - _MARGIN)))
    if together:
        near = rng.integers(anchor[0] - length // 2, anchor[1] - length // 2 + 1)
        return int(np.clip(near, 0, FRAMES - length))
    return int(rng.integers(0, FRAMES - length + 1))


def _shifted(power: _FloatArray, bands: float, speed: float) -> _FloatArray:
    """Log power moved up by so many bands and played at another speed, by linear interpolation."""
    moved = _interpolated(power, np.clip(np.arange(BANDS) - bands, 0, BANDS - 1))
    frames = power.shape[1]
    return _interpolated(moved.T, np.linspace(0, frames - 1, max(2, int(frames / speed)))).T


def _interpolated(rows: _FloatArray, at: _FloatArray) -> _FloatArray:
    low = np.floor(at).astype(int)
    part = (at - low)[:, None]
    return rows[low] * (1.0 - part) + rows[np.minimum(low + 1, len(rows) - 1)] * part


def _equaliser(rng: np.random.Generator, strength_db: float) -> _FloatArray:
    """A smooth random gain over the bands, natural logarithm of power, (bands, 1)."""
    x = np.linspace(0.0, np.pi, BANDS)
    gain_db = np.zeros(BANDS)
    for wave in range(1, _EQ_WAVES + 1):
        gain_db += rng.normal() * strength_db / wave * np.cos(wave * x + rng.uniform(0.0, 2.0 * np.pi))
    return (gain_db * np.log(10.0) / 10.0)[:, None]
