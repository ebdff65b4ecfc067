"""A whole recording to rows, in constant memory: log-mel once, patches where something is heard, events window by window."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.tagging.activity import Stretch, excess, stretches
from recomposer_studio.tagging.events import EventOptions, Found, find_events, without_doubles
from recomposer_studio.tagging.frame_events import FrameOptions, find_frame_events
from recomposer_studio.tagging.front_end import (
    BANDS,
    FRAMES_PER_S,
    PATCH_CENTRE_S,
    PATCH_FRAMES,
    LogMel,
    log_mel_blocks,
    mono,
    patches,
)
from recomposer_studio.tagging.ontology import Ontology
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, FrameTagger, Sounding, Tagger

HOP_FRAMES = 10
"""From patch to patch: 100 ms."""

Progress = Callable[[int, int, str], None]
"""Called with seconds done, seconds in all, and what is being done."""

# Sounds that begin in a core are decided together, in a window that reaches further on both sides: 15 s back and, from
# the end of a sound that may last 15 s, 15 s ahead, which is what the background is known from
# (`ActivityOptions.floor_s`).
_CORE_S, _BEFORE_S, _AFTER_S = 30.0, 15.0, 30.0
_RECENT = 10
_SHORTEST_S = 0.002  # rows are written in whole milliseconds
_BACKGROUND_HOP = 10  # patches
_REACH_S = PATCH_CENTRE_S + 0.2  # half a patch, and what the median filter sees
_BATCH = 64
# A frame tagger hears 9.6 s at once and is believed in the 6.4 s in the middle.
_CHUNK, _MARGIN = 640, 160
_LEAD_S, _LONGEST_S = 6.4, 19.2


def tag_recording(
    source: Source,
    tagger: Tagger,
    options: EventOptions | None = None,
    progress: Progress | None = None,
    on_found: Callable[[Found], None] | None = None,
    frame_options: FrameOptions | None = None,
) -> list[Found]:
    """The sounds in a recording, ordered by onset.

    Args:
        source: the recording; any rate, any number of channels.
        tagger: who listens.
        options: what makes a row of patch scores, and the threshold.
        progress: told every few seconds of sound; what it raises ends the work.
        on_found: given every sound as soon as it is decided.
        frame_options: what makes a row of a frame tagger's activity.

    Raises:
        InputError: the recording cannot be decoded.
    """
    options = options or EventOptions()
    done: list[Found] = []
    total_s = max(1, round(source.duration_s))
    ears = (
        _FrameEars(tagger, options, frame_options or FrameOptions())
        if isinstance(tagger, FrameTagger)
        else _PatchEars(tagger, options)
    )
    for window in windows(source):
        earlier, fresh = done[-_RECENT:], list[Found]()
        for sound in sorted(ears.rows(window), key=lambda row: -row.confidence):
            sound = replace(sound, start_s=max(0.0, sound.start_s), end_s=min(source.duration_s, sound.end_s))
            in_core = window.core_start_s <= sound.start_s < window.core_end_s
            if (
                in_core
                and sound.end_s - sound.start_s >= _SHORTEST_S
                and not any(_same(sound, other) for other in (*earlier, *fresh))
            ):
                fresh.append(sound)
        for sound in sorted(fresh, key=lambda row: (row.start_s, row.end_s, row.label)):
            done.append(sound)
            if on_found:
                on_found(sound)
        if progress:
            progress(round(min(total_s, window.core_end_s)), total_s, "listening")
    return done


def as_roll(found: list[Found]) -> EventRoll:
    """Suggested rows: action keep, which changes nothing; sounds of one label share a row."""
    return EventRoll.from_events(
        Event(
            id=f"heard-{number}",
            action=Action.KEEP,
            label=sound.label,
            start_s=round(sound.start_s, 3),
            end_s=math.floor(sound.end_s * 1000) / 1000,  # never past the end of the recording
            row=sound.label,
            confidence=round(sound.confidence, 3),
        )
        for number, sound in enumerate(found, start=1)
    )


@dataclass(frozen=True)
class Window:
    """A run of frames; sounds that begin in its core are decided in it.

    Attributes:
        start_s: time of the first frame.
        core_start_s: where its core begins.
        core_end_s: where its core ends; infinite for the last window.
        frames: (n, 64).
    """

    start_s: float
    core_start_s: float
    core_end_s: float
    frames: LogMel


def windows(source: Source) -> Iterator[Window]:
    """The recording in overlapping windows, which begin at multiples of the hop; holds no more than one of them."""
    frames: LogMel = np.empty((0, BANDS), np.float32)
    first, core = 0, 0  # the frames that the array and the core begin with
    span, before, after = (round(seconds * FRAMES_PER_S) for seconds in (_CORE_S, _BEFORE_S, _AFTER_S))
    for block in log_mel_blocks(mono(source), HOP_FRAMES):
        frames = np.concatenate([frames, block])
        while first + len(frames) >= core + span + after + PATCH_FRAMES:
            stop = core + span + after - first
            yield Window(first / FRAMES_PER_S, core / FRAMES_PER_S, (core + span) / FRAMES_PER_S, frames[:stop])
            core += span
            drop = max(0, core - before - first)
            frames, first = frames[drop:].copy(), first + drop
    yield Window(first / FRAMES_PER_S, core / FRAMES_PER_S, np.inf, frames)


class _PatchEars:
    """Listens to the patches that matter, each once: every one that touches the foreground, and one a second elsewhere.

    Off the foreground no row can arise; what is heard there is the background, which changes slowly.
    """

    def __init__(self, tagger: Tagger, options: EventOptions) -> None:
        self._tagger = tagger
        self._options = options
        self._scores = np.empty((0, len(tagger.classes)), np.float32)
        self._first = 0  # number of the patch that the array begins with

    def rows(self, window: Window) -> list[Found]:
        """The sounds in a window."""
        foreground = stretches(window.frames, window.start_s, self._options.activity)
        scores, centres = self._listen(window, foreground)
        return find_events(scores, centres, foreground, self._tagger.classes, Ontology.load(), self._options)

    def _listen(self, window: Window, foreground: Sequence[Stretch]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Scores (n, classes) of the window's patches, NaN for those not listened to, and their centres (n,)."""
        cut = patches(window.frames, HOP_FRAMES)
        first = round(window.start_s * FRAMES_PER_S) // HOP_FRAMES
        known = self._scores[first - self._first :]
        fresh = np.full((max(0, len(cut) - len(known)), self._scores.shape[1]), np.nan, np.float32)
        self._scores, self._first = np.concatenate([known, fresh]), first
        scores = self._scores[: len(cut)]
        numbers = first + np.arange(len(cut))
        centres = np.asarray(numbers * HOP_FRAMES / FRAMES_PER_S + PATCH_CENTRE_S, np.float64)
        wanted = numbers % _BACKGROUND_HOP == 0
        for stretch in foreground:
            wanted |= (centres > stretch.start_s - _REACH_S) & (centres < stretch.end_s + _REACH_S)
        unheard = np.flatnonzero(wanted & np.isnan(scores).any(axis=1))
        for at in range(0, len(unheard), _BATCH):
            batch = unheard[at : at + _BATCH]
            scores[batch] = self._tagger.tag(cut[batch]).scores
        return scores, centres


class _FrameEars:
    """Listens to everything once, in chunks that overlap; begins and ends of chunks lie at the same times in every window."""

    def __init__(self, tagger: FrameTagger, options: EventOptions, frame_options: FrameOptions) -> None:
        self._tagger = tagger
        self._options = options
        self._frame_options = frame_options
        self._chunks: dict[int, Sounding] = {}

    def rows(self, window: Window) -> list[Found]:
        """The sounds in a window that begin near its core."""
        offset = round(window.start_s * FRAMES_PER_S)
        end = offset + len(window.frames) // FRAMES_PER_STEP * FRAMES_PER_STEP
        first = max(0, round((window.core_start_s - _LEAD_S) * FRAMES_PER_S)) // _CHUNK
        last = (end - 1) // _CHUNK
        if math.isfinite(window.core_end_s):
            last = min(last, round((window.core_end_s + _LONGEST_S) * FRAMES_PER_S) // _CHUNK)
        self._chunks = {number: self._chunk(number, window.frames, offset, end) for number in range(first, last + 1)}
        parts = list(self._chunks.values())
        sounding = Sounding(
            np.concatenate([part.classes for part in parts]),
            np.concatenate([part.any_event for part in parts]),
            np.concatenate([part.onset for part in parts]),
            np.concatenate([part.features for part in parts]),
        )
        above = excess(window.frames, self._options.activity)[first * _CHUNK - offset :]
        found = find_frame_events(
            sounding,
            self._tagger.names,
            first * _CHUNK / FRAMES_PER_S,
            above[: len(sounding.any_event) * FRAMES_PER_STEP],
            self._tagger.event_classes,
            Ontology.load(),
            self._frame_options,
        )
        found = [row for row in found if row.confidence >= self._options.threshold]
        return without_doubles(found, Ontology.load(), self._frame_options.covered)

    def _chunk(self, number: int, frames: LogMel, offset: int, end: int) -> Sounding:
        """What the tagger says of a chunk."""
        if number in self._chunks:
            return self._chunks[number]
        start, stop = number * _CHUNK, min(end, (number + 1) * _CHUNK)
        low, high = max(offset, start - _MARGIN), min(end, stop + _MARGIN)
        heard = self._tagger.sounding(frames[low - offset : high - offset])
        wanted = slice((start - low) // FRAMES_PER_STEP, (stop - low) // FRAMES_PER_STEP)
        return Sounding(heard.classes[wanted], heard.any_event[wanted], heard.onset[wanted], heard.features[wanted])


def _same(a: Found, b: Found) -> bool:
    """Whether two windows told of one sound: at the border of their cores its onset may fall on either side."""
    shared = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
    return shared > 0.5 * (max(a.end_s, b.end_s) - min(a.start_s, b.start_s))
