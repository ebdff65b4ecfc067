"""From a tagger's scores to rows: which sound stands where, how sure that is, and what else it may be.

A patch of 0.96 s tells *what* is heard and hardly *when*; energy tells when and not what. So every class gets runs of
scores by hysteresis, relative to what the class scores in the background, and each run is laid onto the stretches of
foreground (`activity`) that all of its best patches have in common. Runs on the same stretch are one row: its label is
the most specific of the likely classes, the others become its alternatives.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.tagging.activity import ActivityOptions, Stretch, runs
from recomposer_studio.tagging.front_end import PATCH_CENTRE_S
from recomposer_studio.tagging.ontology import Ontology

DEFAULT_THRESHOLD = 0.1


@dataclass(frozen=True)
class EventOptions:
    """How rows are made; tuned on composed validation scenes.

    Attributes:
        threshold: rows of less confidence are left out, 0 to 1.
        peak: a run's evidence has to reach this ...
        share: ... and lasts while the evidence is above this share of its peak.
        median_patches: patches in the median filter along time.
        gap_s: parts of one sound with shorter pauses are one row.
        same_box: two boxes are the same sound if their intersection over union is at least this.
        specific: a class below another is preferred to it if its evidence is at least this share of the other's.
        activity: what counts as foreground.
    """

    threshold: float = DEFAULT_THRESHOLD
    peak: float = 0.1
    share: float = 0.5
    median_patches: int = 3
    gap_s: float = 0.3
    same_box: float = 0.5
    specific: float = 0.5
    activity: ActivityOptions = field(default_factory=ActivityOptions)


@dataclass(frozen=True)
class Found:
    """A sound that was found.

    Attributes:
        start_s: its onset from the start of the recording.
        end_s: its end.
        candidates: classes with their confidence, the row's label first; at most `ALTERNATIVES` + 1.
    """

    start_s: float
    end_s: float
    candidates: tuple[tuple[str, float], ...]

    @property
    def label(self) -> str:
        """The class that the row is named after."""
        return self.candidates[0][0]

    @property
    def confidence(self) -> float:
        """How likely the label is right, 0 to 1."""
        return self.candidates[0][1]


ALTERNATIVES = 2
_QUIET_PATCHES = 5

# Evidence -> share of rows with the right label (the true class, one above or one below it, IoU >= 0.3): 280 rows on 210
# composed validation scenes, pooled to be monotone, linear between the points. YAMNet's own scores promise far more.
_CALIBRATION = ((0.0, 0.2, 0.3, 0.65, 0.75, 0.95, 1.0), (0.0, 0.05, 0.13, 0.2, 0.4, 0.48, 0.5))


def confidence(evidence: float) -> float:
    """The chance that a row of this evidence is right: a monotone map, 0 to 1."""
    return float(np.interp(evidence, *_CALIBRATION))


def find_events(
    scores: NDArray[np.float32],
    centres: NDArray[np.float64],
    foreground: Sequence[Stretch],
    classes: Sequence[str],
    ontology: Ontology,
    options: EventOptions,
) -> list[Found]:
    """The sounds in a run of patches, ordered by onset.

    Args:
        scores: (n, classes) of the patches; NaN for those that nobody listened to, which must lie off the foreground.
        centres: (n,) times of the patches' centres, ascending.
        foreground: what stands out in the same run, from `activity.stretches`.
        classes: names of the scores' columns.
        ontology: how they are related.
        options: what makes a row.
    """
    if not foreground or np.isnan(scores).all():
        return []
    evidence = _over_background(scores, centres, foreground, options)
    evidence[:, [i for i, name in enumerate(classes) if name in ontology.scenes]] = 0.0
    boxes: list[_Box] = []
    for number in np.flatnonzero(evidence.max(axis=0) >= options.peak):
        boxes += _boxes(int(number), evidence[:, number], centres, foreground, options)
    rows = [_row(group, classes, ontology, options) for group in _grouped(boxes, options.same_box)]
    return sorted(
        (row for row in rows if row.confidence >= options.threshold),
        key=lambda row: (row.start_s, row.end_s, row.label),
    )


@dataclass(frozen=True)
class _Box:
    number: int
    evidence: float
    start_s: float
    end_s: float


def median_filtered(scores: NDArray[np.float32], patches: int) -> NDArray[np.float32]:
    """The running median along time (an odd number of patches; the ends repeat)."""
    padded = np.pad(scores, ((patches // 2, patches // 2), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, patches, axis=0)
    return np.asarray(np.median(windows, axis=-1), np.float32)


def _over_background(
    scores: NDArray[np.float32], centres: NDArray[np.float64], foreground: Sequence[Stretch], options: EventOptions
) -> NDArray[np.float32]:
    """What each class scores beyond the patches without foreground: 0 as in the background, 1 certain."""
    heard = ~np.isnan(scores[:, 0])
    quiet = heard.copy()
    for stretch in foreground:
        quiet &= (centres + PATCH_CENTRE_S <= stretch.start_s) | (centres - PATCH_CENTRE_S >= stretch.end_s)
    background = np.zeros(scores.shape[1], np.float32)
    if quiet.sum() >= _QUIET_PATCHES:
        background = np.median(scores[quiet], axis=0)
    filtered = median_filtered(np.where(heard[:, None], scores, background), options.median_patches)
    return np.asarray(np.maximum(filtered - background, 0.0) / np.maximum(1.0 - background, 1e-3), np.float32)


def _boxes(
    number: int,
    evidence: NDArray[np.float32],
    centres: NDArray[np.float64],
    foreground: Sequence[Stretch],
    options: EventOptions,
) -> list[_Box]:
    """Where a class is heard: its runs of evidence on the stretches of foreground."""
    boxes = []
    for first, stop in runs(evidence > options.share * options.peak):
        strongest = float(evidence[first:stop].max())
        if strongest < options.peak:
            continue
        # The run's best patches overlap where the sound is; those of a sound longer than a patch do not.
        best = [i for i in range(first, stop) if evidence[i] >= options.share * strongest]
        low, high = centres[best[-1]] - PATCH_CENTRE_S, centres[best[0]] + PATCH_CENTRE_S
        low, high = min(low, high), max(low, high)
        heard = [s for s in foreground if s.end_s > low and s.start_s < high]
        boxes += [_Box(number, strongest, start_s, end_s) for start_s, end_s in _joined(heard, options.gap_s)]
    return boxes


def _joined(heard: Sequence[Stretch], gap_s: float) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for stretch in heard:
        if joined and stretch.start_s - joined[-1][1] <= gap_s:
            joined.append((joined.pop()[0], stretch.end_s))
        else:
            joined.append((stretch.start_s, stretch.end_s))
    return joined


def _grouped(boxes: Sequence[_Box], same_box: float) -> list[list[_Box]]:
    """The boxes by sound: each joins the strongest one whose box it shares."""
    groups: list[list[_Box]] = []
    for box in sorted(boxes, key=lambda box: (-box.evidence, box.number, box.start_s)):
        for group in groups:
            if _overlap(group[0], box) >= same_box:
                group.append(box)
                break
        else:
            groups.append([box])
    return groups


def _overlap(a: _Box, b: _Box) -> float:
    """Intersection over union."""
    shared = min(a.end_s, b.end_s) - max(a.start_s, b.start_s)
    return max(0.0, shared) / (max(a.end_s, b.end_s) - min(a.start_s, b.start_s))


def _row(group: Sequence[_Box], classes: Sequence[str], ontology: Ontology, options: EventOptions) -> Found:
    """One row for boxes of the same sound: the label, and what else it may be."""
    strength = {classes[box.number]: box.evidence for box in reversed(group)}
    top = classes[group[0].number]
    likely = [
        name
        for name, value in strength.items()
        if (name == top or top in ontology.ancestors(name)) and value >= options.specific * strength[top]
    ]
    # Of these the special ones, and of those the strongest.
    special = [name for name in likely if not any(name in ontology.ancestors(other) for other in likely)]
    label = max(special, key=lambda name: strength[name])
    others = [name for name in strength if not ontology.related(name, label)]
    candidates = [label, *sorted(others, key=lambda name: -strength[name])[:ALTERNATIVES]]
    return Found(group[0].start_s, group[0].end_s, tuple((name, confidence(strength[name])) for name in candidates))


def without_doubles(rows: Sequence[Found], ontology: Ontology, covered: float) -> list[Found]:
    """Of rows of one class, or of classes of which one lies above the other, that lie within one another, the longest.

    Rows that are shown by default come first: a long row that nobody sees takes no other's place.

    Args:
        rows: in any order.
        ontology: how the classes are related.
        covered: a row lies within another one if that covers this share of it.

    Returns:
        What is left, in order of time.
    """
    kept: list[Found] = []
    for row in sorted(rows, key=lambda row: (row.confidence < DEFAULT_THRESHOLD, row.start_s - row.end_s, row.start_s)):
        length_s = row.end_s - row.start_s
        if not any(
            ontology.related(row.label, other.label)
            and min(row.end_s, other.end_s) - max(row.start_s, other.start_s) >= covered * length_s
            for other in kept
        ):
            kept.append(row)
    return sorted(kept, key=lambda row: (row.start_s, row.end_s, row.label))
