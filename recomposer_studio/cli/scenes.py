"""`recomposer scenes`: composes scenes from recordings, to listen to and to edit."""

import argparse
from contextlib import closing
from pathlib import Path

from recomposer_studio.cli.progress import progress_bar
from recomposer_studio.cli.reading import ReadingBar, say
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
    parser.add_argument(
        "--duration", type=float, default=10.0, metavar="S", help="length of a scene in seconds (default 10)"
    )
    parser.add_argument("--audio", type=Path, metavar="DIR", help="clips of a table that does not lie beside them")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the first scene (default 0)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep decoded recordings there between runs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    from recomposer_studio.training.cache import RATE_HZ, AudioCache
    from recomposer_studio.training.datasets import load_library
    from recomposer_studio.training.drawing import check_draw
    from recomposer_studio.training.manifest import skip_report
    from recomposer_studio.training.scene_files import write_scenes

    if arguments.scenes < 1:
        raise InputError(f"{arguments.scenes} scenes are none; ask for at least one")
    check_draw(arguments.seed, arguments.duration)
    library = load_library(arguments.data, audio=arguments.audio)
    with closing(ReadingBar()) as reading:
        cache = AudioCache(library, arguments.cache, reading)
        audio = cache.split(arguments.split)
    for what, skipped in (("the table", library.skipped), (f"the split {audio.split}", audio.skipped)):
        if skip_report(skipped):
            say(f"left out of {what}:\n{skip_report(skipped)}")
    short = sum(audio.frames(file.key) < round(arguments.duration * RATE_HZ) for file in audio.backgrounds)
    if short:
        say(f"{short} of {len(audio.backgrounds)} backgrounds are shorter than the scenes and are not used")
    with progress_bar("composing") as progress:
        written = write_scenes(
            cache,
            arguments.out,
            arguments.scenes,
            arguments.seed,
            arguments.split,
            kind=arguments.kind,
            action=arguments.action,
            duration_s=arguments.duration,
            progress=lambda done, total: progress(done, total, ""),
        )
    targets = {sound.source_id for spec in written.values() for sound in spec.sounds if sound.role == "target"}
    layers = {layer.source_id for spec in written.values() for layer in spec.layers}
    print(
        f"wrote {len(written)} scenes to {arguments.out}, with targets of {len(targets)} and backgrounds of "
        f"{len(layers)} source recordings"
    )
