"""The built-in tagger: a small network of this project in ONNX Runtime, shipped with the program, and a smaller one that names what was found."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.roll.labels import read_classes
from recomposer_studio.tagging.front_end import BANDS, LogMel, Patches
from recomposer_studio.tagging.runtime import Device, open_session
from recomposer_studio.tagging.tagger import Sounding, Tags

EXTRA_COLUMNS = 2
"""Beside the classes, the activity tells where any event sounds, and where one begins."""
FOLDER = "recomposer-tagger"
CARD = "tagger.json"
FORMAT_VERSION = 2

_BATCH = 16
_AGAIN = "install Recomposer Studio again, or name a folder that `recomposer train tagger` wrote"


class Builtin:
    """The network that `training.tagger_export` writes; a `FrameTagger`.

    Args:
        model: the bytes of the ONNX file that listens.
        namer: the bytes of the one that names boxes.
        event_classes: the classes whose activity it tells.
        device: "auto" takes CUDA where ONNX Runtime offers it.
        threads: threads on the CPU; None for one per core.

    Raises:
        InputError: ONNX Runtime is not installed or has no CUDA, or the file is not this network.
    """

    def __init__(
        self,
        model: bytes,
        namer: bytes,
        event_classes: tuple[str, ...],
        device: Device = "auto",
        threads: int | None = None,
    ) -> None:
        self._session: Any = open_session(model, "the built-in tagger", _AGAIN, device, threads)
        self._classes = tuple(read_classes(data_folder("resources")))
        shapes = [node.shape[-1] for node in (*self._session.get_inputs(), *self._session.get_outputs())]
        if len(shapes) != 4 or (shapes[0], shapes[1], shapes[3]) != (
            BANDS,
            len(self._classes),
            len(event_classes) + EXTRA_COLUMNS,
        ):
            raise InputError(f"the tagger's network is not the built-in tagger; {_AGAIN}")
        self._width = int(shapes[2])
        self._namer: Any = open_session(namer, "the built-in tagger", _AGAIN, "cpu", 1)
        if [node.shape[-1] for node in (*self._namer.get_inputs(), *self._namer.get_outputs())] != [
            2 * self._width,
            len(event_classes),
        ]:
            raise InputError(f"the tagger's second network does not fit its first; {_AGAIN}")
        if not set(event_classes) <= set(self._classes):
            raise InputError(f"the tagger's page names unknown classes; {_AGAIN}")
        self._digest = hashlib.sha256(model + namer).hexdigest()
        self._event_classes = event_classes

    @property
    def name(self) -> str:
        """What reports call it."""
        return "built-in tagger"

    @property
    def digest(self) -> str:
        """SHA-256 of the two ONNX files, one after the other, in hexadecimal."""
        return self._digest

    @property
    def classes(self) -> tuple[str, ...]:
        """The 521 display names."""
        return self._classes

    @property
    def event_classes(self) -> tuple[str, ...]:
        """Display names of the classes that `sounding` tells of."""
        return self._event_classes

    def tag(self, patches: Patches) -> Tags:
        """Scores (n, 521) and embeddings (n, width) of patches (n, 96, 64)."""
        scores = np.empty((len(patches), len(self._classes)), np.float32)
        embeddings = np.empty((len(patches), self._width), np.float32)
        for at in range(0, len(patches), _BATCH):
            batch = np.ascontiguousarray(patches[at : at + _BATCH], np.float32)
            scores[at : at + _BATCH], features = self._session.run(["scores", "features"], {"log_mel": batch})
            embeddings[at : at + _BATCH] = features.mean(axis=1)
        return Tags(scores, embeddings)

    def sounding(self, frames: LogMel) -> Sounding:
        """What sounds in (n, 64) frames, n a multiple of 4."""
        given = {"log_mel": np.ascontiguousarray(frames[None], np.float32)}
        activity, features = self._session.run(["activity", "features"], given)
        return Sounding(activity[0, :, :-EXTRA_COLUMNS], activity[0, :, -2], activity[0, :, -1], features[0])

    def names(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (n, classes) for boxes as `tagger.pooled` gives them, (n, 2 dimensions)."""
        (logits,) = self._namer.run(["names"], {"pooled": np.ascontiguousarray(pooled, np.float32)})
        return np.asarray(logits, np.float32)


@dataclass(frozen=True)
class Page:
    """What the page beside the weights says.

    Attributes:
        path: the ONNX file that listens.
        sha256: of the file, in hexadecimal.
        namer: the ONNX file that names boxes.
        namer_sha256: likewise.
        event_classes: the classes whose activity the network tells.
        trained_classes: those of them that had recordings enough.
    """

    path: Path
    sha256: str
    namer: Path
    namer_sha256: str
    event_classes: tuple[str, ...]
    trained_classes: tuple[str, ...]


def describe(folder: Path | None = None) -> Page:
    """The page of the tagger in a folder; None for the one that comes with the program.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    folder = folder or data_folder("models") / FOLDER
    card = folder / CARD
    try:
        facts = json.loads(card.read_text(encoding="utf-8"))
        if facts["format_version"] > FORMAT_VERSION:
            raise InputError(f"{card}: written by a newer version of the program; update Recomposer Studio.")
        return Page(
            folder / Path(str(facts["file"])).name,
            str(facts["sha256"]),
            folder / Path(str(facts["namer"])).name,
            str(facts["namer_sha256"]),
            tuple(str(name) for name in facts["event_classes"]),
            tuple(str(name) for name in facts["trained_classes"]),
        )
    except FileNotFoundError:
        raise InputError(f"{folder}: no tagger lies here; {_AGAIN}") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{card}: this page cannot be read; {_AGAIN}") from error


def load_builtin(folder: Path | None = None, device: Device = "auto", threads: int | None = None) -> Builtin:
    """The tagger in a folder.

    Args:
        folder: what `recomposer train tagger` wrote; None for the one that comes with the program.
        device: "auto", "cpu" or "cuda".
        threads: threads on the CPU; None for one per core.

    Raises:
        InputError: it is missing or damaged, or ONNX Runtime is missing.
    """
    page = describe(folder)
    model, namer = _content(page.path, page.sha256), _content(page.namer, page.namer_sha256)
    return Builtin(model, namer, page.event_classes, device, threads)


def _content(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: the tagger cannot be read ({error.strerror}); {_AGAIN}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(f"{path}: this file is not the one its page names; {_AGAIN}")
    return content
