from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QRectF

from recomposer_studio.roll.event import EventRoll
from recomposer_studio.studio.views.captions import LaneRoom, place, place_in_lane
from tests.editing.scenes import event, roll

BOUNDS = QRectF(104, 0, 800, 300)
HEIGHT = 15.0
BOX = st.builds(
    QRectF, st.floats(-500, 1_200), st.floats(-100, 280), st.floats(3, 900), st.floats(3, 400)
)  # fmt: skip


@given(st.lists(st.tuples(BOX, st.floats(20, 120)), max_size=30))
def test_every_box_on_the_screen_has_its_caption_inside_the_picture(pairs):
    boxes, widths = [box for box, _ in pairs], [width for _, width in pairs]
    tags = place(boxes, widths, HEIGHT, BOUNDS)
    seen = [n for n, box in enumerate(boxes) if box.right() >= BOUNDS.left() and box.left() <= BOUNDS.right()]
    assert [tag.number for tag in tags] == seen
    for tag in tags:
        assert BOUNDS.contains(tag.spot)
        assert (tag.spot.width(), tag.spot.height()) == (widths[tag.number], HEIGHT)


@given(st.lists(st.floats(110, 700), min_size=2, max_size=15))
def test_captions_of_boxes_that_start_at_one_place_are_stacked(lefts):
    boxes = [QRectF(left, 0, 150, 300) for left in lefts]
    spots = [tag.spot for tag in place(boxes, [100.0] * len(boxes), HEIGHT, BOUNDS)]
    for number, spot in enumerate(spots):
        assert not any(spot.intersects(other) for other in spots[:number])


def test_the_first_box_has_the_best_place_and_a_box_alone_has_its_corner():
    box = QRectF(200, 40, 150, 100)
    (tag,) = place([box], [60.0], HEIGHT, BOUNDS)
    assert (tag.spot.left(), tag.spot.top(), tag.away) == (203, 43, False)
    first, second = place([box, box], [60.0, 60.0], HEIGHT, BOUNDS)
    assert first.spot == tag.spot
    assert second.spot.top() > first.spot.bottom() and not second.away


def test_a_caption_that_finds_no_room_in_its_box_says_so():
    low = QRectF(200, 100, 150, 12)
    tags = place([low, low, low], [60.0] * 3, HEIGHT, BOUNDS)
    assert [tag.away for tag in tags] == [False, True, True]


def test_the_caption_of_a_low_box_lies_over_it_where_there_is_room():
    low, high = QRectF(200, 100, 150, 30), QRectF(400, 100, 150, 100)
    over, inside = place([low, high], [60.0, 60.0], HEIGHT, BOUNDS)
    assert over.spot.bottom() <= low.top() < over.spot.bottom() + 3 and not over.away
    assert high.contains(inside.spot)


def test_where_there_is_no_room_over_a_low_box_its_caption_lies_under_or_beside_it():
    top = QRectF(200, 5, 150, 30)
    (under,) = place([top], [60.0], HEIGHT, BOUNDS)
    assert under.spot.top() == top.bottom() + 1
    near = QRectF(200, 80, 150, 15), QRectF(200, 100, 150, 30), QRectF(200, 135, 150, 15)
    beside = place(near, [60.0] * 3, HEIGHT, BOUNDS)[1]
    assert (beside.spot.left(), beside.spot.top()) == (near[1].right() + 4, near[1].top())
    # In a picture that is no higher than the box there is only the box.
    flat = QRectF(104, 0, 180, 30)
    (inside,) = place([QRectF(90, 0, 200, 30)], [60.0], HEIGHT, flat)
    assert flat.contains(inside.spot) and inside.spot.top() == 3


@given(st.lists(st.tuples(st.floats(110, 700), st.floats(20, 250), st.floats(8, 44)), min_size=2, max_size=8))
def test_over_a_low_box_a_caption_covers_no_other_low_box(edges):
    boxes = [QRectF(left, top, 100, height) for left, top, height in edges]
    for tag in place(boxes, [60.0] * len(boxes), HEIGHT, BOUNDS):
        if tag.spot.bottom() <= boxes[tag.number].top():
            near = boxes[tag.number].top() - tag.spot.bottom() < 2
            assert not near or not any(tag.spot.intersects(box) for box in boxes)


@pytest.mark.parametrize("where", ["inside", "across the left edge"])
def test_a_box_that_begins_inside_another_keeps_its_caption(rolled, where):
    picture = rolled.timeline.spectrogram
    rolled.document.change_roll(
        "roll", roll(event("a", "delete", 0.5, 3.0, "Rain"), event("k", "keep", 0.55, 2.0, "Dog"))
    )
    if where != "inside":
        rolled.timeline.view.show_span(1.0, 2.0)
    rolled.document.select(())
    before = picture.grab().toImage()
    for gone in ("a", "k"):
        rolled.document.change_roll("less", rolled.document.roll.without(gone))
        # The caption of the other one is still there, and that of the one that went is not.
        assert picture.grab().toImage() != before
        rolled.document.undo_stack.undo()
    events = picture.events_in_view()
    tags = place(picture.boxes(events), [60.0, 60.0], HEIGHT, QRectF(picture.plot))
    assert len(tags) == 2 and not tags[0].spot.intersects(tags[1].spot)


@given(
    st.lists(st.tuples(st.floats(1, 90), st.floats(3, 80), st.floats(20, 120)), min_size=2, max_size=12),
)
def test_captions_in_a_lane_never_touch_each_other_or_another_box(gaps):
    left, boxes = 104.0, []
    for gap, length, _ in gaps:
        boxes.append(QRectF(left + gap, 3, length, 22))
        left = boxes[-1].right()
    free, spots = 104.0, []
    for number, box in enumerate(boxes):
        following = boxes[number + 1].left() if number + 1 < len(boxes) else 2_000.0
        spot = place_in_lane(box, gaps[number][2], (free, following), (104.0, 2_000.0)).spot
        free = max(free, box.right(), spot.right())
        spots.append(spot)
    words = [spot for spot in spots if spot.width() > 0]
    for number, spot in enumerate(words):
        assert not any(spot.intersects(other) for other in words[:number])
    for number, spot in enumerate(spots):
        assert spot.width() <= 0 or not any(spot.intersects(box) for n, box in enumerate(boxes) if n != number)


def test_two_short_boxes_do_not_both_write_into_the_gap_between_them():
    first, second = QRectF(200, 3, 10, 22), QRectF(300, 3, 10, 22)
    tag = place_in_lane(first, 80.0, (104.0, second.left()), (104.0, 900.0))
    assert (tag.spot.left(), tag.inside) == (215, False)
    # Its own right side is taken, and the gap by the caption before.
    other = place_in_lane(second, 80.0, (tag.spot.right(), 320.0), (104.0, 900.0))
    assert other.spot.left() >= second.left()
    # Where nothing was written there, it may.
    assert place_in_lane(second, 80.0, (first.right(), 320.0), (104.0, 900.0)).spot.right() < second.left()


def _lane(data) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Drawn and suggested boxes of a lane, as left and right edges."""
    spans = [(float(left), float(left + width)) for left, width in data]
    return spans[::2], sorted(spans[1::2])


@given(st.lists(st.tuples(st.integers(60, 900), st.integers(3, 200)), max_size=12))
def test_words_of_suggestions_touch_nothing_that_is_drawn_and_no_other_suggestion(data):
    drawn, suggested = _lane(data)
    room = LaneRoom(drawn, suggested, (104.0, 900.0))
    written: list[tuple[float, float]] = []
    for left, right in suggested:
        inside, behind, before = room.around(left, right)
        assert inside[0] >= left and inside[1] <= right
        assert behind[0] == right and before[1] == left
        others = [span for span in suggested if span != (left, right)]
        for stretch, taken in ((inside, drawn), (behind, drawn + others), (before, drawn + others)):
            if stretch[0] < stretch[1]:
                assert all(stretch[1] <= a or b <= stretch[0] for a, b in taken + written)
                assert stretch[0] >= 104.0 and stretch[1] <= 900.0
        best = max((inside, behind, before), key=lambda stretch: stretch[1] - stretch[0])
        if best[0] < best[1]:
            written.append(best)
            room.write(best[1])


def test_a_suggestion_before_a_drawn_box_has_its_words_before_it():
    room = LaneRoom([(300.0, 400.0)], [(260.0, 290.0)], (104.0, 900.0))
    assert room.around(260.0, 290.0) == ((260.0, 290.0), (290.0, 300.0), (104.0, 260.0))


def test_a_suggestion_that_a_drawn_box_covers_writes_into_what_is_left_of_it():
    room = LaneRoom([(150.0, 250.0)], [(200.0, 320.0)], (104.0, 900.0))
    inside, behind, before = room.around(200.0, 320.0)
    assert inside == (250.0, 320.0) and behind == (320.0, 900.0)
    assert before[0] >= before[1]


def test_the_words_of_a_suggestion_are_seen_where_a_drawn_box_follows_closely(rolled):
    lanes = rolled.timeline.lanes
    before = rolled.document.roll.event("a")
    close = replace(before, id="s", label="Whistle", confidence=0.7, start_s=before.start_s - 0.1, end_s=before.start_s)
    rolled.timeline.lanes.scroll_to(0)

    def ink() -> int:
        """Pixels of the lane to the left of the suggestion that differ from its ground."""
        image = lanes.grab().toImage()
        y = round(lanes.box(before).center().y())
        right = round(lanes.x_of(close.start_s)) - 3
        ground = image.pixelColor(right - 150, y - 8)
        return sum(
            image.pixelColor(x, other) != ground for x in range(right - 120, right) for other in range(y - 6, y + 7)
        )

    without = ink()
    rolled.document.change("given", replace(rolled.document.state, suggestions=EventRoll((close,))))
    assert ink() > without + 100
