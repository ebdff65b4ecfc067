"""Does the detector still hear a row's sound in the take? Asked only where it heard it before. No widgets here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import Cancelled
from recomposer_studio.project.take import Take
from recomposer_studio.roll.event import Action, Event
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.tagging.front_end import PATCH_CENTRE_S, PATCH_SAMPLES, RATE_HZ, LogMel, log_mel, patches
from recomposer_studio.tagging.ontology import Ontology
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, STEPS_PER_S, FrameTagger, Tagger

SEEN = 0.1
"""From this score on the detector counts as having heard a class."""
_HOP = 10  # frames from patch to patch: 100 ms
_PART_S, _AROUND_S = 6.4, 1.6
"""A frame tagger was trained on about ten seconds at once."""


class Readable(Protocol):
    """A recording or a take."""

    def read(self, start: int, stop: int) -> NDArray[np.float64]:
        """Samples, (channels, stop - start)."""
        ...


@dataclass(frozen=True)
class RowCheck:
    """What the detector says of a row's box.

    Attributes:
        event: the row's event.
        class_name: the class that was looked for, empty where the detector knows none like it.
        before: highest score in the recording, 0 to 1.
        after: the same in the take.
    """

    event: Event
    class_name: str
    before: float
    after: float

    @property
    def judged(self) -> bool:
        """Whether the scores say anything: what was not heard before cannot have gone; what is inserted need not be there before."""
        return bool(self.class_name) and (self.before >= SEEN or self.event.action is Action.INSERT)


def check_rows(take: Take, tagger: Tagger, cancelled: Callable[[], bool]) -> list[RowCheck]:
    """A check of every rendered event of a take, as it is mixed now.

    Args:
        take: the take.
        tagger: who listens.
        cancelled: polled between the rows.

    Raises:
        Cancelled: `cancelled` returned true.
        InputError: the recording cannot be read.
    """
    checks = []
    for layer in take.layers:
        if cancelled():
            raise Cancelled
        ears = _Ears.of(layer.event.label, tagger)
        before = after = 0.0
        if ears.columns:
            before, after = (ears.score(sound, take.source, layer.event) for sound in (take.source, take))
        checks.append(RowCheck(layer.event, ears.class_name if ears.columns else "", before, after))
    return checks


@dataclass(frozen=True)
class _Ears:
    """Who listens for one class.

    Attributes:
        tagger: the tagger.
        class_name: the class.
        columns: those of the class and of all classes below it.
        stepwise: whether they are columns of a frame tagger's activity, which knows the moment, or of patch scores.
    """

    tagger: Tagger
    class_name: str
    columns: tuple[int, ...]
    stepwise: bool

    @classmethod
    def of(cls, label: str, tagger: Tagger) -> "_Ears":
        """The ears for the class that a label is taken for."""
        name = LabelTable.load().match(label).class_name
        if isinstance(tagger, FrameTagger):
            columns = _columns(name, tagger.event_classes)
            if columns:
                return cls(tagger, name, columns, True)
        return cls(tagger, name, _columns(name, tagger.classes), False)

    def score(self, sound: Readable, source: Source, event: Event) -> float:
        """The highest score in an event's box, part by part, each with what is around it."""
        reach_s = _AROUND_S if self.stepwise else PATCH_CENTRE_S
        best, start_s = 0.0, event.start_s
        while start_s < event.end_s:
            end_s = min(start_s + _PART_S, event.end_s)
            from_s = max(0.0, start_s - reach_s)
            frames = _log_mel(sound, source, from_s, min(source.duration_s, end_s + reach_s))
            scores = self._listen(frames, start_s - from_s, end_s - from_s)
            best, start_s = max(best, scores), end_s
        return best

    def _listen(self, frames: LogMel, start_s: float, end_s: float) -> float:
        columns = list(self.columns)
        if self.stepwise and isinstance(self.tagger, FrameTagger):
            heard = self.tagger.sounding(frames[: len(frames) // FRAMES_PER_STEP * FRAMES_PER_STEP])
            first, last = int(start_s * STEPS_PER_S), int(np.ceil(end_s * STEPS_PER_S))
            logits = heard.classes[first:last, columns]
            return float(1.0 / (1.0 + np.exp(-logits.max(initial=-50.0))))
        return float(self.tagger.tag(patches(frames, _HOP)).scores[:, columns].max(initial=0.0))


def _columns(name: str, classes: Sequence[str]) -> tuple[int, ...]:
    ontology = Ontology.load()
    return tuple(
        number
        for number, other in enumerate(classes)
        if other == name or (other in ontology.parents and name in ontology.ancestors(other))
    )


def _log_mel(sound: Readable, source: Source, start_s: float, end_s: float) -> LogMel:
    """Log-mel of a stretch, at least one patch of it: what is missing is silence."""
    mono = sound.read(round(start_s * source.rate_hz), round(end_s * source.rate_hz)).mean(axis=0)
    samples = soxr.resample(mono, source.rate_hz, RATE_HZ).astype(np.float32)
    return log_mel(np.pad(samples, (0, max(0, PATCH_SAMPLES - len(samples)))))
