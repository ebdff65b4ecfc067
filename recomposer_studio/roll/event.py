"""Events and rolls as frozen values: one event is one box with one action and one label."""

import math
import numbers
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from recomposer_studio.errors import InputError

MAX_TEXT_LENGTH = 200
LEVEL_RANGE_DB = (-60.0, 60.0)
GAIN_RANGE_DB = (-120.0, 120.0)
MAX_PATH_LENGTH = 4096
_DIGEST = re.compile("[0-9a-f]{64}")


class Action(StrEnum):
    """What happens to the sound inside an event's box; `keep` protects it from edits that overlap it."""

    INSERT = "insert"
    DELETE = "delete"
    ENHANCE = "enhance"
    KEEP = "keep"


@dataclass(frozen=True)
class Exemplar:
    """A stretch of sound that an Insert is to resemble.

    Attributes:
        start_s: where it begins, in seconds.
        end_s: where it ends, exclusive; generators hear a second or two of it.
        file: a sound file, its path relative to the recording's folder or absolute, on no network share; empty: the
            recording itself.
        sha256: what its samples have to be (`editing.exemplars`), in hex; empty: whatever is there. Recipes of takes say it, so that
            a recording that has changed since is noticed.

    Raises:
        InputError: a field cannot work; the sentence names it.
    """

    start_s: float
    end_s: float
    file: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        problem = exemplar_problem({field.name: getattr(self, field.name) for field in fields(self)})
        if problem:
            raise InputError(f"exemplar {problem}")
        for name in ("start_s", "end_s"):
            object.__setattr__(self, name, float(getattr(self, name)) + 0.0)


@dataclass(frozen=True)
class Event:
    """One box of the roll.

    Attributes:
        id: Unique in its roll; seeds and layers are found by it.
        action: What happens to the sound.
        label: Which sound, in free text, without surrounding white space.
        start_s: Onset in seconds from the start of the file.
        end_s: Offset in seconds, exclusive.
        row: The lane of the roll; events with the same row share a stem.
        level_db: Insert and Enhance: level over the background that the event overlaps, in dB.
        by_db: Enhance: a constant gain in dB instead of `level_db`, or None.
        gain_db: Gain on the rendered layer in dB.
        amount: Share of the edit that is applied, 0 to 1.
        pan: Position of the placed sound, -1 (left) to 1 (right).
        low_hz: Lower edge of the box in Hz, or None for no limit.
        high_hz: Upper edge of the box in Hz, or None for no limit.
        confidence: How sure the detector was, 0 to 1, or None.
        muted: The event is kept in the roll and not heard.
        exemplar: Insert: a sound that it is to resemble, or None.

    Raises:
        InputError: a field cannot work; the sentence names the event and the field.
    """

    id: str
    action: Action
    label: str
    start_s: float
    end_s: float
    row: str
    level_db: float = 10.0
    by_db: float | None = None
    gain_db: float = 0.0
    amount: float = 1.0
    pan: float = 0.0
    low_hz: float | None = None
    high_hz: float | None = None
    confidence: float | None = None
    muted: bool = False
    exemplar: Exemplar | None = None

    def __post_init__(self) -> None:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        problem = field_problem(values)
        if problem:
            raise InputError(f"event {shown(self.id)}: {problem}")
        # One exact form for each value, so that equal events compare, hash and print alike.
        object.__setattr__(self, "action", Action(self.action))
        for name in _TEXTS:
            object.__setattr__(self, name, values[name].strip())
        for name in _RANGES:
            if values[name] is not None:
                object.__setattr__(self, name, float(values[name]) + 0.0)  # + 0.0 turns -0.0 into 0.0


@dataclass(frozen=True)
class EventRoll:
    """An ordered, immutable set of events with unique ids.

    Raises:
        InputError: two events have the same id.
    """

    events: tuple[Event, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "events", tuple(self.events))
        seen: set[str] = set()
        for event in self.events:
            if event.id in seen:
                raise InputError(f"two events of the roll have the id {shown(event.id)}; give each its own")
            seen.add(event.id)

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> "EventRoll":
        """A roll of the events in their order.

        Raises:
            InputError: two events have the same id.
        """
        return cls(tuple(events))

    def rows(self) -> dict[str, tuple[Event, ...]]:
        """The events of every row; rows stand in the order of their first event."""
        rows: dict[str, list[Event]] = {}
        for event in self.events:
            rows.setdefault(event.row, []).append(event)
        return {row: tuple(events) for row, events in rows.items()}

    def event(self, id: str) -> Event:
        """The event with this id.

        Raises:
            InputError: the roll has no such event.
        """
        for event in self.events:
            if event.id == id:
                return event
        raise InputError(f"the roll has no event with the id {shown(id)}; choose one of its {len(self.events)} events")

    def with_event(self, event: Event) -> "EventRoll":
        """A roll in which the event takes the place of the one with its id, or stands at the end."""
        if any(other.id == event.id for other in self.events):
            return EventRoll(tuple(event if other.id == event.id else other for other in self.events))
        return EventRoll((*self.events, event))

    def without(self, id: str) -> "EventRoll":
        """A roll without the event of this id.

        Raises:
            InputError: the roll has no such event.
        """
        gone = self.event(id)
        return EventRoll(tuple(event for event in self.events if event is not gone))


def field_problem(values: Mapping[str, Any]) -> str | None:
    """What is wrong with the values of an event's fields: one clause that starts with the field's name, or None.

    Args:
        values: A value for every field of `Event`, of any type.
    """
    actions = [str(action) for action in Action]
    if not isinstance(values["action"], str) or values["action"] not in actions:
        return f"action must be one of {', '.join(actions)}, not {shown(values['action'])}"
    for name in _TEXTS:
        problem = _text_problem(values[name])
        if problem:
            return f"{name} {problem}"
    for name, (low, high) in _RANGES.items():
        if values[name] is None and name in _OPTIONAL:
            continue
        problem = _number_problem(values[name], low, high)
        if problem:
            return f"{name} {problem}"
    if not float(values["start_s"]) < float(values["end_s"]):  # as floats: large integers can differ there alone
        return (
            f"end_s ({shown(values['end_s'])}) must be later than start_s ({shown(values['start_s'])}); "
            f"correct the event's times"
        )
    if values["by_db"] is not None and values["action"] != Action.ENHANCE:
        return f"by_db belongs to enhance alone; remove it or use level_db for {values['action']}"
    low_hz, high_hz = values["low_hz"], values["high_hz"]
    if high_hz is not None and float(high_hz) <= float(low_hz or 0.0):
        return f"high_hz ({shown(high_hz)}) must lie above {'0' if low_hz is None else f'low_hz ({shown(low_hz)})'}"
    if not isinstance(values["muted"], bool):
        return f"muted must be true or false, not {shown(values['muted'])}"
    exemplar = values["exemplar"]
    if exemplar is None:
        return None
    if values["action"] != Action.INSERT:
        return f"exemplar belongs to insert alone; remove it from {values['action']}"
    return None if isinstance(exemplar, Exemplar) else f"exemplar must be an object, not {shown(exemplar)}"


def exemplar_problem(values: Mapping[str, Any]) -> str | None:
    """What is wrong with the values of an exemplar's fields: one clause that starts with the field's name, or None.

    Args:
        values: A value for every field of `Exemplar`, of any type.
    """
    for name in ("start_s", "end_s"):
        problem = _number_problem(values[name], 0.0, math.inf)
        if problem:
            return f"{name} {problem}"
    if not float(values["start_s"]) < float(values["end_s"]):
        return f"end_s ({shown(values['end_s'])}) must be later than start_s ({shown(values['start_s'])})"
    file, digest = values["file"], values["sha256"]
    if not isinstance(file, str) or len(file) > MAX_PATH_LENGTH or _has_controls(file):
        return f"file must be the path of a sound file, not {shown(file)}"
    # Asking a share for a file can hand it the person's credentials, and rolls and projects come from anywhere.
    if file.replace("/", "\\").startswith("\\\\"):
        return f"file ({shown(file)}) is on a network share; copy it into the recording's folder and name it relative to that"
    if not isinstance(digest, str) or (digest and not _DIGEST.fullmatch(digest)):
        return f"sha256 must be 64 hexadecimal digits, not {shown(digest)}"
    return None


def shown(value: object) -> str:
    """A short form of any value for an error sentence: one line, printable, at most about 60 characters."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")  # repr escapes what cannot be printed
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else "a huge number"
    if isinstance(value, numbers.Real):
        return f"{float(value):.15g}"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def _text_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f"must be text, not {shown(value)}"
    text = value.strip()
    if not text:
        return "is empty; write a short text"
    if len(text) > MAX_TEXT_LENGTH:
        return f"has {len(text)} characters; shorten it to {MAX_TEXT_LENGTH}"
    return "contains control characters or line breaks; remove them" if _has_controls(text) else None


def _has_controls(text: str) -> bool:
    # Cc controls, Cs lone surrogates (not encodable), Zl and Zp line and paragraph separators.
    return any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text)


def _number_problem(value: object, low: float, high: float) -> str | None:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return f"must be a number, not {shown(value)}"
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        return "must be a finite number"
    if number < low:
        return f"must be at least {low:g}, not {shown(value)}"
    if number > high:
        return f"must be at most {high:g}, not {shown(value)}"
    return None


_TEXTS = ("label", "id", "row")
_RANGES = {
    "start_s": (0.0, math.inf),
    "end_s": (0.0, math.inf),
    "level_db": LEVEL_RANGE_DB,
    "by_db": GAIN_RANGE_DB,
    "gain_db": GAIN_RANGE_DB,
    "amount": (0.0, 1.0),
    "pan": (-1.0, 1.0),
    "low_hz": (0.0, math.inf),
    "high_hz": (0.0, math.inf),
    "confidence": (0.0, 1.0),
}
_OPTIONAL = {"by_db", "low_hz", "high_hz", "confidence"}
