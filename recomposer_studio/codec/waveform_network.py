"""The network of the waveform codec: spectrum, ConvNeXt encoder, residual quantiser, ConvNeXt decoder, inverse spectrum.

The frame-domain family (Vocos, Siuzdak 2023; APCodec, Ai et al. 2024): strides happen between 200 and 50 frames a second, the sample rate
comes from the Fourier transforms, so the cost is the same at every rate. Nothing looks further than its convolutions reach and
nothing is normalised over time: what is edited here is decoded the same whatever else there is.

Spectrum frame `i` is centred on sample 160 * i + 80 (at 32 kHz): four of them lie within each token frame.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from recomposer_studio.codec.quantiser import ResidualQuantiser
from recomposer_studio.codec.vocoder import ConvNeXtBlock
from recomposer_studio.errors import InputError

SPECTRA_PER_S = 200
FRAMES_PER_S = 50
STEP = SPECTRA_PER_S // FRAMES_PER_S
"""Spectra in a token frame."""

_OVERLAP = 4
_COMPRESSION = 0.3
_QUIETEST = 1e-4
"""Magnitude below which compression gives way to a straight line: silence has no phase to be heard."""
_LOUDEST_NEPER = 3.0
_BEGIN_NEPER = -6.0
_MOST_BLOCKS, _LARGEST = 64, 4096
_HEAD_PARTS = 4


@dataclass(frozen=True)
class WaveformConfig:
    """What defines the codec besides its weights.

    Attributes:
        kind: names the codec in a checkpoint.
        rate_hz: sample rate, a multiple of 200.
        levels: codebook levels.
        codebook_size: codes on every level.
        code: numbers that a code is compared by.
        latent: length of a latent frame.
        width: channels at 200 frames/s.
        deep: channels at 50 frames/s.
        encoder_blocks: ConvNeXt blocks of the encoder at 200 frames/s.
        encoder_deep_blocks: and at 50.
        decoder_deep_blocks: of the decoder at 50 frames/s.
        decoder_blocks: and at 200.
        expansion: inner width of a block in multiples of its channels.
        kernel: frames that a convolution reads, odd.
    """

    kind: str = "waveform"
    rate_hz: int = 32_000
    levels: int = 8
    codebook_size: int = 1024
    code: int = 8
    latent: int = 128
    width: int = 256
    deep: int = 384
    encoder_blocks: int = 4
    encoder_deep_blocks: int = 2
    decoder_deep_blocks: int = 4
    decoder_blocks: int = 6
    expansion: int = 3
    kernel: int = 7

    def __post_init__(self) -> None:
        """Checks the sizes.

        Raises:
            ValueError: a size is impossible.
        """
        numbers = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "kind"}
        for name, number in numbers.items():
            most = 192_000 if name == "rate_hz" else _MOST_BLOCKS if name.endswith("blocks") else _LARGEST
            if not isinstance(number, int) or not 0 < number <= most:
                raise ValueError(f"{name} is out of range")
        if self.rate_hz % SPECTRA_PER_S or self.kernel % 2 == 0 or self.code > self.latent:
            raise ValueError("rate_hz, kernel or code is impossible")

    def as_json(self) -> dict[str, Any]:
        """The configuration as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "WaveformConfig":
        """The inverse of `as_json`.

        Raises:
            InputError: unknown, missing or senseless values.
        """
        try:
            if set(values) != {part.name for part in fields(WaveformConfig)}:
                raise ValueError("values are missing or unknown")
            return WaveformConfig(**values)
        except (TypeError, ValueError) as error:
            raise InputError(f"the codec's configuration is damaged ({error}); get the checkpoint again") from error

    @property
    def hop(self) -> int:
        """Samples of a token frame."""
        return self.rate_hz // FRAMES_PER_S

    @property
    def bins(self) -> int:
        """Bins of a spectrum."""
        return _OVERLAP * (self.rate_hz // SPECTRA_PER_S) // 2 + 1


class _Stack(nn.Module):
    """ConvNeXt blocks at one frame rate, on (batch, channels, frames)."""

    def __init__(self, config: WaveformConfig, width: int, count: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ConvNeXtBlock(width, config.expansion, config.kernel) for _ in range(count))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x


class WaveformNetwork(nn.Module):
    """Waveform to latents, latents to waveform; both in float32 at their ends, whatever the convolutions work in."""

    window: Tensor
    alternate: Tensor

    def __init__(self, config: WaveformConfig) -> None:
        """A network with random weights whose sound is quiet at first."""
        super().__init__()
        self.config = config
        width, deep, bins = config.width, config.deep, config.bins
        self.enter = nn.Conv1d(2 * bins, width, 3, padding=1)
        self.encoder = _Stack(config, width, config.encoder_blocks)
        self.down = nn.Conv1d(width, deep, 2 * STEP, STEP, padding=STEP // 2)
        self.deep_encoder = _Stack(config, deep, config.encoder_deep_blocks)
        self.norm = nn.LayerNorm(deep)
        self.latent = nn.Linear(deep, config.latent)
        self.quantiser = ResidualQuantiser(config.levels, config.codebook_size, config.code, config.latent)
        self.leave = nn.Conv1d(config.latent, deep, 3, padding=1)
        self.deep_decoder = _Stack(config, deep, config.decoder_deep_blocks)
        self.up = nn.ConvTranspose1d(deep, width, 2 * STEP, STEP, padding=STEP // 2)
        self.decoder = _Stack(config, width, config.decoder_blocks)
        self.last_norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, _HEAD_PARTS * bins)
        with torch.no_grad():
            self.head.bias.zero_()
            levels = self.head.bias.view(_HEAD_PARTS, bins)
            levels[0], levels[3] = _BEGIN_NEPER, _BEGIN_NEPER
        size = _OVERLAP * self._hop
        taper = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(size) / size)
        self.register_buffer("window", torch.tensor(taper, dtype=torch.float32), persistent=False)
        # Phase counts from the window's centre, where a click has phase zero in every bin, not from its first sample.
        sign = 1.0 - 2.0 * (np.arange(bins) % 2)
        self.register_buffer("alternate", torch.tensor(sign, dtype=torch.float32), persistent=False)

    @property
    def _hop(self) -> int:
        return self.config.rate_hz // SPECTRA_PER_S

    @property
    def encoder_reach(self) -> int:
        """Token frames on either side that a latent frame depends on: window, first layer, blocks, stride, deep blocks."""
        half, config = self.config.kernel // 2, self.config
        spectra = 2 + 1 + half * config.encoder_blocks + STEP // 2
        return -(-spectra // STEP) + half * config.encoder_deep_blocks

    @property
    def decoder_reach(self) -> int:
        """Token frames on either side that a decoded frame depends on."""
        half, config = self.config.kernel // 2, self.config
        spectra = STEP // 2 + half * config.decoder_blocks + 2
        return 1 + half * config.decoder_deep_blocks + -(-spectra // STEP)

    def analyse(self, waves: Tensor) -> Tensor:
        """Latents, (batch, samples) to (batch, latent, frames); samples are whole token frames."""
        margin = (_OVERLAP - 1) * self._hop // 2
        padded = functional.pad(waves.float(), (margin, margin))
        windows = padded.unfold(1, _OVERLAP * self._hop, self._hop) * self.window
        spectra = torch.fft.rfft(windows) * (self.alternate * (2.0 / self.window.sum()))
        power = spectra.real.square() + spectra.imag.square()
        compressed = spectra * (power + _QUIETEST**2) ** (0.5 * (_COMPRESSION - 1.0))
        x = self.encoder(self.enter(torch.cat([compressed.real, compressed.imag], dim=2).transpose(1, 2)))
        x = self.deep_encoder(self.down(x))
        latents: Tensor = self.latent(self.norm(x.transpose(1, 2))).transpose(1, 2).float()
        return latents

    def spectra(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Spectrum and magnitude of the noise, (batch, latent, frames) to (batch, 4 * frames, bins) each."""
        x = self.decoder(self.up(self.deep_decoder(self.leave(latents))))
        parts = self.head(self.last_norm(x.transpose(1, 2))).float()
        tone, cosine, sine, noise = parts.unflatten(-1, (_HEAD_PARTS, -1)).unbind(-2)
        length = torch.sqrt(cosine.square() + sine.square() + 1e-6)
        magnitude = torch.exp(tone.clamp(max=_LOUDEST_NEPER)) * self.alternate / length
        return torch.complex(magnitude * cosine, magnitude * sine), torch.exp(noise.clamp(max=_LOUDEST_NEPER))

    def synthesise(self, spectra: Tensor) -> Tensor:
        """Weighted overlap-add, (batch, spectra, bins) to (batch, samples)."""
        # The squares of four overlapping Hann windows sum to 3 / 2.
        pieces = torch.fft.irfft(spectra) * (self.window * (self.window.sum() / 2.0 / 1.5))
        batch, count, _ = pieces.shape
        wave = pieces.new_zeros(batch, (count + _OVERLAP - 1) * self._hop)
        for part in range(_OVERLAP):
            piece = pieces[:, :, part * self._hop : (part + 1) * self._hop].reshape(batch, -1)
            wave[:, part * self._hop : part * self._hop + count * self._hop] += piece
        margin = (_OVERLAP - 1) * self._hop // 2
        return wave[:, margin : margin + count * self._hop]
