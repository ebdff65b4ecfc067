"""What is measured of one edit: distances by region, and the questions of the studies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BandGrid
from recomposer_studio.editing.regions import Region
from recomposer_studio.evaluation.anchors import spectrum_of
from recomposer_studio.evaluation.editors import Samples, Task
from recomposer_studio.evaluation.kld import KldReference, divergence, patches_inside
from recomposer_studio.evaluation.msd import MsdReference, by_region
from recomposer_studio.evaluation.regions import Box
from recomposer_studio.evaluation.scorers import Scorer
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.roll.event import Action
from recomposer_studio.training.scenes import Scene

CLIP: Box = (0.0, float("inf"))

Values = dict[str, float]

_LSD_WINDOW = 2048
_LSD_FLOOR = 1e-3


@dataclass(frozen=True)
class Judge:
    """A scene's desired signal, prepared for any number of estimates.

    Attributes:
        scene: the scene.
        msd: reference of the spectral distance.
        kld: reference of the classifier's distance, None without a classifier.
    """

    scene: Scene
    msd: MsdReference
    kld: KldReference | None

    @staticmethod
    def of(scene: Scene, scorer: Scorer | None) -> "Judge":
        """Prepares the desired signal."""
        reference = KldReference(scene.desired, scorer, scene.rate_hz) if scorer else None
        return Judge(scene, MsdReference(scene.desired, scene.rate_hz), reference)

    def measure(self, task: Task, estimate: Samples) -> Values:
        """Everything that is known about an estimate (frames,).

        Returns:
            msd_target, msd_skirt, msd_nontarget, msd_clip; changed_outside: samples outside the rows' regions that
            differ from the input. With a classifier kld_target, kld_nontarget, kld_clip, score_true and score_named
            (mean score in the box of the event's class and of the row's label, where the classifier knows them), and for
            Insert top5 (1 or 0).
            In swap scenes fall_named and fall_unnamed in dB.
        """
        scene, box = self.scene, self.scene.truth_box
        frames = self.msd.frames(estimate, scene.rate_hz)
        distance = by_region(frames, box)
        values = {
            "msd_target": distance.target,
            "msd_skirt": distance.skirt,
            "msd_nontarget": distance.nontarget,
            "msd_clip": by_region(frames, CLIP).target,
            "changed_outside": float(_changed_outside(task, estimate)),
        }
        if self.kld is not None:
            values |= self._heard(task, estimate, self.kld)
        if scene.spec.swap:
            values |= _falls(scene, estimate)
        return values

    def _heard(self, task: Task, estimate: Samples, reference: KldReference) -> Values:
        scene, box = self.scene, self.scene.truth_box
        scores = reference.scores(estimate, scene.rate_hz)
        near = divergence(reference.desired_scores, scores, box)
        heard = scores[patches_inside(len(scores), box)].mean(axis=0)
        values = {
            "kld_target": near.target,
            "kld_nontarget": near.nontarget,
            "kld_clip": divergence(reference.desired_scores, scores, CLIP).target,
        }
        classes = reference.scorer.classes
        for name, label in (("score_true", scene.edit.class_name), ("score_named", task.row.label)):
            if label in classes:
                values[name] = float(heard[classes.index(label)])
        if task.row.action is Action.INSERT and "score_true" in values:
            values["top5"] = float(np.sum(heard > values["score_true"]) < 5)
        return values


def _changed_outside(task: Task, estimate: Samples) -> int:
    scene = task.scene
    before, after = scene.input.astype(np.float64), np.asarray(estimate, np.float64)
    outside = np.ones(len(before), np.bool_)
    for row in task.roll.events:
        if row.action is not Action.KEEP:
            region = Region.of(row, scene.rate_hz, len(before), Recipe().fade_s)
            outside[region.start : region.stop] = False
    return int(np.count_nonzero(before[outside] != after[outside]))


def _falls(scene: Scene, estimate: Samples) -> Values:
    """By how many dB the named and the unnamed sound fell in the box.

    The edit is taken for a gain per band and frame of the band grid: the least-squares gain from input to estimate,
    Re<E, X> / <X, X> over a band's bins. That gain is applied to the powers of the two known stems.
    """
    grid, box = BandGrid.at(scene.rate_hz), scene.truth_box
    first = int(np.ceil(box[0] / grid.hop_s))
    frames = max(1, int(np.floor(box[1] / grid.hop_s)) - first + 1)
    x, e = (spectrum_of(signal, grid, first, frames) for signal in (scene.input, np.asarray(estimate)))
    cross = (grid.power(e + x) - grid.power(e - x)) / 4.0
    gain = cross / np.maximum(grid.power(x), 1e-14)
    named = scene.edit.event_id
    unnamed = next(sound.id for sound in scene.spec.sounds if sound.role == "target")
    out = {}
    for name, stem in (("fall_named", scene.stems[named]), ("fall_unnamed", scene.stems[unnamed])):
        power = grid.power(spectrum_of(stem, grid, first, frames))
        left = float((gain**2 * power).sum()) / max(float(power.sum()), 1e-14)
        out[name] = -10.0 * float(np.log10(max(left, 1e-10)))
    return out


def log_spectral_distance(first: Samples, second: Samples, rate_hz: int, box: Box = CLIP) -> float:
    """LSD in dB: root mean square over bins of the level difference, mean over the frames centred in a box.

    Periodic Hann of 2048 samples, hop 512, unnormalised magnitudes of at least 1e-3 (about 114 dB below a sine at full
    scale).

    Args:
        first: samples (frames,).
        second: samples of the same length.
        rate_hz: sample rate.
        box: (start, end) in seconds; the nearest frame if none is centred in it.
    """
    levels = [_levels_db(np.asarray(x, np.float64)) for x in (first, second)]
    per_frame = np.sqrt(np.mean((levels[0] - levels[1]) ** 2, axis=1))
    centres = (np.arange(len(per_frame)) * (_LSD_WINDOW // 4) + _LSD_WINDOW / 2) / rate_hz
    inside = (centres >= box[0]) & (centres < box[1])
    if not inside.any():
        inside = np.arange(len(centres)) == np.argmin(np.abs(centres - 0.5 * (box[0] + box[1])))
    return float(per_frame[inside].mean())


def _levels_db(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(_LSD_WINDOW) / _LSD_WINDOW)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _LSD_WINDOW)[:: _LSD_WINDOW // 4]
    return 20.0 * np.log10(np.maximum(np.abs(np.fft.rfft(windows * hann, axis=1)), _LSD_FLOOR))
