"""What a person does to events, as functions from roll to roll: no widgets, no signals."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.studio.scale import FrequencyScale

SHORTEST_S = 0.01
"""Edges stop here when a box is dragged narrower."""


@dataclass(frozen=True)
class Area:
    """A stretch of time, and of frequency where both limits are given: what a person marked.

    Attributes:
        start_s: start in seconds.
        end_s: end in seconds.
        low_hz: lower limit in Hz, or None.
        high_hz: upper limit in Hz, or None.
    """

    start_s: float
    end_s: float
    low_hz: float | None = None
    high_hz: float | None = None

    @property
    def span_s(self) -> float:
        """Length in seconds."""
        return self.end_s - self.start_s


def fresh(name: str, taken: Collection[str]) -> str:
    """A name that is not taken: itself, or with the next free number behind it."""
    if name not in taken:
        return name
    number = 2
    while f"{name} {number}" in taken:
        number += 1
    return f"{name} {number}"


def ids(roll: EventRoll) -> set[str]:
    """The ids of all events."""
    return {event.id for event in roll.events}


def fresh_id(roll: EventRoll, more: Collection[str] = ()) -> str:
    """An id that no event has."""
    taken = ids(roll) | set(more)
    number = len(taken) + 1
    while f"e{number}" in taken:
        number += 1
    return f"e{number}"


def add(roll: EventRoll, area: Area, action: Action, label: str, row: str | None = None) -> tuple[EventRoll, Event]:
    """The roll with one more event, in a row of its own unless one is named."""
    event = Event(
        id=fresh_id(roll),
        action=action,
        label=label,
        start_s=area.start_s,
        end_s=area.end_s,
        row=row or fresh(label, roll.rows()),
        low_hz=area.low_hz,
        high_hz=area.high_hz,
    )
    return roll.with_event(event), event


def change(roll: EventRoll, chosen: Iterable[str], **fields: object) -> EventRoll:
    """The roll with other values in some events.

    A row that was named after its only event's label follows the label; `by_db` leaves with Enhance.

    Raises:
        InputError: a value does not fit.
    """
    for event_id in chosen:
        event = roll.event(event_id)
        values = dict(fields)
        if "action" in values and values["action"] != Action.ENHANCE:
            values.setdefault("by_db", None)
        label = values.get("label")
        if isinstance(label, str) and "row" not in values and _own_row(roll, event):
            values["row"] = fresh(label.strip() or "?", set(roll.rows()) - {event.row})
        roll = roll.with_event(replace(event, **values))  # type: ignore[arg-type]
    return roll


def _own_row(roll: EventRoll, event: Event) -> bool:
    """Whether the event is alone in its row and the row bears its label, with or without a number."""
    rest = event.row.removeprefix(event.label)
    named = event.row.startswith(event.label) and (rest == "" or rest.strip().isdigit())
    return named and len(roll.rows()[event.row]) == 1


def move(
    roll: EventRoll, chosen: Collection[str], by_s: float, by_share: float, scale: FrequencyScale, duration_s: float
) -> EventRoll:
    """The roll with events moved in time and, where they have limits, in frequency; nothing leaves the recording.

    Args:
        roll: the roll.
        chosen: ids of the events, at least one.
        by_s: seconds to the right.
        by_share: share of the picture's height upwards.
        scale: the picture's frequency scale.
        duration_s: length of the recording.
    """
    events = [roll.event(event_id) for event_id in chosen]
    by_s = max(by_s, -min(event.start_s for event in events))
    by_s = min(by_s, duration_s - max(event.end_s for event in events))
    for event in events:
        low_hz, high_hz = event.low_hz, event.high_hz
        if by_share and low_hz is not None and high_hz is not None:
            low, high = float(scale.share(low_hz)), float(scale.share(high_hz))
            step = min(max(by_share, -low), 1.0 - high)
            low_hz, high_hz = max(0.0, float(scale.hz(low + step))), float(scale.hz(high + step))
        start_s = max(0.0, event.start_s + by_s)
        roll = roll.with_event(
            replace(event, start_s=start_s, end_s=event.end_s + by_s, low_hz=low_hz, high_hz=high_hz)
        )
    return roll


def duplicate(roll: EventRoll, chosen: Collection[str], duration_s: float) -> tuple[EventRoll, tuple[str, ...]]:
    """The roll with a copy of every chosen event right behind it, in the same row; where no room is left, over it."""
    made = []
    for event in [event for event in roll.events if event.id in chosen]:
        length = event.end_s - event.start_s
        start = min(event.end_s, duration_s - length)
        copy = replace(event, id=fresh_id(roll), start_s=start, end_s=start + length, confidence=None)
        roll = roll.with_event(copy)
        made.append(copy.id)
    return roll, tuple(made)


def split(roll: EventRoll, chosen: Collection[str], at_s: float) -> tuple[EventRoll, tuple[str, ...]]:
    """The roll with chosen events cut in two at a time; those that the time does not cross stay."""
    kept = []
    for event in [event for event in roll.events if event.id in chosen]:
        kept.append(event.id)
        if event.start_s + SHORTEST_S <= at_s <= event.end_s - SHORTEST_S:
            second = replace(event, id=fresh_id(roll), start_s=at_s)
            roll = roll.with_event(replace(event, end_s=at_s)).with_event(second)
            kept.append(second.id)
    return roll, tuple(kept)


def join(roll: EventRoll, chosen: Collection[str]) -> tuple[EventRoll, str]:
    """The roll with the chosen events made into one: the earliest, stretched over all of them."""
    events = sorted((roll.event(event_id) for event_id in chosen), key=lambda event: event.start_s)
    first = events[0]
    limited = all(event.low_hz is not None and event.high_hz is not None for event in events)
    whole = replace(
        first,
        end_s=max(event.end_s for event in events),
        low_hz=min(event.low_hz or 0.0 for event in events) if limited else None,
        high_hz=max(event.high_hz or 0.0 for event in events) if limited else None,
    )
    rest = {event.id for event in events[1:]}
    return EventRoll(tuple(whole if e.id == first.id else e for e in roll.events if e.id not in rest)), first.id


def delete(roll: EventRoll, chosen: Collection[str]) -> EventRoll:
    """The roll without the chosen events."""
    return EventRoll(tuple(event for event in roll.events if event.id not in chosen))


def paste(roll: EventRoll, pasted: EventRoll, at_s: float, duration_s: float) -> tuple[EventRoll, tuple[str, ...]]:
    """The roll with the events of another one, the earliest at `at_s`; what lies past the end is left out."""
    if not pasted.events:
        return roll, ()
    by_s = at_s - min(event.start_s for event in pasted.events)
    made = []
    for event in pasted.events:
        if event.end_s + by_s <= duration_s:
            new = replace(event, id=fresh_id(roll), start_s=event.start_s + by_s, end_s=event.end_s + by_s)
            roll = roll.with_event(new)
            made.append(new.id)
    return roll, tuple(made)
