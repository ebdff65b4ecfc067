"""The vocoder: where it starts from and how far it sees."""

import numpy as np
import torch

from recomposer_studio.audio.bands import BANDS, BandGrid
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.vocoder import Vocoder, VocoderConfig

_CONFIG = VocoderConfig(width=16, blocks=2, expansion=1, kernel=3)


def _vocoder(*, random: bool) -> Vocoder:
    torch.manual_seed(0)
    vocoder = Vocoder(_CONFIG, 32_000).eval()
    if random:
        with torch.no_grad():
            for weight in vocoder.parameters():
                weight.normal_(std=0.3)
    return vocoder


def test_untrained_noise_follows_the_band_powers() -> None:
    grid = BandGrid.at(32_000)
    flat = np.log(np.full((BANDS, 4), 1e-3))
    with one_thread():
        _, noise = _vocoder(random=False)(torch.from_numpy(flat[None].astype(np.float32)))
        _, louder = _vocoder(random=False)(torch.from_numpy(flat[None].astype(np.float32) + 2.0))
    power = grid.power(noise[0].numpy().astype(complex))
    # Neighbouring bands of equal power but other widths share bins: the smooth curve meets them to a decibel or two.
    assert np.abs(np.log(power / 1e-3) - 1.0)[1:-1].max() < 0.7
    torch.testing.assert_close(louder, noise * np.exp(1.0))


def test_a_frame_depends_on_its_reach_alone() -> None:
    vocoder = _vocoder(random=True)
    reach = vocoder.reach_frames
    base = torch.randn(1, BANDS, 40, generator=torch.Generator().manual_seed(1)) - 8.0
    other = base.clone()
    other[:, :, 20] += 3.0
    with one_thread():
        changed = (vocoder(base)[1] != vocoder(other)[1]).any(2)[0]
    assert changed[20 - reach] and changed[20 + reach]
    assert not changed[: 20 - reach].any() and not changed[21 + reach :].any()


def test_a_click_in_the_window_s_centre_has_phase_zero() -> None:
    grid = BandGrid.at(32_000)
    samples = np.zeros(grid.n_fft)
    samples[grid.n_fft // 2] = 1.0
    spectrum = grid.stft(samples)[0] * _vocoder(random=False).alternate.numpy()
    np.testing.assert_allclose(np.angle(spectrum), 0.0, atol=1e-9)
