"""A small causal transformer with a key-value cache, used over frames (with rotary positions) and over levels."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_ROPE_BASE = 10_000.0


@dataclass(frozen=True)
class TransformerConfig:
    """Size of a stack.

    Attributes:
        width: channels.
        layers: blocks.
        heads: attention heads; divides `width`, an even number of channels each.
        expansion: inner width of the feed-forward part in multiples of `width`.
        window: positions that attention sees, the present one counted; None sees all.
        rotary: whether positions turn queries and keys.
        dropout: share of the values dropped in training.
    """

    width: int = 256
    layers: int = 4
    heads: int = 4
    expansion: int = 3
    window: int | None = 128
    rotary: bool = True
    dropout: float = 0.2


class Cache:
    """Keys and values of the positions that went through a stack, so that each goes through once."""

    def __init__(self, config: TransformerConfig, batch: int, positions: int) -> None:
        """Room for so many positions."""
        shape = (config.layers, 2, batch, config.heads, positions, config.width // config.heads)
        self.values = torch.zeros(shape)
        self.used = 0


def rotary_angles(positions: int, head: int) -> Tensor:
    """Cosines and sines of the rotary embedding (Su et al. 2021), (2, positions, head / 2)."""
    rates = _ROPE_BASE ** (-torch.arange(0, head, 2) / head)
    angles = torch.arange(positions)[:, None] * rates
    return torch.stack([angles.cos(), angles.sin()])


def _turned(x: Tensor, angles: Tensor) -> Tensor:
    a, b = x.chunk(2, dim=-1)
    cosine, sine = angles
    return torch.cat([a * cosine - b * sine, b * cosine + a * sine], dim=-1)


class Layer(nn.Module):
    """Attention with normalised queries and keys, then a feed-forward part, both behind an RMS norm."""

    def __init__(self, config: TransformerConfig) -> None:
        """Args: config: sizes."""
        super().__init__()
        width = config.width
        self.config = config
        self.norm_in = nn.RMSNorm(width, eps=1e-6)
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.sharpness = nn.Parameter(torch.full((config.heads, 1, 1), 2.0))
        self.out = nn.Linear(width, width, bias=False)
        self.norm_mid = nn.RMSNorm(width, eps=1e-6)
        self.up = nn.Linear(width, config.expansion * width)
        self.down = nn.Linear(config.expansion * width, width)
        self.dropout = nn.Dropout(config.dropout)
        for last in (self.out, self.down):
            nn.init.normal_(last.weight, std=0.02)

    def forward(
        self, x: Tensor, angles: Tensor | None, mask: Tensor | None, cached: Tensor | None, start: int
    ) -> Tensor:
        """(batch, positions, width) to the same.

        Args:
            x: the positions that begin at `start`.
            angles: `rotary_angles` of them, or None.
            mask: true where attention may look, (positions, positions so far) or (batch, 1, positions, positions so far); None allows all.
            cached: room for keys and values, (2, batch, heads, room, head), filled from `start` on; or None.
            start: number of the first position.
        """
        batch, count, width = x.shape
        heads = self.config.heads
        q, k, v = self.project(self.norm_in(x)).view(batch, count, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        q, k = functional.normalize(q, dim=-1) * self.sharpness, functional.normalize(k, dim=-1) * self.sharpness
        if angles is not None:
            q, k = _turned(q, angles), _turned(k, angles)
        if cached is not None:
            cached[0, :, :, start : start + count] = k
            cached[1, :, :, start : start + count] = v
            cut = self.config.window is not None and count == 1 and mask is None
            low = max(0, start + 1 - (self.config.window or 0)) if cut else 0
            k, v = cached[:, :, :, low : start + count]
        mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=1.0)
        x = x + self.dropout(self.out(mixed.transpose(1, 2).reshape(batch, count, width)))
        return x + self.dropout(self.down(functional.gelu(self.up(self.norm_mid(x)))))


class Transformer(nn.Module):
    """A causal stack."""

    def __init__(self, config: TransformerConfig) -> None:
        """Args: config: sizes."""
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width, eps=1e-6)

    def forward(self, x: Tensor, cache: Cache | None = None, prompt: Tensor | None = None) -> Tensor:
        """The positions that follow those in `cache` (all, without one): (batch, positions, width) to the same.

        Args:
            x: the positions.
            cache: keys and values of those before them.
            prompt: which of the very first positions are there, (batch, prompt positions) bool. A prompt is seen from everywhere
                behind it, however short the window; rows of different length stand at its end. None: there is no prompt.
        """
        start, count = (0 if cache is None else cache.used), x.shape[1]
        angles = None
        if self.config.rotary:
            angles = rotary_angles(start + count, self.config.width // self.config.heads)[:, start:].to(x.device)
        mask = None
        if count > 1 or prompt is not None:
            mask = self._mask(start, count, prompt).to(x.device)
        for number, layer in enumerate(self.layers):
            x = layer(x, angles, mask, None if cache is None else cache.values[number], start)
        if cache is not None:
            cache.used += count
        return self.norm(x)

    def _mask(self, start: int, count: int, prompt: Tensor | None) -> Tensor:
        here, there = torch.arange(start, start + count)[:, None], torch.arange(start + count)
        mask = there <= here
        if self.config.window is not None:
            near = there > here - self.config.window
            mask &= near if prompt is None else near | (there < prompt.shape[1])
        if prompt is None:
            return mask
        mask, there, here = mask.to(prompt.device), there.to(prompt.device), here.to(prompt.device)
        present = functional.pad(prompt, (0, start + count - prompt.shape[1]), value=True)[:, None, None]
        # A position that is not there sees itself, because attention to nothing is not a number.
        return (mask & present) | (there == here)
