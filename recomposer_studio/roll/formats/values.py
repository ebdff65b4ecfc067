"""What all label formats share: the recording they belong to, actions in words, numbers, limits."""

import re
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event, EventRoll, shown
from recomposer_studio.roll.file import roll_from_values

MAX_LABELS = 100_000
UNNAMED = "Sound"
"""The label of an event whose file has none."""

Item = tuple[str, dict[str, Any]]
"""(place in the file for error sentences, fields of an event)."""

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_ACTION_WORD = re.compile(rf"({'|'.join(Action)})(?:\s*:\s*|\s+)(\S.*)", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class About:
    """What is known of the recording that labels belong to; nothing of it is needed.

    Attributes:
        name: its file name; chooses the lines of a table that lists several recordings.
        duration_s: its length, which a TextGrid states.
        rate_hz: its sample rate; a Raven table states the upper edge of every box.
    """

    name: str = ""
    duration_s: float | None = None
    rate_hz: float | None = None


@dataclass(frozen=True)
class Labels:
    """What a label file holds.

    Attributes:
        roll: the events.
        notes: sentences on what was left out.
    """

    roll: EventRoll
    notes: tuple[str, ...] = ()


def labels_of(items: list[Item], notes: list[str], where: str) -> Labels:
    """The labels of a file's items; those without a row share one with all of their label.

    Raises:
        InputError: no item at all, too many, or one that cannot be an event.
    """
    if len(items) > MAX_LABELS:
        raise InputError(f"{where}: the file holds more than {MAX_LABELS:,} labels; split it")
    if not items:
        raise InputError(f"{where}: the file holds no labels that last; {' '.join(notes) or 'choose another file'}")
    for _, values in items:
        values.setdefault("row", values["label"])
    return Labels(roll_from_values(items), tuple(notes))


def from_words(text: str) -> dict[str, Any]:
    """Action and label of a text: "delete dog bark" or "enhance: beep"; without an action word the action is *keep*."""
    text = text.strip() or UNNAMED
    match = _ACTION_WORD.fullmatch(text)
    if match is None:
        return {"action": Action.KEEP, "label": text}
    return {"action": Action(match[1].lower()), "label": match[2]}


def in_words(event: Event) -> str:
    """Action and label as `from_words` reads them; *keep* is not said unless the label could be misread."""
    if event.action is Action.KEEP and _ACTION_WORD.fullmatch(event.label) is None:
        return event.label
    return f"{event.action}{':' if event.label.startswith(':') else ''} {event.label}"


def is_number(text: str) -> bool:
    """Whether a text is a number, with a point or a comma."""
    return _NUMBER.fullmatch(text.strip()) is not None


def number(text: str, what: str, place: str) -> float:
    """A number with a decimal point or comma.

    Raises:
        InputError: it is none.
    """
    if not is_number(text):
        raise InputError(f"{place}: {what} must be a number, not {shown(text.strip())}")
    return float(text.strip().replace(",", "."))


def digits(value: float) -> str:
    """The shortest text that reads back as the same number, without an exponent, which not every program reads."""
    text = format(Decimal(repr(float(value))), "f")
    return text if "." in text else f"{text}.0"


def left_out(count: int, one: str, many: str) -> list[str]:
    """A note on what was left out, or none."""
    if not count:
        return []
    return [f"{count:,} {one if count == 1 else many} left out."]


def lines_of(text: str) -> list[str]:
    """The lines of a text, whatever ends them."""
    return re.split(r"\r\n|\r|\n", text)


DEFAULTS = {field.name: field.default for field in fields(Event)}
