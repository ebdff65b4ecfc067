"""Praat's TextGrid, long and short form: an interval tier becomes a row, and a row becomes a tier.

Praat's text files are free-standing numbers, texts in quotation marks and flags; everything else in them is decoration (Praat's manual, "TextGrid
file formats"), so both forms are read alike.
"""

import re
from collections.abc import Iterator
from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Event, EventRoll, shown
from recomposer_studio.roll.formats.values import About, Item, Labels, digits, from_words, in_words, labels_of, left_out

_TOKEN = re.compile(r'"((?:[^"]|"")*)"|![^\n]*|([^\s"]+)')
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_MOST_TIERS = 10_000


class _Reader:
    """Takes the values of a TextGrid one after the other."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self._values = self._scan(text)

    def _scan(self, text: str) -> Iterator[str | float]:
        for match in _TOKEN.finditer(text):
            if match[1] is not None:
                yield match[1].replace('""', '"')
            elif match[2] is not None and _NUMBER.fullmatch(match[2]):
                yield float(match[2])
            elif match[2] is not None and match[2] in ("<exists>", "<absent>"):
                yield match[2]

    def text(self, what: str) -> str:
        value = next(self._values, None)
        if not isinstance(value, str):
            raise self._wrong(what, value)
        return value

    def number(self, what: str) -> float:
        value = next(self._values, None)
        if not isinstance(value, float):
            raise self._wrong(what, value)
        return value

    def count(self, what: str) -> int:
        value = self.number(what)
        if not 0 <= value < 1e9 or value != int(value):
            raise InputError(f"{self.where}: {what} must be a whole number, not {shown(value)}")
        return int(value)

    def _wrong(self, what: str, value: object) -> InputError:
        found = "the file ends" if value is None else f"{shown(value)} stands"
        return InputError(
            f"{self.where}: the TextGrid is damaged ({found} where {what} belongs); save it again in Praat"
        )


def parse_textgrid(text: str, where: str) -> Labels:
    """The intervals with a text, of all tiers in the order of the file; point tiers are left out and noted.

    Raises:
        InputError: one sentence that names the tier and the interval.
    """
    reader = _Reader(text, where)
    kind, of_what = reader.text("the file type"), reader.text("the object class")
    if not kind.startswith("ooTextFile") or of_what != "TextGrid":
        raise InputError(f"{where}: this Praat file holds a {shown(of_what)}, no TextGrid; save the TextGrid")
    reader.number("the start"), reader.number("the end"), reader.text("the flag of the tiers")
    items: list[Item] = []
    points = 0
    for _ in range(min(reader.count("the number of tiers"), _MOST_TIERS)):
        tier, name = reader.text("the class of a tier"), reader.text("the name of a tier").strip()
        reader.number("the start of a tier"), reader.number("the end of a tier")
        for at in range(1, reader.count(f"the size of tier {shown(name)}") + 1):
            place = f"{where}, tier {shown(name)}, interval {at}"
            if tier != "IntervalTier":
                reader.number("a time"), reader.text("a mark")
                points += 1
                continue
            start_s, end_s = reader.number("the start of an interval"), reader.number("the end of an interval")
            words = reader.text("the text of an interval")
            if words.strip():
                values: dict[str, Any] = {**from_words(words), "start_s": start_s, "end_s": end_s}
                items.append((place, values | ({"row": name} if name else {})))
    return labels_of(items, left_out(points, "point without a length was", "points without a length were"), where)


def format_textgrid(roll: EventRoll, about: About) -> str:
    """The roll as a TextGrid in long form: a tier a row; where events of a row overlap, a further tier of its name."""
    end_s = max([about.duration_s or 0.0, *(event.end_s for event in roll.events)])
    tiers = [(row, tier) for row, events in roll.rows().items() for tier in _without_overlap(events)]
    lines = [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {digits(end_s)}",
        "tiers? <exists>", f"size = {len(tiers)}", "item []:",
    ]  # fmt: skip
    for at, (row, events) in enumerate(tiers, start=1):
        intervals = list(_intervals(events, end_s))
        lines += [
            f"    item [{at}]:", '        class = "IntervalTier"', f"        name = {_quoted(row)}", "        xmin = 0",
            f"        xmax = {digits(end_s)}", f"        intervals: size = {len(intervals)}",
        ]  # fmt: skip
        for number, (first_s, last_s, words) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{number}]:", f"            xmin = {digits(first_s)}",
                f"            xmax = {digits(last_s)}", f"            text = {_quoted(words)}",
            ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _without_overlap(events: tuple[Event, ...]) -> list[list[Event]]:
    """The events of a row in as few tiers as it takes; the intervals of a tier follow each other."""
    tiers: list[list[Event]] = []
    for event in sorted(events, key=lambda event: (event.start_s, event.end_s)):
        for tier in tiers:
            if tier[-1].end_s <= event.start_s:
                tier.append(event)
                break
        else:
            tiers.append([event])
    return tiers


def _intervals(events: list[Event], end_s: float) -> Iterator[tuple[float, float, str]]:
    """Intervals without a gap, as Praat wants them."""
    at_s = 0.0
    for event in events:
        if event.start_s > at_s:
            yield at_s, event.start_s, ""
        yield event.start_s, event.end_s, in_words(event)
        at_s = event.end_s
    if at_s < end_s or not events:
        yield at_s, end_s, ""


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
