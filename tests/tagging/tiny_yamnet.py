"""Stand-ins for YAMNet's weights and for a tagger, made from nothing."""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from recomposer_studio.data import data_folder
from recomposer_studio.roll.labels import read_classes
from recomposer_studio.tagging.front_end import Patches
from recomposer_studio.tagging.tagger import Tags
from recomposer_studio.tagging.yamnet_graph import CLASSES, EMBEDDING, EPSILON, convolutions

CLASS_NAMES = tuple(read_classes(data_folder("resources")))


def loudness_variables() -> dict[str, NDArray[np.float32]]:
    """Variables of a YAMNet whose first embedding is the patch's mean level above silence, and the others zero.

    It passes the three known sounds: silence scores as Silence, anything else as White noise and Sine wave.
    """
    variables: dict[str, NDArray[np.float32]] = {}
    for layer in convolutions():
        out, into, height, width = layer.shape
        depthwise = layer.kind == "depthwise_conv"
        kernel = np.zeros((height, width, out, 1) if depthwise else (height, width, into, out), np.float32)
        # Variances that are not 1 show whether the batch norm is folded in: kernel and variance cancel.
        variance = np.float32(0.5 if depthwise else 4.0)
        kernel[height // 2, width // 2, 0, 0] = np.sqrt(variance + EPSILON)
        beta, mean = np.zeros(out, np.float32), np.full(out, 0.25, np.float32)
        beta += mean / np.sqrt(variance + EPSILON)
        if layer.kind == "conv":
            beta[0] -= np.log(0.001)
        name = "depthwise_kernel" if depthwise else "kernel"
        variables[f"{layer.name}/{name}"] = kernel
        variables[f"{layer.name}/bn/beta"] = beta
        variables[f"{layer.name}/bn/moving_mean"] = mean
        variables[f"{layer.name}/bn/moving_variance"] = np.full(out, variance, np.float32)
    dense, bias = np.zeros((EMBEDDING, CLASSES), np.float32), np.full(CLASSES, -5.0, np.float32)
    silence = CLASS_NAMES.index("Silence")
    dense[0, silence], bias[silence] = -10.0, 3.0
    for name in ("White noise", "Sine wave"):
        bias[CLASS_NAMES.index(name)] = 0.0
    return variables | {"dense/kernel": dense, "dense/bias": bias}


def random_yamnet_variables() -> dict[str, NDArray[np.float32]]:
    """Variables with values everywhere, scaled so that no layer dies or explodes."""
    rng = np.random.default_rng(7)
    variables = {}
    for name, values in loudness_variables().items():
        if name.endswith("variance"):
            variables[name] = rng.uniform(0.5, 2.0, values.shape)
        elif name.endswith("kernel"):
            fan = np.prod(values.shape[:2]) * (1 if "depthwise" in name else values.shape[-2])
            variables[name] = rng.normal(0.0, np.sqrt(2.0 / fan), values.shape)
        else:
            variables[name] = rng.normal(0.0, 0.1, values.shape)
    variables["dense/kernel"] = rng.normal(0.0, 0.05, (1024, 521))
    return {name: values.astype(np.float32) for name, values in variables.items()}


def write_keras_file(path: Path, variables: dict[str, NDArray[np.float32]]) -> Path:
    """The variables as Keras writes them: a group per layer, and within it the full name again."""
    with h5py.File(path, "w") as file:
        for name, values in variables.items():
            layer = name.rpartition("/")[0]
            file.create_dataset(f"{layer}/{name}:0", data=values, compression="gzip", compression_opts=1)
    return path


class LoudTagger:
    """A tagger that hears one class in whatever is loud enough.

    Args:
        name: the class.
        level: mean log-mel from 0.5 to 2 kHz of a patch's eight loudest frames at which the score is one half.
    """

    def __init__(self, name: str = "Dog", level: float = 0.0) -> None:
        self._class = CLASS_NAMES.index(name)
        self._level = level
        self.patches = 0

    @property
    def name(self) -> str:
        return "loud"

    @property
    def digest(self) -> str:
        return "0" * 64

    @property
    def classes(self) -> tuple[str, ...]:
        return CLASS_NAMES

    def tag(self, patches: Patches) -> Tags:
        self.patches += len(patches)
        loudest = np.sort(patches[:, :, 10:30].mean(axis=2), axis=1)[:, -8:].mean(axis=1)
        scores = np.zeros((len(patches), len(CLASS_NAMES)), np.float32)
        scores[:, self._class] = 1.0 / (1.0 + np.exp(-3.0 * (loudest - self._level)))
        return Tags(scores, np.zeros((len(patches), EMBEDDING), np.float32))
