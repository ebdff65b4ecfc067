"""`recomposer scenes`: composes scenes from recordings, to listen to and to edit."""

import argparse
import sys
from pathlib import Path

from recomposer_studio.cli.progress import progress_bar
from recomposer_studio.errors import InputError


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("scenes", help="compose scenes from recordings", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="recordings: a folder with manifest.csv, or a table"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the scenes")
    parser.add_argument("--scenes", type=int, default=10, metavar="N", help="number of scenes (default 10)")
    parser.add_argument("--split", choices=("train", "valid", "test"), default="valid", help="default: valid")
    parser.add_argument("--kind", choices=("plain", "overlap", "decoy", "train"), default="overlap")
    parser.add_argument("--action", choices=("delete", "insert", "enhance"), help="default: any")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the first scene (default 0)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep decoded recordings there between runs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    from recomposer_studio.training.datasets import load_library
    from recomposer_studio.training.scene_files import write_scenes

    if arguments.scenes < 1:
        raise InputError(f"{arguments.scenes} scenes are none; ask for at least one")
    library = load_library(arguments.data)
    if library.skip_report():
        print(f"left out:\n{library.skip_report()}", file=sys.stderr)
    with progress_bar("composing") as progress:
        folders = write_scenes(
            library,
            arguments.out,
            arguments.scenes,
            arguments.seed,
            arguments.split,
            kind=arguments.kind,
            action=arguments.action,
            cache_folder=arguments.cache,
            progress=lambda done, total: progress(done, total, ""),
        )
    print(f"wrote {len(folders)} scenes to {arguments.out}")
