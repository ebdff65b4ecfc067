"""CSV and TSV tables of events, as DCASE writes them: a line an event, with or without names of the columns on top.

Written are `filename, onset, offset, event_label`, the action, and every further field of an event that is not at its default; read are these and
the names other programs give them. A cell of text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@` or a
full-width form of these) is written with an apostrophe in front, which spreadsheets take for "this is text"; reading takes it off again.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath
from typing import Any

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import Action, Event, EventRoll, shown
from recomposer_studio.roll.file import exemplar_values
from recomposer_studio.roll.formats.values import (
    DEFAULTS,
    UNNAMED,
    About,
    Item,
    Labels,
    digits,
    from_words,
    is_number,
    labels_of,
    left_out,
    lines_of,
    number,
)

_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
_NAMES: dict[str, tuple[str, ...]] = {
    "file": ("filename", "file", "file_name", "audio_filename", "audio_file", "begin_file", "begin_path",
             "recording", "segment_id"),
    "start_s": ("onset", "start", "begin", "onset_s", "start_s", "begin_s", "start_time", "begin_time", "start_time_s",
                "begin_time_s", "start_time_seconds", "start_seconds", "tmin", "xmin"),
    "end_s": ("offset", "end", "stop", "offset_s", "end_s", "stop_s", "end_time", "stop_time", "end_time_s",
              "end_time_seconds", "end_seconds", "tmax", "xmax"),
    "length_s": ("duration", "duration_s", "length", "length_s"),
    "label": ("event_label", "label", "event", "class", "class_name", "sound", "annotation", "species", "tag", "text",
              "common_name", "scientific_name", "species_code", "name"),
    "low_hz": ("low_hz", "low_freq_hz", "low_freq", "low_frequency", "min_freq", "f_low", "fmin"),
    "high_hz": ("high_hz", "high_freq_hz", "high_freq", "high_frequency", "max_freq", "f_high", "fmax"),
    "confidence": ("confidence", "score", "probability"),
}  # fmt: skip
_OWN = ("action", "row", "id", "level_db", "by_db", "gain_db", "amount", "pan", "muted", "exemplar")
_TEXTS = ("action", "row", "id")
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True)
class Table:
    """A table's lines.

    Attributes:
        columns: meaning -> number of the column.
        lines: (place, cells) below the names.
    """

    columns: dict[str, int]
    lines: list[tuple[str, list[str]]]

    def cell(self, cells: list[str], name: str) -> str:
        """What a line has in the column of that meaning, empty when nothing."""
        at = self.columns.get(name)
        return cells[at].strip() if at is not None and at < len(cells) else ""


def parse_table(text: str, where: str, about: About) -> Labels:
    """The labels of a table; of several recordings those of the one at hand.

    Raises:
        InputError: one sentence that names the line.
    """
    table = read_table(text, where)
    if "start_s" not in table.columns or not {"end_s", "length_s"} & set(table.columns):
        raise InputError(
            f"{where}: the first line must name the columns onset and offset, or the lines begin with two times"
        )
    lines, notes = of_recording(table, where, about)
    items: list[Item] = []
    points = 0
    for place, cells in lines:
        values = _values(table, cells, place)
        if values is None:
            continue
        if values["start_s"] == values["end_s"]:
            points += 1
        else:
            items.append((place, values))
    return labels_of(items, notes + left_out(points, "line without a length was", "lines without a length were"), where)


def _values(table: Table, cells: list[str], place: str) -> dict[str, Any] | None:
    """The fields of an event; None for a line that only says that a recording has none."""

    def cell(name: str) -> str:
        return table.cell(cells, name)

    if not any(cell(name) for name in ("start_s", "end_s", "length_s", "label")):
        return None
    start_s = number(cell("start_s"), "the onset", place)
    end_s = number(cell("end_s"), "the offset", place) if "end_s" in table.columns else None
    values: dict[str, Any] = {
        "start_s": start_s,
        "end_s": start_s + number(cell("length_s"), "the duration", place) if end_s is None else end_s,
    }
    if "action" in table.columns:
        values |= {"action": Action.KEEP, "label": plain(cell("label")) or UNNAMED}
    else:
        values |= from_words(plain(cell("label")))
    for name in (*_OWN, "low_hz", "high_hz", "confidence"):
        said = cell(name)
        if not said:
            continue
        if name in _TEXTS:
            values[name] = plain(said).lower() if name == "action" else plain(said)
        elif name == "muted":
            if said.lower() not in _TRUTH:
                raise InputError(f"{place}: muted must be true or false, not {shown(said)}")
            values[name] = _TRUTH[said.lower()]
        elif name == "exemplar":
            try:
                values[name] = json.loads(said)
            except (ValueError, RecursionError):
                raise InputError(f"{place}: exemplar must be an object as in a roll file, not {shown(said)}") from None
        else:
            values[name] = number(said, name, place)
    return values


def read_table(text: str, where: str) -> Table:
    """Separates lines and cells, and finds out what the columns mean.

    Raises:
        InputError: the text is no table.
    """
    lines = [(place, cells) for place, cells in _cells(text, where) if any(cell.strip() for cell in cells)]
    if not lines or len(lines[0][1]) < 2:
        raise InputError(
            f"{where}: this is no table of labels; its columns must be separated by tabs, commas or semicolons"
        )
    names = [re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_") for cell in lines[0][1]]
    columns = {}
    for meaning, known in (*_NAMES.items(), *((name, (name,)) for name in _OWN)):
        for name in known:
            if name in names:
                columns[meaning] = names.index(name)
                break
    if "start_s" in columns or not any(is_number(cell) for cell in lines[0][1]):
        return Table(columns, lines[1:])
    # Without names: DCASE has onset, offset, label, with the file in front of them or not.
    first = 0 if is_number(lines[0][1][0]) else 1
    if len(lines[0][1]) < first + 2 or not all(is_number(cell) for cell in lines[0][1][first : first + 2]):
        raise InputError(f"{where}: the first line must name the columns (onset, offset, event_label)")
    columns = {"start_s": first, "end_s": first + 1, "label": first + 2} | ({"file": 0} if first else {})
    return Table(columns, lines)


def _cells(text: str, where: str) -> Iterator[tuple[str, list[str]]]:
    """(place, cells) of every line."""
    first = next((line for line in lines_of(text) if line.strip()), "")
    delimiter = next((mark for mark in "\t;," if mark in first), ",")
    if delimiter == "\t":
        # No quoting over line ends here: a lone quotation mark in a label is common, a line break is not.
        for line_number, line in enumerate(lines_of(text), start=1):
            yield f"{where}, line {line_number}", [_unquoted(cell) for cell in line.split("\t")]
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            yield f"{where}, line {reader.line_num}", cells
    except csv.Error as error:
        raise InputError(
            f"{where}, line {reader.line_num}: not a table of labels ({error}); correct it there"
        ) from None


def _unquoted(cell: str) -> str:
    if len(cell) >= 2 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def of_recording(table: Table, where: str, about: About) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """The lines of the recording at hand, and notes on the others.

    Raises:
        InputError: the table lists several recordings and this one is not among them.
    """
    if "file" not in table.columns:
        return table.lines, []
    named = [_bare(plain(table.cell(cells, "file"))) for _, cells in table.lines]
    names = sorted(set(named) - {""})
    wanted = _bare(about.name)
    matches = [name for name in names if wanted and wanted in (name, PurePath(name).stem)] or [
        name for name in names if wanted and PurePath(wanted).stem in (name, PurePath(name).stem)
    ]
    if matches:
        lines = [line for line, name in zip(table.lines, named, strict=True) if name in matches]
        return lines, left_out(len(table.lines) - len(lines), "line of another file was", "lines of other files were")
    if len(names) > 1:
        of_it = f"none is {about.name}" if about.name else "it is not said which one is meant"
        raise InputError(f"{where}: the table lists {len(names)} recordings ({names[0]}, {names[1]}, ...) and {of_it}")
    return table.lines, [f"The table names {names[0]} as its recording."] if names and wanted else []


def _bare(name: str) -> str:
    """The name of a file without its folders, whichever system wrote it."""
    return PureWindowsPath(name.strip()).name.casefold()


def plain(cell: str) -> str:
    """A cell of text as it was before `guarded`."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in _FORMULA + "'" else cell


def guarded(text: str) -> str:
    """A text that no spreadsheet runs as a formula."""
    risky = text[:1] and text[0] in _FORMULA
    quoted = text[:1] == "'" and text[1:2] and text[1] in _FORMULA + "'"
    return f"'{text}" if risky or quoted else text


def format_table(roll: EventRoll, about: About, delimiter: str) -> str:
    """The roll as a table that reads back equal."""
    optional = [
        name
        for name in ("low_hz", "high_hz", "confidence", "level_db", "by_db", "gain_db", "amount", "pan", "muted")
        if any(getattr(event, name) != DEFAULTS[name] for event in roll.events)
    ]
    columns: dict[str, Callable[[Event], str]] = {
        "filename": lambda event: guarded(about.name),
        "onset": lambda event: digits(event.start_s),
        "offset": lambda event: digits(event.end_s),
        "event_label": lambda event: guarded(event.label),
        "action": lambda event: str(event.action),
        "row": lambda event: guarded(event.row),
        "id": lambda event: guarded(event.id),
    } | {name: _field_writer(name) for name in optional}
    if any(event.exemplar for event in roll.events):
        columns["exemplar"] = _written_exemplar
    lines = [list(columns), *([write(event) for write in columns.values()] for event in roll.events)]
    return written(lines, delimiter)


def _field_writer(name: str) -> Callable[[Event], str]:
    def write(event: Event) -> str:
        value = getattr(event, name)
        if value is None:
            return ""
        return str(value).lower() if isinstance(value, bool) else digits(value)

    return write


def _written_exemplar(event: Event) -> str:
    return "" if event.exemplar is None else json.dumps(exemplar_values(event.exemplar), ensure_ascii=False)


def written(lines: list[list[str]], delimiter: str) -> str:
    """Lines of cells as text; cells with tabs or line breaks do not occur."""
    if delimiter == "\t":
        quoted = [
            ['"' + cell.replace('"', '""') + '"' if cell.startswith('"') else cell for cell in line] for line in lines
        ]
        return "".join("\t".join(line) + "\n" for line in quoted)
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(lines)
    return text.getvalue()
