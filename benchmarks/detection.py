"""Figures of sound event detection as the field counts them: segments, events with a collar, PSDS (`sed_eval`, `sed_scores_eval`)."""

import warnings
from collections.abc import Sequence

import numpy as np

from recomposer_studio.tagging.figures import TaggedScene

COLLAR_S = 0.2
_SEGMENTS_S = (0.1, 1.0)
# PSDS scenario 1 of DCASE 2021-2023: strict in time, forgiving of confused classes. The other one is the reverse.
_PSDS = {"PSDS1": (0.7, 0.7, None, 0.0), "PSDS2": (0.1, 0.1, 0.3, 0.5)}


def detection_figures(scenes: Sequence[TaggedScene], threshold: float) -> dict[str, float]:
    """F1 of segments of 0.1 and 1 s and of events (micro averages), rows named by their label; PSDS of all candidates.

    Args:
        scenes: truth and rows without a threshold.
        threshold: confidence of the rows that F1 counts.

    Raises:
        ImportError: sed_eval or sed_scores_eval is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both lean on packages that are to go
        return _f1(scenes, threshold) | _psds(scenes)


def _f1(scenes: Sequence[TaggedScene], threshold: float) -> dict[str, float]:
    import dcase_util
    import sed_eval

    pairs = []
    for number, scene in enumerate(scenes):
        true = [(e.start_s, e.end_s, e.class_name) for e in scene.truth]
        found = [(r.start_s, r.end_s, r.label) for r in scene.rows if r.confidence >= threshold]
        pairs.append(
            tuple(
                dcase_util.containers.MetaDataContainer(
                    [
                        {"filename": f"{number}", "onset": float(a), "offset": float(b), "event_label": name}
                        for a, b, name in several
                    ]
                )
                for several in (true, found)
            )
        )
    labels = sorted({e.class_name for s in scenes for e in s.truth} | {r.label for s in scenes for r in s.rows})
    out = {}
    for seconds in _SEGMENTS_S:
        metrics = sed_eval.sound_event.SegmentBasedMetrics(labels, time_resolution=seconds)
        for scene, (true, found) in zip(scenes, pairs, strict=True):
            metrics.evaluate(true, found, evaluated_length_seconds=scene.duration_s)
        out[f"segment F1, {seconds:g} s"] = metrics.results_overall_metrics()["f_measure"]["f_measure"]
    for name, offsets in (("event F1, onset", False), ("event F1, onset and offset", True)):
        metrics = sed_eval.sound_event.EventBasedMetrics(
            labels, t_collar=COLLAR_S, percentage_of_length=0.2, evaluate_offset=offsets
        )
        for true, found in pairs:
            metrics.evaluate(true, found)
        out[name] = metrics.results_overall_metrics()["f_measure"]["f_measure"]
    return out


def _psds(scenes: Sequence[TaggedScene]) -> dict[str, float]:
    from sed_scores_eval import intersection_based
    from sed_scores_eval.base_modules.scores import create_score_dataframe

    classes = sorted({event.class_name for scene in scenes for event in scene.truth})
    scores, truth, durations = {}, {}, {}
    for number, scene in enumerate(scenes):
        edges = {0.0, scene.duration_s}
        for row in scene.rows:
            edges |= {max(0.0, row.start_s), min(scene.duration_s, row.end_s)}
        times = np.array(sorted(edges))
        table = np.zeros((len(times) - 1, len(classes)))
        for row in scene.rows:
            inside = (times[:-1] >= row.start_s - 1e-9) & (times[1:] <= row.end_s + 1e-9)
            for name, share in row.candidates:
                if name in classes:
                    column = table[:, classes.index(name)]
                    column[inside] = np.maximum(column[inside], share)
        key = f"{number}"
        scores[key] = create_score_dataframe(table, times, classes)
        truth[key] = [(event.start_s, event.end_s, event.class_name) for event in scene.truth]
        durations[key] = scene.duration_s
    out = {}
    for name, (detection, truth_share, cross, cross_weight) in _PSDS.items():
        value, *_ = intersection_based.psds(
            scores=scores,
            ground_truth=truth,
            audio_durations=durations,
            dtc_threshold=detection,
            gtc_threshold=truth_share,
            cttc_threshold=cross,
            alpha_ct=cross_weight,
            alpha_st=0.0,
            max_efpr=100.0,
        )
        out[name] = float(value)
    return out
