"""Codebooks by k-means."""

import numpy as np
import torch

from recomposer_studio.codec.mel_rvq import quantise
from recomposer_studio.training.codebooks import fit_codebooks, usage_entropy


def test_k_means_uses_every_code_and_every_level_helps() -> None:
    generator = torch.Generator().manual_seed(0)
    # Unequal clusters and a few far away: without restarts some codes would starve.
    centres = 5.0 * torch.randn(6, 8, generator=generator)
    vectors = centres[torch.randint(6, (1500,), generator=generator).clamp(max=4)] + torch.randn(
        1500, 8, generator=generator
    )
    books = fit_codebooks(vectors, levels=3, size=12, seed=0)
    tokens = quantise(vectors, books)
    errors, rest = [float(vectors.square().mean())], vectors
    for book, codes in zip(books, tokens, strict=True):
        rest = rest - book[codes]
        errors.append(float(rest.square().mean()))
    assert np.all(np.diff(errors) < 0)
    assert errors[-1] < 0.5 * errors[1]
    assert usage_entropy(tokens.numpy(), 12).min() > 0.85


def test_entropy_is_a_share_of_the_greatest() -> None:
    tokens = np.array([[0, 1, 2, 3], [0, 0, 0, 0], [0, 0, 1, 1]])
    np.testing.assert_allclose(usage_entropy(tokens, 4), [1.0, 0.0, 0.5])
