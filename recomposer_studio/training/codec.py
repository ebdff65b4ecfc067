"""Training of the log-mel RVQ codec: codebooks by k-means level by level, then the vocoder by regression."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.audio.bands import BandGrid
from recomposer_studio.codec.mel_rvq import MelRvqCodec, MelRvqConfig, log_bands, quantise, to_vectors
from recomposer_studio.codec.vocoder import Vocoder
from recomposer_studio.errors import InputError
from recomposer_studio.model.catalogue import CONFIG
from recomposer_studio.model.checkpoint import load_checkpoint, write_part
from recomposer_studio.training.cache import AudioCache, SplitAudio
from recomposer_studio.training.codebooks import fit_codebooks, usage_entropy
from recomposer_studio.training.crew import Crew
from recomposer_studio.training.curves import Curves
from recomposer_studio.training.run import Run, Training
from recomposer_studio.training.spectral_loss import SpectralLoss
from recomposer_studio.training.variants import normalised, variant

QUIETEST_DB = -24.0
"""Lowest gain of a training sound below peak 0.7."""
_KMEANS_FRAMES = 160_000
_AVERAGE = 0.998
_VALID_BATCHES = 4


@dataclass(frozen=True)
class CodecTraining(Training):
    """What `train_codec` needs; `max_minutes` counts for the vocoder, and `resume` keeps codebooks that lie there.

    Attributes:
        variants: how many variants of every event are made.
        batch: crops in a step.
        crop_frames: grid frames of a crop.
        valid_every_s: seconds between validations.
        peak_rate: highest learning rate.
        config: the codec.
    """

    variants: int = 3
    batch: int = 12
    crop_frames: int = 64
    valid_every_s: float = 120.0
    peak_rate: float = 5e-4
    config: MelRvqConfig = field(default_factory=MelRvqConfig)


def training_sounds(audio: SplitAudio, options: CodecTraining) -> list[NDArray[np.float32]]:
    """Events of a split and variants of them at several gains, each a mono sound at the codec's rate."""
    rng = np.random.default_rng(options.seed)
    sounds = []
    for event in audio.events:
        wave = audio.read(event.key)
        for number in range(options.variants):
            sound = variant(wave, options.config.rate_hz, rng) if number else normalised(wave)
            gain_db = rng.uniform(QUIETEST_DB, 3.0) if rng.random() < 0.5 else 0.0
            sounds.append(sound * np.float32(10.0 ** (gain_db / 20.0)))
    return sounds


def render_branches(
    vocoder: Vocoder, log_power: Tensor, grid: BandGrid, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Waveforms of (batch, bands, frames): both branches and the deterministic one, (batch, (frames - 1) * hop)."""
    tone, noise = vocoder(log_power)
    # Drawn on the processor, so that the draws are the same on every device.
    phase = 2.0 * torch.pi * torch.rand(noise.shape, generator=generator).to(noise.device)
    spectra = torch.cat([tone + torch.polar(noise, phase), tone]).transpose(1, 2)
    window = torch.tensor(grid.window, dtype=torch.float32, device=noise.device)
    waves = torch.istft(spectra * (float(grid.window.sum()) / 2.0), grid.n_fft, grid.hop, window=window)
    whole, deterministic = waves.chunk(2)
    return whole, deterministic


@dataclass(frozen=True)
class Sound:
    """A training sound: samples, and its log band powers as they are and after quantisation, (bands, frames)."""

    wave: NDArray[np.float32]
    bands: NDArray[np.float32]
    coarse: NDArray[np.float32]


def draw_crops(
    sounds: Sequence[Sound], batch: int, frames: int, hop: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Random crops: log power (batch, bands, frames + 1), half of it quantised, and waves (batch, frames * hop)."""
    floor = float(np.log(1e-8))
    powers = np.full((batch, sounds[0].bands.shape[0], frames + 1), floor, np.float32)
    waves = np.zeros((batch, frames * hop), np.float32)
    for row in range(batch):
        sound = sounds[int(rng.integers(len(sounds)))]
        bands = sound.coarse if rng.random() < 0.5 else sound.bands
        first = int(rng.integers(-8, max(-7, bands.shape[1] - frames + 8)))
        low, high = max(0, first), min(bands.shape[1], first + frames + 1)
        powers[row, :, low - first : high - first] = bands[:, low:high]
        low, high = max(0, first * hop), min(len(sound.wave), (first + frames) * hop)
        waves[row, low - first * hop : high - first * hop] = sound.wave[low:high]
    return torch.from_numpy(powers), torch.from_numpy(waves)


def train_codec(options: CodecTraining, report: Callable[[str], None] = print) -> MelRvqCodec:
    """Fits the codebooks, trains the vocoder, writes both (half precision) as the `codec` part of the checkpoint.

    The averaged weights are judged on the valid split and written every few minutes.

    Args:
        options: data, place and budget.
        report: takes a line about the progress now and then.

    Returns:
        The codec.

    Raises:
        InputError: unusable data, a state that does not fit, no such device, or the training has diverged.
    """
    with options.crew() as (device, crew):
        return _train(options, device, crew, report)


def _train(options: CodecTraining, device: torch.device, crew: Crew, report: Callable[[str], None]) -> MelRvqCodec:
    torch.manual_seed(options.seed)
    config, grid = options.config, BandGrid.at(options.config.rate_hz)
    cache = options.recordings()
    waves = training_sounds(cache.split("train"), options)
    bands = [log_bands(wave, config.rate_hz) for wave in waves]
    codec = _kept(options) if options.resume else None
    if codec is None:
        codec = _fitted(options, bands, device, report)
        if crew.leads:
            _write(options, codec)
    sounds = _sounds(codec, waves, bands)
    vocoder = Vocoder(config.vocoder, config.rate_hz).to(device)
    optimiser = torch.optim.AdamW(vocoder.parameters(), lr=options.peak_rate, betas=(0.8, 0.99), weight_decay=0.01)
    run = options.run(vocoder, [optimiser], "codec-run.safetensors", average=_AVERAGE, crew=crew)
    report(f"vocoder: {sum(p.numel() for p in vocoder.parameters()) / 1e6:.2f} M weights, from step {run.step}")
    loss_of, size = SpectralLoss(config.rate_hz, device), crew.share_of(options.batch)
    # Every process draws its own crops.
    seed = options.seed + 1_000_003 * crew.rank
    judge = _Judge(options, cache, codec, device, report) if crew.leads else None
    try:
        vocoder.train()
        while run.going:
            rng = np.random.default_rng((seed, run.step))
            powers, targets = draw_crops(sounds, size, options.crop_frames, grid.hop, rng)
            generator = torch.Generator().manual_seed(seed + run.step)
            whole, tone = render_branches(vocoder, powers.to(device), grid, generator)
            run.learn(loss_of(whole, tone, targets.to(device)))
            if judge is not None and run.judge_due(options.valid_every_s):
                judge(run)
        run.keep()
        return judge(run) if judge is not None else codec
    finally:
        if judge is not None:
            judge.close()


def _kept(options: CodecTraining) -> MelRvqCodec | None:
    """The codec that an interrupted run has left, whose codebooks need not be fitted again; None where there is none.

    Raises:
        InputError: what lies there is damaged or has another configuration.
    """
    if not (options.out / CONFIG).is_file():
        return None
    checkpoint = load_checkpoint(options.out)
    if "codec" not in checkpoint.configs:
        return None
    config = MelRvqConfig.from_json(checkpoint.configs["codec"])
    if config != options.config:
        raise InputError(
            f"{options.out}: the codec there has another configuration; train anew or give the old settings"
        )
    return MelRvqCodec.from_tensors(config, checkpoint.tensors["codec"])


def _fitted(
    options: CodecTraining,
    bands: Sequence[NDArray[np.float64]],
    device: torch.device,
    report: Callable[[str], None],
) -> MelRvqCodec:
    """A codec with new codebooks and an untrained vocoder."""
    config, start_s = options.config, time.monotonic()
    vectors = torch.from_numpy(np.concatenate([to_vectors(b) for b in bands]).astype(np.float32))
    generator = torch.Generator().manual_seed(options.seed)
    vectors = vectors[torch.randperm(len(vectors), generator=generator)[:_KMEANS_FRAMES]]
    mean = vectors.mean(0)
    rest = (vectors - mean).to(device)
    books = fit_codebooks(rest, config.levels, config.codebook_size, options.seed).half().float()
    entropy = usage_entropy(quantise(rest, books).cpu().numpy(), config.codebook_size).round(3)
    report(f"codebooks: {len(vectors)} frames, {time.monotonic() - start_s:.0f} s, entropy {entropy}")
    return MelRvqCodec(config, mean.half(), books.cpu(), Vocoder(config.vocoder, config.rate_hz))


def _sounds(
    codec: MelRvqCodec, waves: Sequence[NDArray[np.float32]], bands: Sequence[NDArray[np.floating]]
) -> list[Sound]:
    return [
        Sound(w, b.astype(np.float32), codec.dequantise(codec.encode(w)).astype(np.float32))
        for w, b in zip(waves, bands, strict=True)
    ]


class _Judge:
    """Validates the averaged weights, puts them into the codec, writes it, and keeps the record."""

    def __init__(
        self,
        options: CodecTraining,
        cache: AudioCache,
        codec: MelRvqCodec,
        device: torch.device,
        report: Callable[[str], None],
    ) -> None:
        self._options, self._codec, self._device, self._report = options, codec, device, report
        self._grid = BandGrid.at(codec.rate_hz)
        audio = cache.split("valid")
        waves = [normalised(audio.read(event.key)) for event in audio.events]
        sounds = _sounds(codec, waves, [log_bands(wave, codec.rate_hz) for wave in waves])
        rng = np.random.default_rng(options.seed)
        batches = range(_VALID_BATCHES)
        self._crops = [draw_crops(sounds, options.batch, options.crop_frames, self._grid.hop, rng) for _ in batches]
        self._net = Vocoder(options.config.vocoder, options.config.rate_hz).to(device).eval()
        self._loss = SpectralLoss(codec.rate_hz, device)
        self._shown = waves[0]
        self._curves = Curves(options.out, "codec")

    @torch.no_grad()
    def __call__(self, run: Run) -> MelRvqCodec:
        self._net.load_state_dict(run.average.values)
        losses = []
        for number, (powers, waves) in enumerate(self._crops):
            generator = torch.Generator().manual_seed(number)
            branches = render_branches(self._net, powers.to(self._device), self._grid, generator)
            losses.append(float(self._loss(*branches, waves.to(self._device))))
        weights = {f"vocoder.{name}": value.cpu() for name, value in run.average.values.items()}
        codec = MelRvqCodec.from_tensors(self._options.config, {**self._codec.tensors(), **weights})
        _write(self._options, codec)
        figures = {"loss": run.loss(), "valid/loss": float(np.mean(losses))}
        self._report(f"vocoder: {self._curves.add(run.step, run.spent_s, figures)}")
        decoded = codec.decode(codec.encode(self._shown))
        self._curves.sound(run.step, "valid: a recording through the codec", decoded, codec.rate_hz)
        return codec

    def close(self) -> None:
        """Ends the record."""
        self._curves.close()


def _write(options: CodecTraining, codec: MelRvqCodec) -> None:
    halves = {name: value.half() for name, value in codec.tensors().items()}
    write_part(options.out, "codec", codec.config.as_json(), halves)
