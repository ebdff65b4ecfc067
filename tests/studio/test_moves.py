"""Everything the mouse can do with boxes, by keys alone."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QLineEdit

from recomposer_studio.studio.scale import FrequencyScale
from tests.editing.scenes import event, roll
from tests.studio.hands import drag

CONTROL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
ALT = Qt.KeyboardModifier.AltModifier
LIMITED = roll(event("a", "delete", 1.0, 1.5, low_hz=1_000.0, high_hz=2_000.0), event("b", "keep", 2.0, 3.0))


@pytest.fixture
def limited(opened):
    opened.document.change_roll("roll", LIMITED)
    opened.timeline.spectrogram.setFocus()
    opened.document.select(("a",))
    return opened


@pytest.mark.parametrize(
    ("key", "keys", "changed", "sign"),
    [
        (Qt.Key.Key_Right, CONTROL | SHIFT, "end_s", 1),
        (Qt.Key.Key_Left, CONTROL | SHIFT, "end_s", -1),
        (Qt.Key.Key_Right, ALT | SHIFT, "start_s", 1),
        (Qt.Key.Key_Left, ALT | SHIFT, "start_s", -1),
        (Qt.Key.Key_Up, CONTROL | SHIFT, "high_hz", 1),
        (Qt.Key.Key_Down, CONTROL | SHIFT, "high_hz", -1),
        (Qt.Key.Key_Up, ALT | SHIFT, "low_hz", 1),
        (Qt.Key.Key_Down, ALT | SHIFT, "low_hz", -1),
    ],
)
def test_arrows_move_one_side(qtbot, limited, key, keys, changed, sign):
    before = limited.document.roll.event("a")
    qtbot.keyClick(limited.timeline.spectrogram, key, keys)
    after = limited.document.roll.event("a")
    differ = [
        name for name in ("start_s", "end_s", "low_hz", "high_hz") if getattr(after, name) != getattr(before, name)
    ]
    assert differ == [changed]
    assert (getattr(after, changed) - getattr(before, changed)) * sign > 0


def test_control_and_arrows_move_the_whole_box_and_one_run_of_keys_is_one_step(qtbot, limited):
    document, picture = limited.document, limited.timeline.spectrogram
    count = document.undo_stack.count()
    for _ in range(4):
        qtbot.keyClick(picture, Qt.Key.Key_Right, CONTROL)
    qtbot.keyClick(picture, Qt.Key.Key_Up, CONTROL)
    after = document.roll.event("a")
    assert after.start_s > 1.0 and after.end_s - after.start_s == pytest.approx(0.5)
    assert after.low_hz > 1_000 and after.high_hz > 2_000
    assert document.undo_stack.count() == count + 1
    document.undo_stack.undo()
    assert document.roll == LIMITED


def test_a_step_is_one_frame_where_frames_can_be_seen(qtbot, limited):
    limited.timeline.view.show_span(1.0, 0.5)
    qtbot.keyClick(limited.timeline.spectrogram, Qt.Key.Key_Right, CONTROL)
    assert limited.document.roll.event("a").start_s == pytest.approx(1.01)


def test_alt_and_arrows_move_a_box_between_rows(qtbot, limited):
    qtbot.keyClick(limited.timeline.spectrogram, Qt.Key.Key_Down, ALT)
    assert list(limited.document.roll.rows()) == ["b"]
    qtbot.keyClick(limited.timeline.spectrogram, Qt.Key.Key_Down, ALT)
    assert list(limited.document.roll.rows()) == ["b", "Dog"]
    assert limited.document.roll.event("a").row == "Dog"


def test_rows_change_places_and_names_by_keys(qtbot, limited):
    lanes, document = limited.timeline.lanes, limited.document
    qtbot.keyClick(limited, Qt.Key.Key_PageDown, CONTROL)
    assert list(document.roll.rows()) == ["b", "a"]
    qtbot.keyClick(limited, Qt.Key.Key_PageUp, CONTROL)
    assert list(document.roll.rows()) == ["a", "b"]
    qtbot.keyClick(limited, Qt.Key.Key_F2, SHIFT)
    field = lanes.findChild(QLineEdit)
    assert field.hasFocus() and field.accessibleName()
    qtbot.keyClicks(field, "front door 1")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert list(document.roll.rows()) == ["front door 1", "b"]
    qtbot.keyClick(limited, Qt.Key.Key_F2, SHIFT)
    field = next(f for f in lanes.findChildren(QLineEdit) if f.hasFocus())
    qtbot.keyClicks(field, "b")
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert "already a row b" in limited.messages.text
    assert list(document.roll.rows()) == ["front door 1", "b"]
    qtbot.keyClick(limited, Qt.Key.Key_F2, SHIFT)
    field = next(f for f in lanes.findChildren(QLineEdit) if f.hasFocus())
    qtbot.keyClicks(field, "other")
    qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert list(document.roll.rows()) == ["front door 1", "b"]
    assert lanes.hasFocus()


def test_rows_are_dragged_by_their_names_and_boxes_to_other_rows(rolled):
    lanes, document = rolled.timeline.lanes, rolled.document
    assert list(document.roll.rows()) == ["a", "b", "k"]
    drag(lanes, (40, 10), (40, 70))
    assert list(document.roll.rows()) == ["b", "k", "a"]
    box = lanes.box(document.roll.event("b"))
    count = document.undo_stack.count()
    drag(lanes, (box.center().x(), box.center().y()), (box.center().x() + 30, box.center().y() + 28))
    moved = document.roll.event("b")
    assert moved.row == "k" and moved.start_s > 2.5
    assert document.undo_stack.count() == count + 1
    # A click on a name selects the boxes of the row.
    document.select(())
    drag(lanes, (40, 10), (40, 10))
    assert set(document.selected) == {"b", "k"}


def wheel(widget, at: QPointF, turns: int, keys: Qt.KeyboardModifier) -> None:
    turn = QWheelEvent(
        at, at, QPoint(), QPoint(0, 120 * turns), Qt.MouseButton.NoButton, keys, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(widget, turn)


def test_the_wheel_zooms_and_scrolls_the_frequencies(qtbot, limited):
    picture = limited.timeline.spectrogram
    whole = picture.scale
    at = QPointF(300, picture.height() * 0.4)
    under = picture.frequency_at(at.toPoint())
    wheel(picture, at, 4, CONTROL | SHIFT)
    assert picture.scale.part < 0.5
    assert picture.frequency_at(at.toPoint()) == pytest.approx(under, rel=0.01)
    # The box lies where the axis says, in any part of the range.
    box, a = picture.box(limited.document.roll.event("a")), limited.document.roll.event("a")
    assert box.top() == pytest.approx(picture.scale.y(a.high_hz, picture.height()))
    before = picture.scale
    wheel(picture, QPointF(20, 50), 1, Qt.KeyboardModifier.NoModifier)
    assert picture.scale.low > before.low
    wheel(picture, QPointF(20, 50), -30, CONTROL)
    assert picture.scale == whole
    limited.actions_["zoom_frequency_in"].trigger()
    assert picture.scale.part == pytest.approx(1 / 1.5)
    assert limited.timeline._high.maximum() > 0
    limited.timeline._high.setValue(0)
    assert picture.scale.high == pytest.approx(1.0)
    qtbot.keyClick(picture, Qt.Key.Key_PageDown)
    assert picture.scale.high < 1.0
    drag(picture, (20, 100), (20, 160))
    qtbot.mouseDClick(picture, Qt.MouseButton.LeftButton, pos=QPoint(20, 100))
    assert picture.scale == FrequencyScale(whole.kind, whole.top_hz)


def test_f6_goes_through_all_parts_of_the_window_and_back(qtbot, limited):
    seen = []
    for _ in range(12):
        qtbot.keyClick(limited, Qt.Key.Key_F6)
        seen.append(QApplication.focusWidget())
    docks = [dock for dock in limited.docks if dock.isVisible() and not dock.visibleRegion().isEmpty()]
    for dock in docks:
        assert any(dock.isAncestorOf(widget) for widget in seen), dock.objectName()
    assert limited.timeline.spectrogram in seen
    last = seen[-1]
    qtbot.keyClick(limited, Qt.Key.Key_F6)
    qtbot.keyClick(limited, Qt.Key.Key_F6, SHIFT)
    assert QApplication.focusWidget() is last


def test_cut_boxes_are_pasted_into_another_window(qtbot, limited, recording, tmp_path, output):
    qtbot.keyClick(limited.timeline.spectrogram, Qt.Key.Key_X, CONTROL)
    assert [e.id for e in limited.document.roll.events] == ["b"]
    other = type(limited)(type(limited.settings_file)(tmp_path / "other.json"), output.open)
    other.open(recording)
    other.listening.seek(0.5)
    other.actions_["paste"].trigger()
    (pasted,) = other.document.roll.events
    assert (pasted.start_s, pasted.low_hz, pasted.high_hz) == (pytest.approx(0.5), 1_000.0, 2_000.0)
    other.shut_down()
    other.document.undo_stack.clear()
    other.deleteLater()
