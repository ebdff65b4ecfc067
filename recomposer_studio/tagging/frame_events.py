"""From a frame tagger's activity to rows.

Every class that may sound, and "any event", gets runs by hysteresis: a run reaches a peak and lasts while the activity is above a
share of it. Runs on the same stretch of time are one row; what it is called follows from the mean logits within it, so a sound that
nobody can name for sure is one row with alternatives and not three rows. Energy has the last word: where nothing stands out from
the background nothing is reported, and an onset moves to the rise of energy next to it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.tagging.activity import CENTRE_S, runs
from recomposer_studio.tagging.events import ALTERNATIVES, Found
from recomposer_studio.tagging.front_end import FRAMES_PER_S
from recomposer_studio.tagging.ontology import Ontology
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, STEPS_PER_S, Sounding


@dataclass(frozen=True)
class FrameOptions:
    """How rows are made of activity; tuned on composed validation scenes.

    Attributes:
        peak: a class's run has to reach this chance ...
        share: ... and lasts while the chance is above this share of its peak.
        any_peak: the same for any event, whichever its class.
        any_share: likewise.
        median_steps: steps in the median filter along time.
        gap_s: parts of one sound with shorter pauses are one row.
        shortest_s: shorter runs are left out.
        same_box: two boxes are the same sound if their intersection over union is at least this.
        covered: a name is not used twice for boxes of which one covers this share of the other.
        specific: a class below another is preferred to it if its share is at least this part of the other's.
        standing_out_db: `activity.excess` that counts as standing out ...
        standing_out_s: ... for which a row needs so much time in all; a click needs less.
        least: rows are left out whose chance of being right, by one of their names, is less.
        onset_s: an onset moves to a rise of energy within this distance.
    """

    peak: float = 0.1
    share: float = 0.2
    any_peak: float = 0.25
    any_share: float = 0.75
    median_steps: int = 3
    gap_s: float = 0.16
    shortest_s: float = 0.06
    same_box: float = 0.6
    covered: float = 0.7
    specific: float = 0.5
    standing_out_db: float = 2.5
    standing_out_s: float = 0.08
    least: float = 0.1
    onset_s: float = 0.12


# What tells a right row (IoU >= 0.5, the true class among its names) from a wrong one: logistic regression on the rows of 360 composed
# validation scenes. Constant, logarithm of the evidence for the first name, mean chance of any event in the box, largest excess in 10 dB,
# logarithm of the duration in seconds.
_RIGHT = (-2.318, 1.062, 1.776, 1.359, 0.64)
_EXCESS_LIMIT_DB = 20.0
_SHORT_S, _LONG_S = 0.1, 2.0


def right(evidence: float, anything: float, excess_db: float, seconds: float) -> float:
    """The chance that a row is right, one of its names that is: 0 to 1, and growing with each of these.

    Args:
        evidence: peak of its run times the share of its first name.
        anything: mean chance of any event in its box.
        excess_db: largest `activity.excess` in it.
        seconds: its duration.
    """
    facts = (
        1.0,
        math.log(evidence + 1e-3),
        anything,
        min(excess_db, _EXCESS_LIMIT_DB) / 10.0,
        math.log(min(max(seconds, _SHORT_S), _LONG_S)),
    )
    return 1.0 / (1.0 + math.exp(-sum(weight * fact for weight, fact in zip(_RIGHT, facts, strict=True))))


def find_frame_events(
    sounding: Sounding,
    start_s: float,
    excess_db: NDArray[np.float64],
    classes: Sequence[str],
    ontology: Ontology,
    options: FrameOptions,
) -> list[Found]:
    """The sounds in a run of steps, ordered by onset.

    Args:
        sounding: what the tagger says.
        start_s: time of the first step.
        excess_db: (frames,) what stands out from the background in the same run, from `activity.excess`; 4 frames a step.
        classes: names of the columns.
        ontology: how they are related.
        options: what makes a row.
    """
    if not len(sounding.any_event):
        return []
    chances = _median_filtered(_sigmoid(sounding.classes), options.median_steps)
    anything = _median_filtered(_sigmoid(sounding.any_event)[:, None], options.median_steps)[:, 0]
    boxes = _boxes(_ANY, anything, options.any_peak, options.any_share, options)
    for number in np.flatnonzero(chances.max(axis=0) >= options.peak):
        boxes += _boxes(int(number), chances[:, number], options.peak, options.share, options)
    rows: list[Found] = []
    named: list[tuple[_Box, int]] = []
    for box in _kept(boxes, options.same_box):
        frames = slice(box.first * FRAMES_PER_STEP, box.stop * FRAMES_PER_STEP)
        if (excess_db[frames] > options.standing_out_db).sum() < options.standing_out_s * FRAMES_PER_S:
            continue
        # What a louder row in the same time is called already is no name for this one.
        taken = [number for other, number in named if _covered(box, other) >= options.covered]
        if box.number in taken:
            continue
        logits = sounding.classes[box.first : box.stop].mean(axis=0)
        logits[taken] = -np.inf
        numbers, shares = _candidates(logits, classes, ontology, options)
        named.append((box, numbers[0]))
        onset_s, end_s = _onset(box.first, excess_db, options), box.stop / STEPS_PER_S
        chance = right(
            box.evidence * shares[0],
            float(anything[box.first : box.stop].mean()),
            float(excess_db[frames].max()),
            (box.stop - box.first) / STEPS_PER_S,
        )
        if chance < options.least:
            continue
        # If the row is right, one of its names is: they share its chance.
        candidates = tuple(
            (classes[number], chance * share / sum(shares)) for number, share in zip(numbers, shares, strict=True)
        )
        rows.append(Found(start_s + min(onset_s, end_s - 0.5 / STEPS_PER_S), start_s + end_s, candidates))
    return sorted(rows, key=lambda row: (row.start_s, row.end_s, row.label))


_ANY = -1


@dataclass(frozen=True)
class _Box:
    """A run of a column (`_ANY` for any event): its peak, first and past-the-last step."""

    number: int
    evidence: float
    first: int
    stop: int


def _boxes(number: int, chance: NDArray[np.float32], peak: float, share: float, options: FrameOptions) -> list[_Box]:
    """The runs of one column."""
    gap, shortest = options.gap_s * STEPS_PER_S, options.shortest_s * STEPS_PER_S
    boxes = []
    for first, stop in _joined(runs(chance > share * peak), gap):
        strongest = float(chance[first:stop].max())
        for a, b in _joined(runs(chance[first:stop] > share * max(peak, strongest)), gap):
            inside = float(chance[first + a : first + b].max())
            if inside >= peak and b - a >= shortest:
                boxes.append(_Box(number, inside, first + a, first + b))
    return boxes


def _joined(spans: Sequence[tuple[int, int]], gap: float) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, stop in spans:
        if joined and first - joined[-1][1] <= gap:
            joined.append((joined.pop()[0], stop))
        else:
            joined.append((first, stop))
    return joined


def _kept(boxes: Sequence[_Box], same_box: float) -> list[_Box]:
    """One box for every sound: the one of most evidence of those that share it."""
    kept: list[_Box] = []
    for box in sorted(boxes, key=lambda box: (-box.evidence, box.first, box.stop, box.number)):
        if all(_overlap(box, other) < same_box for other in kept):
            kept.append(box)
    return kept


def _overlap(a: _Box, b: _Box) -> float:
    """Intersection over union."""
    shared = min(a.stop, b.stop) - max(a.first, b.first)
    return max(0, shared) / (max(a.stop, b.stop) - min(a.first, b.first))


def _covered(box: _Box, other: _Box) -> float:
    """The share of a box that another one covers."""
    return max(0, min(box.stop, other.stop) - max(box.first, other.first)) / (box.stop - box.first)


def _candidates(
    logits: NDArray[np.float32], classes: Sequence[str], ontology: Ontology, options: FrameOptions
) -> tuple[list[int], list[float]]:
    """What a sound of these mean logits may be, the likeliest first: columns and shares."""
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    order = np.argsort(-shares, kind="stable")[: 2 * (ALTERNATIVES + 1)]
    chosen: list[int] = []
    for number in (int(n) for n in order):
        for place, other in enumerate(chosen):
            if ontology.related(classes[number], classes[other]):
                below = classes[other] in ontology.ancestors(classes[number])
                if below and shares[number] >= options.specific * shares[other]:
                    chosen[place] = number
                break
        else:
            chosen.append(number)
    chosen = chosen[: ALTERNATIVES + 1]
    return chosen, [float(shares[number]) for number in chosen]


def _onset(step: int, excess_db: NDArray[np.float64], options: FrameOptions) -> float:
    """An onset in seconds after the run's first step: at the steepest rise of energy near the step's start, if one is there."""
    reach = round(options.onset_s * FRAMES_PER_S)
    at = step * FRAMES_PER_STEP
    low, high = max(1, at - reach), min(len(excess_db), at + reach + 1)
    rise = np.diff(excess_db[low - 1 : high])
    if not len(rise) or rise.max() <= 0.5:
        return step / STEPS_PER_S
    return (low + int(rise.argmax())) / FRAMES_PER_S + CENTRE_S / 2


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -30.0, 30.0))), np.float32)


def _median_filtered(values: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """The running median along time (an odd number of steps; the ends repeat)."""
    padded = np.pad(values, ((steps // 2, steps // 2), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, steps, axis=0)
    return np.asarray(np.median(windows, axis=-1), np.float32)
