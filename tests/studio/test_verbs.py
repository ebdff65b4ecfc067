import pytest
from hypothesis import given
from hypothesis import strategies as st

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, EventRoll
from recomposer_studio.studio import verbs
from recomposer_studio.studio.scale import FrequencyScale, ScaleKind
from recomposer_studio.studio.verbs import Area
from tests.editing.scenes import event, roll

SCALE = FrequencyScale(ScaleKind.MEL, 8_000.0)


@given(st.floats(-20, 20), st.floats(-2, 2))
def test_moved_boxes_stay_inside_and_keep_their_length(by_s, by_share):
    before = roll(event("a", "delete", 1.0, 2.5, low_hz=200.0, high_hz=900.0), event("b", "keep", 4.0, 5.0))
    after = verbs.move(before, ("a", "b"), by_s, by_share, SCALE, 10.0)
    for was, now in zip(before.events, after.events, strict=True):
        assert now.end_s - now.start_s == pytest.approx(was.end_s - was.start_s)
        assert now.start_s >= 0 and now.end_s <= 10.0 + 1e-9
    first = after.event("a")
    assert 0 <= first.low_hz < first.high_hz <= 8_000.0 + 1e-6
    assert after.event("b").low_hz is None
    # Both went equally far.
    assert after.event("b").start_s - first.start_s == pytest.approx(3.0)


def test_a_new_event_has_an_id_and_a_row_of_its_own():
    before = roll(event("e2", "delete", 0, 1, "Dog", row="Dog"))
    after, new = verbs.add(before, Area(1.0, 2.0, 100.0, 400.0), Action.ENHANCE, "Dog")
    assert new.id not in verbs.ids(before)
    assert (new.row, new.low_hz, new.high_hz, new.action) == ("Dog 2", 100.0, 400.0, Action.ENHANCE)
    _, same = verbs.add(after, Area(3.0, 4.0), Action.DELETE, "Dog", "Dog")
    assert same.row == "Dog"


def test_a_row_named_after_its_only_event_follows_the_label():
    before = roll(event("a", "delete", 0, 1, "Dog", row="Dog 2"), event("b", "delete", 2, 3, "Cat", row="my cats"))
    after = verbs.change(before, ("a", "b"), label="Bell")
    assert [e.row for e in after.events] == ["Bell", "my cats"]
    shared = roll(event("a", "delete", 0, 1, "Dog", row="Dog"), event("b", "delete", 2, 3, "Dog", row="Dog"))
    assert verbs.change(shared, ("a",), label="Bell").event("a").row == "Dog"


def test_a_gain_leaves_with_the_action_that_knows_it():
    before = roll(event("a", "enhance", 0, 1, by_db=6.0))
    assert verbs.change(before, ("a",), action=Action.DELETE).event("a").by_db is None


def test_a_value_that_does_not_fit_changes_nothing():
    before = roll(event("a", "delete", 1, 2))
    with pytest.raises(InputError, match="end_s"):
        verbs.change(before, ("a",), end_s=0.5)


def test_split_and_join_are_inverse():
    before = roll(event("a", "delete", 1.0, 3.0, low_hz=100.0, high_hz=500.0), event("b", "keep", 0, 1))
    cut, kept = verbs.split(before, ("a",), 1.75)
    assert sorted((e.start_s, e.end_s) for e in cut.events if e.id in kept) == [(1.0, 1.75), (1.75, 3.0)]
    joined, whole = verbs.join(cut, kept)
    assert (joined, whole) == (before, "a")
    untouched, same = verbs.split(before, ("a",), 0.5)
    assert (untouched, same) == (before, ("a",))


def test_copies_come_behind_and_stay_inside():
    before = roll(event("a", "delete", 1.0, 2.0, confidence=0.4), event("b", "keep", 8.5, 10.0))
    after, made = verbs.duplicate(before, ("a", "b"), 10.0)
    first, second = (after.event(event_id) for event_id in made)
    assert (first.start_s, first.end_s, first.row, first.confidence) == (2.0, 3.0, "a", None)
    assert second.end_s == 10.0
    assert verbs.delete(after, made) == before


def test_pasted_events_keep_their_distances():
    source = roll(event("a", "delete", 1.0, 2.0), event("b", "keep", 4.0, 5.0), event("c", "keep", 50.0, 51.0))
    after, made = verbs.paste(EventRoll(), source, 3.0, 20.0)
    assert [(e.start_s, e.end_s) for e in after.events] == [(3.0, 4.0), (6.0, 7.0)]
    assert len(made) == 2


@pytest.mark.parametrize("at_s", [2.3, 2.3 + 0.4 / 48_000])
def test_what_ends_with_the_recording_can_be_pasted_where_it_was(at_s):
    # Neither rounding nor a playhead that counts whole samples keeps it out.
    after, made = verbs.paste(EventRoll(), roll(event("a", "delete", 2.3, 3.1)), at_s, 3.1)
    assert len(made) == 1
    assert after.events[0].end_s <= 3.1 and after.events[0].start_s == pytest.approx(2.3, abs=1e-9)


@given(st.text("lrtb", max_size=4), st.floats(-20, 20), st.floats(-2, 2))
def test_resized_boxes_stay_boxes_inside_the_recording(sides, by_s, by_share):
    before = roll(event("a", "delete", 1.0, 2.5, low_hz=200.0, high_hz=900.0), event("b", "keep", 4.0, 5.0))
    after = verbs.resize(before, ("a", "b"), sides, by_s, by_share, SCALE, 10.0)
    for was, now in zip(before.events, after.events, strict=True):
        assert 0.0 <= now.start_s < now.end_s <= 10.0
        assert ("l" in sides) or now.start_s == was.start_s
        assert ("r" in sides) or now.end_s == was.end_s
        assert (now.low_hz or 0.0) < (now.high_hz or 8_000.0)
        assert ("t" in sides) or now.high_hz == was.high_hz
        assert ("b" in sides) or now.low_hz == was.low_hz


def test_a_limit_at_the_end_of_the_range_is_none_also_in_a_part_of_it():
    part = SCALE.zoomed(4, 0.5)
    before = roll(event("a", "delete", 1.0, 2.5, low_hz=1_000.0, high_hz=2_000.0))
    after = verbs.resize(before, ("a",), "tb", 0.0, 5.0, part, 10.0).events[0]
    assert after.high_hz is None and after.low_hz == pytest.approx(8_000.0 - verbs.LOWEST_HZ)
    after = verbs.resize(before, ("a",), "tb", 0.0, -5.0, part, 10.0).events[0]
    assert after.low_hz is None
    moved = verbs.move(before, ("a",), 0.0, 50.0, part, 10.0).events[0]
    assert moved.high_hz == pytest.approx(8_000.0)


ROWS = roll(
    event("a", "delete", 1, 2, row="one"),
    event("b", "delete", 3, 4, row="one"),
    event("c", "delete", 1, 2, row="two"),
    event("d", "delete", 1, 2, row="three"),
)


def rows(after: EventRoll) -> dict[str, list[str]]:
    return {row: [e.id for e in events] for row, events in after.rows().items()}


def test_boxes_go_to_other_rows_and_the_rows_keep_their_order():
    assert rows(verbs.to_lane(ROWS, ("b",), 2)) == {"one": ["a"], "two": ["c"], "three": ["b", "d"]}
    assert rows(verbs.to_lane(ROWS, ("d",), -1)) == {"one": ["a", "b"], "two": ["c", "d"]}
    assert rows(verbs.to_lane(ROWS, ("c", "d"), -9)) == {"one": ["a", "b", "c"], "two": ["d"]}
    assert list(rows(verbs.to_lane(ROWS, ("b",), 3))) == ["one", "two", "three", "Dog"]
    # A box that is alone in the last row has nowhere to go.
    assert verbs.to_lane(ROWS, ("d",), 1) == ROWS
    assert verbs.to_lane(ROWS, (), 1) == ROWS


@given(st.sampled_from(["one", "two", "three"]), st.integers(-1, 4))
def test_a_row_is_put_where_it_was_wanted(row, place):
    after = verbs.place_row(ROWS, row, place)
    assert list(after.rows()).index(row) == min(max(place, 0), 2)
    assert [r for r in after.rows() if r != row] == [r for r in ROWS.rows() if r != row]
    assert set(after.events) == set(ROWS.events)


def test_a_row_is_renamed_unless_the_name_is_taken():
    assert rows(verbs.rename_row(ROWS, "one", " uno ")) == {"uno": ["a", "b"], "two": ["c"], "three": ["d"]}
    assert verbs.rename_row(ROWS, "one", "one") == ROWS
    with pytest.raises(InputError, match="already a row two"):
        verbs.rename_row(ROWS, "one", "two")


def test_many_boxes_change_in_one_pass():
    many = EventRoll(tuple(event(f"e{k}", "delete", k, k + 1) for k in range(2_000)))
    chosen = tuple(e.id for e in many.events)
    assert {e.action for e in verbs.change(many, chosen, action=Action.KEEP).events} == {Action.KEEP}
    assert len(verbs.move(many, chosen, 0.5, 0.0, SCALE, 3_000.0).events) == 2_000
