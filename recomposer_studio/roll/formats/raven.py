"""Raven's selection tables: tab-separated, a line a selection, with the column names of Raven Pro.

A box without limits in frequency is a selection in the waveform view, one with limits a selection in the spectrogram view.
"""

from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import EventRoll
from recomposer_studio.roll.formats.tables import guarded, of_recording, plain, read_table, written
from recomposer_studio.roll.formats.values import (
    About,
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

_COLUMNS = [
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Annotation",
]
_MEANT = ("file", "length_s", "confidence")
"""What else a column can mean here that Raven does not measure."""
_FILE_OFFSET = "file offset (s)"


def parse_raven(text: str, where: str, about: About) -> Labels:
    """The selections of a table; one that stands there for waveform and spectrogram is one event.

    Raises:
        InputError: one sentence that names the line.
    """
    table = read_table(text, where)
    names = [name.strip().lower() for name in next(filter(str.strip, lines_of(text)), "").split("\t")]
    if "label" not in table.columns:
        # The annotation may have any name: it is the last column that Raven does not measure itself and that means nothing else.
        known = {name.lower() for name in _COLUMNS}
        others = [at for at, name in enumerate(names) if name and name not in known and not name.endswith(")")]
        meant = {table.columns.get(name) for name in _MEANT}
        others = [at for at in others if at not in meant and not names[at].startswith(("begin ", "end "))]
        table.columns.update({"label": others[-1]} if others else {})
    extra = {name: at for at, name in enumerate(names) if name in ("selection", "view", _FILE_OFFSET)}
    table.columns.update(extra)
    lines, notes = of_recording(table, where, about)
    in_spectrogram = {
        table.cell(cells, "selection") for _, cells in lines if table.cell(cells, "view").lower().startswith("spec")
    }
    nyquist_hz = about.rate_hz / 2.0 if about.rate_hz else None
    items: list[Item] = []
    points = 0
    for place, cells in lines:
        in_waveform = table.cell(cells, "view").lower().startswith("wave")
        if in_waveform and table.cell(cells, "selection") in in_spectrogram:
            continue
        if not table.cell(cells, "end_s"):
            raise InputError(f"{place}: the selection has no End Time (s); add it")
        start_s = number(table.cell(cells, "start_s"), "Begin Time (s)", place)
        end_s = number(table.cell(cells, "end_s"), "End Time (s)", place)
        offset = table.cell(cells, _FILE_OFFSET)
        if offset:
            # The other times count through all files of a table, this one within the selection's own.
            offset_s = number(offset, "File Offset (s)", place)
            start_s, end_s = offset_s, end_s if offset_s == start_s else offset_s + (end_s - start_s)
        values: dict[str, Any] = {**from_words(plain(table.cell(cells, "label"))), "start_s": start_s, "end_s": end_s}
        said = table.cell(cells, "confidence")
        sure = number(said, "Confidence", place) if is_number(said) else None
        # Some say it in words, and scores of other detectors have other scales.
        if sure is not None and 0.0 <= sure <= 1.0:
            values["confidence"] = sure
        if not in_waveform:
            low, high = table.cell(cells, "low_hz"), table.cell(cells, "high_hz")
            low_hz = number(low, "Low Freq (Hz)", place) if low else 0.0
            high_hz = number(high, "High Freq (Hz)", place) if high else None
            # The edges of the picture are no limits.
            values["low_hz"] = None if low_hz == 0.0 else low_hz
            values["high_hz"] = None if high_hz is None or (nyquist_hz and high_hz >= nyquist_hz) else high_hz
        if values["start_s"] == values["end_s"]:
            points += 1
        else:
            items.append((place, values))
    return labels_of(
        items, notes + left_out(points, "selection without a length was", "selections without a length were"), where
    )


def format_raven(roll: EventRoll, about: About) -> str:
    """The roll as a selection table: times, limits, and action and label in words."""
    lines = [_COLUMNS]
    for at, event in enumerate(roll.events, start=1):
        limited = event.low_hz is not None or event.high_hz is not None
        low = digits(event.low_hz or 0.0) if limited else ""
        high = "" if not limited or not about.rate_hz else digits(max(about.rate_hz / 2.0, 1.0))
        high = digits(event.high_hz) if event.high_hz is not None else high
        view = "Spectrogram 1" if limited else "Waveform 1"
        times = [digits(event.start_s), digits(event.end_s)]
        lines.append([str(at), view, "1", *times, low, high, guarded(in_words(event))])
    return written(lines, "\t")
