"""The refiner: silent until trained, any number of frames, a finite reach."""

import pytest
import torch

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.model.refiner import Refiner, RefinerConfig

_PLANES, _WIDTH = 6, 16
_SMALL = RefinerConfig((8, 8, 12), (1, 1, 1), (1, 1), context=2)


def _inputs(frames: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.randn(2, _PLANES, BANDS, frames), torch.randn(2, frames, _WIDTH), torch.randn(2, BANDS, frames)


def _awake(config: RefinerConfig = _SMALL) -> Refiner:
    torch.manual_seed(0)
    net = Refiner(config, _PLANES, _WIDTH)
    with torch.no_grad():
        net.leave.weight.normal_()
    return net.eval()


def test_untrained_it_adds_exactly_nothing() -> None:
    net = Refiner(RefinerConfig(), _PLANES, _WIDTH)
    assert not net(*_inputs(50)).any()


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 61, 64])
def test_it_takes_any_number_of_frames(frames: int) -> None:
    assert _awake()(*_inputs(frames)).shape == (2, BANDS, frames)


def test_everything_it_is_told_matters() -> None:
    net, inputs = _awake(), _inputs(40)
    with torch.no_grad():
        before = net(*inputs)
        for number, value in enumerate(inputs):
            changed = list(inputs)
            changed[number] = value + 0.5
            assert not torch.allclose(before, net(*changed))


def test_words_change_nothing_at_first_and_then_every_band_and_frame() -> None:
    torch.manual_seed(0)
    net = Refiner(_SMALL, _PLANES, _WIDTH, words=4).eval()
    inputs, words = _inputs(40), torch.randn(2, 4)
    with torch.no_grad():
        net.leave.weight.normal_()
        assert torch.equal(net(*inputs, words), net(*inputs, -words))
        for name, value in net.named_parameters():
            if name.endswith("words.weight"):
                value.normal_()
        assert (net(*inputs, words) != net(*inputs, -words)).all()


def test_a_change_far_away_does_not_reach_a_frame() -> None:
    net = _awake()
    planes, state, correction = _inputs(400)
    with torch.no_grad():
        before = net(planes, state, correction)
        changed = planes.clone()
        changed[..., 300:] += 1.0
        after = net(changed, state, correction)
    assert torch.equal(before[..., :200], after[..., :200])
    assert not torch.equal(before[..., 300:], after[..., 300:])


def test_counts_that_do_not_belong_together_are_refused() -> None:
    assert RefinerConfig.none().channels == ()
    with pytest.raises(ValueError, match="block counts"):
        RefinerConfig((8, 8), (1,), (1,))
