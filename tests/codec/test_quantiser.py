"""The residual quantiser of the waveform codec: placing, restarting, gradients."""

from itertools import pairwise

import torch

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.quantiser import ResidualQuantiser
from recomposer_studio.training.codebooks import usage_entropy

_LEVELS, _CODES, _CODE, _LATENT = 4, 16, 4, 12


def _latents(count: int = 1200, seed: int = 0) -> torch.Tensor:
    """Latents that spread unevenly over their dimensions, away from zero."""
    generator = torch.Generator().manual_seed(seed)
    return 3.0 + torch.randn(count, _LATENT, generator=generator) * torch.linspace(2.0, 0.2, _LATENT)


def _quantiser() -> ResidualQuantiser:
    torch.manual_seed(0)
    return ResidualQuantiser(_LEVELS, _CODES, _CODE, _LATENT)


def test_placed_codes_are_all_used_and_every_level_helps() -> None:
    quantiser, latents = _quantiser(), _latents()
    assert not quantiser.ready
    with one_thread():
        quantiser.place(latents, seed=0)
        tokens = quantiser.encode(latents)
        errors = [float((quantiser.decode(tokens[:k]) - latents).square().mean()) for k in range(1, _LEVELS + 1)]
        spread = float((latents - latents.mean(0)).square().mean())
    assert quantiser.ready
    assert errors[0] < 0.7 * spread
    assert all(after < 0.95 * before for before, after in pairwise(errors))
    assert usage_entropy(tokens.numpy(), _CODES).min() > 0.9


def test_training_and_inference_take_the_same_codes() -> None:
    quantiser, latents = _quantiser(), _latents(300)
    with one_thread():
        quantiser.place(_latents(), seed=0)
        out, loss = quantiser(latents, torch.full((300,), _LEVELS))
        torch.testing.assert_close(out, quantiser.decode(quantiser.encode(latents)))
        assert loss > 0.0
        coarse, _ = quantiser(latents, torch.tensor([1, 3]).repeat(150))
        tokens = quantiser.encode(latents)
        torch.testing.assert_close(coarse[::2], quantiser.decode(tokens[:1])[::2])
        torch.testing.assert_close(coarse[1::2], quantiser.decode(tokens[:3])[1::2])


def test_latents_codes_and_projections_get_gradients() -> None:
    quantiser = _quantiser()
    quantiser.place(_latents(), seed=0)
    latents = _latents(200, seed=1).requires_grad_()
    with one_thread(gradients=True):
        out, loss = quantiser(latents, torch.full((200,), _LEVELS))
        (out.square().mean() + loss).backward()
    for value in (latents, quantiser.codes, quantiser.inward, quantiser.outward):
        assert value.grad is not None and float(value.grad.abs().max()) > 0.0


def test_starved_codes_restart_where_latents_are() -> None:
    quantiser, latents = _quantiser(), _latents()
    quantiser.place(latents, seed=0)
    with torch.no_grad():
        # Far off in a direction that nothing takes.
        quantiser.codes[0, :4] = -quantiser.codes[0, 4:8].abs() * 1e-3
        quantiser.usage[0, :4] = 0.0
    kept = quantiser.codes[0, 4:].clone()
    with one_thread():
        assert quantiser.restart(latents, rare=0.1, seed=0) == 4
        taken = torch.bincount(quantiser.encode(latents)[0], minlength=_CODES)
    assert int((taken[:4] > 0).sum()) == 4
    torch.testing.assert_close(quantiser.codes[0, 4:], kept)
    assert quantiser.restart(latents, rare=0.1, seed=0) == 0


def test_usage_follows_what_is_taken() -> None:
    quantiser, latents = _quantiser(), _latents()
    quantiser.place(latents, seed=0)
    one = latents[:1].expand(500, -1)
    with one_thread():
        code = int(quantiser.encode(one)[0, 0])
        for _ in range(70):
            quantiser(one, torch.full((500,), _LEVELS))
    assert quantiser.usage[0, code] > 0.8
    torch.testing.assert_close(quantiser.usage.sum(1), torch.ones(_LEVELS), atol=1e-4, rtol=0.0)
