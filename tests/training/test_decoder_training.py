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
from recomposer_studio.model.decoder import (
    CONTEXT_FRAMES,
    EXEMPLAR_FRAMES,
    MIXTURE_LEVEL,
    SCENE_FEATURES,
    DecoderConfig,
    Output,
    Prompt,
    TokenDecoder,
)
from recomposer_studio.model.encoder import EncoderConfig
from recomposer_studio.model.transformer import TransformerConfig
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.decoder import (
    Best,
    DecoderTraining,
    Verdict,
    begin_with,
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
    exemplar=True,
    mixture=True,
)
_FIRST = replace(_CONFIG, exemplar=False, mixture=False)


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


@pytest.fixture
def plain(pool: Pool) -> Iterator[Drawer]:
    """Draws boxes alone."""
    with one_thread(gradients=True):
        yield Drawer(pool, tiny_codec(), _Texts(), exemplars=False, mixtures=False)


def _decoder(codec: MelRvqCodec | None = None, config: DecoderConfig = _CONFIG) -> TokenDecoder:
    torch.manual_seed(0)
    return TokenDecoder(config, (codec or tiny_codec()).codebooks)


def test_the_pool_holds_every_event_and_its_variants(pool: Pool, tiny_cache: AudioCache) -> None:
    audio = tiny_cache.split("train")
    assert len(pool.tokens) == len(audio.events) == len(pool.class_names)
    assert len(pool.scenes) == len(audio.backgrounds)
    for event, variants in zip(audio.events, pool.tokens, strict=True):
        assert len(variants) == 2
        assert variants[0].shape == (TINY.levels, -(-audio.frames(event.key) // 640))
        assert variants[0].shape != variants[1].shape or (variants[0] != variants[1]).any()


def test_boxes_hold_their_event_and_are_silent_around_it(plain: Drawer, pool: Pool) -> None:
    starts = []
    for batch in plain.training(0, 0, 32):
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


def test_the_roll_is_dropped_now_and_then(plain: Drawer) -> None:
    events = torch.cat([b.event for step in range(4) for b in plain.training(0, step, 25)])
    assert 0.04 < (events == 0).all(1).float().mean() < 0.18
    for batch in plain.validation(0, 5):
        assert not batch.exemplar.shape[1]
        assert not batch.output.any()
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
    own = [(name, p) for name, p in decoder.named_parameters() if not name.startswith(("exemplar", "timbre", "heard"))]
    assert all(p.grad is not None for name, p in own if "others" not in name)


def test_half_of_the_boxes_have_another_sound_of_their_class_as_exemplar(drawer: Drawer, pool: Pool) -> None:
    rng, elsewhere, itself, noisy, count = np.random.default_rng(0), [], [], 0, 0
    known = [
        {v[:, :EXEMPLAR_FRAMES].T.astype(np.int64).tobytes(): (event, number) for number, v in enumerate(variants)}
        for event, variants in enumerate(pool.tokens)
    ]
    for event in [0, 1, 2, 3] * 100:
        used = int(rng.integers(2))
        codes = drawer._exemplar(rng, event, used)
        if codes is None:
            continue
        count += 1
        found = [where for sounds in known if (where := sounds.get(codes.tobytes())) is not None]
        noisy += not found
        if found:
            other, number = found[0]
            assert (other, number) != (event, used)
            assert pool.class_names[other] == pool.class_names[event]
            elsewhere.append(pool.sources[other] != pool.sources[event])
            itself.append(other == event)
    assert count == 400
    assert 0.15 < noisy / count < 0.45
    assert 0.2 < np.mean(elsewhere) < 0.4
    assert 0.3 < np.mean(itself) < 0.75
    shares = [float(b.present.any(1).float().mean()) for step in range(4) for b in drawer.training(0, step, 25)]
    # An eighth of all examples are mixtures, which have none.
    assert 0.34 < np.mean(shares) < 0.54


def test_exemplars_of_validation_come_from_other_sources(drawer: Drawer, pool: Pool) -> None:
    batches = drawer.exemplified(0, 4)
    assert batches
    for batch in batches:
        assert batch.present.any(1).all()
        assert (batch.present.long().diff(dim=1) >= 0).all()
        bare = batch.without_exemplars()
        assert bare.exemplar.shape[1] == bare.present.shape[1] == 0
        torch.testing.assert_close(bare.tokens, batch.tokens, rtol=0, atol=0)


def test_mixtures_are_clips_after_their_edits(drawer: Drawer) -> None:
    codec, examples = tiny_codec(), [drawer._mixture(np.random.default_rng(seed)) for seed in range(60)]
    edits = [int((np.diff(e.scene[-1]) > 0).sum()) for e in examples]
    assert {0, 1, 2} == set(edits)
    for example, count in zip(examples, edits, strict=True):
        frames = len(example.tokens)
        assert example.output is Output.MIXTURE
        assert example.sounding.all()
        assert not example.event.any()
        assert example.others_active.shape == (len(example.others), frames + 2 * CONTEXT_FRAMES)
        assert len(example.others) >= count
        if count:
            continue
        # Without an edit the clip after it is the clip before it: levels told to the scene encoder are the codes' own.
        heard = example.scene[:128, CONTEXT_FRAMES:-CONTEXT_FRAMES]
        again = codec.encode_vectors(3.0 * heard.T + MIXTURE_LEVEL)
        assert (again[0] == example.tokens[:, 0]).mean() > 0.95
    batches = drawer.mixtures(0, 4, 9)
    assert sum(len(b.output) for b in batches) == 9
    assert all(b.output.all() for b in batches)


def test_a_training_begins_with_weights_that_know_neither_exemplars_nor_mixtures(tmp_path: Path, plain: Drawer) -> None:
    first = _decoder(config=_FIRST)
    write_part(tmp_path, "decoder", _FIRST.as_json(), first.state_dict())
    torch.manual_seed(1)
    decoder = TokenDecoder(_CONFIG, tiny_codec().codebooks)
    begin_with(decoder, tmp_path)
    batches = plain.validation(0, 4)
    np.testing.assert_array_equal(validation_losses(decoder, batches), validation_losses(first, batches))
    larger = replace(_CONFIG, depth=replace(_CONFIG.depth, width=32))
    with pytest.raises(InputError, match="do not fit"):
        begin_with(TokenDecoder(larger, tiny_codec().codebooks), tmp_path)
    write_part(tmp_path / "mask", "mask", {}, {"x": torch.zeros(1)})
    with pytest.raises(InputError, match="no decoder to begin with"):
        begin_with(decoder, tmp_path / "mask")


def test_the_best_is_the_best_at_events_then_at_the_rest(tmp_path: Path) -> None:
    best = Best(Verdict(4.0, 5.0, 6.0), 4.0, (1.0, 2.0))
    assert best.beaten_by(Verdict(3.98, 9.0, 9.0))
    assert best.beaten_by(Verdict(4.005, 4.0, 6.0))
    assert not best.beaten_by(Verdict(3.995, 5.0, 6.1))
    assert not best.beaten_by(Verdict(4.02, 1.0, 1.0))
    # What was kept may not creep away from the lowest event loss.
    assert not replace(best, verdict=Verdict(4.01, 5.0, 6.0)).beaten_by(Verdict(4.015, 1.0, 1.0))
    path = tmp_path / "best.json"
    assert Best.read(path) is None
    best.write(path)
    assert Best.read(path) == best
    path.write_text("{}", encoding="utf-8")
    assert Best.read(path) is None


def test_a_run_remembers_its_best_over_a_pause(tiny_folder: Path, tmp_path: Path) -> None:
    write_part(tmp_path, "codec", TINY.as_json(), tiny_codec().tensors())
    options = DecoderTraining(tiny_folder, tmp_path, 0.001, variants=1, batch=4, config=_CONFIG)
    train_decoder(options, lambda _: None)
    kept = (tmp_path / "decoder.safetensors").read_bytes()
    record = tmp_path / "decoder-best.json"
    best = Best.read(record)
    assert best is not None
    better = replace(best, verdict=Verdict(0.1, 0.1, 0.1), lowest=0.1, levels=(0.1,) * TINY.levels)
    better.write(record)
    losses = train_decoder(replace(options, resume=True, max_minutes=0.02), lambda _: None)
    np.testing.assert_allclose(losses, 0.1)
    assert (tmp_path / "decoder.safetensors").read_bytes() == kept
    assert Best.read(record) == better
    # A run from the beginning has no past.
    assert train_decoder(options, lambda _: None).min() > 0.1


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
    context = decoder.context(batch, batch.frames)
    states = decoder.states(batch, context, batch.clocks, blurred(decoder, batch.tokens, torch.Generator()))
    logits = decoder.deepen(states[:, 0], batch.tokens[:, 0])
    level_losses(logits, batch.tokens[:, 0], batch.weight[:, 0]).sum().backward()
    assert all(p.grad is None or p.grad.device == device for p in decoder.parameters())
