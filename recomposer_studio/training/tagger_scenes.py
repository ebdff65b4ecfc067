"""Examples for the built-in tagger: composed scenes as log-mel, what sounds in them when, and what the teacher says of them."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import soxr
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.tagging.figures import TrueEvent
from recomposer_studio.tagging.front_end import BANDS, FRAMES_PER_S, PATCH_FRAMES, RATE_HZ, LogMel, log_mel, patches
from recomposer_studio.tagging.ontology import Ontology
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, Tagger
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.scene_spec import UNKNOWN_LABEL, Kind, SceneOptions
from recomposer_studio.training.scenes import Scene, draw_scene

SCENE_S = 10.0
PATCHES = 10
"""Patches without overlap in a scene."""
STEPS = PATCHES * PATCH_FRAMES // FRAMES_PER_STEP
STEPS_PER_PATCH = PATCH_FRAMES // FRAMES_PER_STEP
HEARD_DB = 0.0
"""An event that lies lower over its background is neither asked for nor held against the network."""
EDGE_STEPS = 1
"""An onset is wanted this many steps around the true one."""

_STEP_S = FRAMES_PER_STEP / FRAMES_PER_S
_EQ_DB, _EQ_WAVES = 4.0, 3
_MASKED_BANDS = 8


@dataclass(frozen=True)
class Example:
    """One scene.

    Attributes:
        frames: (960, 64) float16 log-mel.
        events: (n, 4): class (-1 for one that has no name here), first and past-the-last step, level in dB.
        silent_classes: classes that the background may hold, which are neither asked for nor held against the network.
        scores: (10, 521) float16, the teacher's.
        embeddings: (10, width) float16, the teacher's.
    """

    frames: NDArray[np.float16]
    events: NDArray[np.float32]
    silent_classes: tuple[int, ...]
    scores: NDArray[np.float16]
    embeddings: NDArray[np.float16]


@dataclass(frozen=True)
class TaggerBatch:
    """Examples as tensors.

    Attributes:
        frames: (batch, 960, 64) log-mel.
        active: (batch, steps, classes) 1 where a class sounds.
        weight: (batch, steps, classes) 0 where nobody can tell.
        any_active: (batch, steps) 1 where any event sounds.
        any_weight: (batch, steps).
        onset: (batch, steps) 1 around an event's first step.
        events: (n, 4) int64: example, class, first step, past-the-last step.
        rivals: (n, classes) 1 where a class may be named instead of the event's own.
        scores: (batch, 10, 521) the teacher's.
        embeddings: (batch, 10, width) the teacher's.
    """

    frames: Tensor
    active: Tensor
    weight: Tensor
    any_active: Tensor
    any_weight: Tensor
    onset: Tensor
    events: Tensor
    rivals: Tensor
    scores: Tensor
    embeddings: Tensor


def scene_log_mel(scene: Scene) -> LogMel:
    """Log-mel of what the scene's editor would hear, (frames, 64)."""
    return log_mel(soxr.resample(scene.input, scene.rate_hz, RATE_HZ))


def scene_truth(scene: Scene, counted_db: float, classes: Sequence[str] | None = None) -> list[TrueEvent]:
    """Every event of a scene; those of at least `counted_db` over the background, and of one of `classes`, count."""
    events = []
    for sound in scene.spec.sounds:
        stem = scene.stems.get(sound.id)
        if stem is not None and stem.any():
            heard = np.flatnonzero(stem)
            start_s, end_s = heard[0] / scene.rate_hz, (heard[-1] + 1) / scene.rate_hz
            counted = sound.level_db >= counted_db and (classes is None or sound.class_name in classes)
            events.append(TrueEvent(sound.class_name, start_s, end_s, counted))
    return events


class SceneDrawer:
    """Draws scenes of the train split.

    Most are dense and augmented, the others are built like those that figures are measured on, with a wider range of levels.

    Args:
        cache: decoded recordings.
        classes: classes of the activity.
        wanted: classes that more of the targets come from.
        teacher: whose scores are learnt.
        seed: of the draws.
    """

    def __init__(
        self, cache: AudioCache, classes: Sequence[str], wanted: Sequence[str], teacher: Tagger, seed: int
    ) -> None:
        self._cache = cache
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._teacher = teacher
        self._seed = seed << 40
        self._drawn = 0
        dense = SceneOptions(
            tbr_db=(2.0, 18.0),
            other_db=(2.0, 16.0),
            target_s=(0.12, 3.1),
            none_share=0.06,
            noop_share=0.0,
            two_share=0.6,
            distractors=(2, 6),
            room_share=0.3,
            unknown_share=0.1,
            procedural_share=0.08,
            gain_db=(-15.0, 8.0),
        )
        self._dense = (dense, replace(dense, classes=tuple(wanted)))
        self._plain = SceneOptions(tbr_db=(4.0, 24.0), other_db=(0.0, 14.0), classes=tuple(wanted))

    def draw(self) -> Example:
        """The next scene."""
        number = self._drawn
        self._drawn += 1
        kind: Kind = ("train", "train", "overlap", "train", "train", "plain", "train", "train")[number % 8]
        options = self._dense[number % 2] if kind == "train" else self._plain
        scene = draw_scene(self._cache, "train", self._seed + number, kind, "delete", SCENE_S, options)
        return self.example(scene)

    def example(self, scene: Scene) -> Example:
        """A scene as an example."""
        frames = scene_log_mel(scene)[: PATCHES * PATCH_FRAMES]
        levels = {sound.id: (sound.class_name, sound.level_db) for sound in scene.spec.sounds}
        events = []
        for name, stem in scene.stems.items():
            heard = np.flatnonzero(stem)
            if len(heard):
                class_name, level_db = levels[name]
                first, last = (heard[end] / scene.rate_hz / _STEP_S for end in (0, -1))
                known = -1 if class_name == UNKNOWN_LABEL else self._numbers.get(class_name, -1)
                events.append((known, round(first), max(round(first) + 1, round(last)), level_db))
        tags = self._teacher.tag(patches(frames, PATCH_FRAMES))
        return Example(
            frames.astype(np.float16),
            np.array(events, np.float32).reshape(-1, 4),
            tuple(
                sorted(
                    {
                        self._numbers[layer.class_name]
                        for layer in scene.spec.layers
                        if layer.class_name in self._numbers
                    }
                )
            ),
            tags.scores.astype(np.float16),
            tags.embeddings.astype(np.float16),
        )


class TaggerPool:
    """Keeps the last scenes; a batch mixes new ones with old ones, each time heard through another equaliser.

    Args:
        drawer: where new scenes come from.
        classes: classes of the activity.
        size: scenes that are kept.
        seed: of the draws.
    """

    def __init__(self, drawer: SceneDrawer, classes: Sequence[str], size: int, seed: int) -> None:
        self._drawer = drawer
        self._kept: deque[Example] = deque(maxlen=size)
        self._rng = np.random.default_rng(seed)
        self._related = related_classes(classes)

    def batch(self, size: int, fresh: int) -> TaggerBatch:
        """So many scenes, `fresh` of them new."""
        new = [self._drawer.draw() for _ in range(fresh if self._kept else max(size, 4 * fresh))]
        self._kept.extend(new)
        old = [self._kept[int(self._rng.integers(len(self._kept)))] for _ in range(size - min(fresh, size))]
        return collate([*new[: min(fresh, size)], *old], self._related, self._rng)


def related_classes(classes: Sequence[str]) -> NDArray[np.bool_]:
    """(classes, classes) where one lies above the other in the ontology, or both are the same."""
    ontology = Ontology.load()
    return np.array([[ontology.related(a, b) for b in classes] for a in classes])


def collate(
    examples: Sequence[Example], related: NDArray[np.bool_], rng: np.random.Generator | None = None
) -> TaggerBatch:
    """Examples as tensors.

    Args:
        examples: scenes.
        related: `related_classes`.
        rng: draws an equaliser and masked bands for every scene; None leaves them as they are.
    """
    count, classes = len(examples), len(related)
    frames = np.stack([example.frames for example in examples]).astype(np.float32)
    if rng is not None:
        frames = _coloured(frames, rng)
    active = np.zeros((count, STEPS, classes), np.float32)
    weight = np.ones((count, STEPS, classes), np.float32)
    any_active, onset = np.zeros((count, STEPS), np.float32), np.zeros((count, STEPS), np.float32)
    any_weight = np.ones((count, STEPS), np.float32)
    named, rivals = [], []
    for number, example in enumerate(examples):
        weight[number, :, list(example.silent_classes)] = 0.0
        for known, first, last, level_db in example.events:
            span, column = slice(int(first), int(last)), int(known)
            if level_db < HEARD_DB:
                any_weight[number, span] = 0.0
                if column >= 0:
                    weight[number, span, column] = 0.0
        for known, first, last, level_db in example.events:
            span, column = slice(int(first), int(last)), int(known)
            if level_db < HEARD_DB or span.start >= STEPS:
                continue
            any_active[number, span] = any_weight[number, span] = 1.0
            onset[number, max(0, span.start - EDGE_STEPS) : span.start + EDGE_STEPS + 1] = 1.0
            if column >= 0:
                active[number, span, column] = 1.0
                weight[number, span] *= ~related[column]
                named.append((number, column, span.start, min(span.stop, STEPS)))
        weight[number] = np.maximum(weight[number], active[number])
    for number, column, start, stop in named:
        rival = ~related[column]
        rival &= active[number, start:stop].max(axis=0) == 0.0
        rival[column] = True
        rivals.append(rival)
    return TaggerBatch(
        torch.from_numpy(frames),
        torch.from_numpy(active),
        torch.from_numpy(weight),
        torch.from_numpy(any_active),
        torch.from_numpy(any_weight),
        torch.from_numpy(onset),
        torch.tensor(named, dtype=torch.int64).reshape(-1, 4),
        torch.from_numpy(np.array(rivals, np.bool_).reshape(-1, classes)),
        torch.from_numpy(np.stack([example.scores for example in examples]).astype(np.float32)),
        torch.from_numpy(np.stack([example.embeddings for example in examples]).astype(np.float32)),
    )


def _coloured(frames: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Every scene through an equaliser of its own, and a few neighbouring bands levelled out."""
    bands = (np.arange(BANDS) + 0.5) / BANDS
    waves = np.cos(np.pi * np.arange(_EQ_WAVES + 1)[:, None] * bands)
    gains_db = rng.normal(0.0, _EQ_DB / np.sqrt(_EQ_WAVES + 1), (len(frames), _EQ_WAVES + 1)) @ waves
    out = frames + np.asarray(gains_db * (np.log(10.0) / 20.0), np.float32)[:, None]
    for scene in out:
        if width := int(rng.integers(0, _MASKED_BANDS + 1)):
            first = int(rng.integers(0, BANDS - width))
            scene[:, first : first + width] = scene[:, first : first + width].mean()
    return out
