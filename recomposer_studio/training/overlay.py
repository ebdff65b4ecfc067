"""Small JSON files that change a training's settings: other sizes, ablations. What a file does not name stays as it is."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from recomposer_studio.errors import InputError

_MAX_BYTES = 65536
_OptionsT = TypeVar("_OptionsT")
# A file of settings does not choose files.
_NOT_HERE = {"data", "out", "start", "cache", "resume", "teacher"}


def read_overlay(path: Path) -> Mapping[str, Any]:
    """The settings in a file.

    Raises:
        InputError: it cannot be read or is no JSON object.
    """
    try:
        text = path.read_bytes()[: _MAX_BYTES + 1]
        if len(text) > _MAX_BYTES:
            raise ValueError("it is too long")
        values = json.loads(text.decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: no file of training settings ({error}); give a JSON object") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: no file of training settings; give a JSON object")
    return values


def overlaid(options: _OptionsT, values: Mapping[str, Any], where: str) -> _OptionsT:
    """The options with the values of an overlay; nested objects change nested settings.

    Args:
        options: a frozen dataclass.
        values: by field.
        where: the file, for messages.

    Raises:
        InputError: there is no such setting, or it takes another kind of value.
    """
    known = {part.name: getattr(options, part.name) for part in fields(options)}  # type: ignore[arg-type]
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known or name in _NOT_HERE:
            raise InputError(f"{where}: there is no setting '{name}' here; choose among {', '.join(sorted(known))}")
        now = known[name]
        if is_dataclass(now) and isinstance(value, dict):
            changed[name] = overlaid(now, value, where)
        elif isinstance(now, tuple) and isinstance(value, list):
            changed[name] = tuple(value)
        elif isinstance(now, bool) or isinstance(value, bool):
            if type(now) is not type(value):
                raise InputError(f"{where}: '{name}' is {json.dumps(now)} by default; {json.dumps(value)} does not fit")
            changed[name] = value
        elif isinstance(now, float) and isinstance(value, int):
            changed[name] = float(value)
        elif type(now) is type(value):
            changed[name] = value
        else:
            raise InputError(f"{where}: '{name}' takes another kind of value than {json.dumps(value)[:60]}")
    try:
        return replace(options, **changed)  # type: ignore[type-var]
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
