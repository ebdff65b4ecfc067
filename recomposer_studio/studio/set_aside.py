"""What an event has under one action alone is put aside while it has another one, and comes back with the action."""

from dataclasses import replace

from recomposer_studio.project.state import Aside, State
from recomposer_studio.roll.event import Action, Event, EventRoll


def with_roll(state: State, roll: EventRoll) -> State:
    """The state with another roll: events that left an action leave its values aside, those that come back find them.

    Args:
        state: the present state.
        roll: the roll to come; its events are those of the present one by their ids.
    """
    before = {event.id: event for event in state.roll.events}
    aside = {values.event: values for values in state.aside}
    events, kept = [], []
    for event in roll.events:
        former, values = before.get(event.id), aside.get(event.id, Aside(event.id))
        if former is not None and former.action is not event.action:
            values, event = _moved(former, event, values)
        events.append(event)
        if former is not None and values != Aside(event.id):
            kept.append(values)
    same = all(a is b for a, b in zip(events, roll.events, strict=True))
    return replace(state, roll=roll if same else EventRoll(tuple(events)), aside=tuple(kept))


def _moved(former: Event, event: Event, values: Aside) -> tuple[Aside, Event]:
    """What is aside of an event after its action changed, and the event with what came back."""
    if former.action is Action.INSERT:
        values = replace(values, exemplar=former.exemplar)
    if former.action is Action.ENHANCE:
        values = replace(values, by_db=former.by_db)
    if event.action is Action.INSERT:
        event = replace(event, exemplar=event.exemplar or values.exemplar)
        values = replace(values, exemplar=None)
    if event.action is Action.ENHANCE:
        event = replace(event, by_db=values.by_db if event.by_db is None else event.by_db)
        values = replace(values, by_db=None)
    return values, event
