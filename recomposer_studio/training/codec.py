"""Training of the log-mel RVQ codec: codebooks by k-means level by level, then the vocoder by regression."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from recomposer_studio.audio.bands import BandGrid, hz_from_mel, mel_from_hz
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.mel_rvq import MelRvqCodec, MelRvqConfig, log_bands, quantise, to_vectors
from recomposer_studio.codec.vocoder import Vocoder
from recomposer_studio.model.checkpoint import write_part
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest
from recomposer_studio.training.pace import Average, Pace, load_run, save_run
from recomposer_studio.training.variants import normalised, variant

QUIETEST_DB = -24.0
"""Lowest gain of a training sound below peak 0.7."""
_ROUNDS = 20
_RESTART_SHARE = 0.1
_KMEANS_FRAMES = 160_000
_LEARNING_RATE = 5e-4
_AVERAGE = 0.998
_RESOLUTIONS = ((2048, 128), (1024, 80), (512, 48), (128, 12))
"""Window in samples and mel bands of the loss's scales."""


@dataclass(frozen=True)
class CodecTraining:
    """What `train_codec` needs.

    Attributes:
        data: the manifest of recordings, or its folder.
        out: checkpoint folder; the state of the run lies there too.
        max_minutes: wall-clock budget of the vocoder; the codebooks take a few minutes more.
        resume: go on with the run that lies in `out`.
        seed: of the draws.
        share_alike: use recordings under CC BY-SA too.
        variants: how many variants of every event are made.
        batch: crops in a step.
        crop_frames: grid frames of a crop.
        config: the codec.
    """

    data: Path
    out: Path
    max_minutes: float = 25.0
    resume: bool = False
    seed: int = 0
    share_alike: bool = False
    variants: int = 3
    batch: int = 12
    crop_frames: int = 64
    config: MelRvqConfig = field(default_factory=MelRvqConfig)


def fit_codebooks(vectors: Tensor, levels: int, size: int, seed: int, rounds: int = _ROUNDS) -> Tensor:
    """k-means level by level, every level over what the levels before it leave.

    Codes used less than a tenth of a uniform share restart at a random vector during the first two thirds of the
    rounds.

    Args:
        vectors: (frames, n), their mean removed; at least `size` of them.
        levels: codebooks.
        size: codes in each.
        seed: of the draws.
        rounds: of Lloyd's iteration on every level.

    Returns:
        Codebooks (levels, size, n).
    """
    generator = torch.Generator().manual_seed(seed)
    rest, books = vectors.clone(), []
    for _ in range(levels):
        book = rest[torch.randperm(len(rest), generator=generator)[:size]].clone()
        for number in range(rounds):
            codes = quantise(rest, book[None])[0]
            counts = torch.bincount(codes, minlength=size)
            sums = torch.zeros_like(book).index_add_(0, codes, rest)
            book = torch.where(counts[:, None] > 0, sums / counts.clamp(min=1)[:, None], book)
            if number < rounds * 2 // 3:
                rare = torch.nonzero(counts < _RESTART_SHARE * len(rest) / size)[:, 0]
                book[rare] = rest[torch.randint(len(rest), (len(rare),), generator=generator)]
        books.append(book)
        rest = rest - book[quantise(rest, book[None])[0]]
    return torch.stack(books)


def usage_entropy(tokens: NDArray[np.integer], size: int) -> NDArray[np.float64]:
    """Entropy of every level's code usage as a share of log(size): (levels, frames) to (levels,)."""
    shares = [np.bincount(row, minlength=size) / len(row) for row in tokens]
    return np.array([-(p[p > 0] * np.log(p[p > 0])).sum() / np.log(size) for p in shares])


def training_sounds(options: CodecTraining) -> list[NDArray[np.float32]]:
    """Events of the train split and variants of them at several gains, each a mono sound at the codec's rate."""
    library = load_manifest(options.data, share_alike=options.share_alike)
    audio = AudioCache(library).split("train")
    rng = np.random.default_rng(options.seed)
    sounds = []
    for event in audio.events:
        wave = audio.read(event.key)
        for number in range(options.variants):
            sound = variant(wave, options.config.rate_hz, rng) if number else normalised(wave)
            gain_db = rng.uniform(QUIETEST_DB, 3.0) if rng.random() < 0.5 else 0.0
            sounds.append(sound * np.float32(10.0 ** (gain_db / 20.0)))
    return sounds


class SpectralLoss:
    """Multi-scale log-mel distance of the whole sound, compressed complex distance of the deterministic branch."""

    def __init__(self, rate_hz: int) -> None:
        """Prepares windows and mel filters."""
        self._scales = []
        for window, mels in _RESOLUTIONS:
            edges = hz_from_mel(np.linspace(0.0, float(mel_from_hz(rate_hz / 2)), mels + 2))
            bins = np.arange(window // 2 + 1) * (rate_hz / window)
            rise = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
            fall = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
            filters = torch.tensor(np.clip(np.minimum(rise, fall), 0.0, None), dtype=torch.float32)
            self._scales.append((window, torch.hann_window(window), filters[:, filters.sum(0) > 0]))

    def __call__(self, whole: Tensor, tone: Tensor, target: Tensor) -> Tensor:
        """Distance of (batch, samples) sounds: `whole` and its deterministic part `tone` from `target`."""
        total = torch.zeros(())
        for window, taper, filters in self._scales:
            spectra = torch.stft(
                torch.cat([whole, tone, target]), window, window // 4, window=taper, center=False, return_complex=True
            ) * (2.0 / float(taper.sum()))
            y, d, x = spectra.chunk(3)
            mel_y, mel_x = (torch.einsum("bft,fm->bmt", s.abs().square(), filters) for s in (y, x))
            total = total + 0.5 * functional.l1_loss(torch.log(mel_y + 1e-7), torch.log(mel_x + 1e-7))
            total = total + 3.0 * functional.l1_loss(_compressed(d), _compressed(x))
        return total


def _compressed(spectrum: Tensor) -> Tensor:
    """Real and imaginary parts with the magnitude's square root: quiet parts count too."""
    parts = torch.view_as_real(spectrum)
    return parts * (parts.square().sum(-1, keepdim=True) + 1e-7) ** -0.25


def render_branches(
    vocoder: Vocoder, log_power: Tensor, grid: BandGrid, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Waveforms of (batch, bands, frames): both branches and the deterministic one, (batch, (frames - 1) * hop)."""
    tone, noise = vocoder(log_power)
    phase = 2.0 * torch.pi * torch.rand(noise.shape, generator=generator)
    spectra = torch.cat([tone + torch.polar(noise, phase), tone]).transpose(1, 2)
    window = torch.tensor(grid.window, dtype=torch.float32)
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

    Args:
        options: data, place and budget.
        report: takes a line about the progress now and then.

    Returns:
        The codec.

    Raises:
        InputError: unusable data, or a state that does not fit.
    """
    with one_thread(gradients=True):
        return _train(options, report)


def _train(options: CodecTraining, report: Callable[[str], None]) -> MelRvqCodec:
    torch.manual_seed(options.seed)
    config, grid = options.config, BandGrid.at(options.config.rate_hz)
    waves = training_sounds(options)
    bands = [log_bands(wave, config.rate_hz) for wave in waves]
    vectors = torch.from_numpy(np.concatenate([to_vectors(b) for b in bands]).astype(np.float32))
    generator = torch.Generator().manual_seed(options.seed)
    vectors = vectors[torch.randperm(len(vectors), generator=generator)[:_KMEANS_FRAMES]]
    mean = vectors.mean(0)
    start = time.monotonic()
    books = fit_codebooks(vectors - mean, config.levels, config.codebook_size, options.seed).half().float()
    vocoder = Vocoder(config.vocoder, config.rate_hz)
    codec = MelRvqCodec(config, mean.half(), books, vocoder)
    _write(options, codec)
    tokens = quantise(vectors - mean, books).numpy()
    entropy = usage_entropy(tokens, config.codebook_size).round(3)
    report(f"codebooks: {len(vectors)} frames, {time.monotonic() - start:.0f} s, entropy {entropy}")

    sounds = [
        Sound(w, b.astype(np.float32), codec.dequantise(codec.encode(w)).astype(np.float32))
        for w, b in zip(waves, bands, strict=True)
    ]
    loss_of = SpectralLoss(config.rate_hz)
    optimiser = torch.optim.AdamW(vocoder.parameters(), lr=_LEARNING_RATE, betas=(0.8, 0.99), weight_decay=0.01)
    average = Average(vocoder, _AVERAGE)
    state = options.out / "codec-run.safetensors"
    step, spent_s = load_run(state, vocoder, average, optimiser) if options.resume else (0, 0.0)
    pace, recent = Pace(options.max_minutes, spent_s), 0.0
    vocoder.train()
    while pace.share < 1.0:
        rng = np.random.default_rng((options.seed, step))
        powers, targets = draw_crops(sounds, options.batch, options.crop_frames, grid.hop, rng)
        whole, tone = render_branches(vocoder, powers, grid, torch.Generator().manual_seed(step))
        loss = loss_of(whole, tone, targets)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vocoder.parameters(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = pace.rate(_LEARNING_RATE, step)
        optimiser.step()
        average.update(vocoder, step)
        recent += (loss.item() - recent) / min(step + 1, 50)
        step += 1
        if step % 100 == 0:
            report(f"vocoder: step {step}, {pace.spent_s / 60:.1f} min, loss {recent:.4f}")
        if pace.save_due():
            save_run(state, vocoder, average, optimiser, step, pace.spent_s)
    vocoder.load_state_dict(average.values)
    _write(options, codec)
    save_run(state, vocoder, average, optimiser, step, pace.spent_s)
    return codec


def _write(options: CodecTraining, codec: MelRvqCodec) -> None:
    halves = {name: value.half() for name, value in codec.tensors().items()}
    write_part(options.out, "codec", codec.config.as_json(), halves)
