"""Two taggers in one, and a tagger that begins where another training ended."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.builtin import describe, load_builtin
from recomposer_studio.tagging.tagger import pooled
from recomposer_studio.training.pace import write_tensors
from recomposer_studio.training.tagger import TaggerTraining, begin_with, train_tagger
from recomposer_studio.training.tagger_export import write_tagger
from recomposer_studio.training.tagger_join import join_taggers
from tests.tagging.tiny_tagger import EVENT_CLASSES, tiny_net
from tests.training.test_tagger_training import TinyTeacher


def _write(folder: Path, seed: int, classes: tuple[str, ...] = EVENT_CLASSES) -> Path:
    net = tiny_net()
    torch.manual_seed(seed)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    write_tagger(folder, folder.name, net.eval(), classes, classes[:2])
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("taggers")
    return _write(base / "one", 1), _write(base / "other", 2)


def test_a_joined_tagger_hears_the_mean(folders: tuple[Path, Path], tmp_path: Path) -> None:
    join_taggers(*folders, tmp_path / "both", "both")
    one, other, both = (load_builtin(folder, "cpu", 1) for folder in (*folders, tmp_path / "both"))
    frames = np.random.default_rng(3).normal(-3.0, 2.0, (96, 64)).astype(np.float32)
    heard = [tagger.sounding(frames) for tagger in (one, other, both)]
    for name in ("classes", "any_event", "onset"):
        first, second, mean = (getattr(sounding, name) for sounding in heard)
        assert not np.allclose(first, second)
        np.testing.assert_allclose(mean, (first + second) / 2.0, atol=1e-5)
    np.testing.assert_array_equal(heard[2].features, np.concatenate([heard[0].features, heard[1].features], axis=1))
    tags = [tagger.tag(frames[None]) for tagger in (one, other, both)]
    np.testing.assert_allclose(tags[2].scores, (tags[0].scores + tags[1].scores) / 2.0, atol=1e-6)
    names = [
        tagger.names(pooled(sounding.features)[None])
        for tagger, sounding in zip((one, other, both), heard, strict=True)
    ]
    np.testing.assert_allclose(names[2], (names[0] + names[1]) / 2.0, atol=1e-5)
    for file in ("tagger.onnx", "names.onnx"):
        onnx.checker.check_model(str(tmp_path / "both" / file), full_check=True)
    assert describe(tmp_path / "both").trained_classes == EVENT_CLASSES[:2]


def test_three_can_be_joined_and_a_folder_be_written_over(folders: tuple[Path, Path], tmp_path: Path) -> None:
    join_taggers(*folders, tmp_path, "two")
    join_taggers(tmp_path, folders[0], tmp_path, "three")
    frames = np.zeros((8, 64), np.float32)
    one, other, three = (load_builtin(folder, "cpu", 1).sounding(frames) for folder in (*folders, tmp_path))
    np.testing.assert_allclose(three.classes, 0.75 * one.classes + 0.25 * other.classes, atol=1e-5)
    assert three.features.shape[1] == 2 * one.features.shape[1] + other.features.shape[1]


def test_taggers_of_other_classes_are_not_joined(folders: tuple[Path, Path], tmp_path: Path) -> None:
    renamed = (*EVENT_CLASSES[:-1], "Zither")
    stranger = _write(tmp_path / "stranger", 3, renamed)
    with pytest.raises(InputError, match="other classes"):
        join_taggers(folders[0], stranger, tmp_path / "both", "both")
    assert not (tmp_path / "both").exists()
    (stranger / "names.onnx").write_bytes(b"")
    with pytest.raises(InputError, match="not the one its page names"):
        join_taggers(stranger, stranger, tmp_path / "both", "both")


def test_training_begins_with_averages_and_keeps_what_they_lack(tmp_path: Path) -> None:
    net, earlier = tiny_net(), tiny_net()
    with torch.no_grad():
        for weight in earlier.parameters():
            weight.add_(1.0)
    kept = net.names.weight.detach().clone()
    state = {f"average.{n}": v for n, v in earlier.state_dict().items() if not n.startswith("names.")}
    write_tensors(tmp_path / "run.safetensors", {**state, "network.scores.bias": torch.zeros(1)})
    begin_with(net, tmp_path / "run.safetensors")
    assert torch.equal(net.names.weight, kept)
    assert torch.equal(net.scores.weight, earlier.scores.weight)
    write_tensors(tmp_path / "run.safetensors", {"average.scores.weight": torch.zeros(1, 1)})
    with pytest.raises(InputError, match="another size"):
        begin_with(net, tmp_path / "run.safetensors")
    with pytest.raises(InputError, match="no state of a training"):
        begin_with(net, tmp_path / "nothing.safetensors")


def test_a_stranger_beside_is_refused_before_the_training(
    folders: tuple[Path, Path], tiny_folder: Path, tmp_path: Path
) -> None:
    options = TaggerTraining(tiny_folder, tmp_path / "out", max_minutes=0.0, valid_scenes=1, beside=folders[0])
    with pytest.raises(InputError, match="other classes"):
        train_tagger(options, TinyTeacher(), lambda line: None)
    assert not (tmp_path / "out" / "run.safetensors").exists()
    with pytest.raises(InputError, match="stays as it is"):
        train_tagger(replace(options, out=folders[0]), TinyTeacher(), lambda line: None)


def test_taggers_of_other_recordings_are_not_joined(folders: tuple[Path, Path], tmp_path: Path) -> None:
    for number, folder in enumerate(folders):
        shutil.copytree(folder, tmp_path / folder.name)
        (tmp_path / folder.name / "ATTRIBUTION.md").write_text(f"Recording {number}\n", encoding="utf-8")
    with pytest.raises(InputError, match="other recordings"):
        join_taggers(tmp_path / "one", tmp_path / "other", tmp_path / "both", "both")
