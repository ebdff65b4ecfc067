"""Training of the listener: its scenes say truly whose power a cell holds, and what it learns reaches the mask head."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import load_checkpoint, write_part
from recomposer_studio.model.encoder import EncoderConfig
from recomposer_studio.model.listener import Listener, build_listener
from recomposer_studio.model.mask import MASK_FEATURES, MaskConfig, build_mask
from recomposer_studio.training.cache import AudioCache
from recomposer_studio.training.listener import (
    ListenerTraining,
    cross_entropies,
    listener_loss,
    listener_optimisers,
    log_shares,
    pair_figures,
    train_listener,
)
from recomposer_studio.training.listener_scenes import FRAMES, ListenerBatch, SoundBank, draw_batch
from recomposer_studio.training.mask import MaskTraining, train_mask
from tests.model.test_listener import SMALL

_MASK = MaskConfig(EncoderConfig(features=MASK_FEATURES, width=16, kernel=3, dilations=(1, 2)))


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def bank(tiny_cache: AudioCache) -> SoundBank:
    return SoundBank.of(tiny_cache.split("train"), ())


@pytest.fixture(scope="module")
def numbers(bank: SoundBank) -> dict[str, int]:
    return {name: number for number, name in enumerate(bank.events)}


def _draw(bank: SoundBank, numbers: dict[str, int], seed: int, *, pairs: bool = False) -> ListenerBatch:
    return draw_batch(bank, numbers, np.random.default_rng(seed), 8, pairs=pairs)


@pytest.mark.parametrize("pairs", [False, True])
def test_every_cell_is_shared_out_among_what_sounds(bank: SoundBank, numbers: dict[str, int], pairs: bool) -> None:
    batch = _draw(bank, numbers, 3, pairs=pairs)
    assert batch.planes.shape == (8, 2, BANDS, FRAMES)
    assert batch.shares.shape == (8, 5, BANDS // 2, FRAMES // 4)
    assert batch.planes.isfinite().all() and batch.planes.abs().max() <= 5.0
    torch.testing.assert_close(batch.shares.sum(dim=1), torch.ones(8, BANDS // 2, FRAMES // 4))
    absent = batch.classes < 0
    assert not batch.shares[:, :-1][absent].any() and (batch.shares[:, :-1][~absent].amax(dim=(1, 2)) > 0.0).all()
    if pairs:
        assert (batch.classes[:, 0] != batch.classes[:, 1]).all() and absent[:, 2:].all()


def test_bands_in_which_a_background_is_silent_are_shared_out_too(bank: SoundBank, numbers: dict[str, int]) -> None:
    quiet = np.full((BANDS, FRAMES), -27.6, np.float16)  # the floor of recorded powers
    quiet[:40] = -9.0
    batch = _draw(replace(bank, backgrounds=(quiet,)), numbers, 4, pairs=True)
    assert batch.shares.isfinite().all() and batch.planes.isfinite().all()


def test_every_weight_has_one_optimiser() -> None:
    listener = Listener(SMALL, trained=False)
    held = [
        p.data_ptr() for o in listener_optimisers(listener, 1e-3) for group in o.param_groups for p in group["params"]
    ]
    assert sorted(held) == sorted(p.data_ptr() for p in listener.parameters())


def test_scenes_follow_from_their_seed(bank: SoundBank, numbers: dict[str, int]) -> None:
    one, same, other = (_draw(bank, numbers, seed) for seed in (1, 1, 2))
    assert torch.equal(one.planes, same.planes) and torch.equal(one.shares, same.shares)
    assert not torch.equal(one.planes, other.planes)


def test_trained_classes_are_drawn_more_often(tiny_cache: AudioCache, bank: SoundBank) -> None:
    name = next(iter(bank.events))
    favoured = SoundBank.of(tiny_cache.split("train"), (name,))
    assert favoured.weights[0] > bank.weights[0] and favoured.weights.sum() == pytest.approx(1.0)
    only = SoundBank.of(tiny_cache.split("train"), (), (name,))
    assert list(only.events) == [name]


def test_the_truth_has_the_least_loss_and_tells_pairs_apart(bank: SoundBank, numbers: dict[str, int]) -> None:
    batch = _draw(bank, numbers, 5, pairs=True)
    true = torch.zeros(8, BANDS // 2, FRAMES // 4, len(numbers) + 1)
    for scene in range(8):
        for number in range(2):
            true[scene, ..., batch.classes[scene, number]] += batch.shares[scene, number]
    true[..., -1] = batch.shares[:, -1]
    said = true.clamp(min=1e-6).log().log_softmax(dim=-1)
    best = float(listener_loss(said, batch))
    for seed in range(3):
        wrong = said + 0.5 * torch.randn(said.shape, generator=torch.Generator().manual_seed(seed))
        assert float(listener_loss(wrong.log_softmax(dim=-1), batch)) > best
    figures = pair_figures(said, batch)
    tells = ("told", "both", "ordered")
    assert figures["both"] and all(value == 1.0 for name in tells for value in figures[name])
    mirrored = said.clone()
    for scene in range(8):
        first, second = batch.classes[scene, :2]
        mirrored[scene, ..., [first, second]] = said[scene, ..., [second, first]]
    assert not any(value for name in tells for value in pair_figures(mirrored, batch)[name])


def test_what_a_scene_does_not_hold_counts_only_among_all_classes() -> None:
    shares = torch.rand(1, 5, 2, 3, generator=torch.Generator().manual_seed(0))
    shares[:, 3] = 0.0
    batch = ListenerBatch(torch.zeros(1), torch.tensor([[3, 5, 3, -1]]), shares / shares.sum(dim=1, keepdim=True))
    logits = torch.randn(1, 2, 3, 9, generator=torch.Generator().manual_seed(1))
    loud = logits.clone()
    loud[..., 0] += 5.0
    said, louder = (each.log_softmax(dim=-1) for each in (logits, loud))
    among_all, among_present = cross_entropies(said, batch)
    assert float(listener_loss(said, batch)) == pytest.approx(float(among_all) + 4.0 * float(among_present), rel=1e-5)
    assert cross_entropies(louder, batch)[0] > among_all
    assert cross_entropies(louder, batch)[1] == pytest.approx(float(among_present), rel=1e-5)
    # Two sounds of one class are one: only their sum is asked for.
    moved = batch.shares.clone()
    moved[:, 0] += moved[:, 2]
    moved[:, 2] = 0.0
    assert cross_entropies(said, replace(batch, shares=moved))[1] == pytest.approx(float(among_present), rel=1e-5)
    three = torch.stack([logits[..., 3], logits[..., 5], logits[..., 8]], dim=-1).log_softmax(dim=-1)
    truth = torch.stack([moved[:, 0], moved[:, 1], moved[:, 4]], dim=-1)
    weight = 1.0 - 0.9 * truth[..., 2]
    by_hand = -((truth * three).sum(dim=-1) * weight).sum() / weight.sum()
    assert float(among_present) == pytest.approx(float(by_hand), rel=1e-5)


def test_steps_on_one_batch_bring_the_loss_down(bank: SoundBank, numbers: dict[str, int]) -> None:
    torch.manual_seed(0)
    listener = Listener(replace(SMALL, classes=len(numbers)), trained=False)
    listener.known = torch.randn(len(numbers), 64) / 8.0
    optimiser = torch.optim.AdamW(listener.parameters(), lr=1e-2)
    batch = _draw(bank, numbers, 7)
    losses = []
    for _ in range(12):
        loss = listener_loss(log_shares(listener, batch), batch)
        losses.append(float(loss.detach()))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert losses[-1] < 0.8 * losses[0]


def test_a_run_leaves_a_listener_that_a_mask_head_is_told_by(tiny_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ListenerTraining(tiny_folder, out, max_minutes=0.0, valid_scenes=16, batch=2, config=SMALL)
    lines: list[str] = []
    figures = train_listener(options, lines.append)
    assert np.isfinite(figures["loss"]) and any('"part": "listener"' in line for line in lines)
    listener = build_listener(load_checkpoint(out))
    assert listener is not None and listener.known.any(dim=1).all()
    assert "somebody" in (out / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert train_listener(replace(options, resume=True), lines.append) == figures
    mask = MaskTraining(tiny_folder, out, max_minutes=0.0, valid_scenes=1, config=_MASK)
    train_mask(mask, lines.append)
    assert build_mask(load_checkpoint(out)).config == replace(_MASK, hears=True)
    # A later head takes the listener along, and refuses company that hears with other ears.
    later = replace(mask, out=tmp_path / "later", start=out)
    train_mask(replace(later, beside=out), lines.append)
    again = load_checkpoint(later.out)
    assert build_mask(again).config == replace(_MASK, hears=True, beside=1)
    taken = build_listener(again)
    assert taken is not None and torch.equal(taken.leave.weight, listener.leave.weight)
    with torch.no_grad():
        listener.leave.weight.mul_(2.0)
    write_part(out, "listener", asdict(listener.config), listener.state_dict())
    with pytest.raises(InputError, match="another listener"):
        train_mask(replace(later, beside=out), lines.append)
