"""Puts YAMNet into the user's data folder, whole or not at all.

The folder holds the network as `yamnet-<hash>.onnx`, where this processor gets 8-bit products right also with those as
`yamnet-8bit-<hash>.onnx`, and, written last, `yamnet.json`, which names these files and their SHA-256. Without this page,
or with another hash, YAMNet is not installed.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import platformdirs

from recomposer_studio.audio.atomic import atomic_path, write_error
from recomposer_studio.errors import InputError
from recomposer_studio.tagging.download import Progress, download, unpack
from recomposer_studio.tagging.front_end import RATE_HZ, log_mel, patches
from recomposer_studio.tagging.yamnet import Yamnet
from recomposer_studio.tagging.yamnet_eight_bit import eight_bit_is_exact, eight_bit_onnx_bytes
from recomposer_studio.tagging.yamnet_files import read_weights, run_tensorflow
from recomposer_studio.tagging.yamnet_graph import onnx_bytes, weights_of

LOG = logging.getLogger(__name__)

HANDLE = "https://tfhub.dev/google/yamnet/1"
"""The published model on TensorFlow Hub."""
LICENCE = "YAMNet, (c) The TensorFlow Authors, Apache-2.0"

_CARD = "yamnet.json"
_FORMAT_VERSION = 1
_HUB_BYTES = 17_000_000  # about what the download comes to; tensorflow-hub does not tell
_ARCHIVES = (".tar", ".tgz", ".gz")
_AMONG = 10
_SCRATCH = ".install-"
_STALE_S = 3_600.0  # no installation is silent for so long


@dataclass(frozen=True)
class Installed:
    """An installed YAMNet.

    Attributes:
        path: the ONNX file.
        sha256: of the file, in hexadecimal.
        source: where the weights came from.
        eight_bit: path and SHA-256 of the network with 8-bit products; None where there is none.
    """

    path: Path
    sha256: str
    source: str
    eight_bit: tuple[Path, str] | None = None

    def model_bytes(self, *, eight_bit: bool = False) -> bytes:
        """The ONNX file.

        Args:
            eight_bit: the one with 8-bit products, if there is one.

        Raises:
            InputError: it has gone, or is not what was installed.
        """
        again = "install it again: recomposer models install yamnet"
        path, sha256 = self.eight_bit if eight_bit and self.eight_bit else (self.path, self.sha256)
        try:
            model = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: YAMNet cannot be read ({error.strerror}); {again}") from error
        if hashlib.sha256(model).hexdigest() != sha256:
            raise InputError(f"{path}: this file has changed since it was installed; {again}")
        return model


def yamnet_folder() -> Path:
    """Where YAMNet belongs: in `RECOMPOSER_DATA` if that is set, else in the user's data folder of this system."""
    root = os.environ.get("RECOMPOSER_DATA")
    base = Path(root) if root else platformdirs.user_data_path("recomposer-studio", appauthor=False)
    return base / "models" / "yamnet"


def installed(folder: Path) -> Installed | None:
    """The YAMNet in a folder, or None.

    Raises:
        InputError: what stands there was written by a newer version, or is damaged.
    """
    card = folder / _CARD
    try:
        facts = json.loads(card.read_text(encoding="utf-8"))
        if facts["format_version"] > _FORMAT_VERSION:
            raise InputError(f"{card}: written by a newer version of the program; update Recomposer Studio.")
        eight_bit = facts.get("eight_bit")
        return Installed(
            folder / Path(str(facts["file"])).name,
            str(facts["sha256"]),
            str(facts["source"]),
            None if eight_bit is None else (folder / Path(str(eight_bit["file"])).name, str(eight_bit["sha256"])),
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{card}: cannot be read; install YAMNet again: recomposer models install yamnet") from error


def install(origin: str | None, folder: Path, progress: Progress, handle: str = HANDLE) -> Installed:
    """Fetches YAMNet, writes its network as ONNX, tries it on known sounds and puts it into a folder.

    Args:
        origin: a SavedModel folder, a .h5, .tflite or .tar.gz file, or the http address of such a file; None fetches
            the published model through tensorflow-hub.
        folder: where it belongs; made if missing. What is installed there stays until the new one is complete.
        progress: called with what is done, the total and what is being done.
        handle: the model on TensorFlow Hub.

    Raises:
        InputError: it cannot be fetched, read or written, or is not YAMNet; nothing was installed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _clear_away(folder)
        # In the same place as the result: a full disk shows itself before anything is replaced.
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder, ignore_cleanup_errors=True) as scratch:
            path = _fetched(origin, handle, Path(scratch), progress)
            progress(0, 0, "converting")
            weights = read_weights(path)
    except OSError as error:
        raise write_error(folder, error) from error
    source = origin if origin is not None else handle
    source = source if _is_address(source) else Path(source).name
    facts = {"source": source, "licence": LICENCE}
    models = [("yamnet", onnx_bytes(weights, facts))]
    if eight_bit_is_exact():
        models.append(("yamnet-8bit", eight_bit_onnx_bytes(weights, facts)))
    progress(0, 0, "trying it")
    files = []
    for name, model in models:
        check_sounds(Yamnet(model, "cpu"), source)
        digest = hashlib.sha256(model).hexdigest()
        files.append((folder / f"{name}-{digest[:16]}.onnx", digest))
    result = Installed(*files[0], source, *files[1:])
    _write(result, [model for _, model in models])
    return result


def with_eight_bits(found: Installed) -> Installed:
    """An installation from before there were 8-bit products, with these: made from its own file, without a download.

    Args:
        found: what is installed, without them.

    Returns:
        The same where this processor does not get 8-bit products right, or where they cannot be made or written now: float32 works everywhere.
    """
    try:
        if not eight_bit_is_exact():
            return found
        model = eight_bit_onnx_bytes(weights_of(found.model_bytes()), {"source": found.source, "licence": LICENCE})
        check_sounds(Yamnet(model, "cpu"), found.source)
        digest = hashlib.sha256(model).hexdigest()
        result = replace(found, eight_bit=(found.path.with_name(f"yamnet-8bit-{digest[:16]}.onnx"), digest))
        _write(result, [found.model_bytes(), model])
    except (InputError, OSError, ValueError) as error:
        LOG.info("YAMNet stays in float32: %s", error)
        return found
    return result


def check_sounds(yamnet: Yamnet, source: str) -> None:
    """Three sounds that YAMNet's authors check it with: silence, white noise and a sine of 440 Hz.

    Raises:
        InputError: the network does not know them.
    """
    at_s = np.arange(3 * RATE_HZ) / RATE_HZ
    sounds: Mapping[str, np.ndarray] = {
        "Silence": np.zeros_like(at_s),
        "White noise": np.random.default_rng(0).uniform(-1.0, 1.0, len(at_s)),
        "Sine wave": np.sin(2.0 * np.pi * 440.0 * at_s),
    }
    for name, sound in sounds.items():
        scores = yamnet.tag(patches(log_mel(sound.astype(np.float32)), 48)).scores.mean(axis=0)
        best = np.argsort(-scores)[:_AMONG]
        if not np.isfinite(scores).all() or name not in {yamnet.classes[i] for i in best}:
            raise InputError(
                f"{source}: these weights do not recognise {name.lower()}, so they are damaged or not YAMNet's;"
                " nothing was installed."
            )


def _clear_away(folder: Path) -> None:
    """Removes what installations left that were killed; one that may still be running keeps its own."""
    for left in folder.glob(f"{_SCRATCH}*"):
        try:
            changed_s = max(path.lstat().st_mtime for path in (left, *left.rglob("*")))
        except OSError:
            continue  # It went just now, or cannot be looked at.
        if time.time() - changed_s > _STALE_S:
            shutil.rmtree(left, ignore_errors=True)


def _fetched(origin: str | None, handle: str, scratch: Path, progress: Progress) -> Path:
    """The file or folder to read the weights from."""
    if origin is None:

        def show() -> None:
            done = sum(p.stat().st_size for p in scratch.rglob("*") if p.is_file())
            progress(min(done, _HUB_BYTES), _HUB_BYTES, "downloading")

        try:
            return Path(run_tensorflow(["resolve", handle, str(scratch)], handle, show))
        except ValueError as error:
            raise InputError(
                f"{handle}: cannot be fetched ({error}); check the network, or install from a file with --from."
            ) from error
    path = Path(origin)
    if _is_address(origin):
        address = urlsplit(origin)
        name = "model.tar.gz" if "format=compressed" in address.query else Path(address.path).name or "model"
        path = scratch / name
        download(origin, path, progress)
    if path.is_file() and path.suffix.lower() in _ARCHIVES:
        folder = scratch / "unpacked"
        folder.mkdir()
        unpack(path, folder)
        return _model_in(folder, path)
    return path


def _model_in(folder: Path, archive: Path) -> Path:
    """The SavedModel, .h5 or .tflite that an archive holds."""
    for found in (*folder.rglob("variables.index"), *folder.rglob("*.h5"), *folder.rglob("*.tflite")):
        return found.parent.parent if found.name == "variables.index" else found
    raise InputError(f"{archive.name}: this archive holds no SavedModel, .h5 or .tflite; give YAMNet as published.")


def _is_address(origin: str) -> bool:
    return origin.lower().startswith(("http://", "https://"))


def _write(result: Installed, models: Sequence[bytes]) -> None:
    """The networks, then the page; what was there before goes last."""
    card = {
        "format_version": _FORMAT_VERSION,
        "file": result.path.name,
        "sha256": result.sha256,
        "source": result.source,
        "licence": LICENCE,
    }
    paths = [result.path]
    if result.eight_bit is not None:
        path, sha256 = result.eight_bit
        card["eight_bit"] = {"file": path.name, "sha256": sha256}
        paths.append(path)
    for path, model in zip(paths, models, strict=True):
        with atomic_path(path) as part:
            _write_bytes(part, model)
    with atomic_path(result.path.with_name(_CARD)) as part:
        _write_bytes(part, (json.dumps(card, indent=1) + "\n").encode("utf-8"))
    for other in result.path.parent.glob("yamnet-*.onnx"):
        if other not in paths:
            # On Windows a file that another process reads stays; it is found again the next time.
            try:
                other.unlink()
            except OSError:
                continue


def _write_bytes(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise write_error(path.parent, error) from error
