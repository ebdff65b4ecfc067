"""Ratios over scenes and their intervals."""

import numpy as np
import pytest

from recomposer_studio.evaluation.bootstrap import bootstrap_mean, bootstrap_ratio


def test_a_ratio_is_sum_over_sum_inside_its_interval() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.uniform(1, 5, 40)
    estimates = inputs * rng.uniform(0.3, 0.7, 40)
    found = bootstrap_ratio(estimates, inputs, seed=1)
    assert found.value == pytest.approx(estimates.sum() / inputs.sum())
    assert found.low < found.value < found.high
    assert found == bootstrap_ratio(list(estimates), list(inputs), seed=1)
    assert found != bootstrap_ratio(estimates, inputs, seed=2)


def test_the_interval_holds_the_truth_nine_times_in_ten() -> None:
    rng = np.random.default_rng(3)
    hits = 0
    for trial in range(200):
        inputs = rng.uniform(1, 3, 60)
        estimates = inputs * 0.5 + rng.normal(0, 0.3, 60)
        found = bootstrap_ratio(estimates, inputs, seed=trial, draws=300)
        hits += found.low <= 0.5 <= found.high
    assert 0.83 <= hits / 200 <= 0.96


def test_equal_scenes_leave_no_doubt_and_zero_inputs_no_ratio() -> None:
    assert bootstrap_ratio([1.0, 1.0], [2.0, 2.0]) == (0.5, 0.5, 0.5)
    assert np.isnan(bootstrap_ratio([1.0], [0.0])).all()
    assert np.isnan(bootstrap_ratio([], [])).all()
    assert np.isnan(bootstrap_mean([])).all()
    assert bootstrap_mean([2.0, 2.0]) == (2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="every scene"):
        bootstrap_ratio([1.0, 2.0], [1.0])
