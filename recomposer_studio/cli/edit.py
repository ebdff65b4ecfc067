"""`recomposer edit`: a recording and a roll in, a take out."""

import argparse
from pathlib import Path

from recomposer_studio.audio.sink import Depth
from recomposer_studio.cli.job import EditJob, run_edit, summary
from recomposer_studio.project.recipe import Decoding


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("edit", help="edit a recording by an event roll", description=__doc__)
    parser.add_argument(
        "recording", type=Path, metavar="IN", help="recording: WAV, FLAC, AIFF, Ogg, Opus, MP3, CAF, W64, RF64"
    )
    parser.add_argument(
        "--roll", type=Path, required=True, metavar="ROLL.json", help="the event roll, or labels of another program"
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="TAKE.wav", help="the take, in the recording's sample format"
    )
    parser.add_argument(
        "--stems", type=Path, metavar="DIR", help="write bed and placed stems (sum: the take) and removed/ there"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the take (default 0)")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="where the model runs")
    parser.add_argument(
        "--model", metavar="NAME|DIR", help="use this model for every action; 'repair' for none (default: what is best)"
    )
    add_decoding(parser)
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write everything that made the take")
    add_export(parser)
    parser.set_defaults(run=run)


def add_export(parser: argparse.ArgumentParser) -> None:
    """Adds what is written, and how."""
    group = parser.add_argument_group("export")
    group.add_argument(
        "--bits",
        choices=[str(depth) for depth in Depth],
        help="sample format (default: as the recording); fewer bits are dithered; float has 32 bits, and 64 for a"
        " recording of 32-bit integers or doubles",
    )
    group.add_argument(
        "--float32",
        action="store_const",
        dest="bits",
        const="float",
        help="the same as --bits float, which cannot clip and changes nothing outside the regions",
    )
    group.add_argument(
        "--region", type=float, nargs=2, metavar=("START", "END"), help="write this stretch alone, in seconds"
    )
    group.add_argument(
        "--stem",
        action="append",
        default=[],
        metavar="WHICH",
        help="only this stem: bed, placed, removed or a row (repeatable)",
    )
    group.add_argument(
        "--labels", type=Path, action="append", default=[], metavar="FILE",
        help="write the rows as labels too; the ending chooses the format: .txt (Audacity), .csv, .tsv,"
        " .selections.txt (Raven), .TextGrid, .jams, .json (repeatable)",
    )  # fmt: skip
    group.add_argument("--no-recipe", action="store_true", help="do not put the recipe into the take (WAV, FLAC)")
    group.add_argument("--no-markers", action="store_true", help="do not put the rows into the take as markers (WAV)")


def add_decoding(parser: argparse.ArgumentParser) -> None:
    """Adds the sampling settings."""
    default = Decoding()
    group = parser.add_argument_group("decoding (generated sound)")
    group.add_argument("--temperature", type=float, default=default.temperature, metavar="T")
    group.add_argument("--top-k", type=int, default=default.top_k, metavar="K", help="0 keeps all codes")
    group.add_argument("--top-p", type=float, default=default.top_p, metavar="P")
    group.add_argument("--guidance", type=float, default=default.guidance, metavar="G", help="1 is none")
    group.add_argument("--levels", type=int, default=default.levels, metavar="L", help="codebook levels; 0 decodes all")
    group.add_argument(
        "--candidates", type=int, default=default.candidates, metavar="N",
        help=f"sounds made for an insert, of which the model keeps the best (default: {default.candidates})",
    )  # fmt: skip


def decoding_of(arguments: argparse.Namespace) -> Decoding:
    """The sampling settings of a parsed command line."""
    return Decoding(
        arguments.temperature,
        arguments.top_k,
        arguments.top_p,
        arguments.guidance,
        arguments.levels,
        arguments.candidates,
    )


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    job = EditJob(
        recording=arguments.recording,
        roll=arguments.roll,
        out=arguments.out,
        stems=arguments.stems,
        report=arguments.report,
        model=arguments.model,
        device=arguments.device,
        seed=arguments.seed,
        decoding=decoding_of(arguments),
        depth=Depth(arguments.bits) if arguments.bits else None,
        region_s=tuple(arguments.region) if arguments.region else None,
        stem_names=tuple(arguments.stem),
        labels=tuple(arguments.labels),
        recipe=not arguments.no_recipe,
        markers=not arguments.no_markers,
    )
    print(summary(run_edit(job)))
