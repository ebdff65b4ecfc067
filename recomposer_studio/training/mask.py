"""Training of the mask head.

The loss mirrors the spectral distance in the band domain: how far the log level of what the edit leaves lies from that of what it should
leave, inside the box. A little cross-entropy on the event's ideal ratio keeps the gradient alive where repair is sure and wrong.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.data import data_folder
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import load_checkpoint, write_facts, write_part
from recomposer_studio.model.conditioning import TextVectors
from recomposer_studio.model.mask import MaskConfig, MaskNet, build_mask, predict_share
from recomposer_studio.roll.event import Action
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.attribution import attribution_page, used_files
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest, trained_classes
from recomposer_studio.training.mask_examples import (
    ExamplePool,
    MaskBatch,
    MaskExample,
    RememberedTexts,
    evaluation_example,
)
from recomposer_studio.training.pace import Average, Pace, load_run, save_run
from recomposer_studio.training.scene_spec import Kind, SceneOptions
from recomposer_studio.training.scenes import draw_scene

FLOOR = 1e-10
"""Band power under which differences do not count, as the metric's floor of 1e-3 on unnormalised magnitudes: about 55 dB below the
background of a scene at -26 dBFS."""
VALID_KINDS: tuple[Kind, ...] = ("plain", "overlap")
VALID_ACTIONS = ("delete", "enhance")

_RATIO_WEIGHT = 0.2
_BETAS = (0.9, 0.95)
_DECAY = 0.01
_CLIP = 1.0
_AHEAD = 3


@dataclass(frozen=True)
class MaskTraining:
    """What `train_mask` needs.

    Attributes:
        data: the manifest of recordings, or its folder.
        out: checkpoint folder; the state of the run and `log.jsonl` lie there too.
        max_minutes: wall-clock budget.
        resume: go on with the run that lies in `out`.
        seed: of the draws and of the first weights.
        share_alike: use recordings under CC BY-SA too.
        batch: examples in a step.
        fresh: how many of them are newly drawn.
        start: a checkpoint whose mask head training begins with, or None for one that is spectral repair.
        peak_rate: highest learning rate.
        average: decay of the averaged weights, which are the ones that are kept.
        valid_scenes: validation scenes of every kind and action.
        valid_every_s: seconds between validations.
        precision: of the linear layers in training; bfloat16 halves their time on processors that have it. Weights stay float32.
        cache: folder that keeps decoded recordings between runs, or None.
        config: the network.
    """

    data: Path
    out: Path
    max_minutes: float = 75.0
    resume: bool = False
    seed: int = 0
    share_alike: bool = False
    batch: int = 16
    fresh: int = 5
    start: Path | None = None
    peak_rate: float = 1e-3
    average: float = 0.998
    valid_scenes: int = 24
    valid_every_s: float = 300.0
    precision: Literal["float32", "bfloat16"] = "float32"
    cache: Path | None = None
    config: MaskConfig = field(default_factory=MaskConfig)


def outcome(share: Tensor, mixture: Tensor, gain: Tensor) -> Tensor:
    """Band power that an edit leaves: `((1 - s) + k^2 s) X`; share and mixture (batch, bands, frames), gain (batch,)."""
    return (1.0 - share + gain[:, None, None].square() * share) * mixture


def mask_loss(share: Tensor, batch: MaskBatch) -> tuple[Tensor, Tensor]:
    """The loss, and the distance in nepers alone.

    Args:
        share: the network's answer, (batch, bands, frames).
        batch: what it was asked.

    Returns:
        Two scalars, means over the frames of all boxes and over bands.
    """
    left = torch.log(outcome(share, batch.mixture, batch.gain) + FLOOR)
    distance = (left - torch.log(batch.desired + FLOOR)).abs() / 2.0
    ideal = batch.target / (batch.target + batch.rest + FLOOR)
    safe = share.clamp(1e-5, 1.0 - 1e-5)
    ratio = -(ideal * torch.log(safe) + (1.0 - ideal) * torch.log1p(-safe))
    weight = batch.active[:, None, :].expand_as(share)
    total = weight.sum().clamp(min=1.0)
    nepers = (distance * weight).sum() / total
    return nepers + _RATIO_WEIGHT * (ratio * weight).sum() / total, nepers


def band_distance(share: NDArray[np.floating], example: MaskExample) -> float:
    """Mean distance in nepers between an edit by this share (bands, frames) and the desired output, in the box."""
    left = (1.0 - share + example.gain**2 * share) * example.mixture
    distance = np.abs(np.log(left + FLOOR) - np.log(example.desired + FLOOR)) / 2.0
    return float(distance[:, example.active].mean())


@dataclass(frozen=True)
class Validation:
    """Fixed validation scenes: (kind, action) -> one example per scene."""

    examples: Mapping[tuple[str, str], tuple[MaskExample, ...]]

    @staticmethod
    def draw(
        cache: AudioCache, texts: TextVectors, classes: tuple[str, ...], scenes: int, seed: int = 0
    ) -> "Validation":
        """Plain and overlap scenes of Delete and Enhance from the valid split, targets of the trained classes."""
        heard = {event.class_name for event in cache.split("valid").events}
        options = SceneOptions(classes=tuple(name for name in classes if name in heard) or None)
        return Validation(
            {
                (kind, action): tuple(
                    evaluation_example(draw_scene(cache, "valid", seed + n, kind, action, 10.0, options), texts)
                    for n in range(scenes)
                )
                for kind in VALID_KINDS
                for action in VALID_ACTIONS
            }
        )

    def ratios(self, share: Callable[[MaskExample], NDArray[np.floating]]) -> dict[str, float]:
        """Distance after the edit by the distance of the input, summed over scenes; by "kind action"."""
        out = {}
        for (kind, action), examples in self.examples.items():
            after = sum(band_distance(share(e), e) for e in examples)
            before = sum(band_distance(np.zeros_like(e.repair), e) for e in examples)
            out[f"{kind} {action}"] = round(after / max(before, 1e-9), 4)
        return out


def by_repair(example: MaskExample) -> NDArray[np.floating]:
    """Spectral repair's share."""
    return example.repair * example.active


def by_oracle(example: MaskExample) -> NDArray[np.float32]:
    """The ideal ratio of the separately known signals."""
    return example.target / (example.target + example.rest + np.float32(FLOOR)) * example.active


def by_net(net: MaskNet) -> Callable[[MaskExample], NDArray[np.floating]]:
    """A network's share, as inference computes it."""

    def share(example: MaskExample) -> NDArray[np.floating]:
        active = example.others_active > 0
        scale = net.config.scale(Action.ENHANCE if example.gain > 0 else Action.DELETE)
        return predict_share(net, example.features, example.repair, example.query, example.others, active, scale)

    return share


def train_mask(options: MaskTraining, report: Callable[[str], None] = print) -> dict[str, float]:
    """Trains a mask head and writes it as the `mask` part of the checkpoint in `options.out`.

    Returns:
        The last validation: ratios of the averaged weights by "kind action".

    Raises:
        InputError: unusable recordings, or a state that does not fit `options`.
    """
    torch.manual_seed(options.seed)
    library = load_manifest(options.data, share_alike=options.share_alike)
    cache, texts, classes = (
        AudioCache(library, options.cache),
        RememberedTexts(LabelTable.load()),
        trained_classes(library),
    )
    valid = Validation.draw(cache, texts, classes, options.valid_scenes)
    report(f"validation: repair {valid.ratios(by_repair)}, oracle {valid.ratios(by_oracle)}")
    net = MaskNet(options.config) if options.start is None else build_mask(load_checkpoint(options.start))
    if net.config != options.config:
        raise InputError(
            f"{options.start}: its mask head has another size; give its configuration or train from the beginning"
        )
    optimiser = torch.optim.AdamW(weight_groups(net), lr=options.peak_rate, betas=_BETAS)
    average = Average(net, options.average)
    state = options.out / "run.safetensors"
    step, spent_s = load_run(state, net, average, optimiser) if options.resume else (0, 0.0)
    pace = Pace(options.max_minutes, spent_s)
    report(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M weights, from step {step}")
    log = options.out / "log.jsonl"
    options.out.mkdir(parents=True, exist_ok=True)
    judged_s, losses, ratios = pace.spent_s, [], {}
    with ThreadPoolExecutor(1) as drawer, _one_thread():
        # Scenes are drawn beside the network's arithmetic, a few steps ahead.
        pool = ExamplePool(cache, texts, options.seed, options.batch, options.fresh)
        ahead = [drawer.submit(pool.batch, step + n) for n in range(_AHEAD)]
        while pace.share < 1.0:
            batch = ahead.pop(0).result()
            ahead.append(drawer.submit(pool.batch, step + _AHEAD))
            for group in optimiser.param_groups:
                group["lr"] = pace.rate(options.peak_rate, step)
            losses.append(training_step(net, optimiser, batch, options.precision))
            average.update(net, step)
            step += 1
            if pace.spent_s - judged_s >= options.valid_every_s:
                judged_s = pace.spent_s
                ratios = _judge(options, average, valid, log, step, pace, losses, report)
                losses = []
            if pace.save_due():
                save_run(state, net, average, optimiser, step, pace.spent_s)
        for waiting in ahead:
            waiting.cancel()
    ratios = _judge(options, average, valid, log, step, pace, losses, report)
    save_run(state, net, average, optimiser, step, pace.spent_s)
    write_part(options.out, "mask", asdict(options.config), average.values)
    vectors = (data_folder("resources") / "text_vectors.npz").read_bytes()
    write_facts(options.out, classes=classes, text_vectors=hashlib.sha256(vectors).hexdigest())
    page = attribution_page(options.data, used_files(cache.split("train")))
    (options.out / "ATTRIBUTION.md").write_text(page, encoding="utf-8")
    return ratios


def weight_groups(net: MaskNet) -> list[dict[str, object]]:
    """Weight decay on matrices and kernels alone."""
    matrices = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": matrices, "weight_decay": _DECAY}, {"params": rest, "weight_decay": 0.0}]


def training_step(
    net: MaskNet, optimiser: torch.optim.Optimizer, batch: MaskBatch, precision: str = "float32"
) -> float:
    """One step on a batch; returns the distance in nepers before it."""
    net.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        share = net(batch.features, batch.repair, batch.query, batch.others, batch.others_active)
    loss, nepers = mask_loss(share, batch)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
    optimiser.step()
    return float(nepers.detach())


def _judge(
    options: MaskTraining,
    average: Average,
    valid: Validation,
    log: Path,
    step: int,
    pace: Pace,
    losses: list[float],
    report: Callable[[str], None],
) -> dict[str, float]:
    net = MaskNet(options.config)
    net.load_state_dict(average.values)
    net.eval()
    ratios = valid.ratios(by_net(net))
    line = {
        "time": time.strftime("%H:%M:%S"),
        "minutes": round(pace.spent_s / 60.0, 1),
        "step": step,
        "nepers": round(float(np.mean(losses)), 4) if losses else None,
        "valid": ratios,
    }
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    report(json.dumps(line))
    return ratios


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
