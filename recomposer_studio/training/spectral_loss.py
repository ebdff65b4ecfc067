"""How far a decoded sound is from the one that was encoded, as a loss."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recomposer_studio.audio.bands import hz_from_mel, mel_from_hz

RESOLUTIONS = ((2048, 128), (1024, 80), (512, 48), (128, 12))
"""Window in samples and mel bands of the loss's scales."""
FINE_RESOLUTIONS = ((2048, 128), (1024, 96), (512, 64), (256, 40), (128, 20), (64, 10), (32, 5))
"""The same for a codec that is to keep the shape of onsets."""

_WINDOW = 640
_HEARD = 1e-3
"""Magnitude above which a bin's phase is compared (-60 dB)."""


class SpectralLoss:
    """Multi-scale log-mel distance of the whole sound, compressed complex distance of the deterministic branch."""

    def __init__(
        self,
        rate_hz: int,
        device: torch.device | str = "cpu",
        resolutions: Sequence[tuple[int, int]] = RESOLUTIONS,
    ) -> None:
        """Prepares windows and mel filters on the device of the sounds."""
        self._scales = []
        for window, mels in resolutions:
            edges = hz_from_mel(np.linspace(0.0, float(mel_from_hz(rate_hz / 2)), mels + 2))
            bins = np.arange(window // 2 + 1) * (rate_hz / window)
            rise = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
            fall = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
            filters = torch.tensor(np.clip(np.minimum(rise, fall), 0.0, None), dtype=torch.float32)
            taper = torch.hann_window(window)
            scale = 2.0 / float(taper.sum())
            self._scales.append((window, scale, taper.to(device), filters[:, filters.sum(0) > 0].to(device)))

    def __call__(self, whole: Tensor, tone: Tensor, target: Tensor) -> Tensor:
        """Distance of (batch, samples) sounds: `whole` and its deterministic part `tone` from `target`."""
        total = whole.new_zeros(())
        for window, scale, taper, filters in self._scales:
            sounds = torch.cat([whole, tone, target])
            spectra = scale * torch.stft(sounds, window, window // 4, window=taper, center=False, return_complex=True)
            y, d, x = spectra.chunk(3)
            mel_y, mel_x = (torch.einsum("bft,fm->bmt", s.abs().square(), filters) for s in (y, x))
            total = total + 0.5 * functional.l1_loss(torch.log(mel_y + 1e-7), torch.log(mel_x + 1e-7))
            total = total + 3.0 * functional.l1_loss(_compressed(d), _compressed(x))
        return total


def _compressed(spectrum: Tensor) -> Tensor:
    """Real and imaginary parts with the magnitude's square root: quiet parts count too."""
    parts = torch.view_as_real(spectrum)
    return parts * (parts.square().sum(-1, keepdim=True) + 1e-7) ** -0.25


class WaveformLoss:
    """The spectral loss at fine scales, and what ties the deterministic branch to the waveform.

    Magnitudes are compared in the sum of both branches bin by bin, too; phases, `1 - cos` of their difference, and samples in the
    deterministic branch alone, for noise has neither to be right. The samples' distance is a share of the target's level.
    """

    def __init__(self, rate_hz: int, device: torch.device | str = "cpu") -> None:
        """Prepares windows and mel filters on the device of the sounds."""
        self._spectral = SpectralLoss(rate_hz, device, FINE_RESOLUTIONS)
        self._taper = torch.hann_window(_WINDOW).to(device)

    def __call__(self, whole: Tensor, tone: Tensor, target: Tensor) -> Tensor:
        """Distance of (batch, samples) sounds: `whole` and its deterministic part `tone` from `target`."""
        sounds = torch.cat([whole, tone, target])
        spectra = torch.stft(sounds, _WINDOW, _WINDOW // 4, window=self._taper, center=False, return_complex=True)
        y, d, x = (spectra * (2.0 / float(_WINDOW / 2))).chunk(3)
        whole_power, tone_power, power = (s.real.square() + s.imag.square() for s in (y, d, x))
        levels = functional.l1_loss(torch.log(whole_power + 1e-7), torch.log(power + 1e-7))
        agreement = (d * x.conj()).real / torch.sqrt(tone_power * power + 1e-12)
        heard = (power > _HEARD**2).float()
        phases = (heard * (1.0 - agreement)).sum() / heard.sum().clamp(min=1.0)
        level = target.abs().mean(1, keepdim=True) + 1e-3
        samples = ((tone - target).abs() / level).mean()
        return self._spectral(whole, tone, target) + 0.2 * levels + 0.2 * phases + 0.2 * samples
