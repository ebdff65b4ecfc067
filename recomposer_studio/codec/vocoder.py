"""From band powers to a waveform: a small ConvNeXt network with an inverse-STFT head and a noise branch.

The frame-domain family (Vocos, Siuzdak 2023): the network works at 100 frames/s and the inverse STFT brings the
sample rate, so the cost is small. What regression can predict (onsets, low partials) comes out of a deterministic
branch with magnitude and phase; the rest comes out of a noise branch that predicts a magnitude for unit noise of
random phase. Both start as the smooth curve through the band
powers: untrained it is a plain noise vocoder, and training moves it away from that. Nothing is normalised over time.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recomposer_studio.audio.bands import BANDS, BandGrid

_HEAD_PARTS = 4
_LIMIT = 6.0
"""Largest correction of a log magnitude in nepers (52 dB)."""
_RANDOM_PHASE_GAIN = 0.5
"""Nepers that unit noise of random phase loses in overlap-add, because neighbouring frames do not agree."""


@dataclass(frozen=True)
class VocoderConfig:
    """Size of the network.

    Attributes:
        width: channels.
        blocks: ConvNeXt blocks.
        expansion: inner width of a block in multiples of `width`.
        kernel: frames that a convolution reads, odd.
    """

    width: int = 256
    blocks: int = 4
    expansion: int = 3
    kernel: int = 7


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution over time, then two linear layers per frame, with a residual (Liu et al. 2022)."""

    def __init__(self, width: int, expansion: int, kernel: int) -> None:
        """A block that starts close to the identity; sizes as in `VocoderConfig`."""
        super().__init__()
        self.mix = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, expansion * width)
        self.down = nn.Linear(expansion * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, frames) to the same."""
        y = self.norm(self.mix(x).transpose(1, 2))
        y = self.down(functional.gelu(self.up(y))) * self.scale
        return x + y.transpose(1, 2)


class Vocoder(nn.Module):
    """Log band power to the two branches' spectra."""

    curve: Tensor
    width_of_band: Tensor
    alternate: Tensor

    def __init__(self, config: VocoderConfig, rate_hz: int) -> None:
        """A network for the band grid at `rate_hz`."""
        super().__init__()
        self.config = config
        grid = BandGrid.at(rate_hz)
        bins = len(grid.frequencies_hz)
        self.enter = nn.Conv1d(BANDS, config.width, config.kernel, padding=config.kernel // 2)
        sizes = (config.width, config.expansion, config.kernel)
        self.blocks = nn.ModuleList(ConvNeXtBlock(*sizes) for _ in range(config.blocks))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, _HEAD_PARTS * bins)
        nn.init.zeros_(self.head.bias)
        with torch.no_grad():
            rows = self.head.weight.view(_HEAD_PARTS, bins, config.width)
            rows[0].zero_()
            rows[3].zero_()
            self.head.bias.view(_HEAD_PARTS, bins)[0] = -1.5
            self.head.bias.view(_HEAD_PARTS, bins)[3] = _RANDOM_PHASE_GAIN
        ones = grid.power(np.ones((1, bins), complex))[:, 0]
        curve = grid.to_bins(np.eye(BANDS)[:, :, None])[:, 0, :]
        self.register_buffer("curve", torch.tensor(curve, dtype=torch.float32), persistent=False)
        self.register_buffer(
            "width_of_band", torch.tensor(np.log(ones), dtype=torch.float32)[:, None], persistent=False
        )
        # Phase counts from the window's centre, where a click has phase zero in every bin, not from its first sample.
        sign = 1.0 - 2.0 * (np.arange(bins) % 2)
        self.register_buffer("alternate", torch.tensor(sign, dtype=torch.float32), persistent=False)

    @property
    def reach_frames(self) -> int:
        """Frames on either side that a frame of the output depends on."""
        return (self.config.kernel // 2) * (self.config.blocks + 1)

    def forward(self, log_power: Tensor) -> tuple[Tensor, Tensor]:
        """Spectra of both branches.

        Args:
            log_power: natural log of the band power, (batch, bands, frames).

        Returns:
            The deterministic spectrum, complex, and the magnitude of the noise, both (batch, frames, bins), scaled as
            in `BandGrid`.
        """
        x = self.enter((log_power + 11.0) / 4.0)
        for block in self.blocks:
            x = block(x)
        parts = self.head(self.norm(x.transpose(1, 2)))
        tone, cosine, sine, noise = parts.unflatten(-1, (_HEAD_PARTS, -1)).unbind(-2)
        base = 0.5 * ((log_power - self.width_of_band).transpose(1, 2) @ self.curve)
        magnitude = torch.exp(base + _limited(tone)) * self.alternate
        length = torch.sqrt(cosine.square() + sine.square() + 1e-6)
        return torch.complex(magnitude * cosine / length, magnitude * sine / length), torch.exp(base + _limited(noise))


def _limited(x: Tensor) -> Tensor:
    return _LIMIT * torch.tanh(x / _LIMIT)
