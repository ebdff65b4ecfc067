"""Training of the log-mel codec: crops, steps, and a whole tiny run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recomposer_studio.audio.bands import BandGrid
from recomposer_studio.codec.build import build_codec
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.mel_rvq import MelRvqConfig, log_bands
from recomposer_studio.codec.vocoder import Vocoder, VocoderConfig
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import load_checkpoint
from recomposer_studio.training.codec import (
    CodecTraining,
    Sound,
    draw_crops,
    render_branches,
    train_codec,
)
from recomposer_studio.training.spectral_loss import SpectralLoss

_RATE_HZ = 32_000
_VOCODER = VocoderConfig(width=8, blocks=1, expansion=1, kernel=3)


def test_training_and_inference_render_the_same_grid() -> None:
    grid = BandGrid.at(_RATE_HZ)
    torch.manual_seed(0)
    vocoder = Vocoder(_VOCODER, _RATE_HZ).eval()
    power = torch.randn(1, 64, 21) - 8.0
    with one_thread():
        _, tone = render_branches(vocoder, power, grid, torch.Generator().manual_seed(0))
        spectrum = vocoder(power)[0][0].numpy().astype(complex)
    expected = grid.istft(spectrum)[grid.n_fft // 2 :][: 20 * grid.hop]
    # The first and last frames overlap with fewer windows, which the two weigh differently.
    inner = slice(2 * grid.hop, -2 * grid.hop)
    np.testing.assert_allclose(tone[0].numpy()[inner], expected[inner], atol=1e-5)


def test_crops_of_powers_and_waves_belong_together() -> None:
    wave = np.random.default_rng(0).normal(scale=0.1, size=_RATE_HZ).astype(np.float32)
    bands = log_bands(wave, _RATE_HZ).astype(np.float32)
    powers, waves = draw_crops([Sound(wave, bands, bands)], 6, 30, 320, np.random.default_rng(1))
    assert powers.shape == (6, 64, 31)
    assert waves.shape == (6, 30 * 320)
    for power, crop in zip(powers.numpy(), waves.numpy(), strict=True):
        # Frames outside the sound are silent, as they are in decoding.
        inside = np.flatnonzero(power.max(0) > -18.0)[2:-2]
        inside = inside[(inside >= 2) & (inside < 28)]
        np.testing.assert_allclose(log_bands(crop, _RATE_HZ)[:, inside], power[:, inside], atol=2e-2)


def _options(folder: Path, out: Path, minutes: float, **more: Any) -> CodecTraining:
    config = MelRvqConfig(levels=2, codebook_size=16, vocoder=_VOCODER)
    return CodecTraining(folder, out, minutes, variants=2, batch=2, crop_frames=24, config=config, **more)


def test_a_run_leaves_a_codec_and_can_be_resumed(tiny_folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    with one_thread():
        codec = train_codec(_options(tiny_folder, tmp_path, 0.01), lines.append)
        checkpoint = load_checkpoint(tmp_path)
        stored = build_codec(checkpoint.configs["codec"], checkpoint.tensors["codec"])
        tone = np.sin(np.arange(16_000) / 5.0)
        np.testing.assert_array_equal(stored.encode(tone), codec.encode(tone))
        assert np.isfinite(stored.decode(stored.encode(tone))).all()
        assert "entropy" in lines[0]
        # The budget is spent: going on changes nothing.
        again = train_codec(_options(tiny_folder, tmp_path, 0.01, resume=True), lines.append)
    for name, value in codec.tensors().items():
        torch.testing.assert_close(again.tensors()[name], value, rtol=1e-6, atol=1e-7)
    (first, *_, last) = map(json.loads, (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines())
    assert (first["part"], first["step"]) == ("codec", last["step"])
    assert first["valid/loss"] == last["valid/loss"]


def test_a_run_that_paused_keeps_its_codebooks_and_goes_on(tiny_folder: Path, tmp_path: Path) -> None:
    lines: list[str] = []
    options = _options(tiny_folder, tmp_path, 0.2, pause_minutes=0.01, cache=tmp_path / "cache")
    first = train_codec(options, lines.append)
    second = train_codec(replace(options, resume=True), lines.append)
    # Fitting them anew would take minutes of every part of a paused training.
    assert sum("entropy" in line for line in lines) == 1
    torch.testing.assert_close(second.tensors()["codebooks"], first.tensors()["codebooks"])
    assert not torch.equal(second.tensors()["vocoder.enter.weight"], first.tensors()["vocoder.enter.weight"])
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert 0 < steps[0] < steps[-1]
    other = MelRvqConfig(levels=1, codebook_size=16, vocoder=_VOCODER)
    with pytest.raises(InputError, match="another configuration"):
        train_codec(replace(options, resume=True, config=other), lines.append)


def test_vocoder_steps_lower_the_loss() -> None:
    grid = BandGrid.at(_RATE_HZ)
    torch.manual_seed(0)
    wave = np.random.default_rng(0).normal(scale=0.1, size=_RATE_HZ // 2).astype(np.float32)
    bands = log_bands(wave, _RATE_HZ).astype(np.float32)
    powers, waves = draw_crops([Sound(wave, bands, bands)], 2, 24, grid.hop, np.random.default_rng(1))
    vocoder, loss_of = Vocoder(_VOCODER, _RATE_HZ), SpectralLoss(_RATE_HZ)
    optimiser = torch.optim.AdamW(vocoder.parameters(), lr=3e-3)
    losses = []
    with one_thread(gradients=True):
        for _ in range(25):
            loss = loss_of(*render_branches(vocoder, powers, grid, torch.Generator().manual_seed(0)), waves)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_no_recordings_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        train_codec(_options(tmp_path, tmp_path / "out", 0.01))
