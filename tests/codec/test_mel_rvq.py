"""The log-mel RVQ codec: tokens, levels, reach, determinism and odd sounds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.codec.build import build_codec
from recomposer_studio.codec.mel_rvq import FLOOR, MelRvqCodec, MelRvqConfig, from_vectors, log_bands, to_vectors
from recomposer_studio.codec.vocoder import Vocoder
from recomposer_studio.errors import InputError
from recomposer_studio.training.codebooks import usage_entropy
from tests.codec.tiny_codec import RATE_HZ, TINY, burst, tiny_codec, tiny_vectors

_FRAME = RATE_HZ // 50


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5 * _FRAME + 3))
def test_frames_are_samples_rounded_up(samples: int) -> None:
    codec = tiny_codec()
    tokens = codec.encode(burst(0)[:samples])
    assert tokens.shape == (codec.levels, -(-samples // _FRAME))
    assert tokens.dtype == np.int64
    assert codec.decode(tokens).shape == (tokens.shape[1] * _FRAME,)


def test_vectors_and_bands_are_inverse() -> None:
    bands = np.random.default_rng(0).normal(size=(64, 10))
    assert to_vectors(bands).shape == (5, 128)
    np.testing.assert_array_equal(from_vectors(to_vectors(bands)), bands)
    np.testing.assert_array_equal(to_vectors(bands)[2, 64:], bands[:, 5])


def test_distortion_falls_with_every_level_and_codes_are_used() -> None:
    codec = tiny_codec()
    sounds = [burst(seed) for seed in range(40, 60)]
    tokens = [codec.encode(sound) for sound in sounds]
    errors = [
        np.mean(
            [
                np.mean((codec.dequantise(z[:k]) - log_bands(s, RATE_HZ)) ** 2)
                for z, s in zip(tokens, sounds, strict=True)
            ]
        )
        for k in range(1, codec.levels + 1)
    ]
    assert np.all(np.diff(errors) < -0.02 * errors[0])
    trained = tiny_vectors().numpy()
    entropy = usage_entropy(codec.encode_vectors(trained), codec.config.codebook_size)
    assert np.all(entropy > 0.8)


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(5000),
        np.eye(1, 5000, 2500)[0],
        np.full(5000, 1.0),
        np.sign(np.sin(np.arange(5000))),
        np.sin(2.0 * np.pi * 16000.0 * np.arange(5000) / RATE_HZ + 0.5),
        np.array([0.5]),
        np.full(5000, 1e-30),
    ],
    ids=["silence", "click", "dc", "full scale", "nyquist", "one sample", "denormal"],
)
def test_odd_sounds_stay_finite(wave: np.ndarray) -> None:
    codec = tiny_codec()
    out = codec.decode(codec.encode(wave))
    assert np.isfinite(out).all()
    assert np.abs(out).max() < 20.0


def test_silence_stays_silent() -> None:
    codec = tiny_codec()
    vectors = np.log(FLOOR) * np.ones((64, 40))
    assert np.abs(codec.synthesise(vectors)).max() < 10.0 ** (-90 / 20)
    np.testing.assert_array_equal(codec.encode(np.zeros(3 * _FRAME)), np.repeat(codec.silence[:, None], 3, axis=1))


def test_correction_brings_the_sound_to_the_wanted_band_powers() -> None:
    wanted = log_bands(burst(3), RATE_HZ)
    loud = wanted > wanted.max() - 12.0
    errors = []
    for passes in (0, 2, 4):
        config = replace(TINY, passes=passes)
        torch.manual_seed(0)
        codec = MelRvqCodec(config, torch.zeros(128), torch.zeros(4, 32, 128), Vocoder(config.vocoder, RATE_HZ))
        errors.append(np.abs(log_bands(codec.synthesise(wanted), RATE_HZ) - wanted)[loud].mean())
    assert errors[2] < errors[1] < 0.6 * errors[0]
    assert errors[2] < 0.4


def test_coarse_codes_survive_a_round_trip() -> None:
    codec = tiny_codec()
    tokens = np.concatenate([codec.encode(burst(seed)) for seed in range(60, 66)], axis=1)
    again = codec.encode(codec.decode(tokens))
    assert (again[0] == tokens[0]).mean() > 0.5


def test_fewer_levels_decode_a_coarser_sound() -> None:
    codec = tiny_codec()
    tokens = codec.encode(burst(5))
    coarse, fine = codec.decode(tokens[:1]), codec.decode(tokens)
    assert coarse.shape == fine.shape
    assert np.abs(coarse - fine).max() > 1e-3


def test_a_token_changes_the_sound_within_its_reach_alone() -> None:
    codec = tiny_codec()
    tokens = np.concatenate([codec.encode(burst(seed)) for seed in range(4)], axis=1)
    frame, reach = 40, codec.reach_frames
    other = tokens.copy()
    other[0, frame] = (other[0, frame] + 1) % codec.config.codebook_size
    changed = np.flatnonzero(codec.decode(tokens) != codec.decode(other)) // _FRAME
    assert len(changed)
    assert changed.min() >= frame - reach
    assert changed.max() <= frame + reach


def test_a_part_with_its_reach_decodes_like_the_whole() -> None:
    codec = tiny_codec()
    tokens = np.concatenate([codec.encode(burst(seed)) for seed in range(4)], axis=1)
    whole = codec.decode(tokens)
    kept = tokens.shape[1] - 20
    part = codec.decode(tokens[:, : kept + codec.reach_frames])
    np.testing.assert_allclose(part[: kept * _FRAME], whole[: kept * _FRAME], atol=1e-6)


def test_bytes_do_not_depend_on_threads_and_the_number_is_restored() -> None:
    codec = tiny_codec()
    tokens = codec.encode(burst(7))
    before = torch.get_num_threads()
    try:
        sounds = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            sounds.append(codec.decode(tokens, seed=3).tobytes())
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert sounds[0] == sounds[1]
    assert sounds[0] != codec.decode(tokens, seed=4).tobytes()


def test_configuration_and_weights_survive_storage() -> None:
    codec = tiny_codec()
    assert MelRvqConfig.from_json(TINY.as_json()) == TINY
    again = build_codec(TINY.as_json(), codec.tensors())
    tokens = again.encode(burst(1))
    np.testing.assert_array_equal(tokens, codec.encode(burst(1)))
    assert again.decode(tokens).tobytes() == codec.decode(tokens).tobytes()
    assert (again.rate_hz, again.hop, again.levels, again.config.codebook_size) == (RATE_HZ, 640, 4, 32)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"levels": 3},
        {"levels": 0},
        {"rate_hz": 44_123},
        {"unknown": 1},
        {"vocoder": {"width": 8}},
        {"vocoder": 1},
    ],
)
def test_a_wrong_configuration_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="checkpoint"):
        build_codec({**TINY.as_json(), **change}, tiny_codec().tensors())


@pytest.mark.parametrize("name", ["mean", "codebooks", "vocoder.head.weight"])
def test_missing_or_wrong_weights_are_refused(name: str) -> None:
    tensors = tiny_codec().tensors()
    with pytest.raises(InputError, match="get the checkpoint again"):
        build_codec(TINY.as_json(), {k: v for k, v in tensors.items() if k != name})
    with pytest.raises(InputError, match="get the checkpoint again"):
        build_codec(TINY.as_json(), {**tensors, name: tensors[name][:1]})
