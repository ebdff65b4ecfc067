"""Examples for the mask head, cut from composed scenes.

A scene's stems are known one by one, so any sound in it can be the one that is asked about: two questions are asked of every scene, which
also teaches that the question matters. Everything is computed at 32 kHz on the band grid from the very spectra an edit would change: with
X = B + T the power of the mixture is measured, cross terms and all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.audio.bands import BandGrid
from recomposer_studio.editing.generator import BoxView
from recomposer_studio.editing.regions import Window, active_frames
from recomposer_studio.editing.repair import repair_share
from recomposer_studio.model.conditioning import EVENT_VECTOR, TextVectors, event_vector
from recomposer_studio.model.mask import clipped, mask_features
from recomposer_studio.roll.event import Action
from recomposer_studio.training.cache import RATE_HZ, AudioCache
from recomposer_studio.training.scene_spec import UNKNOWN_LABEL, SceneOptions
from recomposer_studio.training.scenes import Scene, batch_seed, draw_scene

SECONDS = 3.0
"""Length of a training scene."""
QUESTIONS = 2
"""Questions that are asked about one scene."""
CROP = 216
"""Frames of an example: the box with about as much around it as the engine looks at."""

_SHORTEST_S = 0.1
_ABSENT = 0.04
_UNNAMED = 0.08
_TRUE_BOX = 0.5
_OUTWARD_S, _INWARD_S = 0.2, 0.05
_COMPANY = 0.4
_SWAPPED, _SHARED = 0.5, 0.5
"""How often a question has the box of another sound, and how much of that box the sound asked about must fill. Were every box drawn round
what it names, a network would learn to go by the box alone."""
_WANTED_DB = (7.0, 13.0)
_BY_DB = (4.0, 24.0)
_CUT = 0.1
_EDGE = 2

_FloatArray = NDArray[np.float64]
_Float32Array = NDArray[np.float32]
_ComplexArray = NDArray[np.complex128]
_BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class MaskExample:
    """One question and its answer; every array has its frames last.

    Attributes:
        features: `mask_features`, (258, frames).
        repair: clipped share of spectral repair, (bands, frames) float64.
        query: vector of the event asked about, (128,).
        others: vectors of the other events of its group, (events, 128).
        others_active: their activity, (events, frames).
        active: frames of the box, (frames,).
        mixture: measured band power of the input, (bands, frames).
        target: of the event alone.
        rest: of everything else.
        gain: factor on the event's amplitude in the desired output; 0 for Delete and Keep.
    """

    features: _Float32Array
    repair: _FloatArray
    query: _Float32Array
    others: _Float32Array
    others_active: _Float32Array
    active: _BoolArray
    mixture: _Float32Array
    target: _Float32Array
    rest: _Float32Array
    gain: float

    @property
    def desired(self) -> _Float32Array:
        """Band power of the desired output, (bands, frames).

        Of B + kT: |B|^2 + k^2 |T|^2 + k times the cross term, which is what the mixture has beyond |B|^2 + |T|^2.
        """
        cross = self.mixture - self.rest - self.target
        return np.maximum(0.0, self.rest + self.gain**2 * self.target + self.gain * cross)


@dataclass(frozen=True)
class MaskBatch:
    """Examples of one length as tensors, batch first; fields as in `MaskExample`."""

    features: Tensor
    repair: Tensor
    query: Tensor
    others: Tensor
    others_active: Tensor
    active: Tensor
    mixture: Tensor
    target: Tensor
    rest: Tensor
    desired: Tensor
    gain: Tensor

    def to(self, device: torch.device) -> "MaskBatch":
        """The batch on a device."""
        return MaskBatch(*(getattr(self, part.name).to(device, non_blocking=True) for part in fields(self)))


def cropped(example: MaskExample, frames: int, rng: np.random.Generator) -> MaskExample:
    """A run of `frames` frames that holds the box, or a part of it where it is longer; where it begins is drawn."""
    total = example.features.shape[1]
    box = np.flatnonzero(example.active)
    first, last = (int(box[0]), int(box[-1])) if len(box) else (0, total - 1)
    ends = sorted((last + 1 - frames, first))
    start = int(np.clip(rng.integers(ends[0], ends[1] + 1), 0, max(0, total - frames)))
    cut = slice(start, start + frames)
    names = ("features", "repair", "others_active", "active", "mixture", "target", "rest")
    return replace(example, **{name: getattr(example, name)[..., cut] for name in names})


def collate(examples: Sequence[MaskExample]) -> MaskBatch:
    """Stacks examples of one length; companies are filled up with inactive events."""

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(e, name) for e in examples]))

    most = max(1, *(len(e.others) for e in examples))
    others = np.zeros((len(examples), most, EVENT_VECTOR), np.float32)
    others_active = np.zeros((len(examples), most, examples[0].features.shape[1]), np.float32)
    for row, example in enumerate(examples):
        others[row, : len(example.others)] = example.others
        others_active[row, : len(example.others)] = example.others_active
    return MaskBatch(
        stacked("features"),
        stacked("repair"),
        stacked("query"),
        torch.from_numpy(others),
        torch.from_numpy(others_active),
        stacked("active").float(),
        stacked("mixture"),
        stacked("target"),
        stacked("rest"),
        stacked("desired"),
        torch.tensor([e.gain for e in examples], dtype=torch.float32),
    )


class _Signals:
    """Spectra of a scene's signals over a run of frames whose windows lie wholly inside it."""

    def __init__(self, scene: Scene, first: int, frames: int) -> None:
        self.grid = BandGrid.at(scene.rate_hz)
        self.first, self.frames = first, frames
        self.input = self.spectrum(scene.input)
        self.input_power = self.power(self.input)

    def spectrum(self, samples: NDArray[np.float32]) -> _ComplexArray:
        start, stop = self.grid.span(self.first, self.frames)
        inside = samples[max(0, start) : max(0, stop)]
        padded = np.pad(inside, (max(0, -start), stop - max(0, start) - len(inside)))
        return self.grid.stft(padded.astype(np.float64))

    def power(self, spectrum: _ComplexArray) -> _FloatArray:
        return self.grid.power(spectrum)

    def active(self, box: tuple[float, float]) -> _BoolArray:
        return active_frames(box[0], box[1], self.first, self.frames, self.grid.hop_s)


class RememberedTexts:
    """Text vectors, looked up once each: the same few hundred labels are asked for all the time."""

    def __init__(self, texts: TextVectors) -> None:
        """Wraps a table."""
        self._texts = texts
        self._known: dict[str, _Float32Array] = {}

    def vector(self, text: str) -> _Float32Array:
        """Vector of any text, shape (64,)."""
        if text not in self._known:
            self._known[text] = self._texts.vector(text)
        return self._known[text]


def _question(
    texts: TextVectors,
    signals: _Signals,
    action: Action,
    label: str,
    box: tuple[float, float],
    target: _ComplexArray | None,
    gain: float,
    company: Sequence[tuple[Action, str, tuple[float, float]]],
    beyond: _BoolArray,
) -> MaskExample:
    """One example; `target` None asks about a sound that is not there, `beyond` marks frames outside the file."""
    inside = ~beyond
    mixture = signals.input_power * inside
    event = np.zeros_like(mixture) if target is None else signals.power(target) * inside
    rest = mixture.copy() if target is None else signals.power(signals.input - target) * inside
    active = signals.active(box)
    others_active = np.array([signals.active(other) for _, _, other in company]).reshape(len(company), signals.frames)
    busy = beyond.copy()
    for (other_action, _, _), frames in zip(company, others_active, strict=True):
        if other_action is not Action.KEEP:
            busy |= frames
    hop_s = signals.grid.hop_s
    repair = repair_share(mixture, active, busy, hop_s, protect=action is Action.KEEP)
    vectors = [event_vector(texts, other_action.value, name) for other_action, name, _ in company]
    return MaskExample(
        mask_features(BoxView(mixture, hop_s, active, others_active, busy, repair)),
        clipped(repair),
        event_vector(texts, action.value, label),
        np.array(vectors, np.float32).reshape(len(company), EVENT_VECTOR),
        others_active.astype(np.float32),
        active,
        mixture.astype(np.float32),
        event.astype(np.float32),
        rest.astype(np.float32),
        gain,
    )


def _extent(stem: NDArray[np.float32]) -> tuple[float, float] | None:
    """Onset and offset of what is not silent, in seconds."""
    heard = np.flatnonzero(stem)
    return (heard[0] / RATE_HZ, (heard[-1] + 1) / RATE_HZ) if len(heard) else None


def scene_options(rng: np.random.Generator) -> SceneOptions:
    """What a training scene is like; always at the metric's loudness.

    Levels lie mostly around those of the task, in one of six scenes down to -20 dB. Half of the scenes hold no further event: with
    crowded scenes alone a network leaves too much of an event that is alone in its box, which spectral repair takes whole.
    """
    crowd = ((0, 0), (0, 2), (1, 4))[int(rng.choice(3, p=(0.5, 0.3, 0.2)))]
    wide = rng.random() < 1 / 6
    return SceneOptions(
        gain_db=(0.0, 0.0),
        edit_weights=(0.5, 0.0, 0.5),
        none_share=0.0,
        noop_share=0.0,
        two_share=0.3,
        distractors=crowd,
        covered_share=0.8,
        tbr_db=(-20.0, 13.0) if wide else (4.0, 13.0),
        enhance_input_tbr_db=(-20.0, 4.0) if wide else (-11.0, -1.0),
    )


class ExampleKeeper:
    """Batches of examples, most of them heard before: drawing a scene costs as much as half a step of the network.

    Every batch has some fresh examples; the rest come at random from the latest few hundred, so each is used a few times, long apart.
    """

    def __init__(self, seed: int, size: int, capacity: int = 480) -> None:
        """Keeps nothing yet.

        Args:
            seed: of the choice among earlier examples.
            size: examples in a batch.
            capacity: examples that are kept.
        """
        self._seed, self._size, self._capacity = seed, size, capacity
        self._kept: list[MaskExample] = []

    def batch(self, step: int, fresh: Sequence[MaskExample]) -> MaskBatch:
        """The batch of a step: what is fresh, filled up with earlier examples; smaller while there are too few."""
        rng = np.random.default_rng([12, self._seed, step])
        old = rng.permutation(len(self._kept))[: self._size - len(fresh)]
        examples = [*fresh, *(self._kept[int(n)] for n in old)]
        self._kept = [*self._kept, *fresh][-self._capacity :]
        return collate(examples)


def draw_examples(cache: AudioCache, texts: TextVectors, seed: int, step: int, count: int) -> list[MaskExample]:
    """The fresh examples of a step; they follow from `(seed, step)`."""
    examples: list[MaskExample] = []
    item = 0
    while len(examples) < count:
        scene_seed = batch_seed(seed, step, item, 64)
        rng = np.random.default_rng([11, scene_seed])
        scene = draw_scene(cache, "train", scene_seed, "train", None, SECONDS, scene_options(rng))
        examples += [cropped(e, CROP, rng) for e in scene_examples(scene, texts, cache, rng)]
        item += 1
    return examples[:count]


def scene_examples(
    scene: Scene, texts: TextVectors, cache: AudioCache, rng: np.random.Generator, questions: int = QUESTIONS
) -> list[MaskExample]:
    """Questions about a training scene; fewer than asked for where it holds too little."""
    sounds = {sound.id: sound for sound in scene.spec.sounds}
    boxes = {name: box for name, stem in scene.stems.items() if name in sounds and (box := _extent(stem)) is not None}
    long_enough = [name for name, box in boxes.items() if box[1] - box[0] >= _SHORTEST_S]
    edited = [name for name in long_enough if sounds[name].role == "target"]
    order = [*rng.permutation(edited), *rng.permutation([name for name in long_enough if name not in edited])]
    frames = int(scene.spec.frames // BandGrid.at(RATE_HZ).hop) - 2 * _EDGE
    signals = _Signals(scene, _EDGE, frames)
    out: list[MaskExample] = []
    for asked in order[:questions]:
        name = str(asked)
        sound, true_box = sounds[name], boxes[name]
        swapped = rng.random() < _SWAPPED and sound.class_name != UNKNOWN_LABEL
        if swapped:
            true_box = _box_of_another(name, boxes, long_enough, rng)
        box = true_box if rng.random() < _TRUE_BOX else _drawn(true_box, scene.spec.frames / RATE_HZ, rng)
        action = Action(sound.action) if sound.action else _any_action(rng)
        label = UNKNOWN_LABEL if rng.random() < _UNNAMED and not swapped else sound.class_name
        target: _ComplexArray | None = signals.spectrum(scene.stems[name])
        if rng.random() < _ABSENT:
            label, target = _absent_class(cache, {s.class_name for s in sounds.values()}, rng), None
            start_s = (
                float(rng.uniform(0.1, SECONDS - 0.1 - (box[1] - box[0]))) if box[1] - box[0] < SECONDS - 0.2 else 0.0
            )
            box = (start_s, start_s + box[1] - box[0])
        beyond = _cut_file(signals, box, rng)
        company = [
            (_company_action(rng), sounds[other].class_name, _drawn(other_box, SECONDS, rng))
            for other, other_box in boxes.items()
            if other != name and other_box[0] < box[1] and other_box[1] > box[0] and rng.random() < _COMPANY
        ]
        out.append(
            _question(texts, signals, action, label, box, target, _gain(action, sound.level_db, rng), company, beyond)
        )
    return out


def evaluation_example(scene: Scene, texts: TextVectors) -> MaskExample:
    """The one question of a scene for evaluation, in the window that the engine would look at."""
    edit = scene.edit
    row = next(row for row in scene.events if row.id == edit.event_id)
    window = Window.around(row, BandGrid.at(scene.rate_hz))
    signals = _Signals(scene, window.first, window.frames)
    edges = signals.grid.span(window.first, 1)[0] + np.arange(window.frames) * signals.grid.hop
    beyond = (edges < 0) | (edges + signals.grid.n_fft > scene.spec.frames)
    gain = 0.0 if edit.wanted_db is None else 10.0 ** ((edit.wanted_db - edit.input_db) / 20.0)
    company = [
        (other.action, other.label, (other.start_s, other.end_s))
        for other in scene.events
        if other.action is Action.KEEP and other.start_s < row.end_s and other.end_s > row.start_s
    ]
    target = signals.spectrum(edit.before)
    return _question(texts, signals, edit.action, row.label, (row.start_s, row.end_s), target, gain, company, beyond)


def _gain(action: Action, level_db: float, rng: np.random.Generator) -> float:
    """Factor on the event's amplitude: Enhance by as much as scenes ask for (input to wanted level), at least a few dB."""
    if action is not Action.ENHANCE:
        return 0.0
    by_db = np.clip(rng.uniform(*_WANTED_DB) - level_db, *_BY_DB)
    return float(10.0 ** (by_db / 20.0))


def _box_of_another(
    name: str, boxes: Mapping[str, tuple[float, float]], choice: Sequence[str], rng: np.random.Generator
) -> tuple[float, float]:
    """The box of another sound that shares at least half of it with this one; the sound's own where there is none."""
    start_s, end_s = boxes[name]
    shared = [
        (low_s, high_s)
        for low_s, high_s in (boxes[other] for other in choice if other != name)
        if min(end_s, high_s) - max(start_s, low_s) >= _SHARED * (high_s - low_s)
    ]
    return shared[int(rng.integers(len(shared)))] if shared else boxes[name]


def _any_action(rng: np.random.Generator) -> Action:
    return (Action.DELETE, Action.ENHANCE, Action.KEEP)[int(rng.choice(3, p=(0.4, 0.3, 0.3)))]


def _company_action(rng: np.random.Generator) -> Action:
    return (Action.KEEP, Action.DELETE, Action.ENHANCE)[int(rng.choice(3, p=(0.7, 0.2, 0.1)))]


def _absent_class(cache: AudioCache, heard: set[str], rng: np.random.Generator) -> str:
    names = sorted({event.class_name for event in cache.split("train").events} - heard)
    return names[int(rng.integers(len(names)))] if names else UNKNOWN_LABEL


def _drawn(box: tuple[float, float], end_s: float, rng: np.random.Generator) -> tuple[float, float]:
    """A box as people draw it: each edge up to 0.2 s outward or 0.05 s inward."""
    start_s = max(0.0, box[0] + rng.uniform(-_OUTWARD_S, _INWARD_S))
    stop_s = min(end_s, box[1] + rng.uniform(-_INWARD_S, _OUTWARD_S))
    return (start_s, stop_s) if stop_s - start_s >= 0.5 * (box[1] - box[0]) else box


def _cut_file(signals: _Signals, box: tuple[float, float], rng: np.random.Generator) -> _BoolArray:
    """In one of ten examples the file begins shortly before the box or ends shortly after it."""
    times = (signals.first + np.arange(signals.frames)) * signals.grid.hop_s
    if rng.random() >= _CUT:
        return np.zeros(signals.frames, np.bool_)
    if rng.random() < 0.5:
        return times < box[0] - rng.uniform(0.0, 0.6)
    return times > box[1] + rng.uniform(0.0, 0.6)
