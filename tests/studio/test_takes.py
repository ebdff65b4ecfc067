"""Takes as a person treats them: rated, locked, named, copied, varied, comped, and made again from their recipes."""

import json
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLineEdit

from recomposer_studio.project.origin import is_comp
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.studio.take_actions import _fresh_seeds
from recomposer_studio.studio.views.take_list import lock_rect, star_rect
from recomposer_studio.studio.views.text_dialog import TextDialog
from tests.editing.scenes import event
from tests.studio.remote import Remote, start
from tests.studio.rolls import ROLL


def settled(qtbot, window) -> None:
    qtbot.waitUntil(lambda: not window.generating.running and not window.variations.waiting, timeout=30_000)


@pytest.fixture
def taken(qtbot, rolled):
    """A window with a take by spectral repair."""
    rolled.generating.generate()
    settled(qtbot, rolled)
    return rolled


@pytest.fixture
def inserted(qtbot, rolled):
    """A window with a take by a model that also inserts a sound."""
    start(rolled, Remote())
    rolled.document.change_roll("more", rolled.document.roll.with_event(event("i", "insert", 3.2, 3.6, "Dog")))
    rolled.generating.generate()
    settled(qtbot, rolled)
    return rolled


@pytest.fixture
def previewed(qtbot, rolled):
    """A window that shows the preview of a take, and what lets its model begin."""
    loaded = threading.Event()
    start(rolled, Remote(), loaded)
    rolled.document.change_roll("more", rolled.document.roll.with_event(event("i", "insert", 3.2, 3.6, "Siren")))
    rolled.generating.generate()
    qtbot.waitUntil(lambda: len(rolled.document.takes) == 1, timeout=30_000)
    yield rolled, loaded
    loaded.set()


def click(qtbot, window, rect) -> None:
    qtbot.mouseClick(window.takes.list.viewport(), Qt.MouseButton.LeftButton, pos=rect.center())


def key(qtbot, window, key, modifier=Qt.KeyboardModifier.ControlModifier) -> None:
    qtbot.keyClick(window.timeline.spectrogram, key, modifier)


def samples(entry) -> np.ndarray:
    return entry.take.read(0, entry.take.source.frames)


def test_stars_are_given_by_clicks_and_keys_and_taken_back(qtbot, taken):
    document, lines = taken.document, taken.takes.list
    rect = lines.visualItemRect(lines.item(1))
    click(qtbot, taken, star_rect(rect, 2))
    assert document.takes[0].stars == 2
    assert "2 stars" in lines.item(1).data(Qt.ItemDataRole.AccessibleTextRole)
    click(qtbot, taken, star_rect(rect, 2))
    assert document.takes[0].stars == 0
    key(qtbot, taken, Qt.Key.Key_3)
    assert document.takes[0].stars == 3
    key(qtbot, taken, Qt.Key.Key_Z)
    assert document.takes[0].stars == 0
    # The original has none to click.
    click(qtbot, taken, star_rect(lines.visualItemRect(lines.item(0)), 2))
    assert document.heard == 0


def test_a_locked_take_stays_in_the_list_and_as_it_is(qtbot, taken):
    document, lines = taken.document, taken.takes.list
    click(qtbot, taken, lock_rect(lines.visualItemRect(lines.item(1))))
    assert document.takes[0].locked
    before = document.state
    for change in (
        taken.actions_["remove_take"].trigger,
        lambda: document.mix("mix", "a", amount=0.1),
        lambda: (document.select(("a",)), taken.actions_["mute"].trigger()),
    ):
        change()
        assert document.state is before
        assert taken.messages.text.startswith("Take 1 is locked")
        taken.messages.dismiss()
    line = taken.takes.mix.line("a")
    assert not (line.amount.isEnabled() or line.mute.isEnabled() or line.solo.isEnabled())
    assert line.removed.isEnabled() and line.more.isEnabled()
    # Words about it may change.
    lines.item(1).setText("the one")
    assert document.takes[0].name == "the one"
    key(qtbot, taken, Qt.Key.Key_L)
    assert not document.takes[0].locked
    assert line.amount.isEnabled()
    taken.actions_["remove_take"].trigger()
    assert document.takes == ()
    key(qtbot, taken, Qt.Key.Key_Z)
    assert [entry.name for entry in document.takes] == ["the one"]


def test_del_in_the_list_removes_the_take_and_not_the_boxes(qtbot, taken):
    document = taken.document
    document.select(("a", "b"))
    boxes = document.roll
    taken.takes.list.setFocus()
    qtbot.keyClick(taken.takes.list, Qt.Key.Key_Delete)
    assert document.takes == () and document.roll == boxes
    # Of the original there is nothing to remove.
    qtbot.keyClick(taken.takes.list, Qt.Key.Key_Delete)
    assert document.roll == boxes
    taken.timeline.spectrogram.setFocus()
    qtbot.keyClick(taken.timeline.spectrogram, Qt.Key.Key_Delete)
    assert [event.id for event in document.roll.events] == ["k"]


def test_a_copy_is_a_take_of_its_own(qtbot, taken):
    document = taken.document
    taken.actions_["lock"].trigger()
    taken.actions_["duplicate_take"].trigger()
    first, copy = document.takes
    assert (copy.name, copy.parent, copy.locked, document.heard) == ("Take 1, copy", first.id, False, 2)
    document.mix("mix", "a", amount=0.2)
    assert document.takes[0].take.layer("a").event.amount == 1.0
    assert document.takes[1].take.layer("a").event.amount == 0.2
    assert "from Take 1" in taken.takes.list.line(2).facts
    # From take to take, and over the original, the controls stay: making those of 200 rows takes a second.
    line = taken.takes.mix.line("a")
    for version, amount in ((1, 100), (0, 100), (2, 20)):
        document.hear(version)
        assert taken.takes.mix.line("a") is line
        assert line.amount.value() == amount
        assert line.amount.isVisible() == (version != 0)


def test_a_copy_that_is_refused_does_not_change_what_is_heard(qtbot, taken):
    document = taken.document
    taken.actions_["duplicate_take"].trigger()
    document.hear(1)
    document.read_only = True
    taken.takes.mix.comp_requested.emit("a", document.takes[1].id)
    assert "is read-only here" in taken.messages.text
    assert (len(document.takes), document.heard) == (2, 1)


def test_a_copy_of_a_preview_is_a_finished_take(qtbot, previewed):
    window, loaded = previewed
    takes = window.takes.list
    assert takes.line(1).facts.startswith("preview, spectral repair")
    window.actions_["duplicate_take"].trigger()
    copy = window.document.takes[1]
    assert takes.line(2).facts.startswith("spectral repair")
    assert not copy.preview and copy.left_out == ("Siren is not in it: the copy was made before",)
    loaded.set()
    settled(qtbot, window)
    assert [entry.left_out for entry in window.document.takes] == [(), copy.left_out]
    assert len(window.document.takes[0].take.layers) == 3 and window.document.takes[1] == copy


def test_undo_back_to_a_preview_promises_nothing(qtbot, previewed):
    window, loaded = previewed
    window.document.change_roll("edit", window.document.roll.without("k"))
    loaded.set()
    settled(qtbot, window)
    window.document.undo_stack.undo()
    assert len(window.document.takes[0].take.layers) == 2
    assert window.takes.list.line(1).facts.startswith("spectral repair")


@pytest.mark.parametrize("how", ["remove_take", "undo"])
def test_a_take_that_is_removed_while_it_is_rendered_stays_away(qtbot, previewed, how):
    window, loaded = previewed
    window.actions_[how].trigger()
    assert window.document.takes == () and not window.generating.running
    loaded.set()
    qtbot.waitUntil(lambda: not window.generating.leaving, timeout=30_000)
    assert window.document.takes == ()
    window.generating.generate()
    settled(qtbot, window)
    assert [entry.name for entry in window.document.takes] == ["Take 2"]


def test_variations_that_wait_come_although_one_before_was_removed(qtbot, previewed):
    window, loaded = previewed
    window.document.hear(0)
    window.actions_["variations"].trigger()
    window.document.hear(1)
    count = window.variations.waiting
    assert count == window.takes.count.value()
    window.actions_["remove_take"].trigger()
    loaded.set()
    settled(qtbot, window)
    assert [entry.id for entry in window.document.takes] == list(range(2, 2 + count))


def test_another_seed_waits_for_the_render(qtbot, previewed):
    window, loaded = previewed
    assert not window.actions_["rerun"].isEnabled() and not window.takes.rerun.isEnabled()
    loaded.set()
    settled(qtbot, window)
    assert window.actions_["rerun"].isEnabled() and window.takes.rerun.isEnabled()
    window.document.hear(0)
    assert not window.actions_["rerun"].isEnabled() and not window.takes.rerun.isEnabled()


def test_variations_come_one_after_the_other_with_seeds_of_their_own(qtbot, inserted):
    document = inserted.document
    inserted.takes.count.setValue(3)
    inserted.takes.variations.click()
    assert inserted.takes.waiting.text() == "2 to come"
    settled(qtbot, inserted)
    assert [entry.take.recipe.seed for entry in document.takes] == [0, 1, 2, 3]
    assert [entry.parent for entry in document.takes] == [None, 1, 1, 1]
    assert {entry.device for entry in document.takes} == {"cpu"}
    assert inserted.takes.waiting.text() == ""
    sounds = {entry.take.layer("i").placed.tobytes() for entry in document.takes}
    assert len(sounds) == 4


def test_after_the_last_seed_the_first_free_ones_come():
    takes = [SimpleNamespace(take=SimpleNamespace(layers=(), recipe=Recipe(seed=seed))) for seed in (0, 2**63 - 2)]
    window = SimpleNamespace(document=SimpleNamespace(takes=takes))
    assert _fresh_seeds(window, 3) == [2**63 - 1, 1, 2]


def test_variations_leave_what_is_heard(qtbot, inserted):
    inserted.takes.count.setValue(2)
    inserted.takes.variations.click()
    settled(qtbot, inserted)
    assert len(inserted.document.takes) == 3
    assert inserted.document.heard == 1
    assert inserted.messages.text == "Take 3 is in the list; Take 1 is still heard."
    inserted.document.hear(0)
    inserted.takes.variations.click()
    settled(qtbot, inserted)
    assert inserted.document.heard == 0
    assert inserted.messages.text == "Take 5 is in the list; the original is still heard."
    # A take of its own is heard.
    inserted.generating.generate()
    settled(qtbot, inserted)
    assert inserted.document.heard == 6


def test_escape_ends_all_variations(qtbot, inserted):
    inserted.takes.count.setValue(9)
    inserted.takes.variations.click()
    qtbot.waitUntil(lambda: len(inserted.document.takes) >= 2, timeout=20_000)
    qtbot.keyClick(inserted.timeline.spectrogram, Qt.Key.Key_Escape)
    assert not inserted.generating.running and not inserted.variations.waiting
    qtbot.waitUntil(lambda: not inserted.generating.leaving)
    assert len(inserted.document.takes) < 9


def test_without_an_inserted_sound_there_is_nothing_to_vary(qtbot, taken):
    taken.actions_["variations"].trigger()
    assert "inserted sounds alone" in taken.messages.text
    line = taken.takes.mix.line("a")
    line.fill_menu()
    assert "only inserted sounds" in line.menu.actions()[-1].text()
    assert len(taken.document.takes) == 1


def test_one_event_is_rolled_again_and_the_rest_stays(qtbot, inserted):
    document = inserted.document
    document.mix("mix", "a", amount=0.5)
    first = document.takes[0]
    line = inserted.takes.mix.line("i")
    line.fill_menu()
    next(action for action in line.menu.actions() if "3 seeds" in action.text()).trigger()
    settled(qtbot, inserted)
    rolled = document.takes[1:]
    assert [entry.take.layer("i").recipe.seed for entry in rolled] == [1, 2, 3]
    assert all(entry.take.layer("a") is first.take.layer("a") for entry in rolled)
    assert all(is_comp(entry.take) and entry.parent == first.id for entry in rolled)
    assert document.takes[0] is first
    assert "comp" in inserted.takes.list.line(2).facts
    assert document.heard == 1
    document.hear(4)
    assert "(seed 3)" in inserted.takes.mix.line("i").name.text()


def test_an_events_sound_of_another_take_makes_a_new_take(qtbot, inserted):
    document = inserted.document
    inserted.actions_["rerun"].trigger()
    settled(qtbot, inserted)
    first, second = document.takes
    document.hear(1)
    line = inserted.takes.mix.line("i")
    line.fill_menu()
    next(action for action in line.menu.actions() if action.text() == "Take 2").trigger()
    assert document.takes[:2] == (first, second)
    comp = document.takes[2]
    assert document.heard == 3 and comp.parent == first.id
    assert comp.take.layer("i").placed is second.take.layer("i").placed
    assert comp.take.layer("a") is first.take.layer("a")
    assert "(from Take 2)" in inserted.takes.mix.line("i").name.text()
    line = inserted.takes.mix.line("i")
    line.fill_menu()
    states = {action.text(): action.isEnabled() for action in line.menu.actions() if "Take" in action.text()}
    assert states["Take 1"] and not states["Take 2  \u2013  the same"]
    key(qtbot, inserted, Qt.Key.Key_Z)
    assert document.takes == (first, second)


def paste(window, text: str) -> None:
    QApplication.clipboard().setText(text)
    window.actions_["paste_recipe"].trigger()


def copied(window) -> str:
    window.actions_["recipe"].trigger()
    dialog = window.findChild(TextDialog)
    text = dialog.field.toPlainText()
    dialog.close()
    QApplication.processEvents()
    return text


def test_a_copied_recipe_makes_the_same_take_again(qtbot, inserted):
    document = inserted.document
    document.mix("mix", "b", gain_db=-4.0)
    inserted.takes.mix.line("b").solo.click()
    before = document.takes[0]
    assert before.take.solo == {"b"}
    text = copied(inserted)
    told = json.loads(text)
    assert (told["device"], told["model"], told["parent"]) == ("cpu", "known 00", "")
    paste(inserted, text)
    settled(qtbot, inserted)
    assert inserted.messages.text == ""
    assert np.array_equal(samples(document.takes[1]), samples(before))
    assert document.takes[1].take == before.take


def test_a_copied_recipe_of_a_comp_makes_the_same_comp_again(qtbot, inserted):
    document = inserted.document
    for _ in range(2):
        inserted.actions_["rerun"].trigger()
        settled(qtbot, inserted)
    document.hear(1)
    inserted.takes.mix.comp_requested.emit("i", document.takes[2].id)
    document.mix("mix", "i", pan=-0.5)
    before = document.takes[3]
    assert is_comp(before.take)
    paste(inserted, copied(inserted))
    settled(qtbot, inserted)
    assert len(document.takes) == 5
    again = document.takes[4]
    assert again.take.layer("i").recipe == before.take.layer("i").recipe
    assert np.array_equal(samples(again), samples(before))


def test_a_recipe_of_another_model_is_rendered_and_the_difference_told(qtbot, inserted):
    paste(inserted, copied(inserted).replace("known 00", "other 1234"))
    settled(qtbot, inserted)
    assert "made with other (1234), and this take with known (00)" in inserted.messages.text
    assert len(inserted.document.takes) == 2


@pytest.mark.parametrize("text", ["", "no recipe", "[]", '{"recipe": {}, "roll": {"format_version": 1, "events": 3}}'])
def test_other_text_is_refused_in_one_sentence(taken, text):
    before = taken.document.state
    QApplication.clipboard().setText("x")
    paste(taken, text) if text else taken.actions_["paste_recipe"].trigger()
    assert taken.messages.text
    assert "\n" not in taken.messages.text
    assert taken.document.state is before
    assert not taken.generating.running


def test_a_recipe_that_does_not_fit_the_recording_is_refused(taken):
    text = copied(taken).replace('"end_s": 2.9', '"end_s": 99.0')
    assert "99.0" in text
    paste(taken, text)
    assert "99" in taken.messages.text
    assert not taken.generating.running


@pytest.fixture
def coming(qtbot, taken):
    """A window with a take, while another one is rendered, and how to let it come."""
    go = threading.Event()
    start(taken, Remote(), go)
    taken.document.change_roll("more", taken.document.roll.with_event(event("i", "insert", 3.2, 3.6, "Dog")))
    finish = lambda: (go.set(), settled(qtbot, taken))  # noqa: E731
    yield taken, finish
    go.set()


def test_a_note_belongs_to_the_take_at_which_it_was_begun(qtbot, coming):
    window, finish = coming
    note, document = window.takes.note, window.document
    window.generating.generate()
    note.setFocus()
    qtbot.keyClicks(note, "bell")
    finish()
    assert document.heard == 2
    qtbot.keyClicks(note, " gone")
    qtbot.keyClick(note, Qt.Key.Key_Return)
    assert [entry.note for entry in document.takes] == ["bell gone", ""]
    # Now it is the note of the take that is heard.
    assert note.text() == "" and note.hasFocus()
    count = document.undo_stack.count()
    qtbot.keyClicks(note, "no bell")
    window.timeline.spectrogram.setFocus()
    assert [entry.note for entry in document.takes] == ["bell gone", "no bell"]
    assert document.undo_stack.count() == count + 1


def name_editor(window, row: int) -> QLineEdit:
    window.takes.list.setFocus()
    window.takes.list.editItem(window.takes.list.item(row))
    field = window.focusWidget()
    assert isinstance(field, QLineEdit)
    return field


def test_a_take_that_comes_leaves_a_name_that_is_being_typed(qtbot, coming):
    window, finish = coming
    lines, document = window.takes.list, window.document
    window.generating.generate()
    field = name_editor(window, 1)
    qtbot.keyClicks(field, "without")
    finish()
    assert document.heard == 2 and field.text() == "without"
    qtbot.keyClicks(field, " bell")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not lines.naming)
    assert [entry.name for entry in document.takes] == ["without bell", "Take 2"]
    assert [lines.item(row).text() for row in range(lines.count())] == ["Original", "without bell", "Take 2"]
    assert lines.currentRow() == document.heard == 2


def test_a_name_counts_when_another_version_is_clicked_and_not_after_escape(qtbot, taken):
    lines, document = taken.takes.list, taken.document
    taken.actions_["duplicate_take"].trigger()
    qtbot.keyClicks(name_editor(taken, 2), "the copy")
    rect = lines.visualItemRect(lines.item(0))
    click(qtbot, taken, rect)
    assert [entry.name for entry in document.takes] == ["Take 1", "the copy"]
    assert document.heard == lines.currentRow() == 0
    document.hear(1)
    field = name_editor(taken, 1)
    qtbot.keyClicks(field, "no")
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert not lines.naming
    assert document.takes[0].name == lines.item(1).text() == "Take 1"


def test_a_note_does_not_count_after_escape(qtbot, taken):
    note, document = taken.takes.note, taken.document
    note.setFocus()
    qtbot.keyClicks(note, "no")
    qtbot.keyClick(note, Qt.Key.Key_Escape)
    assert note.text() == ""
    taken.actions_["zoom_all"].trigger()
    assert document.takes[0].note == ""
    qtbot.keyClicks(note, "yes")
    taken.actions_["zoom_all"].trigger()
    assert document.takes[0].note == "yes"


def test_ctrl_d_in_the_list_of_takes_is_for_boxes(qtbot, taken):
    lines, document = taken.takes.list, taken.document
    document.select(("a",))
    lines.setFocus()
    for modifier in (Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier):
        qtbot.keyClick(lines, Qt.Key.Key_Delete, modifier)
    qtbot.keyClick(lines, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert (len(document.takes), len(document.roll.events)) == (1, 4)
    qtbot.keyClick(lines, Qt.Key.Key_Delete)
    assert (len(document.takes), len(document.roll.events)) == (0, 4)


def test_a_name_stays_with_its_take_where_one_before_it_goes(qtbot, taken):
    document = taken.document
    taken.actions_["duplicate_take"].trigger()
    field = name_editor(taken, 2)
    qtbot.keyClicks(field, "the copy")
    document.change("less", replace(document.state, takes=document.takes[1:]))
    taken.timeline.spectrogram.setFocus()
    assert [entry.name for entry in document.takes] == ["the copy"]
    assert taken.takes.list.count() == 2


def test_what_is_typed_on_takes_does_not_reach_another_recording(qtbot, taken, recording):
    document = taken.document
    taken.takes.note.setFocus()
    qtbot.keyClicks(taken.takes.note, "good")
    document.open(recording)
    assert taken.takes.note.text() == "" and not taken.takes.note.isEnabled()
    document.change_roll("roll", ROLL)
    taken.generating.generate()
    settled(qtbot, taken)
    qtbot.keyClicks(name_editor(taken, 1), "good")
    document.open(recording)
    assert not taken.takes.list.naming and taken.takes.list.count() == 1
