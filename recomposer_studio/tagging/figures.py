"""How good rows are: found sounds against the true events of composed scenes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recomposer_studio.tagging.events import Found

BOX_IOU = 0.5
"""A row stands on an event if their intersection over union is at least this."""


@dataclass(frozen=True)
class TrueEvent:
    """An event of a scene.

    Attributes:
        class_name: AudioSet display name.
        start_s: onset.
        end_s: offset.
        counted: whether it should be found; a quiet one may be found or missed, but a row on it is not false.
    """

    class_name: str
    start_s: float
    end_s: float
    counted: bool = True


@dataclass(frozen=True)
class TaggedScene:
    """A scene with its truth and its rows.

    Attributes:
        truth: every event in it.
        rows: what was found.
        duration_s: its length.
    """

    truth: Sequence[TrueEvent]
    rows: Sequence[Found]
    duration_s: float


@dataclass(frozen=True)
class Figures:
    """What is told of a set of scenes; shares are 0 to 1, NaN where nothing counts.

    Attributes:
        events: counted events.
        boxes: share of them with a row on them (`BOX_IOU`), whatever its label.
        hits: share of them with such a row that names the class among its candidates.
        stray_per_10_s: rows on no event at all, in ten seconds.
        false_per_10_s: rows on no event of one of their candidates, in ten seconds.
        onset_ms: median onset error of the events with a row on them.
    """

    events: int
    boxes: float
    hits: float
    stray_per_10_s: float
    false_per_10_s: float
    onset_ms: float


def iou(row: Found, event: TrueEvent) -> float:
    """Intersection over union in time."""
    shared = min(row.end_s, event.end_s) - max(row.start_s, event.start_s)
    return max(0.0, shared) / (max(row.end_s, event.end_s) - min(row.start_s, event.start_s))


def measure(scenes: Sequence[TaggedScene]) -> Figures:
    """The figures of some scenes.

    Raises:
        ValueError: the scenes are empty or last no time.
    """
    seconds = sum(scene.duration_s for scene in scenes)
    if seconds <= 0.0:
        raise ValueError("figures need scenes")
    boxed: list[bool] = []
    named: list[bool] = []
    errors: list[float] = []
    stray = false = 0
    for scene in scenes:
        for event in scene.truth:
            on_it = [row for row in scene.rows if iou(row, event) >= BOX_IOU]
            if event.counted:
                boxed.append(bool(on_it))
                named.append(any(_names(row, event) for row in on_it))
                errors += [min(abs(row.start_s - event.start_s) for row in on_it)] if on_it else []
        for row in scene.rows:
            under = [event for event in scene.truth if iou(row, event) >= BOX_IOU]
            stray += not under
            false += not any(_names(row, event) for event in under)
    return Figures(
        events=len(boxed),
        boxes=float(np.mean(boxed)) if boxed else float("nan"),
        hits=float(np.mean(named)) if named else float("nan"),
        stray_per_10_s=10.0 * stray / seconds,
        false_per_10_s=10.0 * false / seconds,
        onset_ms=1000.0 * float(np.median(errors)) if errors else float("nan"),
    )


def _names(row: Found, event: TrueEvent) -> bool:
    return any(name == event.class_name for name, _ in row.candidates)
