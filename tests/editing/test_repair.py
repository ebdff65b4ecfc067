"""Spectral repair takes what exceeds the surroundings, and no more."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recomposer_studio.editing.repair import repair_share

HOP_S = 0.01


def box(frames: int, first: int, last: int) -> np.ndarray:
    inside = np.zeros(frames, bool)
    inside[first:last] = True
    return inside


def test_an_event_over_a_steady_background_is_taken() -> None:
    power = np.full((64, 300), 1e-4)
    inside = box(300, 140, 170)
    power[20:30, inside] = 1e-2
    share = repair_share(power, inside, inside, HOP_S)
    np.testing.assert_allclose(share[20:30, inside], 0.99, atol=0.003)
    assert not share[:20].any() and not share[30:].any()


def test_a_steady_sound_is_left_alone() -> None:
    power = np.full((64, 300), 1e-4)
    power[40] = 1e-1
    inside = box(300, 100, 200)
    assert not repair_share(power, inside, inside, HOP_S).any()


def test_a_slope_between_the_sides_is_followed() -> None:
    power = np.full((64, 300), 1.0) * 10 ** np.linspace(-5, -2, 300)
    inside = box(300, 120, 180)
    share = repair_share(power, inside, inside, HOP_S)
    assert share[:, inside].mean() < 0.15


def test_without_surroundings_keep_claims_nothing_and_delete_what_exceeds_the_quietest() -> None:
    power = np.full((64, 100), 1e-4)
    power[:, 50:60] = 1e-2
    inside = np.ones(100, bool)
    assert not repair_share(power, inside, inside, HOP_S, protect=True).any()
    share = repair_share(power, inside, inside, HOP_S)
    assert share[:, 50:60].min() > 0.98 and not share[:, :50].any()


@given(
    arrays(np.float64, (64, 60), elements=st.floats(0, 4.0)),
    st.integers(0, 59),
    st.integers(1, 60),
    st.booleans(),
)
def test_shares_lie_between_zero_and_one_inside_the_box_only(
    power: np.ndarray, first: int, last: int, protect: bool
) -> None:
    inside = box(60, first, last)
    share = repair_share(power, inside, inside, HOP_S, protect=protect)
    assert np.isfinite(share).all()
    assert share.min() >= 0.0 and share.max() <= 1.0
    assert not share[:, ~inside].any()
