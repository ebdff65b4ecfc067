"""Examples for the token decoder: an event's tokens in a box, and the scene around it.

Scenes are composed as band powers (powers of independent sounds add), which costs next to nothing: layers of
background, other events as clutter, and for Enhance the event itself, buried. Tokens are those of the isolated event
at one peak; the engine sets levels itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.audio.bands import BANDS, FRAMES_PER_S
from recomposer_studio.codec.mel_rvq import MelRvqCodec, log_bands
from recomposer_studio.model.conditioning import TextVectors, event_vector
from recomposer_studio.model.decoder import CONTEXT_FRAMES, SCENE_FEATURES, clock, scene_features
from recomposer_studio.roll.event import Action
from recomposer_studio.training.cache import SplitAudio
from recomposer_studio.training.scene_spec import UNKNOWN_LABEL
from recomposer_studio.training.variants import normalised, variant

LONGEST_FRAMES = 120
"""Token frames of the longest box (2.4 s); longer events are cut."""

_PAIR = 2
_MARGIN = _PAIR * CONTEXT_FRAMES
_LATE, _LATEST_FRAMES = 0.15, 3
_CUT_FRAMES = 2
_SLACK_FRAMES = 10
_ENHANCE, _UNKNOWN, _NO_ROLL = 0.2, 0.1, 0.1
_BUCKETS = 4
_LEAST_POWER = 1e-9


@dataclass(frozen=True)
class Pool:
    """Everything examples are drawn from.

    Attributes:
        tokens: variants of every event, each (levels, frames) int16.
        class_names: class of every event.
        scenes: band powers of backgrounds, each (bands, frames).
        silence: codes of a silent frame, (levels,).
    """

    tokens: tuple[tuple[NDArray[np.int16], ...], ...]
    class_names: tuple[str, ...]
    scenes: tuple[NDArray[np.float32], ...]
    silence: NDArray[np.int64]


def fill_pool(audio: SplitAudio, codec: MelRvqCodec, variants: int, seed: int) -> Pool:
    """Encodes the events of a split, each as it is and in `variants` - 1 variants, and measures its backgrounds."""
    rng = np.random.default_rng(seed)
    tokens = []
    for event in audio.events:
        wave = audio.read(event.key)
        sounds = [normalised(wave), *(variant(wave, codec.rate_hz, rng) for _ in range(variants - 1))]
        tokens.append(tuple(codec.encode(sound).astype(np.int16) for sound in sounds))
    scenes = tuple(np.exp(log_bands(audio.read(b.key), codec.rate_hz)).astype(np.float32) for b in audio.backgrounds)
    return Pool(tuple(tokens), tuple(e.class_name for e in audio.events), scenes, codec.silence)


@dataclass(frozen=True)
class Example:
    """One box.

    Attributes:
        scene: `scene_features`, (129, frames + 2 * CONTEXT_FRAMES).
        event: its vector, (128,); zeros for "no roll".
        tokens: wanted codes, (frames, levels).
        sounding: frames that hold the event, not silence, (frames,).
    """

    scene: NDArray[np.float32]
    event: NDArray[np.float32]
    tokens: NDArray[np.int64]
    sounding: NDArray[np.bool_]


@dataclass(frozen=True)
class Batch:
    """Examples filled up to one length; `weight` (batch, frames) is 0 in the filling."""

    scene: Tensor
    event: Tensor
    tokens: Tensor
    clocks: Tensor
    weight: Tensor

    @property
    def frames(self) -> int:
        """Token frames of the longest box."""
        return self.tokens.shape[1]

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        return Batch(*(getattr(self, part.name).to(device, non_blocking=True) for part in fields(self)))


def collate(examples: list[Example], silent_weight: float) -> Batch:
    """Stacks examples; silent frames of a box count `silent_weight`."""
    longest = max(len(e.tokens) for e in examples)
    levels = examples[0].tokens.shape[1]
    scene = np.zeros((len(examples), SCENE_FEATURES, longest + 2 * CONTEXT_FRAMES), np.float32)
    tokens = np.zeros((len(examples), longest, levels), np.int64)
    weight = np.zeros((len(examples), longest), np.float32)
    clocks = torch.zeros(len(examples), longest, clock(1).shape[1])
    for row, example in enumerate(examples):
        frames = len(example.tokens)
        scene[row, :, : example.scene.shape[1]] = example.scene
        tokens[row, :frames] = example.tokens
        weight[row, :frames] = np.where(example.sounding, 1.0, silent_weight)
        clocks[row, :frames] = clock(frames)
    event = torch.from_numpy(np.stack([e.event for e in examples]))
    return Batch(torch.from_numpy(scene), event, torch.from_numpy(tokens), clocks, torch.from_numpy(weight))


class Drawer:
    """Draws examples from a pool; a class is drawn in proportion to the square root of its number of events."""

    def __init__(self, pool: Pool, codec: MelRvqCodec, texts: TextVectors) -> None:
        """Prepares the draw."""
        self._pool = pool
        self._codec = codec
        names = sorted(set(pool.class_names))
        self._members = [np.flatnonzero(np.array(pool.class_names) == name) for name in names]
        roots = np.sqrt([len(m) for m in self._members])
        self._chances = roots / roots.sum()
        self._vectors: Mapping[tuple[str, str], NDArray[np.float32]] = {
            (name, action): event_vector(texts, action, name)
            for name in [*names, UNKNOWN_LABEL]
            for action in (Action.INSERT, Action.ENHANCE)
        }

    def training(self, seed: int, step: int, batch: int) -> Iterator[Batch]:
        """Four batches of boxes of like length, so that little is filling."""
        rng = np.random.default_rng((seed, step))
        examples = [self._example(rng, self._event(rng), jitter=True) for _ in range(_BUCKETS * batch)]
        examples.sort(key=lambda e: len(e.tokens))
        for bucket in rng.permutation(_BUCKETS):
            yield collate(examples[bucket * batch : (bucket + 1) * batch], 0.3)

    def validation(self, seed: int, batch: int) -> list[Batch]:
        """Every event once, in its own box, silence not counted."""
        rng = np.random.default_rng(seed)
        examples = [self._example(rng, event, jitter=False) for event in range(len(self._pool.tokens))]
        examples.sort(key=lambda e: len(e.tokens))
        return [collate(examples[first : first + batch], 0.0) for first in range(0, len(examples), batch)]

    def _event(self, rng: np.random.Generator) -> int:
        return int(rng.choice(self._members[rng.choice(len(self._members), p=self._chances)]))

    def _example(self, rng: np.random.Generator, event: int, *, jitter: bool) -> Example:
        variants = self._pool.tokens[event]
        sound = variants[rng.integers(len(variants))].astype(np.int64)
        early, late = 0, 0
        if jitter:
            early = int(rng.integers(1, _LATEST_FRAMES + 1)) if rng.random() < _LATE else 0
            late = _drawn_slack(rng, sound.shape[1])
        kept = sound[:, : min(sound.shape[1] + min(late, 0), LONGEST_FRAMES - early)]
        frames = min(LONGEST_FRAMES, early + kept.shape[1] + max(late, 0))
        tokens = np.repeat(self._pool.silence[:, None], frames, axis=1)
        tokens[:, early : early + kept.shape[1]] = kept
        sounding = np.zeros(frames, np.bool_)
        sounding[early : early + kept.shape[1]] = True
        action = Action.ENHANCE if jitter and rng.random() < _ENHANCE else Action.INSERT
        name = self._pool.class_names[event]
        if jitter and rng.random() < _UNKNOWN:
            name = UNKNOWN_LABEL
        vector = self._vectors[name, action]
        if jitter and rng.random() < _NO_ROLL:
            vector = np.zeros_like(vector)
        power = self._scene(rng, _PAIR * frames, self._codec.dequantise(tokens) if action is Action.ENHANCE else None)
        scene = scene_features(power, 1.0 / FRAMES_PER_S, _MARGIN / FRAMES_PER_S, frames)
        return Example(scene, vector, tokens.T, sounding)

    def _scene(self, rng: np.random.Generator, box: int, buried: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Band power of a box and its surroundings: backgrounds, clutter, perhaps a buried event (log power)."""
        frames = box + 2 * _MARGIN
        power = np.full((BANDS, frames), _LEAST_POWER)
        for layer in range(int(rng.integers(1, 4))):
            part = _stretch(self._pool.scenes[rng.integers(len(self._pool.scenes))], frames, rng)
            power += _levelled(part, 0.0 if layer == 0 else rng.uniform(-12.0, 0.0))
        for _ in range(int(rng.integers(0, 3))):
            other = self._pool.tokens[self._event(rng)][0].astype(np.int64)
            part = _levelled(np.exp(self._codec.dequantise(other)), rng.uniform(-6.0, 10.0))
            first = int(rng.integers(-part.shape[1] + 1, frames))
            low, high = max(0, first), min(frames, first + part.shape[1])
            power[:, low:high] += part[:, low - first : high - first]
        if buried is not None:
            power[:, _MARGIN:-_MARGIN] += _levelled(np.exp(buried), rng.normal(-6.0, 3.0))
        return power


def _drawn_slack(rng: np.random.Generator, frames: int) -> int:
    """Frames by which a drawn box ends after its event; negative when it cuts it."""
    kind = rng.random()
    if kind < 0.4:
        return 0
    if kind < 0.55:
        return -int(rng.integers(0, min(_CUT_FRAMES, frames // 4) + 1))
    if kind < 0.9:
        return int(rng.integers(0, _SLACK_FRAMES + 1))
    return int(rng.integers(0, 2 * frames + 1))


def _stretch(power: NDArray[np.float32], frames: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """So many frames of a background from a random place; a short one goes round."""
    first = int(rng.integers(power.shape[1]))
    return power[:, np.arange(first, first + frames) % power.shape[1]]


def _levelled(power: NDArray[np.floating], level_db: float) -> NDArray[np.floating]:
    """Powers scaled to a mean total per frame of `level_db` below -20 dB."""
    return power * (10.0 ** ((level_db - 20.0) / 10.0) / max(float(power.sum(0).mean()), 1e-12))
