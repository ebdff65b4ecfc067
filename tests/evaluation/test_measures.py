"""Each measure answers the question it is named after."""

from dataclasses import replace

import numpy as np
import pytest

from recomposer_studio.evaluation.editors import EngineEditor
from recomposer_studio.evaluation.measures import Judge, log_spectral_distance
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.cache import AudioCache
from tests.evaluation.fakes import SingleClassScorer, SpectrumScorer, task_of


def test_the_desired_signal_is_at_no_distance(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "plain", "enhance")
    values = Judge.of(task.scene, SpectrumScorer()).measure(task, task.scene.desired)
    assert {name for name in values if name.startswith(("msd", "kld"))} >= {"msd_target", "msd_clip", "kld_target"}
    assert all(value == 0 for name, value in values.items() if name.startswith(("msd", "kld", "changed")))


def test_without_a_classifier_nothing_is_said_of_it(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "plain", "insert")
    values = Judge.of(task.scene, None).measure(task, task.scene.input)
    assert set(values) == {"msd_target", "msd_skirt", "msd_nontarget", "msd_clip", "changed_outside"}
    assert values["msd_target"] > 0


def test_the_input_of_an_edit_is_far_in_the_box_and_nowhere_else(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "plain", "delete")
    values = Judge.of(task.scene, SpectrumScorer()).measure(task, task.scene.input)
    assert values["msd_target"] > values["msd_clip"] > 0
    assert values["kld_target"] > values["kld_clip"] > 0
    assert values["msd_nontarget"] == values["kld_nontarget"] == values["changed_outside"] == 0


def test_one_changed_sample_outside_the_regions_is_counted(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "plain", "delete")
    estimate = EngineEditor().edit(task).samples.copy()
    judge = Judge.of(task.scene, None)
    assert judge.measure(task, estimate)["changed_outside"] == 0
    estimate[7] = np.nextafter(estimate[7], 1)
    assert judge.measure(task, estimate)["changed_outside"] == 1


@pytest.mark.parametrize("factor", [0.5, 0.1])
def test_a_plain_gain_lowers_both_sounds_alike(tiny_cache: AudioCache, factor: float) -> None:
    task = task_of(tiny_cache, "overlap", "delete", swap=True)
    values = Judge.of(task.scene, None).measure(task, task.scene.input * factor)
    expected = pytest.approx(-20 * np.log10(factor), abs=1e-3)
    assert values["fall_named"] == expected
    assert values["fall_unnamed"] == expected


def test_the_named_sound_alone_falls_when_it_alone_is_taken_out(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "overlap", "delete", swap=True)
    named = task.scene.edit.event_id
    assert named == "other-1"
    unnamed = next(s.id for s in task.scene.spec.sounds if s.role == "target")
    judge = Judge.of(task.scene, None)
    right = judge.measure(task, task.scene.input - task.scene.stems[named])
    assert right["fall_named"] - right["fall_unnamed"] > 6
    wrong = judge.measure(task, task.scene.input - task.scene.stems[unnamed])
    assert wrong["fall_unnamed"] - wrong["fall_named"] > 6


def test_only_swap_scenes_speak_of_falls(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "overlap", "delete")
    assert "fall_named" not in Judge.of(task.scene, None).measure(task, task.scene.input)


def test_the_top_five_hold_the_class_where_it_is_heard(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "plain", "insert")
    scene = task.scene
    # Scenes lie at -26 dBFS, the event 10 dB above: a patch that holds it is louder.
    number = LabelTable.load().classes.index(scene.edit.class_name)
    quiet = max(np.sqrt(np.mean(p**2)) for p in np.array_split(scene.input[::2].astype(np.float64), 4))
    judge = Judge.of(scene, SingleClassScorer(number, 1.05 * float(quiet)))
    assert judge.measure(task, scene.desired)["top5"] == 1
    assert judge.measure(task, scene.desired)["score_true"] > 0
    assert judge.measure(task, scene.input)["top5"] == 0


def test_the_label_of_the_row_has_its_own_score(tiny_cache: AudioCache) -> None:
    task = task_of(tiny_cache, "plain", "enhance")
    other = next(name for name in ("Bell", "Bark") if name != task.scene.edit.class_name)
    row = replace(task.row, label=other)
    renamed = replace(task, roll=task.roll.with_event(row))
    scorer = SingleClassScorer(LabelTable.load().classes.index(other), 0.0)
    values = Judge.of(task.scene, scorer).measure(renamed, task.scene.input)
    assert values["score_named"] == 1
    assert values["score_true"] == pytest.approx(0.1)


def test_the_log_spectral_distance_of_a_gain_is_the_gain() -> None:
    sound = np.random.default_rng(0).standard_normal(32000)
    assert log_spectral_distance(sound, sound, 32000) == 0
    assert log_spectral_distance(sound, 0.1 * sound, 32000) == pytest.approx(20.0, abs=1e-6)


def test_the_log_spectral_distance_of_a_box_sees_the_box() -> None:
    sound = np.random.default_rng(0).standard_normal(32000)
    changed = sound.copy()
    changed[16000:20000] *= 0.1
    assert log_spectral_distance(sound, changed, 32000, (0.5, 0.625)) > log_spectral_distance(sound, changed, 32000)
    assert log_spectral_distance(sound, changed, 32000, (0.0, 0.3)) == 0
    assert log_spectral_distance(sound, changed, 32000, (0.56, 0.5601)) == pytest.approx(20.0, abs=0.5)
