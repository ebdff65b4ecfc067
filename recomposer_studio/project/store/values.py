"""Frozen values to JSON and back, by the types of their fields: every value, and only values, of the declared types pass.

A dataclass is an object with its fields by name; a field at its default is left out, and a missing one takes its default. So a
field that is added with a default needs no migration, and files stay readable to older programs as long as the new field is not
used. Unknown names, other types and wrong shapes are refused.

Some classes are stored apart, in a row of their own, and stand as its number: what two states share is stored once. Arrays are
stored apart too; the recording stands as null, for a project has one.
"""

import dataclasses
import math
import operator
import types
from collections.abc import Hashable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Literal, Protocol, Union, get_args, get_origin, get_type_hints

import numpy as np

from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.project.state import State, TakeEntry
from recomposer_studio.project.take import Layer
from recomposer_studio.roll.event import Event, EventRoll, shown

APART: Mapping[type, str] = {
    Event: "event",
    EventRoll: "roll",
    Layer: "layer",
    TakeEntry: "take",
    State: "state",
}
"""The classes that are stored in rows of their own, and the names of their kinds."""

MAX_TEXT_LENGTH = 100_000
_MAX_INTEGER = 2**128
"""Seeds are hashes of 64 bits."""
_ODD_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


class Damage(Exception):  # noqa: N818 - it tells of the file, and becomes an InputError that names it
    """Something stored is not what it has to be; a clause without the file's name."""


class Keeper(Protocol):
    """Where values that are stored apart go."""

    def keep(self, value: Any) -> int:
        """The number of the row of a value, of one of the classes in `APART`."""

    def keep_array(self, array: np.ndarray[Any, Any]) -> int:
        """The number of the row of a (channels, samples) float32 array."""


class Finder(Protocol):
    """Where values that are stored apart come from."""

    source: Source

    def find(self, kind: str, number: int) -> Any:
        """The value in a row."""

    def find_array(self, number: int) -> np.ndarray[Any, Any]:
        """The (channels, samples) float32 array in a row."""


def encode_fields(value: Any, keeper: Keeper) -> dict[str, Any]:
    """A dataclass as a JSON object, without the fields that are at their defaults."""
    kind: Any = type(value)
    hints, stored = _hints(kind), {}
    for field in dataclasses.fields(value):
        content = getattr(value, field.name)
        if not _at_default(field, content):
            stored[field.name] = encode(content, hints[field.name], keeper)
    return stored


def encode(value: Any, hint: Any, keeper: Keeper) -> Any:
    """A value of a declared type as JSON.

    Raises:
        TypeError: the value, or the declared type, cannot be stored; a mistake of the program.
    """
    if hint in APART:
        return keeper.keep(value)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else encode(value, _inner(hint), keeper)
    if origin is tuple:
        kinds = [arguments[0]] * len(value) if arguments[-1] is ... else arguments
        return [encode(item, kind, keeper) for item, kind in zip(value, kinds, strict=True)]
    if origin is frozenset:
        return sorted(encode(item, arguments[0], keeper) for item in value)
    if origin is dict:
        return {str(key): encode(item, arguments[1], keeper) for key, item in value.items()}
    if origin is np.ndarray:
        return keeper.keep_array(value)
    if origin is Literal or (isinstance(hint, type) and issubclass(hint, StrEnum)):
        return str(value)
    if dataclasses.is_dataclass(hint):
        return encode_fields(value, keeper)
    if hint is Source:
        return None
    if hint is datetime:
        return value.isoformat()
    if hint is float:
        number = float(value)
        return number if math.isfinite(number) else str(number)
    if hint is bool:
        return bool(value)
    if hint is int:
        return operator.index(value)
    if hint is str:
        return str(value)
    raise TypeError(f"values of the type {hint} cannot be stored")


def decode_fields(stored: Any, kind: type, finder: Finder) -> Any:
    """A dataclass from its JSON object.

    Raises:
        Damage: it is not one.
    """
    if not isinstance(stored, dict):
        raise Damage(f"{shown(stored)} stands where {kind.__name__} belongs")
    hints = _hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in stored:
        if name not in fields:
            raise Damage(f"{kind.__name__} has no {shown(name)}, or a newer Recomposer Studio wrote it")
    for name, field in fields.items():
        if name not in stored and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise Damage(f"{kind.__name__} lacks {name}")
    try:
        return kind(**{name: decode(value, hints[name], finder) for name, value in stored.items()})
    except InputError as error:  # the values check themselves
        raise Damage(str(error)) from None


def decode(stored: Any, hint: Any, finder: Finder) -> Any:
    """A value of a declared type from JSON.

    Raises:
        Damage: the JSON is none of that type.
    """
    if hint in APART:
        return finder.find(APART[hint], decode(stored, int, finder))
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if stored is None else decode(stored, _inner(hint), finder)
    if origin is tuple:
        items = _of(stored, list)
        if arguments[-1] is ...:
            return tuple(decode(item, arguments[0], finder) for item in items)
        if len(items) != len(arguments):
            raise Damage(f"a list of {len(items)} stands where one of {len(arguments)} belongs")
        return tuple(decode(item, kind, finder) for item, kind in zip(items, arguments, strict=True))
    if origin is frozenset:
        return frozenset(decode(item, arguments[0], finder) for item in _of(stored, list))
    if origin is dict:
        return {_text(key): decode(item, arguments[1], finder) for key, item in _of(stored, dict).items()}
    if origin is np.ndarray:
        return finder.find_array(decode(stored, int, finder))
    if origin is Literal:
        if stored not in arguments:
            raise Damage(f"{shown(stored)} is none of {', '.join(map(str, arguments))}")
        return stored
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return decode_fields(stored, hint, finder)
    if hint is Source:
        _of(stored, types.NoneType)
        return finder.source
    return _decode_plain(stored, hint)


def _decode_plain(stored: Any, hint: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        try:
            return hint(_text(stored))
        except ValueError:
            raise Damage(f"{shown(stored)} is none of {', '.join(hint)}") from None
    if hint is datetime:
        try:
            return datetime.fromisoformat(_text(stored))
        except ValueError:
            raise Damage(f"{shown(stored)} is no time") from None
    if hint is float:
        if isinstance(stored, str) and stored in _ODD_FLOATS:
            return _ODD_FLOATS[stored]
        if type(stored) is not int and type(stored) is not float:
            raise Damage(f"{shown(stored)} stands where a number belongs")
        if abs(stored) >= _MAX_INTEGER and type(stored) is int:
            raise Damage("a number is too large")
        return float(stored)
    if hint is bool:
        return _of(stored, bool)
    if hint is int:
        if type(stored) is not int or abs(stored) >= _MAX_INTEGER:
            raise Damage(f"{shown(stored)} stands where a whole number belongs")
        return stored
    if hint is str:
        return _text(stored)
    raise TypeError(f"values of the type {hint} cannot be stored")


def _of(stored: Any, kind: type) -> Any:
    if type(stored) is not kind:
        raise Damage(f"{shown(stored)} stands where a {kind.__name__} belongs")
    return stored


def _text(stored: Any) -> str:
    text: str = _of(stored, str)
    if len(text) > MAX_TEXT_LENGTH:
        raise Damage(f"a text of {len(text)} characters is too long")
    return text


def _inner(hint: Any) -> Any:
    """The type in `type | None`."""
    inner = [kind for kind in get_args(hint) if kind is not types.NoneType]
    if len(inner) != 1:
        raise TypeError(f"values of the type {hint} cannot be stored")
    return inner[0]


def _at_default(field: dataclasses.Field[Any], content: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        return False
    # Of one type, for 0.0 == False; an array would answer with an array.
    return content is default or (
        type(content) is type(default) and not isinstance(content, np.ndarray) and content == default
    )


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)
