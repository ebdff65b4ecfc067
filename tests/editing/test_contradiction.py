"""Rows that contradict each other: the one rule, and the pairs that a roll has of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recomposer_studio.editing.contradiction import Contradiction, contradictions, contradicts
from recomposer_studio.roll.event import Action
from tests.editing.scenes import event


@pytest.mark.parametrize("action", ["delete", "enhance"])
@pytest.mark.parametrize("label", ["Bark", " bark", "dog bark", "barking"])
def test_one_class_in_one_place_contradicts_in_whatever_words(action: str, label: str) -> None:
    assert contradicts(event("a", action, 1.0, 1.6, label), event("k", "keep", 1.1, 1.5, "Bark"))


def test_unknown_words_are_compared_as_they_stand() -> None:
    edit = event("a", "delete", 1.0, 1.6, "Qwxzv")
    assert contradicts(edit, event("k", "keep", 1.0, 1.6, " qwxzv"))
    assert not contradicts(edit, event("k", "keep", 1.0, 1.6, "vzxwq"))


@pytest.mark.parametrize(
    ("edit", "keep"),
    [
        (event("a", "delete", 1.0, 1.6, "Bark"), event("k", "keep", 1.0, 1.6, "Siren")),
        (event("a", "insert", 1.0, 1.6, "Bark"), event("k", "keep", 1.0, 1.6, "Bark")),
        (event("a", "keep", 1.0, 1.6, "Bark"), event("k", "keep", 1.0, 1.6, "Bark")),
        (event("a", "delete", 1.0, 1.6, "Bark"), event("k", "delete", 1.0, 1.6, "Bark")),
        # Less than half of the shorter one.
        (event("a", "delete", 1.0, 1.6, "Bark"), event("k", "keep", 1.45, 1.9, "Bark")),
        # A sound above and one below.
        (
            event("a", "delete", 1.0, 1.6, "Bark", high_hz=1_000.0),
            event("k", "keep", 1.0, 1.6, "Bark", low_hz=1_000.0),
        ),
    ],
)
def test_what_can_stand_side_by_side_does_not_contradict(edit, keep) -> None:
    assert not contradicts(edit, keep) and contradictions([edit, keep]) == ()


def test_half_of_the_shorter_one_is_enough() -> None:
    long, short = event("a", "delete", 0.0, 8.0, "Bark"), event("k", "keep", 7.5, 8.5, "Bark")
    assert contradictions([short, long]) == (Contradiction(long, short),)


_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(list(Action)),
        st.sampled_from(["Bark", "dog bark", "Siren"]),
        st.integers(0, 12),
        st.integers(1, 8),
    ),
    max_size=12,
)


@given(_EVENTS)
def test_a_roll_has_exactly_the_pairs_that_contradict(values) -> None:
    events = [
        event(f"e{number}", action, start / 2, (start + length) / 2, label)
        for number, (action, label, start, length) in enumerate(values)
    ]
    wanted = {(edit.id, keep.id) for edit in events for keep in events if contradicts(edit, keep)}
    found = contradictions(events)
    assert {(pair.edit.id, pair.keep.id) for pair in found} == wanted and len(found) == len(wanted)
    assert [pair.edit.start_s for pair in found] == sorted(pair.edit.start_s for pair in found)
