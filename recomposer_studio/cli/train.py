"""`recomposer train`: trains one part of a checkpoint from recordings of single events and backgrounds.

Several processes share a training under `torchrun -m recomposer_studio.cli.main train ...`.
"""

import argparse
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

PARTS = ("listener", "mask", "codec", "decoder", "critic", "editor", "tagger")
_EDITOR_SHARES = (0.2, 0.45, 0.35)
"""Shares of an editor's budget that its listener, its mask head and its decoder get."""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to the parser."""
    parser = commands.add_parser("train", help="train a part of a checkpoint", description=__doc__)
    parser.add_argument(
        "part",
        choices=PARTS,
        help="mask is told by a listener in the same folder, decoder needs the codec there; editor is listener, mask, decoder",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with manifest.csv")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="checkpoint folder")
    parser.add_argument(
        "--max-minutes", type=float, metavar="M", help="wall-clock budget; the learning rate follows it"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run that lies in --out")
    parser.add_argument(
        "--pause-minutes",
        type=float,
        metavar="M",
        help="listener, mask, codec, decoder: leave off after so long; --resume goes on",
    )
    parser.add_argument(
        "--begin-with",
        dest="start",
        type=Path,
        metavar="DIR",
        help="begin with the weights of this checkpoint (tagger: of the run in this folder)",
    )
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="DIR",
        help="mask, tagger: average with the mask head of this checkpoint or with this tagger, which stay as they are",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--share-alike", action="store_true", help="use CC BY-SA recordings too (the weights inherit their terms)"
    )
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep decoded recordings there between runs")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where to train (default: cpu)")
    parser.add_argument(
        "--drawers", type=int, metavar="N", help="mask: processes that draw scenes, needs --cache (default: a thread)"
    )
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), help="listener, mask, tagger: of the matrix products"
    )
    parser.add_argument(
        "--overlay", type=Path, action="append", default=[], metavar="FILE.json", help="other sizes and settings"
    )
    parser.add_argument(
        "--kind",
        choices=("mel", "waveform"),
        help="codec: of log-mel frames, for any machine (default), or of the waveform, which wants a GPU",
    )
    parser.add_argument(
        "--teacher",
        metavar="FILE|installed",
        help="tagger: YAMNet as published, which it learns from (default: the one that `models install yamnet` installed)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    if arguments.kind is not None and arguments.part != "codec":
        from recomposer_studio.errors import InputError

        raise InputError(f"--kind means nothing for {arguments.part}; leave it out")
    # torch takes seconds to load: only the part that is trained is imported.
    if arguments.part == "listener":
        _listener(arguments)
    elif arguments.part == "mask":
        _mask(arguments)
    elif arguments.part == "codec":
        _codec(arguments)
    elif arguments.part == "decoder":
        _decoder(arguments)
    elif arguments.part == "critic":
        from recomposer_studio.training.critic import CriticTraining, train_critic

        _train(arguments, CriticTraining, train_critic)
    elif arguments.part == "editor":
        minutes = arguments.max_minutes
        for share, train in zip(_EDITOR_SHARES, (_listener, _mask, _decoder), strict=True):
            arguments.max_minutes = None if minutes is None else minutes * share
            train(arguments)
    else:
        from recomposer_studio.training.tagger import TaggerTraining, train_tagger

        _train(arguments, TaggerTraining, train_tagger)


def _listener(arguments: argparse.Namespace) -> None:
    from recomposer_studio.training.listener import ListenerTraining, train_listener

    _train(arguments, ListenerTraining, train_listener)


def _mask(arguments: argparse.Namespace) -> None:
    from recomposer_studio.training.mask import MaskTraining, train_mask

    _train(arguments, MaskTraining, train_mask)


def _codec(arguments: argparse.Namespace) -> None:
    if arguments.kind == "waveform":
        from recomposer_studio.training.waveform import WaveformTraining, train_waveform

        _train(arguments, WaveformTraining, train_waveform)
    else:
        from recomposer_studio.training.codec import CodecTraining, train_codec

        _train(arguments, CodecTraining, train_codec)


def _decoder(arguments: argparse.Namespace) -> None:
    from recomposer_studio.training.decoder import DecoderTraining, train_decoder

    _train(arguments, DecoderTraining, train_decoder)


def _train(arguments: argparse.Namespace, kind: type[Any], train: Callable[[Any], object]) -> None:
    """Trains with what was given on the command line, then with what the overlays say; the part's own defaults otherwise."""
    from recomposer_studio.errors import InputError
    from recomposer_studio.training.overlay import overlaid, read_overlay

    known = {part.name for part in fields(kind)}
    given = {name: value for name, value in vars(arguments).items() if value is not None and name in known}
    # Of an editor's two parts, one may know what the other does not.
    for name in (
        "max_minutes",
        "start",
        "beside",
        "pause_minutes",
        "cache",
        "device",
        "drawers",
        "precision",
        "teacher",
    ):
        if getattr(arguments, name) is not None and name not in known and arguments.part != "editor":
            option = "begin-with" if name == "start" else name.replace("_", "-")
            raise InputError(f"--{option} means nothing for {arguments.part}; leave it out")
    options = kind(data=arguments.data, out=arguments.out)
    for path in arguments.overlay:
        options = overlaid(options, read_overlay(path), str(path))
    train(replace(options, **given))
