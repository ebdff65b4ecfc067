"""The listener: what it tells a mask head adds up, stays near what it heard, and comes out of a checkpoint as it went in."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import load_checkpoint, write_part
from recomposer_studio.model.conditioning import EVENT_VECTOR, TEXT
from recomposer_studio.model.listener import Listener, ListenerConfig, Normed, _parts, build_listener
from recomposer_studio.model.mask import MASK_FEATURES, MaskConfig, MaskNet, build_mask, heard_by
from recomposer_studio.model.refiner import RefinerConfig
from tests.model.tiny import TINY_MASK, random_mask

SMALL = ListenerConfig((4, 6, 8, 8), width=16, hidden=16, dilations=(1, 2), embedding=8, words=8, classes=3)
REFINED = replace(TINY_MASK, refiner=RefinerConfig((4, 4), (1, 1), (1,), 2), hears=True)


def _texts(count: int) -> Tensor:
    return torch.eye(TEXT)[:count]


def _listener(trained: bool = True) -> Listener:
    torch.manual_seed(1)
    listener = Listener(SMALL, trained)
    listener.known = _texts(3)
    return listener.eval()


def _planes(frames: int, batch: int = 1) -> Tensor:
    return torch.randn(batch, 2, BANDS, frames, generator=torch.Generator().manual_seed(frames))


@given(frames=st.integers(1, 70), asked=st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_both_sets_of_shares_fill_every_cell(frames: int, asked: int) -> None:
    with torch.no_grad():
        heard = _listener().heard(_planes(frames), _texts(6)[asked][None], torch.ones(1, frames))
    assert heard.shape == (1, 6, BANDS, frames)
    # Shares are cut at e^-8, so the sum may lie that little above one.
    filled = (3.0 * heard).exp().unflatten(1, (2, 3)).sum(dim=2)
    torch.testing.assert_close(filled, torch.ones(1, 2, BANDS, frames), atol=1e-3, rtol=0.0)


def test_what_the_row_says_is_there_is_believed_by_the_cells_that_resemble_it() -> None:
    # Cells 0-3 speak a little for the asked class, 4-7 more for another; nothing is certain among many classes.
    logits = torch.zeros(1, 1, 8, 40)
    logits[..., 1] = -2.0
    logits[..., :4, 0] = 1.0
    logits[..., 4:, 2] = 3.0
    active = torch.ones(1, 8)
    alone = logits.softmax(dim=-1)
    known = alone * _parts(alone, active)[:, None, None]
    known = known / known.sum(dim=-1, keepdim=True)
    assert (known[0, 0, :4, 0] > 0.6).all() and (alone[0, 0, :4, 0] < 0.1).all()
    assert (known[0, 0, 4:, 2] > 2.0 * alone[0, 0, 4:, 2]).all()
    # What lies outside the box has no say in what is in it.
    padded = torch.cat([alone, torch.eye(40)[7].expand(1, 1, 8, 40)], dim=2)
    inside = _parts(padded, torch.cat([active, 0.0 * active], dim=1))
    torch.testing.assert_close(inside, _parts(alone, active))
    nothing = _parts(alone, 0.0 * active)
    torch.testing.assert_close(nothing, torch.tensor([[1.0, 1.0] + [1.0 / 38.0] * 38]))


def test_all_others_may_be_as_much_of_a_box_as_what_is_asked_for() -> None:
    logits = torch.zeros(1, 1, 8, 5)
    logits[..., 3] = 12.0  # every cell is sure of another class
    parts = _parts(logits.softmax(dim=-1), torch.ones(1, 8))
    torch.testing.assert_close(parts, torch.tensor([[1.0, 1.0, 0.0, 1.0, 0.0]]), atol=1e-4, rtol=0.0)
    # Two others share what one would have.
    logits[..., 4:, 3], logits[..., 4:, 4] = 0.0, 12.0
    halves = _parts(logits.softmax(dim=-1), torch.ones(1, 8))
    torch.testing.assert_close(halves, torch.tensor([[1.0, 1.0, 0.0, 0.5, 0.5]]), atol=1e-4, rtol=0.0)


def test_doubt_spreads_what_is_said_of_sounds_and_is_drawn_for_every_example() -> None:
    listener, frames = _listener(), 16
    planes, texts, active = _planes(frames).expand(64, -1, -1, -1), _texts(1).expand(64, -1), torch.ones(64, frames)
    noise = torch.randn(64, 1 + SMALL.classes, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        sure, none, doubted = (listener.heard(planes, texts, active, doubt) for doubt in (None, 0.0 * noise, noise))
    torch.testing.assert_close(sure, none)
    assert sure.std(dim=0).max() < 1e-5 and doubted.std(dim=0).mean() > 0.05
    filled = (3.0 * doubted).exp().unflatten(1, (2, 3)).sum(dim=2)
    torch.testing.assert_close(filled, torch.ones(64, 2, BANDS, frames), atol=1e-3, rtol=0.0)


@pytest.mark.parametrize("half", [False, True])
def test_a_known_class_does_not_stand_against_itself(half: bool) -> None:
    listener = _listener()
    listener.known = _texts(1).repeat(3, 1)
    planes = _planes(16)
    # Half a float is one thousandth coarse: too coarse to know a class again.
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        alone = listener.heard(planes, _texts(1), torch.ones(1, 16))
        other = listener.heard(planes, _texts(2)[1:], torch.ones(1, 16))
    # Every class that it knows is the one asked about.
    assert (3.0 * alone[:, [2, 5]]).max() == pytest.approx(-8.0)
    assert (3.0 * other[:, 2]).min() > -8.0


def test_what_is_asked_for_changes_the_answer_by_itself() -> None:
    listener, planes = _listener(), _planes(32, batch=2)
    with torch.no_grad():
        box = torch.ones(2, 32)
        both = listener.heard(planes, _texts(2), box)
        each = [listener.heard(planes[n : n + 1], _texts(2)[n : n + 1], box[:1]) for n in range(2)]
        swapped = listener.heard(planes, _texts(2).flip(0), box)
    torch.testing.assert_close(both, torch.cat(each))
    assert not torch.allclose(both, swapped)


def test_a_change_far_away_is_not_heard() -> None:
    listener, planes = _listener(), _planes(256)
    changed = planes.clone()
    changed[..., 200:] += 3.0
    box = (torch.arange(256) < 100).float()[None]
    with torch.no_grad():
        before, after = (listener.heard(x, _texts(1), box) for x in (planes, changed))
    assert torch.equal(before[..., :128], after[..., :128])
    assert not torch.equal(before[..., 200:], after[..., 200:])


def test_norms_worked_into_convolutions_answer_alike() -> None:
    listener = _listener(trained=False)
    listener.train()
    for seed in range(3):
        listener(_planes(64 + 4 * seed, batch=4))  # norms see something
    listener.eval()
    settled = listener.settled()
    assert not [m for m in settled.modules() if isinstance(m, Normed) and not isinstance(m.norm, torch.nn.Identity)]
    with torch.no_grad():
        torch.testing.assert_close(listener(_planes(40)), settled(_planes(40)), atol=1e-5, rtol=1e-4)
    Listener(SMALL).load_state_dict(settled.state_dict())


def _inputs(frames: int = 48) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(1, MASK_FEATURES, frames, generator=generator)
    features[:, -2:] = 1.0
    repair = torch.rand(1, BANDS, frames, generator=generator, dtype=torch.float64).clamp(0.01, 0.99)
    query = torch.zeros(1, EVENT_VECTOR)
    query[:, TEXT:] = _texts(2)[1:]
    return features, repair, query, torch.zeros(1, 0, EVENT_VECTOR), torch.zeros(1, 0, frames)


def test_a_mask_head_is_told_in_encoder_and_refiner_and_starts_deaf() -> None:
    inputs, listener = _inputs(), _listener()
    heard = heard_by(listener, inputs[0], inputs[2])
    torch.manual_seed(0)
    deaf = MaskNet(REFINED).eval()
    assert deaf.heard is not None and deaf.refiner is not None and deaf.refiner.heard is not None
    with torch.no_grad():
        torch.nn.init.normal_(deaf.leave.weight)
        torch.nn.init.normal_(deaf.refiner.leave.weight)
        silent = deaf(*inputs)
        assert torch.equal(deaf(*inputs, heard=heard), silent)
        for layer in (deaf.heard, deaf.refiner.heard):
            torch.nn.init.normal_(layer.weight)
            assert not torch.equal(deaf(*inputs, heard=heard), silent)
            torch.nn.init.zeros_(layer.weight)


def test_the_box_changes_the_second_set_of_shares_alone() -> None:
    features, _, query, *_ = _inputs()
    shorter = features.clone()
    shorter[:, -2, 20:] = 0.0
    both = [heard_by(_listener(), f, query) for f in (features, shorter)]
    assert both[0] is not None and both[1] is not None
    assert torch.equal(both[0][:, :3], both[1][:, :3])
    assert not torch.allclose(both[0][:, 3:], both[1][:, 3:])
    others = features.clone()
    others[:, -1] = 0.0  # where other rows are active is none of its business
    again = heard_by(_listener(), others, query)
    assert again is not None and torch.equal(again, both[0])


def test_a_checkpoint_keeps_its_listener(tmp_path: Path) -> None:
    listener, config = _listener(), replace(REFINED, beside=1)
    net = random_mask(config=config)
    write_part(tmp_path, "mask", asdict(config), net.state_dict())
    with pytest.raises(InputError, match="wants a listener"):
        build_mask(load_checkpoint(tmp_path))
    write_part(tmp_path, "listener", asdict(SMALL), listener.state_dict())
    checkpoint = load_checkpoint(tmp_path)
    again, mask = build_listener(checkpoint), build_mask(checkpoint)
    assert again is not None and again.config == SMALL and mask.config == config
    inputs = _inputs()
    with torch.no_grad():
        before = net(*inputs, heard=heard_by(listener, inputs[0], inputs[2]))
        after = mask(*inputs, heard=heard_by(again, inputs[0], inputs[2]))
    np.testing.assert_array_equal(before.numpy(), after.numpy())
    assert not any(p.requires_grad for p in again.parameters())


def test_a_checkpoint_without_a_listener_has_none(tmp_path: Path) -> None:
    write_part(tmp_path, "mask", asdict(TINY_MASK), random_mask().state_dict())
    assert build_listener(load_checkpoint(tmp_path)) is None
    features, _, query, *_ = _inputs()
    assert heard_by(None, features, query) is None


def test_a_listener_of_another_shape_is_refused(tmp_path: Path) -> None:
    write_part(tmp_path, "listener", asdict(replace(SMALL, width=24)), _listener().state_dict())
    with pytest.raises(InputError, match="do not fit"):
        build_listener(load_checkpoint(tmp_path))
    write_part(tmp_path, "listener", {**asdict(SMALL), "channels": [4, 4]}, _listener().state_dict())
    with pytest.raises(InputError, match="damaged"):
        build_listener(load_checkpoint(tmp_path))


def test_without_a_listener_configurations_are_as_before() -> None:
    assert not MaskConfig().hears
    assert not [name for name in MaskNet(TINY_MASK).state_dict() if "heard" in name]
