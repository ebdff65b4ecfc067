"""YAMNet's network as ONNX: 27 convolutions with the batch norms folded in, written from the published variables.

Architecture: `yamnet.py` of TensorFlow Models (Apache-2.0). Convolutions have no bias; batch norm has a centre, no scale
and epsilon 1e-4, so that relu(bn(conv(x))) = relu(conv'(x) + bias) with conv' = conv / sqrt(variance + epsilon) and
bias = beta - mean / sqrt(variance + epsilon).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.front_end import BANDS, PATCH_FRAMES

CLASSES = 521
EMBEDDING = 1_024
EPSILON = 1e-4

# Widths and strides of the layers; from the second on each is a depthwise convolution and a pointwise one.
_WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_STRIDES = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
OPSET, IR_VERSION = 17, 8  # what every ONNX Runtime from 1.14 on reads

_LARGEST = 127
"""The largest weight that is stored in 8 bits, in steps."""
_WHOLE = 1e-3
"""Weights are this near to whole multiples of a step, in steps, where they were stored so; float32 rounds by 1e-5."""

Kind = Literal["conv", "depthwise_conv", "pointwise_conv"]


@dataclass(frozen=True)
class Convolution:
    """One of the 27 convolutions.

    Attributes:
        name: as in the published variables, for example "layer3/depthwise_conv".
        kind: which sort it is.
        shape: of its kernel, (out, in / groups, height, width).
        stride: 1 or 2, along both axes.
    """

    name: str
    kind: Kind
    shape: tuple[int, int, int, int]
    stride: int


def convolutions() -> tuple[Convolution, ...]:
    """The network's convolutions in their order."""
    layers = [Convolution("layer1/conv", "conv", (_WIDTHS[0], 1, 3, 3), _STRIDES[0])]
    for number, (before, width, stride) in enumerate(zip(_WIDTHS, _WIDTHS[1:], _STRIDES[1:], strict=False), start=2):
        layers.append(Convolution(f"layer{number}/depthwise_conv", "depthwise_conv", (before, 1, 3, 3), stride))
        layers.append(Convolution(f"layer{number}/pointwise_conv", "pointwise_conv", (width, before, 1, 1), 1))
    return tuple(layers)


@dataclass(frozen=True)
class Weights:
    """YAMNet's weights with the batch norms folded in.

    Attributes:
        kernels: of the 27 convolutions, in the shapes of `convolutions`.
        biases: of the same, (out,) each.
        dense: (521, 1024).
        dense_bias: (521,).
        steps: of pointwise convolutions whose weights were stored in 8 bits, by name: (out,), what the weights of each
            output are whole multiples of.

    Raises:
        ValueError: a shape is another one, or a weight is not a finite number.
    """

    kernels: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]
    dense: NDArray[np.float32]
    dense_bias: NDArray[np.float32]
    steps: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        layers = convolutions()
        if len(self.kernels) != len(layers) or len(self.biases) != len(layers):
            raise ValueError(f"{len(self.kernels)} convolutions instead of {len(layers)}")
        wanted = [
            *((layer.name, layer.shape, kernel) for layer, kernel in zip(layers, self.kernels, strict=True)),
            *((layer.name, layer.shape[:1], bias) for layer, bias in zip(layers, self.biases, strict=True)),
            ("dense", (CLASSES, EMBEDDING), self.dense),
            ("dense", (CLASSES,), self.dense_bias),
        ]
        for name, shape, values in wanted:
            if values.shape != shape:
                raise ValueError(f"{name} has the shape {values.shape} instead of {shape}")
            if not np.isfinite(values).all():
                raise ValueError(f"{name} holds values that are not finite")


def fold(variables: Mapping[str, NDArray[np.generic]]) -> Weights:
    """Weights from the published variables.

    Args:
        variables: by their Keras names, for example "layer2/depthwise_conv/bn/moving_mean"; what stands before
            "layer" and after ":" does not matter. Kernels in TensorFlow's order (height, width, in, out).

    Raises:
        ValueError: a variable is missing or has another shape.
    """
    found: dict[str, NDArray[np.float64]] = {}
    for name, values in variables.items():
        match = re.search(r"(layer\d+/(?:depthwise_|pointwise_)?conv/(?:bn/)?\w+)(?::\d+)?$", name)
        if match:
            found[match[1]] = np.asarray(values, np.float64)
        elif values.shape in ((EMBEDDING, CLASSES), (CLASSES,)):  # the only variables of these shapes
            found["dense/kernel" if values.ndim == 2 else "dense/bias"] = np.asarray(values, np.float64)
    try:
        kernels, biases = [], []
        for layer in convolutions():
            own = "depthwise_kernel" if f"{layer.name}/depthwise_kernel" in found else "kernel"
            kernel = found[f"{layer.name}/{own}"]
            scale = 1.0 / np.sqrt(found[f"{layer.name}/bn/moving_variance"] + EPSILON)
            # Depthwise kernels are (height, width, in, 1), the others (height, width, in, out).
            kernel = kernel.transpose((2, 3, 0, 1) if layer.kind == "depthwise_conv" else (3, 2, 0, 1))
            kernels.append((kernel * scale[:, None, None, None]).astype(np.float32))
            biases.append(
                (found[f"{layer.name}/bn/beta"] - found[f"{layer.name}/bn/moving_mean"] * scale).astype(np.float32)
            )
        dense, dense_bias = found["dense/kernel"].T.astype(np.float32), found["dense/bias"].astype(np.float32)
    except KeyError as error:
        raise ValueError(f"the variable {error.args[0]} is missing") from None
    return Weights(tuple(kernels), tuple(biases), np.ascontiguousarray(dense), dense_bias)


def weights_of(model: bytes) -> Weights:
    """The weights in a file of `onnx_bytes`, bit by bit.

    What was stored in 8 bits is known again: all weights of a kernel are then whole multiples of one step, the largest by 127.

    Args:
        model: the ONNX file, whose hash was checked.

    Raises:
        InputError: the package onnx is not installed.
        ValueError: it is another network.
    """
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise InputError("reading YAMNet's network needs the package onnx; install it with: pip install onnx") from None
    stored = onnx.load_from_string(model).graph.initializer
    values = {constant.name: np.asarray(numpy_helper.to_array(constant), np.float32) for constant in stored}
    layers = convolutions()
    try:
        kernels = tuple(values[f"{layer.name}/kernel"] for layer in layers)
        biases = tuple(values[f"{layer.name}/bias"] for layer in layers)
        dense, dense_bias = values["dense/kernel"], values["dense/bias"]
    except KeyError as error:
        raise ValueError(f"it has no {error.args[0]}") from None
    steps = {}
    for layer, kernel in zip(layers, kernels, strict=True):
        step = float(np.abs(kernel).max(initial=0.0)) / _LARGEST
        if layer.kind == "pointwise_conv" and step > 0:
            numbers = kernel / step
            if np.abs(numbers - np.rint(numbers)).max() < _WHOLE:
                steps[layer.name] = np.full(layer.shape[0], step, np.float32)
    return Weights(kernels, biases, dense, dense_bias, steps)


def onnx_bytes(weights: Weights, origin: Mapping[str, str]) -> bytes:
    """The network as an ONNX file.

    Input "log_mel": (n, 1, 96, 64); outputs "scores": (n, 521) from 0 to 1, and "embeddings": (n, 1024).

    Args:
        weights: what it computes with.
        origin: facts that the file carries about itself, such as where the weights came from.

    Raises:
        InputError: the package onnx is not installed.
    """
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise InputError("writing YAMNet's network needs the package onnx; install it with: pip install onnx") from None
    nodes, constants, last = [], [], "log_mel"
    for layer, kernel, bias in zip(convolutions(), weights.kernels, weights.biases, strict=True):
        names = [f"{layer.name}/kernel", f"{layer.name}/bias"]
        constants += [numpy_helper.from_array(v, n) for v, n in zip((kernel, bias), names, strict=True)]
        size = layer.shape[2]
        # TensorFlow's SAME on even sizes: stride 2 pads after the end alone, stride 1 on both sides.
        pads = [0, 0, 0, 0] if size == 1 else [0, 0, 1, 1] if layer.stride == 2 else [1, 1, 1, 1]
        nodes.append(
            helper.make_node(
                "Conv",
                [last, *names],
                [layer.name],
                kernel_shape=[size, size],
                strides=[layer.stride] * 2,
                pads=pads,
                group=layer.shape[0] if layer.kind == "depthwise_conv" else 1,
            )
        )
        last = f"{layer.name}/relu"
        nodes.append(helper.make_node("Relu", [layer.name], [last]))
    constants += [
        numpy_helper.from_array(weights.dense, "dense/kernel"),
        numpy_helper.from_array(weights.dense_bias, "dense/bias"),
    ]
    nodes += [
        helper.make_node("GlobalAveragePool", [last], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embeddings"]),
        helper.make_node("Gemm", ["embeddings", "dense/kernel", "dense/bias"], ["logits"], transB=1),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "yamnet",
        [helper.make_tensor_value_info("log_mel", TensorProto.FLOAT, ["n", 1, PATCH_FRAMES, BANDS])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", CLASSES]),
            helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", EMBEDDING]),
        ],
        constants,
    )
    model = helper.make_model(
        graph,
        producer_name="recomposer-studio",
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    helper.set_model_props(model, dict(origin))
    return bytes(model.SerializeToString())
