"""What the choice among candidates brings an Insert, and how near its level is to the one that was asked for.

Run: python benchmarks/inserting.py candidates --data DIR --yamnet yamnet.tflite [--scenes 90] [--rows FILE.jsonl]
     python benchmarks/inserting.py levels     --data DIR [--scenes 90]

Crowded validation scenes of the trained classes, drawn as `recomposer evaluate` draws them. `candidates` makes all candidates of every scene
once, measures each of them with the classifier, and compares rules to choose one. A second judge, which nothing was chosen by, is a
discriminant on pictures of sounds, fitted here to the training events. `--rows` keeps what was measured; the same call goes on.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.codec.mel_rvq import log_bands
from recomposer_studio.editing.generator import SoundRequest
from recomposer_studio.editing.regions import Region
from recomposer_studio.evaluation.anchors import RealEditor
from recomposer_studio.evaluation.bootstrap import bootstrap_mean, bootstrap_ratio
from recomposer_studio.evaluation.cases import Case, Sampler
from recomposer_studio.evaluation.editors import EngineEditor
from recomposer_studio.evaluation.measures import Judge
from recomposer_studio.evaluation.scorers import LiteRtYamnet
from recomposer_studio.model import catalogue
from recomposer_studio.model.checkpoint import load_checkpoint
from recomposer_studio.model.critic import Critic, statistics
from recomposer_studio.model.generator import TorchGenerator
from recomposer_studio.project.recipe import Recipe
from recomposer_studio.roll.event import Action
from recomposer_studio.training.cache import RATE_HZ, AudioCache, SplitAudio
from recomposer_studio.training.critic import LONGEST_S, fit
from recomposer_studio.training.datasets import load_library
from recomposer_studio.training.manifest import Library, trained_classes
from recomposer_studio.training.scenes import render_scene
from recomposer_studio.training.variants import normalised

MOST_YAMNET_RANK = 10
_PICTURE_FRAMES = 32
_RIPPLES = (24, 10)
"""Coefficients over bands and frames that the second judge sees of a picture."""
_DB_A_NEPER = 10.0 / np.log(10.0)
_SOUNDING = 9.2

Row = dict[str, Any]


def picture(log_power: NDArray[np.floating]) -> NDArray[np.float64]:
    """A sound's log band powers (bands, frames) without silence around it, relative to its level, at one length; (bands, 32)."""
    levels = np.log(np.exp(log_power).sum(axis=0))
    heard = np.flatnonzero(levels > levels.max() - _SOUNDING)
    part = np.asarray(log_power, np.float64)[:, heard[0] : heard[-1] + 1]
    relative = np.clip(part - np.log(np.exp(part).mean()), -9.0, 6.0)
    times = np.linspace(0, part.shape[1] - 1, _PICTURE_FRAMES)
    return np.stack([np.interp(times, np.arange(part.shape[1]), band) for band in relative])


def ripples(log_power: NDArray[np.floating]) -> NDArray[np.float64]:
    """What the second judge sees of a sound: the slow part of its picture's cosine transform."""
    bands, times = (
        np.cos(np.pi * np.arange(count)[:, None] * (np.arange(size) + 0.5) / size)
        for count, size in zip(_RIPPLES, (BANDS, _PICTURE_FRAMES), strict=True)
    )
    return np.asarray((bands @ picture(log_power) @ times.T).ravel())


class Candidates(TorchGenerator):
    """A model that makes all candidates once and answers with the one whose turn it is."""

    made: list[NDArray[np.float32]] | None = None
    turn = 0

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        """The candidate number `turn` of the last scene."""
        if self.made is None:
            self.made = self.candidates(request)
        wave = self.made[self.turn]
        return wave / max(1.0, float(np.abs(wave).max(initial=0.0)))


class Noise(TorchGenerator):
    """Noise for any request: what a level is tried with."""

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        """The same noise for everybody."""
        samples = round(request.duration_s * self.rate_hz)
        return np.random.default_rng(0).uniform(-0.5, 0.5, samples).astype(np.float32)


def drawn(library: Library, audio: SplitAudio, scenes: int, seed: int) -> list[Case]:
    """Crowded scenes into which an event of a trained class is to be inserted."""
    sampler = Sampler(audio, scenes, seed, 10.0, trained_classes(library), MOST_YAMNET_RANK)
    return [Case("candidates", (), spec) for spec in sampler.specs("overlap", "insert")]


def candidates(arguments: argparse.Namespace) -> None:
    """Prints a line a rule."""
    library = load_library(arguments.data)
    cache = AudioCache(library, arguments.cache)
    audio = cache.split("valid")
    checkpoint = load_checkpoint(catalogue.find(arguments.model).folder)
    model = Candidates(checkpoint)
    critic = Critic.from_tensors(checkpoint.configs["critic"], checkpoint.tensors["critic"])
    editor = EngineEditor(checkpoint.name, model, frozenset({Action.INSERT}))
    real, scorer = RealEditor(library, arguments.cache), LiteRtYamnet(arguments.yamnet)
    known = trained_classes(library)
    named = [_rank(critic, statistics(_heard(audio, key)), name) for key, name in _events(audio, known)]
    print(
        f"{len(named)} valid events: the critic names {np.mean([r == 0 for r in named]):.0%} rightly, "
        f"{np.mean([r < 5 for r in named]):.0%} in its first five",
        flush=True,
    )
    train = cache.split("train")
    learnt = _events(train, sorted(critic.classes))
    seen = np.stack([ripples(_heard(train, key)) for key, _ in learnt])
    second = fit(seen, [name for _, name in learnt], np.ones(len(seen)))
    pictures: dict[str, list[NDArray[np.float64]]] = {}
    for key, name in _events(audio, known):
        pictures.setdefault(name, []).append(picture(_heard(audio, key)))
    rows = _kept(arguments.rows)
    for number, case in enumerate(drawn(library, audio, arguments.scenes, arguments.seed)):
        if number < len(rows):
            continue
        scene = render_scene(cache, case.spec)
        task, judge, name = case.task(scene), Judge.of(scene, scorer), scene.edit.class_name
        model.made, model.turn, found = None, 0, []
        while model.made is None or model.turn < len(model.made):
            values = judge.measure(task, editor.edit(task).samples)
            power = log_bands(model.made[model.turn], model.rate_hz)
            shape = picture(power)
            near = min(np.sqrt(np.mean((shape - other) ** 2)) for other in pictures[name])
            found.append(
                {
                    "kld": values["kld_target"],
                    "top5": values["top5"],
                    "posterior": critic.scores(statistics(power))[critic.classes[name]],
                    "distance": critic.distances(statistics(power))[critic.classes[name]],
                    "second": float(_rank(second, ripples(power), name) < 5),
                    "near_db": near * _DB_A_NEPER,
                }
            )
            model.turn += 1
        row: Row = {"input": judge.measure(task, scene.input)["kld_target"], "candidates": found}
        if real.suits(task):
            values = judge.measure(task, real.edit(task).samples)
            row["real"] = {"kld": values["kld_target"], "top5": values["top5"]}
        rows.append(row)
        if arguments.rows is not None:
            with arguments.rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    tell(rows[: arguments.scenes])


def tell(rows: Sequence[Row]) -> None:
    """Prints the table of rows as `candidates` makes them."""
    rows = [row for row in rows if len(row["candidates"]) > 1]
    before = np.array([row["input"] for row in rows])
    made = {
        what: np.array([[one[what] for one in row["candidates"]] for row in rows]) for what in rows[0]["candidates"][0]
    }
    closeness = -0.5 * made["distance"]
    rules = {
        "log posterior alone": made["posterior"],
        "log likelihood alone": closeness,
        "the critic's choice: both": made["posterior"] + closeness,
        "the classifier itself": -made["kld"],
    }
    everyone = np.full(made["kld"].shape, 1.0 / made["kld"].shape[1])
    shares = {"candidate 0": np.eye(made["kld"].shape[1])[np.zeros(len(rows), int)], "mean of all": everyone}
    shares |= {name: np.eye(score.shape[1])[score.argmax(axis=1)] for name, score in rules.items()}
    taken = {name: {what: (share * made[what]).sum(axis=1) for what in made} for name, share in shares.items()}
    print(
        f"{len(rows)} scenes, {everyone.shape[1]} candidates; intervals of 90 % over scenes; gain: KLD ratio less than that of the mean"
    )
    print(f"{'kept':28} {'KLD ratio':20} {'gain':22} {'top 5':22} {'second judge':14} nearest event")
    for name, values in taken.items():
        ratio, gain = (
            bootstrap_ratio(kld, before) for kld in (values["kld"], taken["mean of all"]["kld"] - values["kld"])
        )
        top = bootstrap_mean(values["top5"])
        print(
            f"{name:28} {_told(ratio):20} {_told(gain):22} {_told(top):22} {values['second'].mean():<14.1%} "
            f"{values['near_db'].mean():.1f} dB"
        )
    others = [row for row in rows if "real" in row]
    ratio = bootstrap_ratio([row["real"]["kld"] for row in others], [row["input"] for row in others])
    top = bootstrap_mean([row["real"]["top5"] for row in others])
    print(f"{'another real recording':28} {_told(ratio):20} {'':22} {_told(top)} ({len(others)} scenes)")
    both, one = taken["the critic's choice: both"], taken["log posterior alone"]
    changed = int((shares["the critic's choice: both"] != shares["log posterior alone"]).any(axis=1).sum())
    print(
        f"both after log posterior ({changed} scenes differ): KLD ratio {_told(bootstrap_ratio(both['kld'] - one['kld'], before))}, "
        f"top 5 {_told(bootstrap_mean(both['top5'] - one['top5']))}"
    )


def levels(arguments: argparse.Namespace) -> None:
    """Prints by how many dB an insert is off the level over the background that was asked for."""
    library = load_library(arguments.data)
    cache = AudioCache(library, arguments.cache)
    checkpoint = catalogue.find(arguments.model)
    editor = EngineEditor("noise", Noise(load_checkpoint(checkpoint.folder)), frozenset({Action.INSERT}))
    whole, estimated = [], []
    for case in drawn(library, cache.split("valid"), arguments.scenes, arguments.seed):
        scene = render_scene(cache, case.spec)
        task = case.task(scene)
        region = Region.of(task.row, scene.rate_hz, len(scene.input), Recipe().fade_s)
        wanted = float(np.sum(scene.edit.after.astype(np.float64) ** 2))
        base = scene.input[region.start : region.stop].astype(np.float64)
        placed = editor.edit(task).samples.astype(np.float64) - scene.input
        whole.append(task.row.level_db + 10.0 * np.log10(np.sum(base**2) / wanted))
        estimated.append(10.0 * np.log10(np.sum(placed**2) / wanted))
    print(f"{len(whole)} scenes: dB above the level that was asked for, if the level counts over")
    for name, found in (("all that is in the box", whole), ("the background alone", estimated)):
        print(
            f"{name:24} mean {np.mean(found):+.1f}, 90th percentile {np.percentile(found, 90):+.1f}, "
            f"mean distance {np.mean(np.abs(found)):.1f}"
        )


def _events(audio: SplitAudio, classes: Sequence[str]) -> list[tuple[str, str]]:
    return [(event.key, event.class_name) for event in audio.events if event.class_name in classes]


def _heard(audio: SplitAudio, key: str) -> NDArray[np.float64]:
    return log_bands(normalised(audio.read(key, 0, round(LONGEST_S * RATE_HZ))), RATE_HZ)


def _rank(critic: Critic, values: NDArray[np.float64], name: str) -> int:
    scores = critic.scores(values)
    return int((scores > scores[critic.classes[name]]).sum())


def _kept(path: Path | None) -> list[Row]:
    if path is None or not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _told(interval: tuple[float, float, float]) -> str:
    return "{:.3f} [{:.3f}, {:.3f}]".format(*interval)


def main() -> None:
    """Runs one of the two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("candidates", "levels"))
    parser.add_argument("--data", type=Path, required=True, help="recordings: a folder with manifest.csv")
    parser.add_argument("--yamnet", type=Path, help="candidates: the published YAMNet")
    parser.add_argument("--model", default=catalogue.DEFAULT, help="checkpoint (default: %(default)s)")
    parser.add_argument("--scenes", type=int, default=90, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=20_000, help="of the first scene (default: %(default)s)")
    parser.add_argument("--cache", type=Path, help="folder that keeps decoded recordings")
    parser.add_argument("--rows", type=Path, help="candidates: file that keeps what was measured")
    arguments = parser.parse_args()
    if arguments.what == "candidates":
        if arguments.yamnet is None:
            parser.error("candidates needs --yamnet")
        candidates(arguments)
    else:
        levels(arguments)


if __name__ == "__main__":
    main()
