"""The roll file: `{"format_version": 1, "events": [...]}`, read strictly and written so that it reads back exactly.

Version 2 may give events an exemplar; a roll without any is still written as version 1, byte by byte as before.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, asdict, fields
from hashlib import blake2b
from pathlib import Path
from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Event, EventRoll, Exemplar, exemplar_problem, field_problem, shown

FORMAT_VERSION = 2
"""The newest that is read."""
MAX_FILE_BYTES = 8 * 2**20
"""Tens of thousands of events; a hostile file of this size is refused in seconds."""

_FIELDS = tuple(field.name for field in fields(Event))
_DEFAULTS = {field.name: field.default for field in fields(Event) if field.default is not MISSING}
_EXEMPLAR_FIELDS = tuple(field.name for field in fields(Exemplar))
_EXEMPLAR_REQUIRED = ("start_s", "end_s")
_REQUIRED = ("action", "label", "start_s", "end_s")
# Fields that tell two events apart; the id of an event without one comes from these alone.
_IDENTITY = ("action", "label", "start_s", "end_s", "low_hz", "high_hz")
_END_TOLERANCE_S = 1e-6


def read_roll(path: Path | str) -> EventRoll:
    """The roll in a file.

    Raises:
        InputError: the file cannot be read, or is no valid roll.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path of the roll") from None
    except (OSError, ValueError) as error:
        reason = (
            "it is a folder"
            if isinstance(error, IsADirectoryError)
            else getattr(error, "strerror", None) or "the path is not valid"
        )
        raise InputError(f"{path}: the roll cannot be read ({reason}); choose a readable roll file") from None
    return parse_roll(data, str(path))


def parse_roll(text: str | bytes, where: str) -> EventRoll:
    """The roll in a file's text.

    Args:
        text: JSON; bytes must be UTF-8, with or without a byte order mark.
        where: The file's name, for error sentences.

    Raises:
        InputError: one sentence that names the file, the event (by number, from 1, and id) and the field.
    """
    document = _decode(text, where)
    if not isinstance(document, _Object):
        raise InputError(f"{where}: a roll file holds one JSON object with format_version and events")
    _check_keys(document, ("format_version", "events"), ("format_version", "events"), where)
    version = document["format_version"]
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InputError(f"{where}: format_version must be 1 or {FORMAT_VERSION}, not {shown(version)}")
    if version > FORMAT_VERSION:
        raise InputError(
            f"{where}: format_version {shown(version)} is newer than this program, which reads 1 to {FORMAT_VERSION}; "
            f"update Recomposer Studio"
        )
    items = document["events"]
    if not isinstance(items, list):
        raise InputError(f"{where}: events must be a list, not {shown(items)}")
    places = [_place(where, number, item) for number, item in enumerate(items, start=1)]
    return EventRoll(tuple(_events(items, places)))


def roll_from_values(items: Iterable[tuple[str, dict[str, Any]]]) -> EventRoll:
    """The roll of events that were read from another format, under the rules of the roll file.

    Args:
        items: (place for error sentences, fields of the event), in the roll's order.

    Raises:
        InputError: one sentence that names the place and the field.
    """
    pairs = list(items)
    return EventRoll(tuple(_events([_Object(values) for _, values in pairs], [place for place, _ in pairs])))


def format_roll(roll: EventRoll) -> str:
    """The roll as text that `parse_roll` turns into an equal roll; one line per event, defaults left out."""
    lines = []
    for event in roll.events:
        values = {name: getattr(event, name) for name in _FIELDS}
        kept = {name: value for name, value in values.items() if name not in _DEFAULTS or value != _DEFAULTS[name]}
        if event.exemplar is not None:
            kept["exemplar"] = exemplar_values(event.exemplar)
        lines.append("\n    " + json.dumps(kept, ensure_ascii=False, allow_nan=False))
    closing = "\n  ]" if lines else "]"
    version = FORMAT_VERSION if any(event.exemplar for event in roll.events) else 1
    return f'{{\n  "format_version": {version},\n  "events": [{",".join(lines)}{closing}\n}}\n'


def exemplar_values(exemplar: Exemplar) -> dict[str, Any]:
    """An exemplar as plain values, as roll files hold it: what is empty is left out."""
    return {name: value for name, value in asdict(exemplar).items() if value != ""}


def check_fits(roll: EventRoll, duration_s: float, where: str) -> None:
    """Checks that no event ends after the recording.

    Args:
        roll: The events.
        duration_s: Duration of the recording in seconds.
        where: The roll file's name, for the error sentence.

    Raises:
        InputError: an event ends more than a microsecond (rounding of the times in a file) past the end.
    """
    for number, event in enumerate(roll.events, start=1):
        if event.end_s > duration_s + _END_TOLERANCE_S:
            field = "start_s" if event.start_s >= duration_s else "end_s"
            raise InputError(
                f"{where}, {_name(number, event.id)}: {field} ({getattr(event, field):.9g} s) lies past the end of the "
                f"recording ({duration_s:.9g} s); move or shorten the event"
            )


class _Object(dict[str, Any]):
    """A JSON object that remembers a key which stands in it twice."""

    repeated: str | None = None


def _decode(text: str | bytes, where: str) -> Any:
    if len(text) > MAX_FILE_BYTES:
        raise InputError(f"{where}: a roll file has at most {MAX_FILE_BYTES // 2**20} MiB; split the roll")
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: byte {error.start + 1} is not UTF-8; save the roll as UTF-8 text") from None
    text = text.removeprefix("\ufeff")

    def number(digits: str) -> int | float:
        # Python refuses to convert very long integers, slowly accepts long ones; neither is a time or a level.
        return int(digits) if len(digits) < 20 else float(digits)

    def pairs(items: list[tuple[str, Any]]) -> _Object:
        result = _Object(items)
        if len(result) < len(items):
            result.repeated = Counter(key for key, _ in items).most_common(1)[0][0]
        return result

    try:
        # NaN and Infinity come through as floats, for no field accepts them and its refusal says where they stand.
        return json.loads(text, parse_int=number, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{where}: not JSON at line {error.lineno}, column {error.colno} ({error.msg}); correct the file there"
        ) from None
    except RecursionError:
        raise InputError(f"{where}: the JSON is nested too deeply for a roll; write a plain list of events") from None


def _events(items: list[Any], places: list[str]) -> Iterator[Event]:
    taken: dict[str, int] = {}
    for number, (item, place) in enumerate(zip(items, places, strict=True), start=1):
        id = item.get("id") if isinstance(item, _Object) else None
        if isinstance(id, str):
            id = id.strip()
            if id in taken:
                raise InputError(f"{place}: id is the same as that of event {taken[id]}; give it its own")
            taken[id] = number
    repeats: Counter[str] = Counter()
    for number, (item, place) in enumerate(zip(items, places, strict=True), start=1):
        if not isinstance(item, _Object):
            raise InputError(f"{place}: an event must be an object with {', '.join(_REQUIRED)}, not {shown(item)}")
        _check_keys(item, _REQUIRED, _FIELDS, place)
        values = {"id": "?", "row": "?", **_DEFAULTS, **item}  # "?" stands in until the other fields are known good
        given = item.get("exemplar")
        if isinstance(given, dict):
            values["exemplar"] = _exemplar(
                given if isinstance(given, _Object) else _Object(given), f"{place}: exemplar"
            )
        problem = field_problem(values)
        if problem:
            raise InputError(f"{place}: {problem}")
        if "id" not in item:
            values["id"] = _derived_id(values, taken, repeats)
            taken[values["id"]] = number
        if "row" not in item:
            values["row"] = values["id"]
        yield Event(**values)


def _exemplar(item: _Object, place: str) -> Exemplar:
    _check_keys(item, _EXEMPLAR_REQUIRED, _EXEMPLAR_FIELDS, place)
    values = {"file": "", "sha256": "", **item}
    problem = exemplar_problem(values)
    if problem:
        raise InputError(f"{place} {problem}")
    return Exemplar(**values)


def _derived_id(values: dict[str, Any], taken: dict[str, int], repeats: Counter[str]) -> str:
    """An id from the event's content, so that it does not change when other events come or go.

    Args:
        values: The event's valid fields.
        taken: The ids in use.
        repeats: How often each content has come; counted up here, which keeps many equal events cheap.
    """
    content: list[str | float | None] = []
    for name in _IDENTITY:
        value = values[name]
        content.append(value.strip() if isinstance(value, str) else None if value is None else float(value) + 0.0)
    base = blake2b(json.dumps(content).encode("ascii"), digest_size=4).hexdigest()
    while True:
        repeats[base] += 1
        id = base if repeats[base] == 1 else f"{base}-{repeats[base]}"
        if id not in taken:
            return id


def _check_keys(item: _Object, required: tuple[str, ...], known: tuple[str, ...], place: str) -> None:
    if item.repeated is not None:
        raise InputError(f"{place}: the key {shown(item.repeated)} stands there twice; remove one")
    for key in item:
        if key not in known:
            raise InputError(f"{place}: unknown key {shown(key)}; the known ones are {', '.join(known)}")
    for key in required:
        if key not in item:
            raise InputError(f"{place}: {key} is missing; add it")


def _place(where: str, number: int, item: object) -> str:
    id = item.get("id") if isinstance(item, _Object) else None
    return f"{where}, {_name(number, id.strip() if isinstance(id, str) else id)}"


def _name(number: int, id: object) -> str:
    return f"event {number} (id {shown(id)})" if isinstance(id, str) and id.strip() else f"event {number}"
