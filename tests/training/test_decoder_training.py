"""Training of the token decoder: examples, the loss, and a whole tiny run."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.mel_rvq import MelRvqCodec
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import fill, load_checkpoint, write_part
from recomposer_studio.model.decoder import CONTEXT_FRAMES, SCENE_FEATURES, DecoderConfig, Prompt, TokenDecoder
from recomposer_studio.model.encoder import EncoderConfig
from recomposer_studio.model.transformer import TransformerConfig
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.decoder import (
    DecoderTraining,
    blurred,
    level_losses,
    train_decoder,
    training_loss,
    validation_losses,
)
from recomposer_studio.training.sounds import LONGEST_FRAMES, Drawer, Pool, collate, fill_pool
from tests.codec.tiny_codec import TINY, tiny_codec

_CONFIG = DecoderConfig(
    levels=TINY.levels,
    codebook_size=TINY.codebook_size,
    encoder=EncoderConfig(features=SCENE_FEATURES, width=16, kernel=3, dilations=(1,), dropout=0.0),
    temporal=TransformerConfig(width=32, layers=1, heads=2, expansion=2, dropout=0.0),
    depth=TransformerConfig(width=16, layers=1, heads=2, expansion=2, window=None, rotary=False, dropout=0.0),
)


class _Texts:
    def vector(self, text: str) -> np.ndarray:
        vector = np.random.default_rng(list(text.encode())).normal(size=64)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


@pytest.fixture(scope="module")
def pool(tiny_cache: AudioCache) -> Pool:
    return fill_pool(tiny_cache.split("train"), tiny_codec(), 2, 0)


@pytest.fixture
def drawer(pool: Pool) -> Iterator[Drawer]:
    with one_thread(gradients=True):
        yield Drawer(pool, tiny_codec(), _Texts())


def _decoder(codec: MelRvqCodec | None = None) -> TokenDecoder:
    torch.manual_seed(0)
    return TokenDecoder(_CONFIG, (codec or tiny_codec()).codebooks)


def test_the_pool_holds_every_event_and_its_variants(pool: Pool, tiny_cache: AudioCache) -> None:
    audio = tiny_cache.split("train")
    assert len(pool.tokens) == len(audio.events) == len(pool.class_names)
    assert len(pool.scenes) == len(audio.backgrounds)
    for event, variants in zip(audio.events, pool.tokens, strict=True):
        assert len(variants) == 2
        assert variants[0].shape == (TINY.levels, -(-audio.frames(event.key) // 640))
        assert variants[0].shape != variants[1].shape or (variants[0] != variants[1]).any()


def test_boxes_hold_their_event_and_are_silent_around_it(drawer: Drawer, pool: Pool) -> None:
    starts = []
    for batch in drawer.training(0, 0, 32):
        assert batch.scene.shape[2] == batch.frames + 2 * CONTEXT_FRAMES
        assert batch.frames <= LONGEST_FRAMES
        for row in range(32):
            weight, tokens = batch.weight[row].numpy(), batch.tokens[row].numpy()
            box = int((weight > 0).sum())
            assert (weight[:box] > 0).all()
            np.testing.assert_array_equal(batch.scene[row, -1].numpy().sum(), box)
            sounding = np.flatnonzero(weight == 1.0)
            silent = np.setdiff1d(np.arange(box), sounding)
            assert (tokens[silent] == pool.silence).all()
            assert np.all(np.diff(sounding) == 1)
            starts.append(int(sounding[0]))
            kept = tokens[sounding].T
            assert any(
                (v[:, : kept.shape[1]] == kept).all() for e in pool.tokens for v in e if v.shape[1] >= kept.shape[1]
            )
    # Nearly always at once, never later than 60 ms: the sound begins where the box does.
    assert 0.75 < np.mean(np.array(starts) == 0) < 0.95
    assert max(starts) <= 3


def test_draws_belong_to_seed_and_step(drawer: Drawer) -> None:
    first, again = (list(drawer.training(1, 2, 4)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        torch.testing.assert_close(a.tokens, b.tokens, rtol=0, atol=0)
        torch.testing.assert_close(a.scene, b.scene, rtol=0, atol=0)
    other = next(drawer.training(1, 3, 4))
    assert other.tokens.shape != first[0].tokens.shape or (other.tokens != first[0].tokens).any()


def test_the_roll_is_dropped_now_and_then(drawer: Drawer) -> None:
    events = torch.cat([b.event for step in range(4) for b in drawer.training(0, step, 25)])
    assert 0.04 < (events == 0).all(1).float().mean() < 0.18
    for batch in drawer.validation(0, 5):
        assert (batch.event != 0).any(1).all()


def test_filling_does_not_change_the_loss(drawer: Drawer) -> None:
    decoder = _decoder().eval()
    batches = drawer.validation(0, 3)
    short = batches[0]
    longer = replace(
        short,
        scene=torch.nn.functional.pad(short.scene, (0, 7), value=0.0),
        tokens=torch.nn.functional.pad(short.tokens, (0, 0, 0, 7), value=3),
        clocks=torch.nn.functional.pad(short.clocks, (0, 0, 0, 7), value=1.0),
        weight=torch.nn.functional.pad(short.weight, (0, 7)),
    )
    np.testing.assert_allclose(validation_losses(decoder, [short]), validation_losses(decoder, [longer]), atol=1e-5)


def test_validation_equals_the_decoder_s_own_logits(drawer: Drawer) -> None:
    decoder = _decoder().eval()
    batch = drawer.validation(0, 1)[0]
    prompt_frames = int((batch.weight > 0).sum())
    assert prompt_frames == batch.frames
    prompt = Prompt(batch.scene[0].numpy(), batch.event[0].numpy(), prompt_frames)
    with torch.no_grad():
        logits = decoder(prompt, batch.tokens[0])
    expected = level_losses(logits, batch.tokens[0], torch.ones(prompt_frames))
    np.testing.assert_allclose(validation_losses(decoder, [batch]), expected.numpy(), atol=1e-5)


def test_earlier_frames_are_heard_blurred_but_close() -> None:
    decoder = _decoder()
    tokens = torch.randint(32, (4, 30, 4), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        exact = decoder.say(tokens, decoder.vectors(tokens, 4)[..., -1, :])
        heard = blurred(decoder, tokens, torch.Generator().manual_seed(0))
        again = blurred(decoder, tokens, torch.Generator().manual_seed(0))
    torch.testing.assert_close(heard, again, rtol=0, atol=0)
    error = (heard - exact).square().mean(2).flatten()
    assert (error > 0).all()
    assert error.mean() < 0.5 * exact.square().mean()


def test_steps_lower_the_loss(drawer: Drawer) -> None:
    decoder = _decoder()
    batch = next(drawer.training(0, 0, 6))
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=5e-3)
    losses = []
    for step in range(40):
        loss = training_loss(decoder, batch, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert np.mean(losses[-5:]) < 0.7 * losses[0]
    assert all(p.grad is not None for name, p in decoder.named_parameters() if "others" not in name)


def test_a_run_leaves_a_decoder_that_fits_the_codec(tiny_folder: Path, tmp_path: Path) -> None:
    write_part(tmp_path, "codec", TINY.as_json(), tiny_codec().tensors())
    options = DecoderTraining(tiny_folder, tmp_path, 0.02, variants=1, batch=3, config=_CONFIG)
    lines: list[str] = []
    losses = train_decoder(options, lines.append)
    assert losses.shape == (TINY.levels,)
    assert np.isfinite(losses).all()
    checkpoint = load_checkpoint(tmp_path)
    assert set(checkpoint.configs) == {"codec", "decoder"}
    decoder = TokenDecoder(
        DecoderConfig.from_json(checkpoint.configs["decoder"]), checkpoint.tensors["codec"]["codebooks"]
    )
    fill(decoder, checkpoint.tensors["decoder"], tmp_path)
    # The budget is spent: going on takes no step.
    train_decoder(replace(options, resume=True), lines.append)
    shown = json.loads(lines[-1].removeprefix("decoder: "))
    assert int(lines[-2].split("from step ")[1]) == shown["step"]
    assert np.isfinite(shown["valid/mean"])


def test_a_checkpoint_without_codec_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    write_part(tmp_path, "mask", {}, {"x": torch.zeros(1)})
    with pytest.raises(InputError, match="no codec"):
        train_decoder(DecoderTraining(tiny_folder, tmp_path, 0.01))


def test_collated_silence_counts_as_told(drawer: Drawer) -> None:
    examples = [drawer._example(np.random.default_rng(seed), 0, jitter=True) for seed in range(12)]
    batch = collate(examples, 0.25)
    for row, example in enumerate(examples):
        expected = np.where(example.sounding, 1.0, 0.25).astype(np.float32)
        np.testing.assert_array_equal(batch.weight[row, : len(expected)].numpy(), expected)
        assert not batch.weight[row, len(expected) :].any()


def test_what_a_decoder_hears_and_says_stays_on_one_device(drawer: Drawer) -> None:
    device = torch.device("meta")
    decoder = _decoder().to(device)
    batch = next(drawer.training(0, 0, 2)).to(device)
    context = decoder.context(batch.scene, batch.event, batch.frames)
    states = decoder.states(context, batch.clocks, blurred(decoder, batch.tokens, torch.Generator()))
    logits = decoder.deepen(states[:, 0], batch.tokens[:, 0])
    level_losses(logits, batch.tokens[:, 0], batch.weight[:, 0]).sum().backward()
    assert all(p.grad is None or p.grad.device == device for p in decoder.parameters())
