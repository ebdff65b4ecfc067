"""Label files of every format: which one a file is in, reading it, writing it."""

import re
from enum import StrEnum
from pathlib import Path

from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import EventRoll
from recomposer_studio.roll.file import MAX_FILE_BYTES, format_roll, parse_roll
from recomposer_studio.roll.formats.audacity import format_audacity, parse_audacity
from recomposer_studio.roll.formats.jams import format_jams, parse_jams
from recomposer_studio.roll.formats.raven import format_raven, parse_raven
from recomposer_studio.roll.formats.tables import format_table, parse_table
from recomposer_studio.roll.formats.textgrid import format_textgrid, parse_textgrid
from recomposer_studio.roll.formats.values import About, Labels, is_number


class LabelFormat(StrEnum):
    """A format of label files; `roll` is the Studio's own, which alone keeps everything in every case."""

    ROLL = "roll"
    AUDACITY = "audacity"
    CSV = "csv"
    TSV = "tsv"
    RAVEN = "raven"
    TEXTGRID = "textgrid"
    JAMS = "jams"


SUFFIXES = {
    LabelFormat.ROLL: ".json",
    LabelFormat.AUDACITY: ".txt",
    LabelFormat.CSV: ".csv",
    LabelFormat.TSV: ".tsv",
    LabelFormat.RAVEN: ".selections.txt",
    LabelFormat.TEXTGRID: ".TextGrid",
    LabelFormat.JAMS: ".jams",
}
"""How the name of a file in each format ends."""


def format_of(path: Path) -> LabelFormat | None:
    """The format that a file's name asks for; None for a name that asks for none."""
    name = path.name.lower()
    # The longest ending first: Raven's ends with Audacity's.
    for kind in sorted(SUFFIXES, key=lambda kind: -len(SUFFIXES[kind])):
        if name.endswith(SUFFIXES[kind].lower()):
            return kind
    return None


def output_format_of(path: Path) -> LabelFormat:
    """The format to write a file in.

    Raises:
        InputError: the name's ending is that of no format.
    """
    kind = format_of(path)
    if kind is None:
        raise InputError(f"{path}: no labels are written with this ending; use one of {' '.join(SUFFIXES.values())}")
    return kind


def read_labels(path: Path | str, about: About | None = None) -> Labels:
    """The labels in a file of any format.

    Args:
        path: the file.
        about: what is known of the recording.

    Raises:
        InputError: the file cannot be read, or is in no known format.
    """
    return parse_labels(label_bytes(path), str(path), about)


def label_bytes(path: Path | str) -> bytes:
    """What is in a label file, and one byte more of a file that is too long.

    Raises:
        InputError: the file cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path of the labels") from None
    except (OSError, ValueError) as error:
        reason = (
            "it is a folder"
            if isinstance(error, IsADirectoryError)
            else getattr(error, "strerror", None) or "the path is not valid"
        )
        raise InputError(f"{path}: the labels cannot be read ({reason}); choose a readable label file") from None


def parse_labels(data: bytes, where: str, about: About | None = None) -> Labels:
    """The labels in the bytes of a file; the content decides on the format, its name only between JSON formats.

    Raises:
        InputError: one sentence that names the file, the line and what is wrong there.
    """
    about = about or About()
    jams = where.lower().endswith(".jams")
    if where.lower().endswith(".json") or (data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and not jams):
        return Labels(parse_roll(data, where))
    text = _decode(data, where)
    first = next((line for line in re.split(r"\r\n|\r|\n", text) if line.strip()), None)
    if first is None:
        raise InputError(f"{where}: the file is empty; choose one with labels")
    if jams:
        return parse_jams(text, where)
    if "ooTextFile" in first:
        return parse_textgrid(text, where)
    cells = first.split("\t")
    names = {cell.strip().lower() for cell in cells}
    if {"selection", "begin time (s)"} <= names:
        return parse_raven(text, where, about)
    if len(cells) > 1 and (is_number(cells[0]) or cells[0] == "\\"):
        return parse_audacity(text, where)
    return parse_table(text, where, about)


def format_labels(roll: EventRoll, kind: LabelFormat, about: About | None = None) -> str:
    """The roll as the text of a file in a format.

    Args:
        roll: the events.
        kind: the format.
        about: what is known of the recording.
    """
    about = about or About()
    match kind:
        case LabelFormat.ROLL:
            return format_roll(roll)
        case LabelFormat.AUDACITY:
            return format_audacity(roll)
        case LabelFormat.CSV:
            return format_table(roll, about, ",")
        case LabelFormat.TSV:
            return format_table(roll, about, "\t")
        case LabelFormat.RAVEN:
            return format_raven(roll, about)
        case LabelFormat.TEXTGRID:
            return format_textgrid(roll, about)
        case LabelFormat.JAMS:
            return format_jams(roll, about)


def keeps_all(roll: EventRoll, kind: LabelFormat, about: About | None = None) -> bool:
    """Whether a file in a format reads back as the very roll."""
    try:
        return parse_labels(format_labels(roll, kind, about).encode(), f"x{SUFFIXES[kind]}", about).roll == roll
    except InputError:
        return False


def _decode(data: bytes, where: str) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{where}: a label file has at most {MAX_FILE_BYTES // 2**20} MiB; split it")
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(coding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: byte {error.start + 1} is neither UTF-8 nor UTF-16; save the labels as UTF-8 text"
        ) from None
    if "\0" in text:
        raise InputError(f"{where}: this is no text; choose a label file")
    return text
