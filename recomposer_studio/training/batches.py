"""Renders scenes in batches on a device: the same specs as `scenes`, the same sound within rounding, as tensors.

What is random was drawn before, as specs. The host reads the recordings, resamples pitched events and makes synthetic
ones, because two resamplers would give two sounds; rooms, tilts, low-passes, tails, fades, levels and sums are worked out
on the device, for all scenes at once. No result is fetched in between, so that a GPU never waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from recomposer_studio.roll.event import Action
from recomposer_studio.training.cache import BLOCK_FRAMES, AudioCache, SplitAudio
from recomposer_studio.training.drawing import draw_spec
from recomposer_studio.training.rooms import fast_length, low_pass_gain, room_response, shifted, tilt_gain
from recomposer_studio.training.scene_spec import SceneOptions, SceneSpec, SoundSpec, check_options
from recomposer_studio.training.scenes import (
    BACKGROUND_DB,
    FADE_IN,
    FADE_OUT,
    QUIETEST_DB,
    TAIL_FLOOR_DB,
    batch_seed,
    recorded,
    recorded_layer,
)


@dataclass(frozen=True)
class SceneBatch:
    """Scenes of one length on one device; all signals are float32 at 32 kHz.

    A scene with fewer sounds than another has silent stems at its end.

    Attributes:
        specs: what was drawn, one for every scene.
        ambience: the background layers alone, (scenes, samples).
        stems: every sound of a scene in the order of its spec, at its level, (scenes, sounds, samples).
        before: factor of every stem in the input, (scenes, sounds): 0 for what is to be inserted.
        after: factor of every stem in the desired output, (scenes, sounds): 0 for what is to be deleted.
        spans: first sample and past-the-last one of every sound, (scenes, sounds, 2) int64; equal where nothing of it
            is left.
    """

    specs: tuple[SceneSpec, ...]
    ambience: Tensor
    stems: Tensor
    before: Tensor
    after: Tensor
    spans: Tensor

    @cached_property
    def input(self) -> Tensor:
        """What the editor hears, (scenes, samples)."""
        return self.ambience + torch.einsum("bk,bkt->bt", self.before, self.stems)

    @cached_property
    def desired(self) -> Tensor:
        """What it should make of it, (scenes, samples)."""
        return self.ambience + torch.einsum("bk,bkt->bt", self.after, self.stems)


def draw_batch(
    audio: SplitAudio,
    seed: int,
    step: int,
    size: int = 16,
    duration_s: float = 3.0,
    options: SceneOptions | None = None,
) -> tuple[SceneSpec, ...]:
    """Specs of one batch of training scenes; `(seed, step)` fixes it, so a resumed run meets the scenes it would have had.

    Raises:
        InputError: the recordings cannot fill such a scene, or the options contradict themselves.
    """
    options = options or SceneOptions()
    check_options(options)
    return tuple(
        draw_spec(audio, batch_seed(seed, step, item, size), "train", None, duration_s, options) for item in range(size)
    )


def render_batch(cache: AudioCache, specs: Sequence[SceneSpec], device: torch.device | str = "cpu") -> SceneBatch:
    """Renders scenes of one split and one length.

    Args:
        cache: decoded recordings.
        specs: at least one; no swap scenes, whose stems are cut at the box.
        device: where to render and where the result lies.

    Raises:
        ValueError: the specs differ in split or length, or one is a swap scene.
        InputError: the library lacks a recording that a spec names.
    """
    if len({(spec.split, spec.frames) for spec in specs}) != 1 or any(spec.swap for spec in specs):
        raise ValueError("a batch holds scenes of one split and one length, and no swap scenes")
    audio, frames = cache.split(specs[0].split), specs[0].frames
    ambience, level = _ambience(audio, specs, frames, device)
    energy = torch.nn.functional.pad(ambience.double().square().cumsum(1), (1, 0))
    most = max(1, *(len(spec.sounds) for spec in specs))
    stems = torch.zeros(len(specs), most, frames, device=device)
    spans = torch.zeros(len(specs), most, 2, dtype=torch.int64, device=device)
    for group in _groups(audio, specs):
        sounds, lengths = _in_rooms(group, device)
        scene, number = (torch.tensor([place[n] for place in group.places], device=device) for n in (0, 1))
        onset, gain = _columns([(s.onset, 10.0 ** (s.level_db / 20.0)) for *_, s in group.places], device)
        ends = torch.stack([onset, onset + lengths], 1).long().clamp(0, frames)
        long_enough = ends[:, 1] - ends[:, 0] >= 2 * FADE_IN
        frames_left = (ends[:, 1] - ends[:, 0]).clamp(min=1)
        behind = ((energy[scene, ends[:, 1]] - energy[scene, ends[:, 0]]) / frames_left).sqrt()
        # A gap in a background would ask for an inaudible event; see `scenes`.
        behind = behind.maximum(level[scene] * 10.0 ** (QUIETEST_DB / 20.0))
        # What lies before the scene's start or after its end is not heard and does not count.
        for row, (*_, sound) in enumerate(group.places):
            sounds[row, : max(0, -sound.onset)] = 0.0
            sounds[row, max(0, frames - sound.onset) :] = 0.0
        loudness = torch.linalg.vector_norm(sounds, dim=1, dtype=torch.float64) / frames_left.sqrt()
        present = long_enough & (loudness > 0)
        sounds *= torch.where(present, gain * behind / loudness, 0.0).float()[:, None]
        for row, (item, stem, sound) in enumerate(group.places):
            first, last = max(0, sound.onset), min(frames, sound.onset + sounds.shape[1])
            if last > first:
                stems[item, stem, first:last] = sounds[row, first - sound.onset : last - sound.onset]
        spans[scene, number] = torch.where(present[:, None], ends, 0)
    factors = np.zeros((2, len(specs), most), np.float32)
    for row, spec in enumerate(specs):
        for column, sound in enumerate(spec.sounds):
            factors[:, row, column] = _factors(sound)
    before, after = torch.from_numpy(factors).to(device)
    return SceneBatch(tuple(specs), ambience, stems, before, after, spans)


def _columns(rows: Sequence[tuple[float, ...]], device: torch.device | str) -> Tensor:
    """The columns of a table as float64, which holds every sample number."""
    return torch.tensor(rows, dtype=torch.float64, device=device).T


def _factors(sound: SoundSpec) -> tuple[float, float]:
    """Of a stem at its level: its factors in the input and in the desired output."""
    if sound.action == Action.DELETE:
        return 1.0, 0.0
    if sound.action == Action.INSERT:
        return 0.0, 1.0
    if sound.action == Action.ENHANCE and sound.wanted_db is not None:
        return 1.0, 10.0 ** ((sound.wanted_db - sound.level_db) / 20.0)
    return 1.0, 1.0


def _ambience(
    audio: SplitAudio, specs: Sequence[SceneSpec], frames: int, device: torch.device | str
) -> tuple[Tensor, Tensor]:
    """The layers of every scene together, (scenes, samples), and their levels as amplitudes, (scenes,)."""
    sums = np.stack([np.sum([recorded_layer(audio, layer, frames) for layer in spec.layers], axis=0) for spec in specs])
    total = torch.from_numpy(sums).to(device)
    low = [number for number, spec in enumerate(specs) if spec.low_pass_hz is not None]
    if low:
        size = fast_length(frames + 256)
        gains = np.stack([low_pass_gain(size, float(specs[number].low_pass_hz or 0.0)) for number in low])
        spectrum = torch.fft.rfft(total[low], size) * torch.from_numpy(gains).to(device)
        total[low] = torch.fft.irfft(spectrum, size)[:, :frames]
    level = torch.tensor([10.0 ** ((BACKGROUND_DB + spec.gain_db) / 20.0) for spec in specs], device=device)
    loudness = torch.linalg.vector_norm(total, dim=1) / frames**0.5
    return total * (level / loudness.clamp(min=1e-9))[:, None], level.double()


@dataclass(frozen=True)
class _Group:
    """Sounds that are filtered by transforms of one size, which is the size that `rooms.in_room` takes for each.

    Attributes:
        size: samples of a transform; 0 for sounds that no filter touches.
        places: (scene, number in the scene, spec) of every sound.
        samples: the sounds on the host, each (frames,).
        specs: of their scenes.
    """

    size: int
    places: list[tuple[int, int, SoundSpec]]
    samples: list[np.ndarray]
    specs: list[SceneSpec]


def _groups(audio: SplitAudio, specs: Sequence[SceneSpec]) -> list[_Group]:
    groups: dict[int, _Group] = {}
    for scene, spec in enumerate(specs):
        for number, sound in enumerate(spec.sounds):
            samples = shifted(recorded(audio, sound), sound.semitones)
            filtered = spec.room is not None or spec.low_pass_hz is not None or sound.tilt_db != 0.0
            tail = spec.room.tail_frames if spec.room else 0
            size = fast_length(len(samples) + tail + 64) if filtered else 0
            group = groups.setdefault(size, _Group(size, [], [], []))
            group.places.append((scene, number, sound))
            group.samples.append(samples)
            group.specs.append(spec)
    return list(groups.values())


def _in_rooms(group: _Group, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """The sounds of a group as they sound in their scenes but for the level, (sounds, samples), and their lengths."""
    width = group.size or max(map(len, group.samples))
    padded = np.zeros((len(group.samples), width), np.float32)
    for row, samples in zip(padded, group.samples, strict=True):
        row[: len(samples)] = samples
    sounds = torch.from_numpy(padded).to(device)
    tails = [spec.room.tail_frames if spec.room else 0 for spec in group.specs]
    lengths = torch.tensor([len(s) + tail for s, tail in zip(group.samples, tails, strict=True)], device=device)
    if group.size:
        spectrum = torch.fft.rfft(sounds, group.size)
        rooms = {spec.room for spec in group.specs if spec.room is not None}
        for room in sorted(rooms, key=repr):
            rows = [row for row, spec in enumerate(group.specs) if spec.room == room]
            response = torch.from_numpy(room_response(room)).to(device)
            spectrum[rows] *= torch.fft.rfft(response, group.size)
        gains = [_gain(group.size, spec, sound) for spec, (*_, sound) in zip(group.specs, group.places, strict=True)]
        spectrum *= torch.from_numpy(np.stack(gains)).to(device)
        sounds = torch.fft.irfft(spectrum, group.size)
        inside = torch.arange(width, device=device) < lengths[:, None]
        sounds = sounds * inside
        in_room = torch.tensor([spec.room is not None for spec in group.specs], device=device)
        lengths = torch.where(in_room, lengths.minimum(_audible(sounds)), lengths)
    return _faded(sounds, lengths), lengths


def _gain(size: int, spec: SceneSpec, sound: SoundSpec) -> np.ndarray:
    gain = np.ones(size // 2 + 1, np.float32)
    if spec.low_pass_hz is not None:
        gain *= low_pass_gain(size, spec.low_pass_hz)
    if sound.tilt_db:
        gain *= tilt_gain(size, sound.tilt_db)
    return gain


def _audible(sounds: Tensor) -> Tensor:
    """Past-the-last sample of the last block that lies above the floor of a tail, (sounds,)."""
    blocks = -(-sounds.shape[1] // BLOCK_FRAMES)
    padded = torch.nn.functional.pad(sounds, (0, blocks * BLOCK_FRAMES - sounds.shape[1]))
    power = padded.reshape(len(sounds), blocks, BLOCK_FRAMES).square().sum(2)
    loud = power >= power.amax(1, keepdim=True) * 10.0 ** (TAIL_FLOOR_DB / 10.0)
    number = torch.arange(1, blocks + 1, device=sounds.device)
    return (loud * number).amax(1) * BLOCK_FRAMES


def _faded(sounds: Tensor, lengths: Tensor) -> Tensor:
    """Faded in and out as in `scenes`; zero past every sound's length."""
    width = sounds.shape[1]
    out = sounds * (torch.arange(width, device=sounds.device) < lengths[:, None])
    for most, ending in ((FADE_IN, False), (FADE_OUT, True)):
        fade = (lengths // 4).clamp(max=most)
        step = torch.arange(min(most, width), device=sounds.device)
        ramp = 0.5 - 0.5 * torch.cos(torch.pi * (step + 0.5) / fade.clamp(min=1)[:, None])
        ramp = torch.where(step < fade[:, None], ramp, 1.0)
        # Past its fade a short sound's ramp is 1, and the place that it is laid on may be taken twice.
        place = (lengths[:, None] - 1 - step).clamp(min=0) if ending else step.expand(len(sounds), -1)
        out.scatter_(1, place, out.gather(1, place) * ramp)
    return out
