"""Checkpoints: a folder with `config.json`, safetensors files and a model card. Every byte of weights is checked, nothing is unpickled.

`config.json` holds the format version, the name, the rate of generated sound, the trained classes, the actions in which the checkpoint beat
spectral repair on validation, and per part (`mask`, `decoder`, `codec`, `critic`) its configuration and its weight files with their SHA-256.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from recomposer_studio.errors import InputError
from recomposer_studio.model.catalogue import CONFIG, read_config
from recomposer_studio.roll.event import Action

FORMAT_VERSION = 1
PARTS = ("listener", "mask", "decoder", "codec", "critic")
SHARD_BYTES = 15 * 2**20
"""Largest weight file: larger parts are cut into several."""

_LARGEST = 65_536
_LARGEST_OF = {"rate_hz": 192_000, "layers": 64, "blocks": 64, "passes": 64, "levels": 64, "dilations": 4_096}
"""What a configuration may ask for: some numbers decide how often something is done, which no weight file could contradict."""
_LONGEST_LIST = 64
_WEIGHT_FILE = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.safetensors")
_KEYS = {"format_version", "name", "rate_hz", "classes", "better_than_repair", "attribution", "text_vectors", "parts"}
_ConfigT = TypeVar("_ConfigT")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read whole and found unharmed.

    Attributes:
        folder: where it lies.
        name: its name.
        digest: SHA-256 of its configuration, which holds the hash of every weight file; in hex.
        rate_hz: sample rate of generated sounds.
        classes: class names it was trained on.
        better_than_repair: actions in which it beat spectral repair on validation scenes.
        configs: configuration of every part that is there.
        tensors: weights of every part that is there.
    """

    folder: Path
    name: str
    digest: str
    rate_hz: int
    classes: frozenset[str]
    better_than_repair: frozenset[Action]
    configs: Mapping[str, Mapping[str, Any]]
    tensors: Mapping[str, Mapping[str, Tensor]]


def load_checkpoint(folder: str | Path) -> Checkpoint:
    """Reads a checkpoint and checks every weight file against its hash.

    Raises:
        InputError: no checkpoint there, another format version, unknown parts, missing or damaged files.
    """
    folder = Path(folder)
    document = _read_config(folder)
    try:
        parts = document["parts"]
        unknown = sorted((set(document) - _KEYS) | (set(parts) - set(PARTS)))
        if unknown:
            raise InputError(f"{folder / CONFIG}: '{unknown[0]}' is unknown here; update Recomposer Studio")
        for entry in parts.values():
            _check_numbers(entry["config"], "config")
        tensors = {part: _read_part(folder, entry["files"]) for part, entry in parts.items()}
        canonical = json.dumps(document, sort_keys=True, ensure_ascii=True)
        return Checkpoint(
            folder,
            str(document["name"]),
            hashlib.sha256(canonical.encode("ascii")).hexdigest(),
            int(document["rate_hz"]),
            frozenset(map(str, document["classes"])),
            frozenset(Action(word) for word in document["better_than_repair"]),
            {part: dict(entry["config"]) for part, entry in parts.items()},
            tensors,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"{folder / CONFIG} is damaged ({error!r}); get the checkpoint again") from error


def write_part(folder: str | Path, part: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes or replaces one part of a checkpoint; the others stay. A new checkpoint is named after its folder.

    Args:
        folder: the checkpoint's folder, made when absent.
        part: `mask`, `decoder`, `codec` or `critic`.
        config: the part's configuration as plain values.
        tensors: its weights.

    Raises:
        InputError: the folder holds a checkpoint of another format.
        ValueError: there is no such part.
    """
    if part not in PARTS:
        raise ValueError(f"a checkpoint has no part {part!r}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    document = _read_config(folder) if (folder / CONFIG).exists() else _empty(folder.resolve().name)
    old = {entry["file"] for entry in document["parts"].get(part, {}).get("files", [])}
    shards = _shards(tensors)
    files = []
    for number, shard in enumerate(shards, 1):
        name = f"{part}.safetensors" if len(shards) == 1 else f"{part}-{number}-of-{len(shards)}.safetensors"
        data = save({key: tensor.detach().cpu().contiguous() for key, tensor in shard.items()})
        _write(folder / name, data)
        files.append({"file": name, "sha256": hashlib.sha256(data).hexdigest()})
    document["parts"][part] = {"config": dict(config), "files": files}
    _write_config(folder, document)
    for name in old - {entry["file"] for entry in files}:
        (folder / name).unlink(missing_ok=True)


def write_facts(
    folder: str | Path,
    *,
    name: str | None = None,
    classes: Iterable[str] | None = None,
    better_than_repair: Iterable[Action] | None = None,
    text_vectors: str | None = None,
) -> None:
    """Writes what is known about a checkpoint besides its weights; None leaves a value as it is.

    Args:
        folder: the checkpoint's folder.
        name: its name.
        classes: class names it was trained on.
        better_than_repair: actions in which it beat spectral repair on validation scenes.
        text_vectors: SHA-256 of the table of text vectors it was trained with. Another table has other axes: with it the
            networks would hear other words.

    Raises:
        InputError: the folder holds no checkpoint.
    """
    folder = Path(folder)
    document = _read_config(folder)
    if name is not None:
        document["name"] = name
    if classes is not None:
        document["classes"] = sorted(classes)
    if better_than_repair is not None:
        document["better_than_repair"] = sorted(action.value for action in better_than_repair)
    if text_vectors is not None:
        document["text_vectors"] = text_vectors
    _write_config(folder, document)


def dataclass_from_json(kind: type[_ConfigT], values: Mapping[str, Any], folder: Path) -> _ConfigT:
    """A part's configuration as its frozen dataclass: lists become tuples, nested dataclasses are built.

    Args:
        kind: the dataclass.
        values: plain values by field.
        folder: the checkpoint, for messages.

    Raises:
        InputError: fields are unknown or missing, or a value is refused.
    """
    names = {f.name: f.type for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise InputError(f"{folder / CONFIG}: '{unknown[0]}' is unknown here; update Recomposer Studio")
    built: dict[str, Any] = {}
    for key, value in values.items():
        field_type = names[key]
        if isinstance(field_type, type) and is_dataclass(field_type):
            built[key] = dataclass_from_json(field_type, value, folder)
        else:
            built[key] = tuple(value) if isinstance(value, list) else value
    try:
        return kind(**built)
    except (TypeError, ValueError) as error:
        raise InputError(f"{folder / CONFIG} is damaged ({error}); get the checkpoint again") from error


@contextmanager
def damage_told(folder: Path) -> Iterator[None]:
    """Whatever a forged configuration makes of the networks that are built here ends in one sentence.

    Raises:
        InputError: something went wrong.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # torch has an exception for every kind of senseless size
        raise InputError(
            f"{folder / CONFIG} asks for networks that cannot be ({type(error).__name__}); get the checkpoint again"
        ) from error


def fill(net: torch.nn.Module, tensors: Mapping[str, Tensor], folder: Path) -> None:
    """Loads weights into a network and sets it to evaluation; a network on the device `meta` is only compared with them.

    Raises:
        InputError: names or shapes do not fit.
    """
    try:
        if any(value.is_meta for value in net.parameters()):
            if {n: v.shape for n, v in net.state_dict().items()} != {n: v.shape for n, v in tensors.items()}:
                raise TypeError
            return
        net.load_state_dict(dict(tensors))
    except (RuntimeError, TypeError) as error:
        raise InputError(f"{folder}: the weights do not fit their configuration; get the checkpoint again") from error
    net.eval()


def _empty(name: str) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "name": name,
        "rate_hz": 32000,
        "classes": [],
        "better_than_repair": [],
        "attribution": "ATTRIBUTION.md",
        "text_vectors": "",
        "parts": {},
    }


def _read_config(folder: Path) -> dict[str, Any]:
    document = read_config(folder)
    if document["format_version"] != FORMAT_VERSION:
        version = document["format_version"]
        raise InputError(
            f"{folder / CONFIG} has format version {version}, not {FORMAT_VERSION}; update Recomposer Studio"
        )
    return document


def _check_numbers(value: Any, key: str) -> None:
    """Refuses sizes before anything of that size is made.

    Raises:
        ValueError: a number is no size, or a list is too long.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _check_numbers(inner, name)
    elif isinstance(value, list):
        if len(value) > _LONGEST_LIST:
            raise ValueError(f"{key} has {len(value)} entries")
        for inner in value:
            _check_numbers(inner, key)
    elif isinstance(value, int) and not 0 <= value <= _LARGEST_OF.get(key, _LARGEST):
        raise ValueError(f"{key} is out of range")
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{key} is no number")


def _read_part(folder: Path, files: Iterable[Mapping[str, str]]) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for entry in files:
        path = folder / entry["file"]
        if path.parent != folder or not _WEIGHT_FILE.fullmatch(entry["file"]):
            raise InputError(
                f"{folder / CONFIG} names the weight file '{entry['file']}' outside its folder; get the checkpoint again"
            )
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} is missing or cannot be read; get the checkpoint again") from error
        if hashlib.sha256(data).hexdigest() != entry["sha256"]:
            raise InputError(f"{path} is damaged (its SHA-256 differs from {CONFIG}); get the checkpoint again")
        try:
            tensors.update(load(data))
        except SafetensorError as error:
            raise InputError(f"{path} is no safetensors file; get the checkpoint again") from error
    return tensors


def _shards(tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for key in sorted(tensors):
        more = tensors[key].numel() * tensors[key].element_size()
        if shards[-1] and size + more > SHARD_BYTES - 2**16:
            shards.append({})
            size = 0
        shards[-1][key] = tensors[key]
        size += more
    return shards


def _write_config(folder: Path, document: Mapping[str, Any]) -> None:
    _write(folder / CONFIG, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode("utf-8"))


def _write(path: Path, data: bytes) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
