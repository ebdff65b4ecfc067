"""Muon for kernels as well as matrices: torch's takes matrices alone."""

from collections.abc import Callable, Iterable

import torch
from torch import nn


def inner_weights(network: nn.Module, inside: Callable[[str], bool]) -> list[nn.Parameter]:
    """Matrices and kernels whose names satisfy `inside`: what Muon is for, unlike embeddings, first, last and depthwise layers."""
    named = ((name, p) for name, p in network.named_parameters() if p.ndim > 1 and min(p.shape[:2]) > 1)
    return [p for name, p in named if inside(name)]


class Muon(torch.optim.Muon):
    """torch's Muon, scaled to AdamW's size of steps; a kernel is to it the matrix of its outputs by all else.

    Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024), treat kernels in the same way.
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        """Args: weights: each with two dimensions or more, contiguous, on the device they stay on; lr; weight_decay."""
        self._weights = tuple(weights)
        # The matrices are views: a step on them is a step on the weights.
        self._matrices = tuple(nn.Parameter(w.detach().view(len(w), -1)) for w in self._weights)
        super().__init__(self._matrices, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step down the weights' gradients.

        Raises:
            RuntimeError: the weights no longer lie where they did.
        """
        for weight, matrix in zip(self._weights, self._matrices, strict=True):
            if matrix.data_ptr() != weight.data_ptr():
                raise RuntimeError("the weights were moved after their optimiser was made")
            matrix.grad = None if weight.grad is None else weight.grad.reshape(matrix.shape)
        super().step()  # type: ignore[no-untyped-call]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the weights' gradients."""
        super().zero_grad(set_to_none)
        for weight in self._weights:
            weight.grad = None
