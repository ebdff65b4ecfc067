"""What a person does to events, as functions from roll to roll: no widgets, no signals."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.studio.scale import FrequencyScale

SHORTEST_S = 0.01
"""Edges stop here when a box is dragged narrower."""
LOWEST_HZ = 20.0
"""Limits in frequency stay this far apart when one is dragged."""
_ROUNDING_S = 1e-4
"""The playhead stands on a sample, boxes anywhere: less than this past the end is no reason to leave a box out."""
_AT_THE_END = 0.004
"""A limit this close to the end of the frequency range, as a share of what is shown, is none any more."""


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


def fresh_id(roll: EventRoll, used: Collection[str] = ()) -> str:
    """An id that no event has, and that is not among those used elsewhere."""
    taken = ids(roll) | set(used)
    number = len(taken) + 1
    while f"e{number}" in taken:
        number += 1
    return f"e{number}"


def add(
    roll: EventRoll, area: Area, action: Action, label: str, row: str | None = None, used: Collection[str] = ()
) -> tuple[EventRoll, Event]:
    """The roll with one more event, in a row of its own unless one is named.

    Args:
        roll: the roll.
        area: where the event is.
        action: what is to happen to it.
        label: what it is.
        row: its row, one of its own when None.
        used: ids that are not to be given again.
    """
    event = Event(
        id=fresh_id(roll, used),
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

    A row that was named after its only event's label follows the label; `by_db` leaves with Enhance, an exemplar with Insert
    (the document puts them aside, see `set_aside`).

    Raises:
        InputError: a value does not fit.
    """
    if "label" not in fields:
        known = {event.id: event for event in roll.events}
        return _with(roll, {event_id: replace(known[event_id], **_fitting(fields)) for event_id in chosen})
    for event_id in chosen:
        event = roll.event(event_id)
        values = _fitting(fields)
        label = values.get("label")
        if isinstance(label, str) and "row" not in values and _own_row(roll, event):
            values["row"] = fresh(label.strip() or "?", set(roll.rows()) - {event.row})
        roll = roll.with_event(replace(event, **values))
    return roll


def _fitting(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a change, with what has to change along."""
    values = dict(fields)
    if "action" in values and values["action"] != Action.ENHANCE:
        values.setdefault("by_db", None)
    if "action" in values and values["action"] != Action.INSERT:
        values.setdefault("exemplar", None)
    return values


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
    changed = {}
    for event in events:
        low_hz, high_hz = event.low_hz, event.high_hz
        if by_share and low_hz is not None and high_hz is not None:
            low, high = float(scale.share(low_hz)), float(scale.share(high_hz))
            bottom, top = scale.reach
            step = min(max(by_share, bottom - low), top - high)
            low_hz, high_hz = max(0.0, float(scale.hz(low + step))), float(scale.hz(high + step))
        start_s = max(0.0, event.start_s + by_s)
        changed[event.id] = replace(event, start_s=start_s, end_s=event.end_s + by_s, low_hz=low_hz, high_hz=high_hz)
    return _with(roll, changed)


def _with(roll: EventRoll, changed: Mapping[str, Event]) -> EventRoll:
    """The roll with other events in the place of those with their ids, in one pass."""
    return EventRoll(tuple(changed.get(event.id, event) for event in roll.events))


def resize(
    roll: EventRoll,
    chosen: Collection[str],
    sides: str,
    by_s: float,
    by_share: float,
    scale: FrequencyScale,
    duration_s: float,
) -> EventRoll:
    """The roll with sides of events moved; a box keeps `SHORTEST_S` and `LOWEST_HZ`, and stays inside the recording.

    A limit that reaches the end of the frequency range is none any more.

    Args:
        roll: the roll.
        chosen: ids of the events.
        sides: which sides, out of l, r, t, b.
        by_s: seconds to the right, for l and r.
        by_share: share of the picture's height upwards, for t and b.
        scale: the picture's frequency scale.
        duration_s: length of the recording.
    """
    bottom, top = scale.reach
    changed = {}
    for event in [event for event in roll.events if event.id in chosen]:
        start_s, end_s, low_hz, high_hz = event.start_s, event.end_s, event.low_hz, event.high_hz
        if "l" in sides:
            start_s = max(min(start_s + by_s, end_s - SHORTEST_S), 0.0)
        if "r" in sides:
            end_s = min(max(end_s + by_s, start_s + SHORTEST_S), max(duration_s, event.end_s))
        if "t" in sides:
            share = float(scale.share(scale.top_hz if high_hz is None else high_hz)) + by_share
            high_hz = None if share >= top - _AT_THE_END else max(float(scale.hz(share)), (low_hz or 0.0) + LOWEST_HZ)
        if "b" in sides:
            share = float(scale.share(low_hz or 0.0)) + by_share
            highest = (scale.top_hz if high_hz is None else high_hz) - LOWEST_HZ
            low_hz = None if share <= bottom + _AT_THE_END else min(float(scale.hz(share)), highest)
        changed[event.id] = replace(event, start_s=start_s, end_s=end_s, low_hz=low_hz, high_hz=high_hz)
    return _with(roll, changed)


def order_rows(roll: EventRoll, order: Sequence[str]) -> EventRoll:
    """The roll with its rows in an order: an event's place among the others of its row stays."""
    places = {row: place for place, row in enumerate(order)}
    return EventRoll(tuple(sorted(roll.events, key=lambda event: places.get(event.row, len(places)))))


def place_row(roll: EventRoll, row: str, place: int) -> EventRoll:
    """The roll with a row as the one of number `place`, from 0; the others keep their order."""
    rest = [other for other in roll.rows() if other != row]
    place = min(max(place, 0), len(rest))
    return order_rows(roll, [*rest[:place], row, *rest[place:]])


def rename_row(roll: EventRoll, row: str, name: str) -> EventRoll:
    """The roll with another name for a row.

    Raises:
        InputError: the name is another row's, or cannot be one.
    """
    name = name.strip()
    if name == row:
        return roll
    if name in roll.rows():
        raise InputError(f"there is already a row {name}; drag the boxes there, or choose another name")
    return EventRoll(tuple(replace(e, row=name) if e.row == row else e for e in roll.events))


def to_lane(roll: EventRoll, chosen: Collection[str], by: int) -> EventRoll:
    """The roll with events some rows further down, or up; below the last row each gets one of its own.

    Rows keep their order. Above the first row there is none: the highest event stops there and the others keep their
    distance.
    """
    order = list(roll.rows())
    places = {row: place for place, row in enumerate(order)}
    events = [event for event in roll.events if event.id in chosen]
    if not events:
        return roll
    by = max(by, -min(places[event.row] for event in events))
    for event in events:
        place = places[event.row] + by
        if place < len(order):
            roll = roll.with_event(replace(event, row=order[place]))
        elif len(roll.rows()[event.row]) > 1:
            new = fresh(event.label, {*order, *roll.rows()})
            roll = roll.with_event(replace(event, row=new))
            order.append(new)
    return order_rows(roll, order)


def duplicate(
    roll: EventRoll, chosen: Collection[str], duration_s: float, used: Collection[str] = ()
) -> tuple[EventRoll, tuple[str, ...]]:
    """The roll with a copy of every chosen event right behind it, in the same row; where no room is left, over it.

    The copies get none of the ids in `used`.
    """
    made = []
    for event in [event for event in roll.events if event.id in chosen]:
        length = event.end_s - event.start_s
        start = min(event.end_s, duration_s - length)
        copy = replace(event, id=fresh_id(roll, used), start_s=start, end_s=start + length, confidence=None)
        roll = roll.with_event(copy)
        made.append(copy.id)
    return roll, tuple(made)


def split(
    roll: EventRoll, chosen: Collection[str], at_s: float, used: Collection[str] = ()
) -> tuple[EventRoll, tuple[str, ...]]:
    """The roll with chosen events cut in two at a time; those that the time does not cross stay.

    The second parts get none of the ids in `used`.
    """
    kept = []
    for event in [event for event in roll.events if event.id in chosen]:
        kept.append(event.id)
        if event.start_s + SHORTEST_S <= at_s <= event.end_s - SHORTEST_S:
            second = replace(event, id=fresh_id(roll, used), start_s=at_s)
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


def paste(
    roll: EventRoll, pasted: EventRoll, at_s: float, duration_s: float, used: Collection[str] = ()
) -> tuple[EventRoll, tuple[str, ...]]:
    """The roll with the events of another one, the earliest at `at_s`; what lies past the end is left out.

    They get none of the ids in `used`.
    """
    if not pasted.events:
        return roll, ()
    by_s = at_s - min(event.start_s for event in pasted.events)
    over_s = max(event.end_s for event in pasted.events) + by_s - duration_s
    if 0.0 < over_s < _ROUNDING_S:
        by_s -= over_s
    made = []
    for event in pasted.events:
        if event.end_s + by_s <= duration_s + _ROUNDING_S:
            start_s, end_s = max(event.start_s + by_s, 0.0), min(event.end_s + by_s, duration_s)
            new = replace(event, id=fresh_id(roll, used), start_s=start_s, end_s=end_s)
            roll = roll.with_event(new)
            made.append(new.id)
    return roll, tuple(made)
