import numpy as np
import pytest

from recomposer_studio.audio.fold import fold, folded


@pytest.mark.parametrize(("channels", "outputs"), [(2, 2), (2, 4), (6, 6), (6, 8)])
def test_enough_outputs_hear_every_channel_as_it_is(channels, outputs):
    samples = np.random.default_rng(0).standard_normal((channels, 50))
    heard = folded(samples, outputs)
    assert np.array_equal(heard[:channels], samples)
    assert not heard[channels:].any()


def test_mono_is_everywhere():
    assert np.array_equal(folded(np.array([[1.0, 2.0]]), 3), [[1, 2]] * 3)


@pytest.mark.parametrize("channels", range(2, 13))
def test_stereo_is_fair_to_both_sides_and_loses_no_channel_but_the_lowest(channels):
    weights = fold(channels, 2)
    lost = np.flatnonzero(~weights.any(axis=0)).tolist()
    assert lost == ([3] if channels in (6, 8) else [])
    assert abs(weights[0].sum() - weights[1].sum()) <= (1.0 if channels % 2 else 1e-12)
    assert weights[0, 0] == weights[1, 1] == 1.0


def test_surround_is_folded_after_bs_775():
    half = np.sqrt(0.5)
    assert fold(6, 2).tolist() == [[1, 0, half, 0, half, 0], [0, 1, half, 0, 0, half]]
    assert fold(6, 1).tolist() == [[0.5, 0.5, half, 0, half / 2, half / 2]]
    assert not fold(6, 4)[2:].any()
