"""`recomposer train`: trains one part of a checkpoint from recordings of single events and backgrounds."""

import argparse
from pathlib import Path
from typing import Any


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("train", help="train a part of a checkpoint", description=__doc__)
    parser.add_argument("part", choices=("mask", "codec", "decoder"), help="decoder needs the codec in the same folder")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="checkpoint folder")
    parser.add_argument(
        "--max-minutes", type=float, metavar="M", help="wall-clock budget; the learning rate follows it"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run that lies in --out")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--share-alike", action="store_true", help="use CC BY-SA recordings too (the weights inherit their terms)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    chosen: dict[str, Any] = {
        "data": arguments.data,
        "out": arguments.out,
        "resume": arguments.resume,
        "seed": arguments.seed,
        "share_alike": arguments.share_alike,
    }
    if arguments.max_minutes is not None:
        chosen["max_minutes"] = arguments.max_minutes
    # torch takes seconds to load: only the part that is trained is imported.
    if arguments.part == "mask":
        from recomposer_studio.training.mask import MaskTraining, train_mask

        train_mask(MaskTraining(**chosen))
    elif arguments.part == "codec":
        from recomposer_studio.training.codec import CodecTraining, train_codec

        train_codec(CodecTraining(**chosen))
    else:
        from recomposer_studio.training.decoder import DecoderTraining, train_decoder

        train_decoder(DecoderTraining(**chosen))
