"""A box over a sound that a keep row names: the person learns it where the box is made, and one press resolves it."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from recomposer_studio.roll.event import Action
from recomposer_studio.studio.contradictions_told import _SETTLED_MS
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
    # What came of it is said all the same.
    kept.document.change_roll("exactly", roll(*KEPT.events, event("d", "delete", 1.0, 1.5, "Bark")))
    kept.contradictions.put_aside(kept.contradictions.pairs)
    kept.actions_["generate"].trigger()
    settled(qtbot, kept)
    assert kept.messages.text == "No Bark was found in the box; nothing was changed."


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
    qtbot.waitUntil(lambda: "what the row dog bark (1.00 s) deletes" in kept.messages.text)
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


DELETES = event("d1", "delete", 0.98, 1.52, "Bark"), event("d2", "delete", 2.5, 2.9, "Beep, bleep")


def add(window, *events) -> None:
    """Puts rows into the roll, in the place of those with their ids."""
    new = window.document.roll
    for one in events:
        new = new.with_event(one)
    window.document.change_roll("rows", new)


def settle(window) -> None:
    """Nothing happens for a while."""
    QTest.qWait(3 * _SETTLED_MS)


def hidden(window) -> None:
    """Another panel lies over the Event panel."""
    window.docks[-1].raise_()
    QApplication.processEvents()


def sentences(window, monkeypatch) -> list[str]:
    """All that the message bar shows from now on."""
    said, show = [], window.messages._show
    monkeypatch.setattr(
        window.messages, "_show", lambda sentence, *more: said.append(sentence) or show(sentence, *more)
    )
    return said


def test_what_else_there_is_to_say_of_a_render_does_not_hide_it(qtbot, kept):
    add(kept, DELETES[0], event("e", "enhance", 3.2, 3.6, "Siren", by_db=60.0), event("i", "insert", 3.2, 3.6, "Gong"))
    kept.actions_["generate"].trigger()
    settled(qtbot, kept)
    assert "protects what the row Bark" in kept.messages.text and len(kept.messages.buttons) == 2
    shown = []
    while kept.messages.text:
        kept.messages.dismiss()
        shown.append(kept.messages.text)
    assert any("Gong" in text for text in shown) and any("instead of" in text for text in shown)


def test_a_render_that_generate_did_not_order_tells_its_notes(qtbot, kept):
    add(kept, DELETES[0])
    kept.actions_["generate"].trigger()
    kept.messages.dismiss()
    settled(qtbot, kept)
    assert kept.messages.text == ""
    kept.actions_["rerun"].trigger()
    settled(qtbot, kept)
    assert kept.messages.text.startswith("A keep row at 1.00 s keeps Bark in the same place")
    kept.messages.dismiss()
    # But not what was put aside.
    kept.contradictions.put_aside(kept.contradictions.pairs)
    kept.actions_["rerun"].trigger()
    settled(qtbot, kept)
    assert kept.messages.text == ""


def test_another_note_of_the_row_is_told(qtbot, kept):
    add(kept, event("e", "enhance", 2.5, 2.9, "Beep, bleep", by_db=60.0))
    kept.actions_["generate"].trigger()
    settled(qtbot, kept)
    kept.messages.dismiss()
    assert kept.messages.text and "keep row" not in kept.messages.text
    assert f"{kept.messages.text} A keep row at 2.50 s" in kept.takes.mix.line("e").note.text()


def test_the_mix_does_not_go_on_advising_against_what_is_another_sound(qtbot, kept):
    add(kept, DELETES[0])
    kept.actions_["generate"].trigger()
    settled(qtbot, kept)
    kept.messages.buttons[1].click()
    assert kept.takes.mix.line("d1").note.isHidden()
    assert "keep row" not in kept.takes.list.line(1).more + kept.takes.mix.line("d1").name.toolTip()


def test_a_second_message_takes_the_place_of_the_first(kept):
    hidden(kept)
    add(kept, *DELETES)
    kept.messages.fail("Something else went wrong.")
    for row in ("d1", "d2"):
        kept.document.select((row,))
        settle(kept)
    kept.document.select(())
    kept.document.change_roll("none", roll())
    kept.messages.dismiss()
    assert kept.messages.text == ""


def test_another_roll_with_the_same_ids_is_not_put_aside(kept):
    add(kept, DELETES[0])
    kept.contradictions.put_aside(kept.contradictions.pairs)
    kept.document.change_roll("moved", kept.document.roll.with_event(replace(DELETES[0], start_s=1.1, label="barking")))
    assert kept.contradictions.pairs == ()
    kept.document.change_roll(
        "other", roll(event("k1", "keep", 3.0, 3.5, "Siren"), event("d1", "delete", 3.0, 3.5, "Siren"))
    )
    assert len(kept.contradictions.pairs) == 1


def test_what_waits_behind_an_error_goes_with_its_row(kept):
    hidden(kept)
    add(kept, DELETES[0])
    kept.messages.fail("Something else went wrong.")
    kept.document.select(("d1",))
    settle(kept)
    add(kept, replace(DELETES[0], start_s=1.01))
    settle(kept)
    assert kept.messages.text == "Something else went wrong."
    kept.messages.dismiss()
    assert "what the row Bark (1.01 s) deletes" in kept.messages.text


@pytest.mark.parametrize("behind", [False, True])
def test_what_still_holds_is_told_further(qtbot, kept, behind):
    add(kept, *DELETES)
    kept.document.select(())
    kept.actions_["generate"].trigger()
    assert kept.messages.text.startswith("2 keep rows protect what 2 rows")
    if behind:
        kept.messages.fail("Something else went wrong.")
    kept.document.change_roll("one", kept.document.roll.without("k1"))
    if behind:
        kept.messages.dismiss()
    assert "what the row Beep, bleep (2.50 s) deletes" in kept.messages.text
    assert kept.messages.buttons[0].text() == "Remove the keep row and generate again"
    settled(qtbot, kept)


def test_nothing_is_said_at_every_step_of_a_drag(kept, monkeypatch):
    hidden(kept)
    add(kept, DELETES[0])
    kept.document.select(("d1",))
    settle(kept)
    said = sentences(kept, monkeypatch)
    for step in range(1, 6):
        add(kept, replace(DELETES[0], start_s=0.98 + step / 100))
    assert said == []
    settle(kept)
    assert len(said) == 1 and "(1.03 s)" in kept.messages.text


def test_a_read_only_project_is_not_rendered_as_it_was(qtbot, kept):
    add(kept, DELETES[0])
    kept.actions_["generate"].trigger()
    settled(qtbot, kept)
    kept.document.read_only = True
    kept.messages.buttons[0].click()
    assert "read-only" in kept.messages.text and not kept.generating.running
    kept.document.read_only = False


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
