"""The taggers that a person can choose from."""

import os
from pathlib import Path

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.builtin import Builtin, load_builtin
from recomposer_studio.tagging.installation import yamnet_folder
from recomposer_studio.tagging.runtime import Device
from recomposer_studio.tagging.yamnet import Yamnet, load_yamnet

BUILTIN, YAMNET = "builtin", "yamnet"


def load_tagger(name: str, device: Device = "auto", threads: int | None = None) -> Builtin | Yamnet:
    """A tagger by name.

    Args:
        name: "builtin", "yamnet" (as installed), or a folder that `recomposer train tagger` wrote.
        device: "auto", "cpu" or "cuda".
        threads: threads on the CPU; None for one per core.

    Raises:
        InputError: there is no such tagger, it is not installed or damaged.
    """
    if name == BUILTIN:
        return load_builtin(None, device, threads)
    if name == YAMNET:
        return load_yamnet(yamnet_folder(), device, threads)
    # Not Path.is_dir(): it raises for names that are too long or lie in folders that may not be searched.
    if os.path.isdir(name):  # noqa: PTH112
        return load_builtin(Path(name), device, threads)
    raise InputError(f"{name}: there is no such tagger; choose {BUILTIN}, {YAMNET} or a folder with a trained one")
