"""Training of the waveform codec: a whole tiny run with warm-up, codes and discriminator, pausing and going on."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recomposer_studio.codec.build import build_codec
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.waveform import stored_tensors
from recomposer_studio.codec.waveform_network import WaveformNetwork
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import load_checkpoint
from recomposer_studio.training.run import Run
from recomposer_studio.training.spectral_loss import SpectralLoss
from recomposer_studio.training.waveform import WaveformTraining, through, train_waveform
from tests.codec.tiny_codec import burst
from tests.codec.tiny_waveform import TINY_WAVEFORM


def _options(folder: Path, out: Path, **more: Any) -> WaveformTraining:
    return WaveformTraining(
        folder, out, **{"variants": 1, "batch": 2, "crop_frames": 6, "config": TINY_WAVEFORM, **more}
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every step takes a tenth of a budget of one minute, however fast the machine is."""
    shares = [0.0]

    def learn(self: Run, loss: torch.Tensor) -> None:
        original(self, loss)
        self._share = min(1.0, self.step / 10.0)
        self._now_s = 60.0 * self._share
        shares.append(self._share)

    original = Run.learn
    monkeypatch.setattr(Run, "learn", learn)
    return shares


def test_a_run_leaves_a_codec_and_says_which_gates_it_passes(
    tiny_folder: Path, tmp_path: Path, clock: list[float]
) -> None:
    lines: list[str] = []
    with one_thread():
        codec = train_waveform(_options(tiny_folder, tmp_path, max_minutes=1.0, adversary=1.0), lines.append)
    assert codec is not None and len(clock) == 11
    checkpoint = load_checkpoint(tmp_path)
    assert checkpoint.configs["codec"]["kind"] == "waveform"
    stored = build_codec(checkpoint.configs["codec"], checkpoint.tensors["codec"])
    tone = 0.5 * np.sin(np.arange(9_600) / 5.0)
    np.testing.assert_array_equal(stored.encode(tone), codec.encode(tone))
    assert np.isfinite(stored.decode(stored.encode(tone))).all()
    gates = [line for line in lines if line.startswith("gate")]
    assert [line.split(":")[0] for line in gates] == ["gate usage", "gate levels", "gate round trip", "gate odd sounds"]
    assert sum("place the codes at step 1" in line for line in lines) == 1
    last = json.loads((tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert (last["part"], last["step"]) == ("codec", 10)
    assert 0.0 < last["usage/level 1"] <= 1.0
    assert (tmp_path / "adversary-run.safetensors").is_file()


def test_a_run_that_paused_goes_on_with_its_codes(tiny_folder: Path, tmp_path: Path, clock: list[float]) -> None:
    lines: list[str] = []
    options = _options(tiny_folder, tmp_path, max_minutes=1.0, pause_minutes=0.5, cache=tmp_path / "cache")
    with one_thread():
        first = train_waveform(options, lines.append)
        second = train_waveform(replace(options, resume=True, pause_minutes=None), lines.append)
    assert first is not None and second is not None
    assert sum("place the codes" in line for line in lines) == 1
    assert sum(line.startswith("gate usage") for line in lines) == 1
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert steps == [5, 10]
    other = replace(TINY_WAVEFORM, levels=2)
    with pytest.raises(InputError, match="does not fit"):
        train_waveform(replace(options, resume=True, config=other), lines.append)


def test_without_codes_latents_pass_as_they_are() -> None:
    torch.manual_seed(0)
    network = WaveformNetwork(TINY_WAVEFORM)
    waves = torch.from_numpy(burst(0)[None, : 12 * 640])
    kept = torch.tensor([3])
    with one_thread():
        before = through(network, waves, kept, torch.Generator().manual_seed(0))
        assert before.whole.shape == before.tone.shape == waves.shape
        assert float(before.cost) == 0.0
        network.quantiser.place(network.analyse(waves).transpose(1, 2).flatten(0, 1), seed=0)
        after = through(network, waves, kept, torch.Generator().manual_seed(0))
    assert float(after.cost) > 0.0
    assert not torch.equal(before.tone, after.tone)
    # The branches differ by noise, which the generator decides about.
    assert not torch.equal(after.whole, after.tone)


def test_training_and_inference_make_the_same_sound() -> None:
    torch.manual_seed(0)
    network = WaveformNetwork(TINY_WAVEFORM)
    wave = np.pad(burst(0)[: 20 * 640], (2 * 640, 2 * 640))
    with one_thread():
        waves = torch.from_numpy(wave)[None]
        network.quantiser.place(network.analyse(waves).transpose(1, 2).flatten(0, 1), seed=0)
        trained = through(network, waves, torch.tensor([3]), torch.Generator().manual_seed(0)).tone[0]
        quiet = network.head.bias.view(4, -1)
        quiet.data[3] = -30.0  # no noise: the two draw it otherwise
        network.head.weight.data.view(4, -1, 16)[3] = 0.0
        tokens = network.quantiser.encode(network.analyse(waves)[0].T).numpy()
        codec = build_codec(TINY_WAVEFORM.as_json(), stored_tensors(network))
    np.testing.assert_array_equal(codec.encode(wave[1280:-1280]), tokens[:, 2:-2])
    decoded = codec.decode(tokens[:, 2:-2])
    inner = slice(8 * 640, 12 * 640)
    np.testing.assert_allclose(decoded[inner], trained.numpy()[1280:-1280][inner], atol=1e-5)


def test_steps_lower_the_loss_with_and_without_codes() -> None:
    torch.manual_seed(0)
    network, loss_of = WaveformNetwork(TINY_WAVEFORM), SpectralLoss(32_000, "cpu", ((256, 16), (64, 8)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    waves = torch.stack([torch.from_numpy(burst(seed)[: 6 * 640]) for seed in range(3)])
    losses = []
    with one_thread(gradients=True):
        for step in range(40):
            if step == 20:
                network.quantiser.place(network.analyse(waves).detach().transpose(1, 2).flatten(0, 1), seed=0)
            decoded = through(network, waves, torch.full((3,), 3), torch.Generator().manual_seed(0))
            loss = loss_of(decoded.whole, decoded.tone, waves)
            optimiser.zero_grad()
            (loss + decoded.cost).backward()
            optimiser.step()
            losses.append(float(loss.detach()))
    assert losses[19] < 0.9 * losses[0]
    assert losses[39] < losses[20]


def test_a_wrong_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="precision"):
        _options(tmp_path, tmp_path, precision="float16")
