"""How mask heads compare on validation scenes in the band grid, and how well a listener tells sounds apart. Weights are chosen by these figures.

Run: python benchmarks/masks.py heads    --data DIR [--cache DIR] [--scenes 60] [--untrained] CHECKPOINT...
     python benchmarks/masks.py listener --data DIR [--cache DIR] [--scenes 192] CHECKPOINT...
     python benchmarks/masks.py levels   --data DIR [--cache DIR] [--scenes 100] CHECKPOINT...

`heads` gives the distance to the wanted scene after the edit by that before it: for every network of a checkpoint alone, for their mean, and for
slacks of its corrections; where the row names the other sound of a box, also in how many scenes the named one falls by 6 dB more than the rest, and
in how many it falls more at all. `listener` gives the figures of its validation for pairs of training events, which it learnt from, and for pairs of
validation events. `levels` gives how well the level of an event is estimated on validation scenes, mean and mean absolute error in dB: from
what the mask head finds, from what spectral repair finds, and by the rule of `editing/separation.py`; then the constants of that rule, fitted anew to
training scenes.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recomposer_studio.editing.separation import level_of
from recomposer_studio.model.checkpoint import load_checkpoint
from recomposer_studio.model.listener import Listener, build_listener
from recomposer_studio.model.mask import MaskNet, build_mask, corrected, lessened
from recomposer_studio.roll.event import Action
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.listener import log_shares, pair_figures
from recomposer_studio.training.listener_scenes import SoundBank, draw_batch
from recomposer_studio.training.manifest import load_manifest, trained_classes
from recomposer_studio.training.mask import (
    VALID_KINDS,
    Validation,
    band_distance,
    by_net,
    by_oracle,
    by_repair,
)
from recomposer_studio.training.mask_examples import MaskExample, evaluation_example
from recomposer_studio.training.scene_spec import Kind, SceneOptions
from recomposer_studio.training.scenes import draw_scene

SLACKS = (0.0, 0.5, 1.0, 2.0, 3.0)
MARGIN_DB = 6.0
BATCH = 16
"""Pairs that a listener hears at a time."""
LEVELS_DB = {"as evaluated": (-9.0, -3.0), "any faint": (-15.0, 6.0), "loud": (6.0, 30.0)}
"""Levels of events over their background in the scenes of `levels`; the last two are what the rule is fitted to."""
FIRST_SEED = 3_000
"""Other scenes than those by which weights are chosen."""
REWEIGHTED = 15
"""Rounds in which a least-squares fit comes near to least absolute errors."""

_FloatArray = NDArray[np.floating]
Share = Callable[[MaskExample], _FloatArray]
Answers = Mapping[tuple[str, str], Sequence[_FloatArray]]


def heads(arguments: argparse.Namespace) -> None:
    """Prints a line for repair, the ideal mask, and every network, checkpoint and slack."""
    library = load_manifest(arguments.data, share_alike=False)
    cache = AudioCache(library, arguments.cache)
    classes = trained_classes(library)
    learnt = not arguments.untrained
    if not learnt:
        classes = tuple(sorted({event.class_name for event in cache.split("valid").events} - set(classes)))
    valid = Validation.draw(cache, LabelTable.load(), classes, arguments.scenes).examples
    print(f"{arguments.scenes} validation scenes a line, distance after by distance before")
    print_line("repair", valid, {kind: [by_repair(e) for e in examples] for kind, examples in valid.items()})
    print_line("ideal mask", valid, {kind: [by_oracle(e) for e in examples] for kind, examples in valid.items()})
    for folder in arguments.checkpoints:
        checkpoint = load_checkpoint(folder)
        net, listener = build_mask(checkpoint), build_listener(checkpoint)
        alone = [net, *net.beside]
        net.beside, shipped = torch.nn.ModuleList(), net.config.delete_slack
        found = []
        for number, part in enumerate(alone):
            assert isinstance(part, MaskNet)
            part.config = replace(part.config, delete_slack=0.0)
            found.append(corrections(part, listener, valid))
            if len(alone) > 1:
                print_line(f"{folder.name}, network {number + 1}", valid, with_slack(valid, found[-1], 0.0, learnt))
        mean = {kind: [np.mean(each, axis=0) for each in zip(*(f[kind] for f in found), strict=True)] for kind in valid}
        for slack in sorted({*SLACKS, shipped}):
            here = " (as it is)" if slack == shipped else ""
            print_line(f"{folder.name}, slack {slack}{here}", valid, with_slack(valid, mean, slack, learnt))


def corrections(
    net: MaskNet, listener: Listener | None, valid: Mapping[tuple[str, str], Sequence[MaskExample]]
) -> dict[tuple[str, str], list[_FloatArray]]:
    """What a network adds to the logits of repair's shares, inside the boxes, (bands, frames) each."""
    share = by_net(net, listener)
    return {
        kind: [(_logit(share(e)) - _logit(e.repair)) * e.active for e in examples] for kind, examples in valid.items()
    }


def with_slack(
    valid: Mapping[tuple[str, str], Sequence[MaskExample]], found: Answers, slack: float, learnt: bool
) -> dict[tuple[str, str], list[_FloatArray]]:
    """Shares after corrections; for Delete, those that leave more than repair are lessened by a slack."""
    out: dict[tuple[str, str], list[_FloatArray]] = {}
    for kind, examples in valid.items():
        less = 0.0 if kind[1] == Action.ENHANCE.value else slack
        out[kind] = []
        for e, c in zip(examples, found[kind], strict=True):
            repair, power = torch.from_numpy(e.repair), torch.from_numpy(e.mixture * e.active)
            taken = corrected(repair, lessened(repair, torch.from_numpy(c), power, less, learnt))
            out[kind].append(taken.numpy() * e.active)
    return out


def print_line(name: str, valid: Mapping[tuple[str, str], Sequence[MaskExample]], shares: Answers) -> None:
    """One line: ratios by kind and action, and the falls where the row names the other sound."""
    parts, falls = [], []
    for kind, examples in valid.items():
        after = sum(band_distance(s, e) for s, e in zip(shares[kind], examples, strict=True))
        before = sum(band_distance(np.zeros_like(e.repair), e) for e in examples)
        parts.append(f"{' '.join(kind)} {after / max(before, 1e-9):.3f}")
        if kind[0] == "swapped":
            falls = [fall_beyond(s, e) for s, e in zip(shares[kind], examples, strict=True)]
    more = np.array(falls)
    print(
        f"{name:32s} {'  '.join(parts)}  named falls by {MARGIN_DB:.0f} dB more {100 * np.mean(more >= MARGIN_DB):.0f} %, "
        f"more {100 * np.mean(more > 0):.0f} %, median {np.median(more):.1f} dB",
        flush=True,
    )


def fall_beyond(share: _FloatArray, example: MaskExample) -> float:
    """By how many dB the event asked about falls more than the rest of its box."""
    left = 1.0 - share[:, example.active]
    falls = []
    for power in (example.target[:, example.active], example.rest[:, example.active]):
        falls.append(-10.0 * np.log10(float((left * power).sum()) / max(float(power.sum()), 1e-12) + 1e-9))
    return float(falls[0] - falls[1])


def _logit(share: _FloatArray) -> _FloatArray:
    inside = np.clip(share, 1e-12, 1.0 - 1e-12)
    return np.log(inside) - np.log1p(-inside)


def listener_pairs(arguments: argparse.Namespace) -> None:
    """Prints how well pairs of training and of validation events are told apart."""
    library = load_manifest(arguments.data, share_alike=False)
    cache, trained = AudioCache(library, arguments.cache), trained_classes(library)
    train = cache.split("train")
    classes = {name: number for number, name in enumerate(sorted({event.class_name for event in train.events}))}
    for folder in arguments.checkpoints:
        listener = build_listener(load_checkpoint(folder))
        if listener is None:
            print(f"{folder.name} has no listener")
            continue
        if listener.config.classes != len(classes):
            print(f"{folder.name} was trained on other classes than these recordings have")
            continue
        for split in ("train", "valid"):
            audio = cache.split(split)
            heard = {event.class_name for event in audio.events}
            bank = SoundBank.of(audio, (), tuple(name for name in trained if name in heard))
            rng = np.random.default_rng(5)
            values: dict[str, list[float]] = {}
            for _ in range(0, arguments.scenes, BATCH):
                batch = draw_batch(bank, classes, rng, BATCH, pairs=True)
                with torch.no_grad():
                    said = log_shares(listener, batch)
                for name, value in pair_figures(said, batch).items():
                    values.setdefault(name, []).extend(value)
            print(folder.name, split, *(f"{name} {np.mean(found):.3f}" for name, found in values.items()), flush=True)


def levels(arguments: argparse.Namespace) -> None:
    """Prints errors of estimated levels, and the constants of the rule as training scenes would have them."""
    library = load_manifest(arguments.data, share_alike=False)
    cache, trained, texts = AudioCache(library, arguments.cache), trained_classes(library), LabelTable.load()
    for folder in arguments.checkpoints:
        checkpoint = load_checkpoint(folder)
        share = by_net(build_mask(checkpoint), build_listener(checkpoint))

        def powers(
            split: str, kind: Kind, span_db: tuple[float, float], scenes: int, share: Share = share
        ) -> _FloatArray:
            heard = {event.class_name for event in cache.split(split).events}
            classes = tuple(name for name in trained if name in heard)
            options = SceneOptions(classes=classes, enhance_input_tbr_db=span_db)
            rows = []
            for seed in range(FIRST_SEED, FIRST_SEED + scenes):
                scene = draw_scene(cache, split, seed, kind, "enhance", 10.0, options)
                rows.append([*box_powers(evaluation_example(scene, texts), share), scene.edit.input_db])
            return np.array(rows)

        for name, span_db in LEVELS_DB.items():
            for kind in VALID_KINDS:
                found, rest, beyond, below, level_db = powers("valid", kind, span_db, arguments.scenes).T
                by_rule = [level_of(*row) for row in zip(found, rest, beyond, below, strict=True)]
                errors = {
                    "mask head": 10.0 * np.log10(found / rest) - level_db,
                    "repair": 10.0 * np.log10(beyond / below) - level_db,
                    "both": np.array(by_rule) - level_db,
                }
                shown = (f"{who} {e.mean():+.1f} {np.abs(e).mean():.1f}" for who, e in errors.items())
                print(f"{folder.name}, {kind}, {name}:", "  ".join(shown), flush=True)
        learnt = [
            powers("train", kind, LEVELS_DB[name], scenes)
            for kind in VALID_KINDS
            for name, scenes in (("any faint", 4 * arguments.scenes), ("loud", arguments.scenes))
        ]
        print(f"{folder.name}: BURIED, BURIED_DB, CLEARER_DB =", *fitted_rule(np.concatenate(learnt)).round(3))


def box_powers(example: MaskExample, share: Share) -> tuple[float, float, float, float]:
    """Power inside the box that a mask head gives the event and leaves, and that repair gives it and leaves."""
    power = example.mixture * example.active
    taken, excess = share(example), example.repair * example.active
    by_head, by_repair = float((power * taken).sum()), float((power * excess).sum())
    return by_head, float(power.sum()) - by_head, by_repair, float(power.sum()) - by_repair


def fitted_rule(rows: _FloatArray) -> _FloatArray:
    """The three constants of `level_of` with the least absolute error; rows of `box_powers` and the true level in dB."""
    found, rest, beyond, below, level_db = rows.T
    own = found / (found + rest)
    found_db, beyond_db = 10.0 * np.log10(found / below), 10.0 * np.log10(beyond / below)
    terms = (1.0 - own)[:, None] * np.stack([found_db + beyond_db, np.ones_like(own), own], axis=1)
    wanted, weight = level_db - own * found_db, np.ones_like(own)
    for _ in range(REWEIGHTED):
        scale = np.sqrt(weight)[:, None]
        constants: _FloatArray = np.linalg.lstsq(terms * scale, wanted * scale[:, 0], rcond=None)[0]
        weight = 1.0 / np.maximum(np.abs(wanted - terms @ constants), 1.0)
    return constants


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    actions = parser.add_subparsers(required=True)
    for name, action, scenes in (("heads", heads, 60), ("listener", listener_pairs, 192), ("levels", levels, 100)):
        one = actions.add_parser(name)
        one.add_argument("--data", type=Path, required=True)
        one.add_argument("--cache", type=Path)
        one.add_argument("--scenes", type=int, default=scenes)
        one.add_argument("checkpoints", type=Path, nargs="+")
        if action is heads:
            one.add_argument(
                "--untrained", action="store_true", help="classes with too few training recordings instead"
            )
        one.set_defaults(action=action)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.action(arguments)


if __name__ == "__main__":
    main()
