"""The network as ONNX: batch norms, padding, and what is refused."""

import numpy as np
import onnx
import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.yamnet import Yamnet
from recomposer_studio.tagging.yamnet_graph import EPSILON, Weights, convolutions, fold, onnx_bytes
from tests.tagging.tiny_yamnet import CLASS_NAMES, loudness_variables, random_yamnet_variables


@pytest.fixture(scope="module")
def random_variables() -> dict[str, np.ndarray]:
    return random_yamnet_variables()


def plain_yamnet(variables: dict[str, np.ndarray], patch: np.ndarray) -> np.ndarray:
    """The published network written out with loops over kernel cells, unfolded batch norms and TensorFlow's padding."""
    x = patch[:, :, None].astype(np.float64)
    for layer in convolutions():
        depthwise = layer.kind == "depthwise_conv"
        kernel = variables[f"{layer.name}/{'depthwise_kernel' if depthwise else 'kernel'}"].astype(np.float64)
        size, stride = kernel.shape[0], layer.stride
        rows, columns = (-(-x.shape[0] // stride)), (-(-x.shape[1] // stride))
        total = [max((n - 1) * stride + size - length, 0) for n, length in ((rows, x.shape[0]), (columns, x.shape[1]))]
        padded = np.pad(
            x, ((total[0] // 2, total[0] - total[0] // 2), (total[1] // 2, total[1] - total[1] // 2), (0, 0))
        )
        out = np.zeros((rows, columns, layer.shape[0]))
        for i in range(size):
            for j in range(size):
                part = padded[i : i + rows * stride : stride, j : j + columns * stride : stride][:rows, :columns]
                out += part * kernel[i, j, :, 0] if depthwise else part @ kernel[i, j]
        norm = {key: variables[f"{layer.name}/bn/{key}"] for key in ("beta", "moving_mean", "moving_variance")}
        out = (out - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + EPSILON) + norm["beta"]
        x = np.maximum(out, 0.0)
    logits = x.mean(axis=(0, 1)) @ variables["dense/kernel"] + variables["dense/bias"]
    return 1.0 / (1.0 + np.exp(-logits))


def test_there_are_27_convolutions_and_3_7_million_weights():
    assert len(convolutions()) == 27
    weights = fold(loudness_variables())
    count = sum(values.size for values in (*weights.kernels, *weights.biases, weights.dense, weights.dense_bias))
    assert 3_700_000 < count < 3_800_000


def test_the_graph_computes_the_published_network(random_variables):
    patches = np.random.default_rng(1).normal(-3.0, 1.5, (2, 96, 64)).astype(np.float32)
    tags = Yamnet(onnx_bytes(fold(random_variables), {}), "cpu", 1).tag(patches)
    for patch, scores in zip(patches, tags.scores, strict=True):
        np.testing.assert_allclose(scores, plain_yamnet(random_variables, patch), atol=2e-5)


def test_the_file_is_valid_onnx_and_tells_where_it_came_from():
    model = onnx.load_from_string(onnx_bytes(fold(loudness_variables()), {"source": "somewhere"}))
    onnx.checker.check_model(model, full_check=True)
    assert {entry.key: entry.value for entry in model.metadata_props} == {"source": "somewhere"}


def test_any_number_of_patches_can_be_tagged():
    yamnet = Yamnet(onnx_bytes(fold(loudness_variables()), {}), "cpu", 1)
    patches = np.random.default_rng(2).normal(-3.0, 1.0, (37, 96, 64)).astype(np.float32)
    tags = yamnet.tag(patches)
    assert tags.scores.shape == (37, 521) and tags.embeddings.shape == (37, 1024)
    # Each for itself: neither company nor batch changes a patch.
    np.testing.assert_allclose(yamnet.tag(patches[20:21]).scores[0], tags.scores[20], atol=1e-6)
    # The first embedding of this network is the mean level above silence, sampled by its strides.
    np.testing.assert_allclose(tags.embeddings[:, 0].mean(), patches.mean() - np.log(0.001), atol=0.15)
    assert yamnet.tag(patches[:0]).scores.shape == (0, 521)
    assert yamnet.classes == CLASS_NAMES and len(yamnet.digest) == 64


def test_names_may_have_prefixes_and_numbers():
    variables = {f"yamnet_frames/{name}:0": values for name, values in loudness_variables().items()}
    np.testing.assert_array_equal(fold(variables).dense, fold(loudness_variables()).dense)


def test_a_missing_variable_is_named():
    variables = loudness_variables()
    del variables["layer9/pointwise_conv/bn/beta"]
    with pytest.raises(ValueError, match="layer9/pointwise_conv/bn/beta"):
        fold(variables)


def test_wrong_shapes_and_values_are_refused():
    weights = fold(loudness_variables())
    with pytest.raises(ValueError, match="dense has the shape"):
        Weights(weights.kernels, weights.biases, weights.dense.T, weights.dense_bias)
    broken = weights.dense.copy()
    broken[3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        Weights(weights.kernels, weights.biases, broken, weights.dense_bias)
    with pytest.raises(ValueError, match="26 convolutions"):
        Weights(weights.kernels[:-1], weights.biases[:-1], weights.dense, weights.dense_bias)


@pytest.mark.parametrize("model", [b"", b"no model at all"])
def test_other_bytes_are_no_network(model: bytes):
    with pytest.raises(InputError, match="damaged"):
        Yamnet(model, "cpu")


def test_another_network_is_refused():
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, ["n", 4]) for n in "xy"]
    graph = onnx.helper.make_graph([node], "other", value[:1], value[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(InputError, match="not YAMNet"):
        Yamnet(model.SerializeToString(), "cpu")
