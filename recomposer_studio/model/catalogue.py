"""Which checkpoints there are; reads their configurations without loading torch."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action

DEFAULT = "recomposer-small"
CONFIG = "config.json"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint folder and what its configuration says of it.

    Attributes:
        folder: the folder.
        name: its name.
        parts: the networks it holds, for example mask, codec, decoder.
        classes: class names it was trained on.
        better_than_repair: actions in which it beat spectral repair on validation scenes.
        megabytes: size of its weights.
    """

    folder: Path
    name: str
    parts: tuple[str, ...]
    classes: tuple[str, ...]
    better_than_repair: frozenset[Action]
    megabytes: float


def read_config(folder: Path) -> dict[str, Any]:
    """The configuration of a checkpoint folder.

    Raises:
        InputError: it is missing, is no JSON object, or was written by a newer version.
    """
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{folder}: this folder holds no {CONFIG}; name a checkpoint folder or a model of the list"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: this configuration cannot be read; install the checkpoint again") from error
    if not isinstance(config, dict) or not isinstance(config.get("format_version"), int):
        raise InputError(f"{path}: this is no checkpoint configuration; install the checkpoint again")
    if config["format_version"] > 1:
        raise InputError(f"{path}: written by a newer version of the program; update Recomposer Studio")
    return config


def describe(folder: Path) -> Checkpoint:
    """What a checkpoint folder holds.

    Raises:
        InputError: it is no checkpoint.
    """
    config = read_config(folder)
    try:
        return Checkpoint(
            folder=folder,
            name=str(config["name"]),
            parts=tuple(config["parts"]),
            classes=tuple(config["classes"]),
            better_than_repair=frozenset(Action(action) for action in config["better_than_repair"]),
            megabytes=sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{folder / CONFIG}: this configuration is damaged; install the checkpoint again") from error


def shipped() -> list[Checkpoint]:
    """The checkpoints that came with the program."""
    return [describe(path.parent) for path in sorted(data_folder("models").glob(f"*/{CONFIG}"))]


def default() -> Checkpoint | None:
    """The checkpoint that `auto` uses, if it is installed."""
    folder = data_folder("models") / DEFAULT
    return describe(folder) if (folder / CONFIG).is_file() else None


def find(name: str) -> Checkpoint:
    """A checkpoint by the name of a shipped one, or by its folder.

    Raises:
        InputError: there is none.
    """
    for checkpoint in shipped():
        if checkpoint.name == name:
            return checkpoint
    # Not Path.is_dir(): it raises for names that are too long or lie in folders that may not be searched.
    if os.path.isdir(name):  # noqa: PTH112
        return describe(Path(name))
    names = ", ".join(["repair", *(checkpoint.name for checkpoint in shipped())])
    raise InputError(f"{name}: there is no such model or folder; choose one of {names}")
