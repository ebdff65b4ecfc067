"""`recomposer demo`: the shipped scene, edited; leaves the take, its stems, a report and a picture."""

import argparse
from pathlib import Path

from recomposer_studio.audio.picture import draw_comparison
from recomposer_studio.audio.source import Source
from recomposer_studio.cli.job import EditJob, run_edit, summary
from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.roll.file import read_roll


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("demo", help="edit the demo scene", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="folder for the results (default: demo)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    out: Path = arguments.out
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: this folder cannot be made ({error.strerror}); choose another with --out") from error
    scene = data_folder("resources") / "demo"
    job = EditJob(
        recording=scene / "scene.flac",
        roll=scene / "roll.json",
        out=out / "take.wav",
        stems=out / "stems",
        report=out / "report.json",
    )
    print(summary(run_edit(job)))
    with Source.open(job.recording) as before, Source.open(job.out) as after:
        draw_comparison([("before", before), ("take", after)], read_roll(job.roll), out / "picture.png")
    print(f"wrote {out / 'picture.png'}")
