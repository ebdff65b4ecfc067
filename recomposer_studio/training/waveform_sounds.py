"""What the waveform codec learns from: crops of events and backgrounds, alone and mixed, drawn where the network is."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.training.cache import SplitAudio
from recomposer_studio.training.variants import normalised, variant

_STEPS = 32767.0
_BACKGROUNDS, _MIXED, _MUFFLED = 0.3, 0.5, 0.1
_GAIN_DB, _SECOND_DB = (-30.0, 6.0), (-20.0, 0.0)
_CUTOFF_HZ = (1500.0, 12_000.0)


def normalised_sounds(
    audio: SplitAudio, variants: int, rate_hz: int, seed: int
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Events of a split with variants of them, and its backgrounds, each at peak 0.7."""
    rng = np.random.default_rng(seed)
    events = []
    for event in audio.events:
        wave = audio.read(event.key)
        events += [normalised(wave), *(variant(wave, rate_hz, rng) for _ in range(variants - 1))]
    return events, [normalised(audio.read(background.key)) for background in audio.backgrounds]


class SoundBank:
    """Sounds as one run of 16-bit samples on the device, so that a batch of crops is one look-up."""

    def __init__(
        self, events: Sequence[NDArray[np.float32]], backgrounds: Sequence[NDArray[np.float32]], rate_hz: int
    ) -> None:
        """Packs mono sounds within [-1, 1]."""
        sounds = [*events, *backgrounds]
        self._events = len(events)
        self._rate_hz = rate_hz
        self._lengths = np.array([len(sound) for sound in sounds], np.int64)
        self._starts = np.cumsum(self._lengths) - self._lengths
        flat = np.concatenate([np.rint(np.clip(sound, -1.0, 1.0) * _STEPS).astype(np.int16) for sound in sounds])
        self._samples = torch.from_numpy(flat)

    def to(self, device: torch.device) -> "SoundBank":
        """Moves the samples to a device; returns itself."""
        self._samples = self._samples.to(device)
        return self

    def crops(self, batch: int, samples: int, rng: np.random.Generator) -> Tensor:
        """Crops (batch, samples) float32: half of them two sounds at once, some muffled, at gains of -30 to 6 dB, either way up."""
        device = self._samples.device
        waves = self._drawn(batch, samples, rng)
        second = self._drawn(batch, samples, rng)
        share = 10.0 ** (rng.uniform(*_SECOND_DB, batch) / 20.0) * (rng.random(batch) < _MIXED)
        waves = waves + torch.from_numpy(share.astype(np.float32)).to(device)[:, None] * second
        muffled = np.flatnonzero(rng.random(batch) < _MUFFLED)
        cutoff_hz = np.exp(rng.uniform(np.log(_CUTOFF_HZ[0]), np.log(_CUTOFF_HZ[1]), len(muffled)))
        if len(muffled):
            rows = torch.from_numpy(muffled).to(device)
            waves[rows] = _muffle(waves[rows], torch.from_numpy(cutoff_hz).to(device), self._rate_hz)
        gain = 10.0 ** (rng.uniform(*_GAIN_DB, batch) / 20.0) * rng.choice([-1.0, 1.0], batch)
        return waves * torch.from_numpy(gain.astype(np.float32)).to(device)[:, None]

    def _drawn(self, batch: int, samples: int, rng: np.random.Generator) -> Tensor:
        """One sound a row; crops begin up to a quarter before it or end up to a quarter after it."""
        events = rng.integers(self._events, size=batch)
        others = len(self._lengths) - self._events
        backgrounds = self._events + rng.integers(max(1, others), size=batch)
        sound = np.where((rng.random(batch) < _BACKGROUNDS) & (others > 0), backgrounds, events)
        spare, margin = self._lengths[sound] - samples, samples // 4
        begin = rng.integers(np.minimum(0, spare) - margin, np.maximum(0, spare) + margin + 1)
        device = self._samples.device
        first, length, start = (
            torch.from_numpy(values).to(device)[:, None]
            for values in (begin, self._lengths[sound], self._starts[sound])
        )
        where = first + torch.arange(samples, device=device)
        inside = (where >= 0) & (where < length)
        return self._samples[(start + where).clamp(0, len(self._samples) - 1)].float() / _STEPS * inside


def _muffle(waves: Tensor, cutoff_hz: Tensor, rate_hz: int) -> Tensor:
    """Low-pass of 48 dB an octave: (rows, samples), (rows,)."""
    frequencies = torch.fft.rfftfreq(waves.shape[1], 1.0 / rate_hz).to(waves.device)
    response = (1.0 + (frequencies / cutoff_hz[:, None]) ** 16) ** -0.5
    return torch.fft.irfft(torch.fft.rfft(waves) * response, waves.shape[1]).float()
