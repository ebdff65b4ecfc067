"""`recomposer tag`: suggests rows for a recording; each keeps its sound until its action is changed."""

import argparse
from pathlib import Path

from recomposer_studio.audio.atomic import atomic_path, same_file, write_error
from recomposer_studio.audio.source import Source
from recomposer_studio.cli.progress import progress_bar
from recomposer_studio.errors import InputError
from recomposer_studio.roll.file import format_roll
from recomposer_studio.tagging.choice import BUILTIN, YAMNET, load_tagger
from recomposer_studio.tagging.events import DEFAULT_THRESHOLD, EventOptions, Found
from recomposer_studio.tagging.recording import as_roll, tag_recording
from recomposer_studio.tagging.similar import SimilarOptions, find_similar

_TOLD = 0.005
"""Names of less confidence would be told as 0 %."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("tag", help="suggest rows for a recording", description=__doc__)
    parser.add_argument("recording", type=Path, metavar="IN")
    parser.add_argument("--out", type=Path, required=True, metavar="ROLL.json", help="the roll to write")
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="X",
        help=f"leave out rows of less confidence, 0 to 1 (default {DEFAULT_THRESHOLD:g}; with --like"
        f" {SimilarOptions().threshold:g})",
    )
    parser.add_argument(
        "--tagger",
        default=BUILTIN,
        metavar="NAME|FOLDER",
        help=f"who listens: {BUILTIN} (default), {YAMNET} (see: recomposer models install yamnet), or the folder of one"
        " that you trained",
    )
    parser.add_argument(
        "--like",
        type=float,
        nargs=2,
        metavar=("START", "END"),
        help="find the places that sound like the box from START to END, in seconds",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the tagger runs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    out: Path = arguments.out
    if arguments.threshold is not None and not 0.0 <= arguments.threshold <= 1.0:
        raise InputError(f"--threshold {arguments.threshold:g}: give a confidence from 0 to 1")
    if same_file(out, arguments.recording):
        raise InputError(f"{out}: this file is an input and is never overwritten; choose another name")
    with Source.open(arguments.recording) as source:
        tagger = load_tagger(arguments.tagger, arguments.device)
        # The place to write is claimed first: an hour of listening must not end at a missing folder.
        with atomic_path(out) as part, progress_bar("listening") as progress:
            if arguments.like is not None:
                alike = SimilarOptions() if arguments.threshold is None else SimilarOptions(arguments.threshold)
                start_s, end_s = arguments.like
                found = find_similar(source, tagger, start_s, end_s, options=alike, progress=progress, on_found=_tell)
            else:
                options = EventOptions() if arguments.threshold is None else EventOptions(arguments.threshold)
                found = tag_recording(source, tagger, options, progress, _tell)
            try:
                part.write_text(format_roll(as_roll(found)), encoding="utf-8", newline="\n")
            except OSError as error:
                raise write_error(out, error) from error
    print(f"wrote {out} ({len(found)} rows)")


def _tell(sound: Found) -> None:
    known = [sound.candidates[0], *(other for other in sound.candidates[1:] if other[1] >= _TOLD)]
    first, *others = (f"{name} {100.0 * confidence:.0f} %" for name, confidence in known)
    print(f"{sound.start_s:.2f}-{sound.end_s:.2f} s: {first}" + (f" (or {', '.join(others)})" if others else ""))
