"""YAMNet's front end: its frames, its patches, and that streaming changes nothing."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.source import Source
from recomposer_studio.tagging.front_end import (
    BANDS,
    HOP,
    PATCH_FRAMES,
    PATCH_SAMPLES,
    RATE_HZ,
    log_mel,
    log_mel_blocks,
    mel_weights,
    mono,
    patches,
)


def noise(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, samples).astype(np.float32)


def test_frames_follow_the_published_formula():
    """The formula once more, frame by frame, in float64 and with the transform written out."""
    samples = noise(1_000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    transform = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512)
    mel = 1127.0 * np.log(1.0 + np.arange(257) * 31.25 / 700.0)
    edges = np.linspace(1127.0 * np.log(1 + 125 / 700), 1127.0 * np.log(1 + 7500 / 700), 66)
    wanted = []
    for start in range(0, 1_000 - 399, 160):
        magnitude = np.abs(transform @ (samples[start : start + 400] * window))
        bands = []
        for low, centre, high in zip(edges, edges[1:], edges[2:], strict=False):
            triangle = np.clip(np.minimum((mel - low) / (centre - low), (high - mel) / (high - centre)), 0, None)
            bands.append(np.sum(triangle[1:] * magnitude[1:]))
        wanted.append(np.log(np.array(bands) + 0.001))
    np.testing.assert_allclose(log_mel(samples), np.array(wanted), atol=2e-4)


def test_the_weights_leave_out_0_hz_and_what_lies_beyond_the_bands():
    weights = mel_weights()
    assert weights.shape == (257, BANDS)
    assert not weights[0].any()
    assert not weights[int(7_500 / 31.25) :].any() and not weights[: int(125 / 31.25) + 1].any()
    assert (weights.max(axis=0) > 0.3).all()


def test_silence_is_the_logarithm_of_the_offset():
    np.testing.assert_allclose(log_mel(np.zeros(PATCH_SAMPLES, np.float32)), np.log(0.001), atol=1e-6)


def test_a_patch_needs_exactly_its_samples():
    assert len(log_mel(noise(PATCH_SAMPLES))) == PATCH_FRAMES
    assert len(log_mel(noise(PATCH_SAMPLES - 1))) == PATCH_FRAMES - 1
    assert len(log_mel(noise(399))) == 0


def test_patches_are_cut_at_any_hop():
    frames = log_mel(noise(3 * RATE_HZ))
    for hop in (1, 10, 48):
        cut = patches(frames, hop)
        assert cut.shape == (1 + (len(frames) - PATCH_FRAMES) // hop, PATCH_FRAMES, BANDS)
        np.testing.assert_array_equal(cut[1], frames[hop : hop + PATCH_FRAMES])
    assert patches(frames[:95], 10).shape == (0, PATCH_FRAMES, BANDS)


@settings(max_examples=25)
@given(
    samples=st.integers(0, 40_000),
    cuts=st.lists(st.integers(0, 40_000), max_size=6),
    hop=st.sampled_from([7, 10, 48]),
)
def test_blocks_give_the_frames_of_the_whole(samples, cuts, hop):
    whole = noise(samples, 1)
    blocks = np.split(whole, sorted(cut for cut in cuts if cut < samples))
    streamed = np.concatenate(list(log_mel_blocks(iter(blocks), hop)))
    assert (len(streamed) - PATCH_FRAMES) % hop == 0
    assert (len(streamed) - PATCH_FRAMES) * HOP + PATCH_SAMPLES >= samples  # the patches reach the end
    assert (len(streamed) - PATCH_FRAMES - hop) * HOP + PATCH_SAMPLES < max(samples, PATCH_SAMPLES)  # and no further
    padded = np.concatenate([whole, np.zeros(50_000, np.float32)])
    # The matrix product may round differently in another company, nothing else.
    np.testing.assert_allclose(streamed, log_mel(padded)[: len(streamed)], atol=1e-5)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_a_recording_becomes_16_khz_mono_without_moving(tmp_path: Path, rate_hz: int):
    time = np.arange(2 * rate_hz) / rate_hz
    left = 0.4 * np.sin(2 * np.pi * 440 * time) * (time > 0.7)
    path = tmp_path / "in.wav"
    soundfile.write(path, np.stack([left, np.zeros_like(left)], axis=1), rate_hz, subtype="FLOAT")
    with Source.open(path) as source:
        heard = np.concatenate(list(mono(source, block_frames=1_001)))
    assert abs(len(heard) - 2 * RATE_HZ) <= 1
    at = np.arange(len(heard)) / RATE_HZ
    wanted = 0.2 * np.sin(2 * np.pi * 440 * at) * (at > 0.7)
    inside = (np.abs(at - 0.7) > 0.02) & (at > 0.02) & (at < 1.98)
    np.testing.assert_allclose(heard[inside], wanted[inside], atol=2e-3)
