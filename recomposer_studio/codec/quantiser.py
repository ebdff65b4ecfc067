"""A residual vector quantiser with small codes: each level compares directions in a few dimensions and adds a vector of full length.

Factorised, normalised codes after Yu et al. 2022 and Kumar et al. 2023: a level projects what the levels before it have left to a few numbers,
takes the code whose direction is nearest, and projects that code back. In a few dimensions and by direction alone, codes rarely starve.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

_USAGE_MEMORY = 0.97


class ResidualQuantiser(nn.Module):
    """Latent frames to codes and back.

    Attributes:
        usage: how often every code was taken in the last thirty or so training steps, as a share, (levels, codes).
        ready: whether the codes have been placed; before, latents pass as they are.
    """

    mean: Tensor
    usage: Tensor
    ready: Tensor

    def __init__(self, levels: int, codes: int, code: int, latent: int) -> None:
        """Random codes.

        Args:
            levels: codebook levels.
            codes: codes on every level.
            code: numbers that a code is compared by.
            latent: length of a latent frame.
        """
        super().__init__()
        self.inward = nn.Parameter(torch.randn(levels, latent, code) * latent**-0.5)
        self.codes = nn.Parameter(torch.randn(levels, codes, code))
        self.outward = nn.Parameter(torch.randn(levels, code, latent) * code**-0.5)
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("usage", torch.full((levels, codes), 1.0 / codes))
        self.register_buffer("ready", torch.tensor(False))

    @property
    def codebooks(self) -> Tensor:
        """Vectors of all codes, (levels, codes, latent); a frame is `mean` and the sum of its codes' vectors."""
        return self.codes @ self.outward

    def encode(self, latents: Tensor) -> Tensor:
        """Codes of latent frames, (frames, latent) to (levels, frames) int64."""
        rest, tokens = latents - self.mean, []
        for level, book in enumerate(self.codebooks):
            tokens.append(self.nearest(rest @ self.inward[level], level))
            rest = rest - book[tokens[-1]]
        return torch.stack(tokens)

    def decode(self, tokens: Tensor) -> Tensor:
        """Latent frames of codes, (k, frames) to (frames, latent), k at most `levels`."""
        parts = [book[row] for book, row in zip(self.codebooks, tokens, strict=False)]
        return self.mean + torch.stack(parts).sum(0)

    def nearest(self, small: Tensor, level: int) -> Tensor:
        """The codes of a level nearest in direction, (frames, code) to (frames,) int64."""
        return (small @ functional.normalize(self.codes[level]).T).argmax(1)

    def forward(self, latents: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Quantised latents that pass gradients straight through, and the loss that draws codes and latents together.

        Args:
            latents: (frames, latent).
            kept: how many levels every frame keeps, (frames,): the first alone must make sense.

        Returns:
            Latents like those given, and a loss: the codes' distance from the projected latents, and a quarter of its mirror image, which
            commits the latents to their codes.
        """
        rest, total, loss = latents - self.mean, self.mean.expand_as(latents), latents.new_zeros(())
        for level in range(len(self.codes)):
            small = rest @ self.inward[level]
            with torch.no_grad():
                taken = self.nearest(small, level)
                share = torch.bincount(taken, minlength=self.usage.shape[1]) / len(taken)
                self.usage[level].lerp_(share.to(self.usage.dtype), 1.0 - _USAGE_MEMORY)
            code = self.codes[level][taken]
            keeps = (level < kept).to(latents.dtype)[:, None]
            distances = functional.mse_loss(code, small.detach(), reduction="none")
            distances = distances + 0.25 * functional.mse_loss(small, code.detach(), reduction="none")
            loss = loss + (keeps * distances).mean()
            part = (small + (code - small).detach()) @ self.outward[level]
            total = total + keeps * part
            rest = rest - part
        return total, loss

    @torch.no_grad()
    def place(self, latents: Tensor, seed: int, rounds: int = 12) -> None:
        """Places the codes level by level: principal directions of what is left, then k-means of the directions in them.

        Args:
            latents: (frames, latent), better many times as many as there are codes.
            seed: of the draws.
            rounds: of Lloyd's iteration on every level.
        """
        generator = torch.Generator().manual_seed(seed)
        self.mean.copy_(latents.mean(0))
        rest = latents - self.mean
        levels, count, width = self.codes.shape
        for level in range(levels):
            _, directions = torch.linalg.eigh(rest.T @ rest)
            axes = directions[:, -width:]
            self.inward[level], self.outward[level] = axes, axes.T
            small = rest @ axes
            picks = torch.randint(len(small), (count,), generator=generator).to(small.device)
            self.codes[level] = small[picks]
            for number in range(rounds):
                taken = self.nearest(small, level)
                counts = torch.bincount(taken, minlength=count)
                means = torch.zeros_like(self.codes[level]).index_add_(0, taken, small) / counts.clamp(min=1)[:, None]
                picks = torch.randint(len(small), (count,), generator=generator).to(small.device)
                # A code that nothing has taken moves to where something is; in the last round it stays.
                empty = small[picks] if number < rounds - 1 else self.codes[level]
                self.codes[level] = torch.where(counts[:, None] > 0, means, empty)
            rest = rest - self.codebooks[level][self.nearest(small, level)]
        self.usage.fill_(1.0 / count)
        self.ready.fill_(True)

    @torch.no_grad()
    def restart(self, latents: Tensor, rare: float, seed: int) -> int:
        """Moves codes that are taken less than `rare` times as often as the average one to where latents are.

        Args:
            latents: (frames, latent).
            rare: share of an even usage.
            seed: of the draws.

        Returns:
            How many were moved.
        """
        generator, moved = torch.Generator().manual_seed(seed), 0
        rest = latents - self.mean
        for level in range(len(self.codes)):
            small = rest @ self.inward[level]
            starved = torch.nonzero(self.usage[level] < rare / self.usage.shape[1])[:, 0]
            picks = torch.randint(len(small), (len(starved),), generator=generator).to(small.device)
            self.codes[level, starved] = small[picks]
            self.usage[level, starved] = 1.0 / self.usage.shape[1]
            moved += len(starved)
            rest = rest - self.codebooks[level][self.nearest(small, level)]
        return moved
