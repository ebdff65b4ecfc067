from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recomposer_studio.editing.engine import Engine
from recomposer_studio.errors import InputError
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.project.state import TakeEntry
from recomposer_studio.roll.event import EventRoll
from recomposer_studio.roll.file import format_roll
from recomposer_studio.studio.document import Document
from recomposer_studio.studio.verbs import Area
from tests.editing.scenes import event, roll


@pytest.fixture
def document(qapp, recording):
    document = Document()
    document.open(recording)
    yield document
    document.close()
    document.undo_stack.clear()


def entry(document, number=1) -> TakeEntry:
    take = Engine().render(document.source, document.roll, Recipe(seed=number))
    return TakeEntry(number, f"Take {number}", take)


def test_every_change_is_undone_and_redone_exactly(document):
    states = [document.state]
    document.change_roll("one", roll(event("a", "delete", 1, 1.5)))
    states.append(document.state)
    document.change_roll("two", document.roll.with_event(event("b", "enhance", 2.5, 3, by_db=3.0)))
    states.append(document.state)
    document.put_take("take", entry(document))
    states.append(document.state)
    document.hear(1)
    document.mix("mix", "b", gain_db=-3.0)
    states.append(document.state)
    for state in reversed(states[:-1]):
        document.undo_stack.undo()
        assert document.state == state
    for state in states[1:]:
        document.undo_stack.redo()
        assert document.state == state
    assert [document.undo_stack.text(k) for k in range(document.undo_stack.count())] == ["one", "two", "take", "mix"]


@given(st.lists(st.floats(0.1, 0.9), min_size=2, max_size=6, unique=True))
def test_one_gesture_is_one_step(lengths):
    document = Document()
    for length in lengths:
        document.change_roll("drag", roll(event("a", "delete", 0, length)), "drag 1")
    document.change_roll("drag", roll(event("a", "delete", 0, 2.0)), "drag 2")
    assert document.undo_stack.count() == 2
    document.undo_stack.undo()
    assert document.roll.events[0].end_s == lengths[-1]
    document.undo_stack.undo()
    assert document.roll == EventRoll()


def test_a_change_to_the_same_state_is_no_step(document):
    document.change_roll("nothing", EventRoll())
    assert document.undo_stack.count() == 0


def test_the_selection_never_holds_what_is_gone(document):
    document.change_roll("two", roll(event("a", "delete", 1, 1.5), event("b", "keep", 2, 3)))
    document.select(("a", "b"))
    document.change_roll("less", roll(event("b", "keep", 2, 3)))
    assert document.selected == ("b",)
    document.undo_stack.undo()
    document.undo_stack.undo()
    assert document.selected == ()


def test_undoing_a_take_goes_back_to_the_original(document):
    document.change_roll("one", roll(event("a", "delete", 1, 1.5)))
    document.put_take("take", entry(document))
    document.hear(1)
    document.undo_stack.undo()
    assert (document.takes, document.heard, document.current_take) == ((), 0, None)


def test_removing_an_earlier_take_keeps_what_is_heard(document):
    document.change_roll("one", roll(event("a", "delete", 1, 1.5)))
    for number in (1, 2):
        document.put_take("take", entry(document, number))
    document.hear(2)
    second = document.current_take
    document.change("remove", replace(document.state, takes=document.takes[1:]))
    assert document.current_take == second
    assert document.heard == 1


def test_a_later_version_of_a_take_replaces_it_in_one_step(document):
    document.change_roll("one", roll(event("a", "delete", 1, 1.5)))
    preview = replace(entry(document), preview=True)
    document.put_take("take", preview)
    document.put_take("take", replace(preview, preview=False))
    assert len(document.takes) == 1
    assert not document.takes[0].preview
    assert document.undo_stack.count() == 2


def test_the_mix_reaches_the_take_and_the_roll(document):
    document.change_roll("one", roll(event("a", "delete", 1, 1.5)))
    document.put_take("take", entry(document))
    document.hear(1)
    document.mix("amount", "a", amount=0.25)
    assert document.takes[0].take.layer("a").event.amount == 0.25
    assert document.roll.event("a").amount == 0.25


@pytest.mark.parametrize("other", [event("a", "delete", 3, 3.5, "Siren"), event("a", "enhance", 3, 3.5, by_db=3.0)])
def test_the_mix_of_a_take_leaves_a_box_of_another_sound_alone(document, other):
    document.change_roll("one", roll(event("a", "delete", 1, 1.5)))
    document.put_take("take", entry(document))
    document.hear(1)
    document.change("another roll", replace(document.state, roll=roll(other)))
    document.mix("amount", "a", amount=0.25)
    assert document.takes[0].take.layer("a").event.amount == 0.25
    assert document.roll.event("a") == other


def test_the_difference_needs_a_take(document):
    document.hear(0, True)
    assert not document.difference
    document.hear(7)
    assert document.heard == 0


def test_a_roll_comes_back_from_its_file(document, tmp_path):
    made = roll(event("a", "delete", 1, 1.5, low_hz=100.0), event("b", "keep", 2, 3))
    document.change_roll("one", made)
    assert document.unsaved
    document.save_roll(tmp_path / "roll.json")
    assert not document.unsaved
    assert (tmp_path / "roll.json").read_text(encoding="utf-8") == format_roll(made)
    document.change_roll("none", EventRoll())
    document.load_roll(tmp_path / "roll.json", "open")
    assert document.roll == made
    document.undo_stack.undo()
    assert document.roll == EventRoll()


def test_each_side_of_an_opened_roll_has_its_own_file(document, tmp_path):
    first, other, copy = (tmp_path / f"{name}.json" for name in ("first", "other", "copy"))
    other.write_text(format_roll(roll(event("z", "keep", 0.1, 0.3))), encoding="utf-8")
    document.change_roll("one", roll(event("a", "delete", 1, 1.5)))
    document.save_roll(first)
    document.load_roll(other, "open")
    document.save_roll(copy)
    document.undo_stack.undo()
    assert (document.roll_file.path, document.unsaved) == (first, False)
    document.undo_stack.redo()
    assert (document.roll_file.path, document.unsaved) == (copy, False)


def test_a_roll_that_is_refused_leaves_the_file_that_counts(document, tmp_path):
    other = tmp_path / "other.json"
    other.write_text(format_roll(roll(event("z", "keep", 0.1, 0.3))), encoding="utf-8")
    document.read_only = True
    assert document.load_roll(other, "open") is None
    assert document.roll_file.path is None and document.roll == EventRoll()


def test_a_roll_that_is_too_long_is_refused(document, tmp_path):
    (tmp_path / "long.json").write_text(format_roll(roll(event("a", "delete", 1, 9))), encoding="utf-8")
    with pytest.raises(InputError, match="past the end"):
        document.load_roll(tmp_path / "long.json", "open")
    assert document.roll == EventRoll()


def test_a_file_that_cannot_be_opened_leaves_everything(document, tmp_path):
    document.mark(Area(1, 2))
    source = document.source
    with pytest.raises(InputError):
        document.open(tmp_path / "missing.wav")
    assert document.source is source
    assert document.area == Area(1, 2)
    assert source.read(0, 10).shape == (2, 10)
