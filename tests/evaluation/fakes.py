"""A classifier, a codec and a model whose answers are known, and scenes to ask them about."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from recomposer_studio.editing.generator import MaskRequest, SoundRequest
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.editors import Task
from recomposer_studio.roll.event import Action
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.tagging.front_end import Patches
from recomposer_studio.tagging.tagger import Tags
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.scene_spec import Kind
from recomposer_studio.training.scenes import render_scene


@dataclass
class SpectrumScorer:
    """Takes the spectrum of a patch for class scores."""

    name: str = "spectrum"
    classes: tuple[str, ...] = LabelTable.load().classes
    patches_scored: int = 0

    def scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        self.patches_scored += len(patches)
        power = np.abs(np.fft.rfft(patches[:, : 15600 // 15 * 15].reshape(len(patches), 15, -1), axis=2)).mean(axis=1)
        scores = power[:, :521] / np.maximum(power[:, :521].max(axis=1, keepdims=True), 1e-9)
        return np.pad(scores, ((0, 0), (0, 521 - scores.shape[1]))).astype(np.float32)


class SingleClassScorer:
    """Gives one class the score 1 where a patch is louder than usual, else nothing."""

    name = "single class"

    def __init__(self, number: int, level: float) -> None:
        self.number, self.level = number, level
        self.classes = LabelTable.load().classes

    def scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.full((len(patches), 521), 0.1, np.float32)
        out[:, self.number] = np.where(np.sqrt(np.mean(patches**2, axis=1)) > self.level, 1.0, 0.0)
        return out


class BandTagger:
    """A tagger of seven classes: each scores the mean of a few bands."""

    name = "bands"
    digest = "ab" * 32
    classes = ("Bell", "Bark", "Door", "Beep, bleep", "Wind", "Rain", "Sea")

    def tag(self, patches: Patches) -> Tags:
        bands = patches.reshape(len(patches), 96, 8, 8).mean(axis=(1, 3))[:, :7]
        return Tags((1 / (1 + np.exp(-bands))).astype(np.float32), np.zeros((len(patches), 2), np.float32))


class PassingCodec:
    """A codec at 16 kHz that loses nothing but what its rate cannot hold."""

    rate_hz = 16_000
    hop = 320
    levels = 1
    silence = np.zeros(1, np.int64)
    codebooks = torch.zeros(1, 1, 1)

    def encode(self, wave: NDArray[np.floating]) -> NDArray[np.int64]:
        padded = np.pad(wave, (0, -len(wave) % 320))
        return np.rint(padded * 2**20).astype(np.int64).reshape(1, -1)

    def decode(self, tokens: NDArray[np.integer], seed: int = 0) -> NDArray[np.float32]:
        return (tokens[0] / 2**20).astype(np.float32)


@dataclass
class ListeningModel:
    """Claims half of every box, inserts noise, and remembers what it was told."""

    rate_hz: int = 32_000
    name: str = "listener"
    digest: str = "00"
    classes: frozenset[str] = frozenset()
    better_than_repair: frozenset[Action] = frozenset()
    told: list[tuple[str, str]] = field(default_factory=list)

    def share(self, request: MaskRequest) -> NDArray[np.float64]:
        self.told.append((request.event.action.value, request.event.label))
        return np.where(request.active, 0.5, 0.0) * np.ones_like(request.power)

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        self.told.append((request.event.action.value, request.event.label))
        noise = np.random.default_rng(5).standard_normal(round(request.duration_s * self.rate_hz))
        return (0.1 * noise).astype(np.float32)


def task_of(cache: AudioCache, kind: Kind, action: str, seed: int = 3, **more: bool) -> Task:
    """The task on one short scene of the valid split."""
    sampler = Sampler(cache.split("valid"), 1, seed, duration_s=4.0)
    spec = sampler.specs(kind, action, **more)[0]  # type: ignore[arg-type]
    return Case("test", (), spec).task(render_scene(cache, spec))
