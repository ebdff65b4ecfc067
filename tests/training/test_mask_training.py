"""Training of the mask head: the loss is zero where it should be, examples are true to their scenes, and a run leaves a checkpoint."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.audio.bands import BANDS, BandGrid
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import load_checkpoint, write_part
from recomposer_studio.model.conditioning import TEXT
from recomposer_studio.model.encoder import EncoderConfig
from recomposer_studio.model.listener import Listener, ListenerConfig
from recomposer_studio.model.mask import MASK_FEATURES, MaskConfig, MaskNet, build_mask, clipped, corrected
from recomposer_studio.model.refiner import RefinerConfig
from recomposer_studio.roll.labels import LabelTable
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.manifest import load_manifest
from recomposer_studio.training.mask import (
    FLOOR,
    MaskTraining,
    Validation,
    band_distance,
    by_net,
    by_oracle,
    by_repair,
    edited_sound,
    heard_distance,
    mask_loss,
    mask_optimisers,
    outcome,
    train_mask,
    training_loss,
)
from recomposer_studio.training.mask_examples import (
    ExampleKeeper,
    MaskBatch,
    MaskExample,
    collate,
    cropped,
    draw_examples,
    evaluation_example,
    scene_examples,
)
from recomposer_studio.training.mask_stream import ExampleStream
from recomposer_studio.training.run import Run
from recomposer_studio.training.scene_spec import UNKNOWN_LABEL, SceneOptions
from recomposer_studio.training.scenes import Scene, draw_scene

_EAR = ListenerConfig((4, 6, 8, 8), width=16, hidden=16, dilations=(1,), embedding=8, words=8, classes=3)
_SMALL = MaskConfig(EncoderConfig(features=MASK_FEATURES, width=16, kernel=3, dilations=(1, 2)))


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def texts() -> LabelTable:
    """The shipped label table."""
    return LabelTable.load()


@pytest.fixture(scope="module")
def batch(tiny_cache: AudioCache, texts: LabelTable) -> MaskBatch:
    """A small batch of the tiny library."""
    return collate(draw_examples(tiny_cache, texts, 0, 0, 4))


def _delete(cache: AudioCache, texts: LabelTable) -> MaskExample:
    return evaluation_example(draw_scene(cache, "valid", 1, "plain", "delete", 8.0), texts)


def _scenes(cache: AudioCache, count: int = 6) -> list[Scene]:
    return [draw_scene(cache, "train", seed, "train", None, 3.0) for seed in range(count)]


def test_powers_of_an_example_are_those_of_its_signals(tiny_cache: AudioCache, texts: LabelTable) -> None:
    scene = draw_scene(tiny_cache, "valid", 1, "plain", "delete", 8.0)
    example = evaluation_example(scene, texts)
    grid = BandGrid.at(32000)
    start_s, end_s = scene.truth_box
    middle = round((start_s + end_s) / 2 / grid.hop_s)
    first = int(np.floor(start_s / grid.hop_s)) - int(np.flatnonzero(example.active)[0])
    start, stop = grid.span(middle, 1)
    for signal, powers in (
        (scene.input, example.mixture),
        (scene.desired, example.rest),
        (scene.edit.before, example.target),
    ):
        power = grid.power(grid.stft(signal[start:stop].astype(np.float64)))[:, 0]
        near = powers[:, middle - first - 2 : middle - first + 3]
        assert np.isclose(near, power[:, None], rtol=1e-3, atol=1e-12).all(axis=0).any()
    assert example.gain == 0.0
    np.testing.assert_allclose(example.desired, example.rest, rtol=1e-3, atol=1e-9)


def test_the_desired_power_of_enhance_holds_the_cross_term(tiny_cache: AudioCache, texts: LabelTable) -> None:
    scene = draw_scene(tiny_cache, "valid", 2, "overlap", "enhance", 8.0)
    example = evaluation_example(scene, texts)
    edit = scene.edit
    assert edit.wanted_db is not None
    assert example.gain == pytest.approx(10.0 ** ((edit.wanted_db - edit.input_db) / 20.0))
    wanted = replace(scene, input=scene.desired)
    measured = evaluation_example(wanted, texts).mixture
    np.testing.assert_allclose(example.desired, measured, rtol=2e-3, atol=1e-9)


def test_the_loss_is_zero_for_the_perfect_share_without_cross_terms() -> None:
    torch.manual_seed(0)
    target, rest = torch.rand(3, BANDS, 20) + 0.01, torch.rand(3, BANDS, 20) + 0.01
    gain = torch.tensor([0.0, 4.0, 10.0])
    share = target / (target + rest)
    left = outcome(share, target + rest, gain)
    torch.testing.assert_close(left, rest + gain[:, None, None].square() * target)


def test_the_loss_counts_the_box_alone(batch: MaskBatch) -> None:
    share = batch.repair * batch.active[:, None]
    loss, nepers = mask_loss(share, batch)
    outside = torch.where(batch.active[:, None] > 0, share, torch.full_like(share, 0.7))
    assert mask_loss(outside, batch)[0] == loss
    inside = torch.where(batch.active[:, None] > 0, torch.full_like(share, 0.7), share)
    assert mask_loss(inside, batch)[0] != loss
    assert 0.0 < nepers < loss


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.0, 1.0), gain=st.floats(0.0, 16.0), power=st.sampled_from([0.0, 1e-14, 1.0, 1e4]))
def test_the_loss_and_its_gradient_are_finite(share: float, gain: float, power: float) -> None:
    shape = (1, BANDS, 4)
    example = MaskExample(
        features=np.zeros((MASK_FEATURES, 4), np.float32),
        repair=clipped(np.zeros((BANDS, 4))),
        query=np.zeros(128, np.float32),
        others=np.zeros((0, 128), np.float32),
        others_active=np.zeros((0, 4), np.float32),
        active=np.ones(4, np.bool_),
        mixture=np.full((BANDS, 4), power, np.float32),
        target=np.full((BANDS, 4), power, np.float32),
        rest=np.zeros((BANDS, 4), np.float32),
        gain=gain,
    )
    answer = torch.full(shape, share, requires_grad=True)
    loss, _ = mask_loss(answer, collate([example]))
    loss.backward()
    assert torch.isfinite(loss) and answer.grad is not None and torch.isfinite(answer.grad).all()


def test_band_distance_agrees_with_the_loss(tiny_cache: AudioCache, texts: LabelTable) -> None:
    example = _delete(tiny_cache, texts)
    share = example.repair * example.active
    _, nepers = mask_loss(torch.from_numpy(share)[None], collate([example]))
    assert band_distance(share, example) == pytest.approx(float(nepers), rel=1e-4)


def test_training_examples_follow_from_their_seed(tiny_cache: AudioCache, texts: LabelTable) -> None:
    first, second = (collate(draw_examples(tiny_cache, texts, 5, 4, 3)) for _ in range(2))
    other = collate(draw_examples(tiny_cache, texts, 6, 4, 3))
    assert torch.equal(first.features, second.features) and torch.equal(first.gain, second.gain)
    assert not torch.equal(first.features, other.features)


def test_fresh_examples_come_with_earlier_ones(tiny_cache: AudioCache, texts: LabelTable) -> None:
    keeper = ExampleKeeper(0, size=4, capacity=6)
    drawn = [draw_examples(tiny_cache, texts, 0, step, 2) for step in range(6)]
    batches = [keeper.batch(step, fresh) for step, fresh in enumerate(drawn)]
    assert [len(batch.gain) for batch in batches] == [2, 4, 4, 4, 4, 4]
    earlier = [example.mixture for fresh in drawn[2:5] for example in fresh]
    for mixture in batches[5].mixture[2:].numpy():
        assert any(np.array_equal(mixture, known) for known in earlier)


def test_processes_draw_the_batches_of_a_thread(tiny_folder: Path, texts: LabelTable, tmp_path: Path) -> None:
    cache = AudioCache(load_manifest(tiny_folder), tmp_path)
    streams = [ExampleStream(cache, texts, drawers, seed=3, size=3, fresh=2, step=7) for drawers in (0, 1)]
    try:
        for _ in range(3):
            one, other = (stream.next() for stream in streams)
            assert torch.equal(one.features, other.features) and torch.equal(one.target, other.target)
    finally:
        for stream in streams:
            stream.close()
    with pytest.raises(InputError, match="cache folder"):
        ExampleStream(AudioCache(load_manifest(tiny_folder)), texts, 1, seed=3, size=3, fresh=2)


def test_questions_about_scenes_are_sound(tiny_cache: AudioCache, texts: LabelTable) -> None:
    rng = np.random.default_rng(0)
    examples = [e for scene in _scenes(tiny_cache) for e in scene_examples(scene, texts, tiny_cache, rng)]
    assert len(examples) >= 8
    frames = 3 * 100 - 4
    for example in examples:
        assert example.features.shape == (MASK_FEATURES, frames)
        assert example.active.any() or not example.target.any()
        assert np.isfinite(example.features).all()
        assert (example.mixture >= 0).all() and (example.rest >= 0).all()
    assert {e.gain > 0 for e in examples} == {True, False}
    # Boxes are drawn at most 50 ms too short on either side, so they hold most of their events.
    inside = [e.target[:, e.active].sum() / e.target.sum() for e in examples if e.target.any()]
    assert np.median(inside) > 0.8


def test_some_questions_have_the_box_of_another_sound(tiny_cache: AudioCache, texts: LabelTable) -> None:
    options = SceneOptions(distractors=(2, 3), covered_share=1.0, edit_weights=(1.0, 0.0, 0.0), none_share=0.0)
    fitting, swapped, unnamed = 0, 0, texts.vector(UNKNOWN_LABEL)
    for seed in range(20):
        scene = draw_scene(tiny_cache, "train", seed, "train", None, 3.0, options)
        for example in scene_examples(scene, texts, tiny_cache, np.random.default_rng(seed)):
            if not example.target.any():
                continue
            loud = example.target.sum(axis=0) > 0
            sticks_out = loud[~example.active].sum() > 12 or (~loud[example.active]).sum() > 50
            fitting, swapped = fitting + (not sticks_out), swapped + sticks_out
            # Which of two sounds in a box is meant only its name can say; here a box of another sound always comes with a name.
            assert not (sticks_out and np.array_equal(example.query[TEXT:], unnamed))
            shared = loud[example.active].mean()
            assert shared > 0.3
    assert swapped >= 3 and fitting >= 5


@settings(max_examples=30, deadline=None)
@given(
    first=st.integers(0, 290),
    length=st.integers(1, 290),
    frames=st.sampled_from([60, 216, 296]),
    seed=st.integers(0, 9),
)
def test_a_crop_holds_the_box_or_lies_in_it(first: int, length: int, frames: int, seed: int) -> None:
    active = np.zeros(296, np.bool_)
    active[first : first + length] = True
    count = np.arange(296, dtype=np.float32)
    plane = np.broadcast_to(count, (BANDS, 296))
    example = MaskExample(
        plane, plane.astype(np.float64), count, count[None][:0], plane[:0], active, plane, plane, plane, 1.0
    )
    crop = cropped(example, frames, np.random.default_rng(seed))
    assert crop.active.shape == (frames,) and crop.features.shape == (BANDS, frames)
    assert crop.active.sum() == min(frames, active.sum())
    np.testing.assert_array_equal(crop.active, active[crop.mixture[0].astype(int)])
    np.testing.assert_array_equal(np.diff(crop.rest[0]), 1.0)


def test_repair_and_oracle_stand_where_they_should(tiny_cache: AudioCache, texts: LabelTable) -> None:
    valid = Validation.draw(tiny_cache, texts, (), scenes=2)
    repair, oracle = valid.ratios(by_repair), valid.ratios(by_oracle)
    assert set(repair) == {"plain delete", "plain enhance", "overlap delete", "overlap enhance", "swapped delete"}
    assert all(oracle[name] < repair[name] for name in repair)
    assert repair["plain delete"] < 1.0
    untrained = valid.ratios(by_net(MaskNet(_SMALL).eval()))
    assert untrained == pytest.approx(repair, abs=1e-3)
    nothing = valid.ratios(lambda example: np.zeros_like(example.repair))
    assert nothing == pytest.approx(dict.fromkeys(repair, 1.0))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_steps_on_one_batch_bring_the_loss_down(batch: MaskBatch, precision: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = MaskNet(_SMALL)
    optimisers = mask_optimisers(net, 1e-2)
    run = Run(net, optimisers, tmp_path / "run", max_minutes=10.0, resume=False, average=0.9)
    losses = []
    for _ in range(15):
        loss = training_loss(net, batch, precision)
        losses.append(float(loss.detach()))
        run.step += 100  # past the slow beginning
        run.learn(loss)
    assert losses[-1] < 0.95 * losses[0]


def test_a_network_in_training_is_told_with_doubt(batch: MaskBatch) -> None:
    torch.manual_seed(0)
    listener = _ear()
    net = MaskNet(replace(_SMALL, hears=True, encoder=replace(_SMALL.encoder, dropout=0.0)))
    torch.nn.init.normal_(net.leave.weight)
    assert net.heard is not None
    torch.nn.init.normal_(net.heard.weight)
    with torch.no_grad():
        sure, *doubting = (
            float(training_loss(net, batch, listener=listener, draws=draws and torch.Generator().manual_seed(draws)))
            for draws in (None, 1, 1, 2)
        )
    assert doubting[0] == doubting[1]
    assert len({sure, *doubting}) == 3


def _ear() -> Listener:
    torch.manual_seed(0)
    listener = Listener(_EAR, trained=True).eval().requires_grad_(False)
    listener.known = torch.eye(TEXT)[:3]
    for layer in (listener.leave, listener.text, listener.key):  # an untrained one hears the same everywhere
        torch.nn.init.normal_(layer.weight)
    return listener


def test_the_wanted_scene_is_heard_as_it_should_be_and_another_is_not(batch: MaskBatch) -> None:
    deleted = replace(batch, gain=torch.zeros_like(batch.gain), rest=0.25 * batch.mixture, desired=0.25 * batch.mixture)
    right = torch.full_like(batch.mixture, 0.75)
    assert float(heard_distance(right, deleted, _ear())) == pytest.approx(0.0, abs=1e-5)
    wrong = torch.full_like(right, 0.1).requires_grad_()
    distance = heard_distance(wrong, deleted, _ear())
    distance.backward()
    assert float(distance.detach()) > 1e-4 and wrong.grad is not None
    inside = deleted.active[:, None, :].expand_as(wrong) > 0
    assert wrong.grad[::2][inside[::2]].abs().max() > 0.0
    assert not wrong.grad[1::2].any() and not wrong.grad[~inside].any()


def test_what_is_heard_counts_by_its_weight(batch: MaskBatch, tiny_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = MaskNet(replace(_SMALL, hears=True, encoder=replace(_SMALL.encoder, dropout=0.0)))
    with torch.no_grad():
        losses = [float(training_loss(net, batch, listener=_ear(), heard_weight=weight)) for weight in (0.0, 0.5, 1.0)]
    assert losses[2] - losses[1] == pytest.approx(losses[1] - losses[0], rel=1e-3) and losses[1] > losses[0]
    options = MaskTraining(tiny_folder, tmp_path, max_minutes=0.0, valid_scenes=1, config=_SMALL, heard_weight=0.3)
    with pytest.raises(InputError, match="needs a listener"):
        train_mask(options, lambda line: None)


def test_every_weight_has_one_optimiser_and_biases_do_not_decay() -> None:
    net = MaskNet(_SMALL)
    groups = [group for optimiser in mask_optimisers(net, 1e-3) for group in optimiser.param_groups]
    held = [p.data_ptr() for group in groups for p in group["params"]]
    assert sorted(held) == sorted(p.data_ptr() for p in net.parameters())
    assert all(p.ndim > 1 or not group["weight_decay"] for group in groups for p in group["params"])


def test_the_sound_of_a_scene_after_no_edit_is_the_scene(tiny_cache: AudioCache, texts: LabelTable) -> None:
    scene = draw_scene(tiny_cache, "valid", 1, "plain", "delete", 8.0)
    example = evaluation_example(scene, texts)
    sound = edited_sound(scene, example, np.zeros_like(example.repair))
    silent = edited_sound(scene, example, np.ones_like(example.repair))
    inside = slice(1280, -1280)
    at = np.flatnonzero(np.isclose(scene.input[: -len(sound)], sound[2000], atol=1e-6))
    assert any(np.allclose(scene.input[n - 2000 :][: len(sound)][inside], sound[inside], atol=1e-5) for n in at)
    np.testing.assert_allclose(silent, 0.0, atol=1e-6)


def test_a_run_leaves_a_checkpoint_and_its_log(tiny_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    options = MaskTraining(tiny_folder, out, max_minutes=0.0, valid_scenes=1, config=_SMALL)
    lines: list[str] = []
    ratios = train_mask(options, lines.append)
    assert any("repair" in line and "oracle" in line for line in lines)
    logged = [json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {name: logged[0][f"valid/{name}"] for name in ratios} == ratios and logged[0]["step"] == 0
    assert list((out / "curves" / "mask").iterdir())
    checkpoint = load_checkpoint(out)
    assert build_mask(checkpoint).config == _SMALL
    assert checkpoint.better_than_repair == frozenset()
    assert "somebody" in (out / "ATTRIBUTION.md").read_text(encoding="utf-8")
    again = train_mask(replace(options, resume=True), lines.append)
    assert again == ratios


def test_a_run_goes_on_only_with_its_own_settings(tiny_folder: Path, tmp_path: Path) -> None:
    options = MaskTraining(tiny_folder, tmp_path, max_minutes=0.0, valid_scenes=1, config=_SMALL)
    train_mask(options, lambda line: None)
    wider = replace(_SMALL, encoder=replace(_SMALL.encoder, width=24))
    with pytest.raises(InputError, match="does not fit"):
        train_mask(replace(options, resume=True, config=wider), lambda line: None)


def test_a_run_begins_with_a_given_mask_head(tiny_folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = MaskNet(_SMALL)
    with torch.no_grad():
        net.leave.bias.fill_(0.5)
    write_part(tmp_path / "first", "mask", asdict(_SMALL), net.state_dict())
    options = MaskTraining(
        tiny_folder, tmp_path / "out", max_minutes=0.0, valid_scenes=1, start=tmp_path / "first", config=_SMALL
    )
    train_mask(options, lambda line: None)
    weights = load_checkpoint(tmp_path / "out").tensors["mask"]
    assert all(torch.equal(weights[name], tensor) for name, tensor in net.state_dict().items())
    with pytest.raises(InputError, match="another size"):
        train_mask(replace(options, config=MaskConfig()), lambda line: None)
    refined = replace(_SMALL, refiner=RefinerConfig((4, 4), (1, 1), (1,), 2))
    train_mask(replace(options, out=tmp_path / "refined", config=refined), lambda line: None)
    grown = load_checkpoint(tmp_path / "refined")
    assert build_mask(grown).config == refined
    assert torch.equal(grown.tensors["mask"]["leave.bias"], net.leave.bias)
    assert not grown.tensors["mask"]["refiner.leave.weight"].any()
    worded = replace(refined, words=8)
    train_mask(replace(options, out=tmp_path / "worded", start=tmp_path / "refined", config=worded), lambda line: None)
    assert build_mask(load_checkpoint(tmp_path / "worded")).config == worded


def test_a_head_beside_another_is_averaged_with_it(tiny_folder: Path, tmp_path: Path, batch: MaskBatch) -> None:
    asked = (batch.features, batch.repair, batch.query, batch.others, batch.others_active)
    nets = []
    for number, bias in enumerate((0.5, -1.5)):
        torch.manual_seed(number)
        net = MaskNet(_SMALL).eval()
        with torch.no_grad():
            net.leave.weight.normal_(std=0.02)
            net.leave.bias.fill_(bias)
        write_part(tmp_path / f"{number}", "mask", asdict(_SMALL), net.state_dict())
        nets.append(net)
    options = MaskTraining(
        tiny_folder,
        tmp_path / "out",
        max_minutes=0.0,
        valid_scenes=1,
        start=tmp_path / "0",
        beside=tmp_path / "1",
        config=_SMALL,
    )
    train_mask(options, lambda line: None)
    both = build_mask(load_checkpoint(tmp_path / "out"))
    assert both.config == replace(_SMALL, beside=1)
    with torch.no_grad():
        first, second = (net.correction(batch.features, *asked[2:]) for net in nets)
        mean = (first + second).double() / 2
        expected = corrected(batch.repair, mean) * batch.features[:, None, MASK_FEATURES - 2]
        assert torch.equal(both(*asked), expected)
    wider = replace(_SMALL, encoder=replace(_SMALL.encoder, width=24))
    with pytest.raises(InputError, match="another size"):
        train_mask(replace(options, start=None, max_minutes=60.0, config=wider), lambda line: None)
    # Training goes on with the first of the two; three may stand side by side.
    train_mask(
        replace(options, out=tmp_path / "three", start=tmp_path / "out", beside=tmp_path / "out"), lambda line: None
    )
    three = load_checkpoint(tmp_path / "three")
    assert build_mask(three).config.beside == 2
    assert torch.equal(three.tensors["mask"]["leave.bias"], three.tensors["mask"]["beside.0.leave.bias"])
    assert torch.equal(three.tensors["mask"]["beside.1.leave.bias"], nets[1].leave.bias)


def test_the_floor_is_the_metrics_floor() -> None:
    """A level of 1e-3 on the metric's unnormalised magnitude at window 1024 is about this band power in the lowest, narrowest bands."""
    n = 1024
    bin_power = (1e-3 / (n * 0.375) ** 0.5) ** 2 * 1.5 / (BandGrid.at(32000).n_fft)
    assert FLOOR / 100 < bin_power < FLOOR * 100


def test_the_loss_stays_on_one_device(batch: MaskBatch) -> None:
    """What is made on the way lies where the batch lies: the `meta` device refuses to be mixed with the processor."""
    device = torch.device("meta")
    net = MaskNet(replace(_SMALL, refiner=RefinerConfig(channels=(8, 8), down=(1, 1), up=(1,), context=2))).to(device)
    there = batch.to(device)
    loss, nepers = mask_loss(net(there.features, there.repair, there.query, there.others, there.others_active), there)
    loss.backward()
    assert loss.device == nepers.device == device
    assert all(p.grad is None or p.grad.device == device for p in net.parameters())
