"""From a frame tagger's activity to rows.

Every class that may sound, and "any event", gets runs by hysteresis: a run reaches a peak and lasts while the activity is above a
share of it. Runs on the same stretch of time are one row; what it is called follows from the mean logits within it and from what the
tagger says of the whole box, so a sound that nobody can name for sure is one row with alternatives and not three rows. Energy has the
last word: where nothing stands out from the background nothing is reported, and an onset moves to the rise of energy next to it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.tagging.activity import CENTRE_S, runs
from recomposer_studio.tagging.events import ALTERNATIVES, Found
from recomposer_studio.tagging.front_end import FRAMES_PER_S
from recomposer_studio.tagging.ontology import Ontology
from recomposer_studio.tagging.tagger import FRAMES_PER_STEP, STEPS_PER_S, Sounding, pooled


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


# A class and one above it of which there were recordings enough to learn to tell them apart: of a sound that may be either, both are
# named. Other relatives are one name too many.
APART = (frozenset({"Explosion", "Gunshot, gunfire"}), frozenset({"Cymbal", "Hi-hat"}))

# What tells a right row (IoU >= 0.5, the true class among its names) from a wrong one: logistic regression on the rows of 360 composed
# validation scenes. Constant, then the facts in the order of `Facts.terms`.
_RIGHT = (-4.868, 0.51, 2.307, 0.82, 0.536, 3.255, 1.074, 0.438, -0.955, -1.697)
_EXCESS_LIMIT_DB = 20.0
_SHORT_S, _LONG_S = 0.1, 2.0
_ONSET_STEPS, _EDGE_STEPS, _AROUND_STEPS = 2, 1, 5


@dataclass(frozen=True)
class Facts:
    """What is known of a row before it is one.

    Attributes:
        evidence: peak of its run times the share of its first name.
        anything: mean chance of any event in its box.
        excess_db: largest `activity.excess` in it.
        seconds: its duration.
        names: the shares of its names together, 1 if nothing else comes into question.
        onset: highest chance of an onset near its first step.
        named: highest chance that its first name sounds.
        before: mean chance of any event just before it.
        after: just after it.
    """

    evidence: float
    anything: float
    excess_db: float
    seconds: float
    names: float
    onset: float
    named: float
    before: float
    after: float

    def terms(self) -> tuple[float, ...]:
        """The facts as the regression takes them."""
        return (
            math.log(self.evidence + 1e-3),
            self.anything,
            min(self.excess_db, _EXCESS_LIMIT_DB) / 10.0,
            math.log(min(max(self.seconds, _SHORT_S), _LONG_S)),
            self.names,
            self.onset,
            math.log(self.named + 1e-3),
            self.before,
            self.after,
        )


def right(facts: Facts) -> float:
    """The chance that a row is right, one of its names that is: 0 to 1. It grows with every fact but what sounds around the row."""
    constant, *weights = _RIGHT
    return 1.0 / (1.0 + math.exp(-constant - sum(w * term for w, term in zip(weights, facts.terms(), strict=True))))


Names = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""See `FrameTagger.names`."""


def find_frame_events(
    sounding: Sounding,
    names: Names,
    start_s: float,
    excess_db: NDArray[np.float64],
    classes: Sequence[str],
    ontology: Ontology,
    options: FrameOptions,
) -> list[Found]:
    """The sounds in a run of steps, ordered by onset.

    Args:
        sounding: what the tagger says.
        names: what it calls boxes.
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
    onset = _sigmoid(sounding.onset)
    boxes = [box for box in _kept(boxes, options.same_box) if _stands_out(box, excess_db, options)]
    if not boxes:
        return []
    called = names(np.stack([pooled(sounding.features[box.first : box.stop]) for box in boxes]))
    rows: list[Found] = []
    named: list[tuple[_Box, int]] = []
    for box, logits in zip(boxes, called, strict=True):
        # What a louder row in the same time is called already is no name for this one.
        taken = [number for other, number in named if _covered(box, other) >= options.covered]
        if box.number in taken:
            continue
        logits = logits + sounding.classes[box.first : box.stop].mean(axis=0)
        logits[taken] = -np.inf
        numbers, shares = _candidates(logits, classes, ontology, options)
        named.append((box, numbers[0]))
        frames = slice(box.first * FRAMES_PER_STEP, box.stop * FRAMES_PER_STEP)
        chance = right(
            Facts(
                evidence=box.evidence * shares[0],
                anything=float(anything[box.first : box.stop].mean()),
                excess_db=float(excess_db[frames].max()),
                seconds=(box.stop - box.first) / STEPS_PER_S,
                names=sum(shares),
                onset=float(onset[max(0, box.first - _ONSET_STEPS) : box.first + _ONSET_STEPS + 1].max()),
                named=float(chances[box.first : box.stop, numbers[0]].max()),
                before=_mean(
                    anything[max(0, box.first - _EDGE_STEPS - _AROUND_STEPS) : max(0, box.first - _EDGE_STEPS)]
                ),
                after=_mean(anything[box.stop + _EDGE_STEPS : box.stop + _EDGE_STEPS + _AROUND_STEPS]),
            )
        )
        if chance < options.least:
            continue
        # If the row is right, one of its names is: they share its chance.
        candidates = tuple(
            (classes[number], chance * share / sum(shares)) for number, share in zip(numbers, shares, strict=True)
        )
        onset_s, end_s = _onset(box.first, excess_db, options), box.stop / STEPS_PER_S
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


def _stands_out(box: _Box, excess_db: NDArray[np.float64], options: FrameOptions) -> bool:
    frames = excess_db[box.first * FRAMES_PER_STEP : box.stop * FRAMES_PER_STEP]
    return bool((frames > options.standing_out_db).sum() >= options.standing_out_s * FRAMES_PER_S)


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
            pair = {classes[number], classes[other]}
            if ontology.related(classes[number], classes[other]) and pair not in APART:
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


def _mean(values: NDArray[np.float32]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -30.0, 30.0))), np.float32)


def _median_filtered(values: NDArray[np.float32], steps: int) -> NDArray[np.float32]:
    """The running median along time (an odd number of steps; the ends repeat)."""
    padded = np.pad(values, ((steps // 2, steps // 2), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, steps, axis=0)
    return np.asarray(np.median(windows, axis=-1), np.float32)
