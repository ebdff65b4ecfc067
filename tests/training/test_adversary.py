"""The discriminator of the waveform codec."""

from pathlib import Path

import pytest
import torch

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.errors import InputError
from recomposer_studio.training.adversary import Adversary
from recomposer_studio.training.crew import Crew

_CPU = torch.device("cpu")


def _sounds() -> tuple[torch.Tensor, torch.Tensor]:
    """Noise, and noise without its upper half."""
    real = 0.1 * torch.randn(2, 4096, generator=torch.Generator().manual_seed(0))
    spectrum = torch.fft.rfft(real)
    spectrum[:, spectrum.shape[1] // 2 :] = 0.0
    return torch.fft.irfft(spectrum), real


def _adversary(folder: Path, *, resume: bool = False) -> Adversary:
    torch.manual_seed(0)
    return Adversary(folder / "a.safetensors", 5e-3, _CPU, Crew(), resume=resume)


def test_it_learns_to_tell_and_its_opinion_falls_towards_the_real_one(tmp_path: Path) -> None:
    dull, real = _sounds()
    adversary = _adversary(tmp_path)
    with one_thread(gradients=True):
        for _ in range(12):
            adversary.learn(dull, real, 0.0)
        assert adversary.opinion(real, real) < adversary.opinion(dull, real)
        made = dull.clone().requires_grad_()
        adversary.opinion(made, real).backward()
        assert made.grad is not None and float(made.grad.abs().max()) > 0.0


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    dull, real = _sounds()
    with one_thread(gradients=True):
        adversary = _adversary(tmp_path)
        adversary.learn(dull, real, 0.0)
        adversary.keep()
        opinion = adversary.opinion(dull, real)
        torch.testing.assert_close(_adversary(tmp_path, resume=True).opinion(dull, real), opinion)
        assert not torch.isclose(_adversary(tmp_path).opinion(dull, real), opinion)
    (tmp_path / "a.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError):
        _adversary(tmp_path, resume=True)
