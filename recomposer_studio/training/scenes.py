"""Composes scenes: a background, events in it, and the same scene as it should sound after the edit.

Definitions: Delete: in = b + t, out = b. Insert: in = b, out = b + t. Enhance: in = b + t at its faint level, out = b +
t at its wanted level. TBR is the power of the event in its box over the power of the background layers alone in the
same box. The background lies at -26 dBFS RMS over the scene. A target is exactly zero outside its true box, so input
and desired agree to the bit there.

Every scene follows from its `SceneSpec`; drawing one (`drawing`) and rendering it (here) are separate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.training.cache import RATE_HZ, AudioCache, SplitAudio, audible_span
from recomposer_studio.training.drawing import draw_spec
from recomposer_studio.training.procedural import procedural_event
from recomposer_studio.training.rooms import fast_length, in_room, low_pass_gain, shifted
from recomposer_studio.training.scene_spec import (
    Kind,
    LayerSpec,
    SceneOptions,
    SceneSpec,
    SoundSpec,
    check_options,
)

BACKGROUND_DB = -26.0
TAIL_FLOOR_DB = -40.0

FADE_IN, FADE_OUT = 32, 320
QUIETEST_DB = -34.0


@dataclass(frozen=True)
class Edit:
    """One edited event of a scene.

    Attributes:
        event_id: id of its row and of its stem.
        action: what the row asks for.
        class_name: what it is, which is also the row's label.
        truth_box: its true onset and offset in seconds.
        drawn_box: the box as a person might draw it.
        input_db: its level over the background in the input (Insert: in the desired output).
        wanted_db: its level over the background in the desired output, None for Delete.
        before: samples (frames,) float32 of the event in the input (Insert: zeros).
        after: samples (frames,) float32 of the event in the desired output (Delete: zeros).
    """

    event_id: str
    action: Action
    class_name: str
    truth_box: tuple[float, float]
    drawn_box: tuple[float, float]
    input_db: float
    wanted_db: float | None
    before: np.ndarray
    after: np.ndarray


@dataclass(frozen=True)
class Scene:
    """One composed scene; every signal is (frames,) float32 mono at `rate_hz`.

    Attributes:
        spec: everything that was drawn.
        rate_hz: 32000.
        ambience: the background layers alone, against which TBR is measured.
        background: everything but the edited events: layers and all other events.
        target: the edited events at their input level; for Insert the event that would be added.
        input: what the editor hears.
        desired: what it should make of it.
        events: rows of the roll: edits, rows that name nothing, keep rows.
        edits: the edited events, in the order of `events`; empty when nothing is to be edited.
        stems: event id -> the event as in `background` or `target`. In a swap scene "other-1" is its part inside the
            box and "other-1-rest" the remainder.
    """

    spec: SceneSpec
    rate_hz: int
    ambience: np.ndarray
    background: np.ndarray
    target: np.ndarray
    input: np.ndarray
    desired: np.ndarray
    events: tuple[Event, ...]
    edits: tuple[Edit, ...]
    stems: dict[str, np.ndarray]

    @property
    def roll(self) -> EventRoll:
        """The rows as a roll."""
        return EventRoll(self.events)

    @property
    def edit(self) -> Edit:
        """The first edit (scenes for evaluation have exactly one).

        Raises:
            ValueError: the scene has none.
        """
        if not self.edits:
            raise ValueError("this scene has no edit")
        return self.edits[0]

    @property
    def truth_box(self) -> tuple[float, float]:
        """True onset and offset in seconds of the first edit."""
        return self.edit.truth_box

    @property
    def drawn_box(self) -> tuple[float, float]:
        """The first edit's box as a person might draw it, in seconds."""
        return self.edit.drawn_box


@dataclass(frozen=True)
class _Placed:
    spec: SoundSpec
    start: int
    sound: np.ndarray

    @property
    def stop(self) -> int:
        return self.start + len(self.sound)

    def box(self) -> tuple[float, float]:
        return self.start / RATE_HZ, self.stop / RATE_HZ


def draw_scene(
    cache: AudioCache,
    split: str,
    rng_seed: int,
    kind: Kind = "plain",
    action: str | None = None,
    duration_s: float = 10.0,
    options: SceneOptions | None = None,
) -> Scene:
    """Draws and renders a scene; the same arguments give the same samples.

    Args:
        cache: decoded recordings.
        split: train, valid or test.
        rng_seed: any whole number from 0.
        kind: plain, overlap, decoy or train, see `drawing.draw_spec`.
        action: delete, insert or enhance; None draws one (train: one for every edit).
        duration_s: length of the scene in seconds.
        options: ranges and shares.

    Raises:
        InputError: the recordings cannot fill such a scene, or the options contradict themselves.
    """
    options = options or SceneOptions()
    check_options(options)
    audio = cache.split(split)
    return _render(audio, draw_spec(audio, rng_seed, kind, action, duration_s, options))


def render_scene(cache: AudioCache, spec: SceneSpec) -> Scene:
    """Renders a spec again.

    Raises:
        InputError: the library lacks a recording that the spec names.
    """
    return _render(cache.split(spec.split), spec)


def batch_seed(seed: int, step: int, item: int, batch: int = 16) -> int:
    """A distinct scene seed for every item of every training step of a run (runs of different `seed` do not meet)."""
    return (seed << 40) + step * batch + item


def _render(audio: SplitAudio, spec: SceneSpec) -> Scene:
    ambience, level = _ambience(audio, spec)
    sums = np.concatenate([[0.0], np.cumsum(np.square(ambience, dtype=np.float64))])
    placed = [p for s in spec.sounds if (p := _place(audio, spec, s, sums, level)) is not None]
    stems = {p.spec.id: _dense(p, spec.frames) for p in placed}
    if spec.swap:
        edits = [_swap(placed, stems)]
    else:
        edits = [
            _edit(p, stems[p.spec.id], _drawn(p.box(), p.spec.jitter_s, spec.frames)) for p in placed if p.spec.action
        ]
    edited = {e.event_id for e in edits}
    background = ambience.copy()
    for name, stem in stems.items():
        if name not in edited:
            background += stem
    target, changed, wanted = np.zeros_like(background), background.copy(), background.copy()
    for edit in edits:
        target += edit.after if edit.action is Action.INSERT else edit.before
        changed += edit.before
        wanted += edit.after
    return Scene(
        spec,
        RATE_HZ,
        ambience,
        background,
        target,
        changed,
        wanted,
        _rows(spec, edits, placed),
        tuple(edits),
        stems,
    )


def _ambience(audio: SplitAudio, spec: SceneSpec) -> tuple[np.ndarray, float]:
    """The layers together at -26 dBFS plus the scene's gain, and that level as an amplitude."""
    total = np.zeros(spec.frames, np.float32)
    for layer in spec.layers:
        total += recorded_layer(audio, layer, spec.frames)
    if spec.low_pass_hz is not None:
        size = fast_length(spec.frames + 256)
        filtered = np.fft.irfft(np.fft.rfft(total, size) * _low_pass(size, spec.low_pass_hz), size)
        total = filtered[: spec.frames].astype(np.float32, copy=False)
    level = 10.0 ** ((BACKGROUND_DB + spec.gain_db) / 20.0)
    return total * np.float32(level / max(_rms(total), 1e-9)), level


def _place(audio: SplitAudio, spec: SceneSpec, sound: SoundSpec, sums: np.ndarray, level: float) -> _Placed | None:
    """The sound in the scene's room at its level, cut to the scene; None when nothing of it is left."""
    samples = shifted(recorded(audio, sound), sound.semitones)
    samples = in_room(samples, spec.room, spec.low_pass_hz, sound.tilt_db)
    if spec.room is not None:
        samples = samples[: audible_span(samples, TAIL_FLOOR_DB)[1]]
    samples = _faded(samples)
    start, stop = max(0, sound.onset), min(spec.frames, sound.onset + len(samples))
    samples = samples[start - sound.onset : stop - sound.onset]
    if stop - start < 2 * FADE_IN or not samples.any():
        return None
    # A gap in a background would ask for an inaudible event, so the reference never falls below -34 dB of the scene's
    # level.
    behind = max(np.sqrt((sums[stop] - sums[start]) / (stop - start)), level * 10.0 ** (QUIETEST_DB / 20.0))
    gain = behind * 10.0 ** (sound.level_db / 20.0) / _rms(samples)
    return _Placed(sound, start, samples * np.float32(gain))


def recorded_layer(audio: SplitAudio, layer: LayerSpec, frames: int) -> np.ndarray:
    """A layer of background with a mean power of its own level, (frames,) float32; silence past the recording's end.

    Raises:
        InputError: the split lacks the recording.
    """
    try:
        sound = audio.read(layer.key, layer.start, frames)
    except KeyError:
        raise _lacking(audio, layer.key) from None
    sound *= np.float32(10.0 ** (layer.gain_db / 20.0) / max(_rms(sound), 1e-5))
    return np.pad(sound, (0, frames - len(sound)))


def recorded(audio: SplitAudio, sound: SoundSpec) -> np.ndarray:
    """An event as it was recorded, or made, (frames,) float32; a crop of a background with its fades.

    Raises:
        InputError: the split lacks the recording.
    """
    if sound.key.startswith("procedural:"):
        _, kind, variant = sound.key.split(":")
        return procedural_event(kind, int(variant))
    try:
        if sound.crop is None:
            return audio.read(sound.key)
        start, frames, fade = sound.crop
        samples = audio.read(sound.key, start, frames)
    except KeyError:
        raise _lacking(audio, sound.key) from None
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade, dtype=np.float32) + 0.5) / fade)
    samples[:fade] *= ramp
    samples[-fade:] *= ramp[::-1]
    return samples


def _faded(samples: np.ndarray) -> np.ndarray:
    """A copy with 1 ms faded in and 10 ms faded out: files are cut close, and a stem must not click."""
    out = samples.copy()
    rise, fall = min(FADE_IN, len(out) // 4), min(FADE_OUT, len(out) // 4)
    out[:rise] *= _ramp(rise)
    out[len(out) - fall :] *= _ramp(fall)[::-1]
    return out


@lru_cache(maxsize=8)
def _ramp(frames: int) -> np.ndarray:
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(frames) + 0.5) / max(1, frames))).astype(np.float32)


@lru_cache(maxsize=4)
def _low_pass(size: int, cutoff_hz: float) -> np.ndarray:
    return low_pass_gain(size, cutoff_hz)


def _edit(placed: _Placed, stem: np.ndarray, drawn_box: tuple[float, float]) -> Edit:
    spec = placed.spec
    action = Action(str(spec.action))
    nothing = np.zeros_like(stem)
    if action is Action.DELETE:
        before, after, wanted_db = stem, nothing, None
    elif action is Action.INSERT:
        before, after, wanted_db = nothing, stem, spec.level_db
    else:
        wanted_db = spec.level_db if spec.wanted_db is None else spec.wanted_db
        before, after = stem, stem * np.float32(10.0 ** ((wanted_db - spec.level_db) / 20.0))
    return Edit(spec.id, action, spec.class_name, placed.box(), drawn_box, spec.level_db, wanted_db, before, after)


def _swap(placed: Sequence[_Placed], stems: dict[str, np.ndarray]) -> Edit:
    """Delete the *other* event inside the target's box; splits its stem at the box."""
    target = next(p for p in placed if p.spec.role == "target")
    other = next(p for p in placed if p.spec.role == "other")
    whole = stems[other.spec.id]
    gate = np.zeros_like(whole)
    gate[target.start : target.stop] = 1.0
    fall = min(FADE_OUT, (target.stop - target.start) // 4)
    gate[target.start : target.start + fall] = _ramp(fall)
    gate[target.stop - fall : target.stop] = _ramp(fall)[::-1]
    inside = whole * gate
    stems[other.spec.id], stems[f"{other.spec.id}-rest"] = inside, whole - inside
    box = target.box()
    drawn = _drawn(box, target.spec.jitter_s, len(whole))
    return Edit(
        other.spec.id,
        Action.DELETE,
        other.spec.class_name,
        box,
        drawn,
        other.spec.level_db,
        None,
        inside,
        np.zeros_like(inside),
    )


def _drawn(box: tuple[float, float], jitter_s: tuple[float, float], frames: int) -> tuple[float, float]:
    end_s = frames / RATE_HZ
    start = min(max(0.0, box[0] + jitter_s[0]), box[0] + 0.45 * (box[1] - box[0]))
    stop = max(min(end_s, box[1] + jitter_s[1]), box[1] - 0.45 * (box[1] - box[0]))
    return start, stop


def _rows(spec: SceneSpec, edits: Sequence[Edit], placed: Sequence[_Placed]) -> tuple[Event, ...]:
    """The roll that goes with the scene: edits, then rows that name nothing, then keep rows."""
    boxes = {e.event_id: e.truth_box if spec.boxes == "truth" else e.drawn_box for e in edits}
    if spec.boxes == "drawn":
        _separate(boxes)
    sounds = {p.spec.id: p.spec for p in placed}
    rows = []
    for edit in edits:
        start_s, end_s = boxes[edit.event_id]
        row = Event(
            id=edit.event_id, action=edit.action, label=edit.class_name, start_s=start_s, end_s=end_s, row=edit.event_id
        )
        if sounds[edit.event_id].by_gain and edit.wanted_db is not None:
            row = replace(row, by_db=edit.wanted_db - edit.input_db)
        elif edit.wanted_db is not None:
            row = replace(row, level_db=edit.wanted_db)
        rows.append(row)
    for part in spec.absent:
        row = Event(
            id=part.id,
            action=Action(part.action),
            label=part.class_name,
            start_s=part.start_s,
            end_s=part.end_s,
            row=part.id,
        )
        rows.append(replace(row, level_db=part.level_db))
    for p in placed:
        if p.spec.keep and p.spec.id not in boxes:
            box = p.box() if spec.boxes == "truth" else _drawn(p.box(), p.spec.jitter_s, spec.frames)
            rows.append(
                Event(
                    id=p.spec.id,
                    action=Action.KEEP,
                    label=p.spec.class_name,
                    start_s=box[0],
                    end_s=box[1],
                    row=p.spec.id,
                )
            )
    return tuple(rows)


def _separate(boxes: dict[str, tuple[float, float]]) -> None:
    """Edits never overlap in time: drawn boxes that would are cut at the middle of their overlap."""
    ordered = sorted(boxes, key=lambda name: boxes[name])
    for first, second in pairwise(ordered):
        if boxes[first][1] > boxes[second][0]:
            middle = 0.5 * (boxes[first][1] + boxes[second][0])
            boxes[first], boxes[second] = (boxes[first][0], middle), (middle, boxes[second][1])


def _dense(placed: _Placed, frames: int) -> np.ndarray:
    stem = np.zeros(frames, np.float32)
    stem[placed.start : placed.stop] = placed.sound
    return stem


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.dot(samples, samples) / max(1, len(samples))))


def _lacking(audio: SplitAudio, key: str) -> InputError:
    return InputError(
        f"{audio.name}: the split '{audio.split}' lacks '{key}'; use the library the scene was drawn from."
    )
