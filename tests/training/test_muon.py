"""Muon on kernels: the step of torch's own on the matrix they stand for, on the weights themselves."""

import pytest
import torch
from torch import nn

from recomposer_studio.training.muon import Muon, inner_weights


def test_a_kernel_takes_the_step_of_its_matrix() -> None:
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(6, 4, 3, 3))
    matrix = nn.Parameter(kernel.detach().flatten(1).clone())
    ours = Muon([kernel], lr=0.1, weight_decay=0.02)
    torchs = torch.optim.Muon([matrix], lr=0.1, weight_decay=0.02, adjust_lr_fn="match_rms_adamw")
    for step in range(3):
        slope = torch.randn(6, 36, generator=torch.Generator().manual_seed(step))
        kernel.grad, matrix.grad = slope.view(6, 4, 3, 3).clone(), slope
        ours.step()
        torchs.step()
        torch.testing.assert_close(kernel.detach().flatten(1), matrix.detach(), rtol=0.0, atol=0.0)


def test_a_step_lessens_the_loss_of_a_convolution_and_gradients_are_forgotten() -> None:
    torch.manual_seed(0)
    layer = nn.Conv1d(3, 5, 3)
    optimiser = Muon([layer.weight], lr=0.02, weight_decay=0.0)
    x = torch.randn(4, 3, 20)
    losses = []
    for _ in range(40):
        optimiser.zero_grad()
        assert layer.weight.grad is None
        loss = layer(x).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_weights_that_were_moved_are_not_lost_in_silence() -> None:
    layer = nn.Linear(3, 4)
    optimiser = Muon([layer.weight], lr=0.1, weight_decay=0.0)
    layer.to(torch.float64)
    with pytest.raises(RuntimeError, match="moved"):
        optimiser.step()


def test_weights_without_a_gradient_stay() -> None:
    first, second = nn.Parameter(torch.ones(2, 3)), nn.Parameter(torch.ones(2, 3))
    optimiser = Muon([first, second], lr=0.1, weight_decay=0.5)
    first.grad = torch.eye(2, 3)
    optimiser.step()
    assert torch.equal(second, torch.ones(2, 3)) and not torch.equal(first, torch.ones(2, 3))


def test_a_state_goes_on_where_it_left() -> None:
    def stepped(weight: nn.Parameter, optimiser: Muon, seeds: range) -> None:
        for seed in seeds:
            weight.grad = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(seed))
            optimiser.step()

    whole, halved = (nn.Parameter(torch.ones(4, 3, 2)) for _ in range(2))
    one, other = (Muon([w], lr=0.1, weight_decay=0.02) for w in (whole, halved))
    stepped(whole, one, range(4))
    stepped(halved, other, range(2))
    again = Muon([halved], lr=0.1, weight_decay=0.02)
    again.load_state_dict(other.state_dict())
    stepped(halved, again, range(2, 4))
    torch.testing.assert_close(halved, whole, rtol=0.0, atol=0.0)


def test_only_what_mixes_is_inner() -> None:
    net = nn.ModuleDict(
        {
            "mixes": nn.Conv2d(4, 6, 3),
            "depthwise": nn.Conv1d(4, 4, 7, groups=4),
            "norm": nn.BatchNorm1d(4),
            "outer": nn.Linear(4, 4),
        }
    )
    found = inner_weights(net, lambda name: not name.startswith("outer"))
    assert [id(p) for p in found] == [id(net["mixes"].weight)]


def test_weights_that_cannot_be_seen_as_a_matrix_are_refused() -> None:
    with pytest.raises(RuntimeError, match="view"):
        Muon([nn.Parameter(torch.ones(4, 2, 3).transpose(1, 2))], lr=0.1, weight_decay=0.0)
