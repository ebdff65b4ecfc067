"""The token decoder: cached equals uncached, only the box is decoded, and what its inputs do."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.model.decoder import (
    CONTEXT_FRAMES,
    SCENE_FEATURES,
    DecoderConfig,
    Given,
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
_EXTENDED = replace(_CONFIG, exemplar=True, mixture=True)


def _decoder(scale: float = 0.2, config: DecoderConfig = _CONFIG) -> TokenDecoder:
    torch.manual_seed(0)
    decoder = TokenDecoder(config, torch.randn(3, 11, 8)).eval()
    with torch.no_grad():
        for weight in decoder.parameters():
            weight.add_(scale * torch.randn_like(weight))
    return decoder


def _prompt(frames: int, seed: int = 0) -> Prompt:
    rng = np.random.default_rng(seed)
    scene = scene_features(rng.random((BANDS, 80)), 0.01, 0.2, frames)
    return Prompt(scene, rng.normal(size=128).astype(np.float32), frames)


def _exemplar(frames: int, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 11, (3, frames))


def _as_mixture(prompt: Prompt) -> Prompt:
    rng = np.random.default_rng(9)
    active = np.repeat(rng.random((2, 1)) < 2.0, prompt.scene.shape[1], axis=1).astype(np.float32)
    active[0, CONTEXT_FRAMES + 2 :] = 0.0
    return replace(
        prompt,
        event=np.zeros(128, np.float32),
        output=Output.MIXTURE,
        others=rng.normal(size=(2, 128)).astype(np.float32),
        others_active=active,
    )


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.sampled_from([1.0, 1.5, 4.0]), st.integers(0, 9), st.booleans())
def test_cached_decoding_has_the_same_logits(frames: int, guidance: float, exemplar: int, mixture: bool) -> None:
    decoder, prompt = _decoder(config=_EXTENDED), _prompt(frames)
    if mixture:
        prompt = _as_mixture(prompt)
    elif exemplar:
        prompt = replace(prompt, exemplar=_exemplar(exemplar))
    tokens = torch.from_numpy(np.random.default_rng(frames).integers(0, 11, (frames, 3)))
    logits = torch.zeros(frames, 3, 11)
    with one_thread():
        asked = decoder(prompt, tokens)
        roll = {"event": np.zeros(128, np.float32), "others": prompt.others[:0], "others_active": None}
        without = decoder(replace(prompt, exemplar=None, **roll), tokens)
        stepper = Stepper(decoder, (prompt,), guidance)
        for frame in range(frames):

            def choose(level: int, rows: torch.Tensor, frame: int = frame) -> list[int]:
                logits[frame, level] = rows[0]
                return [int(tokens[frame, level])]

            assert stepper.frame(choose, 3).tolist() == [tokens[frame].tolist()]
    torch.testing.assert_close(logits, without + guidance * (asked - without), atol=3e-4, rtol=1e-3)


def test_without_an_exemplar_the_parts_for_exemplars_and_mixtures_change_nothing() -> None:
    first, extended = _decoder(), _decoder(config=_EXTENDED)
    extended.load_state_dict({**extended.state_dict(), **first.state_dict()})
    tokens = torch.from_numpy(_exemplar(8).T.copy())
    with one_thread():
        assert torch.equal(first(_prompt(8), tokens), extended(_prompt(8), tokens))
    np.testing.assert_array_equal(
        generate_tokens(first, _prompt(8), Decoding(), 1), generate_tokens(extended, _prompt(8), Decoding(), 1)
    )


def test_an_exemplar_is_seen_from_beyond_the_window() -> None:
    decoder, prompt = _decoder(config=_EXTENDED), _prompt(20)
    with torch.no_grad():  # what tells mean and spread would show in every frame
        decoder.timbre[-1].weight.zero_()
        decoder.timbre[-1].bias.zero_()
    one, other = _exemplar(4), _exemplar(4)
    other[:, 0] = (other[:, 0] + 1) % 11
    tokens = torch.from_numpy(_exemplar(20, 3).T.copy())
    with one_thread():
        changed = decoder(replace(prompt, exemplar=one), tokens) - decoder(replace(prompt, exemplar=other), tokens)
    assert _CONFIG.temporal.window == 6
    assert (changed.abs().amax((1, 2)) > 1e-6).all()


def test_filling_before_a_short_exemplar_does_not_count() -> None:
    decoder, prompt = _decoder(config=_EXTENDED), replace(_prompt(7), exemplar=_exemplar(3))
    alone = Given.of(prompt, 3)
    filled = replace(
        alone,
        exemplar=torch.nn.functional.pad(alone.exemplar, (0, 0, 4, 0), value=5),
        present=torch.nn.functional.pad(alone.present, (4, 0), value=False),
    )
    said = decoder.say(torch.zeros(1, 7, 3, dtype=torch.int64), torch.zeros(1, 7, 8))
    with one_thread():
        short, long = (decoder.states(g, decoder.context(g, 7), clock(7)[None], said) for g in (alone, filled))
        nobody = replace(filled, present=torch.zeros_like(filled.present))
        without = replace(alone, exemplar=alone.exemplar[:, :0], present=alone.present[:, :0])
        absent, none = (decoder.states(g, decoder.context(g, 7), clock(7)[None], said) for g in (nobody, without))
    torch.testing.assert_close(short, long, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(absent, none, atol=2e-5, rtol=1e-4)
    assert not torch.allclose(short, none, atol=1e-3)


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
    with one_thread():
        event_context = decoder.context(Given.of(prompt, 3), 4)
        mixture_context = decoder.context(Given.of(replace(prompt, output=Output.MIXTURE), 3), 4)
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
