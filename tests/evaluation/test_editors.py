"""Product editors go the way of a user's edit, and a model can be kept from knowing parts of its task."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from recomposer_studio.cli.main import main
from recomposer_studio.editing.regions import Region
from recomposer_studio.errors import InputError
from recomposer_studio.evaluation.editors import (
    ActionlessLabels,
    EngineEditor,
    IdentityEditor,
    Task,
    model_editor,
)
from recomposer_studio.evaluation.msd import MsdReference
from recomposer_studio.model.conditioning import event_vector
from recomposer_studio.roll.event import Action
from recomposer_studio.roll.file import format_roll
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.cache import AudioCache
from tests.evaluation.fakes import ListeningModel, task_of
from tests.model.tiny import write_tiny

ALL = frozenset({Action.DELETE, Action.ENHANCE, Action.INSERT})


def inside(task: Task) -> np.ndarray:
    region = Region.of(task.row, task.scene.rate_hz, len(task.scene.input), 0.01)
    mask = np.zeros(len(task.scene.input), np.bool_)
    mask[region.start : region.stop] = True
    return mask


@pytest.mark.parametrize("action", ["delete", "enhance", "insert"])
def test_identity_returns_the_desired_samples_to_the_bit(tiny_cache: AudioCache, action: str) -> None:
    task = task_of(tiny_cache, "overlap", action)
    assert np.array_equal(IdentityEditor().edit(task).samples, task.scene.desired)


@pytest.mark.parametrize("action", ["delete", "enhance"])
def test_repair_helps_on_plain_scenes_and_leaves_the_rest_alone(tiny_cache: AudioCache, action: str) -> None:
    task = task_of(tiny_cache, "plain", action)
    edited = EngineEditor().edit(task)
    reference = MsdReference(task.scene.desired)
    before = reference.distance(task.scene.input, task.scene.truth_box).target
    assert reference.distance(edited.samples, task.scene.truth_box).target < 0.8 * before
    assert np.array_equal(edited.samples[~inside(task)], task.scene.input[~inside(task)])
    assert edited.seconds > 0


def test_repair_is_what_the_edit_command_writes(tiny_cache: AudioCache, tmp_path: Path) -> None:
    task = task_of(tiny_cache, "overlap", "delete")
    sf.write(tmp_path / "in.wav", task.scene.input, task.scene.rate_hz, "FLOAT")
    (tmp_path / "roll.json").write_text(format_roll(task.roll), encoding="utf-8")
    words = ["edit", tmp_path / "in.wav", "--roll", tmp_path / "roll.json", "--out", tmp_path / "out.wav"]
    assert main([*map(str, words), "--model", "repair"]) == 0
    assert np.array_equal(sf.read(tmp_path / "out.wav")[0], EngineEditor().edit(task).samples)


def test_repair_is_asked_neither_to_insert_nor_about_words(tiny_cache: AudioCache) -> None:
    delete = task_of(tiny_cache, "plain", "delete")
    assert EngineEditor().suits(delete)
    assert not EngineEditor().suits(replace(delete, hidden="class"))
    assert not EngineEditor().suits(task_of(tiny_cache, "plain", "insert"))


@pytest.mark.parametrize("action", ["delete", "enhance", "insert"])
def test_a_hidden_class_never_reaches_the_model(tiny_cache: AudioCache, action: str) -> None:
    model = ListeningModel()
    task = replace(task_of(tiny_cache, "plain", action), hidden="class")
    edited = EngineEditor("listener", model, ALL).edit(task)
    assert set(model.told) == {(action, "Unknown sound")}
    # The engine still does what the row says.
    plain = EngineEditor("listener", ListeningModel(), ALL).edit(replace(task, hidden=""))
    assert np.array_equal(edited.samples, plain.samples)


def test_a_hidden_action_goes_to_the_model_that_reads_no_actions(tiny_cache: AudioCache) -> None:
    model, other = ListeningModel(), ListeningModel()
    task = replace(task_of(tiny_cache, "plain", "delete"), hidden="action")
    assert not EngineEditor("listener", model, ALL).suits(task)
    editor = EngineEditor("listener", model, ALL, actionless=lambda: other)
    assert editor.suits(task)
    editor.edit(task)
    assert other.told
    assert not model.told


def test_without_actions_a_model_reads_zeros_and_its_class(tmp_path: Path) -> None:
    labels, shipped = ActionlessLabels(), LabelTable.load()
    hidden, told = event_vector(labels, "delete", "Bark"), event_vector(shipped, "delete", "Bark")
    assert not hidden[:64].any()
    assert told[:64].any()
    assert np.array_equal(hidden[64:], told[64:])
    assert np.array_equal(hidden, event_vector(labels, "insert", "Bark"))


def test_a_checkpoint_without_its_actions_gives_another_mask(tiny_cache: AudioCache, tmp_path: Path) -> None:
    editor = model_editor(str(write_tiny(tmp_path / "tiny", ("mask",))), "cpu")
    task = task_of(tiny_cache, "plain", "delete")
    told, hidden = editor.edit(task).samples, editor.edit(replace(task, hidden="action")).samples
    assert not np.array_equal(told, hidden)


def test_a_model_that_does_not_exist_is_named() -> None:
    with pytest.raises(InputError, match="no-such-model"):
        model_editor("no-such-model")
