"""`recomposer models`: the checkpoints at hand and what they are good for, and models that are fetched once."""

import argparse
from pathlib import Path

from recomposer_studio.cli.progress import progress_bar
from recomposer_studio.errors import InputError
from recomposer_studio.model import catalogue


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("models", help="the models at hand", description=__doc__)
    actions = parser.add_subparsers(dest="models_command", required=True, metavar="COMMAND")
    listing = actions.add_parser("list", help="list the models and taggers at hand")
    listing.set_defaults(run=run)
    installing = actions.add_parser("install", help="fetch a model once", description="Fetch a model once.")
    installing.add_argument("name", choices=("yamnet",), metavar="NAME", help="yamnet: the sound classifier for `tag`")
    installing.add_argument(
        "--from",
        dest="origin",
        metavar="FILE|FOLDER|ADDRESS",
        help="a SavedModel folder, .h5, .tflite or .tar.gz (default: TensorFlow Hub, which needs the extra 'yamnet')",
    )
    installing.set_defaults(run=run_install)
    adopting = actions.add_parser(
        "adopt",
        help="begin a checkpoint with a published codec",
        description="Put a published DAC codec into a checkpoint folder. Needs the extra 'codecs'; the weights' own licence goes with them.",
    )
    adopting.add_argument(
        "source",
        metavar="FOLDER|NAME",
        help="a folder with config.json and model.safetensors, or a name on the Hugging Face hub such as descript/dac_16khz",
    )
    adopting.add_argument("--out", type=Path, required=True, metavar="DIR", help="checkpoint folder")
    adopting.add_argument("--levels", type=int, metavar="N", help="use the first N codebook levels (default: all)")
    adopting.set_defaults(run=run_adopt)


def run(arguments: argparse.Namespace) -> None:
    """Lists the models."""
    print("repair: spectral repair; delete, enhance; no model, always there")
    default = catalogue.default()
    for checkpoint in catalogue.shipped():
        better = ", ".join(sorted(checkpoint.better_than_repair)) or "nothing"
        mark = " (default)" if default and checkpoint.name == default.name else ""
        print(
            f"{checkpoint.name}{mark}: {', '.join(checkpoint.parts)}; {checkpoint.megabytes:.1f} MB; "
            f"trained on {len(checkpoint.classes)} classes; beats spectral repair on validation in: {better}"
        )
        print(f"  {checkpoint.folder}")
    for line in taggers():
        print(line)


def taggers() -> list[str]:
    """A line for every tagger, and one for where it lies; what is wrong with one stands in its line."""
    from recomposer_studio.tagging.builtin import describe
    from recomposer_studio.tagging.installation import installed, yamnet_folder

    lines = []
    try:
        page = describe()
        lines += [
            f"tagger builtin (default): {page.path.stat().st_size / 1e6:.1f} MB; {len(page.event_classes)} classes in time,"
            f" {len(page.trained_classes)} of them from many recordings",
            f"  {page.path.parent}",
        ]
    except (InputError, OSError) as error:
        lines.append(f"tagger builtin: {error}")
    try:
        yamnet = installed(yamnet_folder())
        if yamnet is None:
            lines.append("tagger yamnet: not installed (recomposer models install yamnet); 521 classes")
        else:
            size = yamnet.path.stat().st_size / 1e6
            lines += [f"tagger yamnet: {size:.1f} MB; 521 classes; from {yamnet.source}", f"  {yamnet.path.parent}"]
    except (InputError, OSError) as error:
        lines.append(f"tagger yamnet: {error}")
    return lines


def run_install(arguments: argparse.Namespace) -> None:
    """Installs a model."""
    from recomposer_studio.tagging.installation import install, yamnet_folder

    with progress_bar("yamnet") as progress:
        result = install(arguments.origin, yamnet_folder(), progress)
    print(f"installed YAMNet from {result.source}: {result.path}")


def run_adopt(arguments: argparse.Namespace) -> None:
    """Begins a checkpoint with a published codec.

    Raises:
        InputError: the folder holds a codec already, or the codec cannot be read.
    """
    from recomposer_studio.codec.published import adopt
    from recomposer_studio.model.checkpoint import write_part

    out: Path = arguments.out
    if (out / catalogue.CONFIG).is_file() and "codec" in catalogue.describe(out).parts:
        raise InputError(
            f"{out}: there is a codec already, whose tokens the decoder there may know; name another folder"
        )
    codec = adopt(arguments.source, arguments.levels)
    write_part(out, "codec", codec.config.as_json(), codec.tensors())
    print(
        f"{arguments.source}: {codec.rate_hz} Hz, {codec.rate_hz / codec.hop:g} frames a second, {codec.levels} levels of "
        f"{codec.config.codebook_size} codes: {out}"
    )
