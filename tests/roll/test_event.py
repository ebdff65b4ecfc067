import math
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event, EventRoll

EVENT = Event("dog-1", Action.ENHANCE, "Dog", 1.0, 2.5, "dogs")


def test_the_fields_and_their_order() -> None:
    assert [field.name for field in fields(Event)] == [
        "id", "action", "label", "start_s", "end_s", "row", "level_db", "by_db", "gain_db", "amount", "pan", "low_hz",
        "high_hz", "confidence", "muted", "exemplar",
    ]  # fmt: skip
    assert (EVENT.level_db, EVENT.by_db, EVENT.gain_db, EVENT.amount, EVENT.pan) == (10.0, None, 0.0, 1.0, 0.0)
    assert (EVENT.low_hz, EVENT.high_hz, EVENT.confidence, EVENT.muted) == (None, None, None, False)


def test_values_take_one_exact_form() -> None:
    event = Event(" a ", "delete", "  Dog\t", 0, np.float32(1.5), "a", pan=-0.0)  # type: ignore[arg-type]
    assert event == Event("a", Action.DELETE, "Dog", 0.0, 1.5, "a")
    assert event.action is Action.DELETE
    assert type(event.start_s) is float and type(event.end_s) is float
    assert math.copysign(1.0, event.pan) == 1.0
    assert hash(event) == hash(replace(event))


def test_events_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        EVENT.label = "Cat"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"action": "remove"}, "action"),
        ({"action": None}, "action"),
        ({"label": " \n "}, "label"),
        ({"label": 3}, "label"),
        ({"label": "a\x00b"}, "label"),
        ({"label": "two\nlines"}, "label"),
        ({"label": "\ud800"}, "label"),
        ({"label": "x" * 201}, "label"),
        ({"row": ""}, "row"),
        ({"start_s": -0.001}, "start_s"),
        ({"start_s": math.nan}, "start_s"),
        ({"start_s": "1"}, "start_s"),
        ({"start_s": True}, "start_s"),
        ({"start_s": None}, "start_s"),
        ({"end_s": math.inf}, "end_s"),
        ({"end_s": 10**400}, "end_s"),
        ({"end_s": 1.0}, "end_s"),
        ({"end_s": 0.5}, "end_s"),
        ({"start_s": 2**60, "end_s": 2**60 + 1}, "end_s"),
        ({"level_db": 60.1}, "level_db"),
        ({"level_db": None}, "level_db"),
        ({"by_db": -121}, "by_db"),
        ({"by_db": 3.0, "action": "insert"}, "by_db"),
        ({"by_db": 3.0, "action": "delete"}, "by_db"),
        ({"gain_db": 121}, "gain_db"),
        ({"amount": 1.01}, "amount"),
        ({"amount": -0.01}, "amount"),
        ({"pan": -1.5}, "pan"),
        ({"low_hz": -1}, "low_hz"),
        ({"low_hz": 500, "high_hz": 500}, "high_hz"),
        ({"high_hz": 0}, "high_hz"),
        ({"confidence": 1.2}, "confidence"),
        ({"confidence": [0.5]}, "confidence"),
        ({"muted": 1}, "muted"),
        ({"muted": None}, "muted"),
    ],
)
def test_a_bad_value_names_event_and_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InputError, match=rf"^event 'dog-1': {field}\b") as caught:
        replace(EVENT, **changes)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"start_s": 0, "amount": 0, "pan": -1, "level_db": -60},
        {"amount": 1, "pan": 1, "level_db": 60, "gain_db": -120, "by_db": 120, "confidence": 1},
        {"low_hz": 0, "high_hz": 0.5, "confidence": 0},
        {"high_hz": 100.0},
        {"label": "x" * 200},
        {"label": "犬の鳴き声 🐕"},
    ],
)
def test_limits_themselves_are_allowed(changes: dict[str, object]) -> None:
    event = replace(EVENT, **changes)  # type: ignore[arg-type]
    assert all(getattr(event, name) == value for name, value in changes.items())


def test_rows_keep_the_order_of_their_first_event() -> None:
    a, b, c = (Event(id, Action.KEEP, "x", 0, 1, row) for id, row in (("1", "z"), ("2", "a"), ("3", "z")))
    assert list(EventRoll((a, b, c)).rows().items()) == [("z", (a, c)), ("a", (b,))]


def test_ids_are_unique() -> None:
    with pytest.raises(InputError, match="'dog-1'"):
        EventRoll.from_events([EVENT, replace(EVENT, label="Cat")])


def test_events_are_found_replaced_appended_and_left_out() -> None:
    other = replace(EVENT, id="cat")
    roll = EventRoll((EVENT,)).with_event(other)
    assert roll.events == (EVENT, other)
    louder = replace(EVENT, gain_db=6)
    assert roll.with_event(louder).events == (louder, other)
    assert roll.event("dog-1") is EVENT
    assert roll.without("dog-1").events == (other,)
    for call in (roll.event, roll.without):
        with pytest.raises(InputError, match="'nobody'"):
            call("nobody")
