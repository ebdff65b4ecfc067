"""Crops for the waveform codec."""

import numpy as np
import torch

from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.waveform_sounds import SoundBank, normalised_sounds

_RATE_HZ = 32_000


def _bank(*lengths: int) -> SoundBank:
    """Sounds of a constant of their own."""
    events = [np.full(length, 0.1 * number, np.float32) for number, length in enumerate(lengths, start=1)]
    return SoundBank(events, [np.full(40_000, -0.5, np.float32)], _RATE_HZ)


def test_crops_are_reproducible_and_within_reason() -> None:
    bank = _bank(800, 5000, 30_000)
    crops = bank.crops(64, 4000, np.random.default_rng(0))
    assert crops.shape == (64, 4000)
    assert crops.dtype == torch.float32
    torch.testing.assert_close(crops, bank.crops(64, 4000, np.random.default_rng(0)), rtol=0.0, atol=0.0)
    assert not torch.equal(crops, bank.crops(64, 4000, np.random.default_rng(1)))
    assert 0.5 < float(crops.abs().max()) < 2.5
    # Gains of 36 dB, either way up, with silence before and after short sounds.
    peaks = crops.abs().amax(1)
    assert float(peaks.max() / peaks[peaks > 0].min()) > 10.0
    assert float(crops.min()) < 0.0 < float(crops.max())
    assert bool((crops == 0.0).any(1).any())


def test_a_crop_holds_its_own_sound_alone() -> None:
    bank = _bank(800, 5000, 30_000)
    seen = set()
    for seed in range(30):
        drawn = bank._drawn(8, 2000, np.random.default_rng(seed))
        for row in drawn.numpy():
            values = {round(float(value), 3) for value in row}
            assert len(values - {0.0}) <= 1
            seen |= values
    assert seen == {0.0, 0.1, 0.2, 0.3, -0.5}


def test_events_and_backgrounds_come_at_one_peak(tiny_cache: AudioCache) -> None:
    events, backgrounds = normalised_sounds(tiny_cache.split("train"), 2, _RATE_HZ, seed=0)
    split = tiny_cache.split("train")
    assert (len(events), len(backgrounds)) == (2 * len(split.events), len(split.backgrounds))
    np.testing.assert_allclose([np.abs(sound).max() for sound in [*events, *backgrounds]], 0.7, atol=1e-3)
    assert not np.array_equal(events[0], events[1][: len(events[0])])


def test_a_bank_of_events_alone_works() -> None:
    crops = SoundBank([np.full(9000, 0.5, np.float32)], [], _RATE_HZ).crops(16, 2000, np.random.default_rng(0))
    assert bool(torch.isfinite(crops).all()) and float(crops.abs().max()) > 0.0
