import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import Qt

from recomposer_studio.studio.document import Document
from recomposer_studio.studio.snapping import GRID_S, Snap
from recomposer_studio.studio.verbs import Area
from tests.editing.scenes import event, roll
from tests.studio.hands import drag

TIMES = st.floats(0.0, 4.0)


@pytest.fixture
def snap(qapp, recording):
    document = Document()
    document.open(recording)
    document.change_roll("roll", roll(event("a", "delete", 1.003, 1.507), event("b", "keep", 2.5, 3.0)))
    yield Snap(document)
    document.close()
    document.undo_stack.clear()


@pytest.mark.parametrize("target_s", [0.0, 1.003, 1.507, 2.5, 3.0, 3.333, 4.0])
def test_what_is_near_attracts(snap, target_s):
    for at_s in (target_s - 0.02, target_s + 0.02):
        assert at_s + snap.shift((at_s,), 0.03, snap.edges(3.333)) == pytest.approx(target_s, abs=1e-12)


def test_an_event_does_not_catch_on_itself_nor_the_selection_on_itself(snap):
    snap._document.mark(Area(3.206, 3.404))
    assert 1.003 not in snap.edges(0.0, ("a",)) and 2.5 in snap.edges(0.0, ("a",))
    assert 3.206 in snap.edges(0.0) and 3.206 not in snap.edges(0.0, marking=True)


@given(st.lists(TIMES, min_size=1, max_size=2), st.floats(0.0, 0.2))
def test_a_shift_ends_on_an_edge_or_on_the_grid_and_is_never_long(times_s, reach_s):
    snap = Snap(Document())
    edges = snap.edges(0.0)
    shift_s = snap.shift(times_s, reach_s, edges)
    landed = [time_s + shift_s for time_s in times_s]
    on_edge = min(abs(edge - time_s) for edge in edges for time_s in landed) < 1e-9
    on_grid = abs(landed[0] / GRID_S - round(landed[0] / GRID_S)) < 1e-6
    assert on_edge or on_grid
    assert abs(shift_s) <= max(reach_s, GRID_S / 2) + 1e-9


def test_a_dragged_edge_catches_on_another_box_and_alt_lets_it_go(rolled):
    lanes, document = rolled.timeline.lanes, rolled.document
    document.select(("a",))
    before = document.roll.event("a")
    y = lanes.box(before).center().y()
    # The event k begins at 2.0 s; the drag ends five pixels short of it.
    goal = (lanes.x_of(2.0) - 5, y)
    drag(lanes, (lanes.x_of(before.end_s), y), goal)
    assert document.roll.event("a").end_s == 2.0
    document.undo_stack.undo()
    drag(lanes, (lanes.x_of(before.end_s), y), goal, Qt.KeyboardModifier.AltModifier)
    free_s = document.roll.event("a").end_s
    assert free_s != 2.0 and free_s == pytest.approx(lanes.time_at(round(goal[0])))


def test_the_switch_turns_it_off_for_boxes_and_for_the_selection(qtbot, rolled):
    strip, document = rolled.timeline.waveform, rolled.document
    start, end = (strip.x_of(0.4012), 20), (strip.x_of(1.0) - 4, 20)
    drag(strip, start, end)
    assert (document.area.start_s, document.area.end_s) == (pytest.approx(0.4), 1.0)
    rolled.timeline.spectrogram.setFocus()
    qtbot.keyClick(rolled, "n")
    assert not rolled.settings_file.read().snap
    drag(strip, start, end)
    assert document.area.end_s != 1.0
    assert document.area.end_s == pytest.approx(strip.time_at(round(end[0])))


def test_a_moved_box_catches_with_either_end(rolled):
    lanes, document = rolled.timeline.lanes, rolled.document
    before = document.roll.event("a")
    y = lanes.box(before).center().y()
    grip = lanes.x_of(1.2)
    # The end comes within three pixels of the playhead.
    rolled.listening.seek(1.777)
    drag(lanes, (grip, y), (grip + lanes.x_of(1.777) - lanes.x_of(before.end_s) + 3, y))
    moved = document.roll.event("a")
    assert moved.end_s == pytest.approx(1.777)
    assert moved.end_s - moved.start_s == pytest.approx(before.end_s - before.start_s)


@pytest.mark.parametrize("where", ["waveform", "spectrogram"])
def test_a_selection_drawn_to_the_left_is_not_held_back_by_the_playhead_that_follows_it(opened, where):
    strip, document = getattr(opened.timeline, where), opened.document
    for pixels in (20, 23, 26, 29, 32):
        opened.listening.seek(0.0)
        drag(strip, (strip.x_of(2.0), 20), (strip.x_of(2.0) - pixels, 20))
        # Each step of the drag is shorter than the reach of the snapping.
        wanted_s = strip.time_at(round(strip.x_of(2.0)) - pixels)
        assert document.area.start_s == pytest.approx(wanted_s, abs=GRID_S / 2 + 1e-6)
        document.mark(None)


def test_the_start_of_a_selection_stays_on_the_playhead_it_caught_on(opened):
    strip = opened.timeline.waveform
    opened.listening.seek(1.2345)
    drag(strip, (strip.x_of(1.2345) + 4, 20), (strip.x_of(2.0), 20))
    assert opened.document.area.start_s == 1.2345
