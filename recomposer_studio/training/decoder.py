"""Training of the token decoder: the tokens of isolated events in boxes, given the scene and the roll."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.mel_rvq import MelRvqCodec, MelRvqConfig
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import load_checkpoint, write_part
from recomposer_studio.model.decoder import DecoderConfig, TokenDecoder
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest
from recomposer_studio.training.pace import Average, Pace, load_run, save_run
from recomposer_studio.training.sounds import Batch, Drawer, fill_pool

_LEARNING_RATE = 1e-3
_AVERAGE = 0.998
_FULL_LEVELS, _FINE_WEIGHT = 4, 0.5
_DEPTH_SHARE = 0.35
"""Share of the frames whose levels are trained in a step: neighbouring frames teach the depth stack much the same."""
_ONSET_FRAMES, _ONSET_WEIGHT = 4, 3.0
"""The first frames decide what a sound becomes; they are few, so they count more."""
_COARSE_FRAMES, _UNHEARD_FRAMES, _SAID_NOISE = 0.3, 0.1, 0.1


@dataclass(frozen=True)
class DecoderTraining:
    """What `train_decoder` needs.

    Attributes:
        data: the manifest of recordings, or its folder.
        out: checkpoint folder; it holds the codec already. The state of the run lies there too.
        max_minutes: wall-clock budget.
        resume: go on with the run that lies in `out`.
        seed: of the draws and of the first weights.
        share_alike: use recordings under CC BY-SA too.
        variants: how many variants of every event are encoded.
        batch: boxes in a step.
        valid_every_s: seconds between validations.
        config: the network.
    """

    data: Path
    out: Path
    max_minutes: float = 35.0
    resume: bool = False
    seed: int = 0
    share_alike: bool = False
    variants: int = 4
    batch: int = 16
    valid_every_s: float = 150.0
    config: DecoderConfig = field(default_factory=DecoderConfig)


def blurred(decoder: TokenDecoder, tokens: Tensor, generator: torch.Generator) -> Tensor:
    """What the decoder hears of earlier frames in training: some only coarsely, some not at all, all with a little noise.

    At inference it hears its own frames, which are never quite those of a recording; and what it does not hear it has
    to know from the roll.

    Args:
        decoder: the network.
        tokens: (batch, frames, levels).
        generator: draws.

    Returns:
        `TokenDecoder.say` of every frame, (batch, frames, width).
    """
    levels = decoder.config.levels
    vectors = decoder.vectors(tokens, levels)
    coarse = torch.randint(levels, tokens.shape[:2], generator=generator)
    heard = torch.where(torch.rand(tokens.shape[:2], generator=generator) < _COARSE_FRAMES, coarse, levels - 1)
    vector = vectors.gather(2, heard[:, :, None, None].expand(-1, -1, 1, vectors.shape[3]))[:, :, 0]
    said = decoder.say(tokens, vector + _SAID_NOISE * torch.randn(vector.shape, generator=generator))
    return said * (torch.rand(tokens.shape[:2], generator=generator) >= _UNHEARD_FRAMES)[:, :, None]


def level_losses(logits: Tensor, tokens: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy of every level in nats: (n, levels, codes), (n, levels), (n,) to (levels,)."""
    losses = functional.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
    return (losses * weight[:, None]).sum(0) / weight.sum().clamp(min=1e-6)


def training_loss(decoder: TokenDecoder, batch: Batch, generator: torch.Generator) -> Tensor:
    """The loss of a step: levels above the fourth count half."""
    context = decoder.context(batch.scene, batch.event, batch.frames)
    states = decoder.states(context, batch.clocks, blurred(decoder, batch.tokens, generator))
    onset = (torch.arange(batch.frames) < _ONSET_FRAMES).expand_as(batch.weight)
    weight = torch.where(onset, _ONSET_WEIGHT * batch.weight, batch.weight)
    chosen = (weight > 0) & (onset | (torch.rand(weight.shape, generator=generator) < _DEPTH_SHARE))
    logits = decoder.deepen(states[chosen], batch.tokens[chosen])
    losses = level_losses(logits.float(), batch.tokens[chosen], weight[chosen])
    share = torch.ones_like(losses)
    share[_FULL_LEVELS:] = _FINE_WEIGHT
    return (losses * share).sum() / share.sum()


@torch.no_grad()
def validation_losses(decoder: TokenDecoder, batches: Sequence[Batch], *, roll: bool = True) -> np.ndarray:
    """Cross-entropy of every level in nats over all frames, (levels,); without the roll for comparison."""
    decoder.eval()
    total, weights = torch.zeros(decoder.config.levels), 0.0
    for batch in batches:
        context = decoder.context(batch.scene, batch.event * float(roll), batch.frames)
        said = decoder.say(batch.tokens, decoder.vectors(batch.tokens, decoder.config.levels)[..., -1, :])
        states = decoder.states(context, batch.clocks, said)
        chosen = batch.weight > 0
        weight = batch.weight[chosen]
        losses = level_losses(decoder.deepen(states[chosen], batch.tokens[chosen]), batch.tokens[chosen], weight)
        total, weights = total + losses * weight.sum(), weights + float(weight.sum())
    return (total / weights).numpy()


def train_decoder(options: DecoderTraining, report: Callable[[str], None] = print) -> np.ndarray:
    """Trains a token decoder and writes it (half precision) as the `decoder` part of the checkpoint in `options.out`.

    The averaged weights are judged on the valid split every few minutes; the best are kept.

    Args:
        options: data, place and budget.
        report: takes a line about the progress now and then.

    Returns:
        Cross-entropy of every level on the valid split, (levels,).

    Raises:
        InputError: unusable data, no codec in the checkpoint, or a state that does not fit.
    """
    with one_thread(gradients=True):
        return _train(options, report)


def _train(options: DecoderTraining, report: Callable[[str], None]) -> np.ndarray:
    torch.manual_seed(options.seed)
    checkpoint = load_checkpoint(options.out)
    if "codec" not in checkpoint.configs:
        raise InputError(f"{options.out}: the checkpoint holds no codec; train one there first")
    codec = MelRvqCodec.from_tensors(MelRvqConfig.from_json(checkpoint.configs["codec"]), checkpoint.tensors["codec"])
    cache, texts = AudioCache(load_manifest(options.data, share_alike=options.share_alike)), LabelTable.load()
    drawer = Drawer(fill_pool(cache.split("train"), codec, options.variants, options.seed), codec, texts)
    valid = Drawer(fill_pool(cache.split("valid"), codec, 1, options.seed), codec, texts).validation(0, options.batch)

    decoder = TokenDecoder(options.config, codec.codebooks)
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=_LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.05)
    average = Average(decoder, _AVERAGE)
    state = options.out / "decoder-run.safetensors"
    step, spent_s = load_run(state, decoder, average, optimiser) if options.resume else (0, 0.0)
    pace, judged_s, recent = Pace(options.max_minutes, spent_s), spent_s, float("nan")
    judge = TokenDecoder(options.config, codec.codebooks)
    best: np.ndarray | None = None
    report(f"decoder: {sum(p.numel() for p in decoder.parameters()) / 1e6:.2f} M weights, from step {step}")

    def judged() -> np.ndarray:
        nonlocal best
        judge.load_state_dict(average.values)
        losses = validation_losses(judge, valid)
        without = validation_losses(judge, valid, roll=False)
        report(
            f"decoder: step {step}, {pace.spent_s / 60:.1f} min, train {recent:.3f}, valid {losses.round(3)} "
            f"(mean {losses.mean():.3f}), without the roll {without.mean():.3f}"
        )
        if best is None or losses.mean() < best.mean():
            best = losses
            halves = {name: value.half() for name, value in average.values.items()}
            write_part(options.out, "decoder", options.config.as_json(), halves)
        return best

    while pace.share < 1.0:
        for batch in drawer.training(options.seed, step, options.batch):
            decoder.train()
            generator = torch.Generator().manual_seed(step)
            with torch.autocast("cpu", torch.bfloat16):
                loss = training_loss(decoder, batch, generator)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
            for group in optimiser.param_groups:
                group["lr"] = pace.rate(_LEARNING_RATE, step)
            optimiser.step()
            average.update(decoder, step)
            recent = loss.item() if np.isnan(recent) else recent + 0.02 * (loss.item() - recent)
            step += 1
        if pace.spent_s - judged_s >= options.valid_every_s:
            judged_s = pace.spent_s
            judged()
        if pace.save_due():
            save_run(state, decoder, average, optimiser, step, pace.spent_s)
    save_run(state, decoder, average, optimiser, step, pace.spent_s)
    return judged()
