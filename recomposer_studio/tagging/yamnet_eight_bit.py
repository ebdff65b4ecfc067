"""YAMNet's network as ONNX with 8-bit products, for processors that multiply whole numbers faster than float32.

The pointwise convolutions from layer 4 on, nine tenths of the work, are products of whole numbers, as the published
TFLite file has them: weights in steps of their own for every output, activations in 255 steps from zero to the largest
value at their point of the patch. Nothing is calibrated. Layers 1 to 3 gain nothing from it and stay in float32.

Patches that overlap share work. The network hears a run of log-mel frames and is told where in it the patches begin. A
patch's padding reaches only its first and last rows, so layers 1 to 3 and the depthwise half of layer 4 are worked out
once for the whole run (the *body*) and again for the first 17 and the last 18 frames of every patch (*head* and *tail*);
what comes of a patch is what comes of it alone. Layer 3 takes every second row of a patch, the body keeps all of them,
since patches begin on even and on odd ones, and layer 4 looks two rows away instead.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.front_end import BANDS, PATCH_FRAMES
from recomposer_studio.tagging.runtime import open_session
from recomposer_studio.tagging.yamnet_graph import CLASSES, EMBEDDING, IR_VERSION, OPSET, Weights, convolutions

_MICROSOFT = "com.microsoft"  # ONNX Runtime's own operators
_LARGEST = 127

_SHARED = 6  # convolutions before the rows of a run come apart: as far as layer 4's depthwise one
_ROWS, _COLUMNS, _WIDTH = 24, 16, 128  # a patch in layer 4
_HEAD_FRAMES, _TAIL_FRAMES = 17, 18
_HEAD_ROWS, _TAIL_ROWS = 2, 3  # rows in layer 4 that depend on a patch's edges
# Rows above and below, by part, for the four convolutions of 3 x 3.
_EDGES = {
    "body": ((0, 0), (0, 0), (0, 0), (0, 0)),
    "head": ((0, 0), (1, 0), (0, 0), (1, 0)),
    "tail": ((0, 1), (0, 1), (0, 1), (0, 1)),
}
# The body's row of layer 4 that is row 2 of a patch: each convolution without padding loses a row, layer 4 two.
_FIRST_BODY_ROW = 1


def eight_bit_onnx_bytes(weights: Weights, origin: Mapping[str, str]) -> bytes:
    """The network as an ONNX file, to run on a CPU; see `eight_bit_is_exact`.

    Inputs "frames": (t, 64) log-mel, and "starts": (n,) the first frame of every patch, even numbers; outputs "scores":
    (n, 521) from 0 to 1, and "embeddings": (n, 1024).

    Args:
        weights: what it computes with.
        origin: facts that the file carries about itself, such as where the weights came from.

    Raises:
        InputError: the package onnx is not installed.
    """
    writer = _Writer(weights)
    writer.network()
    return writer.file(origin)


def eight_bit_is_exact() -> bool:
    """Whether this processor's sums of 8-bit products are right.

    Without VNNI, x86 processors add two products in 16 bits, and what does not fit is cut off.

    Raises:
        InputError: the package onnx or ONNX Runtime is not installed.
    """
    helper, numpy_helper, kinds = _onnx()
    numbers = np.full((64, 32), _LARGEST, np.int8)
    node = helper.make_node("MatMulInteger", ["x", "k"], ["y"])
    graph = helper.make_graph(
        [node],
        "products",
        [helper.make_tensor_value_info("x", kinds.UINT8, ["n", 64])],
        [helper.make_tensor_value_info("y", kinds.INT32, ["n", 32])],
        [numpy_helper.from_array(numbers, "k")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    session = open_session(model.SerializeToString(), "YAMNet", "update ONNX Runtime", "cpu", 1)
    (sums,) = session.run(["y"], {"x": np.full((16, 64), 255, np.uint8)})
    return bool((sums == 64 * 255 * _LARGEST).all())


def _onnx() -> tuple[Any, Any, Any]:
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise InputError("writing YAMNet's network needs the package onnx; install it with: pip install onnx") from None
    return helper, numpy_helper, TensorProto


class _Writer:
    """Nodes and constants as they come; every value is called after what makes it."""

    def __init__(self, weights: Weights) -> None:
        self._helper, self._numpy_helper, self._kinds = _onnx()
        self._weights = weights
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def network(self) -> None:
        """All of it, from "frames" and "starts" to "scores" and "embeddings"."""
        x = self._patches(self._pointwise(self._shared_rows(), _SHARED))
        height, width = _ROWS, _COLUMNS
        layers = convolutions()
        for index in range(_SHARED + 1, len(layers)):
            layer = layers[index]
            if layer.kind == "depthwise_conv":
                x = self._convolution(x, index, layer.name, (int(layer.stride == 1), 1))
                height, width = height // layer.stride, width // layer.stride
                continue
            x = self._pointwise(self._rows(x, layer.name, layer.shape[1]), index)
            if index + 1 < len(layers):
                x = self._maps(x, layer.name, (height, width, layer.shape[0]))
        x = self._reshaped(x, "points", (-1, height * width, EMBEDDING))
        self._node("ReduceMean", [x], "embeddings", axes=[1], keepdims=0)
        dense = [
            self._constant("dense/kernel", self._weights.dense),
            self._constant("dense/bias", self._weights.dense_bias),
        ]
        self._node("Gemm", ["embeddings", *dense], "logits", transB=1)
        self._node("Sigmoid", ["logits"], "scores")

    def file(self, origin: Mapping[str, str]) -> bytes:
        """What was written, as a file."""
        helper, kinds = self._helper, self._kinds
        graph = helper.make_graph(
            self._nodes,
            "yamnet",
            [
                helper.make_tensor_value_info("frames", kinds.FLOAT, ["t", BANDS]),
                helper.make_tensor_value_info("starts", kinds.INT64, ["n"]),
            ],
            [
                helper.make_tensor_value_info("scores", kinds.FLOAT, ["n", CLASSES]),
                helper.make_tensor_value_info("embeddings", kinds.FLOAT, ["n", EMBEDDING]),
            ],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(_MICROSOFT, 1)]
        model = helper.make_model(graph, producer_name="recomposer-studio", opset_imports=opsets, ir_version=IR_VERSION)
        helper.set_model_props(model, dict(origin))
        return bytes(model.SerializeToString())

    def _shared_rows(self) -> str:
        """(rows * 16, 128) of layer 4's depthwise convolution: the body's, two of every head, three of every tail."""
        column = self._node("Unsqueeze", ["starts", self._constant("one", np.array([1]))], "starts/column")
        edges = {
            "head": np.arange(_HEAD_FRAMES),
            "tail": np.arange(PATCH_FRAMES - _TAIL_FRAMES, PATCH_FRAMES),
        }
        parts = [self._part(self._reshaped("frames", "body", (1, 1, -1, BANDS)), "body")]
        for part, offsets in edges.items():
            numbers = self._node("Add", [column, self._constant(f"{part}/offsets", offsets)], f"{part}/numbers")
            frames = self._node("Gather", ["frames", numbers], f"{part}/frames", axis=0)
            maps = self._node("Unsqueeze", [frames, self._constant("one", np.array([1]))], f"{part}/maps")
            parts.append(self._part(maps, part))
        return self._node("Concat", parts, "shared", axis=0)

    def _part(self, x: str, part: str) -> str:
        """(rows * 16, 128) of layer 4's depthwise convolution in one part."""
        edges = iter(_EDGES[part])
        for index, layer in enumerate(convolutions()[:_SHARED]):
            name = f"{part}/{layer.name}"
            if layer.kind == "pointwise_conv":
                x = self._convolution(x, index, name)
                continue
            apart = part == "body" and layer.name.startswith("layer3/")
            wide = part == "body" and layer.name.startswith("layer4/")
            x = self._convolution(
                x,
                index,
                name,
                (int(layer.stride == 1), 1),
                next(edges),
                strides=(1, layer.stride) if apart else None,
                dilations=(2, 1) if wide else (1, 1),
            )
        return self._rows(x, part, _WIDTH)

    def _patches(self, rows: str) -> str:
        """(n, 128, 24, 16) maps of the patches from the rows of `_shared_rows` after layer 4."""
        two = self._constant("two", np.array(2))
        first = self._node("Div", ["starts", two], "starts/rows")
        body_column = self._node("Unsqueeze", [first, self._constant("one", np.array([1]))], "starts/rows/column")
        inner = np.arange(_ROWS - _HEAD_ROWS - _TAIL_ROWS) * 2 + _FIRST_BODY_ROW
        numbers = [self._node("Add", [body_column, self._constant("inner", inner)], "patches/body")]
        # The heads' rows and then the tails' come last, counted from the end of the table.
        count = self._node("Squeeze", [self._node("Shape", ["starts"], "starts/shape")], "starts/count")
        zero, unit = self._constant("zero", np.array(0)), self._constant("unit", np.array(1))
        order = self._node("Range", [zero, count, unit], "starts/order")
        from_end = self._node("Sub", [order, count], "starts/from_end")
        from_end = self._node("Unsqueeze", [from_end, self._constant("one", np.array([1]))], "starts/from_end/column")
        tails_rows = self._node("Mul", [count, self._constant("three", np.array(_TAIL_ROWS))], "tails/rows")
        for part, size in (("head", _HEAD_ROWS), ("tail", _TAIL_ROWS)):
            own = self._node("Mul", [from_end, self._constant(f"{part}/size", np.array(size))], f"{part}/first")
            own = self._node("Add", [own, self._constant(f"{part}/inner", np.arange(size))], f"{part}/rows")
            if part == "head":
                own = self._node("Sub", [own, tails_rows], f"{part}/rows/before_tails")
            numbers.append(own)
        body, head, tail = numbers
        table = self._node("Concat", [head, body, tail], "patches/rows", axis=1)
        rows = self._reshaped(rows, "layer4/rows", (-1, _COLUMNS * _WIDTH))
        chosen = self._node("Gather", [rows, table], "patches", axis=0)
        return self._maps(chosen, "patches", (_ROWS, _COLUMNS, _WIDTH))

    def _convolution(
        self,
        x: str,
        index: int,
        name: str,
        columns: tuple[int, int] = (0, 0),
        rows: tuple[int, int] | None = None,
        strides: tuple[int, int] | None = None,
        dilations: tuple[int, int] = (1, 1),
    ) -> str:
        """A convolution of (n, channels, rows, columns) in float32, padded by `rows` and `columns`, and its ReLU."""
        layer = convolutions()[index]
        top, bottom = columns if rows is None else rows
        self._node(
            "Conv",
            [
                x,
                self._constant(f"{layer.name}/kernel", self._weights.kernels[index]),
                self._constant(f"{layer.name}/bias", self._weights.biases[index]),
            ],
            name,
            kernel_shape=layer.shape[2:],
            strides=strides or (layer.stride, layer.stride),
            dilations=dilations,
            pads=[top, columns[0], bottom, columns[1]],
            group=layer.shape[0] if layer.kind == "depthwise_conv" else 1,
        )
        return self._node("Relu", [name], f"{name}/relu")

    def _pointwise(self, x: str, index: int) -> str:
        """A pointwise convolution of (points, channels) in whole numbers, and its ReLU."""
        layer = convolutions()[index]
        name, kernel = layer.name, self._weights.kernels[index][:, :, 0, 0]
        bias = self._constant(f"{name}/bias", self._weights.biases[index])
        numbers, steps = _whole(kernel, self._weights.steps.get(name))
        # The step of a point of nothing but zeros does not matter, as long as it is a number.
        largest = self._node("ReduceMax", [x], f"{name}/largest", axes=[1], keepdims=0)
        largest = self._node("Max", [largest, self._constant("tiny", np.float32(1e-20))], f"{name}/above_zero")
        step = self._node("Mul", [largest, self._constant("1/255", np.float32(1 / 255))], f"{name}/step")
        quantised = self._node("QuantizeLinear", [x, step], f"{name}/quantised", axis=0)
        self._node(
            "MatMulIntegerToFloat",
            [
                quantised,
                self._constant(f"{name}/numbers", np.ascontiguousarray(numbers.T)),
                self._constant("1", np.float32(1)),
                self._constant(f"{name}/steps", steps),
            ],
            name,
            domain=_MICROSOFT,
        )
        column = self._node("Unsqueeze", [step, self._constant("one", np.array([1]))], f"{name}/step/column")
        scaled = self._node("Mul", [name, column], f"{name}/scaled")
        return self._node("Relu", [self._node("Add", [scaled, bias], f"{name}/biased")], f"{name}/relu")

    def _rows(self, x: str, name: str, width: int) -> str:
        """Maps (n, channels, rows, columns) with the channels last, as (any, width)."""
        turned = self._node("Transpose", [x], f"{name}/channels_last", perm=[0, 2, 3, 1])
        return self._reshaped(turned, f"{name}/flat", (-1, width))

    def _maps(self, x: str, name: str, size: tuple[int, int, int]) -> str:
        """(n, channels, rows, columns) from what has rows, columns and channels in this order."""
        shaped = self._reshaped(x, f"{name}/shaped", (-1, *size))
        return self._node("Transpose", [shaped], f"{name}/channels_first", perm=[0, 3, 1, 2])

    def _reshaped(self, x: str, name: str, shape: tuple[int, ...]) -> str:
        return self._node("Reshape", [x, self._constant(f"shape {shape}", np.array(shape))], name)

    def _constant(self, name: str, values: NDArray[Any] | np.generic) -> str:
        """Whole numbers without a width of their own become int64, which ONNX counts in."""
        if name not in self._constants:
            values = np.asarray(values, np.int64) if values.dtype == np.int_ else np.asarray(values)
            self._constants[name] = self._numpy_helper.from_array(values, name)
        return name

    def _node(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        self._nodes.append(self._helper.make_node(operator, inputs, [name], **attributes))
        return name


def _whole(
    kernel: NDArray[np.float32], given: NDArray[np.float32] | None
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A kernel (out, in) as whole numbers up to 127 and the step (out,) of each output; exact where the steps are given."""
    largest = np.abs(kernel).max(axis=1)
    steps = np.asarray(largest / _LARGEST if given is None else given, np.float32)
    steps = np.where(steps * (_LARGEST + 0.5) > largest, steps, largest / _LARGEST)
    steps = np.where(steps > 0, steps, 1.0).astype(np.float32)
    return np.clip(np.rint(kernel / steps[:, None]), -_LARGEST, _LARGEST).astype(np.int8), steps
