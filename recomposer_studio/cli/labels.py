"""`recomposer labels`: labels of one program into those of another; the endings of the names choose the formats."""

import argparse
from pathlib import Path

from recomposer_studio.audio.atomic import atomic_path, same_file, write_error
from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.roll.file import check_fits
from recomposer_studio.roll.formats.files import SUFFIXES, format_labels, keeps_all, output_format_of, read_labels
from recomposer_studio.roll.formats.values import About


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("labels", help="convert labels between programs", description=__doc__)
    parser.add_argument(
        "labels", type=Path, metavar="IN", help="Audacity labels, CSV, TSV, Raven selections, TextGrid, JAMS, or a roll"
    )
    parser.add_argument("out", type=Path, metavar="OUT", help=f"file to write: {' '.join(SUFFIXES.values())}")
    parser.add_argument(
        "--recording",
        type=Path,
        metavar="FILE",
        help="the recording: its lines of a table of many, its length and rate",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    out: Path = arguments.out
    kind = output_format_of(out)
    if same_file(out, arguments.labels):
        raise InputError(f"{out}: this file is an input and is never overwritten; choose another name")
    about = About()
    if arguments.recording is not None:
        with Source.open(arguments.recording) as source:
            about = About(source.path.name, source.duration_s, source.rate_hz)
    labels = read_labels(arguments.labels, about)
    if about.duration_s is not None:
        check_fits(labels.roll, about.duration_s, str(arguments.labels))
    with atomic_path(out) as part:
        try:
            part.write_text(format_labels(labels.roll, kind, about), encoding="utf-8", newline="\n")
        except OSError as error:
            raise write_error(out, error) from error
    for note in labels.notes:
        print(note)
    count = len(labels.roll.events)
    words = f"wrote {out} ({count} {'label' if count == 1 else 'labels'})"
    print(words if keeps_all(labels.roll, kind, about) else f"{words}; this format has no place for all that was read")
