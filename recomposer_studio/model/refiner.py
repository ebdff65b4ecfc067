"""The second look of the mask head: convolutions over bands and frames.

The encoder's frames are vectors, so it has to learn every pattern anew for every pitch. The refiner sees the picture: the same small
kernels everywhere, on three scales, told by the encoder what to look for. It adds to the encoder's correction and starts as exactly zero.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.model.encoder import zero_linear, zeroed


@dataclass(frozen=True)
class RefinerConfig:
    """Shape of a `Refiner`.

    Attributes:
        channels: of every scale; each next scale has half the bands and half the frames. Empty for no refiner.
        down: residual blocks of every scale on the way down.
        up: residual blocks of every scale but the coarsest on the way up, finest first.
        context: planes of (bands, frames) that the encoder's state is turned into.
    """

    channels: tuple[int, ...] = (16, 32, 64)
    down: tuple[int, ...] = (1, 2, 2)
    up: tuple[int, ...] = (1, 2)
    context: int = 8

    @staticmethod
    def none() -> "RefinerConfig":
        """No refiner."""
        return RefinerConfig((), (), ())

    def __post_init__(self) -> None:
        """Checks that the counts belong together.

        Raises:
            ValueError: they do not.
        """
        scales = len(self.channels)
        if scales and (len(self.down) != scales or len(self.up) != scales - 1 or BANDS % 2 ** (scales - 1)):
            raise ValueError("a refiner needs block counts for each of its scales")


class _Residual(nn.Module):
    """Two convolutions of 3 x 3 around the identity, with LayerScale; a vector for the whole window is added between them."""

    def __init__(self, channels: int, words: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.scale = nn.Parameter(torch.full((1, channels, 1, 1), 0.1))
        self.words = zero_linear(words, channels) if words else None

    def forward(self, x: Tensor, words: Tensor | None) -> Tensor:
        inner = self.first(functional.gelu(x))
        if self.words is not None:
            inner = inner + self.words(words)[:, :, None, None]
        return x + self.scale * self.second(functional.gelu(inner))


class _Blocks(nn.ModuleList):
    """Residual blocks, one after the other."""

    def __init__(self, channels: int, count: int, words: int) -> None:
        super().__init__(_Residual(channels, words) for _ in range(count))

    def forward(self, x: Tensor, words: Tensor | None) -> Tensor:
        for block in self:
            x = block(x, words)
        return x


class Refiner(nn.Module):
    """A U-Net over the input's planes, the encoder's state and its correction."""

    def __init__(self, config: RefinerConfig, planes: int, width: int, words: int = 0, heard: int = 0) -> None:
        """Builds it.

        Args:
            config: shapes, with at least one scale.
            planes: of the input, each (bands, frames).
            width: of the encoder's state.
            words: length of a vector for the whole window that every block is told, 0 for none.
            heard: planes of a listener's answer, 0 for none; they enter through a layer that starts at zero.
        """
        super().__init__()
        channels = config.channels
        finer = channels[:-1]
        self.config = config
        self.context = nn.Linear(width, config.context * BANDS)
        self.enter = nn.Conv2d(planes + 1 + config.context, channels[0], 3, padding=1)
        self.heard = zeroed(nn.Conv2d(heard, channels[0], 3, padding=1)) if heard else None
        self.down_blocks = nn.ModuleList(_Blocks(*shape, words) for shape in zip(channels, config.down, strict=True))
        self.down = nn.ModuleList(
            nn.Conv2d(fine, coarse, 4, stride=2, padding=1) for fine, coarse in zip(finer, channels[1:], strict=True)
        )
        self.up = nn.ModuleList(
            nn.Conv2d(coarse, 4 * fine, 1) for fine, coarse in zip(finer, channels[1:], strict=True)
        )
        self.up_blocks = nn.ModuleList(_Blocks(*shape, words) for shape in zip(finer, config.up, strict=True))
        self.leave = zeroed(nn.Conv2d(channels[0], 1, 1))

    def forward(
        self,
        planes: Tensor,
        state: Tensor,
        correction: Tensor,
        words: Tensor | None = None,
        heard: Tensor | None = None,
    ) -> Tensor:
        """What to add to the correction.

        Args:
            planes: (batch, planes, bands, frames).
            state: the encoder's, (batch, frames, width).
            correction: the encoder's, in logits, (batch, bands, frames).
            words: what every block is told, (batch, length), where the refiner was built for it.
            heard: a listener's answer, (batch, planes, bands, frames), where the refiner was built for it.

        Returns:
            (batch, bands, frames).
        """
        batch, _, bands, frames = planes.shape
        context = self.context(state).view(batch, frames, self.config.context, bands).permute(0, 2, 3, 1)
        x = torch.cat([planes, correction[:, None] / 4.0, context], dim=1)
        # Each scale halves the frames, so their number has to be a multiple; what is appended is cut off again.
        padding = (0, -frames % 2 ** len(self.down))
        x = self.enter(functional.pad(x, padding).contiguous(memory_format=torch.channels_last))
        if self.heard is not None and heard is not None:
            x = x + self.heard(functional.pad(heard, padding).contiguous(memory_format=torch.channels_last))
        fine = []
        for blocks, down in zip(self.down_blocks, self.down, strict=False):
            x = blocks(x, words)
            fine.append(x)
            x = down(x)
        x = self.down_blocks[-1](x, words)
        for blocks, up in zip(reversed(self.up_blocks), reversed(self.up), strict=True):
            x = blocks(functional.pixel_shuffle(up(x), 2) + fine.pop(), words)
        return self.leave(functional.gelu(x))[:, 0, :, :frames]
