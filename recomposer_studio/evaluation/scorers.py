"""Class scores of patches of sound: the classifier that KLD figures rest on, whichever a machine has."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.roll.labels import read_classes
from recomposer_studio.tagging.builtin import load_builtin
from recomposer_studio.tagging.front_end import BANDS, PATCH_FRAMES, PATCH_SAMPLES, log_mel
from recomposer_studio.tagging.installation import installed, yamnet_folder
from recomposer_studio.tagging.tagger import Tagger
from recomposer_studio.tagging.yamnet import load_yamnet
from recomposer_studio.tagging.yamnet_graph import CLASSES


class Scorer(Protocol):
    """Anything that scores patches of sound for classes of its own."""

    @property
    def name(self) -> str:
        """What the tables call it; another one for every classifier that scores otherwise."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """AudioSet display names of its classes, in the order of the scores."""
        ...

    def scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (n, classes) from 0 to 1 of patches (n, 15600) at 16 kHz."""
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
            self._classes = tuple(read_classes(data_folder("resources")))
            self._digest = hashlib.sha256(model).hexdigest()
            self._interpreter: Any = Interpreter(model_content=model, num_threads=1)
            self._interpreter.allocate_tensors()
            self._input = self._interpreter.get_input_details()[0]
            self._output = next(d for d in self._interpreter.get_output_details() if int(d["shape"][-1]) == CLASSES)
        except (ValueError, RuntimeError, OSError, StopIteration) as error:
            raise InputError(f"{path}: not YAMNet as TFLite; give the published yamnet.tflite.") from error
        self._shape = tuple(int(v) for v in self._input["shape"])
        if int(np.prod(self._shape)) != PATCH_SAMPLES:
            raise InputError(
                f"{path}: the model takes {self._shape}, not {PATCH_SAMPLES} samples; give the published yamnet.tflite."
            )

    @property
    def name(self) -> str:
        """What the tables call it, with the beginning of its SHA-256: another file gives other figures."""
        return f"YAMNet (TFLite, LiteRT, sha256 {self._digest[:16]})"

    @property
    def classes(self) -> tuple[str, ...]:
        """The 521 display names."""
        return self._classes

    def scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (n, 521) of patches (n, 15600) at 16 kHz."""
        out = np.empty((len(patches), CLASSES), np.float32)
        for i, patch in enumerate(patches):
            self._interpreter.set_tensor(self._input["index"], np.asarray(patch, np.float32).reshape(self._shape))
            self._interpreter.invoke()
            out[i] = self._interpreter.get_tensor(self._output["index"])[0]
        return out


@dataclass(frozen=True)
class TaggerScorer:
    """Any tagger as a classifier; patches go through YAMNet's front end, one by one as in YAMNet itself.

    Attributes:
        tagger: scores log-mel patches.
        kind: what it is and how it runs, for the tables.
    """

    tagger: Tagger
    kind: str

    @property
    def name(self) -> str:
        """What the tables call it, with the beginning of its weights' SHA-256."""
        return f"{self.tagger.name} ({self.kind}, sha256 {self.tagger.digest[:16]})"

    @property
    def classes(self) -> tuple[str, ...]:
        """The tagger's classes."""
        return self.tagger.classes

    def scores(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores (n, classes) of patches (n, 15600) at 16 kHz."""
        features = np.empty((len(patches), PATCH_FRAMES, BANDS), np.float32)
        for number, patch in enumerate(patches):
            features[number] = log_mel(patch)
        return self.tagger.tag(features).scores


def scorer_for(file: Path | None) -> Scorer | None:
    """The classifier of a run: the file that was given, else the installed YAMNet, else the built-in tagger.

    Returns:
        None where there is no file, no YAMNet, and the built-in tagger cannot run.

    Raises:
        InputError: the file or the installed YAMNet is damaged, or what runs it is missing.
    """
    if file is not None:
        return LiteRtYamnet(file)
    if installed(yamnet_folder()) is not None:
        return TaggerScorer(load_yamnet(yamnet_folder(), "cpu", 1), "installed, ONNX Runtime")
    try:
        return TaggerScorer(load_builtin(None, "cpu", 1), "ONNX Runtime")
    except InputError:
        return None
