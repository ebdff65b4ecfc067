"""YAMNet in ONNX Runtime."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.roll.labels import read_classes
from recomposer_studio.tagging.front_end import BANDS, PATCH_FRAMES, Patches
from recomposer_studio.tagging.runtime import Device, on_cuda, open_session
from recomposer_studio.tagging.tagger import Tags
from recomposer_studio.tagging.yamnet_graph import CLASSES, EMBEDDING

_AGAIN = "install it again: recomposer models install yamnet"
_BATCH = 32  # more gains little on a CPU and costs memory
_HOP = 10  # frames from patch to patch where a recording is listened to; such patches share work


class Yamnet:
    """The network written by `yamnet_graph.onnx_bytes` or `yamnet_eight_bit.eight_bit_onnx_bytes`; a `Tagger`.

    Args:
        model: the ONNX file's bytes.
        device: "auto" takes CUDA where ONNX Runtime offers it.
        threads: threads on the CPU; None for one per core.

    Raises:
        InputError: ONNX Runtime is not installed or has no CUDA, or the file is not this network.
    """

    def __init__(self, model: bytes, device: Device = "auto", threads: int | None = None) -> None:
        self._session: Any = open_session(model, "YAMNet", _AGAIN, device, threads)
        inputs, outputs = (
            {node.name: node.shape[1:] for node in nodes}
            for nodes in (self._session.get_inputs(), self._session.get_outputs())
        )
        self._hears_runs = "frames" in inputs
        wanted = {"frames": [BANDS], "starts": []} if self._hears_runs else {"log_mel": [1, PATCH_FRAMES, BANDS]}
        if inputs != wanted or outputs != {"scores": [CLASSES], "embeddings": [EMBEDDING]}:
            raise InputError(f"the tagger's network is not YAMNet; {_AGAIN}")
        self._digest = hashlib.sha256(model).hexdigest()
        self._classes = tuple(read_classes(data_folder("resources")))

    @property
    def name(self) -> str:
        """What reports call it."""
        return "YAMNet"

    @property
    def digest(self) -> str:
        """SHA-256 of the ONNX file in hexadecimal."""
        return self._digest

    @property
    def classes(self) -> tuple[str, ...]:
        """The 521 display names."""
        return self._classes

    def tag(self, patches: Patches) -> Tags:
        """Scores (n, 521) and embeddings (n, 1024) of patches (n, 96, 64)."""
        scores = np.empty((len(patches), CLASSES), np.float32)
        embeddings = np.empty((len(patches), EMBEDDING), np.float32)
        for at in range(0, len(patches), _BATCH):
            batch = np.ascontiguousarray(patches[at : at + _BATCH], np.float32)
            given = _as_run(batch) if self._hears_runs else {"log_mel": batch[:, None]}
            scores[at : at + _BATCH], embeddings[at : at + _BATCH] = self._session.run(["scores", "embeddings"], given)
        return Tags(scores, embeddings)


def _as_run(patches: Patches) -> dict[str, NDArray[Any]]:
    """Patches one after the other, without the frames that one shares with the one before it, and where each begins.

    They are compared frame by frame, since patches may have been picked, copied or sent on their way here.
    """
    follows = np.zeros(len(patches), np.bool_)
    follows[1:] = (patches[1:, :-_HOP] == patches[:-1, _HOP:]).all(axis=(1, 2))
    ends = np.cumsum(np.where(follows, _HOP, PATCH_FRAMES))
    new = ~follows[:, None] | (np.arange(PATCH_FRAMES) >= PATCH_FRAMES - _HOP)
    return {"frames": patches[new], "starts": np.asarray(ends - PATCH_FRAMES, np.int64)}


def load_yamnet(folder: Path, device: Device = "auto", threads: int | None = None) -> Yamnet:
    """The installed YAMNet, on a CPU with 8-bit products if they are right there; an older installation is given them.

    Args:
        folder: where it was installed, see `installation.yamnet_folder`.
        device: "auto", "cpu" or "cuda".
        threads: threads on the CPU; None for one per core.

    Raises:
        InputError: it is not installed, damaged, or ONNX Runtime is missing.
    """
    from recomposer_studio.tagging.installation import installed, with_eight_bits

    found = installed(folder)
    if found is None:
        raise InputError("YAMNet is not installed; fetch it once with: recomposer models install yamnet")
    cuda = on_cuda(device)
    if found.eight_bit is None and not cuda:
        found = with_eight_bits(found)
    return Yamnet(found.model_bytes(eight_bit=not cuda), device, threads)
