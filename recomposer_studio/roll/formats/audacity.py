r"""Audacity's label tracks: `start<TAB>end<TAB>label`, and where a box has limits `\<TAB>low<TAB>high` under it.

The layout is the one of Audacity's manual ("Importing and Exporting Labels"); -1 stands for no limit.
"""

from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import EventRoll
from recomposer_studio.roll.formats.values import (
    Item,
    Labels,
    digits,
    from_words,
    in_words,
    is_number,
    labels_of,
    left_out,
    lines_of,
    number,
)


def parse_audacity(text: str, where: str) -> Labels:
    """The labels of a label track; labels without a length are left out and noted.

    Raises:
        InputError: one sentence that names the line.
    """
    items: list[Item] = []
    points = 0
    last: dict[str, Any] | None = None
    for line_number, line in enumerate(lines_of(text), start=1):
        if not line.strip():
            continue
        place = f"{where}, line {line_number}"
        cells = line.split("\t")
        if cells[0].strip() == "\\":
            if last is None or len(cells) < 3:
                raise InputError(f"{place}: the line with frequencies needs a label above it and two numbers")
            for field, cell in zip(("low_hz", "high_hz"), cells[1:3], strict=True):
                hz = number(cell, field, place)
                last[field] = hz if hz >= 0.0 else None
            continue
        start_s = number(cells[0], "the start", place)
        # Old versions wrote points as time and label alone.
        ends = len(cells) > 1 and is_number(cells[1])
        end_s = number(cells[1], "the end", place) if ends else start_s
        words = "\t".join(cells[2:] if ends else cells[1:])
        last = {**from_words(words), "start_s": start_s, "end_s": end_s}
        if start_s == end_s:
            points += 1
        else:
            items.append((place, last))
    return labels_of(items, left_out(points, "label without a length was", "labels without a length were"), where)


def format_audacity(roll: EventRoll) -> str:
    """The roll as a label track: times, limits, and action and label in words."""
    lines = []
    for event in roll.events:
        lines.append(f"{digits(event.start_s)}\t{digits(event.end_s)}\t{in_words(event)}\n")
        if event.low_hz is not None or event.high_hz is not None:
            low, high = (digits(-1.0 if hz is None else hz) for hz in (event.low_hz, event.high_hz))
            lines.append(f"\\\t{low}\t{high}\n")
    return "".join(lines)
