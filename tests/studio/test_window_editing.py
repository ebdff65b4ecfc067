from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
)

from recomposer_studio.roll.event import Action
from recomposer_studio.roll.file import format_roll
from recomposer_studio.studio.verbs import Area
from tests.editing.scenes import event, roll
from tests.studio.hands import drag, spot
from tests.studio.rolls import ROLL


def test_boxes_are_drawn_moved_resized_and_marked_with_the_mouse(qtbot, rolled):
    picture, lanes, document = rolled.timeline.spectrogram, rolled.timeline.lanes, rolled.document
    qtbot.keyClick(rolled, "p")
    drag(picture, spot(picture, 3.2, 6_000), spot(picture, 3.6, 2_000))
    assert len(document.roll.events) == 4
    made = document.selected_events[0]
    qtbot.keyClick(picture, "v")
    rolled.timeline.spectrogram.setFocus()
    qtbot.keyClick(rolled, "v")
    box = picture.box(made)
    drag(picture, (box.center().x(), box.center().y()), (box.center().x() - 100, box.center().y() + 40))
    moved = document.roll.event(made.id)
    assert moved.start_s < made.start_s and moved.high_hz < made.high_hz
    assert moved.end_s - moved.start_s == pytest.approx(made.end_s - made.start_s)
    box = lanes.box(moved)
    drag(lanes, (box.right(), box.center().y()), (box.right() + 50, box.center().y()))
    assert document.roll.event(made.id).end_s > moved.end_s
    assert document.roll.event(made.id).start_s == moved.start_s
    box = picture.box(document.roll.event(made.id))
    drag(picture, (box.center().x(), box.top()), (box.center().x(), box.top() - 30))
    assert document.roll.event(made.id).high_hz > moved.high_hz
    assert document.undo_stack.count() == 5
    # A frame with Shift selects all that it touches, in the lane of one row only that row's.
    document.select(())
    drag(lanes, (lanes.x_of(3.9), 5), (lanes.x_of(0.5), 30), Qt.KeyboardModifier.ShiftModifier)
    assert document.selected == ("a",)
    drag(picture, (picture.x_of(0.2), 300), (picture.x_of(2.2), 20), Qt.KeyboardModifier.ShiftModifier)
    assert set(document.selected) >= {"a", "k"}
    # Ctrl draws with any tool, in the lane of an existing row.
    y = lanes.box(document.roll.event("a")).center().y()
    drag(lanes, (lanes.x_of(3.0), y), (lanes.x_of(3.3), y), Qt.KeyboardModifier.ControlModifier)
    assert document.selected_events[0].row == "a"


def test_a_new_box_has_nothing_of_a_removed_one_that_a_take_holds(qtbot, opened):
    document, editing = opened.document, opened.editing
    for start_s, label in ((1.0, "Bell"), (2.5, "Dog")):
        editing.last_label = label
        editing.new(Area(start_s, start_s + 0.4))
    opened.generating.generate()
    qtbot.waitUntil(lambda: not opened.generating.running, timeout=20_000)
    used = {layer.event.id for layer in document.takes[0].take.layers}
    made = []

    def removed_and(make):
        """What is made once a row that the take holds is gone."""
        document.select((document.roll.events[-1].id,))
        editing.copy()
        editing.remove()
        document.select((document.roll.events[-1].id,))
        make()
        made.extend(event.id for event in document.roll.events[1:])
        opened.document.undo_stack.undo()
        opened.document.undo_stack.undo()

    removed_and(lambda: editing.new(Area(3.2, 3.5)))
    removed_and(editing.duplicate)
    removed_and(lambda: editing.split(1.2))
    removed_and(lambda: editing.paste(3.0))
    assert len(made) == 4 and not used & set(made)


def test_mute_leaves_a_layer_of_another_sound_alone(qtbot, rolled):
    document = rolled.document
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running, timeout=20_000)
    rolled.actions_["lock"].trigger()
    document.change("another roll", replace(document.state, roll=roll(event("b", "enhance", 0.2, 0.6, "Siren"))))
    document.select(("b",))
    rolled.actions_["mute"].trigger()
    assert document.roll.event("b").muted, rolled.messages.text
    assert not document.takes[0].take.layer("b").event.muted


def test_escape_takes_back_a_drag(qtbot, rolled):
    lanes, document = rolled.timeline.lanes, rolled.document
    box = lanes.box(document.roll.event("a"))
    centre = QPoint(round(box.center().x()), round(box.center().y()))
    QTest.mousePress(lanes, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, centre)
    drag_to = QPointF(centre + QPoint(80, 0))
    move = QMouseEvent(
        QEvent.Type.MouseMove,
        drag_to,
        drag_to,
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(lanes, move)
    assert document.roll != ROLL
    qtbot.keyClick(lanes, Qt.Key.Key_Escape)
    assert document.roll == ROLL
    QTest.mouseRelease(lanes, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, centre)
    assert document.roll == ROLL


def test_keys_act_on_all_selected_boxes(qtbot, rolled):
    document = rolled.document
    qtbot.keyClick(rolled, Qt.Key.Key_A, Qt.KeyboardModifier.ControlModifier)
    assert len(document.selected) == 3
    for key, action in (("k", Action.KEEP), ("e", Action.ENHANCE), ("i", Action.INSERT), ("x", Action.DELETE)):
        qtbot.keyClick(rolled, key)
        assert {e.action for e in document.roll.events} == {action}
    qtbot.keyClick(rolled, "m")
    assert all(e.muted for e in document.roll.events)
    qtbot.keyClick(rolled, Qt.Key.Key_J, Qt.KeyboardModifier.ControlModifier)
    assert [(e.start_s, e.end_s) for e in document.roll.events] == [(1.0, 2.9)]
    rolled.listening.seek(2.0)
    qtbot.keyClick(rolled, Qt.Key.Key_I, Qt.KeyboardModifier.ControlModifier)
    assert [(e.start_s, e.end_s) for e in document.roll.events] == [(1.0, 2.0), (2.0, 2.9)]


def test_the_neighbours_are_selected_shown_and_played(qtbot, rolled, output):
    rolled.timeline.view.show_span(0.0, 0.5)
    qtbot.keyClick(rolled, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert rolled.document.selected == ("a",)
    assert rolled.timeline.view.end_s > 1.4
    assert output.mixer.playing and output.mixer.stop_at == round(2.5 * output.rate_hz)
    qtbot.keyClick(rolled, Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert rolled.document.selected == ("k",)
    rolled.listening.toggle()


def test_zoom_and_scroll_keys_and_wheel(qtbot, rolled):
    view, picture = rolled.timeline.view, rolled.timeline.spectrogram
    qtbot.keyClick(rolled, Qt.Key.Key_Equal, Qt.KeyboardModifier.ControlModifier)
    assert view.span_s == pytest.approx(4.0 / 1.5)
    at = QPointF(picture.x_of(1.0), 50)
    turn = QWheelEvent(
        at, at, QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton, Qt.KeyboardModifier.ControlModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(picture, turn)
    assert picture.x_of(1.0) == pytest.approx(at.x(), abs=0.5)
    rolled.document.mark(Area(2.0, 2.4))
    qtbot.keyClick(rolled, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    assert (view.start_s, view.end_s) == (pytest.approx(1.96), pytest.approx(2.44))
    qtbot.keyClick(rolled, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert (view.start_s, view.span_s) == (0.0, 4.0)
    qtbot.keyClick(picture, Qt.Key.Key_End)
    assert rolled.listening.position_s == 4.0
    qtbot.keyClick(picture, Qt.Key.Key_Home)
    assert rolled.listening.position_s == 0.0


def test_the_table_is_the_roll_in_words(qtbot, rolled):
    table, document = rolled.rows.table, rolled.document
    row, label = table.row_of("b"), table.COLUMNS.index("label")
    assert table.index(row, 0).data() == "\u2191  Enhance"
    assert table.index(row, table.COLUMNS.index("taken for")).data() == "Dog"
    assert table.setData(table.index(row, label), "siren")
    assert document.roll.event("b").label == "siren"
    start = table.COLUMNS.index("start_s")
    assert table.setData(table.index(row, start), "2,25")
    assert document.roll.event("b").start_s == 2.25
    assert not table.setData(table.index(row, start), "soon")
    assert "'soon' is not a number" in rolled.messages.text
    assert not table.setData(table.index(row, start), "3.5")
    assert "end_s" in rolled.messages.text
    rolled.rows.filter.setText("siren")
    assert rolled.rows.grid.model().rowCount() == 1
    rolled.rows.grid.selectRow(0)
    assert document.selected == ("b",)
    rolled.rows.filter.clear()
    document.select(("k",))
    assert [index.data() for index in rolled.rows.grid.selectionModel().selectedRows(label)] == ["Rain"]


def test_the_fields_change_the_event_in_focus(qtbot, rolled):
    document, inspector = rolled.document, rolled.inspector
    document.select(("b",))
    inspector._spins["start_s"].setValue(2.55)
    inspector._spins["high_hz"].setValue(4_000)
    assert (document.roll.event("b").start_s, document.roll.event("b").high_hz) == (2.55, 4_000)
    inspector._by.click()
    inspector._level.setValue(6)
    assert document.roll.event("b").by_db == 6
    inspector._spins["high_hz"].setValue(8_000)
    assert document.roll.event("b").high_hz is None
    inspector._spins["end_s"].setValue(1.0)
    assert "end_s" in rolled.messages.text
    assert document.roll.event("b").end_s == 2.9


def test_one_change_of_scale_moves_picture_axis_and_boxes(qtbot, rolled):
    picture = rolled.timeline.spectrogram
    rolled.document.change_roll("low", roll(event("a", "delete", 1.0, 1.5, low_hz=1_000.0, high_hz=2_000.0)))
    tops = set()
    for menu in rolled.actions_.menus["view"].actions():
        if menu.menu() and menu.menu().title() == "&Frequency":
            for action in menu.menu().actions():
                action.trigger()
                box = picture.box(rolled.document.roll.events[0])
                assert box.top() == pytest.approx(picture.scale.y(2_000.0, picture.height()))
                tops.add(round(box.top()))
    assert len(tops) == 3
    assert rolled.settings_file.read().scale == "linear"


def test_letters_in_a_text_field_stay_letters(qtbot, rolled):
    rolled.document.select(("a",))
    field = rolled.inspector.class_field
    field.setFocus()
    field.selectAll()
    qtbot.keyClicks(field, "gxiem 01")
    assert field.text() == "gxiem 01"
    assert rolled.document.roll.event("a").action is Action.DELETE
    assert not rolled.generating.running
    qtbot.keyClick(field, Qt.Key.Key_Delete)
    assert len(rolled.document.roll.events) == 3
    field.completer().popup().hide()


def test_space_presses_a_button_that_has_the_focus(qtbot, rolled, output):
    rolled.generating.generate()
    qtbot.waitUntil(lambda: not rolled.generating.running)
    rolled.takes.difference.setFocus()
    qtbot.keyClick(rolled, Qt.Key.Key_Space)
    assert rolled.document.difference
    assert output.mixer is None


def test_escape_leaves_the_class_field_as_it_was(qtbot, rolled):
    document, field = rolled.document, rolled.inspector.class_field
    document.select(("a",))
    before = document.roll
    rolled.inspector.edit_class()
    qtbot.keyClicks(field, "whistl")
    # The first one closes the list of proposals where it is open.
    field.completer().popup().hide()
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert QApplication.focusWidget() is rolled.timeline.spectrogram
    assert document.roll == before and field.text() == before.event("a").label


def test_escape_discards_a_number_before_anything_takes_it_over(qtbot, rolled):
    document, spins = rolled.document, rolled.inspector._spins
    seed, field = rolled.decoding.seed, spins["end_s"]
    ends = {event.id: event.end_s for event in document.roll.events}
    for chosen in (("a",), ("a", "b")):
        document.select(chosen)
        shown = field.text()
        field.setFocus()
        field.selectAll()
        qtbot.keyClicks(field, "1.9")
        qtbot.keyClick(field, Qt.Key.Key_Escape)
        assert field.text() == shown
        rolled.actions_["zoom_all"].trigger()
        assert {event.id: event.end_s for event in document.roll.events} == ends
    before = seed.value()
    seed.setFocus()
    seed.selectAll()
    qtbot.keyClicks(seed, "41")
    qtbot.keyClick(seed, Qt.Key.Key_Escape)
    rolled.actions_["zoom_all"].trigger()
    assert seed.value() == before and seed.text() == str(before)


def test_every_field_of_the_table_has_the_name_of_its_column(qtbot, rolled):
    grid = rolled.rows.grid
    for column in range(grid.model().columnCount()):
        index = grid.model().index(0, column)
        if not index.flags() & Qt.ItemFlag.ItemIsEditable:
            continue
        grid.setCurrentIndex(index)
        grid.edit(index)
        name = grid.model().headerData(column, Qt.Orientation.Horizontal)
        assert QApplication.focusWidget().accessibleName() == name
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)


def test_zooming_in_holds_the_playhead_at_the_end_of_the_recording(rolled):
    view = rolled.timeline.view
    rolled.listening.seek(rolled.document.duration_s)
    view.show_span(view.duration_s / 3, view.duration_s * 2 / 3)
    for _ in range(30):
        rolled.actions_["zoom_in"].trigger()
        assert view.end_s == pytest.approx(view.duration_s, abs=1e-6)


def test_a_cell_that_was_only_looked_at_keeps_all_its_digits(rolled):
    document, table = rolled.document, rolled.rows.table
    document.change_roll("fine", roll(event("a", "delete", 1.0 + 1 / 48_000, 1.5)))
    steps = document.undo_stack.count()
    index = table.index(0, table.COLUMNS.index("start_s"))
    assert table.setData(index, table.data(index, Qt.ItemDataRole.EditRole))
    assert document.roll.events[0].start_s == 1.0 + 1 / 48_000 and document.undo_stack.count() == steps


def test_a_refusal_leaves_when_the_next_step_succeeds(qtbot, rolled):
    rolled.document.select(("a",))
    rolled.listening.seek(rolled.document.duration_s)
    rolled.actions_["split"].trigger()
    assert "playhead" in rolled.messages.text
    rolled.actions_["enhance"].trigger()
    assert rolled.messages.text == ""


def type_end(qtbot, window, text: str):
    """The field for the end of box a, with a text that nobody has confirmed."""
    window.document.select(("a",))
    spin = window.inspector._spins["end_s"]
    spin.setFocus()
    spin.selectAll()
    qtbot.keyClicks(spin, text)
    return spin


def test_what_stands_in_a_field_counts_before_a_tool_button(qtbot, rolled):
    document = rolled.document
    count = document.undo_stack.count()
    spin = type_end(qtbot, rolled, "1.9")
    qtbot.mouseClick(rolled.tool_bar.widgetForAction(rolled.actions_["generate"]), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(document.takes) and not rolled.generating.running, timeout=20_000)
    assert document.takes[0].take.layer("a").event.end_s == document.roll.event("a").end_s == 1.9
    assert spin.hasFocus() and spin.text() == "1.900 s"
    # The cursor leaves the field later: the box has changed once, and a take was made.
    rolled.timeline.spectrogram.setFocus()
    assert document.undo_stack.count() == count + 2


def test_what_stands_in_a_field_counts_before_a_button_of_a_panel(qtbot, rolled):
    type_end(qtbot, rolled, "1.9")
    qtbot.mouseClick(rolled.inspector._buttons[Action.KEEP], Qt.MouseButton.LeftButton)
    changed = rolled.document.roll.event("a")
    assert (changed.end_s, changed.action) == (1.9, Action.KEEP)
    seed = rolled.decoding.seed
    rolled.docks[-1].raise_()
    seed.setFocus()
    seed.selectAll()
    qtbot.keyClicks(seed, "41")
    rolled.decoding.roll_seed.click()
    assert rolled.decoding.recipe.seed == 42


def test_a_value_in_the_table_counts_before_a_command(qtbot, rolled):
    grid, document = rolled.rows.grid, rolled.document
    row = next(row for row in range(3) if grid.model().index(row, 1).data() == "Bell")
    grid.setFocus()
    grid.edit(grid.model().index(row, 4))
    qtbot.keyClicks(rolled.focusWidget(), "1.9")
    rolled.actions_["generate"].trigger()
    qtbot.waitUntil(lambda: bool(document.takes) and not rolled.generating.running, timeout=20_000)
    assert document.takes[0].take.layer("a").event.end_s == 1.9


def test_undo_takes_back_what_stands_in_a_field_and_redo_still_can(qtbot, rolled):
    document = rolled.document
    type_end(qtbot, rolled, "1.9")
    rolled.actions_["undo"].trigger()
    assert document.roll == ROLL
    rolled.actions_["redo"].trigger()
    assert document.roll.event("a").end_s == 1.9
    # A step of its own would leave nothing to redo.
    rolled.actions_["undo"].trigger()
    type_end(qtbot, rolled, "1.7")
    rolled.actions_["redo"].trigger()
    assert document.roll.event("a").end_s == 1.9


def test_what_is_no_number_is_taken_over_by_no_command(qtbot, rolled):
    spin = type_end(qtbot, rolled, "")
    qtbot.keyClick(spin, Qt.Key.Key_Backspace)
    rolled.actions_["generate"].trigger()
    assert rolled.document.roll == ROLL
    assert spin.text() == "1.500 s"
    rolled.actions_["cancel"].trigger()


def test_what_stands_in_a_field_counts_before_labels_are_opened(qtbot, rolled, tmp_path):
    path = tmp_path / "other.json"
    path.write_text(format_roll(roll(event("a", "keep", 0.1, 0.3, "Rain"))), encoding="utf-8")
    type_end(qtbot, rolled, "1.9")
    assert rolled.open(path)
    assert rolled.document.roll.event("a").end_s == 0.3
    rolled.document.undo_stack.undo()
    assert rolled.document.roll.event("a").end_s == 1.9
