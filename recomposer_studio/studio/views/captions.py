"""Where the captions of boxes go, so that each can be read: inside its box, else under, over or beside it, and beside it in a lane."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF

_GAP = 2.0


@dataclass(frozen=True)
class Tag:
    """A caption in its place.

    Attributes:
        number: which box it belongs to.
        spot: where it lies.
        away: whether it lies outside of its box, so that a line has to lead there.
    """

    number: int
    spot: QRectF
    away: bool


@dataclass(frozen=True)
class LaneTag:
    """A caption in a lane.

    Attributes:
        spot: where it lies; its words are cut short where that is narrower than they are.
        inside: whether it lies inside of its box, which needs a ground to be read on.
    """

    spot: QRectF
    inside: bool


def place_in_lane(box: QRectF, width: float, free: tuple[float, float], visible: tuple[float, float]) -> LaneTag:
    """A place for the caption of a box in a lane: inside it, else to the right or the left of it, where there is more room.

    Args:
        box: where the box lies.
        width: how wide the caption is, in pixels.
        free: how far the lane is free to the left and to the right: up to boxes and captions that are placed already.
        visible: the edges of what is on the screen.
    """
    left = max(box.left(), visible[0])
    room = min(box.right(), visible[1]) - left - 8
    # The ground of the words leaves the frame of a selected box, three pixels wide, as it is.
    if width <= room - 3:
        return LaneTag(QRectF(left + 4, box.top() + 2, width + 4, box.height() - 4), True)
    before, behind = box.left() - free[0] - 8, free[1] - box.right() - 8
    if behind < width <= before:
        return LaneTag(QRectF(box.left() - width - 6, box.top(), width + 4, box.height()), False)
    if behind < width and behind < room:
        return LaneTag(QRectF(left + 4, box.top(), room, box.height()), False)
    return LaneTag(QRectF(box.right() + 5, box.top(), min(behind, width + 4), box.height()), False)


def place(boxes: Sequence[QRectF], widths: Sequence[float], height: float, bounds: QRectF) -> list[Tag]:
    """A place for the caption of every box: no caption covers another as long as there is room anywhere above or below.

    Args:
        boxes: where the boxes lie, those first whose captions matter most.
        widths: how wide their captions are, in pixels.
        height: how high a caption is.
        bounds: what is on the screen; boxes may reach beyond it.

    Returns:
        One tag for each box that is on the screen.
    """
    step = height + _GAP
    left_edge, right_edge, top_edge, bottom_edge = bounds.left(), bounds.right(), bounds.top(), bounds.bottom()
    lowest = bottom_edge - height
    # What lies on lines one step high: a caption touches two of them at the most.
    lines: dict[int, list[tuple[float, float, float]]] = {}

    def free(left: float, right: float, top: float) -> bool:
        line = int(top / step)
        for near in (line, line - 1, line + 1):
            for other_left, other_right, other_top in lines.get(near, ()):
                if left < other_right and other_left < right and -step < top - other_top < step:
                    return False
        return True

    def found(left: float, beside: float, first: float, width: float) -> tuple[float, float]:
        """Downwards through the box and below it, then upwards; beside it as the last resort."""
        for x in (left, beside):
            for by in (step, -step):
                y = first
                while top_edge <= y <= lowest:
                    if free(x, x + width, y):
                        return x, y
                    y += by
        return left, first

    tags = []
    for number, (box, width) in enumerate(zip(boxes, widths, strict=True)):
        box_left, box_top, box_right, box_bottom = box.left(), box.top(), box.right(), box.bottom()
        if box_right < left_edge or box_left > right_edge:
            continue
        left = max(min(max(box_left, left_edge) + 3, right_edge - width), left_edge)
        first = max(min(max(box_top + 3, top_edge + 1), lowest), top_edge)
        x, y = found(left, max(min(box_right + 4, right_edge - width), left_edge), first, width)
        lines.setdefault(int(y / step), []).append((x, x + width, y))
        away = x > box_right or y > box_bottom or y + height < box_top
        tags.append(Tag(number, QRectF(x, y, width, height), away))
    return tags
