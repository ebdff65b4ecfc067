"""`recomposer picture`: a recording's spectrogram with its event roll, as a PNG."""

import argparse
from pathlib import Path

from recomposer_studio.audio.atomic import same_file
from recomposer_studio.audio.picture import draw_picture
from recomposer_studio.audio.source import Source
from recomposer_studio.errors import InputError
from recomposer_studio.roll.event import EventRoll
from recomposer_studio.roll.file import check_fits, read_roll


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("picture", help="draw a spectrogram with its roll", description=__doc__)
    parser.add_argument("recording", type=Path, metavar="IN")
    parser.add_argument("--roll", type=Path, metavar="ROLL.json")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    for given in (arguments.recording, arguments.roll):
        if given and same_file(arguments.out, given):
            raise InputError(f"{arguments.out}: this file is an input and is never overwritten; choose another name")
    with Source.open(arguments.recording) as source:
        roll = EventRoll(())
        if arguments.roll:
            roll = read_roll(arguments.roll)
            check_fits(roll, source.duration_s, str(arguments.roll))
        draw_picture(source, roll, arguments.out)
    print(f"wrote {arguments.out}")
