"""Training of the listener: every cell of a scene is asked whose power it holds."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recomposer_studio.model.checkpoint import write_part
from recomposer_studio.model.listener import Listener, ListenerConfig
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.attribution import attribution_page, used_files
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.crew import Crew
from recomposer_studio.training.curves import Curves
from recomposer_studio.training.listener_scenes import ListenerBatch, SoundBank, draw_batch
from recomposer_studio.training.manifest import trained_classes
from recomposer_studio.training.muon import Muon, inner_weights
from recomposer_studio.training.run import Run, Training

_BETAS = (0.9, 0.98)
_DECAY = 0.02
_MUON = 1.5
_OUTER = ("stem", "text", "key")
_QUIET_WEIGHT = 0.1
_PRESENT = 4.0
_OWN = 0.5
_ENOUGH_CELLS = 3.0
_VALID_BATCH = 16


@dataclass(frozen=True)
class ListenerTraining(Training):
    """What `train_listener` needs.

    Attributes:
        batch: scenes in a step.
        peak_rate: highest learning rate.
        average: decay of the averaged weights, which are the ones that are kept.
        valid_scenes: validation scenes.
        valid_every_s: seconds between validations.
        precision: of the arithmetic in training; bfloat16 halves its time on processors that have it.
        config: the network; the number of its classes follows from the data.
    """

    max_minutes: float = 50.0
    batch: int = 16
    peak_rate: float = 2e-3
    average: float = 0.995
    valid_scenes: int = 128
    valid_every_s: float = 180.0
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    config: ListenerConfig = field(default_factory=ListenerConfig)


def log_shares(listener: Listener, batch: ListenerBatch) -> Tensor:
    """What the listener makes of scenes: logarithms of shares, (batch, bands / 2, steps, classes + 1), the background last."""
    return listener.logits(listener(batch.planes), listener.keys(listener.known)).float().log_softmax(dim=-1)


def listener_loss(said: Tensor, batch: ListenerBatch) -> Tensor:
    """What training brings down: both of `cross_entropies`, the second with more weight."""
    among_all, among_present = cross_entropies(said, batch)
    return among_all + _PRESENT * among_present


def cross_entropies(said: Tensor, batch: ListenerBatch) -> tuple[Tensor, Tensor]:
    """Cross-entropy of `log_shares` against the true shares, among all classes and among what the scene holds; weighted means over cells.

    Whoever draws a box over two sounds knows which they are, or the picture soon tells: the second is what a mask head needs. With the first alone
    a network learns to tell apart what never meets. Cells that hold background alone count a tenth: they are many, and easy.
    """
    classes, shares = batch.classes, batch.shares
    weight = 1.0 - (1.0 - _QUIET_WEIGHT) * shares[:, -1]
    named = classes.clamp(min=0)[:, None, None, :].expand(-1, *said.shape[1:3], -1)
    present = torch.cat([said.gather(3, named), said[..., -1:]], dim=3)
    among_all = -(shares.permute(0, 2, 3, 1) * present).sum(dim=3)
    # Two sounds of a scene may be of one class: it stands once, for both.
    same = (classes[:, :, None] == classes[:, None, :]) & (classes >= 0)[:, :, None]
    once = ~same.tril(-1).any(dim=2) & (classes >= 0)
    shares = torch.cat([torch.einsum("bnft,bnm->bmft", shares[:, :-1], same.to(shares.dtype)), shares[:, -1:]], dim=1)
    counted = functional.pad(once, (0, 1), value=True)[:, None, None]
    among_present = -(shares.permute(0, 2, 3, 1) * present.masked_fill(~counted, -torch.inf).log_softmax(dim=3))
    among_present = among_present.masked_fill(~counted, 0.0).sum(dim=3)
    total = weight.sum()
    return (among_all * weight).sum() / total, (among_present * weight).sum() / total


def pair_figures(said: Tensor, batch: ListenerBatch) -> dict[str, list[float]]:
    """How well two sounds that lie over one another are told apart, one value per batch, sound or pair.

    `loss` is `listener_loss`, `all` and `present` are its parts. `told` is 1 where the cells that a sound holds more than
    half of speak, on average, for its class more than for the other's; `both` where that is so for the two of a scene; `ordered` where the one's
    cells speak more for it than the other's cells do.
    """
    among_all, among_present = map(float, cross_entropies(said, batch))
    out = {"loss": [float(listener_loss(said, batch))], "all": [among_all], "present": [among_present]}
    out |= {"told": [], "both": [], "ordered": []}
    for scene in range(len(said)):
        first, second = (int(n) for n in batch.classes[scene, :2])
        for_first = said[scene, ..., first] - said[scene, ..., second]
        means = []
        for number in range(2):
            share = batch.shares[scene, number]
            weight = share * (share > _OWN)
            if float(weight.sum()) >= _ENOUGH_CELLS:
                means.append(float((for_first * weight).sum() / weight.sum()))
        if len(means) == 2:
            right = [means[0] > 0.0, means[1] < 0.0]
            out["told"] += map(float, right)
            out["both"].append(float(all(right)))
            out["ordered"].append(float(means[0] > means[1]))
    return out


def train_listener(options: ListenerTraining, report: Callable[[str], None] = print) -> dict[str, float]:
    """Trains a listener and writes it as the `listener` part of the checkpoint in `options.out`, where `train mask` takes it from.

    Returns:
        The last validation: the means of `pair_figures`.

    Raises:
        InputError: unusable recordings, a state that does not fit `options`, no such device, or the training has diverged.
    """
    with options.crew() as (device, crew):
        return _train(options, device, crew, report)


def _train(
    options: ListenerTraining, device: torch.device, crew: Crew, report: Callable[[str], None]
) -> dict[str, float]:
    torch.manual_seed(options.seed)
    cache, texts = options.recordings(), LabelTable.load()
    train = cache.split("train")
    classes = {name: number for number, name in enumerate(sorted({event.class_name for event in train.events}))}
    trained = tuple(name for name in trained_classes(cache.library) if name in classes)
    bank = SoundBank.of(train, trained)
    config = replace(options.config, classes=len(classes))
    listener = Listener(config, trained=False)
    listener.known = torch.from_numpy(np.stack([texts.vector(name) for name in classes]))
    listener.to(device)
    options.out.mkdir(parents=True, exist_ok=True)
    optimisers = listener_optimisers(listener, options.peak_rate)
    run = options.run(listener, optimisers, "listener-run.safetensors", average=options.average, crew=crew)
    report(f"listener: {sum(p.numel() for p in listener.parameters()) / 1e6:.2f} M weights, {len(classes)} classes")
    judge = _Judge(options, config, cache, classes, trained, report) if crew.leads else None
    size = crew.share_of(options.batch)
    while run.going:
        rng = np.random.default_rng([13, options.seed, crew.rank, run.step])
        batch = _on(draw_batch(bank, classes, rng, size), device)
        listener.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=options.precision == "bfloat16"):
            said = log_shares(listener, batch)
        run.learn(listener_loss(said, batch))
        if judge is not None and run.judge_due(options.valid_every_s):
            judge(run)
    run.keep()
    if judge is None:
        return {}
    with closing(judge):
        return judge(run)


def listener_optimisers(listener: Listener, peak_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for matrices and kernels, AdamW for the first layer, depthwise kernels, and what makes vectors of words.

    With AdamW alone it takes about six times as long.
    """
    inside = inner_weights(listener, lambda name: not name.startswith(_OUTER))
    taken = {id(p) for p in inside}
    others = [p for p in listener.parameters() if id(p) not in taken]
    return [
        Muon(inside, lr=_MUON * peak_rate, weight_decay=_DECAY),
        torch.optim.AdamW(others, lr=peak_rate, betas=_BETAS, weight_decay=_DECAY),
    ]


def _on(batch: ListenerBatch, device: torch.device) -> ListenerBatch:
    return ListenerBatch(batch.planes.to(device), batch.classes.to(device), batch.shares.to(device))


class _Judge:
    """Validates the averaged weights, writes them, and keeps the record."""

    def __init__(
        self,
        options: ListenerTraining,
        config: ListenerConfig,
        cache: AudioCache,
        classes: Mapping[str, int],
        trained: tuple[str, ...],
        report: Callable[[str], None],
    ) -> None:
        self._options, self._config, self._report = options, config, report
        audio = cache.split("valid")
        heard = {event.class_name for event in audio.events} & set(classes)
        asked = tuple(name for name in trained if name in heard)
        # Pairs need two classes; a small collection may not have two that were trained.
        bank = SoundBank.of(audio, (), asked if len(asked) > 1 else tuple(sorted(heard)))
        rng = np.random.default_rng(5)
        scenes = range(0, options.valid_scenes if len(bank.events) > 1 else 0, _VALID_BATCH)
        self._scenes = [draw_batch(bank, classes, rng, _VALID_BATCH, pairs=True) for _ in scenes]
        self._curves = Curves(options.out, "listener")
        page = attribution_page(options.data, used_files(cache.split("train")))
        (options.out / "ATTRIBUTION.md").write_text(page, encoding="utf-8")

    def __call__(self, run: Run) -> dict[str, float]:
        learnt = Listener(self._config, trained=False)
        learnt.load_state_dict({name: value.cpu() for name, value in run.average.values.items()})
        listener = learnt.eval().settled()
        write_part(self._options.out, "listener", asdict(self._config), listener.state_dict())
        values: dict[str, list[float]] = {}
        with torch.no_grad():
            for batch in self._scenes:
                said = log_shares(listener, batch)
                for name, found in pair_figures(said, batch).items():
                    values.setdefault(name, []).extend(found)
        figures = {name: round(float(np.mean(found)), 4) for name, found in values.items() if found}
        shown = {"loss": run.loss(), **{f"valid/{name}": value for name, value in figures.items()}}
        self._report(self._curves.add(run.step, run.spent_s, shown))
        return figures

    def close(self) -> None:
        """Ends the record."""
        self._curves.close()
