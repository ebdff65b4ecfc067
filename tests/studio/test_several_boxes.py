"""The fields of several boxes at once."""

import pytest
from PySide6.QtCore import Qt

from recomposer_studio.roll.event import Action
from tests.editing.scenes import event, roll
from tests.studio.hands import drag


@pytest.fixture
def fields(opened):
    opened.document.change_roll(
        "roll",
        roll(
            event("a", "enhance", 1.0, 1.5, "Bell", level_db=6.0),
            event("b", "enhance", 2.0, 2.5, "Dog", by_db=3.0),
            event("c", "insert", 3.0, 3.5, "Dog", level_db=6.0),
        ),
    )
    opened.document.select(("a", "b", "c"))
    return opened.inspector


def test_what_differs_is_shown_as_such(fields):
    document = fields.document
    assert "3 boxes" in fields._several.text() and fields._several.isVisibleTo(fields)
    assert not any(button.isChecked() for button in fields._buttons.values())
    assert fields.class_field.text() == "" and fields.class_field.placeholderText() == "different classes"
    assert "Bell, Dog" in fields._taken.text()
    assert fields._spins["start_s"].text() == "differ"
    assert fields._spins["low_hz"].text() == "0 Hz"
    assert fields._by.checkState() is Qt.CheckState.PartiallyChecked
    document.select(("b", "c"))
    assert fields.class_field.text() == "Dog"
    document.select(("b",))
    assert not fields._several.isVisibleTo(fields)
    assert fields._spins["start_s"].text() == "2.000 s"
    assert fields._buttons[Action.ENHANCE].isChecked()


def test_a_number_counts_for_all_also_the_one_that_was_hidden(qtbot, fields):
    spin = fields._spins["end_s"]
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, "3.5")
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    assert {e.end_s for e in fields.document.roll.events} == {3.5}
    assert spin.text() == "3.500 s"
    fields.document.undo_stack.undo()
    assert spin.text() == "differ"
    # Looking at the field changes nothing.
    count = fields.document.undo_stack.count()
    spin.setFocus()
    qtbot.keyClick(spin, Qt.Key.Key_Return)
    fields.class_field.setFocus()
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClick(spin, Qt.Key.Key_Backspace)
    fields.class_field.setFocus()
    assert fields.document.undo_stack.index() == count - 1
    assert spin.text() == "differ"


def test_an_arrow_starts_from_the_box_in_focus(fields):
    fields.document.select(("b", "c", "a"))
    fields._spins["start_s"].stepBy(-5)
    assert [e.start_s for e in fields.document.roll.events] == pytest.approx([0.95] * 3)


def test_class_action_and_level_reach_every_box_in_one_step(qtbot, fields):
    document = fields.document
    count = document.undo_stack.count()
    fields._level.setValue(9.0)
    a, b, c = document.roll.events
    assert (a.level_db, b.by_db, c.level_db) == (9.0, 9.0, 9.0)
    assert (a.by_db, c.by_db) == (None, None)
    assert document.undo_stack.count() == count + 1
    fields.class_field.setFocus()
    qtbot.keyClicks(fields.class_field, "siren")
    fields.class_field.completer().popup().hide()
    qtbot.keyClick(fields.class_field, Qt.Key.Key_Return)
    assert {e.label for e in document.roll.events} == {"siren"}
    fields.set_action(Action.KEEP)
    assert {e.action for e in document.roll.events} == {Action.KEEP}
    assert not fields._level_row.isEnabled()


def test_the_kind_of_level_is_set_for_all_that_have_one(fields):
    fields._by.click()
    a, b, c = fields.document.roll.events
    assert a.by_db is not None and b.by_db is not None and c.by_db is None
    fields._by.click()
    assert [e.by_db for e in fields.document.roll.events] == [None, None, None]


def test_several_boxes_are_resized_with_one_handle(opened, fields):
    lanes, document = opened.timeline.lanes, opened.document
    box = lanes.box(document.roll.event("b"))
    before = document.roll
    drag(lanes, (box.right(), box.center().y()), (box.right() + 60, box.center().y()), Qt.KeyboardModifier.AltModifier)
    grown = [now.end_s - was.end_s for was, now in zip(before.events, document.roll.events, strict=True)]
    assert grown[0] > 0 and grown == pytest.approx([grown[0]] * 3)
