"""The token decoder: cached equals uncached, only the box is decoded, and what its inputs do."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.model.decoder import (
    CONTEXT_FRAMES,
    SCENE_FEATURES,
    DecoderConfig,
    Output,
    Prompt,
    Stepper,
    TokenDecoder,
    clock,
    generate_tokens,
    scene_features,
)
from recomposer_studio.model.encoder import EncoderConfig
from recomposer_studio.model.transformer import TransformerConfig
from recomposer_studio.project.recipe import Decoding

_CONFIG = DecoderConfig(
    levels=3,
    codebook_size=11,
    vector=8,
    encoder=EncoderConfig(features=SCENE_FEATURES, width=8, kernel=3, dilations=(1, 2)),
    temporal=TransformerConfig(width=16, layers=2, heads=2, expansion=2, window=6),
    depth=TransformerConfig(width=8, layers=2, heads=2, expansion=2, window=None, rotary=False),
)


def _decoder(scale: float = 0.2) -> TokenDecoder:
    torch.manual_seed(0)
    decoder = TokenDecoder(_CONFIG, torch.randn(3, 11, 8)).eval()
    with torch.no_grad():
        for weight in decoder.parameters():
            weight.add_(scale * torch.randn_like(weight))
    return decoder


def _prompt(frames: int, seed: int = 0) -> Prompt:
    rng = np.random.default_rng(seed)
    scene = scene_features(rng.random((BANDS, 80)), 0.01, 0.2, frames)
    return Prompt(scene, rng.normal(size=128).astype(np.float32), frames)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 20), st.sampled_from([1.0, 1.5, 4.0]))
def test_cached_decoding_has_the_same_logits(frames: int, guidance: float) -> None:
    decoder, prompt = _decoder(), _prompt(frames)
    tokens = torch.from_numpy(np.random.default_rng(frames).integers(0, 11, (frames, 3)))
    logits = torch.zeros(frames, 3, 11)
    with one_thread():
        asked = decoder(prompt, tokens)
        without = decoder(replace(prompt, event=np.zeros(128, np.float32)), tokens)
        stepper = Stepper(decoder, prompt, guidance)
        for frame in range(frames):

            def choose(level: int, row: torch.Tensor, frame: int = frame) -> int:
                logits[frame, level] = row
                return int(tokens[frame, level])

            assert stepper.frame(choose, 3) == tokens[frame].tolist()
    torch.testing.assert_close(logits, without + guidance * (asked - without), atol=3e-4, rtol=1e-3)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 30), st.integers(0, 5), st.sampled_from([1.0, 2.0]))
def test_every_frame_of_the_box_goes_through_once_and_no_other(frames: int, levels: int, guidance: float) -> None:
    decoder = _decoder()
    passed: list[int] = []
    hook = decoder.temporal.register_forward_hook(lambda _net, args, _out: passed.append(args[0].shape[1]))
    tokens = generate_tokens(decoder, _prompt(frames), Decoding(guidance=guidance, levels=levels), seed=1)
    hook.remove()
    assert passed == [1] * frames
    assert tokens.shape == (min(levels or 3, 3), frames)
    assert tokens.min() >= 0
    assert tokens.max() < 11


def test_generation_depends_on_its_arguments_alone() -> None:
    decoder, decoding = _decoder(), Decoding()
    first = generate_tokens(decoder, _prompt(12), decoding, seed=5)
    generate_tokens(decoder, _prompt(7, seed=1), decoding, seed=6)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        again = generate_tokens(decoder, _prompt(12), decoding, seed=5)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(first, again)
    for other in (
        generate_tokens(decoder, _prompt(12), decoding, seed=6),
        generate_tokens(decoder, _prompt(12, seed=1), decoding, seed=5),
        generate_tokens(decoder, _prompt(12), Decoding(guidance=6.0), seed=5),
        generate_tokens(decoder, _prompt(12), Decoding(temperature=0.0), seed=5),
    ):
        assert (other != first).any()


def test_coarse_codes_do_not_depend_on_finer_levels_of_the_same_frame() -> None:
    decoder = _decoder()
    one = generate_tokens(decoder, _prompt(1), Decoding(levels=1), seed=5)
    np.testing.assert_array_equal(generate_tokens(decoder, _prompt(1), Decoding(), seed=5)[:1], one)


def test_cancelling_is_asked_for_before_every_frame() -> None:
    asked = iter([False, False, True])
    with pytest.raises(Cancelled):
        generate_tokens(_decoder(), _prompt(10), Decoding(), 0, lambda: next(asked))
    assert next(asked, None) is None


def test_the_scene_counts_and_its_loudness_does_not() -> None:
    power = np.random.default_rng(0).random((BANDS, 300)) + 0.1
    features = scene_features(power, 0.01, 1.0, 20)
    assert features.shape == (SCENE_FEATURES, 20 + 2 * CONTEXT_FRAMES)
    np.testing.assert_allclose(scene_features(power * 1e-3, 0.01, 1.0, 20), features, atol=1e-5)
    np.testing.assert_array_equal(features[-1], np.repeat([0.0, 1.0, 0.0], [CONTEXT_FRAMES, 20, CONTEXT_FRAMES]))
    # Frame t holds the band grid's frames 2 t and 2 t + 1: one louder grid frame shows in one half of one column.
    power[:, 107] *= 100.0
    louder = scene_features(power, 0.01, 1.0, 20)
    column = np.argmax(louder[64:128].mean(0))
    assert column == CONTEXT_FRAMES + 3
    assert louder[64:128, column].mean() > louder[:64, column].mean() + 1.0


def test_a_scene_at_another_hop_is_read_at_the_same_times() -> None:
    slow = np.repeat(np.arange(1.0, 101.0)[None], BANDS, axis=0)
    fast = np.repeat(np.repeat(np.arange(1.0, 101.0), 2)[None], BANDS, axis=0)
    np.testing.assert_allclose(scene_features(slow, 0.01, 0.3, 10), scene_features(fast, 0.005, 0.3, 10), atol=1e-6)


def test_a_window_shorter_than_the_context_repeats_its_ends() -> None:
    features = scene_features(np.ones((BANDS, 3)), 0.01, 0.01, 4)
    assert np.isfinite(features).all()
    assert features.shape[1] == 4 + 2 * CONTEXT_FRAMES


def test_the_clock_tells_begin_end_and_length() -> None:
    short, long = clock(5), clock(50)
    assert short.shape == (5, 15)
    assert (short[0, :5] == 1.0).all()
    assert (short[-1, 5:10] == 1.0).all()
    assert (long[:5] != short).any(1).all()


def test_both_outputs_have_their_embedding() -> None:
    decoder, prompt = _decoder(), _prompt(4)
    scene, event = torch.from_numpy(prompt.scene)[None], torch.from_numpy(prompt.event)[None]
    with one_thread():
        event_context = decoder.context(scene, event, 4)
        mixture_context = decoder.context(scene, event, 4, Output.MIXTURE)
    expected = (decoder.output.weight[1] - decoder.output.weight[0]).expand(1, 4, -1)
    torch.testing.assert_close(mixture_context - event_context, expected, atol=1e-5, rtol=1e-4)


def test_the_configuration_survives_storage() -> None:
    assert DecoderConfig.from_json(json.loads(json.dumps(_CONFIG.as_json()))) == _CONFIG


@pytest.mark.parametrize(
    "change",
    [
        {"more": 1},
        {"encoder": {"features": 3}},
        {"temporal": {**_CONFIG.as_json()["temporal"], "heads": 3}},
        {"depth": {"w": 1}},
    ],
)
def test_a_wrong_configuration_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="get the checkpoint again"):
        DecoderConfig.from_json({**_CONFIG.as_json(), **change})


def test_another_codec_is_refused() -> None:
    with pytest.raises(InputError, match="do not fit"):
        TokenDecoder(_CONFIG, torch.zeros(3, 12, 8))
