"""Training of the built-in tagger on composed scenes: what sounds when, and what the teacher (YAMNet) says of the same patches."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional

from recomposer_studio.audio.atomic import same_file
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.errors import InputError
from recomposer_studio.tagging.builtin import describe, load_builtin
from recomposer_studio.tagging.installation import yamnet_folder
from recomposer_studio.tagging.tagger import Tagger
from recomposer_studio.tagging.yamnet import Yamnet, load_yamnet
from recomposer_studio.tagging.yamnet_files import read_weights
from recomposer_studio.tagging.yamnet_graph import onnx_bytes
from recomposer_studio.training.attribution import attribution_page, used_files
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest, trained_classes
from recomposer_studio.training.run import Run
from recomposer_studio.training.scene_spec import Kind, SceneOptions
from recomposer_studio.training.scenes import draw_scene
from recomposer_studio.training.tagger_export import write_tagger
from recomposer_studio.training.tagger_join import join_taggers
from recomposer_studio.training.tagger_network import TaggerConfig, TaggerNet
from recomposer_studio.training.tagger_scenes import (
    PATCHES,
    SCENE_S,
    STEPS_PER_PATCH,
    SceneDrawer,
    TaggerBatch,
    TaggerPool,
    collate,
    related_classes,
)

INSTALLED = "installed"
VALID_KINDS: tuple[Kind, ...] = ("plain", "overlap")

_STATE = "run.safetensors"
_BETAS = (0.9, 0.98)
_DECAY = 0.02
_AHEAD = 3
_NAME_WEIGHT, _ANY_WEIGHT, _ONSET_WEIGHT, _SCORE_WEIGHT, _EMBEDDING_WEIGHT = 1.0, 2.0, 1.0, 0.25, 2.0
_SMOOTHING = 0.05
_PATCH_EVERY = 6


@dataclass(frozen=True)
class TaggerTraining:
    """What `train_tagger` needs.

    Attributes:
        data: the manifest of recordings, or its folder.
        out: folder of the tagger; the state of the run and `log.jsonl` lie there too.
        teacher: YAMNet as published (.tflite, .h5 or SavedModel), or "installed".
        max_minutes: wall-clock budget.
        resume: go on with the run that lies in `out`.
        seed: of the draws and of the first weights.
        share_alike: use recordings under CC BY-SA too.
        batch: scenes of ten seconds in a step.
        fresh: how many of them are newly drawn.
        kept: scenes that are heard again.
        peak_rate: highest learning rate.
        average: decay of the averaged weights, which are the ones that are kept.
        valid_scenes: validation scenes of every kind.
        valid_every_s: seconds between validations.
        precision: of the arithmetic in training; bfloat16 halves its time on processors that have it.
        cache: folder that keeps decoded recordings between runs, or None.
        start: folder of an earlier training with its state: training begins with its averaged weights; what they lack begins anew.
        beside: folder of another tagger of the same classes and recordings: what is written is the mean of the two; figures in the record
            are those of the trained one alone.
        config: the network; the number of its classes follows from the data.
    """

    data: Path
    out: Path
    teacher: str = INSTALLED
    max_minutes: float = 60.0
    resume: bool = False
    seed: int = 0
    share_alike: bool = False
    batch: int = 6
    fresh: int = 2
    kept: int = 5000
    peak_rate: float = 2e-3
    average: float = 0.998
    valid_scenes: int = 30
    valid_every_s: float = 300.0
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    cache: Path | None = None
    start: Path | None = None
    beside: Path | None = None
    config: TaggerConfig = field(default_factory=TaggerConfig)


def load_teacher(name: str) -> Tagger:
    """YAMNet from a file, or the installed one.

    Raises:
        InputError: it cannot be read.
    """
    if name == INSTALLED:
        return load_yamnet(yamnet_folder(), "cpu", 1)
    return Yamnet(onnx_bytes(read_weights(Path(name)), {}), "cpu", 1)


def tagger_loss(net: TaggerNet, batch: TaggerBatch, *, single_patches: bool = False) -> dict[str, Tensor]:
    """The parts of the loss, each a weighted scalar.

    Args:
        net: the network.
        batch: what it hears and should say.
        single_patches: it hears every patch alone, as `Tagger.tag` does, and only its scores count.
    """
    frames = batch.frames
    if single_patches:
        frames = frames.unflatten(1, (PATCHES, -1)).flatten(0, 1)
    features = net.features(frames)
    embeddings = net.embeddings(features, STEPS_PER_PATCH).reshape(len(batch.frames), PATCHES, -1)
    said = net.scores(net.dropout(embeddings)).float()
    scores = functional.binary_cross_entropy_with_logits(said, batch.scores, reduction="none").sum(2).mean()
    near = 1.0 - functional.cosine_similarity(net.teacher(embeddings).float(), batch.embeddings, dim=2).mean()
    parts = {"scores": _SCORE_WEIGHT * scores, "embeddings": _EMBEDDING_WEIGHT * near}
    if single_patches:
        return parts
    logits = net.activities(features).float()
    classes = logits[..., :-2]
    loss = functional.binary_cross_entropy_with_logits(classes, batch.active, reduction="none") * batch.weight
    parts["classes"] = loss.sum(2).mean()
    loss = functional.binary_cross_entropy_with_logits(logits[..., -2], batch.any_active, reduction="none")
    parts["any"] = _ANY_WEIGHT * (loss * batch.any_weight).mean()
    loss = functional.binary_cross_entropy_with_logits(logits[..., -1], batch.onset, reduction="none")
    parts["onset"] = _ONSET_WEIGHT * (loss * batch.any_weight).mean()
    if len(batch.events):
        named = event_logits(classes, batch.events).masked_fill(~batch.rivals, -30.0)
        log_share = functional.log_softmax(named, dim=1)
        own = -log_share.gather(1, batch.events[:, 1:2])[:, 0]
        # Some doubt is spread over the rivals: a name is never certain.
        spread = -(log_share * batch.rivals).sum(1) / batch.rivals.sum(1)
        parts["names"] = _NAME_WEIGHT * ((1.0 - _SMOOTHING) * own + _SMOOTHING * spread).mean()
    if len(batch.events) > 1:
        # It learns from the features and leaves them as they are: a second opinion, not another weight on the first.
        said = net.named(event_features(features.detach(), batch.events)).float().masked_fill(~batch.rivals, -30.0)
        parts["boxes"] = functional.cross_entropy(said, batch.events[:, 1])
    return parts


def event_logits(classes: Tensor, events: Tensor) -> Tensor:
    """Mean logits in the boxes of events: (batch, steps, classes) and (n, 4) to (n, classes)."""
    sums = functional.pad(classes.cumsum(1), (0, 0, 1, 0))
    example, first, last = events[:, 0], events[:, 2], events[:, 3]
    return (sums[example, last] - sums[example, first]) / (last - first)[:, None]


def event_features(features: Tensor, events: Tensor) -> Tensor:
    """Means and maxima in the boxes of events: (batch, width, steps) and (n, 4) to (n, 2 width)."""
    boxes = [features[example, :, first:last] for example, _, first, last in events.tolist()]
    return torch.stack([torch.cat([box.mean(1), box.amax(1)]) for box in boxes])


@dataclass(frozen=True)
class Validation:
    """Fixed scenes of the valid split, as figures use them."""

    batches: tuple[TaggerBatch, ...]
    wanted: tuple[int, ...]

    @staticmethod
    def draw(
        cache: AudioCache, classes: Sequence[str], wanted: Sequence[str], teacher: Tagger, scenes: int
    ) -> "Validation":
        """Plain and overlap scenes, targets of the wanted classes."""
        heard = {event.class_name for event in cache.split("valid").events}
        names = tuple(name for name in wanted if name in heard) or None
        options = SceneOptions(tbr_db=(6.0, 13.0), classes=names)
        drawer = SceneDrawer(cache, classes, wanted, teacher, 0)
        related = related_classes(classes)
        batches = tuple(
            collate([drawer.example(draw_scene(cache, "valid", n, kind, "delete", SCENE_S, options))], related)
            for kind in VALID_KINDS
            for n in range(scenes)
        )
        return Validation(batches, tuple(classes.index(name) for name in wanted))

    @torch.no_grad()
    def figures(self, net: TaggerNet) -> dict[str, float]:
        """Shares of events named first and among the first three in their true boxes; how well the teacher is followed."""
        net.eval()
        ranks: list[int] = []
        losses: dict[str, list[float]] = {}
        first = among = total = 0
        for batch in self.batches:
            for name, value in tagger_loss(net, batch).items():
                losses.setdefault(name, []).append(float(value))
            features = net.features(batch.frames)
            logits = net.activities(features)[..., :-2]
            named = event_logits(logits, batch.events)
            if len(batch.events):
                named = named + net.named(event_features(features, batch.events))
            for values, event in zip(named, batch.events, strict=True):
                if int(event[1]) in self.wanted:
                    ranks.append(int((values > values[event[1]]).sum()))
            said = net.scores(net.embeddings(features, STEPS_PER_PATCH))[0]
            best = said.topk(5, dim=1).indices
            theirs = batch.scores[0].argmax(1)
            first += int((best[:, 0] == theirs).sum())
            among += int((best == theirs[:, None]).sum())
            total += len(theirs)
        return {
            "top1": round(float(np.mean(np.array(ranks) < 1)), 3),
            "top3": round(float(np.mean(np.array(ranks) < 3)), 3),
            "teacher_top1": round(first / total, 3),
            "teacher_top5": round(among / total, 3),
            **{name: round(float(np.mean(values)), 4) for name, values in losses.items()},
        }


def _fits_beside(beside: Path, out: Path, classes: Sequence[str], trained: Sequence[str]) -> None:
    """Looks before the training at what is to be joined after it.

    Raises:
        InputError: it is the folder that is written, damaged, or a tagger of other recordings.
    """
    if same_file(beside, out):
        raise InputError(f"{out}: the tagger beside stays as it is; write into another folder")
    page = describe(beside)
    load_builtin(beside, "cpu", 1)
    if page.event_classes != tuple(classes) or page.trained_classes != tuple(trained):
        raise InputError(f"{beside}: this tagger knows other classes; name one of the same recordings")


def begin_with(net: TaggerNet, state: Path) -> None:
    """Gives a network the averaged weights of an earlier training; what they lack stays as it is.

    Raises:
        InputError: there is no such state, or it is of a network of another size.
    """
    try:
        with safe_open(state, framework="pt") as file:
            known = {
                name.removeprefix("average."): file.get_tensor(name)
                for name in file.keys()  # noqa: SIM118 - not a mapping
                if name.startswith("average.")
            }
    except (OSError, SafetensorError) as error:
        raise InputError(f"{state}: no state of a training; name the folder of one with its run.safetensors") from error
    own = net.state_dict()
    if not known or any(name not in own or own[name].shape != value.shape for name, value in known.items()):
        raise InputError(f"{state}: a tagger of another size or of other classes; train anew")
    net.load_state_dict({**own, **known})


def train_tagger(
    options: TaggerTraining, teacher: Tagger | None = None, report: Callable[[str], None] = print
) -> dict[str, float]:
    """Trains the tagger and writes it into `options.out`: `tagger.onnx`, `tagger.json`, `ATTRIBUTION.md`.

    Args:
        options: data, place and budget.
        teacher: who is followed; None for the one that `options` names.
        report: takes a line about the progress now and then.

    Returns:
        The last validation.

    Raises:
        InputError: unusable recordings, no teacher, or a state that does not fit.
    """
    with one_thread(gradients=True):
        return _train(options, teacher or load_teacher(options.teacher), report)


def _train(options: TaggerTraining, teacher: Tagger, report: Callable[[str], None]) -> dict[str, float]:
    torch.manual_seed(options.seed)
    library = load_manifest(options.data, share_alike=options.share_alike)
    cache = AudioCache(library, options.cache)
    classes = tuple(sorted({event.class_name for event in cache.split("train").events}))
    trained = tuple(name for name in trained_classes(library) if name in classes)
    wanted = trained or classes  # of a small collection all
    valid = Validation.draw(cache, classes, wanted, teacher, options.valid_scenes)
    net = TaggerNet(replace(options.config, classes=len(classes)))
    if options.beside is not None:
        _fits_beside(options.beside, options.out, classes, trained)
    if options.start is not None:
        begin_with(net, options.start / _STATE)
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(
        net,
        [torch.optim.AdamW(net.parameters(), lr=options.peak_rate, betas=_BETAS, weight_decay=_DECAY)],
        options.out / _STATE,
        max_minutes=options.max_minutes,
        resume=options.resume,
        average=options.average,
    )
    report(
        f"tagger: {sum(p.numel() for p in net.parameters()) / 1e6:.2f} M weights, {len(classes)} classes,"
        f" {len(trained)} of them with recordings enough, from step {run.step}"
    )
    page = attribution_page(options.data, used_files(cache.split("train")))
    (options.out / "ATTRIBUTION.md").write_text(page, encoding="utf-8")

    def judged() -> dict[str, float]:
        judge = TaggerNet(net.config)
        judge.load_state_dict(run.average.values)
        judge.eval()
        write_tagger(options.out, options.out.name, judge, classes, trained)
        if options.beside is not None:
            join_taggers(options.out, options.beside, options.out, options.out.name)
        figures = valid.figures(judge)
        line = {"minutes": round(run.spent_s / 60.0, 1), "step": run.step, "train": run.loss(), "valid": figures}
        with (options.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        report(json.dumps(line))
        return figures

    with ThreadPoolExecutor(1) as drawing:
        # Scenes are drawn beside the network's arithmetic, a few steps ahead.
        drawer = SceneDrawer(cache, classes, wanted, teacher, (options.seed + 1) * 100_000 + run.step)
        pool = TaggerPool(drawer, classes, options.kept, options.seed + run.step)
        ahead = [drawing.submit(pool.batch, options.batch, options.fresh) for _ in range(_AHEAD)]
        while run.going:
            batch = ahead.pop(0).result()
            ahead.append(drawing.submit(pool.batch, options.batch, options.fresh))
            net.train()
            with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bfloat16"):
                parts = tagger_loss(net, batch, single_patches=run.step % _PATCH_EVERY == _PATCH_EVERY - 1)
            run.learn(torch.stack(list(parts.values())).sum())
            if run.judge_due(options.valid_every_s):
                judged()
        for waiting in ahead:
            waiting.cancel()
    run.keep()
    return judged()
