"""A codec that is fitted in a fraction of a second: what it does is tested apart from how well it does it."""

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from recomposer_studio.codec.mel_rvq import MelRvqCodec, MelRvqConfig, log_bands, to_vectors
from recomposer_studio.codec.vocoder import Vocoder, VocoderConfig
from recomposer_studio.training.codebooks import fit_codebooks

RATE_HZ = 32_000
TINY = MelRvqConfig(levels=4, codebook_size=32, vocoder=VocoderConfig(width=16, blocks=1, expansion=1, kernel=3))


def burst(seed: int, seconds: float = 0.4) -> NDArray[np.float32]:
    """Coloured noise that dies away, peak 0.7; slope and decay depend on the seed."""
    rng = np.random.default_rng(seed)
    n = round(seconds * RATE_HZ)
    spectrum = np.fft.rfft(rng.normal(size=n))
    slope = rng.uniform(0.0, 1.5)
    sound = np.fft.irfft(spectrum / np.maximum(1.0, np.arange(len(spectrum))) ** slope, n)
    sound *= np.exp(-np.arange(n) / (RATE_HZ * rng.uniform(0.05, 0.3)))
    return (0.7 * sound / np.abs(sound).max()).astype(np.float32)


@cache
def tiny_vectors() -> torch.Tensor:
    """Log band powers of forty bursts, (frames, 128)."""
    vectors = [to_vectors(log_bands(burst(seed) * 10.0 ** -(seed % 3), RATE_HZ)) for seed in range(40)]
    return torch.from_numpy(np.concatenate(vectors).astype(np.float32))


@cache
def tiny_codec() -> MelRvqCodec:
    """The codec, its vocoder untrained."""
    mean = tiny_vectors().mean(0)
    books = fit_codebooks(tiny_vectors() - mean, TINY.levels, TINY.codebook_size, seed=0, rounds=8)
    torch.manual_seed(0)
    return MelRvqCodec(TINY, mean, books, Vocoder(TINY.vocoder, RATE_HZ))
