"""The waveform codec: tokens, reach, determinism, odd sounds, storage."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.codec.build import build_codec
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.waveform import WaveformCodec
from recomposer_studio.codec.waveform_network import WaveformConfig, WaveformNetwork
from recomposer_studio.errors import InputError
from tests.codec.tiny_codec import burst
from tests.codec.tiny_waveform import RATE_HZ, TINY_WAVEFORM, tiny_waveform

_FRAME = RATE_HZ // 50


def _bursts(*seeds: int) -> np.ndarray:
    return np.concatenate([burst(seed) for seed in seeds])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 5 * _FRAME + 3))
def test_frames_are_samples_rounded_up(samples: int) -> None:
    codec = tiny_waveform()
    tokens = codec.encode(burst(0)[:samples])
    assert tokens.shape == (codec.levels, -(-samples // codec.hop))
    assert tokens.dtype == np.int64
    assert codec.decode(tokens).shape == (tokens.shape[1] * codec.hop,)


def test_analysis_and_synthesis_are_inverse() -> None:
    """Frames centred within their samples, four at a time: nothing is lost between the transforms themselves."""
    network = WaveformNetwork(TINY_WAVEFORM)
    wave = torch.from_numpy(burst(1)[None, : 10 * _FRAME])
    with one_thread():
        windows = torch.nn.functional.pad(wave, (240, 240)).unfold(1, 640, 160) * network.window
        back = network.synthesise(torch.fft.rfft(windows) * (2.0 / network.window.sum()))
    assert back.shape == wave.shape
    torch.testing.assert_close(back[:, 480:-480], wave[:, 480:-480], atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("rate_hz", [16_000, 44_200, 48_000])
def test_any_rate_that_200_divides_works(rate_hz: int) -> None:
    codec = WaveformCodec(WaveformNetwork(replace(TINY_WAVEFORM, rate_hz=rate_hz)))
    tokens = codec.encode(np.zeros(3 * codec.hop + 1))
    assert tokens.shape == (3, 4)
    assert codec.decode(tokens).shape == (4 * rate_hz // 50,)


def test_a_sound_changes_tokens_within_the_encoder_s_reach_alone() -> None:
    codec = tiny_waveform()
    wave = _bursts(0, 1, 2)
    other = wave.copy()
    other[30 * _FRAME : 31 * _FRAME] *= -0.5
    changed = np.flatnonzero((codec.encode(wave) != codec.encode(other)).any(axis=0))
    assert len(changed)
    assert changed.min() >= 30 - codec.encoder_reach_frames
    assert changed.max() <= 30 + codec.encoder_reach_frames


def test_a_token_changes_the_sound_within_its_reach_alone() -> None:
    codec = tiny_waveform()
    tokens = codec.encode(_bursts(0, 1, 2))
    other = tokens.copy()
    other[0, 30] = (other[0, 30] + 1) % codec.config.codebook_size
    changed = np.flatnonzero(codec.decode(tokens) != codec.decode(other)) // _FRAME
    assert len(changed)
    assert changed.min() >= 30 - codec.reach_frames
    assert changed.max() <= 30 + codec.reach_frames


def test_a_part_with_its_reach_decodes_like_the_whole() -> None:
    codec = tiny_waveform()
    tokens = codec.encode(_bursts(0, 1, 2))
    whole = codec.decode(tokens)
    kept = tokens.shape[1] - 20
    part = codec.decode(tokens[:, : kept + codec.reach_frames])
    np.testing.assert_allclose(part[: kept * _FRAME], whole[: kept * _FRAME], atol=1e-6)


def test_silence_around_a_sound_changes_nothing() -> None:
    codec = tiny_waveform()
    wave = burst(3)[: 10 * _FRAME]
    around = np.pad(wave, (20 * _FRAME, 20 * _FRAME))
    inner = slice(20 + codec.encoder_reach_frames, 30 - codec.encoder_reach_frames)
    narrow = slice(codec.encoder_reach_frames, 10 - codec.encoder_reach_frames)
    np.testing.assert_array_equal(codec.encode(around)[:, inner], codec.encode(wave)[:, narrow])
    quiet = codec.encode(around)[:, : 19 - codec.encoder_reach_frames]
    np.testing.assert_array_equal(quiet[:, 4:], np.repeat(codec.silence[:, None], quiet.shape[1] - 4, axis=1))


@pytest.mark.parametrize(
    "wave",
    [
        np.zeros(5000),
        np.eye(1, 5000, 2500)[0],
        np.full(5000, 1.0),
        np.sign(np.sin(np.arange(5000))),
        np.array([0.5]),
        np.full(5000, 1e-30),
    ],
    ids=["silence", "click", "dc", "full scale", "one sample", "denormal"],
)
def test_odd_sounds_stay_finite(wave: np.ndarray) -> None:
    codec = tiny_waveform()
    out = codec.decode(codec.encode(wave))
    assert np.isfinite(out).all()
    assert np.abs(out).max() < 20.0


def test_fewer_levels_are_the_first_of_all() -> None:
    codec = tiny_waveform()
    tokens = codec.encode(burst(5))
    coarse, fine = codec.decode(tokens[:1]), codec.decode(tokens)
    assert coarse.shape == fine.shape
    assert np.abs(coarse - fine).max() > 1e-4


def test_the_codebooks_are_what_the_decoder_reads() -> None:
    codec = tiny_waveform()
    tokens = codec.encode(burst(2))
    network = codec._network
    with one_thread():
        summed = sum(book[row] for book, row in zip(codec.codebooks, tokens, strict=True))
        torch.testing.assert_close(network.quantiser.mean + summed, network.quantiser.decode(torch.from_numpy(tokens)))
    assert codec.codebooks.shape == (3, 16, 12)


def test_bytes_do_not_depend_on_threads_but_on_the_seed() -> None:
    codec = tiny_waveform()
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
    codec = tiny_waveform()
    assert WaveformConfig.from_json(TINY_WAVEFORM.as_json()) == TINY_WAVEFORM
    again = build_codec(TINY_WAVEFORM.as_json(), codec.tensors())
    tokens = again.encode(burst(1))
    np.testing.assert_array_equal(tokens, codec.encode(burst(1)))
    assert again.decode(tokens).tobytes() == codec.decode(tokens).tobytes()
    assert (again.rate_hz, again.hop, again.levels, again.config.codebook_size) == (RATE_HZ, 640, 3, 16)
    # Sizes are compared before memory is taken.
    with torch.device("meta"):
        assert build_codec(TINY_WAVEFORM.as_json(), codec.tensors()).codebooks.is_meta


@pytest.mark.parametrize(
    "change",
    [
        {"levels": 4},
        {"levels": 0},
        {"levels": "3"},
        {"rate_hz": 44_100},
        {"rate_hz": 200_000},
        {"kernel": 4},
        {"width": 10**9},
        {"decoder_blocks": 65},
        {"unknown": 1},
    ],
)
def test_a_wrong_configuration_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="get the checkpoint again"):
        build_codec({**TINY_WAVEFORM.as_json(), **change}, tiny_waveform().tensors())


@pytest.mark.parametrize("name", ["quantiser.codes", "head.weight", "latent.bias"])
def test_missing_or_wrong_weights_are_refused(name: str) -> None:
    tensors = tiny_waveform().tensors()
    with pytest.raises(InputError, match="get the checkpoint again"):
        build_codec(TINY_WAVEFORM.as_json(), {k: v for k, v in tensors.items() if k != name})
    with pytest.raises(InputError, match="get the checkpoint again"):
        build_codec(TINY_WAVEFORM.as_json(), {**tensors, name: tensors[name][:1]})
