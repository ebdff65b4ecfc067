"""A box over a sound that a keep row names: the person learns it where the box is made, and one press resolves it."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from recomposer_studio.roll.event import Action
from recomposer_studio.studio.verbs import Area
from recomposer_studio.studio.views.messages import Offer
from tests.editing.scenes import event, roll

KEY = Qt.Key
KEPT = roll(event("k1", "keep", 1.0, 1.5, "Bark"), event("k2", "keep", 2.5, 2.9, "Beep, bleep"))


@pytest.fixture
def kept(opened):
    """A window with accepted suggestions: two keep rows, none selected; its panels are as high as they are on a screen."""
    opened.resize(1500, 1000)
    opened.document.change_roll("accepted", KEPT)
    opened.timeline.spectrogram.setFocus()
    QApplication.processEvents()
    return opened


def drawn(window, label: str = "dog bark") -> None:
    """Draws a box to delete over the first keep row, and types its class."""
    window.editing.last_label = "Siren"
    window.editing.new(Area(0.98, 1.52))
    field = window.inspector.class_field
    field.setText(label)
    field.setModified(True)
    QTest.keyClick(field, KEY.Key_Return)
    QApplication.processEvents()


def rows(window) -> list[tuple[str, str]]:
    return [(event.action.value, event.label) for event in window.document.roll.events]


def notice(window):
    return window.inspector.contradiction


def settled(qtbot, window) -> None:
    qtbot.waitUntil(lambda: not window.generating.running, timeout=30_000)


def test_the_panel_says_it_as_soon_as_the_class_is_set(kept):
    drawn(kept, "siren")
    assert notice(kept).text == ""
    kept.document.undo_stack.undo()
    drawn(kept)
    assert notice(kept).in_sight and kept.messages.text == ""
    words = "The keep row Bark (1.00 s) protects what the row dog bark (0.98 s) deletes: hardly any of it will go."
    assert notice(kept).text == words
    kept.document.select(())
    assert notice(kept).text == ""
    # From the other side it is the same contradiction.
    kept.document.select(("k1",))
    assert notice(kept).text == words


def test_one_press_removes_the_keep_row_in_one_step(kept):
    drawn(kept)
    steps = kept.document.undo_stack.count()
    QTest.mouseClick(notice(kept).remove, Qt.MouseButton.LeftButton)
    assert rows(kept) == [("keep", "Beep, bleep"), ("delete", "dog bark")]
    assert notice(kept).text == "" and len(kept.document.selected) == 1
    assert kept.document.undo_stack.count() == steps + 1
    assert kept.document.undo_stack.undoText() == "Remove the keep row"
    kept.document.undo_stack.undo()
    assert rows(kept)[0] == ("keep", "Bark") and notice(kept).text != ""


def test_another_sound_is_not_spoken_of_again(qtbot, kept):
    drawn(kept)
    steps = kept.document.undo_stack.count()
    QTest.mouseClick(notice(kept).another, Qt.MouseButton.LeftButton)
    assert notice(kept).text == "" and kept.document.undo_stack.count() == steps
    kept.document.select(("k1",))
    assert notice(kept).text == ""
    kept.actions_["generate"].trigger()
    assert kept.generating.running and kept.messages.text == ""
    settled(qtbot, kept)
    assert kept.messages.text == ""


def test_what_is_put_aside_goes_with_its_rows(kept):
    drawn(kept)
    notice(kept).another.click()
    kept.editing.remove()
    drawn(kept)
    # The id may be the same; the box is not.
    assert notice(kept).text != ""


def test_generate_says_it_and_offers_to_make_it_again(qtbot, kept):
    drawn(kept)
    kept.document.select(())
    kept.actions_["generate"].trigger()
    assert "protects what the row dog bark" in kept.messages.text
    assert [button.text() for button in kept.messages.buttons] == [
        "Remove the keep row and generate again",
        "It is another sound",
    ]
    settled(qtbot, kept)
    assert "protects what the row dog bark" in kept.messages.text
    kept.messages.buttons[0].click()
    settled(qtbot, kept)
    assert rows(kept) == [("keep", "Beep, bleep"), ("delete", "dog bark")]
    first, second = (entry.take.layers[0] for entry in kept.document.takes)
    assert "a keep row at 1.00 s keeps Bark" in first.note and second.note == ""
    assert abs(second.removed).sum() > 2 * abs(first.removed).sum()
    assert kept.messages.text == ""


def test_the_note_stands_with_the_take(qtbot, kept):
    drawn(kept)
    kept.actions_["generate"].trigger()
    settled(qtbot, kept)
    (layer,) = kept.document.current_take.take.layers
    note = kept.takes.mix.line(layer.event.id).note
    # The line is new, and Qt shows it at its next look.
    qtbot.waitUntil(note.isVisible)
    assert note.text().startswith("A keep row at 1.00 s keeps Bark in the same place")
    assert "a keep row at 1.00 s" in kept.takes.list.line(1).more
    notice(kept).remove.click()
    kept.actions_["generate"].trigger()
    settled(qtbot, kept)
    assert kept.takes.mix.line(layer.event.id).note.isHidden()


def test_behind_another_panel_the_message_bar_says_it(qtbot, kept):
    kept.docks[-1].raise_()
    QApplication.processEvents()
    kept.document.change_roll("copy", kept.document.roll.with_event(event("e", "keep", 1.0, 1.5, "barking")))
    kept.document.select(("e",))
    kept.timeline.spectrogram.setFocus()
    qtbot.keyClick(kept.timeline.spectrogram, "x")
    qtbot.waitUntil(lambda: kept.messages.text != "")
    assert "what the row barking (1.00 s) deletes" in kept.messages.text
    # A row that is named anew is named so there too.
    kept.inspector.class_field.setText("dog bark")
    kept.inspector.class_field.setModified(True)
    QTest.keyClick(kept.inspector.class_field, KEY.Key_Return)
    assert "what the row dog bark (1.00 s) deletes" in kept.messages.text
    steps = kept.document.undo_stack.count()
    kept.messages.buttons[0].click()
    assert ("keep", "Bark") not in rows(kept) and kept.document.undo_stack.count() == steps + 1


def test_what_no_longer_holds_is_taken_back(qtbot, kept):
    drawn(kept)
    kept.actions_["generate"].trigger()
    assert kept.messages.text != ""
    kept.document.select(("k1",))
    kept.editing.remove()
    assert "protects" not in kept.messages.text
    settled(qtbot, kept)


def test_several_are_told_and_resolved_together(kept):
    drawn(kept)
    kept.document.change_roll(
        "more", kept.document.roll.with_event(event("e", "enhance", 2.5, 2.9, "beep", row="more"))
    )
    kept.editing.select_all()
    assert notice(kept).text == "2 keep rows protect what 2 rows delete or enhance: hardly any of it will change."
    assert notice(kept).remove.text() == "Remove 2 keep rows"
    notice(kept).remove.click()
    assert rows(kept) == [("delete", "dog bark"), ("enhance", "beep")]


def test_an_accepted_row_becomes_a_deletion_in_one_press(qtbot, kept):
    kept.document.change_roll("sure", kept.document.roll.with_event(replace(KEPT.event("k1"), confidence=0.65)))
    kept.document.select(("k1",))
    steps = kept.document.undo_stack.count()
    kept.inspector._buttons[Action.DELETE].click()
    assert rows(kept) == [("delete", "Bark"), ("keep", "Beep, bleep")]
    assert kept.document.undo_stack.count() == steps + 1 and notice(kept).text == ""
    kept.actions_["generate"].trigger()
    settled(qtbot, kept)
    (layer,) = kept.document.current_take.take.layers
    assert layer.note == "" and kept.messages.text == ""


def test_a_bar_with_new_buttons_is_high_enough_for_its_sentence(kept):
    messages = kept.messages
    kept.resize(900, 700)
    messages.tell("Short.", [Offer("Yes", lambda: None)])
    messages.tell(
        "A sentence of some words that needs two lines beside these buttons. " * 2, [Offer("B" * 40, lambda: None)]
    )
    height = messages.height()
    QApplication.processEvents()
    assert height == messages.heightForWidth(messages.width()) == messages.height()
