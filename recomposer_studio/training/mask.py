"""Training of the mask head.

The loss mirrors the spectral distance in the band domain: how far the log level of what the edit leaves lies from that of what it should
leave, inside the box. A little cross-entropy on the event's ideal ratio keeps the gradient alive where repair is sure and wrong.
"""

import hashlib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from recomposer_studio.audio.bands import BANDS, BandGrid
from recomposer_studio.data import data_folder
from recomposer_studio.editing.regions import Window
from recomposer_studio.errors import InputError
from recomposer_studio.model.catalogue import CONFIG
from recomposer_studio.model.checkpoint import load_checkpoint, write_facts, write_part
from recomposer_studio.model.conditioning import TextVectors
from recomposer_studio.model.listener import LISTENER_PLANES, STEP, Listener, build_listener
from recomposer_studio.model.mask import MaskConfig, MaskNet, build_mask, heard_by, moved_planes, predict_share
from recomposer_studio.model.refiner import RefinerConfig
from recomposer_studio.roll.event import Action
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.attribution import attribution_page, used_files
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.crew import Crew
from recomposer_studio.training.curves import Curves
from recomposer_studio.training.manifest import trained_classes
from recomposer_studio.training.mask_examples import MaskBatch, MaskExample, RememberedTexts, evaluation_example
from recomposer_studio.training.mask_stream import ExampleStream
from recomposer_studio.training.muon import Muon, inner_weights
from recomposer_studio.training.run import Run, Training
from recomposer_studio.training.scene_spec import Kind, SceneOptions
from recomposer_studio.training.scenes import Scene, draw_scene

FLOOR = 1e-10
"""Band power under which differences do not count, as the metric's floor of 1e-3 on unnormalised magnitudes: about 55 dB below the
background of a scene at -26 dBFS."""
VALID_KINDS: tuple[Kind, ...] = ("plain", "overlap")
VALID_ACTIONS = ("delete", "enhance")

_RATIO_WEIGHT = 0.2
_DOUBT = 1.6
"""Noise that makes what a listener tells of training events as uncertain as what it tells of validation events, by their cross-entropy."""
_BETAS = (0.9, 0.95)
_DECAY = 0.01
_INNER = ("encoder.blocks", "refiner.down", "refiner.up")


@dataclass(frozen=True)
class MaskTraining(Training):
    """What `train_mask` needs.

    Attributes:
        batch: examples in a step.
        fresh: how many of them are newly drawn.
        start: a checkpoint whose mask head training begins with, or None for one that is spectral repair.
        beside: a checkpoint whose mask head answers along with the trained one, their corrections averaged; it is not trained.
        peak_rate: highest learning rate.
        average: decay of the averaged weights, which are the ones that are kept.
        valid_scenes: validation scenes of every kind and action.
        valid_every_s: seconds between validations.
        heard_weight: what `heard_distance` counts in the loss; 0 leaves it out. It needs a listener.
        precision: of the linear layers in training; bfloat16 halves their time on processors that have it. Weights stay float32.
        drawers: processes that draw scenes beside the network; 0 draws in a thread.
        config: the network.
    """

    max_minutes: float = 75.0
    batch: int = 16
    fresh: int = 6
    start: Path | None = None
    beside: Path | None = None
    peak_rate: float = 7e-4
    average: float = 0.998
    heard_weight: float = 0.0
    valid_scenes: int = 24
    valid_every_s: float = 300.0
    precision: Literal["float32", "bfloat16"] = "float32"
    drawers: int = 0
    config: MaskConfig = field(default_factory=lambda: MaskConfig(refiner=RefinerConfig(), words=128))


def outcome(share: Tensor, mixture: Tensor, gain: Tensor) -> Tensor:
    """Band power that an edit leaves: `((1 - s) + k^2 s) X`; share and mixture (batch, bands, frames), gain (batch,)."""
    return (1.0 - share + gain[:, None, None].square() * share) * mixture


def mask_loss(share: Tensor, batch: MaskBatch, crew: Crew | None = None) -> tuple[Tensor, Tensor]:
    """The loss, and the distance in nepers alone.

    Args:
        share: the network's answer, (batch, bands, frames).
        batch: what it was asked.
        crew: processes whose boxes count together: the mean over them is the loss of all their batches in one.

    Returns:
        Two scalars, means over the frames of all boxes and over bands.
    """
    left = torch.log(outcome(share, batch.mixture, batch.gain) + FLOOR)
    distance = (left - torch.log(batch.desired + FLOOR)).abs() / 2.0
    ideal = batch.target / (batch.target + batch.rest + FLOOR)
    safe = share.clamp(1e-5, 1.0 - 1e-5)
    ratio = -(ideal * torch.log(safe) + (1.0 - ideal) * torch.log1p(-safe))
    weight = batch.active[:, None, :].expand_as(share)
    total = weight.sum() if crew is None else crew.mean(weight.sum())
    total = total.clamp(min=1.0)
    nepers = (distance * weight).sum() / total
    return nepers + _RATIO_WEIGHT * (ratio * weight).sum() / total, nepers


def heard_distance(share: Tensor, batch: MaskBatch, listener: Listener, crew: Crew | None = None) -> Tensor:
    """How differently a listener hears what an edit leaves and what it should leave, in nats; in the boxes of every second example, to save time.

    Kullback-Leibler divergence of the shares that it gives all classes in a cell. The spectral distance weighs all cells alike; who listens weighs
    those that tell what sounds. The listener learnt from the same recordings; no classifier that prints a figure takes part.

    Args:
        share: the network's answer, (batch, bands, frames).
        batch: what it was asked.
        listener: who hears.
        crew: as in `mask_loss`.

    Returns:
        A scalar, mean over the cells of the boxes.
    """
    share, mixture, desired, active = (part[::2] for part in (share, batch.mixture, batch.desired, batch.active))
    planes = batch.features[::2, : LISTENER_PLANES * BANDS].unflatten(1, (LISTENER_PLANES, BANDS))
    beyond = -planes.shape[-1] % STEP
    before = torch.log(mixture + FLOOR)

    def said(power: Tensor) -> Tensor:
        moved = moved_planes(planes, (torch.log(power + FLOOR) - before) * active[:, None, :])
        cells = listener(functional.pad(moved.float(), (0, beyond)))
        with torch.autocast(planes.device.type, enabled=False):
            return listener.logits(cells.float(), listener.keys(listener.known.float())).log_softmax(dim=-1)

    with torch.no_grad():
        wanted = said(desired)
    divergence = (wanted.exp() * (wanted - said(outcome(share, mixture, batch.gain[::2])))).sum(dim=-1)
    steps = functional.pad(active.to(divergence.dtype), (0, beyond)).unflatten(1, (-1, STEP)).amax(dim=2)
    weight = steps[:, None, :].expand_as(divergence)
    total = weight.sum() if crew is None else crew.mean(weight.sum())
    return (divergence * weight).sum() / total.clamp(min=1.0)


def band_distance(share: NDArray[np.floating], example: MaskExample) -> float:
    """Mean distance in nepers between an edit by this share (bands, frames) and the desired output, in the box."""
    left = (1.0 - share + example.gain**2 * share) * example.mixture
    distance = np.abs(np.log(left + FLOOR) - np.log(example.desired + FLOOR)) / 2.0
    return float(distance[:, example.active].mean())


@dataclass(frozen=True)
class Validation:
    """Fixed validation scenes.

    Attributes:
        examples: (kind, action) -> one example per scene.
        shown: name, scene and example of the first one of each, for pictures and sounds.
    """

    examples: Mapping[tuple[str, str], tuple[MaskExample, ...]]
    shown: tuple[tuple[str, Scene, MaskExample], ...] = ()

    @staticmethod
    def draw(
        cache: AudioCache, texts: TextVectors, classes: tuple[str, ...], scenes: int, seed: int = 0
    ) -> "Validation":
        """Scenes of the valid split, targets of the trained classes: plain and overlap, Delete and Enhance, and Delete of the box's other sound."""
        heard = {event.class_name for event in cache.split("valid").events}
        options = SceneOptions(classes=tuple(name for name in classes if name in heard) or None)
        examples: dict[tuple[str, str], tuple[MaskExample, ...]] = {}
        shown = []
        for kind in VALID_KINDS:
            for action in VALID_ACTIONS:
                drawn = [draw_scene(cache, "valid", seed + n, kind, action, 10.0, options) for n in range(scenes)]
                examples[kind, action] = tuple(evaluation_example(scene, texts) for scene in drawn)
                shown.append((f"{kind} {action}", drawn[0], examples[kind, action][0]))
        swapped = replace(options, swap=True)
        examples["swapped", "delete"] = tuple(
            evaluation_example(draw_scene(cache, "valid", seed + n, "overlap", "delete", 10.0, swapped), texts)
            for n in range(scenes)
        )
        return Validation(examples, tuple(shown))

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


def by_net(net: MaskNet, listener: Listener | None = None) -> Callable[[MaskExample], NDArray[np.floating]]:
    """A network's share, as inference computes it; `listener` tells one that is told."""

    def share(example: MaskExample) -> NDArray[np.floating]:
        active = example.others_active > 0
        slack = net.config.slack(Action.ENHANCE if example.gain > 0 else Action.DELETE)
        return predict_share(
            net, example.features, example.repair, example.query, example.others, active, slack, listener
        )

    return share


def train_mask(options: MaskTraining, report: Callable[[str], None] = print) -> dict[str, float]:
    """Trains a mask head and writes it as the `mask` part of the checkpoint in `options.out`.

    The averaged weights are judged and written every few minutes, so that a run that is stopped leaves its last good ones.

    Returns:
        The last validation: ratios of the averaged weights by "kind action".

    Raises:
        InputError: unusable recordings, a state that does not fit `options`, no such device, or the training has diverged.
    """
    with options.crew() as (device, crew):
        return _train(options, device, crew, report)


def _train(options: MaskTraining, device: torch.device, crew: Crew, report: Callable[[str], None]) -> dict[str, float]:
    torch.manual_seed(options.seed)
    cache, texts = options.recordings(), RememberedTexts(LabelTable.load())
    classes = trained_classes(cache.library)
    listener = _listener(options.out) or (_listener(options.start) if options.start else None)
    if options.heard_weight and listener is None:
        raise InputError(f"{options.out}: heard_weight needs a listener; train one there first")
    options = replace(options, config=replace(options.config, hears=listener is not None))
    net = MaskNet(options.config)
    if options.start is not None:
        take_over(net, build_mask(load_checkpoint(options.start)), options.start)
    net.to(device)
    options.out.mkdir(parents=True, exist_ok=True)
    if listener is not None:
        write_part(options.out, "listener", asdict(listener.config), listener.state_dict())
        listener.to(device)
    optimisers = mask_optimisers(net, options.peak_rate)
    run = options.run(net, optimisers, "run.safetensors", average=options.average, crew=crew)
    judge = _Judge(options, cache, texts, classes, listener, report) if crew.leads else None
    report(f"{sum(p.numel() for p in net.parameters()) / 1e6:.2f} M weights, from step {run.step}")
    # Every process draws its own examples.
    seed = options.seed + 1_000_003 * crew.rank
    size, fresh = crew.share_of(options.batch), max(1, options.fresh // crew.size)
    with closing(ExampleStream(cache, texts, options.drawers, seed, size, fresh, run.step)) as stream:
        while run.going:
            batch = stream.next().to(device)
            draws = torch.Generator().manual_seed(run.step + seed)
            run.learn(training_loss(net, batch, options.precision, crew, listener, draws, options.heard_weight))
            if judge is not None and run.judge_due(options.valid_every_s):
                judge(run)
    run.keep()
    if judge is None:
        return {}
    with closing(judge):
        return judge(run)


def _listener(folder: Path) -> Listener | None:
    """The listener that lies in a checkpoint folder; None without one or without a checkpoint."""
    return build_listener(load_checkpoint(folder)) if (folder / CONFIG).is_file() else None


def same_listener(one: Listener | None, other: Listener | None) -> bool:
    """Whether two checkpoints hear alike."""
    if one is None or other is None:
        return one is other
    tensors, others = one.state_dict(), other.state_dict()
    return tensors.keys() == others.keys() and all(
        torch.equal(tensors[name].cpu(), others[name].cpu()) for name in tensors
    )


def joined(net: MaskNet, beside: MaskNet, folder: Path) -> MaskNet:
    """One mask head that averages the corrections of two, and of what stands beside the second already.

    Raises:
        InputError: the two have different sizes.
    """
    out = MaskNet(replace(net.config, beside=1 + len(beside.beside)))
    take_over(out, net, folder)
    for place, other in zip(out.beside, [beside, *beside.beside], strict=True):
        take_over(cast(MaskNet, place), cast(MaskNet, other), folder)
    return out


def take_over(net: MaskNet, trained: MaskNet, folder: Path) -> None:
    """Begins with the weights of a trained mask head; a refiner, modulation by words or ear for a listener that it lacks stays at zero.

    Networks beside either are left as they are.

    Raises:
        InputError: the two have different sizes.
    """
    own, known = (
        {name: value for name, value in one.state_dict().items() if not name.startswith("beside.")}
        for one in (net, trained)
    )
    later = ("refiner.", "words.", "heard.")
    lacking = [name for name in own if name not in known and not any(part in name for part in later)]
    if lacking or any(name not in own or own[name].shape != value.shape for name, value in known.items()):
        raise InputError(
            f"{folder}: its mask head has another size; give its configuration or train from the beginning"
        )
    net.load_state_dict({**net.state_dict(), **known})


def mask_optimisers(net: MaskNet, peak_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for matrices and kernels inside the blocks, AdamW for all else.

    Muon's updates are scaled to AdamW's size, so one rate serves both; Muon bears three times as much.
    """
    inside = inner_weights(net, lambda name: name.startswith(_INNER) and "over_time" not in name)
    taken = {id(p) for p in inside}
    others = [p for p in net.parameters() if id(p) not in taken]
    return [
        Muon(inside, lr=3.0 * peak_rate, weight_decay=_DECAY),
        torch.optim.AdamW(
            [
                {"params": [p for p in others if p.ndim > 1], "weight_decay": _DECAY},
                {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
            ],
            lr=peak_rate,
            betas=_BETAS,
        ),
    ]


def training_loss(
    net: MaskNet,
    batch: MaskBatch,
    precision: str = "float32",
    crew: Crew | None = None,
    listener: Listener | None = None,
    draws: torch.Generator | None = None,
    heard_weight: float = 0.0,
) -> Tensor:
    """The loss of a batch; with a crew, that of the whole crew's batch in its mean over the processes.

    A listener does not learn; it is made to doubt by noise from `draws`, without which it is as sure as in use. `heard_distance` is added where it
    has a weight.
    """
    net.train()
    doubt = None
    if listener is not None and draws is not None:
        noise = torch.randn(len(batch.query), 1 + listener.config.classes, generator=draws)
        doubt = _DOUBT * noise.to(batch.query.device)
    with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        with torch.no_grad():
            heard = heard_by(listener, batch.features, batch.query, doubt)
        inputs = (batch.features, batch.repair, batch.query, batch.others, batch.others_active)
        share = net(*inputs, heard=heard)
        heard_too = heard_distance(share, batch, listener, crew) if listener is not None and heard_weight else 0.0
    return mask_loss(share, batch, crew)[0] + heard_weight * heard_too


class _Judge:
    """Validates the averaged weights, writes them, and keeps the record."""

    def __init__(
        self,
        options: MaskTraining,
        cache: AudioCache,
        texts: TextVectors,
        classes: tuple[str, ...],
        listener: Listener | None,
        report: Callable[[str], None],
    ) -> None:
        self._options, self._listener, self._report = options, listener, report
        self._valid = Validation.draw(cache, texts, classes, options.valid_scenes)
        report(f"validation: repair {self._valid.ratios(by_repair)}, oracle {self._valid.ratios(by_oracle)}")
        self._curves = Curves(options.out, "mask")
        self._beside = None if options.beside is None else build_mask(load_checkpoint(options.beside))
        if self._beside is not None and options.beside is not None:
            joined(MaskNet(options.config), self._beside, options.beside)  # refused now, not after minutes
            if self._beside.config.hears and not same_listener(listener, _listener(options.beside)):
                raise InputError(f"{options.beside}: its mask head was trained with another listener")
        vectors = (data_folder("resources") / "text_vectors.npz").read_bytes()
        self._classes, self._vectors = classes, hashlib.sha256(vectors).hexdigest()
        page = attribution_page(options.data, used_files(cache.split("train")))
        (options.out / "ATTRIBUTION.md").write_text(page, encoding="utf-8")

    def __call__(self, run: Run) -> dict[str, float]:
        net = MaskNet(self._options.config)
        net.load_state_dict({name: value.cpu() for name, value in run.average.values.items()})
        if self._beside is not None:
            net = joined(net, self._beside, self._options.out)
        net.eval()
        write_part(self._options.out, "mask", asdict(net.config), net.state_dict())
        write_facts(self._options.out, classes=self._classes, text_vectors=self._vectors)
        share = by_net(net, self._listener)
        ratios = self._valid.ratios(share)
        figures = {f"valid/{name}": value for name, value in ratios.items()}
        self._report(self._curves.add(run.step, run.spent_s, {"loss": run.loss(), **figures}))
        for name, scene, example in self._valid.shown:
            answer = share(example)
            ideal = by_oracle(example)
            self._curves.picture(run.step, f"{name}: share, ideal share", np.stack([answer, ideal]))
            self._curves.sound(run.step, name, edited_sound(scene, example, answer), scene.rate_hz)
        return ratios

    def close(self) -> None:
        """Ends the record."""
        self._curves.close()


def edited_sound(scene: Scene, example: MaskExample, share: NDArray[np.floating]) -> NDArray[np.float32]:
    """The window of a validation scene after an edit by this share (bands, frames), (samples,)."""
    grid = BandGrid.at(scene.rate_hz)
    row = next(row for row in scene.events if row.id == scene.edit.event_id)
    start, stop = grid.span(Window.around(row, grid).first, share.shape[1])
    inside = scene.input[max(0, start) : max(0, stop)]
    samples = np.pad(inside, (max(0, -start), stop - max(0, start) - len(inside))).astype(np.float64)
    gain = np.sqrt(1.0 - share + example.gain**2 * share).astype(np.float64)
    return grid.istft(grid.stft(samples) * grid.to_bins(gain)).astype(np.float32)
