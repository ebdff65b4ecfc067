"""A whole recording to rows, in constant memory: log-mel once, patches in batches, events window by window."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.tagging.events import EventOptions, Found, find_events
from recomposer_studio.tagging.front_end import (
    FRAMES_PER_S,
    PATCH_FRAMES,
    LogMel,
    log_mel_blocks,
    mono,
    patches,
)
from recomposer_studio.tagging.ontology import Ontology
from recomposer_studio.tagging.tagger import Tagger

HOP_FRAMES = 10
"""From patch to patch: 100 ms."""

Progress = Callable[[int, int, str], None]
"""Called with seconds done, seconds in all, and what is being done."""

# Events are decided for `_CORE_S` at a time, seeing `_CONTEXT_S` more on either side: enough for the background to be
# known and for a sound to end.
_CORE_S, _CONTEXT_S = 20.0, 12.0
_CUT_S = 0.3


def tag_recording(
    source: Source,
    tagger: Tagger,
    options: EventOptions | None = None,
    progress: Progress | None = None,
    on_found: Callable[[Found], None] | None = None,
) -> list[Found]:
    """The sounds in a recording, ordered by onset.

    Args:
        source: the recording; any rate, any number of channels.
        tagger: who listens.
        options: what makes a row.
        progress: told every few seconds of sound; what it raises ends the work.
        on_found: given every sound as soon as it is decided.

    Raises:
        InputError: the recording cannot be decoded.
    """
    options = options or EventOptions()
    stitcher = _Stitcher(source.duration_s, on_found or (lambda _: None))
    total_s = max(1, round(source.duration_s))
    for window in _windows(source, tagger):
        found = find_events(
            window.scores,
            HOP_FRAMES / FRAMES_PER_S,
            window.frames,
            window.start_s,
            tagger.classes,
            Ontology.load(),
            options,
        )
        stitcher.add(window, found)
        if progress:
            progress(round(min(total_s, window.core_end_s)), total_s, "listening")
    stitcher.flush()
    return sorted(stitcher.done, key=lambda found: (found.start_s, found.end_s, found.label))


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
class _Window:
    """A run of frames with their scores; sounds that begin in its core are decided in it.

    Attributes:
        start_s: time of the first frame.
        end_s: time up to which sound was heard.
        core_start_s: where its core begins.
        core_end_s: where its core ends; infinite for the last window.
        frames: (n, 64).
        scores: (m, classes), one patch every `HOP_FRAMES` frames.
    """

    start_s: float
    end_s: float
    core_start_s: float
    core_end_s: float
    frames: LogMel
    scores: NDArray[np.float32]


def _windows(source: Source, tagger: Tagger) -> Iterator[_Window]:
    """The recording in overlapping windows; holds no more than one of them."""
    frames: LogMel = np.empty((0, 64), np.float32)
    scores = np.empty((0, len(tagger.classes)), np.float32)
    first, core = 0, 0  # frame that the arrays begin with, frame that the core begins with; both multiples of the hop
    span, context = round(_CORE_S * FRAMES_PER_S), round(_CONTEXT_S * FRAMES_PER_S)
    for block in log_mel_blocks(mono(source), HOP_FRAMES):
        frames = np.concatenate([frames, block])
        fresh = patches(frames[len(scores) * HOP_FRAMES :], HOP_FRAMES)
        scores = np.concatenate([scores, tagger.tag(fresh).scores])
        while first + len(frames) >= core + span + context + PATCH_FRAMES:
            stop = core + span + context - first
            yield _Window(
                first / FRAMES_PER_S,
                (first + stop) / FRAMES_PER_S,
                core / FRAMES_PER_S,
                (core + span) / FRAMES_PER_S,
                frames[:stop],
                scores[: stop // HOP_FRAMES],
            )
            core += span
            drop = max(0, core - context - first)
            frames, scores, first = frames[drop:].copy(), scores[drop // HOP_FRAMES :].copy(), first + drop
    yield _Window(first / FRAMES_PER_S, np.inf, core / FRAMES_PER_S, np.inf, frames, scores)


@dataclass
class _Stitcher:
    """Takes each sound from the window whose core it begins in, and joins those that reach past a window."""

    duration_s: float
    on_found: Callable[[Found], None]
    done: list[Found] = field(default_factory=list)
    cut: list[Found] = field(default_factory=list)

    def add(self, window: _Window, found: list[Found]) -> None:
        """Decides the sounds of one window."""
        for open_end in self.cut:
            beyond = [
                sound.end_s for sound in found if sound.start_s < window.core_start_s and sound.end_s > open_end.end_s
            ]
            self._finish(replace(open_end, end_s=max(beyond, default=open_end.end_s)))
        self.cut = []
        for sound in found:
            if not window.core_start_s <= sound.start_s < window.core_end_s or self._known(sound):
                continue
            if sound.end_s > window.end_s - _CUT_S:
                self.cut.append(sound)
            else:
                self._finish(sound)

    def flush(self) -> None:
        """Ends what is still open."""
        for sound in self.cut:
            self._finish(sound)
        self.cut = []

    def _known(self, sound: Found) -> bool:
        """Whether the window before has told of it: at the border of two cores an onset may fall on either side."""
        return any(
            min(sound.end_s, other.end_s) - max(sound.start_s, other.start_s)
            > 0.5 * (max(sound.end_s, other.end_s) - min(sound.start_s, other.start_s))
            for other in self.done[-10:]
        )

    def _finish(self, sound: Found) -> None:
        sound = replace(sound, start_s=max(0.0, sound.start_s), end_s=min(self.duration_s, sound.end_s))
        if sound.end_s > sound.start_s:
            self.done.append(sound)
            self.on_found(sound)
