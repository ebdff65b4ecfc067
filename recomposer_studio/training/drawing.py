"""Draws scene specs: which recordings, where, how loud, which rows. No audio is touched here, only lengths."""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from recomposer_studio.errors import InputError
from recomposer_studio.training.cache import RATE_HZ, SplitAudio
from recomposer_studio.training.manifest import SPLITS, BackgroundFile, EventFile
from recomposer_studio.training.procedural import KINDS as PROCEDURAL_KINDS
from recomposer_studio.training.procedural import VARIANTS, class_of, procedural_event
from recomposer_studio.training.rooms import Room, shifted_frames
from recomposer_studio.training.scene_spec import (
    UNKNOWN_LABEL,
    AbsentSpec,
    Kind,
    LayerSpec,
    SceneOptions,
    SceneSpec,
    SoundSpec,
)

ACTIONS = ("delete", "insert", "enhance")
OUTWARD_S, INWARD_S = 0.2, 0.05

_TRIES = 64
_REDRAWS = 8
_GAP = round(0.05 * RATE_HZ)
_CLASS_POWER = 0.5


@dataclass(frozen=True)
class _Draw:
    """A sound before it has a place and a level."""

    class_name: str
    key: str
    source_id: str
    frames: int
    crop: tuple[int, int, int] | None = None


class _EventTable:
    """Events grouped by class and source: classes by count^0.5, sources of a class alike, files of a source alike."""

    def __init__(self, audio: SplitAudio, events: Collection[EventFile]) -> None:
        groups: dict[str, dict[str, list[_Draw]]] = {}
        counts: dict[str, int] = {}
        for event in events:
            draw = _Draw(event.class_name, event.key, event.source_id, audio.frames(event.key))
            groups.setdefault(event.class_name, {}).setdefault(event.source_id, []).append(draw)
            counts[event.class_name] = counts.get(event.class_name, 0) + 1
        self.names = tuple(groups)
        self._sources = {name: tuple(tuple(files) for files in by.values()) for name, by in groups.items()}
        self._steps = np.cumsum(np.array([counts[n] for n in self.names], np.float64) ** _CLASS_POWER)

    def draw(self, rng: np.random.Generator) -> _Draw:
        place = rng.random() * self._steps[-1]
        return self.draw_of(rng, self.names[int(np.searchsorted(self._steps, place, side="right"))])

    def draw_of(self, rng: np.random.Generator, class_name: str) -> _Draw:
        sources = self._sources[class_name]
        files = sources[int(rng.integers(len(sources)))]
        return files[int(rng.integers(len(files)))]


@dataclass
class _Board:
    """A scene while it is being drawn."""

    audio: SplitAudio
    rng: np.random.Generator
    frames: int
    options: SceneOptions
    tail: int = 0
    layers: list[LayerSpec] = field(default_factory=list)
    sounds: list[SoundSpec] = field(default_factory=list)
    absent: list[AbsentSpec] = field(default_factory=list)
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)

    def between(self, limits: tuple[float, float]) -> float:
        return float(self.rng.uniform(*limits))

    def length(self, draw: _Draw, semitones: float) -> int:
        return shifted_frames(draw.frames, semitones) + self.tail

    def jitter(self) -> tuple[float, float]:
        return self.between((-OUTWARD_S, INWARD_S)), self.between((-INWARD_S, OUTWARD_S))


def draw_spec(
    audio: SplitAudio,
    seed: int,
    kind: Kind = "plain",
    action: str | None = None,
    duration_s: float = 10.0,
    options: SceneOptions | None = None,
) -> SceneSpec:
    """Draws a scene of one split.

    Scenes of one seed use the same recordings whatever the boxes and, for `plain` and `overlap`, the action and the
    level ranges.

    Args:
        audio: decoded recordings of a split.
        seed: any whole number from 0; with the split it fixes the scene.
        kind: plain (background and target), overlap (two layers and one other event over the target), decoy (a decoy
            beside the target), train (dense, augmented).
        action: delete, insert or enhance; None draws one.
        duration_s: length of the scene in seconds.
        options: ranges and shares.

    Raises:
        InputError: the recordings cannot fill such a scene.
    """
    check_draw(seed, duration_s)
    options = options or SceneOptions()
    if options.swap and (kind != "overlap" or action not in (None, "delete")):
        raise InputError("the swap test needs overlap scenes and the action delete; change kind or action.")
    split_number = SPLITS.index(audio.split)
    board = _Board(audio, np.random.default_rng([split_number, seed]), round(duration_s * RATE_HZ), options)
    drawn = ACTIONS[int(board.rng.choice(3, p=np.array(options.edit_weights) / sum(options.edit_weights)))]
    given = action
    action = "delete" if options.swap else action or drawn
    room, low_pass_hz, gain_db = None, None, 0.0
    if kind == "train":
        room, low_pass_hz, gain_db = _draw_surroundings(board)
        _draw_train(board, given)
    elif kind == "overlap":
        _draw_overlap(board, action)
    elif kind == "decoy":
        _draw_decoy(board, action)
    else:
        _draw_plain(board, action)
    return SceneSpec(
        kind,
        audio.split,
        seed,
        board.frames,
        tuple(board.layers),
        tuple(board.sounds),
        tuple(board.absent),
        room,
        low_pass_hz,
        gain_db,
        options.boxes or ("drawn" if kind == "train" else "truth"),
        options.swap,
    )


def check_draw(seed: int, duration_s: float) -> None:
    """Refuses what no scene can be drawn with.

    Raises:
        InputError: the seed is negative, or the duration is no length.
    """
    if seed < 0:
        raise InputError(f"the seed {seed} is negative; give a whole number from 0")
    if not 1.0 <= duration_s <= 600.0:
        raise InputError(f"a scene of {duration_s:g} s cannot be composed; give a duration from 1 to 600 seconds")


def _draw_plain(board: _Board, action: str) -> None:
    draw = _draw_target(board)
    _place_target(board, draw, action, _onset(board, draw.frames, edge_s=1.0))
    _draw_layers(board, 1, {draw.class_name})


def _draw_overlap(board: _Board, action: str) -> None:
    for _ in range(_TRIES):
        draw = _draw_target(board)
        other = _draw_event(board, board.frames // 2, {draw.class_name}, -(-draw.frames // 2), {draw.source_id})
        if other is not None:
            break
    else:
        raise _unusable(board, "two events of different classes and sources, one covering half of the other")
    onset = _onset(board, draw.frames, edge_s=1.0)
    _place_target(board, draw, action, onset)
    start = _covering_onset(board, onset, draw.frames, other.frames)
    _place(
        board,
        other,
        "other",
        start,
        board.between(board.options.other_db),
        keep=board.rng.random() < board.options.keep_share,
    )
    _draw_layers(board, 2, {draw.class_name, other.class_name})


def _draw_decoy(board: _Board, action: str) -> None:
    draw = _draw_target(board)
    _place_target(board, draw, action, _onset(board, draw.frames, edge_s=1.0))
    if action != "delete":
        for _ in range(_TRIES):
            decoy = _draw_event(board, board.frames // 3, {draw.class_name})
            if decoy is not None:
                start = _free_onset(board, decoy.frames, list(board.spans.values()))
                if start is not None:
                    _place(board, decoy, "decoy", start, board.between(board.options.tbr_db))
                    break
        else:
            raise _unusable(board, "a decoy of another class beside the target")
    _draw_layers(board, 1, {s.class_name for s in board.sounds})


def _draw_surroundings(board: _Board) -> tuple[Room | None, float | None, float]:
    options, rng = board.options, board.rng
    room, low_pass_hz = None, None
    if rng.random() < options.room_share:
        room = Room(int(rng.integers(2**31)), float(0.12 * 5.0 ** rng.random()), board.between((3.0, 15.0)))
        board.tail = room.tail_frames
    if rng.random() < options.low_pass_share:
        low_pass_hz = float(3500.0 * 4.0 ** rng.random())
    return room, low_pass_hz, board.between(options.gain_db)


def _draw_train(board: _Board, only: str | None) -> None:
    options, rng = board.options, board.rng
    place = rng.random()
    noop = place < options.noop_share
    edits = 0 if place < options.noop_share + options.none_share else 2 if rng.random() < options.two_share else 1
    weights = np.array(options.edit_weights) / sum(options.edit_weights)
    longest = board.frames - 2 * _GAP
    for _ in range(edits):
        action = only or ACTIONS[int(rng.choice(3, p=weights))]
        draw = _draw_target(board, augmented=True, recorded=action == "insert")
        semitones, tilt_db = _augment(board)
        start = _free_onset(board, board.length(draw, semitones), [board.spans[s.id] for s in board.sounds], longest)
        if start is not None:
            by_gain = bool(rng.random() < options.by_share)
            _place_target(board, draw, action, start, semitones, tilt_db, by_gain)
    targets = list(board.sounds)
    for number in range(int(rng.integers(options.distractors[0], options.distractors[1] + 1))):
        target = targets[int(rng.integers(len(targets)))] if targets else None
        add = partial(_add_clutter, board)
        if number == 0 and target is not None and rng.random() < options.covered_share:
            add = partial(_add_cover, board, target)
        elif number == 1 and target is not None and rng.random() < options.same_class_share:
            add = partial(_add_same_class, board, target)
        # A draw may fail, because its source is in the scene already or does not fit; the scene is to be dense all the same.
        if not any(add() for _ in range(_REDRAWS)):
            any(_add_clutter(board) for _ in range(_REDRAWS))
    if noop:
        _add_absent(board, only)
    names = {s.class_name for s in board.sounds}
    more = int(rng.choice(3, p=np.array(options.layers) / sum(options.layers)))
    _draw_layers(board, 1 + more, names, required=1)


def _draw_target(board: _Board, augmented: bool = False, recorded: bool = True) -> _Draw:
    """A target: recorded, or in training also a crop of a background or synthetic."""
    low, high = (round(s * RATE_HZ) for s in board.options.target_s)
    high = min(high, board.frames - 2 * _GAP - board.tail)
    if augmented:
        place = board.rng.random()
        if place < board.options.unknown_share and not recorded:
            draw = _unknown(board)
            if draw is not None:
                return draw
        elif board.options.unknown_share <= place < board.options.unknown_share + board.options.procedural_share:
            synthetic = _procedural(board)
            wanted = board.options.classes is None or synthetic.class_name in board.options.classes
            if wanted and synthetic.source_id not in board.sources:
                return synthetic
    table = _table(board.audio, board.options)
    for _ in range(_TRIES):
        draw = table.draw(board.rng)
        if low <= draw.frames <= high and draw.source_id not in board.sources:
            return draw
    raise _unusable(board, f"a target of {board.options.target_s[0]} to {board.options.target_s[1]} s")


def _draw_event(
    board: _Board,
    max_frames: int,
    not_classes: Collection[str],
    min_frames: int = 0,
    not_sources: Collection[str] = (),
) -> _Draw | None:
    """A recorded event of any class but some, from a source not yet in the scene."""
    table = _table(board.audio, None)
    for _ in range(_TRIES):
        draw = table.draw(board.rng)
        fresh = draw.source_id not in board.sources and draw.source_id not in not_sources
        if fresh and draw.class_name not in not_classes and min_frames <= draw.frames <= max_frames:
            return draw
    return None


def _draw_any(board: _Board, not_classes: Collection[str]) -> _Draw | None:
    """A distractor for training: recorded, synthetic, or a crop of a background."""
    place = board.rng.random()
    if place < board.options.unknown_share:
        return _unknown(board)
    if place < board.options.unknown_share + board.options.procedural_share:
        draw = _procedural(board)
        return None if draw.class_name in not_classes or draw.source_id in board.sources else draw
    return _draw_event(board, board.frames, not_classes)


def _unknown(board: _Board) -> _Draw | None:
    backgrounds = board.audio.backgrounds
    file = backgrounds[int(board.rng.integers(len(backgrounds)))]
    frames = round(board.between((0.25, 1.5)) * RATE_HZ)
    total = board.audio.frames(file.key)
    if file.source_id in board.sources or total <= frames:
        return None
    fade = round(board.between((0.01, 0.1)) * RATE_HZ)
    return _Draw(
        UNKNOWN_LABEL, file.key, file.source_id, frames, (int(board.rng.integers(total - frames)), frames, fade)
    )


def _procedural(board: _Board) -> _Draw:
    kind = PROCEDURAL_KINDS[int(board.rng.integers(len(PROCEDURAL_KINDS)))]
    # Every split has variants of its own: what is heard in training is never met in validation.
    variant = int(board.rng.integers(VARIANTS)) + VARIANTS * SPLITS.index(board.audio.split)
    name = f"procedural:{kind}:{variant}"
    return _Draw(class_of(kind), name, name, len(procedural_event(kind, variant)))


def _augment(board: _Board) -> tuple[float, float]:
    options, rng = board.options, board.rng
    # Whole eighths of a semitone and of a dB: few distinct values let the filters be cached.
    semitones = round(8 * board.between((-options.semitones, options.semitones))) / 8 if rng.random() < 0.5 else 0.0
    tilt_db = round(8 * board.between((-options.tilt_db, options.tilt_db))) / 8 if rng.random() < 0.5 else 0.0
    return semitones, tilt_db


def _place_target(
    board: _Board,
    draw: _Draw,
    action: str,
    onset: int,
    semitones: float = 0.0,
    tilt_db: float = 0.0,
    by_gain: bool = False,
) -> None:
    options = board.options
    loud, faint = board.between(options.tbr_db), board.between(options.enhance_input_tbr_db)
    jitter = board.jitter()
    name = f"target-{sum(s.role == 'target' for s in board.sounds) + 1}"
    enhance = action == "enhance"
    sound = SoundSpec(
        name,
        "target",
        draw.class_name,
        draw.key,
        draw.source_id,
        draw.crop,
        onset,
        faint if enhance else loud,
        action,
        loud if enhance else None,
        semitones=semitones,
        tilt_db=tilt_db,
        jitter_s=jitter,
        by_gain=enhance and by_gain,
    )
    _add(board, sound, board.length(draw, semitones))


def _place(
    board: _Board,
    draw: _Draw,
    role: Literal["other", "decoy", "clutter"],
    onset: int,
    level_db: float,
    keep: bool = False,
    semitones: float = 0.0,
    tilt_db: float = 0.0,
) -> None:
    jitter = board.jitter()
    name = f"{role}-{sum(s.role == role for s in board.sounds) + 1}"
    sound = SoundSpec(
        name,
        role,
        draw.class_name,
        draw.key,
        draw.source_id,
        draw.crop,
        onset,
        level_db,
        keep=keep,
        semitones=semitones,
        tilt_db=tilt_db,
        jitter_s=jitter,
    )
    _add(board, sound, board.length(draw, semitones))


def _add(board: _Board, sound: SoundSpec, length: int) -> None:
    board.sounds.append(sound)
    board.sources.add(sound.source_id)
    board.spans[sound.id] = (sound.onset, sound.onset + length)


def _add_cover(board: _Board, target: SoundSpec) -> bool:
    """Draws an event of another class over the target; False when the draw fails, as with the two below."""
    start, stop = board.spans[target.id]
    draw = _draw_any(board, {target.class_name})
    if draw is None:
        return False
    semitones, tilt_db = _augment(board)
    length = board.length(draw, semitones)
    onset = _covering_onset(board, start, stop - start, length)
    _place(board, draw, "other", onset, board.between(board.options.other_db), _kept(board), semitones, tilt_db)
    return True


def _add_same_class(board: _Board, target: SoundSpec) -> bool:
    table = _table(board.audio, None)
    if target.class_name not in table.names:
        return False
    draw = table.draw_of(board.rng, target.class_name)
    semitones, tilt_db = _augment(board)
    taken = [board.spans[s.id] for s in board.sounds if s.role == "target"]
    onset = _free_onset(board, board.length(draw, semitones), taken)
    if onset is None or draw.source_id in board.sources:
        return False
    _place(board, draw, "decoy", onset, board.between(board.options.tbr_db), _kept(board), semitones, tilt_db)
    return True


def _add_clutter(board: _Board) -> bool:
    draw = _draw_any(board, {s.class_name for s in board.sounds if s.role == "target"})
    if draw is None:
        return False
    semitones, tilt_db = _augment(board)
    # Anywhere, also cut by the scene's ends as in real recordings.
    onset = int(board.rng.integers(-draw.frames // 2, board.frames - min(board.frames, draw.frames) // 2))
    level_db = board.between((board.options.other_db[0] - 6.0, board.options.other_db[1]))
    _place(board, draw, "clutter", onset, level_db, _kept(board), semitones, tilt_db)
    return True


def _kept(board: _Board) -> bool:
    return bool(board.rng.random() < board.options.keep_share)


def _add_absent(board: _Board, only: str | None) -> None:
    heard = {s.class_name for s in board.sounds}
    for _ in range(_TRIES):
        name = _table(board.audio, board.options).draw(board.rng).class_name
        if name not in heard:
            break
    else:
        return
    seconds = board.between((0.2, min(1.5, board.frames / RATE_HZ)))
    start_s = board.between((0.0, board.frames / RATE_HZ - seconds))
    drawn = "enhance" if board.rng.random() < 0.5 else "delete"
    action = only if only in ("delete", "enhance") else drawn
    board.absent.append(
        AbsentSpec("absent-1", action, name, start_s, start_s + seconds, board.between(board.options.tbr_db))
    )


def _draw_layers(board: _Board, number: int, not_classes: Collection[str], required: int | None = None) -> None:
    """Backgrounds of different sources, none of a class heard as an event; `required` of `number` must be found."""
    usable = _long_backgrounds(board.audio, board.frames)
    scenes: set[str] = set()
    for layer in range(number):
        for attempt in range(_TRIES):
            file = usable[int(board.rng.integers(len(usable)))] if usable else None
            if file is None or file.source_id in board.sources:
                continue
            # Different places first; a small library may have to give the same kind twice.
            fits = file.class_name not in not_classes and file.scene not in scenes
            if fits or attempt > _TRIES // 2:
                break
        else:
            file = None
        if file is None:
            if required is not None and layer >= required:
                return
            seconds = board.frames / RATE_HZ
            raise _unusable(board, f"{number} background(s) of at least {seconds:g} s from different sources")
        scenes.add(file.scene)
        board.sources.add(file.source_id)
        start = int(board.rng.integers(board.audio.frames(file.key) - board.frames + 1))
        gain_db = board.between((-9.0, 0.0)) if layer else 0.0
        board.layers.append(LayerSpec(file.key, file.source_id, file.class_name, start, gain_db))


def _onset(board: _Board, length: int, edge_s: float) -> int:
    """A start that leaves `edge_s` before and after where the scene is long enough for it."""
    spare = board.frames - length
    edge = min(round(edge_s * RATE_HZ), spare // 2)
    return int(board.rng.integers(edge, spare - edge + 1))


def _covering_onset(board: _Board, start: int, length: int, other: int) -> int:
    """A start at which `other` samples cover at least half of [start, start + length), in the scene if it can be."""
    half = -(-length // 2)
    first, last = start + half - other, start + length - half
    inside_first, inside_last = max(first, 0), min(last, board.frames - other)
    if inside_first <= inside_last:
        first, last = inside_first, inside_last
    return int(board.rng.integers(min(first, last), max(first, last) + 1))


def _free_onset(board: _Board, length: int, taken: list[tuple[int, int]], longest: int | None = None) -> int | None:
    """A start that touches none of the taken spans, or None when no try finds one."""
    spare = board.frames - length
    if spare < 0 or (longest is not None and length > longest):
        return None
    for _ in range(_TRIES):
        start = int(board.rng.integers(spare + 1))
        if all(start >= b + _GAP or start + length <= a - _GAP for a, b in taken):
            return start
    return None


def _table(audio: SplitAudio, options: SceneOptions | None) -> _EventTable:
    """The (cached) table of all events, or of those that may be targets."""
    key = ("events", options and (options.classes, options.max_yamnet_rank, options.target_s))
    table = audio.tables.get(key)
    if isinstance(table, _EventTable):
        return table
    events = [e for e in audio.events if options is None or _may_be_target(audio, e, options)]
    if not events:
        raise InputError(
            f"{audio.name}: no event of the split '{audio.split}' may be a target; allow more classes or lengths."
        )
    table = _EventTable(audio, events)
    audio.tables[key] = table
    return table


def _may_be_target(audio: SplitAudio, event: EventFile, options: SceneOptions) -> bool:
    if options.classes is not None and event.class_name not in options.classes:
        return False
    if options.max_yamnet_rank is not None and (event.yamnet_rank or 10**6) > options.max_yamnet_rank:
        return False
    return options.target_s[0] <= audio.frames(event.key) / RATE_HZ <= options.target_s[1]


def _long_backgrounds(audio: SplitAudio, frames: int) -> tuple[BackgroundFile, ...]:
    key = ("backgrounds", frames)
    table = audio.tables.get(key)
    if not isinstance(table, tuple):
        table = tuple(b for b in audio.backgrounds if audio.frames(b.key) >= frames)
        audio.tables[key] = table
    return table


def _unusable(board: _Board, what: str) -> InputError:
    lost = ", ".join(f"{len(paths)} {reason}" for reason, paths in board.audio.skipped.items())
    return InputError(
        f"{board.audio.name}: the split '{board.audio.split}' has no usable scene, it lacks {what}"
        f"{f' (left out: {lost})' if lost else ''}; add recordings or shorten the scene."
    )
