"""Codebooks by k-means, and how evenly codes are used."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recomposer_studio.codec.mel_rvq import quantise

_ROUNDS = 20
_RESTART_SHARE = 0.1


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
