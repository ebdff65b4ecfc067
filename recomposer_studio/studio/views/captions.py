"""Where the captions of boxes go, so that each can be read: inside its box, else under, over or beside it."""

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
