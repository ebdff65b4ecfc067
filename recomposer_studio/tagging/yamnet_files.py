"""YAMNet's weights from the forms in which they are published: a SavedModel folder, Keras' .h5, or .tflite."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.tensorflow_child import NOT_INSTALLED
from recomposer_studio.tagging.tflite import CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED, Layer, read_layers
from recomposer_studio.tagging.yamnet_graph import CLASSES, Weights, convolutions, fold

FORMS = "a SavedModel folder, yamnet.h5 or yamnet.tflite"


def read_weights(path: Path) -> Weights:
    """YAMNet's weights from a file or folder.

    Raises:
        InputError: it is missing, damaged, not YAMNet, or a package that reads it is not installed.
    """
    try:
        if path.is_dir():
            return fold(dict(_saved_model(path)))
        suffix = path.suffix.lower()
        if suffix == ".tflite":
            return _from_layers(read_layers(path.read_bytes()))
        if suffix in (".h5", ".hdf5"):
            return fold(dict(_keras_file(path)))
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give {FORMS}.") from None
    except (OSError, ValueError, TypeError, RuntimeError, MemoryError) as error:  # h5py has no class of its own
        reason = getattr(error, "strerror", None) or (str(error) or "damaged").splitlines()[0][:120]
        raise InputError(f"{path}: this is not YAMNet as published ({reason}); give {FORMS}.") from error
    if not path.exists():
        raise InputError(f"{path}: there is no such file; give {FORMS}.")
    raise InputError(f"{path}: YAMNet cannot be read from this kind of file; give {FORMS}.")


def _from_layers(layers: list[Layer]) -> Weights:
    """The batch norms are folded already; TFLite keeps kernels as (out, h, w, in), depthwise ones as (1, h, w, out)."""
    kernels, biases, steps = [], [], {}
    for layer in layers:
        if layer.operator in (CONV_2D, DEPTHWISE_CONV_2D) and layer.bias is not None and layer.weights.ndim == 4:
            depthwise = layer.operator == DEPTHWISE_CONV_2D
            kernels.append(np.ascontiguousarray(layer.weights.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))))
            biases.append(layer.bias)
            if layer.steps is not None and not depthwise and len(kernels) <= len(convolutions()):
                steps[convolutions()[len(kernels) - 1].name] = layer.steps
    # The front end is made of matrix products too; the classifier is the one with an output for every class.
    dense = [la for la in layers if la.operator == FULLY_CONNECTED and la.weights.shape[0] == CLASSES]
    if len(dense) != 1 or dense[0].bias is None:
        raise ValueError(f"{len(dense)} layers with {CLASSES} outputs instead of one")
    return Weights(tuple(kernels), tuple(biases), dense[0].weights, dense[0].bias, steps)


def _keras_file(path: Path) -> Iterator[tuple[str, NDArray[np.generic]]]:
    try:
        import h5py
    except ImportError:
        raise InputError(f"{path}: reading .h5 needs the package h5py; install it with: pip install h5py") from None
    with h5py.File(path, "r") as file:
        found: list[tuple[str, NDArray[np.generic]]] = []
        file.visititems(lambda name, item: found.append((name, item[()])) if isinstance(item, h5py.Dataset) else None)
    yield from found


def _saved_model(folder: Path) -> Iterator[tuple[str, NDArray[np.generic]]]:
    if not (folder / "variables" / "variables.index").is_file():
        raise ValueError("the folder holds no variables/variables.index")
    with tempfile.TemporaryDirectory(prefix="recomposer-") as scratch:
        out = Path(scratch) / "variables.npz"
        run_tensorflow(["variables", str(folder), str(out)], str(folder))
        with np.load(out, allow_pickle=False) as file:
            yield from ((name, file[name]) for name in file.files)


def run_tensorflow(arguments: list[str], what: str, wait: Callable[[], None] = lambda: None) -> str:
    """Runs `tensorflow_child`; returns what it prints.

    Args:
        arguments: of the child.
        what: what it works on, for error sentences.
        wait: called a few times a second while it runs.

    Raises:
        InputError: TensorFlow or tensorflow-hub is not installed.
        ValueError: the child failed; the text says why.
    """
    command = [sys.executable, "-m", "recomposer_studio.tagging.tensorflow_child", *arguments]
    # TensorFlow greets with warnings on both streams; the answer is the last line of its stream.
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
    ) as child:
        try:
            while True:
                try:
                    answer, complaint = child.communicate(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    wait()
        except BaseException:
            child.kill()
            raise
    if child.returncode == NOT_INSTALLED:
        raise InputError(
            f"{what}: this needs TensorFlow and tensorflow-hub; install recomposer-studio with the extra 'yamnet', or"
            " give yamnet.h5 or yamnet.tflite with --from."
        )
    if child.returncode:
        raise ValueError((complaint.splitlines() or ["TensorFlow ended without a word"])[-1])
    return (answer.splitlines() or [""])[-1]
