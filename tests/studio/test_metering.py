from dataclasses import dataclass

import numpy as np
import pytest

from recomposer_studio.studio.metering import FLOOR_DB, Metering
from recomposer_studio.studio.mixer import Bank, Mixer

RATE = 8_000


@dataclass
class Sound:
    samples: np.ndarray

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.samples[:, start:stop]


def playing(*samples: np.ndarray) -> Mixer:
    bank = Bank([Sound(one) for one in samples], samples[0].shape[1], RATE, RATE)
    bank.prepare(range(100))
    mixer = Mixer(bank)
    mixer.play(0)
    return mixer


def pull(mixer: Mixer, frames: int, piece: int = 160) -> None:
    out = np.zeros((piece, mixer.bank.outputs), np.float32)
    for _ in range(frames // piece):
        mixer.fill(out)


def test_every_channel_has_its_own_peak_and_mean():
    t = np.arange(16_000) / RATE
    mixer = playing(np.stack([0.5 * np.sin(2 * np.pi * 100 * t), np.full(16_000, 0.1)]))
    meter = Metering(mixer, RATE)
    pull(mixer, 8_000)
    levels = meter.read()
    assert levels.peak_db == pytest.approx((-6.02, -20.0), abs=0.01)
    assert levels.mean_db == pytest.approx((-9.03, -20.0), abs=0.05)
    assert not levels.clipped


def test_the_mean_forgets_what_is_older_than_its_window_and_the_peak_what_was_read():
    loud = np.concatenate([np.full(8_000, 0.5), np.zeros(8_000)])[None]
    mixer = playing(loud)
    meter = Metering(mixer, RATE)
    means = []
    for _ in range(100):
        pull(mixer, 160)
        means.append(meter.read().mean_db[0])
    assert means[49] == pytest.approx(-6.02, abs=0.05)
    # Half the window is silent, then all of it.
    assert means[59] == pytest.approx(-9.03, abs=0.05)
    assert means[75] == FLOOR_DB
    assert meter.read().peak_db[0] == FLOOR_DB


def test_a_clip_between_two_readings_is_never_lost():
    sound = np.full((2, 8_000), 0.1)
    sound[1, 3_000] = -1.01
    mixer = playing(sound)
    meter = Metering(mixer, RATE)
    pull(mixer, 7_040, 5_000 // 160 * 160)
    assert meter.read().clipped
    assert not meter.read().clipped


def test_full_scale_is_no_clip():
    mixer = playing(np.full((1, 8_000), -1.0))
    meter = Metering(mixer, RATE)
    pull(mixer, 4_800)
    levels = meter.read()
    assert levels.peak_db[0] == 0.0 and not levels.clipped


def test_measuring_takes_no_memory(monkeypatch):
    """Slices are views; no array is made while the sound card waits."""
    mixer = playing(np.random.default_rng(0).uniform(-1, 1, (2, 16_000)))
    out = np.zeros((512, 2), np.float32)
    mixer.fill(out)
    made = []
    for name in ("zeros", "empty", "zeros_like", "empty_like", "concatenate", "array"):
        monkeypatch.setattr(np, name, lambda *_, name=name, **__: made.append(name))
    mixer.switch(0)
    for _ in range(5):
        mixer.fill(out)
    assert made == []
    assert mixer.counted == 6 * 512
