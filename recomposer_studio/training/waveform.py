"""Training of the waveform codec: first without quantiser, then with codes placed by k-means, at the end against a discriminator if wanted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recomposer_studio.codec.waveform import EDGE, WaveformCodec, stored_tensors
from recomposer_studio.codec.waveform_network import WaveformConfig, WaveformNetwork
from recomposer_studio.model.checkpoint import write_part
from recomposer_studio.training.adversary import Adversary
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.codebooks import usage_entropy
from recomposer_studio.training.codec_gates import measure_gates
from recomposer_studio.training.crew import Crew
from recomposer_studio.training.curves import Curves
from recomposer_studio.training.run import Run, Training
from recomposer_studio.training.spectral_loss import WaveformLoss
from recomposer_studio.training.waveform_sounds import SoundBank, normalised_sounds

_AVERAGE = 0.999
_COARSE = 0.25
"""Share of the rows that keep only some of their levels, so that the first levels make sense without the others."""
_PLACING_FRAMES_PER_CODE = 24
_CODES_RATE = 5.0
"""Codes have to follow latents that move: at the rate of the others they lag behind, and what the quantiser leaves grows."""
_RESTART_STEPS, _RESTART_UNTIL, _RARE = 50, 0.6, 0.1
_ADVERSARY_FROM = 2.0 / 3.0
_VALID_BATCHES = 4
_GATE_SOUNDS_S = 60.0


@dataclass(frozen=True)
class WaveformTraining(Training):
    """What `train_waveform` needs.

    Attributes:
        variants: how many variants of every event are made.
        batch: crops in a step.
        crop_frames: token frames of a crop that count; a few more on either side do not.
        valid_every_s: seconds between validations.
        peak_rate: highest learning rate.
        warm_up: share of the budget without quantiser.
        adversary: weight of the discriminator's opinion in the last third of the budget; 0 does without.
        precision: of the convolutions, `float32` or `bfloat16`; spectra, losses and quantiser are always in float32.
        config: the codec.
    """

    variants: int = 3
    batch: int = 12
    crop_frames: int = 50
    valid_every_s: float = 120.0
    peak_rate: float = 4e-4
    warm_up: float = 0.05
    adversary: float = 0.0
    precision: str = "float32"
    config: WaveformConfig = field(default_factory=WaveformConfig)

    def __post_init__(self) -> None:
        """Checks the choices.

        Raises:
            ValueError: there is no such precision.
        """
        if self.precision not in ("float32", "bfloat16"):
            raise ValueError("the precision is float32 or bfloat16")


@dataclass(frozen=True)
class Decoded:
    """A batch that went through the codec, (batch, samples) each: with noise, without, and what the quantiser costs."""

    whole: Tensor
    tone: Tensor
    cost: Tensor


def through(
    network: WaveformNetwork, waves: Tensor, kept: Tensor, generator: torch.Generator, precision: str = "float32"
) -> Decoded:
    """Encodes and decodes as training needs it.

    Args:
        network: the codec; without placed codes latents pass as they are.
        waves: (batch, samples), whole token frames.
        kept: levels that every row keeps, (batch,).
        generator: of the noise, on the device of the waves.
        precision: of the convolutions.
    """
    half = torch.autocast(waves.device.type, torch.bfloat16, enabled=precision == "bfloat16")
    with half:
        latents = network.analyse(waves)
    cost = latents.new_zeros(())
    if bool(network.quantiser.ready):
        batch, _, frames = latents.shape
        flat, cost = network.quantiser(latents.transpose(1, 2).flatten(0, 1), kept.repeat_interleave(frames))
        latents = flat.unflatten(0, (batch, frames)).transpose(1, 2)
    with half:
        tone, noise = network.spectra(latents)
    phase = 2.0 * torch.pi * torch.rand(noise.shape, generator=generator, device=noise.device)
    whole, deterministic = network.synthesise(torch.cat([tone + torch.polar(noise, phase), tone])).chunk(2)
    return Decoded(whole, deterministic, cost)


def train_waveform(options: WaveformTraining, report: Callable[[str], None] = print) -> WaveformCodec | None:
    """Trains the codec and writes it (half precision) as the `codec` part of the checkpoint; says at the end which gates it passes.

    Args:
        options: data, place and budget.
        report: takes a line about the progress now and then.

    Returns:
        The codec, in the leading process.

    Raises:
        InputError: unusable data, a state that does not fit, no such device, or the training has diverged.
    """
    with options.crew() as (device, crew):
        return _Training(options, device, crew, report).run()


class _Training:
    """One training."""

    def __init__(
        self, options: WaveformTraining, device: torch.device, crew: Crew, report: Callable[[str], None]
    ) -> None:
        torch.manual_seed(options.seed)
        self._options, self._device, self._crew, self._report = options, device, crew, report
        self._cache = options.recordings()
        self._bank = _bank(options, self._cache, "train", options.variants, device)
        self._network = WaveformNetwork(options.config).to(device)
        codes = self._network.quantiser.codes
        groups: list[dict[str, Any]] = [
            {"params": [p for p in self._network.parameters() if p is not codes]},
            {"params": [codes], "lr": _CODES_RATE * options.peak_rate, "weight_decay": 0.0},
        ]
        optimiser = torch.optim.AdamW(groups, lr=options.peak_rate, betas=(0.8, 0.99), weight_decay=0.01)
        self._run = options.run(self._network, [optimiser], "codec-run.safetensors", average=_AVERAGE, crew=crew)
        self._loss = WaveformLoss(options.config.rate_hz, device)
        self._adversary: Adversary | None = None
        self._own = options.seed + 1_000_003 * crew.rank
        self._size = crew.share_of(options.batch)

    def run(self) -> WaveformCodec | None:
        """Trains to the end of the budget or to the pause."""
        options, run = self._options, self._run
        self._report(
            f"waveform codec: {sum(p.numel() for p in self._network.parameters()) / 1e6:.2f} M weights, from step {run.step}"
        )
        judge = _Judge(options, self._cache, self._device, self._report) if self._crew.leads else None
        try:
            while run.going:
                if run.share >= options.warm_up and not bool(self._network.quantiser.ready):
                    self._place()
                self._step()
                if judge is not None and run.judge_due(options.valid_every_s):
                    judge(run)
            if not bool(self._network.quantiser.ready) and run.share >= 1.0:
                self._place()
            run.keep()
            if self._adversary is not None:
                self._adversary.keep()
            if judge is None or not bool(self._network.quantiser.ready):
                return None
            codec = judge(run)
            if run.share >= 1.0:
                judge.show_gates(codec)
            return codec
        finally:
            if judge is not None:
                judge.close()

    def _step(self) -> None:
        options, run, levels = self._options, self._run, self._options.config.levels
        rng = np.random.default_rng((self._own, run.step))
        waves = self._crops(rng)
        kept = np.where(rng.random(len(waves)) < _COARSE, rng.integers(1, levels + 1, len(waves)), levels)
        self._network.train()
        generator = torch.Generator(self._device).manual_seed(self._own + run.step)
        decoded = through(self._network, waves, torch.from_numpy(kept).to(self._device), generator, options.precision)
        inner = slice(EDGE * options.config.hop, -EDGE * options.config.hop)
        whole, tone, target = decoded.whole[:, inner], decoded.tone[:, inner], waves[:, inner]
        loss = self._loss(whole, tone, target) + decoded.cost
        if options.adversary > 0.0 and run.share >= _ADVERSARY_FROM:
            adversary = self._rival()
            adversary.learn(whole, target, run.share)
            loss = loss + options.adversary * adversary.opinion(whole, target)
        run.learn(loss)
        if run.step % _RESTART_STEPS == 0 and run.share < _RESTART_UNTIL and bool(self._network.quantiser.ready):
            self._restart(waves)

    def _crops(self, rng: np.random.Generator) -> Tensor:
        options = self._options
        return self._bank.crops(self._size, (options.crop_frames + 2 * EDGE) * options.config.hop, rng)

    def _rival(self) -> Adversary:
        if self._adversary is None:
            state = self._options.out / "adversary-run.safetensors"
            resume = self._options.resume and state.is_file()
            self._adversary = Adversary(state, self._options.peak_rate, self._device, self._crew, resume=resume)
        return self._adversary

    @torch.no_grad()
    def _place(self) -> None:
        """Ends the warm-up: codes where latents are, the same in every process and in the averaged weights."""
        options, quantiser = self._options, self._network.quantiser
        wanted = _PLACING_FRAMES_PER_CODE * options.config.codebook_size
        latents: list[Tensor] = []
        while sum(map(len, latents)) < wanted:
            rng = np.random.default_rng((self._own, self._run.step, len(latents)))
            latents.append(self._latents(self._crops(rng)))
        quantiser.place(torch.cat(latents), options.seed)
        self._share_codes()
        values = self._run.average.values
        for name, value in quantiser.state_dict().items():
            values[f"quantiser.{name}"].copy_(value)
        self._report(f"waveform codec: {sum(map(len, latents))} frames place the codes at step {self._run.step}")

    @torch.no_grad()
    def _restart(self, waves: Tensor) -> None:
        quantiser = self._network.quantiser
        quantiser.usage.copy_(self._crew.mean(quantiser.usage))
        quantiser.restart(self._latents(waves), _RARE, self._options.seed + self._run.step)
        self._share_codes()

    def _latents(self, waves: Tensor) -> Tensor:
        """Latent frames of the inner part of crops, (frames, latent)."""
        return self._network.analyse(waves)[:, :, EDGE:-EDGE].transpose(1, 2).flatten(0, 1)

    def _share_codes(self) -> None:
        """Brings the leading process's codes to all."""
        if self._crew.size > 1:
            for value in self._network.quantiser.state_dict().values():
                if value.is_floating_point():
                    own = value if self._crew.leads else torch.zeros_like(value)
                    value.copy_(self._crew.mean(own) * self._crew.size)


def _bank(options: WaveformTraining, cache: AudioCache, split: str, variants: int, device: torch.device) -> SoundBank:
    rate_hz = options.config.rate_hz
    events, backgrounds = normalised_sounds(cache.split(split), variants, rate_hz, options.seed)
    return SoundBank(events, backgrounds, rate_hz).to(device)


class _Judge:
    """Validates the averaged weights, writes the codec, and keeps the record."""

    def __init__(
        self, options: WaveformTraining, cache: AudioCache, device: torch.device, report: Callable[[str], None]
    ) -> None:
        self._options, self._device, self._report = options, device, report
        config = options.config
        bank = _bank(options, cache, "valid", 1, device)
        rng = np.random.default_rng(options.seed)
        samples = (options.crop_frames + 2 * EDGE) * config.hop
        self._crops = [bank.crops(options.batch, samples, rng) for _ in range(_VALID_BATCHES)]
        self._sounds, self._cache = cache.split("valid"), cache
        self._network = WaveformNetwork(config).to(device).eval()
        self._loss = WaveformLoss(config.rate_hz, device)
        self._curves = Curves(options.out, "codec")

    @torch.no_grad()
    def __call__(self, run: Run) -> WaveformCodec:
        """Judges the averaged weights; they are written once there are codes."""
        network, config = self._network, self._options.config
        network.load_state_dict(run.average.values)
        inner = slice(EDGE * config.hop, -EDGE * config.hop)
        losses, tokens = [], []
        for number, waves in enumerate(self._crops):
            generator = torch.Generator(self._device).manual_seed(number)
            kept = torch.full((len(waves),), config.levels, device=self._device)
            decoded = through(network, waves, kept, generator)
            losses.append(float(self._loss(decoded.whole[:, inner], decoded.tone[:, inner], waves[:, inner])))
            latents = network.analyse(waves)[:, :, EDGE:-EDGE].transpose(1, 2).flatten(0, 1)
            tokens.append(network.quantiser.encode(latents).cpu().numpy())
        figures = {"loss": run.loss(), "valid/loss": float(np.mean(losses))}
        halves = {name: value.half().cpu() for name, value in stored_tensors(network).items()}
        codec = WaveformCodec.from_tensors(config, halves)
        if bool(network.quantiser.ready):
            usage = usage_entropy(np.concatenate(tokens, axis=1), config.codebook_size)
            figures |= {f"usage/level {level}": float(share) for level, share in enumerate(usage, start=1)}
            write_part(self._options.out, "codec", config.as_json(), halves)
            shown = self._sounds.read(self._sounds.events[0].key)
            decoded_sound = codec.decode(codec.encode(shown))
            self._curves.sound(run.step, "valid: a recording through the codec", decoded_sound, codec.rate_hz)
        self._report(f"waveform codec: {self._curves.add(run.step, run.spent_s, figures)}")
        return codec

    def show_gates(self, codec: WaveformCodec) -> None:
        """Measures the codec on up to a minute of valid sounds and reports its gates."""
        events, backgrounds = normalised_sounds(self._sounds, 1, codec.rate_hz, self._options.seed)
        longest = round(codec.rate_hz)
        sounds = [sound[:longest] for pair in zip(events, backgrounds, strict=False) for sound in pair]
        sounds += [sound[:longest] for sound in events[len(backgrounds) :]]
        total = np.cumsum([len(sound) for sound in sounds])
        chosen = sounds[: 1 + int(np.searchsorted(total, _GATE_SOUNDS_S * codec.rate_hz))]
        for line in measure_gates(codec, chosen).lines():
            self._report(line)

    def close(self) -> None:
        """Ends the record."""
        self._curves.close()
