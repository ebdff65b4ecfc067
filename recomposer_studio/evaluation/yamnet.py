"""Class scores of YAMNet, the classifier that KLD figures rest on."""

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.front_end import BANDS, PATCH_FRAMES, log_mel
from recomposer_studio.tagging.installation import installed, yamnet_folder
from recomposer_studio.tagging.yamnet import load_yamnet

PATCH = 15600
CLASSES = 521


class YamnetScorer(Protocol):
    """Anything that scores patches of sound for the 521 classes."""

    @property
    def name(self) -> str:
        """What the tables call it; another one for every classifier that scores otherwise."""
        ...

    def scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (n, 521) from 0 to 1 of patches (n, 15600) at 16 kHz."""
        ...


class LiteRtYamnet:
    """The published YAMNet (TFLite export) through LiteRT, on one thread, so that figures repeat.

    Args:
        path: the .tflite file.

    Raises:
        InputError: LiteRT is not installed, or the file is not that model.
    """

    def __init__(self, path: str | Path) -> None:
        """Loads the model."""
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise InputError(
                "scores of YAMNet need the package ai-edge-litert; install recomposer-studio with the extra 'train'."
            ) from error
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file; give the path of the published yamnet.tflite.")
        try:
            # From bytes: some builds cannot open paths with characters outside the local code page.
            model = Path(path).read_bytes()
            self._digest = hashlib.sha256(model).hexdigest()
            self._interpreter: Any = Interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
            self._input = self._interpreter.get_input_details()[0]
            self._output = next(d for d in self._interpreter.get_output_details() if int(d["shape"][-1]) == CLASSES)
        except (ValueError, RuntimeError, OSError, StopIteration) as error:
            raise InputError(f"{path}: not YAMNet as TFLite; give the published yamnet.tflite.") from error
        self._shape = tuple(int(v) for v in self._input["shape"])
        if int(np.prod(self._shape)) != PATCH:
            raise InputError(
                f"{path}: the model takes {self._shape}, not {PATCH} samples; give the published yamnet.tflite."
            )

    @property
    def name(self) -> str:
        """What the tables call it, with the beginning of its SHA-256: another file gives other figures."""
        return f"YAMNet (TFLite, LiteRT, sha256 {self._digest[:16]})"

    def scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (n, 521) of patches (n, 15600) at 16 kHz."""
        out = np.empty((len(patches), CLASSES), np.float32)
        for i, patch in enumerate(patches):
            self._interpreter.set_tensor(self._input["index"], np.asarray(patch, np.float32).reshape(self._shape))
            self._interpreter.invoke()
            out[i] = self._interpreter.get_tensor(self._output["index"])[0]
        return out


class InstalledYamnet:
    """The YAMNet that `recomposer models install yamnet` has put in place, through ONNX Runtime on one thread.

    Args:
        folder: where it was installed.

    Raises:
        InputError: it is not installed, damaged, or ONNX Runtime is missing.
    """

    def __init__(self, folder: Path) -> None:
        """Loads the model."""
        self._tagger = load_yamnet(folder, "cpu", 1)

    @property
    def name(self) -> str:
        """What the tables call it, with the beginning of its SHA-256."""
        return f"YAMNet (installed, ONNX Runtime, sha256 {self._tagger.digest[:16]})"

    def scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (n, 521) of patches (n, 15600) at 16 kHz."""
        features = np.empty((len(patches), PATCH_FRAMES, BANDS), np.float32)
        for number, patch in enumerate(patches):
            features[number] = log_mel(patch)
        return self._tagger.tag(features).scores


def scorer_for(file: Path | None) -> YamnetScorer | None:
    """The classifier of a run: the file that was given, else the installed YAMNet, else none.

    Raises:
        InputError: the file or the installed YAMNet is damaged, or what runs it is missing.
    """
    if file is not None:
        return LiteRtYamnet(file)
    return InstalledYamnet(yamnet_folder()) if installed(yamnet_folder()) is not None else None
