"""Installations from before there were 8-bit products are given them, from what is installed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.tagging import installation
from recomposer_studio.tagging.installation import Installed, install, installed
from recomposer_studio.tagging.yamnet import load_yamnet
from recomposer_studio.tagging.yamnet_eight_bit import eight_bit_onnx_bytes
from recomposer_studio.tagging.yamnet_files import read_weights
from recomposer_studio.tagging.yamnet_graph import convolutions, fold, onnx_bytes, weights_of
from tests.tagging.tiny_yamnet import loudness_variables, random_yamnet_variables, write_keras_file


def _nothing(done: int, total: int, what: str) -> None:
    """Reports nothing."""


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights that pass the known sounds."""
    return write_keras_file(tmp_path_factory.mktemp("keras") / "yamnet.h5", loudness_variables())


@pytest.fixture
def old(keras_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """YAMNet in float32 alone, on a processor that gets 8-bit products right."""
    with monkeypatch.context() as patch:
        patch.setattr(installation, "eight_bit_is_exact", lambda: False)
        found = install(str(keras_file), tmp_path / "yamnet", _nothing)
    monkeypatch.setattr(installation, "eight_bit_is_exact", lambda: True)
    assert found.eight_bit is None
    return found


def test_the_weights_come_back_bit_by_bit():
    weights = fold(random_yamnet_variables())
    found = weights_of(onnx_bytes(weights, {}))
    for name in ("kernels", "biases"):
        pairs = zip(getattr(weights, name), getattr(found, name), strict=True)
        assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in pairs)
    assert np.array_equal(weights.dense, found.dense) and np.array_equal(weights.dense_bias, found.dense_bias)
    assert found.steps == {}


def test_steps_of_weights_that_were_stored_in_8_bits_are_known_again():
    weights = fold(random_yamnet_variables())
    numbers, kernels, steps = np.random.default_rng(0), [], {}
    for layer, kernel in zip(convolutions(), weights.kernels, strict=True):
        if layer.kind == "pointwise_conv":
            whole = numbers.integers(-127, 128, layer.shape)
            whole.flat[0] = 127
            step = np.float32(0.0123)
            kernel = whole.astype(np.float32) * step
            steps[layer.name] = np.full(layer.shape[0], step, np.float32)
        kernels.append(kernel)
    weights = replace(weights, kernels=tuple(kernels), steps=steps)
    found = weights_of(onnx_bytes(weights, {}))
    assert found.steps.keys() == steps.keys()
    assert all(np.allclose(found.steps[name], steps[name], rtol=1e-6) for name in steps)


def test_the_published_file_gives_the_same_whole_numbers(shared: Path):
    import onnx
    from onnx import numpy_helper

    weights = read_weights(shared / "models" / "yamnet.tflite")
    again = weights_of(onnx_bytes(weights, {}))
    networks = [onnx.load_from_string(eight_bit_onnx_bytes(given, {})).graph.initializer for given in (weights, again)]
    there, back = ({c.name: numpy_helper.to_array(c) for c in constants} for constants in networks)
    assert there.keys() == back.keys()
    for name, values in there.items():
        if name.endswith("/steps"):
            assert np.allclose(values, back[name], rtol=1e-6)
        else:
            assert np.array_equal(values, back[name])


def test_an_old_installation_gets_8_bits_at_its_first_use_on_a_cpu(old: Installed):
    folder = old.path.parent
    loaded = load_yamnet(folder, "cpu", 1)
    found = installed(folder)
    assert found is not None and found.eight_bit is not None
    assert loaded.digest == found.eight_bit[1]
    assert found == replace(old, eight_bit=found.eight_bit)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [old.path.name, found.eight_bit[0].name, "yamnet.json"]
    )
    # Once is enough.
    before = [(path, path.stat().st_mtime_ns) for path in folder.iterdir()]
    assert load_yamnet(folder, "cpu", 1).digest == loaded.digest
    assert [(path, path.stat().st_mtime_ns) for path in folder.iterdir()] == before


@pytest.mark.parametrize("why", ["processor", "folder", "package", "weights"])
def test_where_that_cannot_be_it_stays_in_float32(old: Installed, monkeypatch: pytest.MonkeyPatch, why: str):
    def fail(*arguments: object) -> None:
        raise InputError("no")

    folder = old.path.parent
    if why == "processor":
        monkeypatch.setattr(installation, "eight_bit_is_exact", lambda: False)
    else:
        name = {"folder": "_write", "package": "weights_of", "weights": "check_sounds"}[why]
        monkeypatch.setattr(installation, name, fail)
    page = (folder / "yamnet.json").read_bytes()
    assert load_yamnet(folder, "cpu", 1).digest == old.sha256
    assert (folder / "yamnet.json").read_bytes() == page
    assert "eight_bit" not in json.loads(page)


def test_another_network_is_refused():
    variables = loudness_variables()
    model = onnx_bytes(fold(variables), {}).replace(b"layer9/depthwise_conv/kernel", b"layer9/depthwise_conv/kernal")
    with pytest.raises(ValueError, match="layer9"):
        weights_of(model)
