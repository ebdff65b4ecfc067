"""Values to JSON and back: every declared type has a form, and nothing else passes."""

import dataclasses
import types
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from recomposer_studio.audio.source import Source
from recomposer_studio.project.state import State
from recomposer_studio.project.store.contents import Project
from recomposer_studio.project.store.values import Damage, decode, decode_fields, encode_fields
from recomposer_studio.roll.event import Action, Event, Exemplar


def declared(kind: type, seen: set[type]) -> list[Any]:
    """All types that the fields of a dataclass are declared with, down to the plain ones."""
    found = []
    waiting = list(get_type_hints(kind).values())
    while waiting:
        hint = waiting.pop()
        if get_origin(hint) in (np.ndarray, Literal):
            continue
        if get_args(hint):
            assert get_origin(hint) in (tuple, frozenset, dict, types.UnionType), hint
            waiting += [each for each in get_args(hint) if each not in (..., types.NoneType)]
        elif dataclasses.is_dataclass(hint):
            if hint not in seen:
                seen.add(hint)
                found += declared(hint, seen)
        else:
            found.append(hint)
    return found


@pytest.mark.parametrize("kind", [State, Project])
def test_every_field_of_a_project_can_be_saved(kind):
    """Fails when a field is added whose type `values` does not know."""
    hints = declared(kind, set())
    assert len(hints) > 10
    for hint in hints:
        known = hint in (int, float, str, bool, datetime, Source) or issubclass(hint, StrEnum)
        assert known, f"store/values.py cannot save {hint}"


@dataclasses.dataclass(frozen=True)
class Older:
    name: str


@dataclasses.dataclass(frozen=True)
class Newer:
    name: str
    mood: dict[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)
    kind: Literal["a", "b"] = "a"
    on: bool = False
    weight: float = 0.0


class Nowhere:
    """Neither keeps nor finds."""

    source: Source


def test_a_field_that_is_added_with_a_default_needs_no_migration():
    stored = encode_fields(Older("x"), Nowhere())
    assert decode_fields(stored, Newer, Nowhere()) == Newer("x")
    assert encode_fields(Newer("x"), Nowhere()) == stored


def test_an_event_keeps_its_exemplar_and_older_ones_have_none():
    event = Event("a", Action.INSERT, "Bark", 0.1, 0.2, "a", exemplar=Exemplar(1.0, 1.5, "sounds/bark.wav", "0f" * 32))
    stored = encode_fields(event, Nowhere())
    assert decode_fields(stored, Event, Nowhere()) == event
    del stored["exemplar"]
    assert decode_fields(stored, Event, Nowhere()) == dataclasses.replace(event, exemplar=None)
    with pytest.raises(Damage, match="must be later"):
        decode_fields(stored | {"exemplar": {"start_s": 1.0, "end_s": 1.0}}, Event, Nowhere())


def test_defaults_of_another_type_are_kept():
    value = Newer("x", {"p": (1, 2)}, "b", True, float("inf"))
    stored = encode_fields(value, Nowhere())
    assert stored == {"name": "x", "mood": {"p": [1, 2]}, "kind": "b", "on": True, "weight": "inf"}
    assert decode_fields(stored, Newer, Nowhere()) == value


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        ({}, "lacks name"),
        ({"name": "x", "more": 1}, "no 'more'"),
        ({"name": 3}, "where a str belongs"),
        ({"name": "x" * 200_000}, "too long"),
        ({"name": "x", "mood": {"p": [True]}}, "whole number"),
        ({"name": "x", "mood": []}, "where a dict belongs"),
        ({"name": "x", "kind": "c"}, "none of a, b"),
        ({"name": "x", "on": 1}, "where a bool belongs"),
        ({"name": "x", "weight": True}, "where a number belongs"),
        ({"name": "x", "weight": "heavy"}, "where a number belongs"),
        (["x"], "where Newer belongs"),
    ],
)
def test_other_values_are_refused(stored, words):
    with pytest.raises(Damage, match=words):
        decode_fields(stored, Newer, Nowhere())


def test_fixed_tuples_have_their_length():
    assert decode([1, 2.5], tuple[int, float], Nowhere()) == (1, 2.5)
    with pytest.raises(Damage, match="list of 1"):
        decode([1], tuple[int, float], Nowhere())
