"""Reading weights: every published form, and files that are something else."""

from pathlib import Path

import numpy as np
import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.tflite import CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, read_layers
from recomposer_studio.tagging.yamnet_files import read_weights
from recomposer_studio.tagging.yamnet_graph import convolutions, fold
from tests.tagging.tiny_yamnet import loudness_variables, write_keras_file


def test_a_keras_file_gives_its_variables(tmp_path: Path):
    weights = read_weights(write_keras_file(tmp_path / "yamnet.h5", loudness_variables()))
    wanted = fold(loudness_variables())
    for got, expected in zip(weights.kernels + weights.biases, wanted.kernels + wanted.biases, strict=True):
        np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(weights.dense, wanted.dense)


def test_the_published_tflite_file_is_read_whole(shared: Path):
    layers = read_layers((shared / "models" / "yamnet.tflite").read_bytes())
    kinds = [layer.operator for layer in layers]
    assert kinds.count(CONV_2D) == 14 and kinds.count(DEPTHWISE_CONV_2D) == 13
    assert kinds.count(FULLY_CONNECTED) == 4  # the transform's two halves, the mel bands, the classifier
    weights = read_weights(shared / "models" / "yamnet.tflite")
    assert all(kernel.any() for kernel in weights.kernels)
    # The pointwise ones are stored in 8 bits, and what is read are whole multiples of their steps.
    assert len(weights.steps) == 13
    for layer, kernel in zip(convolutions(), weights.kernels, strict=True):
        if layer.kind == "pointwise_conv":
            numbers = kernel[:, :, 0, 0] / weights.steps[layer.name][:, None]
            np.testing.assert_allclose(numbers, np.rint(numbers), atol=1e-4)
            assert np.abs(numbers).max() == pytest.approx(127, abs=1)
    # Weights of 8 bits take at most 256 values for each output.
    assert all(2 < len(np.unique(row)) <= 256 for row in weights.dense)


@pytest.mark.parametrize("keep", [0, 3, 100, 5_000, 2_000_000])
def test_a_tflite_file_cut_short_is_refused(shared: Path, tmp_path: Path, keep: int):
    path = tmp_path / "yamnet.tflite"
    path.write_bytes((shared / "models" / "yamnet.tflite").read_bytes()[:keep])
    with pytest.raises(InputError, match=r"yamnet\.tflite: this is not YAMNet"):
        read_weights(path)


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_tflite_file_ends_in_a_sentence_or_in_weights(shared: Path, tmp_path: Path, seed: int):
    """Noise in the tables must not crash or hang; noise in the weights alone is for the trial with known sounds."""
    data = bytearray((shared / "models" / "yamnet.tflite").read_bytes())
    rng = np.random.default_rng(seed)
    tables = len(data) - 40_000  # this file keeps its tables behind the weights
    for at in rng.integers(tables, len(data), 200):
        data[at] = rng.integers(256)
    path = tmp_path / "yamnet.tflite"
    path.write_bytes(data)
    try:
        outcome: object = len(read_weights(path).kernels)
    except InputError as error:
        outcome = str(error).partition(": this is not YAMNet")[0]
    assert outcome in (27, str(path))


@pytest.mark.parametrize("name", ["model.tflite", "model.h5", "model.onnx", "model"])
def test_other_files_are_refused_by_name(tmp_path: Path, name: str):
    path = tmp_path / name
    with pytest.raises(InputError, match="there is no such file"):
        read_weights(path)
    path.write_bytes(b"something else, " * 100)
    with pytest.raises(InputError, match=r"model.*SavedModel folder, yamnet\.h5 or yamnet\.tflite"):
        read_weights(path)


def test_a_folder_without_variables_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match=r"no variables/variables\.index"):
        read_weights(tmp_path)


def test_a_keras_file_of_another_network_is_refused(tmp_path: Path):
    variables = loudness_variables()
    del variables["layer14/depthwise_conv/depthwise_kernel"]
    with pytest.raises(InputError, match="layer14/depthwise_conv/kernel is missing"):
        read_weights(write_keras_file(tmp_path / "other.h5", variables))
