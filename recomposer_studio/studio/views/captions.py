"""Where the captions of boxes go, so that each can be read: inside the box or over a low one, else under, over or beside it; beside it in a lane."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf

from PySide6.QtCore import QRectF

_GAP = 2.0
_LOW = 3.0
"""A box that is lower than this many captions would be hidden by its own to a third or more."""


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


class LaneRoom:
    """Where a lane is free for the captions of suggestions, which give way to everything that is drawn.

    Args:
        drawn: left and right edges of the boxes of the roll and of their captions.
        suggested: of the suggestions' boxes.
        visible: the edges of what is on the screen.
    """

    def __init__(
        self,
        drawn: Sequence[tuple[float, float]],
        suggested: Sequence[tuple[float, float]],
        visible: tuple[float, float],
    ) -> None:
        self._drawn, self._all = _Spans(drawn), _Spans([*drawn, *suggested])
        self._visible = visible
        self._written = visible[0]

    def around(self, left: float, right: float) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
        """Free stretches inside a suggestion's box, behind it and before it; one that ends before it begins has no room."""
        first, last = self._visible
        inside = max(left, first, self._written)
        while (reached := self._drawn.reached(inside)) > inside:
            inside = reached
        # Words that do not touch their box would be taken for another one's.
        touches = max(self._all.reached(right), self._written) <= right
        behind = min(last, self._all.following(right)) if touches else right
        before = max(first, self._all.reached_before(left), self._written)
        return (inside, min(right, last, self._drawn.following(inside))), (right, behind), (before, left)

    def write(self, right: float) -> None:
        """A caption was written up to here; later suggestions come further to the right."""
        self._written = max(self._written, right)


class _Spans:
    """Stretches of a lane, in the order of their left edges."""

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        ordered = sorted(spans)
        self._lefts = [left for left, _ in ordered]
        self._reached = list(accumulate((right for _, right in ordered), max))

    def reached(self, x: float) -> float:
        """How far those reach that begin at `x` or to the left of it."""
        return self._to(bisect_right(self._lefts, x))

    def reached_before(self, x: float) -> float:
        """How far those reach that begin to the left of `x`."""
        return self._to(bisect_left(self._lefts, x))

    def following(self, x: float) -> float:
        """Where the next one begins, at `x` or to the right of it."""
        number = bisect_left(self._lefts, x)
        return self._lefts[number] if number < len(self._lefts) else inf

    def _to(self, number: int) -> float:
        return self._reached[number - 1] if number else -inf


def place(boxes: Sequence[QRectF], widths: Sequence[float], height: float, bounds: QRectF) -> list[Tag]:
    """A place for the caption of every box: no caption covers another as long as there is room anywhere above or below.

    It lies inside of its box at the top; where the box is low, over, under or beside it, so that its sound is seen.

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
    lows: dict[int, list[tuple[float, float, float, float]]] = {}
    for box in boxes:
        if box.height() < _LOW * height:
            edges = box.left(), box.right(), box.top(), box.bottom()
            for line in range(int(edges[2] / step), int(edges[3] / step) + 1):
                lows.setdefault(line, []).append(edges)

    def free(left: float, right: float, top: float) -> bool:
        line = int(top / step)
        for near in (line, line - 1, line + 1):
            for other_left, other_right, other_top in lines.get(near, ()):
                if left < other_right and other_left < right and -step < top - other_top < step:
                    return False
        return True

    def hides_none(left: float, right: float, top: float) -> bool:
        for line in range(int(top / step), int((top + height) / step) + 1):
            for other_left, other_right, other_top, other_bottom in lows.get(line, ()):
                if left < other_right and other_left < right and top < other_bottom and other_top < top + height:
                    return False
        return True

    def outside(left: float, beside: float, box: QRectF, width: float) -> tuple[float, float] | None:
        """Over a low box, else under it or beside it, where nothing low is hidden."""
        for x, y in ((left, box.top() - 1 - height), (left, box.bottom() + 1), (beside, box.top())):
            if top_edge <= y <= lowest and free(x, x + width, y) and hides_none(x, x + width, y):
                return x, y
        return None

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
        beside = max(min(box_right + 4, right_edge - width), left_edge)
        spot = outside(left, beside, box, width) if box.height() < _LOW * height else None
        x, y = spot or found(left, beside, first, width)
        lines.setdefault(int(y / step), []).append((x, x + width, y))
        away = x > box_right or y > box_bottom or y + height < box_top - _GAP
        tags.append(Tag(number, QRectF(x, y, width, height), away))
    return tags
