"""Rows that contradict each other: the one rule, and the pairs that a roll has of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recomposer_studio.editing import contradiction
from recomposer_studio.editing.contradiction import (
    Contradiction,
    contradictions,
    contradicts,
    with_advice,
    without_advice,
)
from recomposer_studio.roll.event import Action
from tests.editing.scenes import event


@pytest.mark.parametrize("action", ["delete", "enhance"])
@pytest.mark.parametrize("label", ["Bark", " bark", "dog bark", "barking"])
def test_one_class_in_one_place_contradicts_in_whatever_words(action: str, label: str) -> None:
    assert contradicts(event("a", action, 1.0, 1.6, label), event("k", "keep", 1.1, 1.5, "Bark"))


def test_a_muted_keep_row_contradicts_nothing() -> None:
    rows = event("a", "delete", 1.0, 1.6, "Bark"), event("k", "keep", 1.0, 1.6, "Bark", muted=True)
    assert not contradicts(*rows) and contradictions(rows) == ()


def test_unknown_words_are_compared_as_they_stand() -> None:
    edit = event("a", "delete", 1.0, 1.6, "Qwxzv")
    assert contradicts(edit, event("k", "keep", 1.0, 1.6, " qwxzv"))
    assert not contradicts(edit, event("k", "keep", 1.0, 1.6, "vzxwq"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Two names of Speech, and two of an engine, of which each says what the other does not.
        ("male voice", "female voice"),
        ("tractor", "bulldozer"),
        # Near in meaning to a class, but no names of it.
        ("man speaking", "woman speaking"),
        ("left guitar", "right guitar"),
        ("unknown", "silence"),
        ("left guitar", "Guitar"),
    ],
)
def test_words_that_are_only_near_are_two_sounds(one: str, other: str) -> None:
    rows = event("a", "delete", 1.0, 1.6, one), event("k", "keep", 1.0, 1.6, other)
    assert not contradicts(*rows) and contradictions(rows) == ()
    same = event("a", "delete", 1.0, 1.6, f" {other.upper()} ")
    assert contradicts(same, rows[1])


@pytest.mark.parametrize(
    ("one", "other"),
    [("Speech", "female voice"), ("male voice", "Speech"), ("barking", "dog bark"), ("Barkk", "Bark")],
)
def test_other_names_of_a_class_may_mean_one_sound(one: str, other: str) -> None:
    assert contradicts(event("a", "delete", 1.0, 1.6, one), event("k", "keep", 1.0, 1.6, other))


def test_advice_stands_after_what_happened() -> None:
    keep, other = event("k", "keep", 1.0, 1.6, "Bark"), event("o", "keep", 1.1, 1.6, "Bark")
    assert with_advice("it is quiet", keep).startswith("it is quiet. A keep row at 1.00 s keeps Bark")
    for note in ("", "it is quiet"):
        assert without_advice(with_advice(note, keep), keep) == note
        assert without_advice(with_advice(note, keep), other) == with_advice(note, keep)


def test_rows_of_one_kind_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    inner = contradiction._in_one_place
    monkeypatch.setattr(
        contradiction, "_in_one_place", lambda edit, keep: compared.append((edit, keep)) or inner(edit, keep)
    )
    rows = [event(f"k{number}", "keep", number / 10, number / 10 + 10.0, "Bark") for number in range(200)]
    rows += [event(f"a{number}", "delete", 5.0, 6.0, "Siren") for number in range(200)]
    rows += [event("one", "delete", 40.0, 41.0, "Bark")]
    assert contradictions(rows) == ()
    assert compared == []


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
        st.sampled_from(["Bark", "dog bark", "puppy barking", "Siren"]),
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
