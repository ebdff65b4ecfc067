"""The mask head: untrained it is spectral repair, outside the box it is silent, and its features do not depend on loudness."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.editing.generator import BoxView
from recomposer_studio.editing.repair import CONTEXT_S, repair_share
from recomposer_studio.model.conditioning import EVENT_VECTOR
from recomposer_studio.model.mask import (
    HIGHEST,
    LOWEST,
    MASK_FEATURES,
    PLANES,
    MaskConfig,
    MaskNet,
    clipped,
    corrected,
    held_back,
    lessened,
    mask_features,
    predict_share,
    surroundings,
)
from recomposer_studio.roll.event import Action
from tests.model.tiny import TINY_MASK, random_mask

_HOP_S = 0.01
_FRAMES = 260
_NEVER, _NOBODY = np.zeros(_FRAMES, np.bool_), np.zeros((0, _FRAMES), np.bool_)
_NO_POWER = np.zeros((BANDS, _FRAMES))


def _window(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Band power of noise with a burst in the box, (64, frames), and the frames of the box."""
    rng = np.random.default_rng(seed)
    power = 1e-5 * rng.exponential(size=(BANDS, _FRAMES))
    active = np.zeros(_FRAMES, np.bool_)
    active[110:150] = True
    power[20:40, 112:148] += 1e-3 * rng.exponential(size=(20, 36))
    return power, active


def _features(
    power: NDArray[np.float64], active: NDArray[np.bool_], others: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    share = repair_share(power, active, _NEVER, _HOP_S)
    return mask_features(_view(power, active, _NOBODY if others is None else others, _NEVER, share))


def _view(
    power: NDArray[np.float64],
    active: NDArray[np.bool_],
    others: NDArray[np.bool_] = _NOBODY,
    busy: NDArray[np.bool_] = _NEVER,
    repair: NDArray[np.float64] | None = None,
) -> BoxView:
    return BoxView(power, _HOP_S, active, others, busy, np.zeros_like(power) if repair is None else repair)


def _predict(net: MaskNet, seed: int = 0, others: int = 1) -> NDArray[np.float64]:
    power, active = _window(seed)
    rng = np.random.default_rng(seed)
    company = rng.random((others, _FRAMES)) > 0.5
    share = repair_share(power, active, np.zeros(_FRAMES, np.bool_), _HOP_S)
    vectors = rng.standard_normal((1 + others, EVENT_VECTOR)).astype(np.float32)
    return predict_share(net, _features(power, active, company), share, vectors[0], vectors[1:], company)


@pytest.mark.parametrize("config", [TINY_MASK, MaskConfig()], ids=["tiny", "default"])
def test_untrained_it_is_spectral_repair_to_the_bit(config: MaskConfig) -> None:
    torch.manual_seed(3)
    power, active = _window()
    repair = repair_share(power, active, np.zeros(_FRAMES, np.bool_), _HOP_S)
    assert 0.0 < repair[:, active].mean() < 1.0
    np.testing.assert_array_equal(_predict(MaskNet(config).eval()), np.where(active, clipped(repair), 0.0))


def test_trained_it_differs_and_stays_a_share_of_the_box_alone() -> None:
    power, active = _window()
    share = _predict(random_mask(1))
    untouched = np.where(active, clipped(repair_share(power, active, np.zeros(_FRAMES, np.bool_), _HOP_S)), 0.0)
    assert np.abs(share - untouched).max() > 0.1
    assert share.min() >= 0.0 and share.max() <= 1.0
    assert not share[:, ~active].any()


@settings(max_examples=50, deadline=None)
@given(share=st.floats(0.0, 1.0), correction=st.floats(-30.0, 30.0))
def test_a_correction_adds_to_the_logit(share: float, correction: float) -> None:
    start = float(clipped(np.array([share]))[0])
    out = float(corrected(torch.tensor([start], dtype=torch.float64), torch.tensor([correction])))
    odds = start / (1.0 - start) * np.exp(correction)
    assert abs(out - odds / (1.0 + odds)) < 1e-5
    assert 0.0 <= out <= 1.0


def test_clipped_keeps_what_lies_between() -> None:
    np.testing.assert_array_equal(clipped(np.array([0.0, 0.5, 1.0])), [LOWEST, 0.5, HIGHEST])


def test_features_have_their_places_and_are_finite_in_silence() -> None:
    power, active = _window()
    others = np.zeros((2, _FRAMES), np.bool_)
    others[1, :30] = True
    features = _features(power, active, others)
    assert features.shape == (MASK_FEATURES, _FRAMES) and features.dtype == np.float32
    np.testing.assert_array_equal(features[PLANES * BANDS], active)
    np.testing.assert_array_equal(features[PLANES * BANDS + 1], others.any(axis=0))
    assert np.isfinite(_features(np.zeros_like(power), active)).all()


@settings(max_examples=15, deadline=None)
@given(gain_db=st.floats(-10.0, 40.0))
def test_loudness_does_not_matter(gain_db: float) -> None:
    power, active = _window()
    np.testing.assert_allclose(_features(power * 10.0 ** (gain_db / 10.0), active), _features(power, active), atol=2e-3)


def test_surroundings_leave_out_box_guard_company_and_busy_frames() -> None:
    active = np.zeros(_FRAMES, np.bool_)
    active[110:150] = True
    others, busy = np.zeros((1, _FRAMES), np.bool_), np.zeros(_FRAMES, np.bool_)
    others[0, 60:80], busy[200:] = True, True
    quiet = surroundings(_view(_NO_POWER, active, others, busy))
    first, last = 107 - round(CONTEXT_S / _HOP_S), 153 + round(CONTEXT_S / _HOP_S)
    near = {*range(max(0, first), 107), *range(153, last)}
    np.testing.assert_array_equal(np.flatnonzero(quiet), sorted(near - {*range(60, 80)} - {*range(200, 300)}))


def test_surroundings_fall_back_to_what_there_is() -> None:
    active = np.zeros(_FRAMES, np.bool_)
    active[110:150] = True
    everywhere = np.ones((1, _FRAMES), np.bool_)
    near = surroundings(_view(_NO_POWER, active, everywhere))
    assert near.sum() == 2 * round(CONTEXT_S / _HOP_S) and not near[107:153].any()
    assert surroundings(_view(_NO_POWER, everywhere[0], everywhere, everywhere[0])).all()
    assert surroundings(_view(_NO_POWER, _NEVER, everywhere, everywhere[0])).all()


def test_one_and_two_threads_give_the_same_bytes() -> None:
    net = random_mask(2, replace(TINY_MASK, encoder=replace(TINY_MASK.encoder, width=64)))
    threads = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2):
            torch.set_num_threads(count)
            results.append(_predict(net))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    np.testing.assert_array_equal(results[0], results[1])


def test_the_question_and_the_company_matter() -> None:
    net = random_mask(4)
    power, active = _window()
    features = _features(power, active)
    share = repair_share(power, active, np.zeros(_FRAMES, np.bool_), _HOP_S)
    rng = np.random.default_rng(0)
    dog, cat, bell = rng.standard_normal((3, EVENT_VECTOR)).astype(np.float32)
    here = active[None]
    alone = predict_share(
        net, features, share, dog, np.zeros((0, EVENT_VECTOR), np.float32), np.zeros((0, _FRAMES), np.bool_)
    )
    assert not np.array_equal(alone, predict_share(net, features, share, cat, dog[None][:0], here[:0]))
    with_bell = predict_share(net, features, share, dog, bell[None], here)
    assert not np.array_equal(alone, with_bell)
    silent_company = predict_share(net, features, share, dog, bell[None], np.zeros_like(here))
    np.testing.assert_allclose(alone, silent_company, atol=1e-6)


def test_a_lessened_correction_lies_between_repair_and_the_network() -> None:
    net = random_mask(1)
    power, active = _window()
    share = repair_share(power, active, np.zeros(_FRAMES, np.bool_), _HOP_S)
    company, none = np.zeros((0, _FRAMES), np.bool_), np.zeros((0, EVENT_VECTOR), np.float32)
    query = np.ones(EVENT_VECTOR, np.float32)
    no, half, whole = (
        predict_share(net, _features(power, active), share, query, none, company, slack) for slack in (1e9, 0.5, 0.0)
    )
    repair = np.where(active, clipped(share), 0.0)
    np.testing.assert_array_equal(no, np.maximum(whole, repair))  # what takes more than repair stays as it is
    assert ((half - no) * (whole - half) >= -1e-6).all() and not np.array_equal(half, whole)
    assert (whole > repair).any() and (whole < repair).any()


@pytest.mark.parametrize(("taken", "by"), [(0.4, 0.0), (0.7, 0.0), (0.85, 1.0), (1.0, 2.0), (1.6, 2.0)])
def test_corrections_are_lessened_as_far_as_the_event_is_alone(taken: float, by: float) -> None:
    # In the first band repair takes half; in the second, where there is no power, the network corrects by -3.
    repair, power = torch.full((2, 1), 0.5, dtype=torch.float64), torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    correction = torch.tensor([[math.log(0.5 * taken / (1.0 - 0.5 * taken))], [-3.0]], dtype=torch.float64)
    out = lessened(repair, correction, power, 2.0)
    assert out[1].item() == pytest.approx(-3.0 + by)
    np.testing.assert_allclose(out[0], correction[0] if taken > 1.0 else (correction[0] + by).clamp(max=0.0))


@pytest.mark.parametrize("taken", [0.1, 0.7, 0.95])
def test_of_a_class_that_was_not_learnt_corrections_are_lessened_in_any_box(taken: float) -> None:
    repair, power = torch.full((2, 1), 0.5, dtype=torch.float64), torch.ones((2, 1), dtype=torch.float64)
    correction = torch.tensor([[math.log(0.5 * taken / (1.0 - 0.5 * taken))], [1.0]], dtype=torch.float64)
    out = lessened(repair, correction, power, 2.0, learnt=False)
    np.testing.assert_allclose(out, [[min(correction[0].item() + 2.0, 0.0)], [1.0]])


def test_what_repair_never_finds_does_not_make_a_box_an_event_alone() -> None:
    # Repair takes another sound's burst; the network leaves that and takes a steady sound that repair does not see.
    repair = torch.tensor([[0.9], [1e-3]], dtype=torch.float64)
    correction = torch.logit(torch.tensor([[0.1], [0.9]], dtype=torch.float64)) - torch.logit(repair)
    for loudness in (0.5, 1.0, 50.0):
        power = torch.tensor([[1.0], [loudness]], dtype=torch.float64)
        torch.testing.assert_close(lessened(repair, correction, power, 2.0), correction)


def test_a_silent_box_is_no_error_and_units_do_not_matter() -> None:
    rng = torch.Generator().manual_seed(0)
    repair, correction = torch.rand(2, 3, 5, generator=rng), torch.randn(2, 3, 5, generator=rng)
    repair, correction, power = repair.double(), correction.double() / 4.0, torch.rand(2, 3, 5, generator=rng).double()
    assert torch.isfinite(lessened(repair, correction, 0.0 * power, 2.0)).all()
    once = lessened(repair, correction, power, 2.0)
    torch.testing.assert_close(lessened(repair, correction, 1e4 * power, 2.0), once)
    assert not torch.equal(once, correction)


def test_what_goes_on_steadily_through_a_box_stays() -> None:
    rng = np.random.default_rng(3)
    power = 1e-4 * np.exp(0.05 * rng.normal(size=(BANDS, _FRAMES)))
    active = np.zeros(_FRAMES, np.bool_)
    active[_FRAMES // 3 : _FRAMES // 2] = True
    power[10:20, active] *= 100.0
    whole = np.where(active, np.ones_like(power), 0.0)
    repair = np.where(active, 0.001, 0.0) * np.ones_like(power)
    held = held_back(whole, _view(power, active, repair=repair))
    assert (held[10:20, active] > 0.98).all()  # louder than before and after it
    assert (held[30:, active] < 0.4).all() and np.median(held[30:, active]) < 0.2
    assert not held[:, ~active].any()
    # What repair takes is never lessened, nor what the network leaves raised.
    taken = held_back(whole, _view(power, active, repair=whole * 0.7))
    np.testing.assert_array_equal(taken[30:, active], np.maximum(held, 0.7)[30:, active])
    np.testing.assert_array_equal(held_back(repair, _view(power, active, repair=repair)), repair)


def test_a_box_without_surroundings_is_not_held_back() -> None:
    power = np.full((BANDS, _FRAMES), 1e-4)
    whole = np.ones_like(power)
    held = held_back(whole, _view(power, ~_NEVER))
    np.testing.assert_array_equal(held, whole)


def test_delete_has_a_slack_of_its_own() -> None:
    config = replace(TINY_MASK, delete_slack=0.5)
    assert [config.slack(action) for action in (Action.DELETE, Action.KEEP, Action.ENHANCE)] == [0.5, 0.0, 0.0]
    with pytest.raises(ValueError, match="negative"):
        replace(TINY_MASK, delete_slack=-0.5)


def test_a_change_far_from_a_frame_does_not_reach_it() -> None:
    net = random_mask(5)
    power, active = _window()
    features = _features(power, active)
    share = repair_share(power, active, np.zeros(_FRAMES, np.bool_), _HOP_S)
    query, none = np.ones(EVENT_VECTOR, np.float32), np.zeros((0, EVENT_VECTOR), np.float32)
    company = np.zeros((0, _FRAMES), np.bool_)
    before = predict_share(net, features, share, query, none, company)
    changed = features.copy()
    changed[:BANDS, 149] += 1.0
    after = predict_share(net, changed, share, query, none, company)
    reach = TINY_MASK.encoder.reach
    np.testing.assert_array_equal(before[:, : 149 - reach], after[:, : 149 - reach])
    assert not np.array_equal(before[:, 149], after[:, 149])
