"""Training of the token decoder: the tokens of isolated events in boxes, given the scene and the roll.

In half of the examples an exemplar is given too; in some the tokens are those of a whole clip after its edits.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recomposer_studio.audio.atomic import atomic_path
from recomposer_studio.codec.build import build_codec
from recomposer_studio.codec.interface import Codec
from recomposer_studio.codec.mel_rvq import MelRvqCodec
from recomposer_studio.codec.published import PublishedCodec
from recomposer_studio.codec.waveform import WaveformCodec
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import fill, load_checkpoint, write_part
from recomposer_studio.model.decoder import DecoderConfig, TokenDecoder
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.crew import Crew
from recomposer_studio.training.curves import Curves
from recomposer_studio.training.run import Run, Training
from recomposer_studio.training.sounds import Batch, Drawer, fill_pool

TOKEN_FRAMES_PER_S = 50
"""Scenes, clocks and exemplars are laid out for token frames of 20 ms."""
_AVERAGE = 0.998
_FULL_LEVELS, _FINE_WEIGHT = 4, 0.5
_DEPTH_SHARE = 0.35
"""Share of the frames whose levels are trained in a step: neighbouring frames teach the depth stack much the same."""
_ONSET_FRAMES, _ONSET_WEIGHT = 4, 3.0
"""The first frames decide what a sound becomes; they are few, so they count more."""
_COARSE_FRAMES, _UNHEARD_FRAMES, _SAID_NOISE = 0.3, 0.1, 0.1
_BEST = "decoder-best.json"
_ALIKE_NATS = 0.01
"""Event losses that lie this close are as good as equal; then exemplars and mixtures decide."""
_VALID_MIXTURES = 48


@dataclass(frozen=True)
class DecoderTraining(Training):
    """What `train_decoder` needs; `out` holds the codec already.

    Attributes:
        max_minutes: wall-clock budget.
        variants: how many variants of every event are encoded.
        batch: boxes in a step.
        valid_every_s: seconds between validations.
        start: a checkpoint whose decoder training begins with; its codec has to be the one in `out`. What it lacks (the parts for exemplars
            and mixtures) starts as nothing: without an exemplar, events sound as they did.
        peak_rate: highest learning rate.
        config: the network.
    """

    max_minutes: float = 35.0
    variants: int = 4
    batch: int = 16
    valid_every_s: float = 150.0
    start: Path | None = None
    peak_rate: float = 1e-3
    config: DecoderConfig = field(default_factory=lambda: DecoderConfig(exemplar=True, mixture=True))


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
    levels, device = decoder.config.levels, tokens.device
    vectors = decoder.vectors(tokens, levels)
    # Drawn on the processor, so that the draws are the same on every device.
    coarse = torch.randint(levels, tokens.shape[:2], generator=generator)
    heard = torch.where(torch.rand(tokens.shape[:2], generator=generator) < _COARSE_FRAMES, coarse, levels - 1)
    index = heard.to(device)[:, :, None, None].expand(-1, -1, 1, vectors.shape[3])
    vector = vectors.gather(2, index)[:, :, 0]
    noise = torch.randn(vector.shape, generator=generator).to(device)
    said = decoder.say(tokens, vector + _SAID_NOISE * noise)
    return said * (torch.rand(tokens.shape[:2], generator=generator) >= _UNHEARD_FRAMES).to(device)[:, :, None]


def level_losses(logits: Tensor, tokens: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy of every level in nats: (n, levels, codes), (n, levels), (n,) to (levels,)."""
    losses = functional.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
    return (losses * weight[:, None]).sum(0) / weight.sum().clamp(min=1e-6)


def training_loss(decoder: TokenDecoder, batch: Batch, generator: torch.Generator) -> Tensor:
    """The loss of a step: levels above the fourth count half."""
    context = decoder.context(batch, batch.frames)
    states = decoder.states(batch, context, batch.clocks, blurred(decoder, batch.tokens, generator))
    device = batch.weight.device
    onset = (torch.arange(batch.frames, device=device) < _ONSET_FRAMES).expand_as(batch.weight)
    weight = torch.where(onset, _ONSET_WEIGHT * batch.weight, batch.weight)
    chosen = (weight > 0) & (onset | (torch.rand(weight.shape, generator=generator) < _DEPTH_SHARE).to(device))
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
        context = decoder.context(batch if roll else replace(batch, event=torch.zeros_like(batch.event)), batch.frames)
        said = decoder.say(batch.tokens, decoder.vectors(batch.tokens, decoder.config.levels)[..., -1, :])
        states = decoder.states(batch, context, batch.clocks, said)
        chosen = batch.weight > 0
        weight = batch.weight[chosen]
        losses = level_losses(decoder.deepen(states[chosen], batch.tokens[chosen]), batch.tokens[chosen], weight)
        total, weights = total + (losses * weight.sum()).cpu(), weights + float(weight.sum())
    return (total / weights).numpy()


def train_decoder(options: DecoderTraining, report: Callable[[str], None] = print) -> np.ndarray:
    """Trains a token decoder and writes it (half precision) as the `decoder` part of the checkpoint in `options.out`.

    The averaged weights are judged on the valid split every few minutes; the best are kept, also over pauses.

    Args:
        options: data, place and budget.
        report: takes a line about the progress now and then.

    Returns:
        Cross-entropy of every level on the valid split, (levels,).

    Raises:
        InputError: unusable data, no codec in the checkpoint, or a state that does not fit.
    """
    with options.crew() as (device, crew):
        return _train(options, device, crew, report)


def _train(options: DecoderTraining, device: torch.device, crew: Crew, report: Callable[[str], None]) -> np.ndarray:
    torch.manual_seed(options.seed)
    checkpoint = load_checkpoint(options.out)
    if "codec" not in checkpoint.configs:
        raise InputError(f"{options.out}: the checkpoint holds no codec; train one there first")
    codec = build_codec(checkpoint.configs["codec"], checkpoint.tensors["codec"])
    if isinstance(codec, WaveformCodec | PublishedCodec):
        codec.to(device)
    options = replace(options, config=fitting(options.config, codec))
    cache = options.recordings()
    texts = LabelTable.load()
    kinds = {"exemplars": options.config.exemplar, "mixtures": options.config.mixture}
    drawer = Drawer(fill_pool(cache.split("train"), codec, options.variants, options.seed), codec, texts, **kinds)
    decoder = TokenDecoder(options.config, codec.codebooks)
    if options.start is not None:
        begin_with(decoder, options.start)
    decoder.to(device)
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=options.peak_rate, betas=(0.9, 0.95), weight_decay=0.05)
    run = options.run(decoder, [optimiser], "decoder-run.safetensors", average=_AVERAGE, crew=crew)
    if not crew.leads:
        _steps(options, run, decoder, drawer, device, None)
        return np.zeros(options.config.levels)
    with closing(_Judge(options, cache, codec, texts, device, report)) as judge:
        report(f"decoder: {sum(p.numel() for p in decoder.parameters()) / 1e6:.2f} M weights, from step {run.step}")
        _steps(options, run, decoder, drawer, device, judge)
        return judge(run)


def fitting(config: DecoderConfig, codec: Codec) -> DecoderConfig:
    """The sizes of a decoder with those of the codec whose tokens it makes; mixtures need codes of log-mel frames.

    Raises:
        InputError: the codec has another frame rate than the decoder.
    """
    if codec.rate_hz != TOKEN_FRAMES_PER_S * codec.hop:
        raise InputError(
            f"the codec makes {codec.rate_hz / codec.hop:g} frames a second and token decoders need {TOKEN_FRAMES_PER_S}; "
            "take another codec"
        )
    levels, size, vector = codec.codebooks.shape
    mixture = config.mixture and isinstance(codec, MelRvqCodec)
    return replace(config, levels=levels, codebook_size=size, vector=vector, mixture=mixture)


def _steps(
    options: DecoderTraining,
    run: Run,
    decoder: TokenDecoder,
    drawer: Drawer,
    device: torch.device,
    judge: "_Judge | None",
) -> None:
    """All steps of the run; the leading process judges now and then."""
    size, own = run.crew.share_of(options.batch), 1_000_003 * run.crew.rank
    while run.going:
        for batch in drawer.training(options.seed + own, run.step, size):
            decoder.train()
            with torch.autocast(device.type, torch.bfloat16):
                loss = training_loss(decoder, batch.to(device), torch.Generator().manual_seed(run.step + own))
            run.learn(loss)
        if judge is not None and run.judge_due(options.valid_every_s):
            judge(run)
    run.keep()


def begin_with(decoder: TokenDecoder, folder: Path) -> None:
    """Begins with the weights of a trained decoder; parts for exemplars and mixtures that it lacks stay as they are.

    Raises:
        InputError: the checkpoint holds no decoder, or one of another size.
    """
    known = load_checkpoint(folder).tensors.get("decoder")
    if known is None:
        raise InputError(f"{folder}: the checkpoint holds no decoder to begin with; name another one")
    parts = ("exemplar", "timbre.", "heard.")
    new = {name: value for name, value in decoder.state_dict().items() if name not in known and name.startswith(parts)}
    fill(decoder, {**new, **known}, folder)


@dataclass(frozen=True)
class Verdict:
    """Losses on the valid split in nats, means over the levels.

    Attributes:
        event: events without exemplar.
        exemplar: events with one.
        mixture: whole clips.
    """

    event: float
    exemplar: float = 0.0
    mixture: float = 0.0


@dataclass(frozen=True)
class Best:
    """What was kept.

    Attributes:
        verdict: on the weights that were kept.
        lowest: the lowest event loss ever seen.
        levels: event loss of every level.
    """

    verdict: Verdict
    lowest: float
    levels: tuple[float, ...]

    def beaten_by(self, new: Verdict) -> bool:
        """Whether other weights are better: at events, or as good at events and better at the rest."""
        if new.event > self.lowest + _ALIKE_NATS:
            return False
        kept = self.verdict
        better_rest = (new.exemplar + new.mixture, new.event) < (kept.exemplar + kept.mixture, kept.event)
        return new.event < kept.event - _ALIKE_NATS or better_rest

    @staticmethod
    def read(path: Path) -> "Best | None":
        """What an earlier part of the run kept; None where there is nothing to be read."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            return Best(Verdict(**values["verdict"]), float(values["lowest"]), tuple(map(float, values["levels"])))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, path: Path) -> None:
        """Keeps it for the next part of the run."""
        with atomic_path(path) as part:
            part.write_text(json.dumps(asdict(self)), encoding="utf-8")


class _Judge:
    """Validates the averaged weights, writes the best and keeps the record."""

    def __init__(
        self,
        options: DecoderTraining,
        cache: AudioCache,
        codec: Codec,
        texts: LabelTable,
        device: torch.device,
        report: Callable[[str], None],
    ) -> None:
        drawer = Drawer(fill_pool(cache.split("valid"), codec, 1, options.seed), codec, texts)
        config, batch = options.config, options.batch
        self._events = [b.to(device) for b in drawer.validation(0, batch)]
        self._exemplified = [b.to(device) for b in drawer.exemplified(0, batch)] if config.exemplar else []
        self._mixtures = [b.to(device) for b in drawer.mixtures(0, batch, _VALID_MIXTURES)] if config.mixture else []
        self._net = TokenDecoder(config, codec.codebooks).to(device)
        self._options, self._report = options, report
        self._curves = Curves(options.out, "decoder")
        self._best = Best.read(options.out / _BEST) if options.resume else None

    def __call__(self, run: Run) -> np.ndarray:
        self._net.load_state_dict(run.average.values)
        losses = validation_losses(self._net, self._events)
        figures = {f"valid/level {level}": float(value) for level, value in enumerate(losses, start=1)}
        verdict = Verdict(float(losses.mean()))
        means = {
            "loss": run.loss(),
            "valid/mean": verdict.event,
            "valid/without the roll": float(validation_losses(self._net, self._events, roll=False).mean()),
        }
        if self._exemplified:
            verdict = replace(verdict, exemplar=float(validation_losses(self._net, self._exemplified).mean()))
            without = [batch.without_exemplars() for batch in self._exemplified]
            means["valid/with an exemplar"] = verdict.exemplar
            means["valid/the same without"] = float(validation_losses(self._net, without).mean())
        if self._mixtures:
            verdict = replace(verdict, mixture=float(validation_losses(self._net, self._mixtures).mean()))
            means["valid/mixture"] = verdict.mixture
        self._report(f"decoder: {self._curves.add(run.step, run.spent_s, {**means, **figures})}")
        if self._best is None or self._best.beaten_by(verdict):
            lowest = min(verdict.event, self._best.lowest if self._best else verdict.event)
            self._best = Best(verdict, lowest, tuple(map(float, losses)))
            halves = {name: value.half().cpu() for name, value in run.average.values.items()}
            write_part(self._options.out, "decoder", self._options.config.as_json(), halves)
        self._best = replace(self._best, lowest=min(self._best.lowest, verdict.event))
        self._best.write(self._options.out / _BEST)
        return np.array(self._best.levels)

    def close(self) -> None:
        """Ends the record."""
        self._curves.close()
