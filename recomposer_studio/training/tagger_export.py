"""The trained tagger as the ONNX files that the program runs: batch norms folded in, weights in half precision."""

import copy
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recomposer_studio.audio.atomic import atomic_path, write_error
from recomposer_studio.errors import InputError
from recomposer_studio.tagging.builtin import CARD, EXTRA_COLUMNS, FORMAT_VERSION, Builtin
from recomposer_studio.tagging.front_end import BANDS, PATCH_FRAMES
from recomposer_studio.tagging.tagger import pooled
from recomposer_studio.training.tagger_network import BOX_LIMIT, KERNEL, MEL_CENTRE, MEL_SCALE, Block, Stage, TaggerNet

_OPSET, _IR_VERSION = 17, 8  # what every ONNX Runtime from 1.14 on reads

_FILE, _NAMER = "tagger.onnx", "names.onnx"
RARE_DOUBT = 1.0
"""What the logit of a class with few recordings is lowered by: it is named less readily, since it was learnt from next to nothing. On
validation scenes the activity alone then has the right class among its first three in 82 % instead of 75 % of the true boxes (larger numbers
do the same; `benchmarks/tagging.py doubt`)."""
_NEAR = 0.05
"""Logits of the file and of the network may differ by half precision, not by more."""


def write_tagger(folder: Path, name: str, net: TaggerNet, classes: Sequence[str], trained: Sequence[str]) -> None:
    """Writes `tagger.onnx`, `names.onnx` and, last, the page `tagger.json` that names them, into a folder.

    Args:
        folder: made if missing.
        name: what the tagger is called.
        net: the network; it is not changed.
        classes: classes of its activity.
        trained: those of them that had recordings enough.

    Raises:
        InputError: the folder cannot be written, or the package onnx is not installed.
        RuntimeError: the file does not compute what the network does.
    """
    net = copy.deepcopy(net)
    with torch.no_grad():
        rare = torch.tensor([name not in trained for name in classes] + [False] * EXTRA_COLUMNS)
        if trained and net.activity.bias is not None:
            net.activity.bias -= RARE_DOUBT * rare
            net.names.bias.sub_(RARE_DOUBT * rare[: len(classes)])
    model, namer = tagger_onnx(net), namer_onnx(net)
    _compare(net, Builtin(model, namer, tuple(classes), "cpu", 1))
    write_files(folder, name, (model, namer), classes, trained)


def write_files(
    folder: Path, name: str, files: tuple[bytes, bytes], classes: Sequence[str], trained: Sequence[str]
) -> None:
    """Writes the two ONNX files and, last, the page that names them; arguments and errors as in `write_tagger`."""
    model, namer = files
    page = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "file": _FILE,
        "sha256": hashlib.sha256(model).hexdigest(),
        "namer": _NAMER,
        "namer_sha256": hashlib.sha256(namer).hexdigest(),
        "attribution": "ATTRIBUTION.md",
        "trained_classes": list(trained),
        "event_classes": list(classes),
    }
    text = json.dumps(page, indent=1, ensure_ascii=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in ((_FILE, model), (_NAMER, namer), (CARD, text.encode("utf-8"))):
            with atomic_path(folder / file) as part:
                part.write_bytes(content)
    except OSError as error:
        raise write_error(folder, error) from error


@torch.no_grad()
def _compare(net: TaggerNet, tagger: Builtin) -> None:
    net.eval()
    frames = torch.from_numpy(np.random.default_rng(0).normal(-3.0, 2.0, (PATCH_FRAMES, BANDS)).astype(np.float32))
    features = net.features(frames[None])
    wanted = net.activities(features)[0]
    heard, tags = tagger.sounding(frames.numpy()), tagger.tag(frames[None].numpy())
    scores = torch.sigmoid(net.scores(features.mean(2)))[0]
    box = pooled(heard.features)[None]
    named = net.named(torch.from_numpy(box)).numpy()
    off = (
        np.abs(heard.classes - wanted[:, :-EXTRA_COLUMNS].numpy()).max()
        + np.abs(tags.scores[0] - scores.numpy()).max()
        + np.abs(tagger.names(box) - named).max()
    )
    if not off <= _NEAR:
        raise RuntimeError(f"the tagger's file is {off:g} off the network it was written from")


def tagger_onnx(net: TaggerNet) -> bytes:
    """The network as an ONNX file.

    Input "log_mel": (n, frames, 64), frames a multiple of 4. Outputs "scores": (n, 521) from 0 to 1; "features": (n, steps,
    width); "activity": (n, steps, classes + 2), logits.

    Raises:
        InputError: the package onnx is not installed.
    """
    return _writer().write(net)


def namer_onnx(net: TaggerNet) -> bytes:
    """What names boxes as an ONNX file: input "pooled" (n, 2 width), output "names" (n, classes), logits.

    Raises:
        InputError: the package onnx is not installed.
    """
    return _writer().write_namer(net)


def _writer() -> "_Writer":
    try:
        return _Writer()
    except ImportError:
        raise InputError("writing the tagger needs the package onnx; install it with: pip install onnx") from None


class _Writer:
    """Collects the nodes of a graph."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper: Any = helper
        self._numpy_helper: Any = numpy_helper
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def write(self, net: TaggerNet) -> bytes:
        """The network that listens."""
        config = net.config
        x = self.node("Sub", "log_mel", self.constant("centre", np.float32(MEL_CENTRE)))
        x = self.node("Mul", x, self.constant("scale", np.float32(1.0 / MEL_SCALE)))
        x = self.node("Unsqueeze", x, self.constant("one", np.array([1], np.int64)))
        x = self.node("Relu", self.conv(x, "stem", *folded(net.stem, net.stem_norm), stride=(2, 2), pads=(1, 1)))
        for number, stage in enumerate(net.stages):
            assert isinstance(stage, Stage)
            stride = (2, 2) if number == 0 else (1, 2)
            kernel, bias = folded(stage.down, stage.down_norm)
            x = self.node("Relu", self.conv(x, f"stage{number}/down", kernel, bias, stride=stride, pads=(1, 1)))
            kernel, bias = folded(stage.along, stage.along_norm)
            along = self.conv(x, f"stage{number}/along", kernel, bias, stride=(1, 1), pads=(1, 1))
            x = self.node("Relu", self.node("Add", x, along))
        x = self.node("Transpose", x, perm=[0, 1, 3, 2])
        flat = config.channels[-1] * (BANDS >> len(config.channels))
        x = self.node("Reshape", x, self.constant("flat", np.array([0, flat, -1], np.int64)))
        x = self.node("Relu", self.conv(x, "feature", *folded(net.feature, net.feature_norm), stride=(1,), pads=(0,)))
        self.node("Transpose", x, perm=[0, 2, 1], out="features")
        mean = self.node("ReduceMean", x, axes=[2], keepdims=0)
        weights = [
            self.half("scores/weight", _array(net.scores.weight)),
            self.half("scores/bias", _array(net.scores.bias)),
        ]
        self.node("Sigmoid", self.node("Gemm", mean, *weights, transB=1), out="scores")
        around = self.node("ReduceMean", x, axes=[2], keepdims=1)
        x = self.node("Add", x, self.pointwise(around, "around", net.around))
        for number, (block, dilation) in enumerate(zip(net.blocks, config.dilations, strict=True)):
            assert isinstance(block, Block)
            kernel, bias = folded(block.along, block.norm)
            reach = dilation * (KERNEL // 2)
            inner = self.conv(
                x,
                f"block{number}/along",
                kernel,
                bias,
                stride=(1,),
                pads=(reach,),
                dilation=dilation,
                group=config.width,
            )
            inner = self.node("Relu", self.pointwise(inner, f"block{number}/up", block.up))
            x = self.node("Add", x, self.pointwise(inner, f"block{number}/down", block.down))
        scale, shift = _norm(net.last_norm)
        x = self.node("Mul", x, self.constant("last/scale", scale[:, None]))
        x = self.node("Relu", self.node("Add", x, self.constant("last/shift", shift[:, None])))
        self.node("Transpose", self.pointwise(x, "activity", net.activity), perm=[0, 2, 1], out="activity")
        outputs: dict[str, list[str | int]] = {
            "scores": ["n", config.patch_classes],
            "features": ["n", "steps", config.width],
            "activity": ["n", "steps", net.activity.out_channels],
        }
        return self.model("tagger", {"log_mel": ["n", "frames", BANDS]}, outputs)

    def write_namer(self, net: TaggerNet) -> bytes:
        """What names boxes."""
        norm = net.box_norm
        assert norm.running_mean is not None and norm.running_var is not None
        scale = 1.0 / np.sqrt(_array(norm.running_var) + np.float32(norm.eps))
        x = self.node("Sub", "pooled", self.constant("mean", _array(norm.running_mean)))
        x = self.node("Mul", x, self.constant("scale", scale))
        limits = [self.constant(name, np.float32(value)) for name, value in (("low", -BOX_LIMIT), ("high", BOX_LIMIT))]
        x = self.node("Clip", x, *limits)
        weights = [self.half(f"box/{name}", _array(getattr(net.box, name))) for name in ("weight", "bias")]
        x = self.node("Relu", self.node("Gemm", x, *weights, transB=1))
        weights = [self.half(f"names/{name}", _array(getattr(net.names, name))) for name in ("weight", "bias")]
        self.node("Gemm", x, *weights, transB=1, out="names")
        inputs: dict[str, list[str | int]] = {"pooled": ["n", 2 * net.config.width]}
        return self.model("names", inputs, {"names": ["n", net.config.classes]})

    def model(self, name: str, inputs: dict[str, list[str | int]], outputs: dict[str, list[str | int]]) -> bytes:
        """The collected nodes as a file."""
        from onnx import TensorProto

        given, said = (
            [self._helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in several.items()]
            for several in (inputs, outputs)
        )
        graph = self._helper.make_graph(self._nodes, name, given, said, self._constants)
        model = self._helper.make_model(
            graph,
            producer_name="recomposer-studio",
            opset_imports=[self._helper.make_opsetid("", _OPSET)],
            ir_version=_IR_VERSION,
        )
        return bytes(model.SerializeToString())

    def node(self, kind: str, *given: str, out: str | None = None, **attributes: Any) -> str:
        """Adds a node and returns the name of what it computes."""
        name = out or f"{kind.lower()}-{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, list(given), [name], **attributes))
        return name

    def constant(self, name: str, values: NDArray[np.generic] | np.generic) -> str:
        """Adds a constant as it is."""
        self._constants.append(self._numpy_helper.from_array(np.asarray(values), name))
        return name

    def half(self, name: str, values: NDArray[np.float32]) -> str:
        """Adds weights in half precision; ONNX Runtime widens them once, when it loads the file."""
        from onnx import TensorProto

        return self.node(
            "Cast", self.constant(f"{name}/half", values.astype(np.float16)), out=name, to=TensorProto.FLOAT
        )

    def conv(
        self,
        x: str,
        name: str,
        kernel: NDArray[np.float32],
        bias: NDArray[np.float32],
        stride: Sequence[int],
        pads: Sequence[int],
        dilation: int = 1,
        group: int = 1,
    ) -> str:
        """Adds a convolution with the same padding on both ends."""
        return self.node(
            "Conv",
            x,
            self.half(f"{name}/kernel", kernel),
            self.constant(f"{name}/bias", bias),
            kernel_shape=list(kernel.shape[2:]),
            strides=list(stride),
            pads=[*pads, *pads],
            dilations=[dilation] * len(stride),
            group=group,
        )

    def pointwise(self, x: str, name: str, layer: nn.Conv1d) -> str:
        """Adds a convolution over one step."""
        assert layer.bias is not None
        return self.conv(x, name, _array(layer.weight), _array(layer.bias), stride=(1,), pads=(0,))


def folded(
    layer: nn.Conv1d | nn.Conv2d, norm: nn.BatchNorm1d | nn.BatchNorm2d
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel and bias of a convolution without bias and the batch norm behind it."""
    scale, shift = _norm(norm)
    kernel = _array(layer.weight)
    return kernel * scale.reshape(-1, *(1 for _ in kernel.shape[1:])), shift


def _norm(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scale and shift of a batch norm as it acts after training."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = _array(norm.weight) / np.sqrt(_array(norm.running_var) + np.float32(norm.eps))
    return scale, _array(norm.bias) - _array(norm.running_mean) * scale


def _array(values: Tensor) -> NDArray[np.float32]:
    return values.detach().to(torch.float32).numpy()
