"""Examples for the token decoder: an event's tokens in a box, and the scene around it.

Scenes are composed as band powers (powers of independent sounds add), which costs next to nothing: layers of
background, other events as clutter, and for Enhance the event itself, buried. Tokens are those of the isolated event
at one peak; the engine sets levels itself.

Half of the boxes come with an exemplar, another sound of the class; some examples are mixtures, whole clips with up to two edits, whose
tokens are those of the clip after them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.audio.bands import BANDS, FRAMES_PER_S
from recomposer_studio.codec.interface import Codec
from recomposer_studio.codec.mel_rvq import FLOOR, MelRvqCodec, log_bands, to_vectors
from recomposer_studio.model.conditioning import EVENT_VECTOR, TextVectors, event_vector
from recomposer_studio.model.decoder import (
    CONTEXT_FRAMES,
    EXEMPLAR_FRAMES,
    SCENE_FEATURES,
    Given,
    Output,
    clock,
    mixture_features,
    mixture_gain,
    scene_features,
)
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
_EXEMPLAR = 0.5
"""Share of the boxes with an exemplar."""
_OTHER_SOURCE, _OTHER_EVENT = 0.3, 0.25
"""Shares of the exemplars that are of another source, and another event of the same one; the rest are other variants of the event itself.
What another source tells beyond the class is little: with these alone a network learns to pass exemplars by."""
_NOISY, _NOISE_DB = 0.3, (-30.0, -5.0)
"""Share of the exemplars that lie in a background, as a region of a recording does, and its level below the sound."""
_MIXTURE = 0.125
_MIXTURE_WEIGHT = 0.3
"""A frame of a mixture counts so much: there are many of them."""
_MIXTURE_FRAMES = (50, 150)
_EDITS = (0.1, 0.55, 0.35)
"""Shares of the mixtures with no, one and two edits."""
_KEPT = 0.5
_USUAL_DB, _BURIED_DB, _SPREAD_DB = 10.0, -6.0, 3.0
"""Levels of an event above the background it overlaps: as placed, and before Enhance (the paper's)."""


@dataclass(frozen=True)
class Pool:
    """Everything examples are drawn from.

    Attributes:
        tokens: variants of every event, each (levels, frames) int16.
        class_names: class of every event.
        sources: recording that every event was cut from.
        scenes: band powers of backgrounds, each (bands, frames).
        silence: codes of a silent frame, (levels,).
        powers: log band powers of every variant, (bands, 2 * frames), where codes do not tell them; empty otherwise.
    """

    tokens: tuple[tuple[NDArray[np.int16], ...], ...]
    class_names: tuple[str, ...]
    sources: tuple[str, ...]
    scenes: tuple[NDArray[np.float32], ...]
    silence: NDArray[np.int64]
    powers: tuple[tuple[NDArray[np.float16], ...], ...] = ()


def fill_pool(audio: SplitAudio, codec: Codec, variants: int, seed: int) -> Pool:
    """Encodes the events of a split, each as it is and in `variants` - 1 variants, and measures its backgrounds."""
    rng = np.random.default_rng(seed)
    tokens: list[tuple[NDArray[np.int16], ...]] = []
    powers: list[tuple[NDArray[np.float16], ...]] = []
    for event in audio.events:
        wave = audio.read(event.key)
        sounds = [normalised(wave), *(variant(wave, codec.rate_hz, rng) for _ in range(variants - 1))]
        tokens.append(tuple(codec.encode(sound).astype(np.int16) for sound in sounds))
        if not isinstance(codec, MelRvqCodec):
            powers.append(tuple(log_bands(sound, codec.rate_hz).astype(np.float16) for sound in sounds))
    scenes = tuple(np.exp(log_bands(audio.read(b.key), codec.rate_hz)).astype(np.float32) for b in audio.backgrounds)
    names, sources = tuple(e.class_name for e in audio.events), tuple(e.source_id for e in audio.events)
    return Pool(tuple(tokens), names, sources, scenes, codec.silence, tuple(powers))


@dataclass(frozen=True)
class Example:
    """One box, or one whole clip.

    Attributes:
        scene: `scene_features`, (129, frames + 2 * CONTEXT_FRAMES).
        event: its vector, (128,); zeros for "no roll" and for mixtures.
        tokens: wanted codes, (frames, levels).
        sounding: frames that hold the event, not silence, (frames,); all of a mixture.
        exemplar: codes of another sound of the class, (frames, levels), or None.
        output: what the tokens stand for.
        others: vectors of a mixture's events, (events, 128).
        others_active: their activity, (events, frames + 2 * CONTEXT_FRAMES).
    """

    scene: NDArray[np.float32]
    event: NDArray[np.float32]
    tokens: NDArray[np.int64]
    sounding: NDArray[np.bool_]
    exemplar: NDArray[np.int64] | None = None
    output: Output = Output.EVENT
    others: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, EVENT_VECTOR), np.float32))
    others_active: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))


@dataclass(frozen=True)
class Batch(Given):
    """Examples filled up to one length; `weight` (batch, frames) is 0 in the filling."""

    tokens: Tensor
    clocks: Tensor
    weight: Tensor

    @property
    def frames(self) -> int:
        """Token frames of the longest box."""
        return self.tokens.shape[1]

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        return Batch(**{part.name: getattr(self, part.name).to(device, non_blocking=True) for part in fields(self)})

    def without_exemplars(self) -> "Batch":
        """The same boxes, each without its exemplar."""
        return replace(self, exemplar=self.exemplar[:, :0], present=self.present[:, :0])


def collate(examples: list[Example], silent_weight: float) -> Batch:
    """Stacks examples; silent frames of a box count `silent_weight`."""
    longest = max(len(e.tokens) for e in examples)
    levels = examples[0].tokens.shape[1]
    scene = np.zeros((len(examples), SCENE_FEATURES, longest + 2 * CONTEXT_FRAMES), np.float32)
    tokens = np.zeros((len(examples), longest, levels), np.int64)
    weight = np.zeros((len(examples), longest), np.float32)
    given = max(0 if e.exemplar is None else len(e.exemplar) for e in examples)
    exemplar = np.zeros((len(examples), given, levels), np.int64)
    present = np.zeros((len(examples), given), np.bool_)
    events = max(len(e.others) for e in examples)
    others = np.zeros((len(examples), events, EVENT_VECTOR), np.float32)
    others_active = np.zeros((len(examples), events, scene.shape[2]), np.float32)
    clocks = torch.zeros(len(examples), longest, clock(1).shape[1])
    for row, example in enumerate(examples):
        frames = len(example.tokens)
        scene[row, :, : example.scene.shape[1]] = example.scene
        tokens[row, :frames] = example.tokens
        weight[row, :frames] = np.where(example.sounding, 1.0, silent_weight)
        if example.output is Output.MIXTURE:
            weight[row, :frames] = _MIXTURE_WEIGHT
            others[row, : len(example.others)] = example.others
            others_active[row, : len(example.others), : frames + 2 * CONTEXT_FRAMES] = example.others_active
        if example.exemplar is not None:
            exemplar[row, given - len(example.exemplar) :] = example.exemplar
            present[row, given - len(example.exemplar) :] = True
        clocks[row, :frames] = clock(frames)
    return Batch(
        scene=torch.from_numpy(scene),
        event=torch.from_numpy(np.stack([e.event for e in examples])),
        others=torch.from_numpy(others),
        others_active=torch.from_numpy(others_active),
        output=torch.tensor([int(e.output) for e in examples]),
        exemplar=torch.from_numpy(exemplar),
        present=torch.from_numpy(present),
        tokens=torch.from_numpy(tokens),
        clocks=clocks,
        weight=torch.from_numpy(weight),
    )


class Drawer:
    """Draws examples from a pool; a class is drawn in proportion to the square root of its number of events."""

    def __init__(
        self, pool: Pool, codec: Codec, texts: TextVectors, *, exemplars: bool = True, mixtures: bool = True
    ) -> None:
        """Prepares the draw; `exemplars` and `mixtures` tell whether there are any."""
        # Only the codes of log-mel frames can be told from band powers: other codecs do without mixtures and noisy exemplars.
        self._mel = codec if isinstance(codec, MelRvqCodec) else None
        self._exemplars, self._mixtures = exemplars, mixtures and self._mel is not None
        self._pool = pool
        names = sorted(set(pool.class_names))
        self._members = [np.flatnonzero(np.array(pool.class_names) == name) for name in names]
        roots = np.sqrt([len(m) for m in self._members])
        self._chances = roots / roots.sum()
        self._vectors: Mapping[tuple[str, str], NDArray[np.float32]] = {
            (name, action): event_vector(texts, action, name) for name in [*names, UNKNOWN_LABEL] for action in Action
        }
        where = dict(zip(names, self._members, strict=True))
        self._elsewhere: list[NDArray[np.int64]] = []
        self._beside: list[NDArray[np.int64]] = []
        for event, (name, source) in enumerate(zip(pool.class_names, pool.sources, strict=True)):
            own = np.array([pool.sources[other] == source for other in where[name]])
            self._elsewhere.append(where[name][~own])
            self._beside.append(where[name][own & (where[name] != event)])

    def training(self, seed: int, step: int, batch: int) -> Iterator[Batch]:
        """Four batches of boxes of like kind and length, so that little is filling."""
        rng = np.random.default_rng((seed, step))
        examples = []
        for number in range(_BUCKETS * batch):
            if self._mixtures and number < _MIXTURE * _BUCKETS * batch:
                examples.append(self._mixture(rng))
            else:
                examples.append(self._example(rng, self._event(rng), jitter=True))
        # Mixtures, boxes with exemplars from long to short, boxes without from short to long.
        examples.sort(key=lambda e: (e.exemplar is None, len(e.tokens) * (1 if e.exemplar is None else -1)))
        examples.sort(key=lambda e: e.output, reverse=True)
        for bucket in rng.permutation(_BUCKETS):
            yield collate(examples[bucket * batch : (bucket + 1) * batch], 0.3)

    def validation(self, seed: int, batch: int) -> list[Batch]:
        """Every event once, in its own box, silence not counted."""
        rng = np.random.default_rng(seed)
        examples = [self._example(rng, event, jitter=False) for event in range(len(self._pool.tokens))]
        return _batches(examples, batch)

    def exemplified(self, seed: int, batch: int) -> list[Batch]:
        """Every event that has one in its own box, silence not counted, each with an exemplar of another source."""
        rng = np.random.default_rng(seed)
        chosen = [event for event, others in enumerate(self._elsewhere) if len(others)]
        examples = []
        for event in chosen:
            plain = self._example(rng, event, jitter=False)
            examples.append(replace(plain, exemplar=self._sound(rng, int(rng.choice(self._elsewhere[event])))))
        return _batches(examples, batch)

    def mixtures(self, seed: int, batch: int, count: int) -> list[Batch]:
        """So many mixtures."""
        rng = np.random.default_rng(seed)
        return _batches([self._mixture(rng) for _ in range(count)], batch)

    def _event(self, rng: np.random.Generator) -> int:
        return int(rng.choice(self._members[rng.choice(len(self._members), p=self._chances)]))

    def _example(self, rng: np.random.Generator, event: int, *, jitter: bool) -> Example:
        variants = self._pool.tokens[event]
        used = int(rng.integers(len(variants)))
        sound = variants[used].astype(np.int64)
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
        buried = self._buried(tokens, event, used, early, kept.shape[1]) if action is Action.ENHANCE else None
        power = self._scene(rng, _PAIR * frames, buried)
        scene = scene_features(power, 1.0 / FRAMES_PER_S, _MARGIN / FRAMES_PER_S, frames)
        wanted = jitter and self._exemplars and rng.random() < _EXEMPLAR
        exemplar = self._exemplar(rng, event, used) if wanted else None
        return Example(scene, vector, tokens.T, sounding, exemplar)

    def _sound(self, rng: np.random.Generator, event: int, beside: int | None = None) -> NDArray[np.int64]:
        """Codes of a variant of an event as an exemplar, (frames, levels); never those of the variant `beside`."""
        variants = self._pool.tokens[event]
        chosen = (
            rng.integers(len(variants)) if beside is None else (beside + 1 + rng.integers(max(1, len(variants) - 1)))
        )
        return variants[int(chosen) % len(variants)][:, :EXEMPLAR_FRAMES].T.astype(np.int64)

    def _exemplar(self, rng: np.random.Generator, event: int, used: int) -> NDArray[np.int64] | None:
        """Another sound of the event's class, sometimes in a background; None where there is none."""
        elsewhere, beside = self._elsewhere[event], self._beside[event]
        kind, variants = rng.random(), len(self._pool.tokens[event])
        if len(elsewhere) and kind < _OTHER_SOURCE:
            codes = self._sound(rng, int(rng.choice(elsewhere)))
        elif len(beside) and (kind < _OTHER_SOURCE + _OTHER_EVENT or variants == 1):
            codes = self._sound(rng, int(rng.choice(beside)))
        elif variants > 1:
            codes = self._sound(rng, event, used)
        elif len(elsewhere):
            codes = self._sound(rng, int(rng.choice(elsewhere)))
        else:
            return None
        if self._mel is None or rng.random() >= _NOISY:
            return codes
        power = np.exp(self._mel.dequantise(codes.T))
        behind = _stretch(self._pool.scenes[rng.integers(len(self._pool.scenes))], power.shape[1], rng)
        level_db = 10.0 * np.log10(power.sum(0).mean() / max(float(behind.sum(0).mean()), 1e-12))
        power = power + behind * 10.0 ** ((level_db + rng.uniform(*_NOISE_DB)) / 10.0)
        return self._mel.encode_vectors(to_vectors(np.log(power + FLOOR))).T

    def _mixture(self, rng: np.random.Generator) -> Example:
        """A clip before its edits, and its codes after them."""
        assert self._mel is not None
        frames = int(rng.integers(_MIXTURE_FRAMES[0], _MIXTURE_FRAMES[1] + 1))
        before = self._backgrounds(rng, _PAIR * frames)
        rows: list[tuple[str, Action, int, int]] = []
        for _ in range(int(rng.integers(0, 3))):
            event = self._event(rng)
            first, stop = _put(
                before, np.exp(self._mel.dequantise(self._cut(event, frames))), rng.uniform(-6.0, 10.0), rng
            )
            if rng.random() < _KEPT:
                rows.append((self._pool.class_names[event], Action.KEEP, first, stop))
        after = before.copy()
        edited = np.zeros(frames, np.bool_)
        edits = int(rng.choice(len(_EDITS), p=_EDITS))
        for number in range(edits):
            # Edits do not overlap in time: each has its own part of the clip.
            low, high = frames * number // edits, frames * (number + 1) // edits
            event = self._event(rng)
            sound = self._mel.dequantise(self._cut(event, high - low))
            first = low + int(rng.integers(0, high - low - sound.shape[1] // _PAIR + 1))
            stop = first + sound.shape[1] // _PAIR
            grid = slice(_PAIR * first, _PAIR * stop)
            power = np.exp(sound)
            power *= float(before[:, grid].sum(0).mean()) / max(float(power.sum(0).mean()), 1e-12)
            placed_db, buried_db = rng.normal(_USUAL_DB, _SPREAD_DB), rng.normal(_BURIED_DB, _SPREAD_DB)
            action = (Action.INSERT, Action.DELETE, Action.ENHANCE)[int(rng.integers(3))]
            if action is not Action.INSERT:
                heard_db = placed_db if action is Action.DELETE else buried_db
                before[:, grid] += power * 10.0 ** (heard_db / 10.0)
            if action is not Action.DELETE:
                after[:, grid] += power * 10.0 ** (placed_db / 10.0)
            rows.append((self._pool.class_names[event], action, first, stop))
            edited[first:stop] = True
        others = np.zeros((len(rows), EVENT_VECTOR), np.float32)
        active = np.zeros((len(rows), frames + 2 * CONTEXT_FRAMES), np.float32)
        told = rng.random() >= _NO_ROLL
        for row, (name, action, first, stop) in enumerate(rows):
            others[row] = told * self._vectors[UNKNOWN_LABEL if rng.random() < _UNKNOWN else name, action]
            active[row, CONTEXT_FRAMES + first : CONTEXT_FRAMES + stop] = told
        scene = mixture_features(before, 1.0 / FRAMES_PER_S, edited)
        codes = self._mel.encode_vectors(to_vectors(np.log(np.maximum(after * mixture_gain(before), FLOOR))))
        nobody, all_of_it = np.zeros(EVENT_VECTOR, np.float32), np.ones(frames, np.bool_)
        return Example(scene, nobody, codes.T, all_of_it, None, Output.MIXTURE, others, active)

    def _power(self, event: int) -> NDArray[np.float64]:
        """Log band power of an event, (bands, 2 * frames): what its codes say, or what was measured."""
        if self._mel is not None:
            return self._mel.dequantise(self._pool.tokens[event][0].astype(np.int64))
        return self._pool.powers[event][0].astype(np.float64)

    def _buried(
        self, tokens: NDArray[np.int64], event: int, variant: int, first: int, frames: int
    ) -> NDArray[np.float64]:
        """Log band power of a box with so many frames of an event from `first` on, (bands, 2 * frames of the box)."""
        if self._mel is not None:
            return self._mel.dequantise(tokens)
        power = np.full((BANDS, _PAIR * tokens.shape[1]), np.log(FLOOR))
        measured = self._pool.powers[event][variant]
        power[:, _PAIR * first : _PAIR * (first + frames)] = measured[:, : _PAIR * frames]
        return power

    def _cut(self, event: int, frames: int) -> NDArray[np.int64]:
        """Codes of an event, at most so many frames."""
        return self._pool.tokens[event][0][:, :frames].astype(np.int64)

    def _backgrounds(self, rng: np.random.Generator, frames: int) -> NDArray[np.float64]:
        """Band power of layers of background."""
        power = np.full((BANDS, frames), _LEAST_POWER)
        for layer in range(int(rng.integers(1, 4))):
            part = _stretch(self._pool.scenes[rng.integers(len(self._pool.scenes))], frames, rng)
            power += _levelled(part, 0.0 if layer == 0 else rng.uniform(-12.0, 0.0))
        return power

    def _scene(self, rng: np.random.Generator, box: int, buried: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Band power of a box and its surroundings: backgrounds, clutter, perhaps a buried event (log power)."""
        frames = box + 2 * _MARGIN
        power = self._backgrounds(rng, frames)
        for _ in range(int(rng.integers(0, 3))):
            _put(power, np.exp(self._power(self._event(rng))), rng.uniform(-6.0, 10.0), rng)
        if buried is not None:
            power[:, _MARGIN:-_MARGIN] += _levelled(np.exp(buried), rng.normal(-6.0, 3.0))
        return power


def _batches(examples: list[Example], batch: int) -> list[Batch]:
    """Batches for validation, silence not counted."""
    examples.sort(key=lambda e: len(e.tokens))
    return [collate(examples[first : first + batch], 0.0) for first in range(0, len(examples), batch)]


def _put(
    power: NDArray[np.float64], sound: NDArray[np.floating], level_db: float, rng: np.random.Generator
) -> tuple[int, int]:
    """Adds a sound somewhere, partly outside perhaps; returns its token frames inside, first and past the last."""
    frames, part = power.shape[1], _levelled(sound, level_db)
    first = int(rng.integers(-part.shape[1] + 1, frames))
    low, high = max(0, first), min(frames, first + part.shape[1])
    power[:, low:high] += part[:, low - first : high - first]
    return low // _PAIR, -(-high // _PAIR)


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
