"""The losses of both codecs: least for the sound itself, larger for what they are to punish."""

import torch

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.training.spectral_loss import SpectralLoss, WaveformLoss

_RATE_HZ = 32_000


def test_the_loss_is_least_for_the_sound_itself() -> None:
    with one_thread():
        loss = SpectralLoss(_RATE_HZ)
        rng = torch.Generator().manual_seed(0)
        target, other = (0.1 * torch.randn(2, 8192, generator=rng) for _ in range(2))
        assert loss(target, target, target) < 1e-5
        assert loss(0.9 * target, target, target) > 0.05
        assert loss(target, other, target) > loss(target, 0.0 * other, target) > 0.05


def test_the_loss_stays_on_one_device() -> None:
    whole, tone, target = (torch.zeros(2, 8192, device="meta", requires_grad=True) for _ in range(3))
    assert SpectralLoss(_RATE_HZ, "meta")(whole, tone, target).device.type == "meta"


def test_the_waveform_loss_knows_phase_level_and_samples() -> None:
    with one_thread():
        loss = WaveformLoss(_RATE_HZ)
        time = torch.arange(8192) / _RATE_HZ
        target = 0.3 * torch.sin(2000.0 * time)[None]
        late = 0.3 * torch.sin(2000.0 * time + 1.0)[None]
        assert loss(target, target, target) < 0.01
        # The sum alone is heard as it is: another phase of the deterministic branch is told from the right one.
        assert loss(target, late, target) > 0.3
        assert loss(0.5 * target, target, target) > 0.3
        silent = torch.zeros_like(target)
        assert loss(silent, silent, silent) < 0.01


def test_the_waveform_loss_has_gradients_for_silence() -> None:
    with one_thread(gradients=True):
        whole, tone = (torch.zeros(1, 4096, requires_grad=True) for _ in range(2))
        WaveformLoss(_RATE_HZ)(whole, tone, torch.full((1, 4096), 0.1)).backward()
        for wave in (whole, tone):
            assert wave.grad is not None and bool(torch.isfinite(wave.grad).all())
